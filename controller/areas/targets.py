"""Whom a broadcast or a hold is for: scopes checked against the tree, and the nodes that they reach."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import in_pieces
from controller.errors import InvalidError
from controller.nodes.models import Node

from .repository import nodes_in, read_tree
from .rules import Tree

MAX_SCOPES = 4096
"""As many as ``edge_agent.protocol.content.Approval`` takes."""


@dataclass(frozen=True)
class Targets:
    """Checked scopes, none inside another, and the nodes at or under them."""

    scopes: tuple[str, ...]
    nodes: tuple[Node, ...]
    tree: Tree

    def name(self, scope: str) -> str:
        """Give the name of a scope as people read it."""
        return scope_name(scope, self.tree, {node.id: node.name for node in self.nodes})


async def resolve(session: AsyncSession, wanted: Iterable[str]) -> Targets:
    """Check scopes and find their nodes; a scope inside another one is left out.

    Raises:
        InvalidError: none given, too many, or one that is not there.
    """
    tree = await read_tree(session)
    scopes = await check_scopes(session, tree, wanted)
    return Targets(scopes, tuple(await nodes_in(session, tree, scopes, reports=False)), tree)


async def check_scopes(session: AsyncSession, tree: Tree, wanted: Iterable[str]) -> tuple[str, ...]:
    """Check scopes without reading what lies under them; a scope inside another one is left out.

    Raises:
        InvalidError: none given, too many, or one that is not there.
    """
    scopes = tuple(dict.fromkeys(wanted))
    if not scopes:
        raise InvalidError("targets: choose at least one area or node", field="targets", problem="empty")
    if len(scopes) > MAX_SCOPES:
        raise InvalidError(f"targets: at most {MAX_SCOPES}", field="targets", problem="too_long", most=MAX_SCOPES)
    area_of = await _areas_of(session, [scope.removeprefix("nodes/") for scope in scopes if scope.startswith("nodes/")])
    for scope in scopes:
        kind, _, key = scope.partition("/")
        known = (kind == "areas" and key in tree.places) or (kind == "nodes" and key in area_of)
        if not known:
            raise InvalidError("targets: there is no such area or node", field="targets", problem="unknown")
    return tuple(scope for scope in scopes if not _inside_another(scope, frozenset(scopes), tree, area_of))


async def _areas_of(session: AsyncSession, node_ids: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in in_pieces(node_ids):
        query = select(Node.id, Node.area_id).where(Node.id.in_(some), Node.removed_at.is_(None))
        found.update((await session.execute(query)).all())
    return found


def scope_name(scope: str, tree: Tree, node_names: dict[str, str]) -> str:
    """Give the name of an area or node; its id when it is gone."""
    kind, _, key = scope.partition("/")
    if kind == "areas":
        return tree.places[key].name if key in tree.places else key
    return node_names.get(key, key)


def _inside_another(scope: str, scopes: frozenset[str], tree: Tree, area_of: dict[str, str]) -> bool:
    kind, _, key = scope.partition("/")
    chain = tree.chain(key)[1:] if kind == "areas" else tree.chain(area_of[key])
    return any(f"areas/{place.id}" in scopes for place in chain)
