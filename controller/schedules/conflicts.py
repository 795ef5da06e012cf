"""What a session would meet, found before anything is saved, across all that its nodes hear.

Schedules, single dates and broadcasts by hand are asked about in the same way: ``conflict_error``.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import Standing
from controller.areas.rules import Tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.schemas import ConflictOut
from controller.errors import ConflictError, InvalidError
from controller.nodes.models import Node
from controller.people.rights import EVERYTHING, Sight
from controller.policies.checks import Besides
from edge_agent.protocol.states import Level, StartMode

from .expand import Occurrence
from .looking import Looking
from .meetings import Conflict, Other, Span, meetings, within
from .models import Schedule, ScheduleException
from .planning import Planner, end_of, is_aired
from .repository import exceptions_of
from .states import Overrun

MOST_CONFLICTS = 20


class ScheduleConflictError(ConflictError):
    """Others are planned for the same nodes at the same time. ``conflicts`` lists them; say ``confirm_conflicts``."""

    code = "schedule_conflicts"


def conflict_error(found: Sequence[Conflict], seen: Sight) -> ScheduleConflictError:
    """Write the error with which somebody is asked whether what meets others is meant."""
    return ScheduleConflictError(
        "others are planned for the same nodes at the same time; say confirm_conflicts to save all the same",
        conflicts=[each.model_dump(mode="json") for each in conflict_outs(found, seen)],
    )


def conflict_outs(found: Sequence[Conflict], seen: Sight) -> tuple[ConflictOut, ...]:
    """Give what is met as the API shows it; what is not in sight has no name."""
    return tuple(_out(each, named=seen.sees(each.other.area_id)) for each in found[:MOST_CONFLICTS])


def _out(found: Conflict, *, named: bool) -> ConflictOut:
    other = found.other
    return ConflictOut(
        start_at=found.ours.start_at,
        other_start_at=found.theirs.start_at,
        times=found.times,
        title=other.title if named else None,
        schedule_id=other.schedule_id if named else None,
        broadcast_id=other.broadcast_id if named else None,
        overlap_ms=found.overlap // timedelta(milliseconds=1),
        node_count=found.nodes,
        first=found.first,
        cut=found.cut,
    )


def rank_of(row: Schedule) -> tuple[int, int]:
    """Say how the dates of a schedule stand against others."""
    return -Level(row.level).rank, row.position


def span_of(row: Schedule, date: Occurrence, length: timedelta) -> Span:
    """Give the time that a date takes if it begins on time."""
    return Span(*_times(row, date, length), rank_of(row), is_hard=row.start_mode == StartMode.HARD)


def _times(row: Schedule, date: Occurrence, length: timedelta) -> tuple[datetime, datetime]:
    start_at, end_at = date.start_at, end_of(row, date)
    if end_at is None:
        return start_at, start_at + length
    if row.filler_recording_id is not None:
        return start_at, end_at
    if row.back_timed:
        return max(start_at, end_at - length), end_at
    if row.overrun == Overrun.FINISH:
        return start_at, start_at + length
    return start_at, min(end_at, start_at + length)


async def conflicts_of(
    looking: Looking, ours: Sequence[Span], nodes: frozenset[str], *, besides: Besides, own: Other | None = None
) -> list[Conflict]:
    """Find what these times meet at these nodes. ``besides``: what they take the place of; ``own``: but for these."""
    if not nodes or not ours:
        return []
    others = await _schedules(looking, besides.schedule_id, nodes)
    others += await _broadcasts(looking, besides.broadcast_ids, nodes)
    return meetings(ours, nodes, [*others, own] if own is not None else others)


async def conflicts_of_series(
    looking: Looking, row: Schedule, ours: Sequence[Span], nodes: frozenset[str]
) -> list[Conflict]:
    """Find what the dates of a schedule meet: each other, and what else these nodes hear."""
    others = await conflicts_of(looking, ours, nodes, besides=Besides(schedule_id=row.id))
    return [*within(other_of(row, nodes, ours)), *others]


def other_of(row: Schedule, nodes: frozenset[str], spans: Iterable[Span]) -> Other:
    """Give dates of a schedule as something that others meet; what cannot be aired is in nobody's way."""
    sounding = tuple(sorted(each for each in spans if each.end_at > each.start_at))
    return Other(row.title, row.area_id, row.id, None, nodes, sounding)


