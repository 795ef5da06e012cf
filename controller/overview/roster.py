"""All nodes as they stand, kept in memory: what changed is looked at again, and what did not is not.

Told by events which rows to read, by ``LiveNodes`` who said something, and by the clock who fell silent.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import Database, in_pieces
from controller.events import Event, EventBus, Topic
from controller.faults.repository import Standing, acknowledged
from controller.nodes.live import Contact, Heard, LiveNodes
from controller.nodes.models import Node

from .stands import Placed, Stand, Sum, stand_of

ALL_AGAIN_S = 60.0
"""What another process wrote into the rows is seen after so long."""
AT_ONCE = 200
"""Nodes looked at between two looks at what is urgent."""

_PLACED = (Node.id, Node.name, Node.area_id, Node.kind)
_WRITTEN = (
    *(Node.id, Node.presence, Node.presence_at, Node.presence_reason, Node.last_heard_at),
    *(Node.health, Node.abilities),
)


class Roster:
    """The nodes of all areas, and what they come to."""

    def __init__(
        self, database: Database, bus: EventBus, live: LiveNodes, *, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._live, self._steady, self._turn = database, live, steady, asyncio.Lock()
        self.version = 0
        """Rises whenever something is to be shown otherwise."""
        self.sums: dict[str, Sum] = {}
        """By area, of the nodes that stand in it itself."""
        self._placed: dict[str, Placed] = {}
        self._written: dict[str, Heard] = {}
        """What rows say, for those who have said nothing since the start; cut to what is looked at."""
        self._stands: dict[str, dict[str, Stand]] = {}
        """By area and node."""
        self._due: list[tuple[datetime, str]] = []
        """When to look at whom again even if nothing is heard: a heap."""
        self._care: Standing = {}
        self._rows: set[str] = set()
        """Of which an event told."""
        self._to_look_at: set[str] = set()
        self._faults_changed = True
        self._read_at: float | None = None
        self._looked_at: datetime | None = None
        bus.note_in(self._note)

    async def refresh(self, now: datetime) -> None:
        """Look at what changed. One at a time: whoever waits finds nothing left to do."""
        async with self._turn:
            await self._read()
            self._to_look_at |= self._live.fresh()
            if self._looked_at is not None and now < self._looked_at:
                self._to_look_at |= self._placed.keys()  # the clock was set back
            self._looked_at = now
            while self._due and self._due[0][0] <= now:
                self._to_look_at.add(heapq.heappop(self._due)[1])
            await self._look_at_all(now)

    def stands(self, areas: Collection[str] | None) -> list[Stand]:
        """Give the nodes that stand in these areas themselves; None: all of them."""
        found = self._stands if areas is None else {key: self._stands[key] for key in areas if key in self._stands}
        return [stand for there in found.values() for stand in there.values()]

    def _note(self, event: Event) -> None:
        if event.topic is Topic.NODE:
            self._rows.add(event.key)
        elif event.topic is Topic.FAULT:
            self._faults_changed = True

    async def _look_at_all(self, now: datetime) -> None:
        areas: set[str] = set()
        count = 0
        while self._to_look_at:
            node_id = self._to_look_at.pop()
            if node_id in self._placed:
                areas.update(self._look(node_id, now))
            count += 1
            if count % AT_ONCE == 0:
                self._sum_up(areas)  # whoever gives up while we wait loses nothing
                areas = set()
                await asyncio.sleep(0)
        self._sum_up(areas)

    def _look(self, node_id: str, now: datetime) -> Collection[str]:
        """Look at one node; gives its area when it stands otherwise than before."""
        node = self._placed[node_id]
        stand, due = stand_of(node, self._heard(node_id), self._care.get(node_id, ()), now)
        if due is not None:
            heapq.heappush(self._due, (due, node_id))
        there = self._stands.setdefault(node.area_id, {})
        if there.get(node_id) == stand:
            return ()
        there[node_id] = stand
        return (node.area_id,)

    def _heard(self, node_id: str) -> Heard:
        live = self._live.heard(node_id)
        written = self._written.get(node_id)
        if written is None:
            return live
        contact = Contact(written.presence, written.presence_at, written.presence_reason, written.last_heard_at)
        return Heard(
            **self._live.fresher(node_id, contact)._asdict(),
            abilities=live.abilities if live.abilities is not None else written.abilities,
            health=live.health if live.health is not None else written.health,
        )

    def _sum_up(self, areas: Collection[str]) -> None:
        for area_id in areas:
            there = self._stands.get(area_id)
            if there:
                self.sums[area_id] = Sum.of(there.values())
            else:
                self.sums.pop(area_id, None)
        self.version += bool(areas)

    async def _read(self) -> None:
        """Read of what events told, or all of it when that is due; mostly nothing.

        From a snapshot that begins after they told of it: whoever asks may read an older one.
        """
        whole = self._read_at is None or self._steady() - self._read_at > ALL_AGAIN_S
        rows, faults_changed = self._rows, self._faults_changed or whole
        if not (whole or rows or faults_changed):
            return
        self._rows, self._faults_changed, done = set(), False, False
        try:
            async with self._database.reading(afresh=True) as session:
                if whole or rows:
                    await self._read_rows(session, None if whole else rows)
                if faults_changed:
                    await self._read_care(session)
            done = True
        finally:
            if not done:
                self._rows |= rows
                self._faults_changed |= faults_changed
        if whole:
            self._read_at = self._steady()

    async def _read_rows(self, session: AsyncSession, rows: Collection[str] | None) -> None:
        """Read these, or all."""
        found = await self._placed_rows(session, rows)
        await self._read_written(session, found.keys() - self._placed.keys())
        changed = {node_id for node_id, node in found.items() if self._placed.get(node_id) != node}
        gone = (self._placed.keys() if rows is None else set(rows)) - found.keys()
        self._sum_up({area_id for node_id in gone | changed for area_id in self._take_out(node_id)})
        self._placed.update(found)
        self._to_look_at |= changed

    def _take_out(self, node_id: str) -> Collection[str]:
        """Forget how a node stood which is no more, or no more what it was; gives the area in which it stood."""
        before = self._placed.pop(node_id, None)
        if before is None:
            return ()
        self._stands.get(before.area_id, {}).pop(node_id, None)
        return (before.area_id,)

    async def _placed_rows(self, session: AsyncSession, ids: Collection[str] | None) -> dict[str, Placed]:
        query = select(*_PLACED).where(Node.removed_at.is_(None))
        if ids is None:
            stream = await session.stream(query.execution_options(yield_per=AT_ONCE))
            return {row.id: Placed(*row) async for part in stream.partitions() for row in part}
        found: dict[str, Placed] = {}
        for some in in_pieces(sorted(ids)):
            rows = await session.execute(query.where(Node.id.in_(some)))
            found.update({row.id: Placed(*row) for row in rows})
        return found

    async def _read_written(self, session: AsyncSession, ids: Collection[str]) -> None:
        for some in in_pieces(sorted(ids), AT_ONCE):
            for row in await session.execute(select(*_WRITTEN).where(Node.id.in_(some))):
                self._written[row.id] = _cut(row)

    async def _read_care(self, session: AsyncSession) -> None:
        """Read what is looked after."""
        care = await acknowledged(session)
        both = self._care.keys() | care.keys()
        self._to_look_at |= {node_id for node_id in both if self._care.get(node_id) != care.get(node_id)}
        self._care = care


def _cut(row: Any) -> Heard:
    """Keep of a row what is looked at: the whole report of ten thousand nodes would be tens of megabytes."""
    health: Mapping[str, Any] | None = row.health
    if health is not None:
        health = {name: health[name] for name in ("now_playing", "faults", "clock") if name in health}
    return Heard(
        presence=row.presence,
        presence_at=row.presence_at,
        presence_reason=row.presence_reason,
        abilities={"output": row.abilities.get("output")} if row.abilities is not None else None,
        health=health,
        last_heard_at=row.last_heard_at,
    )
