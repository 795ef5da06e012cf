"""Silence that no row knows: ordered after the copy was made from which the rows were put back, and obeyed ever since.

A node obeys until a release names the hold. So what it says that it obeys becomes a row, which stands on every screen
of its place and is released there like any other. What a node says is a claim, and nodes hear of each other's holds: so
there is a row for each commune, which reaches those of its nodes alone that obey (decision 0037).
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

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
from .reach import CLAIMS, Reach, believed

FOUND = "holds.found"
"""In the audit."""
MOST = 16
"""That stand at one scope: what a node says is a claim, and one that makes holds up silences nobody but itself."""
AT_ONCE = 16
"""Rows in one transaction, for which a STOP may have to wait."""

_SYSTEM = Actor(None, "holds")
_log = logging.getLogger(__name__)


@dataclass
class Claims:
    """What became of holds without a row that nodes say they obey."""

    taken: list[str] = field(default_factory=list)
    """Ids of rows."""
    refused: Counter[str] = field(default_factory=Counter)
    """Node → how many there was no room for, or that nobody looked at."""


@dataclass
class _Claim:
    """A hold without a row that takes the nodes of one commune who say that they obey it."""

    wire_id: str
    nodes: dict[str, str] = field(default_factory=dict)
    """Node → its area."""
    known: Hold | None = None
    """A row of that commune that stands and does not take them yet."""


class _Row(NamedTuple):
    """What is to be written for a claim."""

    claim: _Claim
    scope: str
    area_id: str
    nodes: frozenset[str]


async def take_up(database: Database, obeyed: Mapping[str, Collection[str]], now: datetime) -> Claims:
    """Write down the holds that nodes obey and no row knows. ``obeyed``: node → holds.

    A row grows to the smallest area around all of its commune who obey: nodes come back one by one. Whatever has no
    room is only read for, and of much at once the rest comes with the next reports: a STOP waits for no claim.
    """
    claims = Claims(refused=Counter({node_id: len(said) - CLAIMS for node_id, said in obeyed.items()}))
    claims.refused = +claims.refused
    said = {node_id: believed(those) for node_id, those in obeyed.items()}
    async with database.reading() as session:
        rows = await _wanted(session, await read_tree(session), said, claims.refused)
    if not rows:
        return claims
    async with database.transaction() as tx:
        for row in (await _wanted(tx.session, await read_tree(tx.session), said, Counter()))[:AT_ONCE]:
            claims.taken.append(await _write(tx, row, now))
    return claims


async def _wanted(
    session: AsyncSession, tree: Tree, obeyed: Mapping[str, Collection[str]], refused: Counter[str]
) -> list[_Row]:
    """Say which rows are to be written, as far as there is room for them; count what is ``refused``, by node."""
    claims = await _unknown(session, tree, obeyed)
    if not claims:
        return []
    found = Hold.ordered_by.is_(None) & Hold.released_at.is_(None)
    counts = select(Hold.scope, func.count()).where(found).group_by(Hold.scope)
    standing = Counter(dict((await session.execute(counts)).all()))
    own = await areas_of(session, {claim.known.scope for claim in claims if claim.known is not None})
    rows = []
    for claim in claims:
        written = _rows_of(tree, claim, own, standing)
        refused.update(claim.nodes.keys() - {node_id for row in written for node_id in row.nodes})
        rows += written
    return rows


def _rows_of(tree: Tree, claim: _Claim, own: Mapping[str, str], standing: Counter[str]) -> list[_Row]:
    """Have one row take all of them; where there is no room for it, each node has its own as long as it has room."""
    areas = set(claim.nodes.values())
    if claim.known is not None:
        areas.add(own[claim.known.scope])
    together = tree.meeting(sorted(areas))
    if together is not None and (claim.known is not None or len(claim.nodes) > 1):
        scope = f"areas/{together}"
        stays = claim.known is not None and claim.known.scope == scope
        if stays or standing[scope] < MOST:
            if claim.known is not None:
                standing[claim.known.scope] -= 1
            standing[scope] += 1
            return [_Row(claim, scope, together, frozenset(claim.nodes))]
        claim.known = None
    rows = []
    for node_id, area_id in claim.nodes.items():
        scope = f"nodes/{node_id}"
        if standing[scope] < MOST:
            standing[scope] += 1
            rows.append(_Row(claim, scope, area_id, frozenset({node_id})))
    return rows


async def _unknown(session: AsyncSession, tree: Tree, obeyed: Mapping[str, Collection[str]]) -> list[_Claim]:
    rows = await _rows(session, {wire_id for said in obeyed.values() for wire_id in said})
    # An order is for all who obey it, wherever they stand by now.
    ordered = {wire_id for wire_id, those in rows.items() if any(not hold.is_found for hold in those)}
    said = {node_id: sorted(set(wire_ids) - ordered) for node_id, wire_ids in obeyed.items()}
    places = await areas_of(session, {f"nodes/{node_id}" for node_id, wire_ids in said.items() if wire_ids})
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


async def _write(tx: Transaction, row: _Row, now: datetime) -> str:
    claim, hold = row.claim, row.claim.known
    for other in (await _rows(tx.session, {claim.wire_id}))[claim.wire_id]:
        if other is not hold:  # who was moved is named where it stands now
            other.nodes = sorted(set(other.nodes or ()) - row.nodes)
    if hold is None:
        hold = Hold(id=new_id(), wire_id=claim.wire_id, ordered_by=None, ordered_at=now)
        tx.session.add(hold)
    hold.scope, hold.nodes = row.scope, sorted({*(hold.nodes or ()), *row.nodes})
    await tx.session.flush()
    detail = {"scope": row.scope, "wire_id": claim.wire_id}
    await audit.write(tx, _SYSTEM, FOUND, f"holds/{hold.id}", detail, at=now, area_id=row.area_id)
    tx.tell(Event(Topic.HOLD, hold.id))
    _log.warning("%s obeys a hold that no row knows; it can be released on its page now", row.scope)
    return hold.id
