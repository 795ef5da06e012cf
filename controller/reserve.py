"""A disk that fills up: a reserve for the last writes, which are STOP and emergencies, and an alarm long before.

Uploads stop first (``disk_reserve_bytes``). What else fills a disk, logs or somebody's copies, gets past that: then a
file that only took up room is given up, before a row finds none. Even a DELETE needs some.
"""

import logging
import os
from pathlib import Path

from .alarms.service import Alarms
from .clock import Clock
from .db import Database

DISK = "disk"
"""Name of the regular work."""
DISK_S = 30
RESERVE_BYTES = 32 * 1024 * 1024
"""Some thousands of orders with their audit; a write-ahead log has grown to 4 MiB before it is folded in."""
LEAST_BYTES = 12 * 1024 * 1024
"""With less free than this the reserve is given up."""
PLENTY_BYTES = 4 * RESERVE_BYTES
"""With more free than this it is set aside again."""
LOW_PART = 0.85
"""Used, of the disk: from here on people are told."""
LOW, FULL = "disk.low", "disk.full"
"""Kinds of alarms."""

_log = logging.getLogger(__name__)


class Reserve:
    """A file that takes up room."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / "disk.reserve"

    @property
    def is_kept(self) -> bool:
        """Whether it is there to be given up."""
        return self._file.exists()

    @property
    def used(self) -> float:
        """The part of the disk that is taken, 0 to 1, as ``df`` says it: what only root may use counts as taken."""
        disk = os.statvfs(self._folder)
        taken = disk.f_blocks - disk.f_bfree
        return taken / max(1, taken + disk.f_bavail)

    def keep(self) -> None:
        """Set it aside, if it is not and there is plenty of room."""
        if self._file.exists() or self._free() < PLENTY_BYTES:
            return
        with self._file.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def ease(self) -> None:
        """Give it up if there is nearly no room; cheap enough to be asked before every write.

        A disk that does not answer keeps nobody from trying: rows may be elsewhere, and who writes them finds out.
        """
        try:
            if self._free() >= LEAST_BYTES or not self._file.exists():
                return
            self._file.unlink(missing_ok=True)
        except OSError as error:
            _log.error("the reserve of %s cannot be looked at or given up: %s", self._folder, error)
            return
        _log.error("the disk of %s is full: a reserve of %d MiB is given up", self._folder, RESERVE_BYTES >> 20)

    def _free(self) -> int:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize


class DiskWatch:
    """Tells people of a disk that fills up, and sets the reserve aside when there is room again."""

    def __init__(self, database: Database, clock: Clock, alarms: Alarms, reserve: Reserve) -> None:
        self._database, self._clock, self._alarms, self._reserve = database, clock, alarms, reserve
        self._is_first = True

    async def look(self) -> None:
        """Look once; to be called every ``DISK_S`` seconds."""
        self._reserve.ease()
        if not self._is_first:  # a centre that only lives for moments leaves none behind
            self._reserve.keep()
        self._is_first = False
        used = self._reserve.used
        if used < LOW_PART:
            return
        kind = LOW if self._reserve.is_kept else FULL
        async with self._database.transaction() as tx:
            await self._alarms.raise_(tx, kind, None, "disk", {"count": round(100 * used)}, unless_open=True)
