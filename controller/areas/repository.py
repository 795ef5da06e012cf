"""Areas and their nodes in SQL."""

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from controller.db import among, kept
from controller.nodes.models import Node
from controller.people.rights import Sight
from controller.policies.models import Policy

from .models import Area
from .rules import Place, Tree

_COLUMNS = (Area.id, Area.parent_id, Area.kind, Area.name, Area.zone, Area.quiet_hours, Area.languages, Area.removed_at)


async def read_tree(session: AsyncSession) -> Tree:
    """Read all areas: a province has a few thousand. What is read together has one tree."""
    known: dict[object, Tree] = kept(session)
    if read_tree not in known:
        known[read_tree] = await _read(session, select(*_COLUMNS), select(Policy))
    return known[read_tree]


async def read_branches(session: AsyncSession, area_ids: Collection[str]) -> Tree:
    """Read these areas and those above them: enough to name them in their order, and to say what holds there."""
    up = select(Area.id, Area.parent_id).where(among(Area.id, area_ids)).cte("up", recursive=True)
    up = up.union(select(Area.id, Area.parent_id).join(up, Area.id == up.c.parent_id))
    ids = select(up.c.id)
    there = select(*_COLUMNS).where(Area.id.in_(ids))
    return await _read(session, there, select(Policy).where(Policy.area_id.in_(ids)))


async def _read(session: AsyncSession, areas: Select[*tuple[Any, ...]], policies: Select[Policy]) -> Tree:
    said = {row.area_id: (row.rules, row.locked) for row in await session.scalars(policies)}
    places: list[Place] = []
    for *row, removed_at in await session.execute(areas):
        rules, locked = said.get(row[0], (None, ()))
        places.append(Place(*row)._replace(rules=rules, locked=locked, is_removed=removed_at is not None))
    return Tree(places)


async def count_nodes(session: AsyncSession, seen: Sight) -> dict[str, int]:
    """Give the number of nodes directly in each area in sight."""
    query = select(Node.area_id, func.count()).where(Node.removed_at.is_(None), seen.where(Node.area_id))
    return dict((await session.execute(query.group_by(Node.area_id))).all())


class Standing(NamedTuple):
    """A node, as far as it matters where it is."""

    id: str
    area_id: str


async def nodes_in(session: AsyncSession, tree: Tree, scopes: Iterable[str], *, reports: bool = True) -> list[Node]:
    """Give the nodes that the scopes reach, each once, ordered by id.

    Without ``reports`` their JSON columns are left out: decoding them takes longer than all the rest.
    """
    query = select(Node).where(Node.removed_at.is_(None))
    if not reports:
        query = query.options(defer(Node.abilities, raiseload=True), defer(Node.health, raiseload=True))
    found = {node.id: node for such in _reached(tree, scopes) for node in await session.scalars(query.where(such))}
    return [found[node_id] for node_id in sorted(found)]


async def standing_in(session: AsyncSession, tree: Tree, scopes: Iterable[str]) -> list[Standing]:
    """Give the same without more than where they stand."""
    query = select(Node.id, Node.area_id).where(Node.removed_at.is_(None))
    found = {Standing(*row) for such in _reached(tree, scopes) for row in await session.execute(query.where(such))}
    return sorted(found)


def _reached(tree: Tree, scopes: Iterable[str]) -> list[ColumnElement[bool]]:
    """Give the conditions under which a node is reached, each by an index."""
    areas: set[str] = set()
    nodes: set[str] = set()
    for scope in scopes:
        kind, _, key = scope.partition("/")
        if kind == "areas":
            areas |= tree.below(key)
        else:
            nodes.add(key)
    return [among(column, those) for column, those in ((Node.area_id, areas), (Node.id, nodes)) if those]
