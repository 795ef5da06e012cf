"""Talks to systemd's supervisor, if there is one: ``READY=1`` and ``WATCHDOG=1`` (sd_notify protocol)."""

import os
import socket


def notify(state: str) -> None:
    """Send one state line; without ``NOTIFY_SOCKET`` nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
