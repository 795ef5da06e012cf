"""Takes a broadcast that has not begun out, within somebody's transaction, because another stands in its place."""

from datetime import datetime

from sqlalchemy import select

from controller.approvals import asking
from controller.db import Transaction
from controller.events import Event, Topic
from controller.plays import service as plays
from edge_agent.protocol.states import Outcome

from .models import Broadcast, BroadcastTarget


async def supersede(tx: Transaction, row: Broadcast, *, now: datetime) -> frozenset[str]:
    """Let it count no more, nor any yes to it; gives the scopes whose documents listed it, for the caller to mark."""
    row.superseded_at = now
    await asking.void(tx, f"broadcasts/{row.id}", now=now)
    # What awaited a yes stood in no document: no node can have it.
    ended = Outcome.CANCELLED if row.awaits_approval else Outcome.CANCEL_UNCONFIRMED
    await plays.cancel(tx, row.id, ended, now=now)
    await tx.session.flush()
    tx.tell(Event(Topic.BROADCAST, row.id))
    if row.awaits_approval:
        return frozenset()
    query = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id)
    return frozenset(await tx.session.scalars(query))
