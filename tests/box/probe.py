"""Runs on the node in place of the agent, with all the rights of its unit, and tries what a burglar would try.

Prints one JSON object: what went well. Uses nothing but Python's own library.
"""

import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

STATE = Path("/var/lib/loa-agent")


def write(path: str) -> Callable[[], object]:
    return lambda: Path(path).write_text("here")


def read(path: str) -> Callable[[], object]:
    return lambda: Path(path).read_bytes()


def listen() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()


def raw() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def netlink() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()


def call(name: str, *arguments: object) -> Callable[[], object]:
    def made() -> None:
        ctypes.set_errno(0)
        if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)

    return made


def others() -> None:
    if not any(Path(f"/proc/{pid}/cmdline").exists() for pid in range(1, 20)):
        raise ProcessLookupError


def connect() -> None:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()


def run_own() -> None:
    path = STATE / "own"
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o700)
    pid = os.posix_spawn(path, [str(path)], {})
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise PermissionError


TRIED: dict[str, Callable[[], object]] = {
    # What it needs.
    "write its state": write(f"{STATE}/probe"),
    "reach the centre": connect,
    "ask for the clock": call("adjtimex", ctypes.create_string_buffer(512)),
    # What it does not.
    "write /etc": write("/etc/probe"),
    "write /usr": write("/usr/probe"),
    "write its program": write("/opt/loa/probe"),
    "write the data partition": write("/data/probe"),
    "write the boot partition": write("/boot/firmware/probe"),
    "read the boot file": read("/boot/firmware/loa.toml"),
    "read the passwords": read("/etc/shadow"),
    "listen": listen,
    "raw network": raw,
    "netlink": netlink,
    "see other processes": others,
    "become root": lambda: os.setuid(0),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, 0.0),
    "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "a namespace of its own": call("unshare", 0x10000000),
    "change the kernel": write("/proc/sys/kernel/panic"),
    "run a file it wrote": run_own,
}


def tried(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError as error:
        sys.stderr.write(f"{error!r}\n")
        return False
    return True


sys.stdout.write(json.dumps([name for name, act in TRIED.items() if tried(act)]))
