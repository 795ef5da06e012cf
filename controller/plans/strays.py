"""Nodes that obey a hold which no document of their areas names: they moved away, came back late, or no row knew it.

Their own hold document tells them: of its release, and of silence that was found as long as it stands, so that not even
a card that is wiped ends it.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.db import in_pieces
from controller.holds.models import Hold
from controller.holds.reach import Reach
from controller.nodes.models import Node


async def strays(
    session: AsyncSession, obeyed: Mapping[str, Collection[str]], let_go: AbstractSet[str]
) -> dict[str, list[Hold]]:
    """Give, by node, the holds among those it obeys that only its own document can end, or keeps.

    What was ordered for an area in which the node stands is named there, once released unless it is in ``let_go``.
    """
    own_only = or_(Hold.released_at.is_not(None), Hold.ordered_by.is_(None))
    rows = [
        hold
        for some in in_pieces(sorted({wire_id for holds in obeyed.values() for wire_id in holds}))
        for hold in await session.scalars(select(Hold).where(Hold.wire_id.in_(some), own_only))
    ]
    if not rows:
        return {}
    tree = await read_tree(session)
    reach = [(hold, Reach(tree, hold)) for hold in rows]
    found: dict[str, list[Hold]] = {}
    for some in in_pieces(sorted(obeyed)):
        for node_id, area_id in await session.execute(select(Node.id, Node.area_id).where(Node.id.in_(some))):
            told = set(tree.scopes(node_id, area_id))
            own = [
                hold
                for hold, each in reach
                if hold.wire_id in obeyed[node_id]
                and each.takes(node_id, area_id, obeyed[node_id])
                and (hold.is_found or hold.scope not in told or hold.id in let_go)
            ]
            if own:
                found[node_id] = own
    return found
