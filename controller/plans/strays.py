"""Nodes that obey a released hold which no document of their own areas names: they moved away, or came back late.

Their own hold document tells them.
"""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.holds.models import Hold
from controller.nodes.models import Node

IN_LIST = 500
"""SQLite takes a limited number of values in one query."""


async def strays(
    session: AsyncSession, obeyed: Mapping[str, Collection[str]], let_go: AbstractSet[str]
) -> dict[str, list[Hold]]:
    """Give, by node, the released holds among those it obeys that only its own document can end.

    A hold of an area in which the node stands is named there, unless it is in ``let_go``.
    """
    released = [
        hold
        for some in _pieces({hold_id for holds in obeyed.values() for hold_id in holds})
        for hold in await session.scalars(select(Hold).where(Hold.id.in_(some), Hold.released_at.is_not(None)))
    ]
    if not released:
        return {}
    tree = await read_tree(session)
    found: dict[str, list[Hold]] = {}
    for some in _pieces(obeyed):
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


def _pieces(ids: Iterable[str]) -> Iterable[list[str]]:
    listed = sorted(ids)
    return (listed[at : at + IN_LIST] for at in range(0, len(listed), IN_LIST))
