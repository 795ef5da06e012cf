"""Recordings on the node's disk, by hash. Decides what is whole, never what is wanted; no network."""

import contextlib
import hashlib
import io
import logging
import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from edge_agent import failpoints
from edge_agent.checked import CheckedPath, hash_file, hash_pieces
from edge_agent.checks.disk_space import LEAST_BYTES, free_files
from edge_agent.config import sync_directory, write_atomically
from edge_agent.errors import CorruptError, NoSpaceError

log = logging.getLogger(__name__)

RESERVE_BYTES = LEAST_BYTES
"""Free space that downloads leave for the store and the system."""

IN_MEMORY_BYTES = 4 * 1024 * 1024
"""17 minutes of speech: what a node of 512 MB may well hold twice."""

ASIDE_BYTES = 24 * 1024 * 1024
"""In memory, while the card takes nothing: 100 minutes of speech, a tenth of what the unit allows the agent."""

_Signature = tuple[int, int, int]


class _Vouched(NamedTuple):
    """A file whose hash was right, and the hashes of its pieces."""

    signature: _Signature
    pieces: tuple[bytes, ...]


class Shelf:
    """The media directory. Hashing runs in worker threads; the rest is quick."""

    def __init__(self, directory: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._directory, self._reserve_bytes = directory, reserve_bytes
        self._aside: Path | None = None
        """A folder in memory for what comes while the card takes nothing; None while it does."""
        directory.mkdir(parents=True, exist_ok=True)
        self._vouched: dict[str, _Vouched] = {}
        self._spoilt: dict[str, _Signature] = {}
        """Files that should be gone and are not: a disk with errors may refuse even that."""
        self._lock = threading.Lock()

    def go_aside(self, folder: Path) -> None:
        """From now on keep in memory what comes: the card takes nothing. What lies on it can be read still."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._aside = folder

    def path(self, sha256: str) -> Path:
        """Where a recording lies, or will lie."""
        lies = self._directory / f"{sha256}.opus"
        if self._aside is None or (_signature(lies) is not None and sha256 not in self._spoilt):
            return lies
        return self._aside / lies.name

    def part(self, sha256: str) -> Path:
        """Where a download grows; it survives restarts and is continued."""
        return (self._aside or self._directory) / f"{sha256}.part"

    def has(self, sha256: str) -> bool:
        """Say whether there is such a file; its bytes may have changed since."""
        found = _signature(self.path(sha256))
        return found is not None and self._spoilt.get(sha256) != found

    def is_vouched(self, sha256: str) -> bool:
        """Say whether the file, as it lies there now, had the right hash when last read by this process."""
        return self._vouched_now(sha256) is not None

    def vouch(self, sha256: str) -> bool:
        """Read the file and compare its hash; a changed or unreadable one is thrown away. Not for the event loop."""
        path = self.path(sha256)
        before = _signature(path)
        if before is None:
            return False
        pieces = _pieces(path, sha256)
        if _signature(path) != before:
            return self.is_vouched(sha256)  # another has come meanwhile: what was read is not what lies here
        if pieces is None:
            self.spoil(sha256)
            return False
        with self._lock:
            self._vouched[sha256] = _Vouched(before, pieces)
        return True

    def spoil(self, sha256: str) -> None:
        """Throw away a file whose bytes are wrong, so that it is fetched again."""
        path = self.path(sha256)
        with self._lock:
            self._vouched.pop(sha256, None)
        _throw_away(path)
        left = _signature(path)
        if left is not None:
            self._spoilt[sha256] = left

    def accept_part(self, sha256: str) -> None:
        """Check a finished download and put it in its place. Slow: not for the event loop.

        Raises:
            CorruptError: its hash is wrong, or it cannot be read; it is thrown away.
        """
        part = self.part(sha256)
        pieces = _pieces(part, sha256)
        if pieces is None:
            _throw_away(part)
            raise CorruptError(f"{part.name}: hash differs from its name")
        with part.open("rb") as file:
            failpoints.reach("shelf.before_sync")
            os.fsync(file.fileno())
        failpoints.reach("shelf.before_rename")
        part.replace(self.path(sha256))
        failpoints.reach("shelf.after_rename")
        sync_directory(part.parent)
        self._vouch_as_written(sha256, pieces)

    def put(self, sha256: str, data: bytes) -> None:
        """Keep audio that came inside a message.

        Raises:
            CorruptError: its hash is wrong.
        """
        found = hash_pieces(io.BytesIO(data))
        if found.whole != sha256:
            raise CorruptError(f"inline audio {sha256[:12]}: hash differs from its name")
        if not self.is_vouched(sha256):
            write_atomically(self.path(sha256), data)
            self._vouch_as_written(sha256, found.pieces)

    def source(self, sha256: str) -> bytes | Path | None:
        """Give what to decode; None when the bytes have changed or are gone.

        Short recordings are read and checked now, and decoded from memory. Of long ones, checked ahead, the file is
        given: it is checked again while it is read, and fails before it gives a changed byte.
        """
        path = self.path(sha256)
        try:
            if path.stat().st_size > IN_MEMORY_BYTES:
                return self._checked(sha256)
            data = path.read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def free_bytes(self) -> int:
        """Room on the disk."""
        return shutil.disk_usage(self._directory).free

    def free_inodes(self) -> int | None:
        """How many more files fit; None where the file system does not count them."""
        return free_files(self._directory)

    def make_room(self, size: int, needed: Iterable[str], *, spare: Iterable[str] = ()) -> None:
        """Throw out until ``size`` bytes fit beside the reserve.

        First what is not ``needed``, oldest first; then of what is needed the ``spare``, in their order.

        Raises:
            NoSpaceError: they do not fit even then.
        """
        place = self._aside or self._directory
        missing = size + self._reserve_bytes - self.free_bytes()
        if self._aside is not None:
            missing = size + sum(found.st_size for _, found in _standing(place.iterdir())) - ASIDE_BYTES
        keep = set(needed)
        idle = sorted(
            _standing(path for path in place.iterdir() if path.stem not in keep), key=lambda one: one[1].st_mtime
        )
        for path, found in (*idle, *_standing(place / f"{sha256}.opus" for sha256 in spare)):
            if missing <= 0:
                return
            missing -= found.st_size
            path.unlink(missing_ok=True)
        if missing > 0:
            raise NoSpaceError(f"{place}: {missing} bytes short for a recording of {size}; free some space")

    def _checked(self, sha256: str) -> CheckedPath | None:
        """Hash first what nobody has vouched for: an emergency of right now, or what a restart takes up."""
        if self._vouched_now(sha256) is None:
            self.vouch(sha256)
        vouched = self._vouched_now(sha256)
        return None if vouched is None else CheckedPath.of(self.path(sha256), vouched.pieces)

    def _vouched_now(self, sha256: str) -> _Vouched | None:
        found = _signature(self.path(sha256))
        with self._lock:
            vouched = self._vouched.get(sha256)
        return vouched if vouched is not None and vouched.signature == found else None

    def _vouch_as_written(self, sha256: str, pieces: tuple[bytes, ...]) -> None:
        found = _signature(self.path(sha256))
        if found is not None:
            with self._lock:
                self._vouched[sha256] = _Vouched(found, pieces)


def _pieces(path: Path, sha256: str) -> tuple[bytes, ...] | None:
    """Compare a file with its hash, None when it differs; one that cannot be read is as good as changed."""
    try:
        found = hash_file(path)
    except OSError as error:
        log.error("%s cannot be read: %s", path.name, error)  # noqa: TRY400 - the disk's, the way here does not matter
        return None
    return found.pieces if found.whole == sha256 else None


def _standing(paths: Iterable[Path]) -> list[tuple[Path, os.stat_result]]:
    """Leave out what another download has renamed or thrown out meanwhile."""
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found.append((path, path.stat()))
    return found


def _throw_away(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _signature(path: Path) -> _Signature | None:
    """Tell one state of a file from another without reading it; None when it is no plain file."""
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if _is_plain(found.st_mode) else None


def _is_plain(mode: int) -> bool:
    return mode & 0o170000 == 0o100000
