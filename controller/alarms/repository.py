"""Alarms in SQL: who is told of which."""

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.holds.models import Hold
from controller.holds.reach import reaching
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act

from .models import Alarm


async def told_to(session: AsyncSession, actor: Actor) -> ColumnElement[bool]:
    """Give the condition under which somebody is told of an alarm: it is of a place that they look after.

    While a hold stands, also whoever looks after a node that it silences, wherever it was ordered; they do not
    acknowledge it for those who can release it.
    """
    places = await rights.reach(session, actor, Act.ALARMS_ACKNOWLEDGE)
    standing = await session.scalars(select(Hold).where(Hold.released_at.is_(None)))
    silent = await reaching(session, None, places, standing.all())
    return or_(places.where(Alarm.area_id), Alarm.subject.in_([f"holds/{hold_id}" for hold_id in sorted(silent)]))
