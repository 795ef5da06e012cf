"""How nodes were over time: steps of ten minutes, kept for 30 days; a gap is a gap.

In memory while they grow, in rows within the hour and at the end of this process. What a power cut takes is at most
that hour of curves: nothing of what was aired rests on them.
"""

import asyncio
import logging
import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.errors import BusyError, InvalidError, NotFoundError
from controller.people import rights
from controller.people.actor import Actor
from edge_agent.protocol.reports import Health

from .models import Node, NodeHealthDay
from .schemas import HealthOut, HealthStepOut

STEP = timedelta(minutes=10)
KEPT_FOR = timedelta(days=30)
WRITE_EVERY_S = 60.0
TURNS = 60
"""Nodes are written in turn, each once in so many rounds: an hour."""
AT_ONCE = 200
"""Nodes in one transaction."""
MOST_FAULTS = 8
"""Codes kept of one step: they are a node's own words."""
_MINUTES = STEP // timedelta(minutes=1)
_DAY = timedelta(days=1)

_log = logging.getLogger(__name__)


@dataclass
class Step:
    """One of them, growing."""

    minutes: int = 0
    """A bit for each minute in which the node was heard from."""
    temperature_c: float | None = None
    rtts: list[float] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    offset_ms: float | None = None
    supply_low: bool | None = None
    disk: int | None = None
    faults: set[str] = field(default_factory=set)

    def take(self, minute: int, said: Health) -> None:
        """Take in one report."""
        self.minutes |= 1 << minute
        if said.temperature_c is not None:
            known = (self.temperature_c, said.temperature_c)
            self.temperature_c = max(each for each in known if each is not None)
        if said.link_rtt_ms is not None:
            self.rtts.append(said.link_rtt_ms)
        if said.link_signal is not None:
            self.signals.append(said.link_signal)
        if said.clock.offset_ms is not None:
            self.offset_ms = max(self.offset_ms or 0.0, said.clock.offset_ms, key=abs)
        if said.supply_low is not None:
            self.supply_low = bool(self.supply_low) or said.supply_low
        self.disk = said.disk_free_bytes if said.disk_free_bytes is not None else self.disk
        self.faults |= {fault.code for fault in said.faults[:MOST_FAULTS]}

    def row(self, begins: int) -> list[Any]:
        """Give it as it is kept; ``begins``: minutes since midnight."""
        return [
            begins,
            self.minutes,
            None if self.temperature_c is None else round(self.temperature_c, 1),
            round(median(self.rtts), 1) if self.rtts else None,
            round(median(self.signals)) if self.signals else None,
            None if self.offset_ms is None else round(self.offset_ms, 1),
            self.supply_low,
            self.disk,
            sorted(self.faults)[:MOST_FAULTS],
        ]


_Days = dict[date, dict[int, Step]]
"""By day and by the minute of it at which the step begins, both in UTC."""
_Rows = dict[date, list[list[Any]]]
"""The same as it is kept: by day, one list a step."""


