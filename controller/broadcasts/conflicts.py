"""What a broadcast by hand would meet: asked about before it is sent, in the same words as of a schedule.

At a time: whatever is planned then for the same nodes. Now: what keeps it from being heard; a person who says how it
comes into a session (``during``) has been asked already. Whoever is asked for a yes to it reads it too: ``met``.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree, standing_in
from controller.people.rights import Sight
from controller.policies.checks import Besides
from controller.schedules.conflicts import conflict_outs, conflicts_of
from controller.schedules.looking import Looking
from controller.schedules.meetings import Conflict, Other, Span
from edge_agent.protocol.states import Level, Outcome, Reason, StartMode

from .drafts import Draft
from .models import Broadcast, BroadcastTarget
from .preview import Forecasts
from .schemas import ConflictOut


async def meets(session: AsyncSession, draft: Draft, found: Forecasts) -> list[Conflict]:
    """Give what is to be confirmed; ``found``: what would happen at the nodes."""
    if draft.level is Level.EMERGENCY or draft.start_mode is StartMode.HARD:
        return []
    span = _span(draft)
    if draft.urgent:
        return await _in_the_way(session, span, found)
    targets = draft.targets
    looking = Looking.around(session, targets.tree, span.start_at, span.end_at)
    besides = Besides(broadcast_ids=frozenset([draft.replaces_id] if draft.replaces_id else ()))
    return await conflicts_of(looking, [span], frozenset(node.id for node in targets.nodes), besides=besides)


async def met(session: AsyncSession, seen: Sight, row: Broadcast, *, now: datetime) -> tuple[ConflictOut, ...]:
    """Say what one that has not begun meets, as it is planned; what should have begun is taken to begin now."""
    if row.latest_start_at <= now or row.cancelled_at is not None or row.superseded_at is not None:
        return ()
    tree = await read_tree(session)
    scopes = await session.scalars(select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id))
    nodes = frozenset(each.id for each in await standing_in(session, tree, scopes.all()))
    span = _span_of(row, max(row.start_at, now))
    looking = Looking.around(session, tree, span.start_at, span.end_at)
    besides = Besides(row.schedule_id, frozenset([row.id]))
    return conflict_outs(await conflicts_of(looking, [span], nodes, besides=besides), seen)


async def _in_the_way(session: AsyncSession, span: Span, found: Forecasts) -> list[Conflict]:
    """Give what sounds or waits for so long that nodes would miss it."""
    where: dict[str, set[str]] = defaultdict(set)
    for each, node_ids in found:
        if (each.outcome, each.reason) == (Outcome.MISSED, Reason.BUSY):
            for key in each.crossed:
                where[key].update(node_ids)
    rows = await session.scalars(select(Broadcast).where(Broadcast.id.in_(where)).order_by(Broadcast.start_at))
    return [_conflict(span, row, where[row.id]) for row in rows]


def _conflict(span: Span, row: Broadcast, node_ids: Iterable[str]) -> Conflict:
    nodes, theirs = frozenset(node_ids), _span_of(row, row.start_at)
    other = Other(row.title, row.area_id, row.schedule_id, row.id, nodes, (theirs,))
    return Conflict(span, theirs, other, len(nodes), 1)


def _span_of(row: Broadcast, start_at: datetime) -> Span:
    rank, is_hard = (-Level(row.level).rank, row.position), row.start_mode == StartMode.HARD
    return Span(start_at, start_at + timedelta(milliseconds=row.length_ms), rank, is_hard=is_hard)


def _span(draft: Draft) -> Span:
    start_at = draft.window.start_at
    return Span(start_at, start_at + timedelta(milliseconds=draft.length_ms), (-draft.level.rank, 0))
