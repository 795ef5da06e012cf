"""Ends what nobody approved in time: visibly, and with its reason."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.broadcasts.models import Broadcast
from controller.db import Transaction
from controller.events import Event, Topic
from controller.people.actor import Actor
from controller.plays import service as plays
from controller.plays.models import Play
from edge_agent.protocol.states import Outcome, Reason

from . import asking

EXPIRE_S = 20
EXPIRE = "expire-approvals"
ACT = "approvals.expire"
SYSTEM = Actor(None, "approvals")


async def too_late(session: AsyncSession, now: datetime) -> list[str]:
    """Name the broadcasts that still await a yes, and can no longer begin."""
    still_open = select(Play.node_id).where(Play.broadcast_id == Broadcast.id, Play.outcome.is_(None)).exists()
    query = (
        select(Broadcast.id)
        .where(Broadcast.awaits_approval.is_(True), Broadcast.latest_start_at < now, still_open)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .order_by(Broadcast.id)
    )
    return list(await session.scalars(query))


async def end(tx: Transaction, broadcast_id: str, *, now: datetime) -> None:
    """Say of every node that it missed this because nobody approved it, and ask no more."""
    row = await tx.session.get_one(Broadcast, broadcast_id)
    missed = await plays.cancel(tx, row.id, Outcome.MISSED, Reason.NOT_APPROVED, now=now)
    subject = f"broadcasts/{row.id}"
    await asking.close(tx, subject, now=now)
    detail = {"title": row.title, "plays": missed}
    await audit.write(tx, SYSTEM, ACT, subject, detail, at=now, area_id=row.area_id)
    tx.tell(Event(Topic.BROADCAST, row.id))
