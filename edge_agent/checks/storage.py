"""Whether the memory card still stores: the kernel's count of ext4 errors, and a few bytes that must reach the disk.

A card that goes is mostly seen here first: the kernel mounts it read-only, or a write does not come back. What a card
has lost of older files is found by their hash (``voucher``), not here.
"""

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from edge_agent.failpoints import reach
from edge_agent.faults import Fault

_FULL = {errno.ENOSPC, errno.EDQUOT}
"""A full disk is another fault (``disk_space``)."""


class Storage:
    """Looks every minute: each look writes a block or two, and a card wears."""

    fault = Fault.STORAGE_FAILING
    period_s = 60.0
    clears_within_s = 0.0
    slow = True

    def __init__(
        self, directory: Path, *, sys: Path = Path("/sys"), refused: Callable[[], str | None] = lambda: None
    ) -> None:
        """``refused`` says why the store goes on in memory, while it does."""
        self._directory, self._sys, self._refused = directory, sys, refused
        self.errors: int | None = None
        """That the kernel has counted, as of the last look; None where it does not."""

    def look(self) -> str | None:
        """Read the kernel's count, then write, sync, and read again."""
        name, self.errors = self._counted()
        if (why := self._refused()) is not None:
            return refusal(why)
        if self.errors:
            return f"the kernel has counted {self.errors} errors on {name}: replace the memory card"
        return self._write()

    def _counted(self) -> tuple[str, int | None]:
        """``errors_count`` of the file system (Documentation/ABI/testing/sysfs-fs-ext4); None where it is another."""
        try:
            device = self._directory.stat().st_dev
            place = (self._sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}").resolve()
            return place.name, int((self._sys / "fs" / "ext4" / place.name / "errors_count").read_text("ascii"))
        except (OSError, ValueError):
            return "", None

    def _write(self) -> str | None:
        path, data = self._directory / "canary", secrets.token_bytes(512)
        try:
            _store(path, data)
            found = path.read_bytes()
        except OSError as error:
            if error.errno in _FULL:
                return None
            return f"the disk takes no more: {error.strerror}"
        return None if found == data else "the disk gives back other bytes than it was given"


def refusal(why: str) -> str:
    """Say what it means that the store goes on in memory."""
    return f"the card takes no more ({why}): going on in memory; switch the node off and on, or replace the card"


def _store(path: Path, data: bytes) -> None:
    """Write in place: one block, always the same, and what the card makes of it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(handle, data, 0)
        reach("canary.before_sync")
        os.fsync(handle)
        reach("canary.after_sync")
    finally:
        os.close(handle)
