"""Areas and their nodes in SQL."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from controller.nodes.models import Node
from controller.policies.models import Policy

from .models import Area
from .rules import Place, Tree


async def read_tree(session: AsyncSession) -> Tree:
    """Read all areas: a province has a few thousand."""
    columns = (Area.id, Area.parent_id, Area.kind, Area.name, Area.zone, Area.quiet_hours, Area.languages)
    policies = {row.area_id: (row.rules, row.locked) for row in await session.scalars(select(Policy))}
    rows = await session.execute(select(*columns))
    return Tree(Place(*row, *policies.get(row.id, (None, ()))) for row in rows)


async def count_nodes(session: AsyncSession) -> dict[str, int]:
    """Give the number of nodes directly in each area."""
    query = select(Node.area_id, func.count()).where(Node.removed_at.is_(None)).group_by(Node.area_id)
    return dict((await session.execute(query)).all())


async def nodes_in(session: AsyncSession, tree: Tree, scopes: Iterable[str], *, reports: bool = True) -> list[Node]:
    """Give the nodes that the scopes reach, each once, ordered by id.

    Without ``reports`` their JSON columns are left out: decoding them takes longer than all the rest.
    """
    wanted = frozenset(scopes)
    areas: set[str] = set()
    for scope in wanted:
        kind, _, key = scope.partition("/")
        if kind == "areas":
            areas |= tree.below(key)
    # One pass over all nodes: a list of thousands of areas in an IN clause would pass SQLite's limits.
    query = select(Node).where(Node.removed_at.is_(None)).order_by(Node.id)
    if not reports:
        query = query.options(defer(Node.abilities, raiseload=True), defer(Node.health, raiseload=True))
    rows = await session.scalars(query)
    return [node for node in rows if node.area_id in areas or f"nodes/{node.id}" in wanted]
