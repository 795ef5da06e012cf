"""Plays in the database: planned with their broadcast, moved on by what nodes report, swept when nothing comes."""

import dataclasses
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.db import Transaction
from controller.events import Event, Topic
from controller.names import in_reading_order
from controller.nodes.models import Node
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import Outcome, PlayState, Reason

from .models import Play
from .rules import UNKNOWN_AFTER, PlayFacts, advance
from .schemas import PlayOut


async def plan(tx: Transaction, broadcast_id: str, node_ids: Iterable[str], *, now: datetime) -> None:
    """Write a planned play for each node, in the transaction that makes the broadcast."""
    rows = [
        {
            "broadcast_id": broadcast_id,
            "node_id": node_id,
            "state": PlayState.PLANNED,
            "simulated": False,
            "updated_at": now,
        }
        for node_id in node_ids
    ]
    if rows:
        await tx.session.execute(insert(Play), rows)


async def join(tx: Transaction, node_id: str, scopes: Collection[str], *, now: datetime) -> None:
    """Plan the coming broadcasts of a node that was adopted or moved: it will find them in its areas' plans."""
    query = (
        select(Broadcast.id)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(BroadcastTarget.scope.in_(scopes))
        .where(Broadcast.cancelled_at.is_(None), Broadcast.latest_start_at > now)
        .distinct()
    )
    listed = set(await tx.session.scalars(query))
    known = set(await tx.session.scalars(select(Play.broadcast_id).where(Play.node_id == node_id)))
    for broadcast_id in sorted(listed - known):
        await plan(tx, broadcast_id, [node_id], now=now)
        tx.tell(Event(Topic.PLAY, broadcast_id, node_id))


async def apply(tx: Transaction, node_id: str, event: PlayEvent, now: datetime) -> bool:
    """Take in one play event of a node, whose signature was checked; say whether it changed anything.

    A node moves its own plays only; what it says of a broadcast that was not meant for it stays a receipt.
    """
    row = await tx.session.get(Play, (event.broadcast_id, node_id))
    if row is None:
        return False
    before = _facts(row)
    after = advance(before, event)
    if after == before:
        return False
    for field in dataclasses.fields(PlayFacts):
        setattr(row, field.name, getattr(after, field.name))
    row.updated_at = now
    tx.tell(Event(Topic.PLAY, event.broadcast_id, node_id))
    return True


async def sweep(tx: Transaction, now: datetime) -> int:
    """Write ``unknown`` where no report came; gives how many. A later report replaces it."""
    query = (
        select(Play)
        .join(Broadcast, Broadcast.id == Play.broadcast_id)
        .where(Play.outcome.is_(None), Broadcast.latest_end_at < now - UNKNOWN_AFTER)
    )
    overdue = (await tx.session.scalars(query)).all()
    for play in overdue:
        play.outcome, play.updated_at = Outcome.UNKNOWN, now
    for broadcast_id in sorted({play.broadcast_id for play in overdue}):
        tx.tell(Event(Topic.BROADCAST, broadcast_id))
    return len(overdue)


async def cancel(tx: Transaction, broadcast_id: str, *, now: datetime) -> int:
    """Mark what has no outcome as cancelled but unconfirmed, until the node says what it did; gives how many."""
    query = select(Play).where(Play.broadcast_id == broadcast_id, Play.outcome.is_(None))
    open_plays = (await tx.session.scalars(query)).all()
    for play in open_plays:
        play.outcome, play.updated_at = Outcome.CANCEL_UNCONFIRMED, now
    return len(open_plays)


async def of_broadcast(session: AsyncSession, broadcast_id: str) -> list[PlayOut]:
    """Give the plays of one broadcast, area by area."""
    tree = await read_tree(session)
    order = {place.id: index for index, place in enumerate(tree.walk())}
    columns = (Play, Node.name, Node.area_id)
    query = select(*columns).join(Node, Node.id == Play.node_id).where(Play.broadcast_id == broadcast_id)
    rows = (await session.execute(query)).all()
    found = sorted(rows, key=lambda row: (order[row[2]], in_reading_order(row[1]), row[0].node_id))
    return [_out(play, name, tree.path(area_id)) for play, name, area_id in found]


def _facts(row: Play) -> PlayFacts:
    return PlayFacts(
        state=PlayState(row.state),
        outcome=Outcome(row.outcome) if row.outcome else None,
        reason=Reason(row.reason) if row.reason else None,
        interrupted_by=row.interrupted_by,
        item=row.item,
        started_at=row.started_at,
        start_error_ms=row.start_error_ms,
        requested_ms=row.requested_ms,
        played_ms=row.played_ms,
        underruns=row.underruns,
        grade=row.grade,
        simulated=row.simulated,
    )


def _out(play: Play, node_name: str, area_path: tuple[str, ...]) -> PlayOut:
    facts = dataclasses.asdict(_facts(play))
    facts.pop("item")
    return PlayOut(
        broadcast_id=play.broadcast_id,
        node_id=play.node_id,
        node_name=node_name,
        area_path=area_path,
        updated_at=play.updated_at,
        **facts,
    )
