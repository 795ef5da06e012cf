"""Schedules to which somebody said no, also to a date alone that is not planned yet: no broadcast can tell it."""

from datetime import datetime

from sqlalchemy import ColumnElement, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.areas.repository import read_tree
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.db import Database
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight

from .asked import asked_of
from .far import ASKED_SPAN
from .looking import DAY, Looking
from .models import Schedule, ScheduleException
from .planning import is_aired
from .repository import exceptions_of
from .schemas import ReturnedOut

MOST = 20
"""More need no line each."""


class ReturnedSchedules:
    """Reads what was returned. Writes nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def unplanned(self, actor: Actor) -> list[ReturnedOut]:
        """Give those that somebody may change, by their next date. Of what is planned the broadcast tells it itself."""
        now = self._clock()
        async with self._database.reading() as session:
            rows = await _refused(session, await rights.reach(session, actor, Act.SCHEDULES_WRITE), now)
            if not rows:
                return []  # the strip of every page asks
            asked = await asked_of(session, rows, now=now)
            tree, changes = await read_tree(session), await exceptions_of(session, [row.id for row in rows])
            found = []
            for row in rows:
                request = next((each for each in asked.get(row.id, ()) if each.state is RequestState.RETURNED), None)
                if request is None:
                    continue
                start_at = request.start_at
                if start_at is None:
                    dates = await Looking.ahead(session, tree, row, now, ASKED_SPAN).dates(row, changes.get(row.id, ()))
                    its = [each.start_at for each in dates if is_aired(each) and request.is_about(each.programme_id)]
                    start_at = min((each for each in its if each > now), default=None)
                if start_at is not None:
                    reason = request.returned_reason or ""
                    found.append(ReturnedOut(schedule_id=row.id, title=row.title, start_at=start_at, reason=reason))
        return sorted(found, key=lambda each: (each.start_at, each.schedule_id))


async def _refused(session: AsyncSession, theirs: Sight, now: datetime) -> list[Schedule]:
    """Find those of which something was returned since they were edited: without anything planned first, edited last.

    What airs once is not ended when it is over: it would stand in the way of others for ever.
    """
    returned = (
        select(ApprovalRequest.id)
        .where(ApprovalRequest.state == RequestState.RETURNED, ApprovalRequest.decided_at >= Schedule.changed_at)
        .where(ApprovalRequest.subject == literal("schedules/") + Schedule.id)
        .correlate(Schedule)
        .exists()
    )
    planned = (
        select(Broadcast.id)
        .where(Broadcast.schedule_id == Schedule.id, Broadcast.start_at > now)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .correlate(Schedule)
        .exists()
    )
    query = select(Schedule).where(Schedule.ended_at.is_(None), theirs.where(Schedule.area_id))
    query = query.where(returned, _may_come(now))
    return list(await session.scalars(query.order_by(planned, Schedule.changed_at.desc(), Schedule.id).limit(MOST)))


def _may_come(now: datetime) -> ColumnElement[bool]:
    """Give the condition under which one may have a date ahead, by the wall clock of any zone."""
    day = (now - DAY).date()
    moved = (
        select(ScheduleException.schedule_id)
        .where(ScheduleException.schedule_id == Schedule.id, ScheduleException.moved_to_local >= day.isoformat())
        .correlate(Schedule)
        .exists()
    )
    by_rule = or_(Schedule.rule.is_not(None), Schedule.starts_at_local >= day.isoformat())
    return or_(moved, by_rule & or_(Schedule.last_date.is_(None), Schedule.last_date >= day))
