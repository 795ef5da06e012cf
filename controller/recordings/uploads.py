"""Takes the bytes of an upload to the disk, within limits on size, slowness, space and number."""

import asyncio
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from controller.errors import InvalidError, LoaError, NoSpaceError, TooLargeError, TooManyAttemptsError
from controller.files import name_beside, settle, sync_file

_PIECE = 256 * 1024
"""Bytes written at once: one hop to a thread for many small chunks."""


class TooSlowError(LoaError):
    """The bytes came too slowly, or stopped coming."""

    code = "too_slow"


@dataclass(frozen=True)
class UploadLimits:
    """What one upload may cost."""

    most_bytes: int
    disk_reserve_bytes: int
    grace_s: float = 30.0
    """An upload may pause this long in all…"""
    least_bytes_per_s: int = 2048
    """…and must come this fast otherwise: a 2G link still does 4 KB/s."""
    at_once_per_person: int = 3


@dataclass(frozen=True)
class Stored:
    """An upload on the disk."""

    sha256: str
    bytes: int


class UploadRoom:
    """The folder of originals."""

    def __init__(self, folder: Path, limits: UploadLimits) -> None:
        self.folder, self.limits = folder, limits
        self._under_way: Counter[str] = Counter()
        self._arriving: set[str] = set()

    def path(self, recording_id: str) -> Path:
        """Where the original of a recording waits for processing."""
        return self.folder / recording_id

    async def store(
        self, recording_id: str, person_id: str, body: AsyncIterator[bytes], declared_bytes: int | None
    ) -> Stored:
        """Write a body to its place; on any failure, and when the client goes, nothing is left.

        Raises:
            TooLargeError: more bytes than allowed, declared or sent.
            TooSlowError: it took too long for its size.
            NoSpaceError: the disk would fall below its reserve.
            TooManyAttemptsError: too many uploads of one person at once.
            InvalidError: nothing came, or not as much as was declared.
        """
        self._check_size(declared_bytes or 0)
        with self._one_more(person_id):
            await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
            self._check_space(declared_bytes or 0)
            part = self.folder / f"{recording_id}.part"
            self._arriving |= {part.name, recording_id}
            try:
                with part.open("xb") as file:
                    stored = await self._receive(file, body, declared_bytes)
                    await asyncio.to_thread(sync_file, file)
                await asyncio.to_thread(settle, part, self.path(recording_id))
            finally:
                part.unlink(missing_ok=True)
                self._arriving -= {part.name}
        return stored

    def adopt(self, recording_id: str, file: Path) -> Stored:
        """Give a file that is on the disk a place here as well; whoever brought it removes its own name."""
        self._arriving.add(recording_id)
        with file.open("rb") as opened:
            digest, size = hashlib.file_digest(opened, "sha256").hexdigest(), os.fstat(opened.fileno()).st_size
        name_beside(file, self.path(recording_id))
        return Stored(digest, size)

    def check(self, size: int, *, more: int = 0) -> None:
        """See to it that a file may become so long, and that the disk takes ``more``.

        Raises:
            TooLargeError: more bytes than allowed.
            NoSpaceError: the disk would fall below its reserve.
        """
        self._check_size(size)
        self._check_space(more or size)

    def discard(self, recording_id: str) -> None:
        """Remove an original."""
        self._arriving.discard(recording_id)
        self.path(recording_id).unlink(missing_ok=True)

    def tidy(self, wanted: set[str]) -> None:
        """Remove what a crash left behind: unfinished uploads, and originals that nobody waits for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for found in self.folder.iterdir():
            if found.name not in wanted | self._arriving and found.is_file():
                found.unlink()

    async def _receive(self, file: BinaryIO, body: AsyncIterator[bytes], declared_bytes: int | None) -> Stored:
        digest, received, waiting = hashlib.sha256(), 0, bytearray()
        async for chunk in self._paced(body):
            received += len(chunk)
            self._check_size(received)
            if declared_bytes is not None and received > declared_bytes:
                raise InvalidError("more bytes came than Content-Length says", field="body", problem="length")
            waiting += chunk
            if len(waiting) >= _PIECE:
                self._check_space(len(waiting))
                await asyncio.to_thread(_write, file, digest, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(_write, file, digest, bytes(waiting))
        if received == 0:
            raise InvalidError("the file is empty", field="body", problem="empty")
        if declared_bytes is not None and received < declared_bytes:
            raise InvalidError("fewer bytes came than Content-Length says", field="body", problem="length")
        return Stored(digest.hexdigest(), received)

    async def _paced(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        loop, limits, received = asyncio.get_running_loop(), self.limits, 0
        began = loop.time()
        chunks = aiter(body)
        while True:
            deadline = began + limits.grace_s + received / limits.least_bytes_per_s
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise TooSlowError(
                    f"{received} bytes in {loop.time() - began:.0f} s is too slow; try on a better link",
                    received=received,
                ) from None
            received += len(chunk)
            yield chunk

    def _check_size(self, size: int) -> None:
        most = self.limits.most_bytes
        if size > most:
            raise TooLargeError(f"the file is larger than {most} bytes", found=size, limit=most)

    def _check_space(self, more: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free - more < self.limits.disk_reserve_bytes:
            raise NoSpaceError("the disk of the centre is nearly full; uploads wait until there is space", free=free)

    @contextmanager
    def _one_more(self, person_id: str) -> Iterator[None]:
        if self._under_way[person_id] >= self.limits.at_once_per_person:
            raise TooManyAttemptsError(
                f"{self.limits.at_once_per_person} of your uploads are under way; wait for one to end",
                retry_after_s=5,
            )
        self._under_way[person_id] += 1
        try:
            yield
        finally:
            self._under_way[person_id] -= 1
            if not self._under_way[person_id]:
                del self._under_way[person_id]


def _write(file: BinaryIO, digest: "hashlib._Hash", piece: bytes) -> None:
    digest.update(piece)
    file.write(piece)
