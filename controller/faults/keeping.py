"""Keeps the book of faults: what nodes say in their health, and who is not heard from, as rows that begin and end.

A health report that says the same as the one before touches nothing. What changes within a second is one transaction.
Words that change while a fault stands follow, once a minute at most: some of them are figures.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from controller.clock import Clock
from controller.db import Database, Transaction, in_pieces
from controller.errors import BusyError, TooManyAttemptsError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.nodes.models import Node
from controller.nodes.rules import OFFLINE_AFTER, NodeStatus
from controller.ratelimit import RateLimit
from edge_agent.protocol.reports import Health

from .models import Fault
from .repository import latest, standing
from .rules import HOLDS_UNKNOWN, OFFLINE, OWN

LOOK_EVERY_S = 1.0
"""With the second of ``wire.presence`` and the 43 s of ``OFFLINE_AFTER`` this keeps promise P6."""
REWORD_EVERY = timedelta(minutes=1)
NEW_ROWS = 40
NEW_ROW_EVERY = timedelta(minutes=3)
"""Codes are free: a node that invents one with each report must not fill the disk. All of ours at once pass."""

_log = logging.getLogger(__name__)


class _Words(NamedTuple):
    """What a row says, since when."""

    detail: str
    at: datetime


_Worded = dict[tuple[str, str], _Words]
"""By node and code. What a transaction writes is believed when it is committed, and not before."""


class FaultKeeper:
    """Writes the book. Runs until cancelled."""

    name = "faults"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._said: dict[str, dict[str, str]] = {}
        """What each node said last: code → its words."""
        self._away: set[str] = set()
        self._refused: dict[str, int] = {}
        """Holds that a node claims to obey and that got no row."""
        self._written: dict[str, set[str]] = {}
        """Codes that stand in rows, by node."""
        self._words: _Worded = {}
        """What the rows of this process's time say, by node and code."""
        self._changed: set[str] = set()
        self._rows = RateLimit(burst=NEW_ROWS, every=NEW_ROW_EVERY, clock=clock)
        self._trusts_silence_at: datetime | None = None
        self.dropped: Counter[str] = Counter()
        """What did not become a row, by reason."""
        self.ready = asyncio.Event()

    def note_health(self, node_id: str, said: Health) -> None:
        """Take in what a node says is wrong with it."""
        self._said[node_id] = {fault.code: fault.detail for fault in said.faults if fault.code not in OWN}
        self._changed.add(node_id)

    def note_status(self, node_id: str, status: NodeStatus) -> None:
        """Take in whether a node is heard from."""
        if status is NodeStatus.OFFLINE:
            self._away.add(node_id)
        else:
            self._away.discard(node_id)
        self._changed.add(node_id)

    def note_refused(self, node_id: str, count: int) -> None:
        """Take in how many holds a node claims to obey that there is no room for."""
        if count != self._refused.get(node_id, 0):
            self._refused[node_id] = count
            self._changed.add(node_id)

    async def run(self) -> None:
        """Write every second what changed."""
        await self.load()
        self.ready.set()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except BusyError as error:
                _log.warning("%s; faults are written later", error.message)

    async def load(self) -> None:
        """Read what stood when this centre last ran. Until every node had time to speak, silence says nothing."""
        async with self._database.reading() as session:
            self._written = {node_id: set(codes) for node_id, codes in (await standing(session)).items()}
        self._trusts_silence_at = self._clock() + OFFLINE_AFTER

    async def look(self) -> int:
        """Write what changed since the last look; give how many faults began or ended.

        Raises:
            BusyError: nothing of the rest was written; the next look does it.
        """
        differing = sorted(node_id for node_id in self._changed if self._differs(node_id))
        reworded = sorted(node_id for node_id in self._changed - set(differing) if self._reworded(node_id))
        self._changed &= self._early()
        done = 0
        try:
            for some in in_pieces(differing):
                done += await self._write(some)
            for some in in_pieces(reworded):
                await self._reword(some)
        except BusyError:
            self._changed.update(differing, reworded)
            raise
        return done

    def _early(self) -> set[str]:
        """Name who is silent while this centre has not yet listened for long enough."""
        patient = self._trusts_silence_at is not None and self._clock() < self._trusts_silence_at
        return self._away if patient else set()

    def _wanted(self, node_id: str) -> dict[str, str]:
        """Give what is to stand: code → words. A node that was not heard yet has what it had."""
        written = self._written.get(node_id, set())
        said = self._said.get(node_id)
        found = dict.fromkeys(written - OWN, "") if said is None else dict(said)
        if node_id in self._away and (OFFLINE in written or node_id not in self._early()):
            found[OFFLINE] = ""
        if self._refused.get(node_id):
            found[HOLDS_UNKNOWN] = ""
        return found

    def _differs(self, node_id: str) -> bool:
        return self._wanted(node_id).keys() != self._written.get(node_id, set())

    def _reworded(self, node_id: str) -> list[str]:
        """Name the faults of a node that stand, and whose words are others since long enough."""
        now, said = self._clock(), self._said.get(node_id, {})
        found = []
        for code, detail in said.items():
            known = self._words.get((node_id, code))
            if known is None or (known.detail != detail and abs(now - known.at) >= REWORD_EVERY):
                found.append(code)
        return found

    async def _reword(self, node_ids: Sequence[str]) -> None:
        now = self._clock()
        words: _Worded = {}
        async with self._database.transaction() as tx:
            rows = await latest(tx.session, node_ids, now)
            for node_id in node_ids:
                for code in self._reworded(node_id):
                    row = rows.get(node_id, {}).get(code)
                    if row is not None and row.cleared_at is None:
                        _put_words(words, row, self._said[node_id][code], now)
                        _tell(tx, node_id, [row])
        self._words |= words

    def _forget(self, node_id: str) -> None:
        for kept in (self._said, self._written):
            kept.pop(node_id, None)
        self._words = {key: words for key, words in self._words.items() if key[0] != node_id}
        self._away.discard(node_id)

    async def _write(self, node_ids: Sequence[str]) -> int:
        now, done = self._clock(), 0
        written: dict[str, set[str]] = {}
        words: _Worded = {}
        ended: list[tuple[str, str]] = []
        async with self._database.transaction() as tx:
            there, rows = await _there(tx, node_ids), await latest(tx.session, node_ids, now)
            for node_id in there:
                wanted = self._wanted(node_id)
                stood = {code: row for code, row in rows.get(node_id, {}).items() if row.cleared_at is None}
                over = [row for code, row in stood.items() if code not in wanted]
                for row in over:
                    row.cleared_at = now
                    ended.append((node_id, row.code))
                begun = self._begin(tx, node_id, wanted.keys() - stood.keys(), rows.get(node_id, {}), now)
                for row in begun:
                    _put_words(words, row, wanted[row.code], now)
                await tx.session.flush()
                _tell(tx, node_id, [*over, *begun])
                written[node_id] = {row.code for row in begun} | (stood.keys() & wanted.keys())
                done += len(over) + len(begun)
        self._written |= written
        self._words |= words
        for key in ended:
            self._words.pop(key, None)
        for node_id in set(node_ids) - there:
            self._forget(node_id)
        return done

    def _begin(
        self, tx: Transaction, node_id: str, codes: Iterable[str], rows: Mapping[str, Fault], now: datetime
    ) -> list[Fault]:
        """Begin faults, or let those stand again that ended just now."""
        begun, wanted = [], self._wanted(node_id)
        for code in sorted(codes):
            row = rows.get(code)
            if row is not None:
                row.cleared_at, row.began_at, row.times = None, now, row.times + 1
            elif (row := self._new(node_id, code, wanted[code], now)) is not None:
                tx.session.add(row)
            if row is not None:
                begun.append(row)
        return begun

    def _new(self, node_id: str, code: str, detail: str, now: datetime) -> Fault | None:
        try:
            self._rows.take(node_id)
        except TooManyAttemptsError:
            self.dropped["too_often"] += 1
            return None
        return Fault(
            id=new_id(), node_id=node_id, code=code, detail=detail, since_at=now, began_at=now, times=1, note=""
        )


def _put_words(words: _Worded, row: Fault, detail: str, now: datetime) -> None:
    row.detail = detail
    words[row.node_id, row.code] = _Words(detail, now)


async def _there(tx: Transaction, node_ids: Sequence[str]) -> set[str]:
    query = select(Node.id).where(Node.id.in_(node_ids), Node.removed_at.is_(None))
    return set(await tx.session.scalars(query))


def _tell(tx: Transaction, node_id: str, changed: Sequence[Fault]) -> None:
    for row in changed:
        tx.tell(Event(Topic.FAULT, row.id))
    if changed:
        tx.tell(Event(Topic.NODE, node_id))
