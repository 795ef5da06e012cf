"""Sessions that want the same nodes at the same time, found before anything is saved, across all that a node hears."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.errors import InvalidError
from controller.nodes.models import Node
from edge_agent.protocol.states import Level

from .expand import Occurrence
from .looking import Looking
from .models import Overrun, Schedule, ScheduleException
from .planning import Planner, is_aired
from .repository import exceptions_of
from .timing import fixed_end


class Span(NamedTuple):
    """When something sounds if all begins on time, and how it stands against others."""

    start_at: datetime
    end_at: datetime
    rank: tuple[int, int]
    """Level (higher first) and the operator's order, as nodes sort what waits."""


class Other(NamedTuple):
    """Something else that some of the nodes hear."""

    title: str
    area_id: str | None
    schedule_id: str | None
    broadcast_id: str | None
    nodes: frozenset[str]
    spans: tuple[Span, ...]


class Conflict(NamedTuple):
    """Two that meet."""

    ours: Span
    theirs: Span
    other: Other
    nodes: int
    times: int

    @property
    def first(self) -> Literal["ours", "other"]:
        """Say whose is heard first: what has begun, else by level and order."""
        mine, other = ((each.start_at, each.rank) for each in (self.ours, self.theirs))
        return "ours" if mine < other else "other"

    @property
    def overlap(self) -> timedelta:
        """Say for how long both want the nodes."""
        return min(self.ours.end_at, self.theirs.end_at) - max(self.ours.start_at, self.theirs.start_at)


def meetings(ours: Sequence[Span], nodes: frozenset[str], others: Iterable[Other]) -> list[Conflict]:
    """Find what meets, once for each other, by its first date. Pure."""
    found: list[Conflict] = []
    for other in others:
        shared = len(nodes & other.nodes)
        pairs = list(_overlapping(ours, other.spans)) if shared else []
        if pairs:
            found.append(Conflict(*pairs[0], other, shared, len(pairs)))
    return sorted(found, key=lambda each: (each.ours.start_at, each.theirs.start_at, each.other.title))


def _overlapping(ours: Sequence[Span], theirs: Sequence[Span]) -> Iterable[tuple[Span, Span]]:
    """Walk along two lists that are sorted by start."""
    first = 0
    for mine in ours:
        while first < len(theirs) and theirs[first].end_at <= mine.start_at:
            first += 1
        for other in theirs[first:]:
            if other.start_at >= mine.end_at:
                break
            if other.end_at > mine.start_at:
                yield mine, other


def rank_of(row: Schedule) -> tuple[int, int]:
    """Say how the dates of a schedule stand against others."""
    return -Level(row.level).rank, row.position


def span_of(row: Schedule, date: Occurrence, length: timedelta) -> Span:
    """Give the time that a date takes if it begins on time."""
    start_at, end_at = date.start_at, fixed_end(date.local, row.zone, row.ends_at_local)
    rank = rank_of(row)
    if end_at is None:
        return Span(start_at, start_at + length, rank)
    if row.filler_recording_id is not None:
        return Span(start_at, end_at, rank)
    if row.back_timed:
        return Span(max(start_at, end_at - length), end_at, rank)
    if row.overrun == Overrun.FINISH:
        return Span(start_at, start_at + length, rank)
    return Span(start_at, min(end_at, start_at + length), rank)


async def conflicts_of(
    looking: Looking, schedule_id: str, ours: Sequence[Span], nodes: frozenset[str]
) -> list[Conflict]:
    """Find what the dates of a schedule, as it is to be, meet at these nodes."""
    if not nodes or not ours:
        return []
    return meetings(ours, nodes, [*await _schedules(looking, schedule_id, nodes), *await _broadcasts(looking, nodes)])


async def spans_of(
    looking: Looking, row: Schedule, changes: Sequence[ScheduleException], planner: Planner
) -> tuple[Span, ...]:
    """Give the time of every date that airs, by start."""
    found = []
    lengths: dict[str, timedelta] = {}
    for date in await looking.dates(row, changes):
        if not is_aired(date):
            continue
        if date.programme_id not in lengths:
            lengths[date.programme_id] = await _length(planner, date.programme_id)
        found.append(span_of(row, date, lengths[date.programme_id]))
    return tuple(sorted(found))


async def _length(planner: Planner, programme_id: str) -> timedelta:
    try:
        return timedelta(milliseconds=await planner.length_ms(programme_id))
    except InvalidError:
        return timedelta(0)  # it cannot be aired: it is in nobody's way


async def _schedules(looking: Looking, but: str, nodes: frozenset[str]) -> list[Other]:
    query = select(Schedule).where(Schedule.ended_at.is_(None), Schedule.id != but).order_by(Schedule.id)
    reach = await Reach.read(looking.session, looking.tree)
    near = [(row, reach.of(row.scopes)) for row in await looking.session.scalars(query)]
    near = [(row, heard_by) for row, heard_by in near if not nodes.isdisjoint(heard_by)]
    changes = await exceptions_of(looking.session, [row.id for row, _ in near])
    found = []
    for row, heard_by in near:
        planner = await Planner.of(looking.session, row, looking.tree)
        spans = await spans_of(looking, row, changes.get(row.id, []), planner)
        found.append(Other(row.title, row.area_id, row.id, None, heard_by, spans))
    return found


async def _broadcasts(looking: Looking, nodes: frozenset[str]) -> list[Other]:
    """Give what was planned by hand."""
    query = (
        select(Broadcast, BroadcastTarget.scope)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(Broadcast.schedule_id.is_(None), Broadcast.urgent.is_(False))
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .where(or_(*(_meets(*span) for span in looking.spans)))
    )
    reach = await Reach.read(looking.session, looking.tree)
    rows: dict[str, tuple[Broadcast, set[str]]] = {}
    for row, scope in await looking.session.execute(query):
        rows.setdefault(row.id, (row, set()))[1].add(scope)
    found = []
    for row, scopes in rows.values():
        span = Span(
            row.start_at,
            row.start_at + timedelta(milliseconds=row.length_ms),
            (-Level(row.level).rank, row.position),
        )
        found.append(Other(row.title, row.area_id, None, row.id, reach.of(scopes), (span,)))
    return [each for each in found if not nodes.isdisjoint(each.nodes)]


def _meets(from_at: datetime, until_at: datetime) -> ColumnElement[bool]:
    return and_(Broadcast.start_at < until_at, Broadcast.latest_end_at > from_at)


class Reach:
    """Which nodes scopes reach; nodes are read once."""

    def __init__(self, tree: Tree, area_of: Mapping[str, str]) -> None:
        self._tree, self._below = tree, dict[str, frozenset[str]]()
        self._nodes: dict[str, set[str]] = {}
        for node_id, area_id in area_of.items():
            self._nodes.setdefault(area_id, set()).add(node_id)

    @classmethod
    async def read(cls, session: AsyncSession, tree: Tree) -> "Reach":
        """Read where all nodes stand."""
        query = select(Node.id, Node.area_id).where(Node.removed_at.is_(None))
        return cls(tree, dict((await session.execute(query)).all()))

    def of(self, scopes: Iterable[str]) -> frozenset[str]:
        """Give the nodes at or under the scopes."""
        found: set[str] = set()
        for scope in scopes:
            kind, _, key = scope.partition("/")
            if kind == "nodes":
                found.add(key)
                continue
            for area_id in self._areas(key):
                found |= self._nodes.get(area_id, set())
        return frozenset(found)

    def _areas(self, area_id: str) -> frozenset[str]:
        if area_id not in self._below:
            self._below[area_id] = self._tree.below(area_id)
        return self._below[area_id]
