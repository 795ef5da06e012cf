"""Unpacks a bundle, hashing what it reads: plain files and folders in a POSIX tar, packed by xz, and nothing else.

No links, devices or extended headers; nothing is followed, replaced or made executable. Bounded in bytes, files and
memory whatever it is given: the hash is known only when all of it has been read.
"""

import hashlib
import lzma
import os
import re
import tarfile
from pathlib import Path
from typing import IO

from edge_agent import failpoints
from edge_agent.updates.layout import UpdateError

MAX_BYTES = 512 * 1024 * 1024
"""Unpacked; the first bundle has 170 MB."""
MAX_MEMBERS = 20_000
MEMORY = 64 * 1024 * 1024
"""For xz; what we pack takes 9 MB."""
_BLOCK = 512
_PIECE = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=~ -]*\Z")
"""Of one part of a path: it begins with no dot, so that nothing climbs or hides."""


class BundleError(UpdateError):
    """What is in a bundle is not what an agent is made of."""

    code = "bad_bundle"


class Packed:
    """The packed bytes: counted, hashed, and given unpacked, never more than was asked for."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit = file, limit
        self._unpack = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MEMORY)
        self._hash = hashlib.sha256()
        self.size = self.unpacked = 0

    @property
    def sha256(self) -> str:
        """Hash of what was read so far."""
        return self._hash.hexdigest()

    def read(self, count: int) -> bytes:
        """Give so many bytes, fewer at the end.

        Raises:
            BundleError: it is no xz, or holds more than it may.
        """
        found = bytearray()
        while len(found) < count and not self._unpack.eof:
            piece = b"" if not self._unpack.needs_input else self._take()
            if self._unpack.needs_input and not piece:
                break
            try:
                found += self._unpack.decompress(piece, count - len(found))
            except lzma.LZMAError as error:
                raise BundleError(f"bundle: {error}") from None
        self.unpacked += len(found)
        if self.unpacked > MAX_BYTES:
            raise BundleError(f"bundle holds more than {MAX_BYTES} bytes")
        return bytes(found)

    def finish(self) -> None:
        """Read to the end of the file, for its hash.

        Raises:
            BundleError: it breaks off, or something comes behind it.
        """
        while left := self.read(_PIECE):
            if left.strip(b"\0"):
                raise BundleError("bundle: something follows its end")
        whole, behind = self._unpack.eof, bool(self._unpack.unused_data)
        while self._take():
            behind = True
        if not whole or behind:
            raise BundleError("bundle: something follows its end" if whole else "bundle breaks off")

    def drain(self) -> None:
        """Read on for the hash alone."""
        while piece := self._file.read(_PIECE):
            self._hash.update(piece)
            self.size += len(piece)

    def _take(self) -> bytes:
        piece = self._file.read(_PIECE)
        self._hash.update(piece)
        self.size += len(piece)
        if self.size > self._limit:
            raise BundleError(f"bundle is larger than the {self._limit} bytes promised")
        return piece


def unpack(packed: Packed, into: Path) -> None:
    """Lay all of it into a folder that is empty.

    Raises:
        BundleError: something in it has no place in an agent.
        OSError: the disk refuses.
    """
    for _ in range(MAX_MEMBERS):
        block = packed.read(_BLOCK)
        if len(block) == _BLOCK and not block.strip(b"\0"):
            return
        member = _member(block)
        path = _place(into, member.name)
        folder = path if member.isdir() else path.parent
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise BundleError(f"bundle: {member.name[:100]!r} lies in a file") from None
        if not member.isdir():
            _write(packed, path, member.size)
            failpoints.reach("update.file")
    raise BundleError(f"bundle holds more than {MAX_MEMBERS} files")


def sync(folder: Path) -> None:
    """Put every file and folder on the disk for good.

    Raises:
        OSError: the disk refuses: what lies there cannot be trusted.
    """
    failpoints.reach("update.before_files")
    os.sync()  # in one go; then each by itself, which is quick and tells what failed
    for top, _, files in os.walk(folder):
        for path in (*(Path(top) / name for name in files), Path(top)):
            if path.is_symlink():
                continue  # it is its folder's
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    failpoints.reach("update.after_files")


def _member(block: bytes) -> tarfile.TarInfo:
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise BundleError(f"bundle: {error}") from None
    if member.type not in {tarfile.REGTYPE, tarfile.DIRTYPE} or (member.isdir() and member.size):
        raise BundleError(f"bundle: {member.name[:100]!r} is neither a plain file nor a folder")
    return member


def _place(into: Path, name: str) -> Path:
    parts = name.removeprefix("./").rstrip("/").split("/")
    if parts in (["."], [""]):
        return into
    if not all(_NAME.match(part) for part in parts):
        raise BundleError(f"bundle: {name[:100]!r} is no name of an agent's file")
    return into.joinpath(*parts)


def _write(packed: Packed, path: Path, size: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except (FileExistsError, IsADirectoryError):
        raise BundleError(f"bundle: {path.name[:100]!r} is there twice") from None
    with os.fdopen(handle, "wb") as file:
        left = size
        while left:
            piece = packed.read(min(left, _PIECE))
            if not piece:
                raise BundleError("bundle breaks off")
            file.write(piece)
            left -= len(piece)
        os.fchmod(file.fileno(), 0o644)
    packed.read(-size % _BLOCK)
