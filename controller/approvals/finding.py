"""All requests that somebody sees, in pages; and which one waits for them first."""

from sqlalchemy import ColumnElement, Select, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.paging import Wanted, paged
from controller.people.actor import Actor
from controller.schedules.models import Schedule
from controller.search import matches

from .models import ApprovalRequest
from .repository import concerns
from .states import RequestState

_ORDERS = {
    "asked": ApprovalRequest.asked_at,
    "start": ApprovalRequest.first_start_at,
    "title": ApprovalRequest.title,
}


async def found_rows(session: AsyncSession, actor: Actor, wanted: Wanted) -> tuple[list[ApprovalRequest], int]:
    """Read one part of the list, and count the whole. Filter: ``state``."""
    query = select(ApprovalRequest).where(await concerns(session, actor))
    if (state := wanted.having.get("state")) in set(RequestState):
        query = query.where(ApprovalRequest.state == state)
    if wanted.q:
        query = query.where(_said(wanted.q))
    rows, total = await paged(session, query, wanted, _ORDERS, last=ApprovalRequest.id)
    return [row for (row,) in rows], total


def _said(q: str) -> ColumnElement[bool]:
    """Find a request by the words of what it is about."""
    broadcasts = select(literal("broadcasts/").concat(Broadcast.id)).where(matches(Broadcast.search, q))
    schedules = select(literal("schedules/").concat(Schedule.id)).where(matches(Schedule.search, q))
    return or_(ApprovalRequest.subject.in_(broadcasts), ApprovalRequest.subject.in_(schedules))


async def waiting(session: AsyncSession, actor: Actor) -> Select[ApprovalRequest]:
    """Ask for what others want of this person: open, and not what they asked for themselves. The most urgent first."""
    query = select(ApprovalRequest).where(ApprovalRequest.state == RequestState.OPEN, await concerns(session, actor))
    query = query.where(ApprovalRequest.asked_by != (actor.person_id or ""))
    return query.order_by(ApprovalRequest.first_start_at, ApprovalRequest.id)


async def count_waiting(session: AsyncSession, actor: Actor) -> int:
    """Count them."""
    query = (await waiting(session, actor)).order_by(None)
    return await session.scalar(select(func.count()).select_from(query.subquery())) or 0
