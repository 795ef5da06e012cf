"""The audio files: whole, and with the hash they are named by."""

import asyncio
import hashlib
import os
from pathlib import Path

from .basics import Json


def whole(data: bytes, sha256: str) -> bool:
    return hashlib.sha256(data).hexdigest() == sha256


def shelve(file: Path, data: bytes) -> None:
    """Write, sync, rename."""
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.rename(file)


class Shelf:
    """Knows what is here; the last one that was needed is in memory."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "media"
        self._folder.mkdir(exist_ok=True)
        self._files = {file.stem for file in self._folder.glob("*.opus") if whole(file.read_bytes(), file.stem)}
        self._loaded: dict[str, bytes] = {}
        self.wanted = asyncio.Event()
        """Set when something may be to fetch."""

    def file(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.opus"

    def put(self, sha256: str, data: bytes) -> None:
        shelve(self.file(sha256), data)
        self._files.add(sha256)

    def present(self, voice: Json) -> bool:
        return voice["sha256"] in self._files

    def load(self, voice: Json) -> bool:
        """Compare the hash again before it sounds; what changed is thrown away and fetched again."""
        sha256 = voice["sha256"]
        if sha256 in self._files and sha256 not in self._loaded:
            data = self.file(sha256).read_bytes() if self.file(sha256).exists() else b""
            if whole(data, sha256):
                self._loaded = {sha256: data}
            else:
                self._files.discard(sha256)
                self.file(sha256).unlink(missing_ok=True)
                self.wanted.set()
        return sha256 in self._loaded and sha256 in self._files

    def audio(self, voice: Json) -> bytes:
        """Give what was loaded."""
        return self._loaded[voice["sha256"]]
