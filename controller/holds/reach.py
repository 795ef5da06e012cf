"""Whom a hold silences: the nodes at or under its scope, and those that obey it and stand elsewhere by now.

A node obeys until it hears of the release (promise P7), wherever it has been moved meanwhile. This module alone says
so: what is shown, foreseen, explained, released and reminded of all asks here. What was found at nodes (``found``)
reaches those alone that it names: while it stands, as long as they stay in its place; its release goes after them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.areas.targets import areas_of
from controller.db import in_pieces
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.people.rights import Sight

from .models import Hold

CLAIMS = 32
"""Of the holds that a node says it obeys, so many are looked up: one for each of its areas, and some of before."""


def believed(said: Collection[str]) -> tuple[str, ...]:
    """Give those of the holds that a node says it obeys which are looked up: what it says is a claim, and costs us."""
    return tuple(islice(said, CLAIMS))


class Reach:
    """Whom one hold silences, or lets go."""

    def __init__(self, tree: Tree, hold: Hold) -> None:
        self.hold_id, self._wire_id, self._scope = hold.id, hold.wire_id, hold.scope
        self._named = frozenset(hold.nodes or ()) if hold.is_found else None
        self._is_over = hold.released_at is not None
        kind, _, key = hold.scope.partition("/")
        self._below = tree.below(key) if kind == "areas" else frozenset[str]()
        if self._named is not None:
            self._below = frozenset(area_id for area_id in self._below if tree.commune(area_id) == tree.commune(key))

    def takes(self, node_id: str, area_id: str, obeyed: Collection[str]) -> bool:
        """Say whether it silences a node, by where that stands and by what it says that it obeys."""
        if self._named is None:
            return self.covers(node_id, area_id) or self._wire_id in obeyed
        if node_id not in self._named:
            return False
        return self._wire_id in obeyed if self._is_over else self.covers(node_id, area_id)

    def covers(self, node_id: str, area_id: str) -> bool:
        """Say whether a node stands at or under its scope; of found silence, in its commune."""
        return self._scope == f"nodes/{node_id}" or area_id in self._below


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


async def _obeyed_in_sight(
    session: AsyncSession, live: LiveNodes | None, seen: Sight, holds: Sequence[Hold]
) -> frozenset[str]:
    """Name the holds that nodes in sight obey, wherever those were ordered."""
    tree = await read_tree(session)
    query = select(Node.id, Node.area_id).where(Node.removed_at.is_(None), seen.where(Node.area_id))
    stands = dict((await session.execute(query)).all())
    obeyed = await obeyed_by(session, live, stands)
    reaches = [Reach(tree, hold) for hold in holds]
    return frozenset(
        each.hold_id
        for each in reaches
        if any(each.takes(node_id, stands[node_id], those) for node_id, those in obeyed.items())
    )


async def reaching(session: AsyncSession, live: LiveNodes | None, seen: Sight, holds: Sequence[Hold]) -> frozenset[str]:
    """Name those of the holds that reach into what is in sight: ordered there or over it, or obeyed by a node there.

    Without ``live``, obeyed as the rows have it: some seconds old.
    """
    areas = await areas_of(session, {hold.scope for hold in holds}, removed=True)
    near = frozenset(
        hold.id
        for hold in holds
        if seen.sees(areas.get(hold.scope))
        or (hold.scope.startswith("areas/") and not hold.is_found and seen.knows(areas.get(hold.scope)))
    )
    away = [hold for hold in holds if hold.id not in near]
    return near | (await _obeyed_in_sight(session, live, seen, away) if away else frozenset())


async def silencing(
    session: AsyncSession, live: LiveNodes, tree: Tree, areas: Mapping[str, str], *, without: Collection[str] = ()
) -> dict[str, frozenset[str]]:
    """Give, by node, the holds that silence it; ``areas``: node → where it stands; ``without``: holds that will go."""
    query = select(Hold).where(Hold.released_at.is_(None), Hold.id.not_in(without))
    standing = [Reach(tree, hold) for hold in await session.scalars(query)]
    if not standing:
        return {}
    obeyed = await obeyed_by(session, live, areas)
    found = {
        node_id: frozenset(each.hold_id for each in standing if each.takes(node_id, area_id, obeyed.get(node_id, ())))
        for node_id, area_id in areas.items()
    }
    return {node_id: holds for node_id, holds in found.items() if holds}
