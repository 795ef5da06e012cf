"""Nodes as lists: found, narrowed and sorted by how they stand now; and as spots on a map.

How nodes stand is in memory (``overview``); of a list only the rows of one page are read.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.db import Database
from controller.names import in_reading_order
from controller.overview.service import Overviews
from controller.overview.stands import Stand
from controller.paging import Found, Wanted, part_of
from controller.people.actor import Actor
from controller.people.rights import sight
from controller.search import matches

from .models import Node
from .rules import NodeKind, NodeStatus
from .schemas import MapOut, NodeOut, SpotOut
from .service import Nodes

UNWELL = "unwell"
"""Filter ``state``: something is wrong. Its other values are those of ``NodeStatus``, and the next."""
PLAYING = "playing"

_SILENT = frozenset({NodeStatus.OFFLINE, NodeStatus.NEVER_SEEN})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_Key = Callable[[Stand], Any]


class NodeLists:
    """Finds nodes."""

    def __init__(self, database: Database, nodes: Nodes, overviews: Overviews) -> None:
        self._database, self._nodes, self._overviews = database, nodes, overviews

    async def find(self, actor: Actor, wanted: Wanted) -> Found[NodeOut]:
        """Give one part of the nodes in sight. Sorted by ``need`` (what asks for a hand first), ``name`` or ``place``.

        Filters: ``area`` (there and below), ``state``, ``fault`` (a code), ``kind``.
        """
        part = part_of(await self.ids(actor, wanted), wanted)
        return Found(tuple(await self._nodes.some(actor, part.rows)), part.total)

    async def ids(self, actor: Actor, wanted: Wanted) -> list[str]:
        """Name all nodes of a list in their order, to be read in parts (``Nodes.some``)."""
        return [each.node.id for each in await self._sorted(actor, wanted)]

    async def _sorted(self, actor: Actor, wanted: Wanted) -> list[Stand]:
        stands = await self._overviews.stands(actor)
        async with self._database.reading() as session:
            tree = await read_tree(session)
            named = await _named(session, wanted.q)
        kept = [each for each in stands if named is None or each.node.id in named]
        if any(wanted.having.values()):
            area_id = wanted.having.get("area", "")
            there = tree.below(area_id) if area_id else tree.places.keys()
            kept = [each for each in kept if each.node.area_id in there and _fits(each, wanted.having)]
        order = {place.id: index for index, place in enumerate(tree.walk())}
        keys: Mapping[str, _Key] = {
            "need": lambda each: (*_need(each), order[each.node.area_id]),
            "name": lambda each: in_reading_order(each.node.name),
            "place": lambda each: order[each.node.area_id],
        }
        found = sorted(kept, key=lambda each: (in_reading_order(each.node.name), each.node.id))
        return sorted(found, key=keys.get(wanted.sort, keys["need"]), reverse=wanted.down)

    async def map(self, actor: Actor) -> MapOut:
        """Give all nodes in sight of which somebody said where they stand, what asks for a hand first."""
        found = sorted(await self._overviews.stands(actor), key=lambda each: (*_need(each), each.node.name))
        columns = (Node.id, Node.latitude, Node.longitude)
        async with self._database.reading() as session:
            seen = await sight(session, actor)
            query = select(*columns).where(
                Node.removed_at.is_(None), Node.latitude.is_not(None), Node.longitude.is_not(None)
            )
            rows = (await session.execute(query.where(seen.where(Node.area_id)))).all()
        placed = {key: (north, east) for key, north, east in rows if north is not None and east is not None}
        spots = tuple(_spot(each, *placed[each.node.id]) for each in found if each.node.id in placed)
        return MapOut(spots=spots, unplaced=len(found) - len(spots))


def _spot(stand: Stand, latitude: float, longitude: float) -> SpotOut:
    return SpotOut(
        id=stand.node.id,
        name=stand.node.name,
        area_id=stand.node.area_id,
        latitude=latitude,
        longitude=longitude,
        status=stand.status,
        since_at=stand.since_at,
        faults=tuple(code for code, _ in stand.faults),
        is_left=stand.is_left,
        is_playing=stand.playing is not None,
        is_held=stand.is_held,
        simulated=stand.simulated,
    )


async def _named(session: AsyncSession, query: str) -> frozenset[str] | None:
    """Give the nodes whose names hold all these words; None when there are no words."""
    if not query.strip():
        return None
    return frozenset(
        await session.scalars(select(Node.id).where(Node.removed_at.is_(None), matches(Node.search, query)))
    )


def _fits(stand: Stand, having: Mapping[str, str]) -> bool:
    state, fault, kind = (having.get(name, "") for name in ("state", "fault", "kind"))
    return (
        (not state or _is(stand, state))
        and (not fault or fault in {code for code, _ in stand.faults} | set(stand.looked_after))
        and (not kind or stand.node.kind == kind)
    )


def _is(stand: Stand, state: str) -> bool:
    if state == UNWELL:
        return stand.is_unwell
    if state == PLAYING:
        return stand.playing is not None
    return stand.status == state


def _need(stand: Stand) -> Sequence[Any]:
    """Sort what asks for a hand first: nobody looks after it, lost, the longest."""
    silent, unwell = stand.status in _SILENT, stand.is_unwell
    mute = stand.node.kind != NodeKind.AGENT
    return (not (unwell and stand.is_left), not unwell, mute, not silent, stand.since_at or _LONG_AGO)
