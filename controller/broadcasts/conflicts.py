"""What a broadcast by hand would meet: asked about before it is sent, in the same words as of a schedule.

At a time: whatever is planned then for the same nodes. Now: what keeps it from being heard; a person who says how it
comes into a session (``during``) has been asked already.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.policies.checks import Besides
from controller.schedules.conflicts import conflicts_of
from controller.schedules.looking import Looking
from controller.schedules.meetings import Conflict, Other, Span
from edge_agent.protocol.states import Level, Outcome, Reason, StartMode

from .drafts import Draft
from .models import Broadcast
from .preview import Forecasts


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
    nodes = frozenset(node_ids)
    rank = (-Level(row.level).rank, row.position)
    is_hard = row.start_mode == StartMode.HARD
    theirs = Span(row.start_at, row.start_at + timedelta(milliseconds=row.length_ms), rank, is_hard=is_hard)
    other = Other(row.title, row.area_id, row.schedule_id, row.id, nodes, (theirs,))
    return Conflict(span, theirs, other, len(nodes), 1)


def _span(draft: Draft) -> Span:
    start_at = draft.window.start_at
    return Span(start_at, start_at + timedelta(milliseconds=draft.length_ms), (-draft.level.rank, 0))
