"""Versions of one run: which of them stands in the place of another."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from .models import Broadcast


async def successor_of(session: AsyncSession, row: Broadcast) -> str | None:
    """Give the id of what took its place: the same date of its schedule, or the same run, edited; None: nothing did."""
    same = Broadcast.run_id == (row.run_id or row.id)
    if row.schedule_id is not None:
        its_date = Broadcast.recurrence_local == row.recurrence_local
        same = or_(same, (Broadcast.schedule_id == row.schedule_id) & its_date)
    query = select(Broadcast.id).where(same, Broadcast.id != row.id, Broadcast.superseded_at.is_(None))
    return await session.scalar(query.order_by(Broadcast.created_at.desc()).limit(1))
