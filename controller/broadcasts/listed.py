"""The plays of a broadcast as a list: found and sorted by a few columns of each, and only a part is read whole."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.errors import NotFoundError
from controller.names import in_reading_order
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.paging import Wanted
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Sight
from controller.plays.models import Play
from controller.plays.schemas import PlayOut
from controller.plays.service import SHOWN, out
from controller.plays.unconfirmed import with_doubts
from controller.search import kept, words

from .models import Broadcast
from .repository import is_seen

Groups = Mapping[str, Collection[str]]
"""Outcomes and states that stand alike, in the order in which they are listed."""


class _Line(NamedTuple):
    """What a play is found and sorted by."""

    node_id: str
    name: str
    area_id: str
    code: str


class BroadcastPlays:
    """Finds the plays of a broadcast."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes) -> None:
        self._database, self._clock, self._live = database, clock, live

    async def find(self, actor: Actor, broadcast_id: str, wanted: Wanted, groups: Groups) -> list[str]:
        """Name the nodes in sight of all plays that are wanted, sorted by ``state`` (as groups), ``name`` or ``place``.

        Filter ``state``: a group. Words are those of the node's name and of its places.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen = await _sight(session, actor, broadcast_id)
            tree = await read_tree(session)
            code: ColumnElement[str] = func.coalesce(Play.outcome, Play.state)
            query = select(Node.id, Node.name, Node.area_id, code).join(Node, Node.id == Play.node_id)
            query = query.where(Play.broadcast_id == broadcast_id, seen.where(Node.area_id))
            if state := wanted.having.get("state"):
                query = query.where(code.in_(groups[state]))
            lines = [_Line(*row) for row in (await session.execute(query)).all()]
        return [line.node_id for line in _sorted(_named(lines, wanted.q, tree), wanted, groups, tree)]

    async def some(self, actor: Actor, broadcast_id: str, node_ids: Sequence[str]) -> list[PlayOut]:
        """Give the plays at those of these nodes that are in sight, in the order given: a part of a list.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen = await _sight(session, actor, broadcast_id)
            tree, row = await read_tree(session), await session.get_one(Broadcast, broadcast_id)
            found: dict[str, PlayOut] = {}
            query = select(*SHOWN).join(Node, Node.id == Play.node_id)
            query = query.where(Play.broadcast_id == broadcast_id, seen.where(Node.area_id))
            for some in in_pieces(node_ids):
                rows = (await session.execute(query.where(Play.node_id.in_(some)))).all()
                for play, name, area_id, kind, virtual in rows:
                    found[play.node_id] = out(play, name, kind, tree.path(area_id), virtual=virtual)
            shown = [found[node_id] for node_id in node_ids if node_id in found]
            return await with_doubts(session, self._live, row, shown, now=self._clock())


async def _sight(session: AsyncSession, actor: Actor, broadcast_id: str) -> Sight:
    seen = await rights.sight(session, actor)
    if not await is_seen(session, seen, broadcast_id):
        raise NotFoundError("there is no such broadcast", resource="broadcasts", id=broadcast_id[:64])
    return seen


def _named(lines: Sequence[_Line], query: str, tree: Tree) -> Sequence[_Line]:
    """Keep those whose names, or whose places' names, hold all words."""
    wanted = words(query)
    if not wanted:
        return lines
    places = {area_id: tree.path(area_id) for area_id in {line.area_id for line in lines}}
    return [line for line in lines if all(word in kept([line.name, *places[line.area_id]]) for word in wanted)]


def _sorted(lines: Sequence[_Line], wanted: Wanted, groups: Groups, tree: Tree) -> list[_Line]:
    order = {place.id: index for index, place in enumerate(tree.walk())}
    rank = {code: index for index, codes in enumerate(groups.values()) for code in codes}

    def key(line: _Line) -> tuple[Any, ...]:
        name, place = (in_reading_order(line.name), line.node_id), order[line.area_id]
        return {"name": (name, place), "place": (place, name)}.get(wanted.sort, (rank[line.code], place, name))

    return sorted(lines, key=key, reverse=wanted.down)
