"""What outlives a power cut: all that is kept, and the events of plays. Written in one transaction."""

import asyncio
import json
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from .basics import DAY, Json, instant
from .clock import Clock


class Store:
    """``kept`` is changed in place by whoever it belongs to, and on disk with the next ``save``."""

    def __init__(self, state: Path, trusted_keys: list[Json]) -> None:
        self._db = sqlite3.connect(state / "store.db")
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE IF NOT EXISTS kept (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT);"
            "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at INTEGER, body TEXT);"
        )
        row = self._db.execute("SELECT body FROM kept").fetchone()
        self.kept: Json = {"tokens": {}, "versions": {}, "plans": {}, "plays": {}, "acked": 0}
        self.kept |= {"holds": [], "released": [], "stops": [], "ahead": None, "clock": None}
        self.kept |= {"former": [], "gaps": []}
        self.kept |= {"keys": trusted_keys, "store_id": f"s-{secrets.token_hex(8)}"}
        self.kept |= json.loads(row[0]) if row else {}
        seq = self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
        self.seq = max(seq, self.kept["acked"])
        self.unsaved: list[tuple[int, int, str]] = []
        self.news = asyncio.Event()
        """Set when events have been stored."""

    def tell(self, broadcast_id: str, at: int, **fields: Any) -> None:
        self.seq += 1
        body = {"seq": self.seq, "at": instant(at), "broadcast_id": broadcast_id}
        drill = self.kept["plays"][broadcast_id]["broadcast"].get("drill")
        body |= {name: value for name, value in (fields | {"drill": drill}).items() if value is not None}
        self.unsaved.append((self.seq, at, json.dumps(body)))

    def save(self, clock: Clock) -> None:
        self.kept["clock"] = clock.kept()
        with self._db:
            self._db.execute("REPLACE INTO kept VALUES (1, ?)", (json.dumps(self.kept),))
            self._db.execute("DELETE FROM events WHERE at < ?", (clock.now() - 30 * DAY,))
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?)", self.unsaved)
        if self.unsaved:
            self.unsaved = []
            self.news.set()

    def events_after(self, seq: int) -> list[tuple[int, Json]]:
        """Give the next that may go into one message."""
        rows = self._db.execute("SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT 200", (seq,))
        return [(number, json.loads(body)) for number, body in rows.fetchall()]
