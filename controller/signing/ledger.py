"""What a signer that stands apart knows of people by itself: their approval secrets, where these are good, their yeses.

A file of its own. No row of the centre is read, and nothing of it stands in one.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from controller.people import totp
from controller.people.proof import Agreed, CodeError, Loosened
from edge_agent.protocol.documents import QuietHours, Settings

from .hours import Hours
from .places import Places, read_places

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
CREATE TABLE IF NOT EXISTS bound (person_id TEXT PRIMARY KEY, areas TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS places (one INTEGER PRIMARY KEY CHECK (one = 1), said BLOB NOT NULL, taken_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS loosened (
    scope TEXT PRIMARY KEY, person_id TEXT NOT NULL, said TEXT NOT NULL, given_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS narrowed (
    place TEXT NOT NULL, scope TEXT NOT NULL, quiet_hours TEXT NOT NULL, PRIMARY KEY (place, scope)
);
DROP TABLE IF EXISTS yeses;
"""
"""``yeses`` were to a content, places and a window alone: too little to go on counting.

``bound``: areas for which somebody's codes are good, and what lies below; ``null`` for everywhere. ``narrowed``: what
is quiet in a place besides what somebody loosened for it or for one above.
"""

_areas: msgspec.json.Decoder[tuple[str, ...] | None] = msgspec.json.Decoder(tuple[str, ...] | None)


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
        self._places = Places()
        self._taken: tuple[str] | None = None
        """When ``_places`` were taken."""

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def enrol(self, person_id: str, areas: Collection[str] | None, now: datetime) -> str:
        """Make the approval secret of a person, and forget the one of before; it is shown here and nowhere again.

        ``areas``: by their ids; None: everywhere.
        """
        secret = totp.new_secret()
        with self._whole():
            self._db.execute("INSERT OR REPLACE INTO approvers (person_id, secret) VALUES (?, ?)", (person_id, secret))
            self._bind(person_id, areas, now)
        return secret

    def bind(self, person_id: str, areas: Collection[str] | None, now: datetime) -> int | None:
        """Let somebody's codes be good for these areas alone; what they agreed to elsewhere is taken back.

        Gives how much that was; None: nobody is enrolled so.
        """
        with self._whole():
            return self._bind(person_id, areas, now) if person_id in self.approvers() else None

    def _bind(self, person_id: str, areas: Collection[str] | None, now: datetime) -> int:
        said = msgspec.json.encode(None if areas is None else sorted(areas)).decode()
        self._db.execute("INSERT OR REPLACE INTO bound (person_id, areas) VALUES (?, ?)", (person_id, said))
        return self._keep_within(person_id, areas, now)

    def _keep_within(self, person_id: str, areas: Collection[str] | None, now: datetime) -> int:
        """Take back what somebody agreed to outside these areas; gives how much that was."""
        theirs = [each for each in self.standing(now) if each.person_id == person_id]
        hours = [each.said.scope for each in self.all_loosened() if each.person_id == person_id]
        count = sum(self.void_one(each.seq, now) for each in theirs if not self._is_within(each.agreed.scopes, areas))
        return count + sum(self.tighten(scope) for scope in hours if not self._is_within([scope], areas))

    def approvers(self) -> dict[str, tuple[str, ...] | None]:
        """Give who is enrolled, and for which areas; None: everywhere. No account that is known: nowhere."""
        rows = self._db.execute(
            "SELECT approvers.person_id, bound.areas FROM approvers LEFT JOIN bound USING (person_id) ORDER BY 1"
        )
        places = self.places()
        # Without any: enrolled before there were bounds. Then they are good nowhere.
        return {
            person_id: _areas.decode(said) if said is not None and places.is_account(person_id) else ()
            for person_id, said in rows
        }

    def places(self) -> Places:
        """Give what the keeper last took; nothing, if that was never."""
        row = self._db.execute("SELECT taken_at FROM places").fetchone()
        if row is not None and row != self._taken:
            [said] = self._db.execute("SELECT said FROM places").fetchone()
            self._places, self._taken = read_places(said), row
        return self._places

    def take_places(self, places: Places, now: datetime) -> int:
        """Know areas, nodes and accounts so from now on; what lies outside somebody's areas by then is taken back.

        Gives how much that was.
        """
        row = (msgspec.json.encode(places), now.isoformat())
        with self._whole():
            self._db.execute("INSERT OR REPLACE INTO places (one, said, taken_at) VALUES (1, ?, ?)", row)
            self._taken = None
            return sum(self._keep_within(person_id, areas, now) for person_id, areas in self.approvers().items())

    def _is_within(self, scopes: Iterable[str], areas: Collection[str] | None) -> bool:
        places = self.places()
        return areas is None or all(places.is_within(scope, areas) for scope in scopes)

    def remove(self, person_id: str, now: datetime) -> int | None:
        """Take somebody's codes no more, and back what they agreed to; gives how much that was. None: nobody is."""
        with self._whole():
            if self._db.execute("DELETE FROM approvers WHERE person_id = ?", (person_id,)).rowcount == 0:
                return None
            self._db.execute("DELETE FROM bound WHERE person_id = ?", (person_id,))
            hours = [each.said.scope for each in self.all_loosened() if each.person_id == person_id]
            return self._void("person_id = ?", now, person_id) + sum(self.tighten(scope) for scope in hours)

    def take(self, person_id: str, code: str, agreed: Agreed | Loosened, now: datetime) -> None:
        """Check the code of a yes, burn it, and keep the yes.

        Raises:
            CodeError: it is not to be believed, or not theirs to give.
        """
        self._check_place(person_id, agreed)
        step = self._checked(person_id, code, now)
        said = msgspec.json.encode(agreed).decode()
        with self._whole():
            self._db.execute("UPDATE approvers SET last_step = ?, wrong = 0 WHERE person_id = ?", (step, person_id))
            if isinstance(agreed, Loosened):
                self.tighten(agreed.scope)
                self._db.execute(
                    "INSERT INTO loosened (scope, person_id, said, given_at) VALUES (?, ?, ?, ?)",
                    (agreed.scope, person_id, said, now.isoformat()),
                )
            else:
                self._db.execute(
                    "INSERT INTO agreed (person_id, name, content_sha256, agreed, given_at) VALUES (?, ?, ?, ?, ?)",
                    (person_id, agreed.name, agreed.content_sha256, said, now.isoformat()),
                )

    def _check_place(self, person_id: str, agreed: Agreed | Loosened) -> None:
        """Refuse what somebody was not enrolled for; hours also of a place that is not known here.

        The code is not looked at before: typed for another place by a slip, it stays good.
        """
        approvers, places = self.approvers(), self.places()
        scopes = (agreed.scope,) if isinstance(agreed, Loosened) else agreed.scopes
        if person_id in approvers and not self._is_within(scopes, approvers[person_id]):
            raise CodeError("this person's codes are not good there, as far as the signer knows its places", "place")
        if isinstance(agreed, Loosened) and not places.chain(agreed.scope.removeprefix("areas/")):
            raise CodeError("the signer does not know this place: loa signer places", "place")

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

    def hours_at(self, settings: Settings) -> list[Hours]:
        """Give what was agreed to of the quiet hours there, and how much of it is left.

        Nothing is, where settings name other areas than lie above each other here, or another place of their node: a
        yes of one commune loosens no node of another. A node that is not known here may stand anywhere.
        """
        chain = tuple(each.area_id for each in settings.areas)
        places, node_id = self.places(), settings.aud.removeprefix("nodes/")
        if not chain or chain != places.chain(chain[0]) or places.area_of(node_id) not in {None, chain[0]}:
            return []
        known = {each.said.scope: each for each in self.all_loosened()}
        rows = self._db.execute("SELECT scope, quiet_hours FROM narrowed WHERE place = ?", (chain[0],)).fetchall()
        since = {scope: msgspec.json.decode(said, type=tuple[QuietHours, ...]) for scope, said in rows}
        scopes = [scope for scope in (f"areas/{area_id}" for area_id in chain) if scope in known]
        return [known[scope]._replace(since=since.get(scope, ())) for scope in scopes]

    def narrow(self, area_id: str, left: Mapping[str, tuple[QuietHours, ...]]) -> None:
        """Keep what is quiet in a place besides the hours of some."""
        rows = [(area_id, scope, msgspec.json.encode(said).decode()) for scope, said in left.items()]
        self._db.executemany("INSERT OR REPLACE INTO narrowed (place, scope, quiet_hours) VALUES (?, ?, ?)", rows)

    def all_loosened(self) -> list[Hours]:
        """Give what was agreed to of quiet hours, and by whom."""
        rows = self._db.execute("SELECT said, person_id, given_at FROM loosened ORDER BY scope").fetchall()
        return [
            Hours(msgspec.json.decode(said, type=Loosened), person_id, datetime.fromisoformat(given_at))
            for said, person_id, given_at in rows
        ]

    def narrowed_at(self, scope: str) -> list[str]:
        """Give the areas in which less is left of what was agreed to for a place."""
        rows = self._db.execute("SELECT place FROM narrowed WHERE scope = ? ORDER BY place", (scope,))
        return [place for (place,) in rows]

    def tighten(self, scope: str) -> bool:
        """Let the usual quiet hours hold in a place again; False: nobody loosened them."""
        self._db.execute("DELETE FROM narrowed WHERE scope = ?", (scope,))
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
