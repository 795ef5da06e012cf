"""Nodes that obey a released hold which no document of their own areas names: they moved away, or came back late.

Their own hold document tells them.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.db import in_pieces
from controller.holds.models import Hold
from controller.nodes.models import Node


async def strays(
    session: AsyncSession, obeyed: Mapping[str, Collection[str]], let_go: AbstractSet[str]
) -> dict[str, list[Hold]]:
    """Give, by node, the released holds among those it obeys that only its own document can end.

    A hold of an area in which the node stands is named there, unless it is in ``let_go``.
    """
    released = [
        hold
        for some in in_pieces(sorted({hold_id for holds in obeyed.values() for hold_id in holds}))
        for hold in await session.scalars(select(Hold).where(Hold.id.in_(some), Hold.released_at.is_not(None)))
    ]
    if not released:
        return {}
    tree = await read_tree(session)
    found: dict[str, list[Hold]] = {}
    for some in in_pieces(sorted(obeyed)):
        for node_id, area_id in await session.execute(select(Node.id, Node.area_id).where(Node.id.in_(some))):
            told = set(tree.scopes(node_id, area_id))
            own = [
                hold
                for hold in released
                if hold.id in obeyed[node_id] and (hold.scope not in told or hold.id in let_go)
            ]
            if own:
                found[node_id] = own
    return found
