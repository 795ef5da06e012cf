"""Asks for a yes: the author's own act where it is enough, else a request to those who may approve there.

Broadcasts and schedules come here with what they want to air; what a policy wants of whom is ``needs``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.broadcasts.models import Broadcast
from controller.db import Transaction
from controller.events import Event, Topic
from controller.ids import new_id
from controller.people import rights
from controller.people.actor import Actor
from controller.people.proof import Runs
from controller.people.rights import Act
from controller.policies.rules import EffectivePolicy
from controller.schedules.models import Schedule

from . import yeses
from .models import Approval, ApprovalRequest
from .needs import Need, Place, Said, decide
from .shown import Shown
from .states import RequestState
from .yeses import Bound, Yes

VOID = "approvals.void"
"""Act in the audit."""
SYSTEM = Actor(None, "approvals")


@dataclass(frozen=True)
class Matter:
    """What somebody wants to air."""

    subject: str
    """``broadcasts/{id}`` or ``schedules/{id}``."""
    title: str
    bound: Bound
    said: Said
    recordings: tuple[str, ...]
    """SHA-256 of every file that would be heard, each once, in order."""
    area_id: str | None
    """The lowest area above all its targets."""
    aimed_at: frozenset[str]
    """Areas in which whoever approves needs the right."""
    policies: tuple[EffectivePolicy, ...]
    """Of all places that would hear it, each once."""
    first_start_at: datetime
    shown: Shown
    """What is put before whoever approves."""
    runs: Runs | None = None
    """Of a schedule, where the signer stands apart: when it is to be heard. None: once."""

    def of(self, subject: str) -> "Matter":
        """Give it with the name that it was saved under."""
        return replace(self, subject=subject)


async def need_of(session: AsyncSession, actor: Actor, matter: Matter, *, now: datetime) -> Need:
    """Say whose yes it takes when somebody sends this.

    A machine's key acts for nobody who could be asked why: it is no yes where a person's right, or bounds, are needed.
    """
    if actor.person_id is None:
        return Need.ANOTHER
    may_give = all(map((await rights.reach(session, actor, Act.APPROVALS_GIVE)).sees, matter.aimed_at))
    places = [Place(each, await _used_today(session, actor.person_id, each, now)) for each in matter.policies]
    need = decide(places, matter.said, author_may_give=may_give)
    return Need.ANOTHER if need is Need.ALONE and actor.acts is not None else need


async def of_the_author(session: AsyncSession, actor: Actor, matter: Matter, *, now: datetime) -> tuple[Yes, ...]:
    """Give the yes that the author's act is; empty where another person must be asked."""
    need = await need_of(session, actor, matter, now=now)
    if actor.person_id is None or need is Need.ANOTHER:
        return ()
    return (Yes(actor.person_id, by_author=need is Need.ALONE, proof=actor.proof),)


async def ask(tx: Transaction, matter: Matter, asked_by: str, *, now: datetime) -> None:
    """Put it into the queue of those who may approve it."""
    categories = matter.said.categories
    row = ApprovalRequest(
        id=new_id(),
        subject=matter.subject,
        title=matter.title,
        area_id=matter.area_id,
        content_sha256=matter.bound.content_sha256,
        recordings=list(matter.recordings),
        scopes=list(matter.bound.scopes),
        level=matter.said.level,
        categories=[] if None in categories else sorted(each for each in categories if each is not None),
        length_ms=matter.said.length_ms,
        shown=dict(matter.shown),
        runs=None if matter.runs is None else msgspec.to_builtins(matter.runs),
        first_start_at=matter.first_start_at,
        not_before_at=matter.bound.not_before_at,
        not_after_at=matter.bound.not_after_at,
        state=RequestState.OPEN,
        asked_by=asked_by,
        asked_at=now,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.tell(Event(Topic.APPROVAL, row.id))


async def void(tx: Transaction, subject: str, *, now: datetime) -> None:
    """Let what was said yes to count no more, and what is asked be asked no more: it was changed, or is over.

    The requests first: who is saying yes to one of them in this moment is waited for, and their yes is over too.
    """
    asked = await close(tx, subject, now=now)
    note_void(tx, subject, yeses=await yeses.void(tx, subject, now=now), requests=asked, now=now)


def note_void(
    tx: Transaction, subject: str, *, yeses: int, requests: Sequence[ApprovalRequest] = (), now: datetime
) -> None:
    """Have the audit say what counts no more; beside it stands the act that ended it."""
    if not yeses and not requests:
        return
    detail = {"yeses": yeses, "requests": [row.id for row in requests]}

    async def write() -> None:
        area_id = await _area_of(tx.session, subject)
        await audit.write(tx, SYSTEM, VOID, subject, detail, at=now, area_id=area_id)

    tx.lastly(write)


async def _area_of(session: AsyncSession, subject: str) -> str | None:
    kind, _, key = subject.partition("/")
    table = Schedule if kind == "schedules" else Broadcast
    return await session.scalar(select(table.area_id).where(table.id == key))


async def close(tx: Transaction, subject: str, *, now: datetime) -> Sequence[ApprovalRequest]:
    """Take the open requests for a subject out of the queue; gives those."""
    still_open = (ApprovalRequest.subject == subject) & (ApprovalRequest.state == RequestState.OPEN)
    rows = (await tx.session.scalars(select(ApprovalRequest).where(still_open).with_for_update())).all()
    for row in rows:
        await close_one(tx, row, now=now)
    return rows


async def close_one(tx: Transaction, row: ApprovalRequest, *, now: datetime) -> None:
    """Take one request out of the queue."""
    row.state, row.decided_at = RequestState.VOID, now
    await tx.session.flush()
    tx.tell(Event(Topic.APPROVAL, row.id))


async def _used_today(session: AsyncSession, person_id: str, policy: EffectivePolicy, now: datetime) -> int:
    """Count what somebody approved alone since local midnight, whatever became of it."""
    if policy.self_approval is None:
        return 0
    midnight = now.astimezone(ZoneInfo(policy.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    query = select(func.count(Approval.subject.distinct())).where(
        Approval.person_id == person_id, Approval.by_author.is_(True), Approval.given_at >= midnight.astimezone(UTC)
    )
    return await session.scalar(query) or 0
