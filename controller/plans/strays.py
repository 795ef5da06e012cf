"""Nodes that obey a hold which no document of their areas names: they moved away, came back late, or no row knew it.

Their own hold document tells them: of its release, and of silence that was found as long as it stands, so that not even
a card that is wiped ends it.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.db import in_pieces
from controller.holds.models import Hold
from controller.holds.reach import Reach
from controller.nodes.models import Node


async def strays(
    session: AsyncSession, obeyed: Mapping[str, Collection[str]], let_go: AbstractSet[str]
) -> dict[str, list[Hold]]:
    """Give, by node of ``obeyed``, the holds that only its own document can end, or keeps.

    What was ordered for an area in which the node stands is named there, once released unless it is in ``let_go``.
    """
    wire_ids = {wire_id for holds in obeyed.values() for wire_id in holds}
    rows = [*await _standing(session), *await _released(session, wire_ids)]
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
                if (hold.is_found or hold.wire_id in obeyed[node_id])
                and each.takes(node_id, area_id, obeyed[node_id])
                and (hold.is_found or hold.scope not in told or hold.id in let_go)
            ]
            if own:
                found[node_id] = _silence_first(own)
    return found


async def _standing(session: AsyncSession) -> list[Hold]:
    """Read what was found and stands: named to its nodes whatever they say by now, so that no wiped card ends it."""
    return list(await session.scalars(select(Hold).where(Hold.released_at.is_(None), Hold.ordered_by.is_(None))))


async def _released(session: AsyncSession, wire_ids: Collection[str]) -> list[Hold]:
    return [
        hold
        for some in in_pieces(sorted(wire_ids))
        for hold in await session.scalars(select(Hold).where(Hold.wire_id.in_(some), Hold.released_at.is_not(None)))
    ]


def _silence_first(holds: list[Hold]) -> list[Hold]:
    """Leave out the release of what another row keeps: to a node a release says more."""
    kept = {hold.wire_id for hold in holds if hold.released_at is None}
    return [hold for hold in holds if hold.released_at is None or hold.wire_id not in kept]
