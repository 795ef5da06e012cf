"""Receipts: play events as nodes report them, each stored once, and how far each store is known without gaps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from controller.db import Transaction
from controller.plays import service as plays
from controller.plays.models import Play
from edge_agent.protocol.reports import PlayEvent, Receipts

from .models import Receipt, ReceiptStore

IN_LIST = 200
"""Pairs in one query: below SQLite's limit of bound values."""


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
    merged = _merge(batch)
    known = await _through(tx.session, merged)
    fresh: dict[tuple[str, str], list[PlayEvent]] = {}
    results = []
    for key, events in merged.items():
        through, above = known.get(key, 0), await _above(tx.session, key, known.get(key, 0), events)
        fresh[key] = [events[seq] for seq in sorted(events) if seq > through and seq not in above]
        reached = _contiguous(through, above | {event.seq for event in fresh[key]})
        results.append(Stored(*key, reached, gap=max(above | set(events), default=0) > reached))
        await _keep(tx, key, fresh[key], reached, now)
    await _apply(tx, fresh, now)
    return results


def _merge(batch: Iterable[Receipts]) -> dict[tuple[str, str], dict[int, PlayEvent]]:
    """Join messages of one store; of two events with one number the first stays, as it would in the database."""
    merged: dict[tuple[str, str], dict[int, PlayEvent]] = {}
    for receipts in batch:
        events = merged.setdefault((receipts.iss, receipts.store_id), {})
        for event in receipts.events:
            events.setdefault(event.seq, event)
    return merged


async def _through(session: AsyncSession, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    wanted, found = list(keys), {}
    for some in (wanted[at : at + IN_LIST] for at in range(0, len(wanted), IN_LIST)):
        nodes = {node_id for node_id, _ in some}
        query = select(ReceiptStore.node_id, ReceiptStore.store_id, ReceiptStore.through_seq)
        for row in await session.execute(query.where(ReceiptStore.node_id.in_(nodes))):
            found[row.node_id, row.store_id] = row.through_seq
    return found


async def _above(session: AsyncSession, key: tuple[str, str], through: int, events: dict[int, PlayEvent]) -> set[int]:
    """Give the numbers beyond the known end that are stored already; only where there may be any."""
    if not any(seq > through for seq in events):
        return set()
    node_id, store_id = key
    query = select(Receipt.seq).where(Receipt.node_id == node_id, Receipt.store_id == store_id, Receipt.seq > through)
    return set(await session.scalars(query))


def _contiguous(through: int, there: set[int]) -> int:
    while through + 1 in there:
        through += 1
    return through


async def _keep(
    tx: Transaction, key: tuple[str, str], events: Sequence[PlayEvent], reached: int, now: datetime
) -> None:
    node_id, store_id = key
    insert = postgresql.insert if tx.session.get_bind().dialect.name == "postgresql" else sqlite.insert
    if events:
        rows = [_row(node_id, store_id, event, now) for event in events]
        await tx.session.execute(insert(Receipt).on_conflict_do_nothing(), rows)
    place = insert(ReceiptStore).values(node_id=node_id, store_id=store_id, through_seq=reached)
    await tx.session.execute(
        place.on_conflict_do_update(index_elements=["node_id", "store_id"], set_={"through_seq": reached})
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


async def _apply(tx: Transaction, fresh: dict[tuple[str, str], list[PlayEvent]], now: datetime) -> None:
    # One query for the plays of the whole batch: ``plays.apply`` then finds them in the session.
    broadcasts = sorted({event.broadcast_id for events in fresh.values() for event in events})
    nodes = {node_id for node_id, _ in fresh}
    held: list[Play] = []  # the session itself refers to them weakly
    for some in (broadcasts[at : at + IN_LIST] for at in range(0, len(broadcasts), IN_LIST)):
        query = select(Play).where(Play.broadcast_id.in_(some), Play.node_id.in_(nodes))
        held += (await tx.session.scalars(query)).all()
    for (node_id, _), events in fresh.items():
        for event in events:
            await plays.apply(tx, node_id, event, now)
    await tx.session.flush()
    del held
