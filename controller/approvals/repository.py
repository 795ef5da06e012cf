"""Requests for a yes in SQL: who sees which, and what may be heard because of one."""

from collections.abc import Callable, Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.targets import areas_of
from controller.broadcasts.models import Broadcast
from controller.db import locks
from controller.errors import NotFoundError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from controller.programmes.models import Programme
from controller.schedules.models import Calendar, Schedule, ScheduleException
from edge_agent.protocol.states import Level

from . import hands
from .models import Approval, ApprovalRequest
from .needs import asks_another
from .shown import PROGRAMME
from .states import RequestState


async def reach(session: AsyncSession, actor: Actor) -> Sight:
    """Give the areas in which somebody may approve."""
    return await rights.reach(session, actor, Act.APPROVALS_GIVE)


async def concerns(session: AsyncSession, actor: Actor) -> ColumnElement[bool]:
    """Give the condition under which somebody sees a request: they may approve there, or asked and still work there.

    There: in all its places, or in one of them.
    """
    may, seen = await reach(session, actor), await rights.sight(session, actor)
    own = ApprovalRequest.asked_by == actor.person_id
    decides, asked = may.where(ApprovalRequest.area_id), seen.where(ApprovalRequest.area_id)
    if len(await rights.places_for(session, actor, Act.APPROVALS_GIVE)) > 1:  # one place is never all of several
        decides = or_(decides, ApprovalRequest.id.in_(await _of_several(session, may, true(), all)))
    asked = or_(asked, ApprovalRequest.id.in_(await _of_several(session, seen, own, any)))
    return or_(decides, and_(own, asked))


async def _of_several(
    session: AsyncSession, seen: Sight, which: ColumnElement[bool], enough: Callable[[Iterable[bool]], bool]
) -> list[str]:
    """Name requests for several places, of which enough are in sight: they belong to an area above those.

    Seldom enough to look at each.
    """
    if seen.areas is None:
        return []
    wide = or_(ApprovalRequest.area_id.is_(None), ApprovalRequest.area_id.in_(seen.above))
    rows = (await session.execute(select(ApprovalRequest.id, ApprovalRequest.scopes).where(which, wide))).all()
    areas = await areas_of(session, {scope for _, scopes in rows for scope in scopes}, removed=True)
    return [key for key, scopes in rows if enough(seen.sees(areas.get(scope)) for scope in scopes)]


async def require_still(session: AsyncSession, actor: Actor, row: ApprovalRequest) -> None:
    """Let who asked go on with a request only while they may ask for such in all its places.

    Raises:
        ForbiddenError: no role of the person allows it, or not there.
    """
    act = Act.SCHEDULES_WRITE if row.subject.startswith("schedules/") else Act.BROADCASTS_CREATE
    await rights.require(session, actor, act, await aimed_at(session, row) or [None])


async def found(session: AsyncSession, actor: Actor, request_id: str, *, to_change: bool = False) -> ApprovalRequest:
    """Give a request that somebody sees; ``to_change`` keeps others from deciding or editing it meanwhile.

    Raises:
        NotFoundError: there is none for this person.
    """
    seen = await concerns(session, actor)
    query = select(ApprovalRequest).where(ApprovalRequest.id == request_id, seen)
    row = await session.scalar(query)
    if row is not None and to_change and locks(session):
        await _lock_subject(session, row.subject)
        await session.refresh(row, with_for_update=True)
    if row is None:
        raise NotFoundError("there is no such request", resource="approvals", id=request_id[:64])
    return row


async def _lock_subject(session: AsyncSession, subject: str) -> None:
    """Lock what a request is about before the request itself: as an edit does, so that no two wait crosswise."""
    kind, _, key = subject.partition("/")
    await session.get(Schedule if kind == "schedules" else Broadcast, key, with_for_update=True)


async def aimed_at(session: AsyncSession, row: ApprovalRequest) -> frozenset[str]:
    """Give the areas in which whoever approves needs the right."""
    return frozenset((await areas_of(session, row.scopes, removed=True)).values())


async def authors_of(session: AsyncSession, row: ApprovalRequest) -> frozenset[str]:
    """Name those whose work it is: who asked, of whom a part stands in it, and of a schedule who moved a date."""
    kind, _, key = row.subject.partition("/")
    schedule = await session.get(Schedule, key) if kind == "schedules" else None
    if schedule is None:
        return await hands.of_broadcast(session, row) | {row.asked_by}
    programme_id = row.shown[PROGRAMME]
    aired = select(Programme.changed_by, Programme.created_by).where(Programme.id == programme_id)
    people = {last or first for last, first in await session.execute(aired)}
    replacing = select(Calendar.created_by).where(Calendar.programme_id == programme_id, Calendar.ended_at.is_(None))
    people |= set(await session.scalars(replacing))
    people |= await hands.of_schedule(session, row)
    return frozenset([row.asked_by, schedule.changed_by, *people, *await _movers(session, row, key)])


async def _movers(session: AsyncSession, row: ApprovalRequest, schedule_id: str) -> Collection[str]:
    """Name who moved dates, or gave them another programme, since somebody last said yes to the schedule."""
    before = select(Approval.given_at).where(Approval.subject == row.subject, Approval.given_at < row.asked_at)
    last = await session.scalar(before.order_by(Approval.given_at.desc()).limit(1))
    otherwise = or_(ScheduleException.moved_to_local.is_not(None), ScheduleException.programme_id.is_not(None))
    query = select(ScheduleException.made_by).where(ScheduleException.schedule_id == schedule_id, otherwise)
    return set(await session.scalars(query if last is None else query.where(ScheduleException.made_at > last)))


async def asks_second_person(session: AsyncSession, row: ApprovalRequest) -> bool:
    """Say whether a policy of the target, as it is now, asks for a person other than the author."""
    tree = await read_tree(session)
    places = {each for area_id in await aimed_at(session, row) for each in tree.below(area_id)}
    policies = {tree.effective(area_id) for area_id in places if area_id in tree.places}
    return asks_another(policies, row.categories or [None], Level(row.level)) is True


async def waits_for(session: AsyncSession, actor: Actor, sha256: str) -> bool:
    """Say whether a file stands in a request that waits for this person: who is to approve it has to hear it."""
    open_ones = select(ApprovalRequest.recordings).where(ApprovalRequest.state == RequestState.OPEN)
    lists: Sequence[list[str]] = (await session.scalars(open_ones.where(await concerns(session, actor)))).all()
    return any(sha256 in each for each in lists)
