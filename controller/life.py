"""Tells systemd that the centre lives: once when all its parts are ready, and from then on as long as it gets on.

What hangs is told apart from what is slow by the event loop and the database alone: a broker or node that is away is
something for people to see, not a reason to start again. The agent has its own (``edge_agent/systemd.py``); no room
imports the other's.
"""

import asyncio
import logging
import os
import socket

from sqlalchemy import text

from .db import Database
from .errors import BusyError

EVERY_S = 5.0
"""Several times within the ``WatchdogSec`` of the service unit."""

_log = logging.getLogger(__name__)


class Life:
    """Started as the last member: when it runs, all the others are ready. Runs until cancelled."""

    name = "life"

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Tell it for ever; a database that does not answer ends the telling."""
        notify("READY=1")
        self.ready.set()
        while True:
            try:
                async with self._database.reading() as session:
                    await session.execute(text("SELECT 1"))
                notify("WATCHDOG=1")
            except BusyError as error:
                _log.warning("the rows do not answer: %s", error)
            await asyncio.sleep(EVERY_S)


def notify(state: str) -> None:
    """Send one state line to the supervisor (sd_notify protocol); without ``NOTIFY_SOCKET`` nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
