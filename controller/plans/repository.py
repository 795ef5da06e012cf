"""Rows that documents are made of, read scope by scope and turned into wire types."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import nodes_in, read_tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.wire_form import wire_forms
from controller.holds.models import Hold
from controller.holds.reach import believed
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from edge_agent.protocol import content
from edge_agent.protocol.documents import Stop

from .build import HoldFacts
from .strays import strays


async def broadcasts_of(
    session: AsyncSession, scope: str, *, urgent: bool, now: datetime, start_before: datetime | None = None
) -> list[content.Broadcast]:
    """Read what is aimed at a scope itself, not cancelled and not past its latest end."""
    query = (
        select(Broadcast)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(BroadcastTarget.scope == scope, Broadcast.urgent.is_(urgent), Broadcast.cancelled_at.is_(None))
        .where(Broadcast.superseded_at.is_(None), Broadcast.awaits_approval.is_(False))
        .where(Broadcast.latest_end_at > now)
        .order_by(Broadcast.start_at, Broadcast.id)
    )
    if start_before is not None:
        query = query.where(Broadcast.start_at < start_before)
    rows = (await session.scalars(query)).all()
    found = await wire_forms(session, rows)
    return [found[row.id] for row in rows if row.id in found]


async def stops_of(session: AsyncSession, scope: str, now: datetime) -> list[tuple[Stop, datetime]]:
    """Read the cancelled broadcasts of a scope that might still sound, each with its latest end."""
    query = (
        select(Broadcast.id, Broadcast.cancelled_at, Broadcast.latest_end_at)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(BroadcastTarget.scope == scope, Broadcast.cancelled_at.is_not(None), Broadcast.latest_end_at > now)
        .where(Broadcast.awaits_approval.is_(False))
    )
    return [
        (Stop(broadcast_id=key, stopped_at=cancelled_at), latest_end_at)
        for key, cancelled_at, latest_end_at in await session.execute(query)
        if cancelled_at is not None
    ]


async def holds_of(session: AsyncSession, scope: str, let_go: AbstractSet[str], live: LiveNodes) -> list[HoldFacts]:
    """Read the holds of a scope; nobody obeys those in ``let_go`` any more. Fast: a STOP waits for it.

    To a node also the holds that it obeys and that only its own document can end, or keeps.
    """
    ordered = select(Hold).where(Hold.scope == scope, Hold.ordered_by.is_not(None))
    holds = (await session.scalars(ordered)).all()
    own = await _strays(session, scope, let_go, live)
    return [
        HoldFacts(hold_id=hold.wire_id, ordered_at=hold.ordered_at, released_at=hold.released_at, still_obeyed=True)
        for hold in own
    ] + [
        HoldFacts(
            hold_id=hold.wire_id,
            ordered_at=hold.ordered_at,
            released_at=hold.released_at,
            still_obeyed=hold.released_at is not None and hold.id not in let_go,
        )
        for hold in holds
        if hold not in own
    ]


async def _strays(session: AsyncSession, scope: str, let_go: AbstractSet[str], live: LiveNodes) -> Sequence[Hold]:
    kind, _, node_id = scope.partition("/")
    node = await session.get(Node, node_id) if kind == "nodes" else None
    if node is None:
        return []
    said = believed((live.over(node).health or {}).get("holds", ()))
    return (await strays(session, {node_id: said}, let_go)).get(node_id, [])


async def find_let_go(session: AsyncSession, live: LiveNodes, before: datetime, known: AbstractSet[str]) -> set[str]:
    """Name the holds, released ``before``, without which every node of their scope was heard since."""
    ordered = Hold.ordered_by.is_not(None)  # what was found is named to those alone who obey it
    query = select(Hold.id, Hold.scope, Hold.released_at).where(Hold.released_at < before, ordered)
    released = [row for row in await session.execute(query) if row.id not in known]
    if not released:
        return set()
    tree = await read_tree(session)
    nodes = {scope: await nodes_in(session, tree, [scope]) for scope in {row.scope for row in released}}
    return {row.id for row in released if not _still_obeyed(row.id, row.released_at, nodes[row.scope], live)}


def _still_obeyed(hold_id: str, released_at: datetime, nodes: Sequence[Node], live: LiveNodes) -> bool:
    for node in nodes:
        heard = live.over(node)
        silent = heard.last_heard_at is None or heard.last_heard_at <= released_at
        if silent or hold_id in (heard.health or {}).get("holds", ()):
            return True
    return False