class NodeHealth:
    """Keeps how nodes were. Runs until cancelled."""

    name = "node-health"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._open: dict[str, _Days] = {}
        self._turn = 0
        self.ready = asyncio.Event()

    def note_health(self, node_id: str, said: Health) -> None:
        """Take in what a node says of itself, now."""
        now = self._clock().astimezone(UTC)
        minute = now.hour * 60 + now.minute
        begins = minute - minute % _MINUTES
        steps = self._open.setdefault(node_id, {}).setdefault(now.date(), {})
        steps.setdefault(begins, Step()).take(minute - begins, said)

    async def run(self) -> None:
        """Write nodes in turn; all of them at the end."""
        self.ready.set()
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                self._turn = (self._turn + 1) % TURNS
                await self._try([key for key in self._open if zlib.crc32(key.encode()) % TURNS == self._turn])
        finally:
            await self._try(list(self._open))

    async def _try(self, node_ids: list[str]) -> None:
        try:
            await self.write(node_ids)
        except BusyError as error:
            _log.warning("%s; how nodes were is written later", error.message)

    async def write(self, node_ids: list[str] | None = None) -> None:
        """Write what is known of these nodes, or of all; the step that still grows stays in memory too.

        Raises:
            BusyError: nothing of the rest was written.
        """
        for some in in_pieces(sorted(self._open if node_ids is None else node_ids), AT_ONCE):
            # Of now: nodes go on speaking while this is written, and begin another day.
            taken = {node_id: _rows(self._open.get(node_id, {})) for node_id in some}
            async with self._database.transaction() as tx:
                there = set(await tx.session.scalars(select(Node.id).where(Node.id.in_(some))))
                for node_id in some:
                    if node_id in there:
                        await _write_one(tx.session, node_id, taken[node_id])
            for node_id in some:
                if node_id in there:
                    self._let_go(node_id, taken[node_id])
                else:
                    self._open.pop(node_id, None)

    def _let_go(self, node_id: str, written: _Rows) -> None:
        """Forget what is in rows as it is here, but for the step that still grows."""
        now = self._clock().astimezone(UTC)
        minute = now.hour * 60 + now.minute
        grows = now.date(), minute - minute % _MINUTES
        days = self._open.get(node_id, {})
        for day, rows in written.items():
            for row in rows:
                begins = row[0]
                if (day, begins) != grows and days[day][begins].row(begins) == row:
                    del days[day][begins]
            if not days[day]:
                del days[day]
        if not days:
            self._open.pop(node_id, None)

    async def of(
        self, actor: Actor, node_id: str, from_at: datetime | None = None, until_at: datetime | None = None
    ) -> HealthOut:
        """Give how a node was; of the last day unless asked.

        Raises:
            NotFoundError: there is no such node.
            InvalidError: the times end before they begin, or reach farther than what is kept.
        """
        until_at = until_at or self._clock()
        from_at = from_at or until_at - _DAY
        if not timedelta() <= until_at - from_at <= KEPT_FOR + _DAY:
            raise InvalidError("from: at most 31 days before until", field="from", problem="range")
        growing = _rows(self._open.get(node_id, {}))  # first: what is written meanwhile is in both, and never in none
        async with self._database.reading() as session:
            seen, node = await rights.sight(session, actor), await session.get(Node, node_id)
            if node is None or node.removed_at is not None or not seen.sees(node.area_id):
                raise NotFoundError("there is no such node", resource="nodes", id=node_id[:64])
            query = select(NodeHealthDay.day, NodeHealthDay.samples).where(
                NodeHealthDay.node_id == node_id,
                NodeHealthDay.day.between(from_at.astimezone(UTC).date(), until_at.astimezone(UTC).date()),
            )
            rows: dict[date, list[Any]] = dict((await session.execute(query)).all())
        for day, steps in growing.items():
            rows[day] = _merged(rows.get(day, []), steps)
        found = [_step(day, sample) for day in sorted(rows) for sample in rows[day]]
        shown = tuple(each for each in found if from_at - STEP < each.at <= until_at)
        return HealthOut(from_at=from_at, until_at=until_at, steps=shown)


def _rows(days: _Days) -> _Rows:
    return {day: [step.row(begins) for begins, step in steps.items()] for day, steps in days.items()}


async def _write_one(session: AsyncSession, node_id: str, taken: _Rows) -> None:
    for day, new in taken.items():
        row = await session.get(NodeHealthDay, (node_id, day))
        if row is None:
            session.add(NodeHealthDay(node_id=node_id, day=day, samples=_merged([], new)))
        else:
            row.samples = _merged(row.samples, new)


async def forget(session: AsyncSession, now: datetime) -> None:
    """Delete what is older than is kept."""
    await session.execute(delete(NodeHealthDay).where(NodeHealthDay.day < (now - KEPT_FOR).astimezone(UTC).date()))


def _merged(old: list[Any], new: list[Any]) -> list[Any]:
    """Lay new steps over old ones: one that began before a restart of the centre goes on after it."""
    by_begin: dict[int, list[Any]] = {each[0]: each for each in old}
    for each in new:
        before = by_begin.get(each[0])
        by_begin[each[0]] = each if before is None else _both(before, each)
    return [by_begin[begins] for begins in sorted(by_begin)]


def _both(before: list[Any], after: list[Any]) -> list[Any]:
    told = [new if new is not None else old for old, new in zip(before, after, strict=True)]
    told[1] = before[1] | after[1]
    told[2] = max((each for each in (before[2], after[2]) if each is not None), default=None)
    told[5] = max((each for each in (before[5], after[5]) if each is not None), default=None, key=abs)
    told[6] = None if before[6] is None and after[6] is None else bool(before[6]) or bool(after[6])
    told[8] = sorted({*before[8], *after[8]})[:MOST_FAULTS]
    return told


def _step(day: date, sample: list[Any]) -> HealthStepOut:
    begins, minutes, temperature, rtt, signal, offset, supply_low, disk, faults = sample
    return HealthStepOut(
        at=datetime.combine(day, time(begins // 60, begins % 60), UTC),
        heard=minutes.bit_count() / _MINUTES,
        temperature_c=temperature,
        link_rtt_ms=rtt,
        link_signal=signal,
        clock_offset_ms=offset,
        supply_low=supply_low,
        disk_free_bytes=disk,
        faults=tuple(faults),
    )
