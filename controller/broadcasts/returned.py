"""What somebody said no to and is yet to come: told until it is mended, asked for anew, or past."""

from datetime import datetime

from sqlalchemy import literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.people.rights import Sight

from .models import Broadcast
from .repository import asked_of, is_of

MOST = 100
"""Dates that are looked at, by start: so many wait for a mend of a few schedules at once."""


async def ids_returned(session: AsyncSession, theirs: Sight, now: datetime) -> set[str]:
    """Name the next that was returned of each schedule, and each that stands alone, of all that is planned.

    ``theirs``: where somebody may mend it. A schedule is returned by content, so that dates of another still wait.
    """
    subject = ApprovalRequest.subject
    its = or_(
        subject == literal("broadcasts/") + Broadcast.id, subject == literal("schedules/") + Broadcast.schedule_id
    )
    refused = select(ApprovalRequest.id).where(its, ApprovalRequest.state == RequestState.RETURNED).correlate(Broadcast)
    query = (
        select(Broadcast)
        .where(Broadcast.awaits_approval.is_(True), Broadcast.start_at > now)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), is_of(theirs), refused.exists())
        .order_by(Broadcast.start_at, Broadcast.id)
        .limit(MOST)
    )
    rows = (await session.scalars(query)).all()
    asked = await asked_of(session, rows, theirs) if rows else {}
    first: dict[str, str] = {}
    for row in rows:
        if row.id in asked and asked[row.id].state is RequestState.RETURNED:
            first.setdefault(row.schedule_id or row.id, row.id)
    return set(first.values())
