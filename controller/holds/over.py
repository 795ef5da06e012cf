"""Holds over some nodes, for whoever is about to speak there, or has: nothing passes them."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.areas.targets import node_names, scope_name
from controller.nodes.live import LiveNodes

from .models import Hold
from .reach import silencing
from .schemas import HeldByOut


class Over(NamedTuple):
    """A hold, and which of the nodes it silences."""

    shown: HeldByOut
    nodes: frozenset[str]


async def is_any_held(session: AsyncSession) -> bool:
    """Say whether silence is ordered or was found anywhere: nearly always it is not."""
    return await session.scalar(select(Hold.id).where(Hold.released_at.is_(None)).limit(1)) is not None


async def holds_over(
    session: AsyncSession, live: LiveNodes, tree: Tree, areas: Mapping[str, str], *, also: Collection[str] = ()
) -> list[Over]:
    """Give the holds over some nodes, oldest first; ``areas``: node → where it stands.

    ``also``: holds that are given as long as they stand, even if they silence none of those nodes.
    """
    silent_by = await silencing(session, live, tree, areas)
    reached = frozenset(also).union(*silent_by.values())
    if not reached:
        return []
    query = select(Hold).where(Hold.released_at.is_(None)).order_by(Hold.ordered_at, Hold.id)
    holds = [hold for hold in await session.scalars(query) if hold.id in reached]
    names = await node_names(session, {hold.scope for hold in holds})
    found = []
    for hold in holds:
        nodes = frozenset(node_id for node_id, those in silent_by.items() if hold.id in those)
        shown = HeldByOut(
            hold_id=hold.id,
            scope=hold.scope,
            scope_name=scope_name(hold.scope, tree, names),
            ordered_at=hold.ordered_at,
            node_count=len(nodes),
        )
        found.append(Over(shown, nodes))
    return found
