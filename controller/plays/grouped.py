"""The plays of one broadcast by what became of them: counted by the database, and the first of each read.

A page of a broadcast to a whole province costs no more rows than one to a hamlet.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.db import in_pieces
from controller.names import in_reading_order
from controller.nodes.models import Node
from controller.people.rights import Sight
from edge_agent.protocol.states import PlayState

from .models import Play
from .schemas import PlayGroupsOut, PlayOut
from .seen import play_in_sight
from .service import SHOWN, out


async def grouped(
    session: AsyncSession, broadcast_id: str, seen: Sight, *, most: int, silent: Collection[str]
) -> PlayGroupsOut:
    """Give the plays at the nodes in sight; of ``silent`` nodes say which have not done their part."""
    tree = await read_tree(session)
    here = (Play.broadcast_id == broadcast_id, play_in_sight(seen))
    alike = (Play.outcome, Play.state)
    found = await session.execute(select(*alike, func.count()).where(*here).group_by(*alike))
    counts: Counter[str] = Counter()
    for outcome, state, count in found:
        counts[outcome or state] += count
    waiting: list[str] = []
    for some in in_pieces(sorted(silent)):
        names = select(Node.name).join(Play, Node.id == Play.node_id)
        waiting += await session.scalars(names.where(*here, Play.outcome.is_(None), Node.id.in_(some)))
    first = await _first(session, here, [*counts], most, tree)
    return PlayGroupsOut(counts=counts, first=tuple(first), waiting=tuple(sorted(waiting, key=in_reading_order)))


async def _first(
    session: AsyncSession, here: Sequence[ColumnElement[bool]], codes: Iterable[str], most: int, tree: Tree
) -> list[PlayOut]:
    """Read the first of each code, place by place."""
    by_place = select(Play.node_id).join(Node, Node.id == Play.node_id).where(*here)
    by_place = by_place.order_by(Node.area_id, Node.name, Node.id).limit(most)
    ids: list[str] = []
    for code in codes:
        is_open = code in set(PlayState)
        such = (Play.outcome.is_(None), Play.state == code) if is_open else (Play.outcome == code,)
        ids += await session.scalars(by_place.where(*such))
    order = {each.id: index for index, each in enumerate(tree.walk())}
    query = select(*SHOWN).join(Node, Node.id == Play.node_id).where(*here)
    rows = [row for some in in_pieces(ids) for row in await session.execute(query.where(Play.node_id.in_(some)))]
    rows.sort(key=lambda row: (order[row[2]], in_reading_order(row[1]), row[0].node_id))
    return [out(play, name, kind, tree.path(area_id), virtual=virtual) for play, name, area_id, kind, virtual in rows]
