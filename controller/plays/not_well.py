"""Where broadcasts did not sound as they should, and why: counted and named by the database, for a whole day."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import in_pieces
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind
from controller.people.rights import Sight
from edge_agent.protocol.states import Outcome, Reason

from .models import Play
from .schemas import PlayedNotOut

NOT_WELL = (Outcome.MISSED, Outcome.REFUSED, Outcome.EXPIRED, Outcome.INTERRUPTED, Outcome.UNKNOWN)
"""No report is no success. In the order in which they are told, where as many nodes have them."""


async def not_well(
    session: AsyncSession, broadcast_ids: Collection[str], seen: Sight, *, most: int
) -> dict[str, list[PlayedNotOut]]:
    """Give, by broadcast, the nodes in sight that did not play well, by reason; ``most`` of each are named."""
    found: dict[str, list[PlayedNotOut]] = defaultdict(list)
    for some in in_pieces(sorted(broadcast_ids)):
        for broadcast_id, each in await _alike(session, some, seen, most):
            found[broadcast_id].append(each)
    for those in found.values():
        those.sort(key=lambda each: (-each.count, NOT_WELL.index(each.outcome), each.reason or ""))
    return dict(found)


async def _alike(session: AsyncSession, ids: Collection[str], seen: Sight, most: int) -> list[tuple[str, PlayedNotOut]]:
    alike = (Play.broadcast_id, Play.outcome, Play.reason)
    ranked = (
        select(
            *alike,
            Node.id.label("node_id"),
            Node.name,
            func.row_number().over(partition_by=alike, order_by=(Node.name, Node.id)).label("place"),
            func.count().over(partition_by=alike).label("those"),
        )
        .join(Node, Node.id == Play.node_id)
        .where(Play.broadcast_id.in_(ids), Play.outcome.in_(NOT_WELL), Node.kind == NodeKind.AGENT)
        .where(seen.where(Node.area_id))
        .subquery()
    )
    columns = ranked.c
    query = select(ranked).where(columns.place <= most).order_by(columns.broadcast_id, columns.place)
    groups: dict[tuple[str, str, str | None], tuple[int, list[tuple[str, str]]]] = {}
    for row in await session.execute(query):
        key = (row.broadcast_id, row.outcome, row.reason)
        groups.setdefault(key, (row.those, []))[1].append((row.node_id, row.name))
    return [
        (
            broadcast_id,
            PlayedNotOut(
                outcome=Outcome(outcome), reason=Reason(reason) if reason else None, count=count, first=tuple(first)
            ),
        )
        for (broadcast_id, outcome, reason), (count, first) in groups.items()
    ]
