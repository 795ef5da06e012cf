"""Whom a hold silences: the nodes at or under its scope, and those that obey it and stand elsewhere by now.

A node obeys until it hears of the release (promise P7), wherever it has been moved meanwhile. This module alone says
so: what is shown, foreseen, explained and reminded of all asks here.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.areas.targets import areas_of
from controller.db import in_pieces
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.people.rights import Sight

from .models import Hold


class Reach:
    """Whom one hold silences."""

    def __init__(self, tree: Tree, hold_id: str, scope: str) -> None:
        self.hold_id, self._scope = hold_id, scope
        self._below = tree.below(scope.removeprefix("areas/")) if scope.startswith("areas/") else frozenset[str]()

    def takes(self, node_id: str, area_id: str, obeyed: Collection[str]) -> bool:
        """Say whether it silences a node, by where that stands and by what it says that it obeys."""
        return area_id in self._below or self._scope == f"nodes/{node_id}" or self.hold_id in obeyed


async def obeyed_by(
    session: AsyncSession, live: LiveNodes | None, node_ids: Iterable[str]
) -> dict[str, frozenset[str]]:
    """Give the holds that nodes obey, as they say themselves; nodes that obey none are left out.

    Without ``live``, as their rows have it: some seconds old.
    """
    found: dict[str, frozenset[str]] = {}
    for some in in_pieces(list(node_ids)):
        query = select(Node.id, Node.health["holds"]).where(Node.id.in_(some), Node.removed_at.is_(None))
        for node_id, written in await session.execute(query):
            health = live.health(node_id) if live is not None else None
            if holds := (written if health is None else health.get("holds")):
                found[node_id] = frozenset(holds)
    return found


async def _obeyed_in_sight(session: AsyncSession, live: LiveNodes | None, seen: Sight) -> frozenset[str]:
    """Name the holds that nodes in sight obey, wherever those were ordered."""
    query = select(Node.id).where(Node.removed_at.is_(None), seen.where(Node.area_id))
    return frozenset().union(*(await obeyed_by(session, live, await session.scalars(query))).values())


async def reaching(
    session: AsyncSession, live: LiveNodes | None, seen: Sight, scopes: Mapping[str, str]
) -> frozenset[str]:
    """Name the holds that reach into what is in sight: ordered there or over it, or obeyed by a node there.

    ``scopes``: hold → scope. Without ``live``, obeyed as the rows have it: some seconds old.
    """
    areas = await areas_of(session, set(scopes.values()), removed=True)
    near = frozenset(
        hold_id
        for hold_id, scope in scopes.items()
        if seen.sees(areas.get(scope)) or (scope.startswith("areas/") and seen.knows(areas.get(scope)))
    )
    away = scopes.keys() - near
    return near | (await _obeyed_in_sight(session, live, seen) & away if away else frozenset())


async def silencing(
    session: AsyncSession, live: LiveNodes, tree: Tree, areas: Mapping[str, str], *, without: Collection[str] = ()
) -> dict[str, frozenset[str]]:
    """Give, by node, the holds that silence it; ``areas``: node → where it stands; ``without``: holds that will go."""
    query = select(Hold.id, Hold.scope).where(Hold.released_at.is_(None), Hold.id.not_in(without))
    standing = [Reach(tree, *row) for row in await session.execute(query)]
    if not standing:
        return {}
    obeyed = await obeyed_by(session, live, areas)
    found = {
        node_id: frozenset(each.hold_id for each in standing if each.takes(node_id, area_id, obeyed.get(node_id, ())))
        for node_id, area_id in areas.items()
    }
    return {node_id: holds for node_id, holds in found.items() if holds}
