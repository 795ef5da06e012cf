"""Whom a broadcast or a hold is for: scopes checked against the tree, and the nodes that they reach."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import in_pieces
from controller.errors import ForbiddenError, InvalidError, NotFoundError
from controller.nodes.models import Node
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import EVERYTHING, Act, Sight

from .repository import nodes_in, read_tree
from .rules import Tree
from .standing import standing, stands

MAX_SCOPES = 4096
"""As many as ``edge_agent.protocol.content.Approval`` takes."""


@dataclass(frozen=True)
class Targets:
    """Checked scopes, none inside another, and the nodes at or under them."""

    scopes: tuple[str, ...]
    nodes: tuple[Node, ...]
    tree: Tree

    @property
    def area_ids(self) -> frozenset[str]:
        """Areas in which whoever aims there needs the right."""
        stands = {f"nodes/{node.id}": node.area_id for node in self.nodes}
        return frozenset(stands.get(scope) or scope.removeprefix("areas/") for scope in self.scopes)

    @property
    def area_id(self) -> str | None:
        """The lowest area above all that is aimed at; None when there is none."""
        return self.tree.meeting(self.area_ids)

    def name(self, scope: str) -> str:
        """Give the name of a scope as people read it."""
        return scope_name(scope, self.tree, {node.id: node.name for node in self.nodes})


async def resolve(session: AsyncSession, wanted: Iterable[str], seen: Sight = EVERYTHING) -> Targets:
    """Check scopes and find their nodes; a scope inside another one is left out.

    Raises:
        InvalidError: none given, too many, or one that is not there.
        ForbiddenError: it lies above what is in sight.
    """
    tree = await read_tree(session)
    scopes = tuple(await check_scopes(session, tree, wanted, seen))
    return Targets(scopes, tuple(await nodes_in(session, tree, scopes, reports=False)), tree)


async def check_scopes(
    session: AsyncSession, tree: Tree, wanted: Iterable[str], seen: Sight = EVERYTHING
) -> dict[str, str]:
    """Check scopes without reading what lies under them, and say in which area each is.

    A scope inside another one is left out.

    Raises:
        InvalidError: none given, too many, or one that is not there; what is not in sight is not there.
        ForbiddenError: it lies above what is in sight.
    """
    scopes = tuple(dict.fromkeys(wanted))
    if not scopes:
        raise InvalidError("targets: choose at least one area or node", field="targets", problem="empty")
    if len(scopes) > MAX_SCOPES:
        raise InvalidError(f"targets: at most {MAX_SCOPES}", field="targets", problem="too_long", most=MAX_SCOPES)
    area_of = await areas_of(session, scopes)
    for scope in scopes:
        area_id = area_of.get(scope)
        if scope.startswith("areas/") and area_id in seen.above:
            raise ForbiddenError("targets: your role reaches what lies below this area only", area_id=area_id)
        if area_id is None or not tree.stands(area_id) or not seen.sees(area_id):
            raise InvalidError("targets: there is no such area or node", field="targets", problem="unknown")
    return {
        scope: area_of[scope] for scope in scopes if not _inside_another(scope, frozenset(scopes), tree, area_of[scope])
    }


async def require_place(session: AsyncSession, actor: Actor, act: Act, area_id: str) -> Tree:
    """Let somebody put something into an area, which stays there to the end of that; gives the tree.

    Raises:
        InvalidError: it is not there, or not known to them.
        ForbiddenError: they may not there.
    """
    seen = await rights.sight(session, actor)
    if not seen.knows(area_id) or not await stands(session, area_id):
        raise InvalidError("area_id: there is no such area", field="area_id", problem="unknown")
    await rights.require(session, actor, act, [area_id])
    return await read_tree(session)


async def tree_around(session: AsyncSession, seen: Sight, area_id: str, *, whole: bool = False) -> Tree:
    """Give the tree if somebody knows the area that they name; ``whole``: if what lies in it is in their sight.

    Raises:
        NotFoundError: there is none for them. A list of what is in it would be empty, and look as if all were well.
    """
    tree = await read_tree(session)
    if not tree.stands(area_id) or not (seen.sees(area_id) if whole else seen.knows(area_id)):
        raise NotFoundError("there is no such area", resource="areas", id=area_id[:64])
    return tree


async def areas_of(session: AsyncSession, scopes: Iterable[str], *, removed: bool = False) -> dict[str, str]:
    """Give the area of each scope; what was removed has none. With ``removed``, also of areas and nodes that were."""
    found = {scope: scope.removeprefix("areas/") for scope in scopes if scope.startswith("areas/")}
    if found and not removed:
        there = await standing(session, found.values())
        found = {scope: area_id for scope, area_id in found.items() if area_id in there}
    for some in in_pieces([scope.removeprefix("nodes/") for scope in scopes if scope.startswith("nodes/")]):
        query = select(Node.id, Node.area_id).where(Node.id.in_(some))
        if not removed:
            query = query.where(Node.removed_at.is_(None))
        found.update({f"nodes/{node_id}": area_id for node_id, area_id in await session.execute(query)})
    return found


async def node_names(session: AsyncSession, scopes: Iterable[str]) -> dict[str, str]:
    """Give the names of the nodes among scopes, for ``scope_name``; also of those that were."""
    found: dict[str, str] = {}
    for some in in_pieces([scope.removeprefix("nodes/") for scope in scopes if scope.startswith("nodes/")]):
        found |= dict((await session.execute(select(Node.id, Node.name).where(Node.id.in_(some)))).all())
    return found


def scope_name(scope: str, tree: Tree, node_names: dict[str, str]) -> str:
    """Give the name of an area or node; its id when it is gone."""
    kind, _, key = scope.partition("/")
    if kind == "areas":
        return tree.places[key].name if key in tree.places else key
    return node_names.get(key, key)


def _inside_another(scope: str, scopes: frozenset[str], tree: Tree, area_id: str) -> bool:
    chain = tree.chain(area_id)[1:] if scope.startswith("areas/") else tree.chain(area_id)
    return any(f"areas/{place.id}" in scopes for place in chain)
