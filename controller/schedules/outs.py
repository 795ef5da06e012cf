"""Schedules as the API shows them: what they are, with what comes next of them and what they wait for."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.people.rights import Sight

from .asked import asked_of
from .models import Schedule
from .schemas import DatesAskedOut, ScheduleOut, UnairedOut
from .unaired import next_of


async def outs(session: AsyncSession, rows: Sequence[Schedule], seen: Sight, *, now: datetime) -> list[ScheduleOut]:
    """Give schedules, all of them in sight, as the API shows them."""
    query = (
        select(Broadcast.schedule_id, func.min(Broadcast.start_at))
        .where(Broadcast.schedule_id.is_not(None), Broadcast.start_at > now)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .group_by(Broadcast.schedule_id)
    )
    following = dict((await session.execute(query)).all())
    asked = await asked_of(session, rows, now=now)
    unaired = await next_of(session, [row.id for row in rows], seen, now=now)
    return [_out(row, following.get(row.id), asked.get(row.id, ()), unaired.get(row.id)) for row in rows]


def _out(
    row: Schedule, next_at: datetime | None, asked: tuple[DatesAskedOut, ...], unaired: UnairedOut | None
) -> ScheduleOut:
    same = {
        name: getattr(row, name)
        for name in ScheduleOut.model_fields
        if name not in {"targets", "next_at", "starts_at_local", "owed", "approval", "approvals", "unaired"}
    }
    return ScheduleOut(
        **same,
        targets=tuple(row.scopes),
        starts_at_local=datetime.fromisoformat(row.starts_at_local),
        next_at=next_at.replace(tzinfo=UTC) if next_at is not None and next_at.tzinfo is None else next_at,
        approval=asked[0] if asked else None,
        approvals=asked,
        unaired=unaired,
    )
