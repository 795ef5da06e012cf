"""Alarms in SQL: who is told of which."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.holds.models import Hold
from controller.holds.reach import reaching
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import NOTHING, Act

from .models import Alarm

OF_SCHEDULES = "schedules."
"""Kinds of what whoever may write the schedule there can mend."""


async def told_to(session: AsyncSession, actor: Actor) -> ColumnElement[bool]:
    """Give the condition under which somebody is told of an alarm: it is of a place that they look after.

    Of schedules also whoever may write them there. While a hold stands, also whoever looks after a node that it
    silences, wherever it was ordered; they do not acknowledge it for those who can release it.
    """
    places = await rights.reach(session, actor, Act.ALARMS_ACKNOWLEDGE)
    planning = await rights.reach(session, actor, Act.SCHEDULES_WRITE)
    standing = await session.scalars(select(Hold).where(Hold.released_at.is_(None)))
    silent = await reaching(session, None, places, standing.all())
    return or_(
        places.where(Alarm.area_id),
        and_(Alarm.kind.startswith(OF_SCHEDULES), planning.where(Alarm.area_id)),
        Alarm.subject.in_([f"holds/{hold_id}" for hold_id in sorted(silent)]),
    )


async def looked_after(session: AsyncSession, actor: Actor) -> Callable[[Alarm], bool]:
    """Tell of which alarms somebody may say that they look after them.

    Raises:
        ForbiddenError: of none, whatever its place.
    """
    places = await rights.reach(session, actor, Act.ALARMS_ACKNOWLEDGE)
    planning = await rights.reach(session, actor, Act.SCHEDULES_WRITE)
    if planning == NOTHING:
        await rights.require(session, actor, Act.ALARMS_ACKNOWLEDGE)
    return lambda alarm: (
        places.sees(alarm.area_id) or (alarm.kind.startswith(OF_SCHEDULES) and planning.sees(alarm.area_id))
    )
