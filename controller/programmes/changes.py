"""Tells that what a programme would sound like has changed: whatever was made from it has to be made anew."""

from sqlalchemy import select, update

from controller.db import Transaction
from controller.events import Event, Topic
from controller.schedules.models import Schedule

from .models import Programme, ProgrammeItem


async def programme_changed(tx: Transaction, programme_id: str) -> None:
    """Have the schedules that air it rolled anew, and tell whoever looks at it."""
    stale = update(Schedule).where(Schedule.programme_id == programme_id, Schedule.ended_at.is_(None))
    await tx.session.execute(stale.values(rolled_until=None))
    tx.tell(Event(Topic.PROGRAMME, programme_id))


async def bulletin_changed(tx: Transaction, bulletin_id: str) -> None:
    """Say the same of every programme in which a bulletin stands."""
    query = (
        select(ProgrammeItem.programme_id)
        .join(Programme, Programme.id == ProgrammeItem.programme_id)
        .where(ProgrammeItem.bulletin_id == bulletin_id, Programme.archived_at.is_(None))
        .distinct()
        .order_by(ProgrammeItem.programme_id)
    )
    for programme_id in (await tx.session.scalars(query)).all():
        await programme_changed(tx, programme_id)
