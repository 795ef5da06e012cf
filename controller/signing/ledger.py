"""What a signer that stands apart knows of people by itself: their approval secrets, and the yeses that it checked.

A file of its own. No row of the centre is read, and nothing of it stands in one.
"""

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from controller.people import totp
from controller.people.proof import CodeError

MOST_WRONG = 5
"""Wrong codes in a row; then one try in ``SLOW``."""
SLOW = timedelta(minutes=3)

_TABLES = """
CREATE TABLE IF NOT EXISTS approvers (
    person_id TEXT PRIMARY KEY, secret TEXT NOT NULL, last_step INTEGER, wrong INTEGER NOT NULL DEFAULT 0, tried_at TEXT
);
CREATE TABLE IF NOT EXISTS yeses (
    seq INTEGER PRIMARY KEY, person_id TEXT NOT NULL, content_sha256 TEXT NOT NULL, scopes TEXT NOT NULL,
    not_before_at TEXT NOT NULL, not_after_at TEXT NOT NULL, glass INTEGER NOT NULL, given_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS yeses_by_content ON yeses (content_sha256);
"""


class Given(NamedTuple):
    """A yes that was checked."""

    person_id: str
    content_sha256: str
    scopes: frozenset[str]
    not_before_at: datetime
    not_after_at: datetime
    glass: bool
    """Given alone for an emergency: good only when the cancel window is over."""
    given_at: datetime


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

    def remove(self, person_id: str) -> bool:
        """Take somebody's yeses no more; those that were given stand. Says whether there was one."""
        return self._db.execute("DELETE FROM approvers WHERE person_id = ?", (person_id,)).rowcount == 1

    def take(self, yes: Given, code: str) -> None:
        """Check the code of a yes, burn it, and keep the yes.

        Raises:
            CodeError: it is not to be believed.
        """
        row = self._db.execute(
            "SELECT secret, last_step, wrong, tried_at FROM approvers WHERE person_id = ?", (yes.person_id,)
        ).fetchone()
        if row is None:
            raise CodeError("this person has no approval secret: loa signer enrol", "not_enrolled")
        secret, last_step, wrong, tried_at = row
        now = yes.given_at
        if wrong >= MOST_WRONG and now - datetime.fromisoformat(tried_at) < SLOW:
            raise CodeError("too many wrong codes; wait three minutes", "locked")
        step = totp.step_of(secret, code, now, last_step)
        if step is None:
            tried = (now.isoformat(), yes.person_id)
            self._db.execute("UPDATE approvers SET wrong = wrong + 1, tried_at = ? WHERE person_id = ?", tried)
            raise CodeError("the code is wrong, too old or used; wait for the next one", "wrong")
        self._db.execute("BEGIN IMMEDIATE")
        burnt = (step, yes.person_id)
        self._db.execute("UPDATE approvers SET last_step = ?, wrong = 0 WHERE person_id = ?", burnt)
        self._db.execute(
            "INSERT INTO yeses (person_id, content_sha256, scopes, not_before_at, not_after_at, glass, given_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                yes.person_id,
                yes.content_sha256,
                json.dumps(sorted(yes.scopes)),
                yes.not_before_at.astimezone(UTC).isoformat(),
                yes.not_after_at.astimezone(UTC).isoformat(),
                yes.glass,
                now.isoformat(),
            ),
        )
        self._db.execute("COMMIT")

    def yeses_to(self, contents: Iterable[str]) -> list[Given]:
        """Give the yeses to some contents."""
        found = []
        for content in set(contents):
            rows = self._db.execute(
                "SELECT person_id, content_sha256, scopes, not_before_at, not_after_at, glass, given_at "
                "FROM yeses WHERE content_sha256 = ?",
                (content,),
            )
            for person_id, sha256, scopes, first, last, glass, given_at in rows:
                times = (datetime.fromisoformat(first), datetime.fromisoformat(last))
                at = datetime.fromisoformat(given_at)
                found.append(Given(person_id, sha256, frozenset(json.loads(scopes)), *times, bool(glass), at))
        return found
