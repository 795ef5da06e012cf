"""The plays of one broadcast by what became of them: counted by the database, and the first of each read.

A page of a broadcast to a whole province costs no more rows than one to a hamlet.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.db import in_pieces
from controller.names import in_reading_order
from controller.nodes.models import Node
from controller.people.rights import Sight

from .models import Play
from .schemas import PlayGroupsOut, PlayOut
from .service import SHOWN, out


async def grouped(
    session: AsyncSession, broadcast_id: str, seen: Sight, *, most: int, silent: Collection[str]
) -> PlayGroupsOut:
    """Give the plays at the nodes in sight; of ``silent`` nodes say which have not done their part."""
    tree = await read_tree(session)
    here = (Play.broadcast_id == broadcast_id, seen.where(Node.area_id))
    code: ColumnElement[str] = func.coalesce(Play.outcome, Play.state)
    query = select(code, func.count()).join(Node, Node.id == Play.node_id).where(*here).group_by(code)
    counts = {str(each): count for each, count in await session.execute(query)}
    waiting: list[str] = []
    for some in in_pieces(sorted(silent)):
        names = select(Node.name).join(Play, Node.id == Play.node_id)
        waiting += await session.scalars(names.where(*here, Play.outcome.is_(None), Node.id.in_(some)))
    first = await _first(session, here, code, most, tree)
    return PlayGroupsOut(counts=counts, first=tuple(first), waiting=tuple(sorted(waiting, key=in_reading_order)))


async def _first(
    session: AsyncSession, here: Sequence[ColumnElement[bool]], code: ColumnElement[str], most: int, tree: Tree
) -> list[PlayOut]:
    """Read the first of each code, place by place."""
    place = func.row_number().over(partition_by=code, order_by=(Node.area_id, Node.name, Node.id))
    ranked = select(Play.node_id, place.label("place")).join(Node, Node.id == Play.node_id).where(*here).subquery()
    query = (
        select(*SHOWN)
        .join(Node, Node.id == Play.node_id)
        .join(ranked, ranked.c.node_id == Play.node_id)
        .where(*here, ranked.c.place <= most)
    )
    order = {each.id: index for index, each in enumerate(tree.walk())}
    rows = (await session.execute(query)).all()
    found = sorted(rows, key=lambda row: (order[row[2]], in_reading_order(row[1]), row[0].node_id))
    return [out(play, name, kind, tree.path(area_id), virtual=virtual) for play, name, area_id, kind, virtual in found]
