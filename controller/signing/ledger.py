"""What a signer that stands apart knows of people by itself: their approval secrets, and the yeses that it checked.

A file of its own. No row of the centre is read, and nothing of it stands in one.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from controller.people import totp
from controller.people.proof import Agreed, CodeError, Loosened

MOST_WRONG = 5
"""Wrong codes in a row; then one try in ``SLOW``."""
SLOW = timedelta(minutes=3)

_TABLES = """
CREATE TABLE IF NOT EXISTS approvers (
    person_id TEXT PRIMARY KEY, secret TEXT NOT NULL, last_step INTEGER, wrong INTEGER NOT NULL DEFAULT 0, tried_at TEXT
);
CREATE TABLE IF NOT EXISTS agreed (
    seq INTEGER PRIMARY KEY, person_id TEXT NOT NULL, name TEXT NOT NULL, content_sha256 TEXT NOT NULL,
    agreed TEXT NOT NULL, given_at TEXT NOT NULL, void_at TEXT
);
CREATE INDEX IF NOT EXISTS agreed_by_content ON agreed (content_sha256);
CREATE INDEX IF NOT EXISTS agreed_by_name ON agreed (name);
CREATE TABLE IF NOT EXISTS runs (
    seq INTEGER NOT NULL REFERENCES agreed, run TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (seq, run)
);
CREATE TABLE IF NOT EXISTS loosened (
    scope TEXT PRIMARY KEY, person_id TEXT NOT NULL, said TEXT NOT NULL, given_at TEXT NOT NULL
);
DROP TABLE IF EXISTS yeses;
"""
"""``yeses`` were to a content, places and a window alone: too little to go on counting."""


class Given(NamedTuple):
    """A yes that was checked."""

    seq: int
    person_id: str
    agreed: Agreed
    given_at: datetime


class Used(NamedTuple):
    """A run that was signed by a yes."""

    seq: int
    run: str
    """Which of those that were agreed to."""
    run_id: str
    """``Broadcast.run_id``: a node that begins a version of it begins no other."""


class Ledger:
    """The file. Every write is on the disk before its answer."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def enrol(self, person_id: str) -> str:
        """Make the approval secret of a person, and forget the one of before; it is shown here and nowhere again."""
        secret = totp.new_secret()
        self._db.execute("INSERT OR REPLACE INTO approvers (person_id, secret) VALUES (?, ?)", (person_id, secret))
        return secret

    def remove(self, person_id: str, now: datetime) -> int | None:
        """Take somebody's codes no more, and back what they agreed to; gives how much that was. None: nobody is."""
        with self._whole():
            if self._db.execute("DELETE FROM approvers WHERE person_id = ?", (person_id,)).rowcount == 0:
                return None
            hours = self._db.execute("DELETE FROM loosened WHERE person_id = ?", (person_id,)).rowcount
            return self._void("person_id = ?", now, person_id) + hours

    def take(self, person_id: str, code: str, agreed: Agreed | Loosened, now: datetime) -> None:
        """Check the code of a yes, burn it, and keep the yes.

        Raises:
            CodeError: it is not to be believed.
        """
        step = self._checked(person_id, code, now)
        said = msgspec.json.encode(agreed).decode()
        with self._whole():
            self._db.execute("UPDATE approvers SET last_step = ?, wrong = 0 WHERE person_id = ?", (step, person_id))
            if isinstance(agreed, Loosened):
                self._db.execute(
                    "INSERT OR REPLACE INTO loosened (scope, person_id, said, given_at) VALUES (?, ?, ?, ?)",
                    (agreed.scope, person_id, said, now.isoformat()),
                )
            else:
                self._db.execute(
                    "INSERT INTO agreed (person_id, name, content_sha256, agreed, given_at) VALUES (?, ?, ?, ?, ?)",
                    (person_id, agreed.name, agreed.content_sha256, said, now.isoformat()),
                )

    def _checked(self, person_id: str, code: str, now: datetime) -> int:
        """Give the step of a code that is to be believed."""
        row = self._db.execute(
            "SELECT secret, last_step, wrong, tried_at FROM approvers WHERE person_id = ?", (person_id,)
        ).fetchone()
        if row is None:
            raise CodeError("this person has no approval secret: loa signer enrol", "not_enrolled")
        secret, last_step, wrong, tried_at = row
        if wrong >= MOST_WRONG and now - datetime.fromisoformat(tried_at) < SLOW:
            raise CodeError("too many wrong codes; wait three minutes", "locked")
        step = totp.step_of(secret, code, now, last_step)
        if step is None:
            tried = (now.isoformat(), person_id)
            self._db.execute("UPDATE approvers SET wrong = wrong + 1, tried_at = ? WHERE person_id = ?", tried)
            raise CodeError("the code is wrong, too old or used; wait for the next one", "wrong")
        return step

    def void(self, name: str, content_sha256: str | None, before_at: datetime, now: datetime) -> int:
        """Let yeses count no more that were given before; gives how many. Without a content, all of that name."""
        if content_sha256 is None:
            return self._void("name = ? AND given_at < ?", now, name, before_at.isoformat())
        which = "name = ? AND content_sha256 = ? AND given_at < ?"
        return self._void(which, now, name, content_sha256, before_at.isoformat())

    def void_one(self, seq: int, now: datetime) -> bool:
        """Let one yes count no more; False: there is none, or it counted no more."""
        return self._void("seq = ?", now, seq) == 1

    def _void(self, which: str, now: datetime, *values: object) -> int:
        words = f"UPDATE agreed SET void_at = ? WHERE void_at IS NULL AND {which}"  # noqa: S608  words of ours
        return self._db.execute(words, (now.isoformat(), *values)).rowcount

    def standing(self, now: datetime) -> list[Given]:
        """Give the yeses that count and whose time is not over, oldest first."""
        rows = self._db.execute("SELECT seq, person_id, agreed, given_at FROM agreed WHERE void_at IS NULL")
        return [each for each in map(_given, rows) if each.agreed.not_after_at > now]

    def yeses_to(self, contents: Iterable[str], since_at: datetime) -> list[Given]:
        """Give the yeses that count to some contents and were not over at an instant, oldest first."""
        found: list[Given] = []
        for content in set(contents):
            rows = self._db.execute(
                "SELECT seq, person_id, agreed, given_at FROM agreed "
                "WHERE content_sha256 = ? AND void_at IS NULL "
                "AND julianday(json_extract(agreed, '$.not_after_at')) > julianday(?) ORDER BY seq",
                (content, since_at.isoformat()),
            )
            found += map(_given, rows)
        return found

    def used(self, given: Iterable[Given]) -> list[Used]:
        """Give the runs that were signed by some yeses."""
        words = "SELECT seq, run, run_id FROM runs WHERE seq = ?"
        return [Used(*row) for each in given for row in self._db.execute(words, (each.seq,))]

    def use(self, used: Sequence[Used]) -> None:
        """Keep which runs are signed by which yeses."""
        if used:
            with self._whole():
                self._db.executemany("INSERT INTO runs (seq, run, run_id) VALUES (?, ?, ?)", used)

    def loosened(self, scopes: Iterable[str]) -> list[Loosened]:
        """Give what was agreed to of the quiet hours of some places."""
        words = "SELECT said FROM loosened WHERE scope = ?"
        rows = (self._db.execute(words, (scope,)).fetchone() for scope in scopes)
        return [msgspec.json.decode(row[0], type=Loosened) for row in rows if row is not None]

    def all_loosened(self) -> list[tuple[str, Loosened]]:
        """Give whose quiet hours stand for which place, and who agreed to them."""
        rows = self._db.execute("SELECT person_id, said FROM loosened ORDER BY scope").fetchall()
        return [(person_id, msgspec.json.decode(said, type=Loosened)) for person_id, said in rows]

    def tighten(self, scope: str) -> bool:
        """Let the usual quiet hours hold in a place again; False: nobody loosened them."""
        return self._db.execute("DELETE FROM loosened WHERE scope = ?", (scope,)).rowcount == 1

    def elsewhere(self) -> int:
        """Give a number that is another once somebody at the console changed the file."""
        [(version,)] = self._db.execute("PRAGMA data_version").fetchall()
        return int(version)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Write all of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def _given(row: tuple[int, str, str, str]) -> Given:
    seq, person_id, agreed, given_at = row
    return Given(seq, person_id, msgspec.json.decode(agreed, type=Agreed), datetime.fromisoformat(given_at))
