"""Silence that no row knows: ordered after the copy was made from which the rows were put back, and obeyed ever since.

A node obeys until a release names the hold. So what it says that it obeys becomes a row, which stands on every screen
of its place and is released there like any other. What a node says is a claim, and nodes hear of each other's holds: so
there is a row for each commune, which reaches those of its nodes alone that obey (decision 0037).
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.areas.targets import areas_of
from controller.audit import service as audit
from controller.db import Database, Transaction, in_pieces
from controller.events import Event, Topic
from controller.ids import new_id
from controller.people.actor import Actor

from .models import Hold
from .reach import Reach

FOUND = "holds.found"
"""In the audit."""
MOST = 16
"""That stand at one scope: what a node says is a claim, and one that makes holds up silences nobody but itself."""

_SYSTEM = Actor(None, "holds")
_log = logging.getLogger(__name__)


@dataclass
class _Claim:
    """A hold without a row that takes the nodes of one commune who say that they obey it."""

    wire_id: str
    nodes: dict[str, str] = field(default_factory=dict)
    """Node → its area."""
    known: Hold | None = None
    """A row of that commune that stands and does not take them yet."""


async def take_up(database: Database, obeyed: Mapping[str, Collection[str]], now: datetime) -> list[str]:
    """Write down the holds that nodes obey and no row knows; give the ids of the rows. ``obeyed``: node → holds.

    A row grows to the smallest area around all of its commune who obey: nodes come back one by one.
    """
    async with database.reading() as session:
        if not await _unknown(session, obeyed):
            return []
    async with database.transaction() as tx:
        tree = await read_tree(tx.session)
        taken = []
        for claim in await _unknown(tx.session, obeyed):
            taken += await _take_up(tx, tree, claim, now)
    return taken


async def _unknown(session: AsyncSession, obeyed: Mapping[str, Collection[str]]) -> list[_Claim]:
    rows = await _rows(session, {wire_id for said in obeyed.values() for wire_id in said})
    # An order is for all who obey it, wherever they stand by now.
    ordered = {wire_id for wire_id, those in rows.items() if any(not hold.is_found for hold in those)}
    said = {node_id: sorted(set(wire_ids) - ordered) for node_id, wire_ids in obeyed.items()}
    places = await areas_of(session, {f"nodes/{node_id}" for node_id, wire_ids in said.items() if wire_ids})
    if not places:
        return []
    tree = await read_tree(session)
    own = await areas_of(session, {hold.scope for those in rows.values() for hold in those})
    claims: dict[tuple[str, str], _Claim] = {}
    reach = {wire_id: [Reach(tree, hold) for hold in those] for wire_id, those in rows.items()}
    for scope in sorted(places):
        node_id, area_id = scope.removeprefix("nodes/"), places[scope]
        for wire_id in said[node_id]:
            if not any(each.takes(node_id, area_id, (wire_id,)) for each in reach.get(wire_id, ())):
                key = (wire_id, tree.commune(area_id))
                claims.setdefault(key, _Claim(wire_id)).nodes[node_id] = area_id
    for (wire_id, commune), claim in claims.items():
        standing = (hold for hold in rows.get(wire_id, ()) if hold.released_at is None and hold.scope in own)
        claim.known = next((hold for hold in standing if tree.commune(own[hold.scope]) == commune), None)
    return [claims[key] for key in sorted(claims)]


async def _rows(session: AsyncSession, wire_ids: Collection[str]) -> dict[str, list[Hold]]:
    """Give the rows of holds by what nodes call them."""
    found: dict[str, list[Hold]] = defaultdict(list)
    for some in in_pieces(sorted(wire_ids)):
        for hold in await session.scalars(select(Hold).where(Hold.wire_id.in_(some)).order_by(Hold.id)):
            found[hold.wire_id].append(hold)
    return found


async def _take_up(tx: Transaction, tree: Tree, claim: _Claim, now: datetime) -> list[str]:
    """Have one row take all of them; where there is no room for it, each node has its own as long as it has room."""
    areas = set(claim.nodes.values())
    if claim.known is not None:
        areas |= set((await areas_of(tx.session, [claim.known.scope])).values())
    together = tree.meeting(sorted(areas))
    alone = [f"nodes/{node_id}" for node_id in claim.nodes]
    if together is not None and (claim.known is not None or len(alone) > 1):
        if await _found_at(tx.session, f"areas/{together}") < MOST:
            return [await _write(tx, claim, f"areas/{together}", together, now)]
        claim.known = None
    return [
        await _write(tx, claim, scope, claim.nodes[scope.removeprefix("nodes/")], now)
        for scope in alone
        if await _found_at(tx.session, scope) < MOST
    ]


async def _found_at(session: AsyncSession, scope: str) -> int:
    found = (Hold.scope == scope) & Hold.ordered_by.is_(None) & Hold.released_at.is_(None)
    return await session.scalar(select(func.count()).where(found)) or 0


async def _write(tx: Transaction, claim: _Claim, scope: str, area_id: str, now: datetime) -> str:
    hold = claim.known
    if hold is None:
        hold = Hold(id=new_id(), wire_id=claim.wire_id, ordered_by=None, ordered_at=now)
        tx.session.add(hold)
    hold.scope = scope
    await tx.session.flush()
    detail = {"scope": scope, "wire_id": claim.wire_id}
    await audit.write(tx, _SYSTEM, FOUND, f"holds/{hold.id}", detail, at=now, area_id=area_id)
    tx.tell(Event(Topic.HOLD, hold.id))
    _log.warning("%s obeys a hold that no row knows; it can be released on its page now", scope)
    return hold.id
