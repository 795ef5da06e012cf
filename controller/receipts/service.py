"""Receipts: play events as nodes report them, each stored once, and how far each store is known without gaps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec
from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import Transaction
from controller.plays import service as plays
from edge_agent.protocol.reports import PlayEvent, Receipts

from .models import Receipt, ReceiptStore

IN_LIST = 200
"""Pairs in one query: below SQLite's limit of bound values."""


_Key = tuple[str, str]
_Fresh = dict[_Key, list[PlayEvent]]

_receipts = cast("Table", Receipt.__table__)
_stores = cast("Table", ReceiptStore.__table__)


class _Reach(NamedTuple):
    """Up to where a store is known without gaps, and its highest number."""

    through: int
    last: int


@dataclass(frozen=True)
class Stored:
    """How far a store of a node is known."""

    node_id: str
    store_id: str
    through_seq: int
    """Everything up to here is in the database."""
    gap: bool
    """Something above is there too: what lies between is missing."""


async def store(tx: Transaction, batch: Sequence[Receipts], now: datetime) -> list[Stored]:
    """Store a batch, whose signatures were checked, and move the plays on; give where each store stands now.

    What was stored before changes nothing and is acknowledged again.
    """
    merged, kept_from = _merge(batch), _kept_from(batch)
    known = await _known(tx.session, merged)
    fresh: dict[_Key, list[PlayEvent]] = {}
    reached: dict[_Key, _Reach] = {}
    for key, events in merged.items():
        reach = known.get(key, _Reach(0, 0))
        # Only behind a gap may there be numbers that the reach does not tell of.
        above = await _above(tx.session, key, reach.through) if reach.last > reach.through else set()
        fresh[key] = [events[seq] for seq in sorted(events) if seq > reach.through and seq not in above]
        there = above | {event.seq for event in fresh[key]}
        through = _contiguous(max(reach.through, kept_from[key] - 1), there)
        reached[key] = _Reach(through, max(there | {reach.last, through}))
    await _keep(tx, fresh, reached, now)
    await plays.apply_many(tx, ((node_id, event) for (node_id, _), events in fresh.items() for event in events), now)
    return [Stored(*key, reach.through, gap=reach.last > reach.through) for key, reach in reached.items()]


def _merge(batch: Iterable[Receipts]) -> dict[_Key, dict[int, PlayEvent]]:
    """Join messages of one store; of two events with one number the first stays, as it would in the database."""
    merged: dict[_Key, dict[int, PlayEvent]] = {}
    for receipts in batch:
        events = merged.setdefault((receipts.iss, receipts.store_id), {})
        for event in receipts.events:
            events.setdefault(event.seq, event)
    return merged


def _kept_from(batch: Iterable[Receipts]) -> dict[_Key, int]:
    """Give the lowest number that each store still keeps. What lies below and is not here was lost; nobody waits."""
    found: dict[_Key, int] = {}
    for receipts in batch:
        key = receipts.iss, receipts.store_id
        lowest = min(event.seq for event in receipts.events)  # what it sends, it keeps
        found[key] = max(found.get(key, 1), min(receipts.kept_from_seq, lowest))
    return found


async def _known(session: AsyncSession, keys: Iterable[_Key]) -> dict[_Key, _Reach]:
    nodes, found = sorted({node_id for node_id, _ in keys}), {}
    for some in (nodes[at : at + IN_LIST] for at in range(0, len(nodes), IN_LIST)):
        query = select(ReceiptStore.node_id, ReceiptStore.store_id, ReceiptStore.through_seq, ReceiptStore.last_seq)
        for row in await session.execute(query.where(ReceiptStore.node_id.in_(some))):
            found[row.node_id, row.store_id] = _Reach(row.through_seq, row.last_seq)
    return found


async def _above(session: AsyncSession, key: _Key, through: int) -> set[int]:
    node_id, store_id = key
    query = select(Receipt.seq).where(Receipt.node_id == node_id, Receipt.store_id == store_id, Receipt.seq > through)
    return set(await session.scalars(query))


def _contiguous(through: int, there: set[int]) -> int:
    while through + 1 in there:
        through += 1
    return through


async def _keep(tx: Transaction, fresh: _Fresh, reached: dict[_Key, _Reach], now: datetime) -> None:
    insert = postgresql.insert if tx.session.get_bind().dialect.name == "postgresql" else sqlite.insert
    connection = await tx.session.connection()  # below the ORM: nobody needs these rows as objects
    rows = [_row(*key, event, now) for key, events in fresh.items() for event in events]
    if rows:
        await connection.execute(insert(_receipts).on_conflict_do_nothing(), rows)
    places = [
        {"node_id": node_id, "store_id": store_id, "through_seq": reach.through, "last_seq": reach.last}
        for (node_id, store_id), reach in reached.items()
    ]
    place = insert(_stores)
    newer = {"through_seq": place.excluded.through_seq, "last_seq": place.excluded.last_seq}
    if places:
        await connection.execute(
            place.on_conflict_do_update(index_elements=["node_id", "store_id"], set_=newer), places
        )


def _row(node_id: str, store_id: str, event: PlayEvent, now: datetime) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "store_id": store_id,
        "seq": event.seq,
        "broadcast_id": event.broadcast_id,
        "event": msgspec.to_builtins(event),
        "at": event.at,
        "stored_at": now,
    }
