"""How all nodes in sight stand, for what is on every page."""

import heapq
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.events import EventBus
from controller.faults.rules import OFFLINE
from controller.nodes.live import LiveNodes
from controller.people import rights
from controller.people.actor import Actor
from controller.plays.models import Play
from edge_agent.protocol.states import PlayState

from .roster import Roster
from .schemas import AreaCount, FaultCount, NodeBrief, Overview, SoundingOut, Those
from .stands import Stand, Sum

MOST_UNWELL = 50
MOST_NAMED = 5
MOST_KEPT = 100
"""Sights whose overview is kept for the next who has the same."""

_THERE = (PlayState.CACHED, PlayState.ARMED)
"""States in which nothing is missing but the hour."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Overviews:
    """How nodes stand, counted."""

    def __init__(self, database: Database, clock: Clock, bus: EventBus, live: LiveNodes) -> None:
        self._database, self._clock, self._roster = database, clock, Roster(database, bus, live)
        self._kept: dict[frozenset[str] | None, Overview] = {}
        self._kept_of = -1

    async def of(self, actor: Actor, area_id: str | None = None) -> Overview:
        """Give how the nodes in sight stand; ``area_id``: those of that area and all below it.

        Raises:
            NotFoundError: there is no such area in sight.
        """
        async with self._database.reading() as session:
            seen = await rights.within(session, await rights.sight(session, actor), area_id)
            await self._roster.refresh(self._clock())
            return await self._titled(session, self._summed(seen.areas))

    async def stands(self, actor: Actor) -> list[Stand]:
        """Give how each node in sight stands, in no order: for lists that are sorted by it."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            await self._roster.refresh(self._clock())
            return self._roster.stands(seen.areas)

    async def doubtful(
        self, actor: Actor, broadcast_ids: Collection[str], area_id: str | None = None
    ) -> dict[str, int]:
        """Count, by broadcast, the nodes that have its sound and of which nobody knows that they will play it.

        Raises:
            NotFoundError: there is no such area in sight.
        """
        counts: dict[str, int] = {}
        if not broadcast_ids:
            return counts
        async with self._database.reading() as session:
            seen = await rights.within(session, await rights.sight(session, actor), area_id)
            await self._roster.refresh(self._clock())
            sums = self._roster.sums
            unwell = (each for key in sums if seen.areas is None or key in seen.areas for each in sums[key].unwell)
            for some in in_pieces(sorted(each.node.id for each in unwell if each.may_be_silent)):
                query = select(Play.broadcast_id, func.count()).where(
                    Play.broadcast_id.in_(broadcast_ids),
                    Play.node_id.in_(some),
                    Play.outcome.is_(None),
                    Play.state.in_(_THERE),
                )
                for broadcast_id, count in await session.execute(query.group_by(Play.broadcast_id)):
                    counts[broadcast_id] = counts.get(broadcast_id, 0) + count
        return counts

    def _summed(self, areas: frozenset[str] | None) -> Overview:
        if self._kept_of != self._roster.version or len(self._kept) >= MOST_KEPT:
            self._kept, self._kept_of = {}, self._roster.version
        if areas not in self._kept:
            sums = self._roster.sums
            self._kept[areas] = _overview({key: sums[key] for key in sums if areas is None or key in areas})
        return self._kept[areas]

    async def _titled(self, session: AsyncSession, found: Overview) -> Overview:
        """Add the titles of what sounds."""
        if not found.sounding:
            return found
        ids = {each.broadcast_id for each in found.sounding}
        titles = await _titles(session, ids)
        if ids - titles.keys():  # what nodes say is of now: it may have come to be after what else is read
            async with self._database.reading(afresh=True) as later:
                titles = await _titles(later, ids)
        sounding = [each.model_copy(update={"title": titles.get(each.broadcast_id)}) for each in found.sounding]
        return found.model_copy(update={"sounding": tuple(sounding)})


async def _titles(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    return dict((await session.execute(select(Broadcast.id, Broadcast.title).where(Broadcast.id.in_(ids)))).all())


def _overview(sums: dict[str, Sum]) -> Overview:
    whole = Sum()
    for each in sums.values():
        whole.add(each)
    unwell = whole.unwell
    return Overview(
        total=whole.total,
        by_status=whole.by_status,
        areas=tuple(
            AreaCount(area_id=area_id, total=each.total, by_status=each.by_status, unwell=len(each.unwell))
            for area_id, each in sorted(sums.items())
        ),
        unwell=_briefs(heapq.nsmallest(MOST_UNWELL, unwell, key=_worst_first)),
        lost=_those([(each.since_at, each) for each in unwell if each.is_lost and OFFLINE not in each.looked_after]),
        faults=_faults(unwell),
        looked_after=_those([(each.since_at, each) for each in unwell if each.looked_after]),
        sounding=tuple(
            SoundingOut(
                broadcast_id=broadcast_id,
                title=None,
                nodes=found.nodes,
                ends_at=found.ends_at,
                simulated=found.simulated,
                node_id=found.node_id,
            )
            for broadcast_id, found in sorted(whole.sounding.items(), key=lambda each: (-each[1].nodes, each[0]))
        ),
    )


def _worst_first(stand: Stand) -> tuple[bool, bool, datetime, str, str]:
    return (not stand.is_left, not stand.is_lost, _since(stand) or _LONG_AGO, stand.node.name, stand.node.id)


def _since(stand: Stand) -> datetime | None:
    """Give since when a node is lost, or has the oldest of its faults."""
    if stand.is_lost:
        return stand.since_at
    return min((since_at for _, since_at in stand.faults if since_at is not None), default=None)


def _brief(stand: Stand) -> NodeBrief:
    node = stand.node
    return NodeBrief(
        id=node.id,
        name=node.name,
        area_id=node.area_id,
        status=stand.status,
        since_at=_since(stand),
        faults=tuple(code for code, _ in stand.faults),
        looked_after=stand.looked_after,
    )


def _briefs(stands: Iterable[Stand]) -> tuple[NodeBrief, ...]:
    return tuple(_brief(each) for each in stands)


_Dated = tuple[datetime | None, Stand]


def _those(found: Sequence[_Dated]) -> Those:
    count, since_at, first = _told(found)
    return Those(count=count, since_at=since_at, first=first)


def _faults(unwell: Collection[Stand]) -> tuple[FaultCount, ...]:
    """Say each fault once, with all nodes that have it and that nobody looks after."""
    by_code: dict[str, list[_Dated]] = {}
    for stand in unwell:
        for code, since_at in stand.left:
            by_code.setdefault(code, []).append((since_at, stand))
    most_first = sorted(by_code.items(), key=lambda found: (-len(found[1]), found[0]))
    counts = []
    for code, those in most_first:
        count, since_at, first = _told(those)
        counts.append(FaultCount(code=code, count=count, since_at=since_at, first=first))
    return tuple(counts)


def _told(found: Sequence[_Dated]) -> tuple[int, datetime | None, tuple[NodeBrief, ...]]:
    """Count nodes and name the first of them, those of the oldest date first."""
    oldest = heapq.nsmallest(
        MOST_NAMED, found, key=lambda each: (each[0] or _NEVER, each[1].node.name, each[1].node.id)
    )
    return len(found), oldest[0][0] if oldest else None, _briefs(stand for _, stand in oldest)
