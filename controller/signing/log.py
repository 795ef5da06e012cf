"""What a signer that stands apart did, line by line: each names the hash of the one before it.

A file of its own, only ever added to. It shows afterwards what was signed and who agreed, whatever the rows of the
centre say by then; what is cut off at its end is told by a head that somebody wrote down elsewhere.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from controller.audit.heads import Head
from controller.errors import LoaError

FILE = "signer.log"
FIRST = "0" * 64
"""Previous hash of the first line."""
TAIL_BYTES = 64 * 1024
"""The last line lies within: a line is a few hundred bytes, a refusal names 200 broadcasts at most."""


class LogError(LoaError):
    """The log cannot be gone on with, or does not hold."""

    code = "signer_log"


class Entry(NamedTuple):
    """One line."""

    seq: int
    at: str
    what: str
    detail: dict[str, Any]
    prev: str

    @property
    def hash(self) -> str:
        """Hash of all of it."""
        said = json.dumps(self, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(said.encode()).hexdigest()


class Log:
    """The file, open at its end. The signer has it, and whoever acts at its console: they take turns."""

    def __init__(self, path: Path) -> None:
        """Go on after its last line.

        Raises:
            LogError: its last line is no line of a log.
        """
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._path, self._size, self._seq, self._prev = path, -1, 0, FIRST
        with self._turn():
            self._catch_up()

    def close(self) -> None:
        """Close it."""
        os.close(self._file)

    def write(self, what: str, at: datetime, *, sure: bool = False, **detail: Any) -> None:
        """Add a line; ``sure``: it is on the disk before this returns.

        Raises:
            LogError: somebody else left something at its end that is no line of a log.
        """
        with self._turn():
            self._catch_up()
            entry = Entry(self._seq + 1, at.isoformat(), what, detail, self._prev)
            self._size += os.write(self._file, json.dumps({**entry._asdict(), "hash": entry.hash}).encode() + b"\n")
        self._seq, self._prev = entry.seq, entry.hash
        if sure:
            os.fsync(self._file)

    def _catch_up(self) -> None:
        """Go on after what somebody else wrote meanwhile, if anybody did."""
        if os.fstat(self._file).st_size == self._size:
            return
        last = _last(self._file, self._path)
        self._seq, self._prev = (last.seq, last.hash) if last else (0, FIRST)
        self._size = os.fstat(self._file).st_size

    @contextmanager
    def _turn(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def verify(path: Path, known: Head | None = None) -> Head | None:
    """Walk along it; gives its last line, None: it is empty.

    Raises:
        LogError: a line was changed, removed or added, or the line ``known`` is not there.
    """
    seq, prev, met = 0, FIRST, known is None
    for number, (entry, said) in enumerate(_lines(path), 1):
        if (entry.seq, entry.prev, entry.hash) != (seq + 1, prev, said):
            raise LogError(f"{path}: line {number} was changed, or one before it removed; {seq} lines hold")
        seq, prev = entry.seq, entry.hash
        met = met or (known is not None and (seq, prev) == (known.seq, known.hash))
    if not met:
        raise LogError(f"{path}: line {known.seq if known else 0} is not the one that was written down, or is cut off")
    return Head(seq, prev) if seq else None


def _lines(path: Path) -> Iterator[tuple[Entry, str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            yield _read(line, f"{path}: line {number}")


def _read(line: bytes, where: str) -> tuple[Entry, str]:
    try:
        fields = json.loads(line)
        said = fields.pop("hash")
        return Entry(**fields), said
    except (ValueError, TypeError, KeyError, AttributeError):
        raise LogError(f"{where}: no line of a log") from None


def _last(file: int, path: Path) -> Entry | None:
    """Give the last whole line; what a power cut left of another one is taken off: nothing of it was answered."""
    size = os.fstat(file).st_size
    tail = os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES))
    whole = tail.rfind(b"\n") + 1
    if not whole and size > len(tail):
        raise LogError(f"{path}: no line ends in its last {TAIL_BYTES} bytes; put it aside")
    if whole < len(tail):
        os.ftruncate(file, size - len(tail) + whole)
    lines = tail[:whole].splitlines()
    return _read(lines[-1], f"{path}: the last line")[0] if lines else None