async def spans_of(
    looking: Looking, row: Schedule, changes: Sequence[ScheduleException], planner: Planner
) -> tuple[Span, ...]:
    """Give the time of every date that airs, by start."""
    return tuple(sorted(span for _, span in await dated_spans(looking, row, changes, planner)))


async def dated_spans(
    looking: Looking, row: Schedule, changes: Sequence[ScheduleException], planner: Planner
) -> list[tuple[Occurrence, Span]]:
    """Give every date that airs with the time that it takes."""
    found = []
    lengths: dict[str, timedelta] = {}
    for date in await looking.dates(row, changes):
        if not is_aired(date):
            continue
        if date.programme_id not in lengths:
            lengths[date.programme_id] = await _length(planner, date.programme_id)
        found.append((date, span_of(row, date, lengths[date.programme_id])))
    return found


async def _length(planner: Planner, programme_id: str) -> timedelta:
    try:
        return timedelta(milliseconds=await planner.length_ms(programme_id))
    except InvalidError:
        return timedelta(0)  # it cannot be aired: it is in nobody's way


async def _schedules(looking: Looking, but: str | None, nodes: frozenset[str]) -> list[Other]:
    query = select(Schedule).where(Schedule.ended_at.is_(None)).order_by(Schedule.id)
    reach = await Reach.read(looking.session, looking.tree)
    near = [(row, reach.of(row.scopes)) for row in await looking.session.scalars(query) if row.id != but]
    near = [(row, heard_by) for row, heard_by in near if not nodes.isdisjoint(heard_by)]
    changes = await exceptions_of(looking.session, [row.id for row, _ in near])
    found = []
    for row, heard_by in near:
        planner = await Planner.of(looking.session, row, looking.tree)
        spans = await spans_of(looking, row, changes.get(row.id, []), planner)
        found.append(Other(row.title, row.area_id, row.id, None, heard_by, spans))
    return found


async def _broadcasts(looking: Looking, but: Collection[str], nodes: frozenset[str]) -> list[Other]:
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
        if row.id in but:
            continue
        span = Span(
            row.start_at,
            row.start_at + timedelta(milliseconds=row.length_ms),
            (-Level(row.level).rank, row.position),
            is_hard=row.start_mode == StartMode.HARD,
        )
        found.append(Other(row.title, row.area_id, None, row.id, reach.of(scopes), (span,)))
    return [each for each in found if not nodes.isdisjoint(each.nodes)]


def _meets(from_at: datetime, until_at: datetime) -> ColumnElement[bool]:
    return and_(Broadcast.start_at < until_at, Broadcast.latest_end_at > from_at)


class Reach:
    """Which nodes scopes reach; nodes are read once."""

    def __init__(self, tree: Tree, area_of: Mapping[str, str]) -> None:
        self._tree, self._below = tree, dict[str, frozenset[str]]()
        self._known = {key: Standing(key, area_id) for key, area_id in area_of.items()}
        self._there: dict[str, list[Standing]] = {}
        """By area."""
        for each in self._known.values():
            self._there.setdefault(each.area_id, []).append(each)

    @classmethod
    async def read(cls, session: AsyncSession, tree: Tree, seen: Sight = EVERYTHING) -> "Reach":
        """Read where all nodes in sight stand: of the others nothing is known."""
        query = select(Node.id, Node.area_id).where(Node.removed_at.is_(None), seen.where(Node.area_id))
        return cls(tree, dict((await session.execute(query)).all()))

    def of(self, scopes: Iterable[str]) -> frozenset[str]:
        """Give the nodes at or under the scopes."""
        return frozenset(each.id for each in self.standing(scopes))

    def standing(self, scopes: Iterable[str]) -> list[Standing]:
        """Give them with where they stand, each once."""
        areas: set[str] = set()
        alone: set[str] = set()
        for scope in scopes:
            kind, _, key = scope.partition("/")
            if kind == "nodes":
                alone.add(key)
            else:
                areas |= self._areas(key)
        found = [each for area_id in areas & self._there.keys() for each in self._there[area_id]]
        named = (self._known[key] for key in alone & self._known.keys())
        return found + [each for each in named if each.area_id not in areas]

    def knows(self, node_id: str) -> bool:
        """Say whether there is such a node in sight."""
        return node_id in self._known

    def _areas(self, area_id: str) -> frozenset[str]:
        if area_id not in self._below:
            self._below[area_id] = self._tree.below(area_id)
        return self._below[area_id]
