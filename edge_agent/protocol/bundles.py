"""What a bundle is made of: plain files and folders in a POSIX tar, packed by xz, and nothing else.

One reading for whoever signs one, takes one in or lays one down. No links, devices or extended headers; bounded in
bytes, files and memory whatever it is given: the hash is known only when all of it has been read. Nothing
is written here.
"""

import hashlib
import lzma
import re
import tarfile
from collections.abc import Iterator
from typing import IO, NamedTuple

from .errors import BundleError, WrongBoardError, WrongPythonError
from .updates import Release

MAX_BYTES = 512 * 1024 * 1024
"""Unpacked; the first bundle has 170 MB."""
MAX_MEMBERS = 20_000
MEMORY = 64 * 1024 * 1024
"""For xz; what we pack takes 9 MB."""
_BLOCK = 512
_PIECE = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=~ -]*\Z")
"""Of one part of a path: it begins with no dot, so that nothing climbs or hides."""
_BEGINS = ("edge_agent", "__main__.py")
_PACKAGE = re.compile(r"loa-(.+)\.dist-info\Z")
"""Where an installed package says its version (PEP 427)."""
_BUILT_FOR = re.compile(r"\.cpython-3([0-9]+)[a-z]*-")
"""In the name of a part that runs with one Python alone (PEP 3149)."""
_MACHINES = {62: "amd64", 183: "arm64"}
"""``e_machine`` of an ELF file (System V ABI)."""


class Member(NamedTuple):
    """One thing in a bundle."""

    parts: tuple[str, ...]
    """Of its path; none for the folder that holds all."""
    is_folder: bool


class Contents(NamedTuple):
    """What a bundle shows of itself."""

    version: str | None
    """None where no agent is in it."""
    boards: frozenset[str]
    """For which processors its programs are built."""
    pythons: frozenset[str]
    """For which Pythons, where it is one alone."""


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


def members(packed: Packed) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Give all that is in it, in order, with the bytes of each; what is not read of them is passed over.

    Raises:
        BundleError: something in it has no place in an agent, or it breaks off.
    """
    files: set[tuple[str, ...]] = set()
    folders: set[tuple[str, ...]] = set()
    for _ in range(MAX_MEMBERS):
        block = packed.read(_BLOCK)
        if len(block) < _BLOCK:
            raise BundleError("bundle breaks off")
        if not block.strip(b"\0"):
            return
        info = _header(block)
        member = Member(_parts(info.name), info.isdir())
        around = {member.parts[:depth] for depth in range(len(member.parts) + member.is_folder)}
        if around & files:
            raise BundleError(f"bundle: {info.name[:100]!r} lies in a file")
        if not member.is_folder and (member.parts in files or member.parts in folders or not member.parts):
            raise BundleError(f"bundle: {info.name[:100]!r} is there twice")
        folders |= around
        if not member.is_folder:
            files.add(member.parts)
        pieces = _pieces(packed, info.size)
        yield member, pieces
        for _passed_over in pieces:
            pass
        packed.read(-info.size % _BLOCK)
    raise BundleError(f"bundle holds more than {MAX_MEMBERS} files")


def look(packed: Packed) -> Contents:
    """Read all of it, and say what it shows of itself.

    Raises:
        BundleError: it is none.
    """
    version, begins, boards, pythons = None, False, set[str](), set[str]()
    for member, pieces in members(packed):
        if member.is_folder:
            continue
        name, start = member.parts[-1], next(pieces, b"")
        begins = begins or member.parts == _BEGINS
        if name == "METADATA" and (found := _PACKAGE.match(member.parts[0])):
            version = found[1]
        if found := _BUILT_FOR.search(name):
            pythons.add(f"3.{found[1]}")
        if start.startswith(b"\x7fELF"):
            machine = int.from_bytes(start[18:20], "little")
            boards.add(_MACHINES.get(machine, f"another processor (ELF {machine})"))
    packed.finish()
    return Contents(version if begins else None, frozenset(boards), frozenset(pythons))


def check_contents(release: Release, contents: Contents) -> None:
    """Refuse a bundle that is not what is said of it.

    Raises:
        BundleError: there is no agent in it, or one of another version.
        WrongBoardError: it is built for another processor, or for more than one.
        WrongPythonError: it is built for another Python.
    """
    if contents.version is None:
        raise BundleError("no agent is in it; make one with: make bundle")
    if contents.version != release.version:
        raise BundleError(f"it holds version {contents.version}, not {release.version}")
    if contents.boards != {release.board}:
        boards = " and ".join(sorted(contents.boards)) or "no processor"
        raise WrongBoardError(f"it is built for {boards}, not for {release.board}")
    if contents.pythons - {release.python}:
        pythons = " and ".join(sorted(contents.pythons))
        raise WrongPythonError(f"it is built for Python {pythons}, not for {release.python}")


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise BundleError(f"bundle: {error}") from None
    if info.type not in {tarfile.REGTYPE, tarfile.DIRTYPE} or (info.isdir() and info.size):
        raise BundleError(f"bundle: {info.name[:100]!r} is neither a plain file nor a folder")
    return info


def _parts(name: str) -> tuple[str, ...]:
    parts = name.removeprefix("./").rstrip("/").split("/")
    if parts in (["."], [""]):
        return ()
    if not all(_NAME.match(part) for part in parts):
        raise BundleError(f"bundle: {name[:100]!r} is no name of an agent's file")
    return tuple(parts)


def _pieces(packed: Packed, size: int) -> Iterator[bytes]:
    while size:
        piece = packed.read(min(size, _PIECE))
        if not piece:
            raise BundleError("bundle breaks off")
        size -= len(piece)
        yield piece
