"""Forgets old versions of signed documents, and plan bodies that none of those left names.

Every version ever signed would be 40 rows a day and node: plans are signed anew every 6 h. What was aired stays in
broadcasts, approvals, plays and receipts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import Database, Transaction, in_pieces
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node

from .models import Document, PlanBody, PlanVersion

KEPT = timedelta(days=31)
"""As long as nodes keep receipts: what a node tells late was told to it by a version that can be looked at."""
RENEWAL_KEPT = timedelta(days=1)
"""A plan that only renewed the lease of the one before says nothing more than that one."""
NAMES = 200
"""Names of versions in one query; each has four values."""
SCOPES = 100
"""Places looked at in one transaction: others write between two of them."""


class Name(NamedTuple):
    """Which version of which document."""

    scope: str
    word: str
    epoch: int
    version: int


class Kept(NamedTuple):
    """One version that there is."""

    name: Name
    body_sha256: str | None
    signed_at: datetime


def superfluous(versions: Iterable[Kept], needed: AbstractSet[Name], now: datetime) -> list[Kept]:
    """Name the versions that can go. ``needed`` are the current ones, and those that nodes hold."""
    found: list[Kept] = []
    last: Kept | None = None
    for each in sorted(versions):
        alike = last is not None and each.name[:2] == last.name[:2]
        renewal = alike and last is not None and each.body_sha256 is not None and each.body_sha256 == last.body_sha256
        if each.name not in needed and now - each.signed_at >= (RENEWAL_KEPT if renewal else KEPT):
            found.append(each)
        last = each
    return found


async def prune(database: Database, live: LiveNodes, now: datetime) -> int:
    """Forget what can go, some places at a time; gives how many versions went."""
    held, after, gone = await _held(database, live), "", 0
    while True:
        async with database.transaction() as tx:
            scopes = await _some(tx.session, after, now)
            gone += await _prune_some(tx, scopes, held, now)
        if len(scopes) < SCOPES:
            return gone
        after = scopes[-1]


async def _held(database: Database, live: LiveNodes) -> set[Name]:
    """Name the versions that nodes say they hold, also those of which nothing was heard for long."""
    found: set[Name] = set()
    after = ""
    while True:
        query = select(Node).where(Node.id > after).order_by(Node.id).limit(SCOPES)
        async with database.reading() as session:
            nodes = (await session.scalars(query)).all()
        for node in nodes:
            found.update(_names((live.over(node).health or {}).get("held", {})))
        if len(nodes) < SCOPES:
            return found
        after = nodes[-1].id


def _names(held: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterable[Name]:
    return (
        Name(scope, word, has["epoch"], has["version"]) for scope, words in held.items() for word, has in words.items()
    )


async def _some(session: AsyncSession, after: str, now: datetime) -> list[str]:
    query = (
        select(PlanVersion.scope)
        .where(PlanVersion.scope > after, PlanVersion.signed_at <= now - RENEWAL_KEPT)
        .order_by(PlanVersion.scope)
        .distinct()
        .limit(SCOPES)
    )
    return list(await session.scalars(query))


async def _prune_some(tx: Transaction, scopes: list[str], held: AbstractSet[Name], now: datetime) -> int:
    # Their documents are locked: a body that is signed anew at this moment is not taken for forgotten.
    rows = await tx.session.scalars(select(Document).where(Document.scope.in_(scopes)).with_for_update())
    current = {Name(row.scope, row.word, row.epoch or 0, row.version or 0) for row in rows}
    columns = (PlanVersion.scope, PlanVersion.word, PlanVersion.epoch, PlanVersion.version)
    query = select(*columns, PlanVersion.body_sha256, PlanVersion.signed_at).where(PlanVersion.scope.in_(scopes))
    there = [Kept(Name(*row[:4]), row[4], row[5]) for row in await tx.session.execute(query)]
    goes = superfluous(there, held | current, now)
    for some in in_pieces([each.name for each in goes], NAMES):
        await tx.session.execute(delete(PlanVersion).where(tuple_(*columns).in_(some)))
    await _forget_bodies(tx, there, goes)
    return len(goes)


async def _forget_bodies(tx: Transaction, there: Iterable[Kept], goes: Iterable[Kept]) -> None:
    """A body belongs to one place: it names its scope."""
    names: dict[str, set[Name]] = defaultdict(set)
    for each in there:
        if each.body_sha256 is not None:
            names[each.body_sha256].add(each.name)
    for each in goes:
        if each.body_sha256 is not None:
            names[each.body_sha256].discard(each.name)
    for some in in_pieces([sha256 for sha256, left in names.items() if not left]):
        await tx.session.execute(delete(PlanBody).where(PlanBody.sha256.in_(some)))
