"""Takes a broadcast back, within somebody's transaction: out of what nodes are told, and silent where it sounds."""

from datetime import datetime

from sqlalchemy import select

from controller.approvals import asking
from controller.audit import service as audit
from controller.db import Transaction
from controller.events import Event, Topic
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.plans.service import Documents
from controller.plays import service as plays
from edge_agent.protocol.states import Outcome
from edge_agent.protocol.topics import Word

from .models import Broadcast, BroadcastTarget


async def stop(tx: Transaction, documents: Documents, row: Broadcast, *, by: str | None, now: datetime) -> int:
    """Cancel it and mark its documents; gives how many plays were open. 0: it was over, and nothing is changed."""
    if row.cancelled_at is not None or row.latest_end_at <= now:
        return 0
    # What awaits a yes stands in no document: no node can have it.
    ended = Outcome.CANCELLED if row.awaits_approval else Outcome.CANCEL_UNCONFIRMED
    still_open = await plays.cancel(tx, row.id, ended, now=now)
    if not still_open:
        return 0
    row.cancelled_at, row.cancelled_by = now, by
    await asking.close(tx, f"broadcasts/{row.id}", now=now)
    if row.awaits_approval:
        return still_open
    query = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id)
    for scope in sorted(await tx.session.scalars(query)):
        for word in (Word.PLAN, Word.URGENT):  # the stop stands in the urgent, whatever listed it
            await documents.touch(tx, scope, word)
    return still_open


async def note(tx: Transaction, actor: Actor, row: Broadcast, still_open: int, *, now: datetime) -> None:
    """Write the audit of what was cancelled, after all documents are marked, and tell whoever looks."""
    detail, subject = {"title": row.title, "plays": still_open}, f"broadcasts/{row.id}"
    await audit.write(tx, actor, Act.BROADCASTS_CANCEL, subject, detail, at=now, area_id=row.area_id)
    tx.tell(Event(Topic.BROADCAST, row.id))
