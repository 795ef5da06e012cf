"""Pictures of the ground for the map, out of one file on this machine (MBTiles 1.3): nothing is asked of anybody else.

Optional, and an ornament: maps show where nodes stand without it, and a file that cannot be read stops nothing.
"""

import asyncio
import html
import logging
import re
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

DEEPEST = 22
"""Zoom levels beyond this are in no file."""
MOST_BYTES = 512 * 1024
"""Of a picture: those of 256 × 256 dots have 5 to 60 KB."""
WITHIN_S = 1.0
"""For one picture: a file may bring a view that takes as long as it likes."""
MOST_CREDIT = 200
_STEPS = 5_000
"""Of SQLite's machine between two looks at the clock."""
_KINDS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}
_MARKUP = re.compile(r"<[^>]*>")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ground:
    """What a map has to know of the pictures."""

    least: int
    """Zoom levels that the file holds, from…"""
    most: int
    """…to."""
    credit: str
    """Whom to name below the map; often empty."""


@dataclass(frozen=True)
class Picture:
    """One of them."""

    kind: str
    """Media type."""
    content: bytes


class Tiles:
    """Reads pictures. ``path``: the file; None: there is none."""

    def __init__(self, path: Path | None) -> None:
        self._lock, self._until = threading.Lock(), 0.0
        self._file: sqlite3.Connection | None = None
        self.ground: Ground | None = None
        """None: no pictures."""
        if path is not None:
            try:
                self._open(path)
            except (sqlite3.Error, OSError, ValueError) as error:
                _log.warning("LOA_TILES: %s gives no pictures for the map (%s); it goes without", path, error)

    def _open(self, path: Path) -> None:
        """Read what kind of file it is.

        Raises:
            sqlite3.Error: not a database, or not of this kind.
            ValueError: its pictures are of a kind that we do not show.
        """
        file = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        try:
            file.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
            file.execute("PRAGMA trusted_schema = OFF")
            file.set_progress_handler(lambda: time.monotonic() > self._until, _STEPS)
            self._until = time.monotonic() + WITHIN_S
            said = {str(name): str(value) for name, value in file.execute("SELECT name, value FROM metadata")}
            _look_at(file)
            least, most = (_level(said.get(name), other) for name, other in (("minzoom", 0), ("maxzoom", 18)))
        except BaseException:
            file.close()
            raise
        self._file, self.ground = file, Ground(least, max(least, most), _credit(said.get("attribution", "")))

    async def get(self, zoom: int, column: int, row: int) -> Picture | None:
        """Give a picture, counted from the north-west as maps in browsers do; None: there is none."""
        if not (0 <= zoom <= DEEPEST and 0 <= column < 2**zoom and 0 <= row < 2**zoom) or self._file is None:
            return None
        return await asyncio.to_thread(self._read, zoom, column, 2**zoom - 1 - row)

    def _read(self, zoom: int, column: int, row: int) -> Picture | None:
        where = "zoom_level = ? AND tile_column = ? AND tile_row = ?"
        with self._lock:
            if self._file is None:
                return None
            self._until = time.monotonic() + WITHIN_S
            try:
                found = self._file.execute(
                    f"SELECT tile_data FROM tiles WHERE {where} LIMIT 1",  # noqa: S608 - no value is in the words
                    (zoom, column, row),
                ).fetchone()
            except sqlite3.Error as error:
                _log.warning("no picture %d/%d/%d for the map: %s", zoom, column, row, error)
                return None
        kind = _kind(found[0]) if found else None
        return Picture(kind, found[0]) if kind else None


def _look_at(file: sqlite3.Connection) -> None:
    first = file.execute("SELECT tile_data FROM tiles LIMIT 1").fetchone()
    if first is None or _kind(first[0]) is None:
        raise ValueError("it holds no PNG, JPEG or WebP")


def _kind(content: object) -> str | None:
    """Tell what a picture is by its first bytes, whatever the file says of it."""
    if not isinstance(content, bytes) or len(content) > MOST_BYTES:
        return None
    return next((kind for kind, begins in _KINDS.items() if content.startswith(begins)), None)


def _level(said: str | None, other: int) -> int:
    return min(int(said), DEEPEST) if said and said.isascii() and said.isdecimal() and len(said) <= 2 else other


def _credit(said: str) -> str:
    """Give it as plain words: files bring links."""
    return " ".join(html.unescape(_MARKUP.sub("", said)).split())[:MOST_CREDIT]
