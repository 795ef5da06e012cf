"""Requests for a yes: the queue, and what people decide. What is aired is known in ``broadcasts`` and ``schedules``."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.broadcasts import cancelling
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, ForbiddenError, LoaError
from controller.events import Event, Topic
from controller.failures import Failures
from controller.names import clean_name
from controller.paging import Found, Wanted
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.plans.service import Documents
from controller.policies.errors import UnusualHourError

from . import expiry, finding, hours, listening
from .admitting import Admission
from .changes import changes_of
from .errors import NotListenedError, OwnWorkError
from .models import ApprovalRequest
from .repository import aimed_at, asks_second_person, authors_of, concerns, found, require_still
from .schemas import ApprovalOut, ApprovalRow, ApproveIn, ReturnIn
from .states import RequestState
from .views import files_out, rows_out
from .yeses import Yes

MAX_REASON = 500
WITHDRAW = "approvals.withdraw"
AS_ASKED = ApproveIn()
DECIDABLE = frozenset({None, NotListenedError.code, UnusualHourError.code})
"""Refusals that the person can mend by listening, or by a tick."""
MOST_LOOKED_AT = 5
"""Requests looked at for one that can be decided."""


class Approvals:
    """All requests."""

    def __init__(
        self, database: Database, clock: Clock, documents: Documents, *, lead_ms: int, failures: Failures
    ) -> None:
        self._database, self._clock, self._documents, self._failures = database, clock, documents, failures
        self._lead = timedelta(milliseconds=lead_ms)

    async def list(
        self, actor: Actor, *, state: RequestState = RequestState.OPEN, limit: int = 100
    ) -> list[ApprovalRow]:
        """Give the requests that somebody may decide, or asked for: of open ones the most urgent first."""
        async with self._database.reading() as session:
            query = select(ApprovalRequest).where(ApprovalRequest.state == state)
            query = query.where(await concerns(session, actor))
            still_open = state is RequestState.OPEN
            order = ApprovalRequest.first_start_at if still_open else ApprovalRequest.asked_at.desc()
            return await rows_out(
                session, (await session.scalars(query.order_by(order).limit(limit))).all(), self._now()
            )

    async def find(self, actor: Actor, wanted: Wanted) -> Found[ApprovalRow]:
        """Give one part of all that somebody may decide, or asked for: decided ones, too.

        Sorts: ``asked``, ``start``, ``title``; filter: ``state``.
        """
        async with self._database.reading() as session:
            rows, total = await finding.found_rows(session, actor, wanted)
            return Found(tuple(await rows_out(session, rows, self._now())), total)

    async def count_waiting(self, actor: Actor) -> int:
        """Count what others asked for and this person may decide."""
        async with self._database.reading() as session:
            return await finding.count_waiting(session, actor)

    async def next_waiting(self, actor: Actor) -> ApprovalOut | None:
        """Give the most urgent of those that this person can decide now; if there is none such, the most urgent."""
        async with self._database.reading() as session:
            query = (await finding.waiting(session, actor)).limit(MOST_LOOKED_AT)
            first: ApprovalOut | None = None
            for row in (await session.scalars(query)).all():
                shown = await self._out(session, actor, row)
                if shown.refusal in DECIDABLE:
                    return shown
                first = first or shown
            return first

    async def get(self, actor: Actor, request_id: str) -> ApprovalOut:
        """Give one, with all that would be heard and what of it is new to whoever asks.

        Raises:
            NotFoundError: there is none for this person.
        """
        async with self._database.reading() as session:
            return await self._out(session, actor, await found(session, actor, request_id))

    async def approve(self, actor: Actor, request_id: str, wanted: ApproveIn = AS_ASKED) -> ApprovalOut:
        """Say yes: nodes are told at once.

        Raises:
            NotFoundError: there is no such request for this person.
            ForbiddenError: the person may not, or not in all these places.
            OwnWorkError: the policy asks for somebody else than the author.
            NotListenedError: they have not heard all that is new to them.
            PolicyBreachError: it was to be said "now", which by now is against a policy.
            UnusualHourError: it was, and the hour that it has become is to be confirmed.
            ConflictError: it is decided or withdrawn already, or its time is over.
            CodeError: the signer stands apart, and does not believe the code.
        """
        async with self._database.transaction() as tx:
            now, row = self._now(), await self._to_decide(tx.session, actor, request_id)
            if refused := await self._refusal(tx.session, actor, row, confirmed=wanted.confirm_unusual):
                raise refused
            yes = Yes(actor.person_id or "", request_id=row.id, proof=actor.proof)
            admission = Admission(tx, self._documents, lead=self._lead, now=now)
            count = await admission.admit(row, yes)
            await listening.note_approved(tx, yes.person_id, row.recordings, now=now)
            detail = {"content_sha256": row.content_sha256, "scopes": row.scopes, "broadcasts": count}
            await self._decide(tx, actor, row, RequestState.APPROVED, detail, now=now)
            return await self._out(tx.session, actor, row)

    async def return_(self, actor: Actor, request_id: str, wanted: ReturnIn) -> ApprovalOut:
        """Say no, and why: whoever asked may change it and ask anew.

        Raises:
            NotFoundError: there is no such request for this person.
            ForbiddenError: the person may not, or not in all these places.
            ConflictError: it is decided or withdrawn already.
            InvalidError: no reason is given.
        """
        reason = clean_name(wanted.reason, field="reason", most=MAX_REASON)
        async with self._database.transaction() as tx:
            row = await self._to_decide(tx.session, actor, request_id)
            row.returned_reason = reason
            await self._decide(tx, actor, row, RequestState.RETURNED, {"reason": reason}, now=self._now())
            kind, _, key = row.subject.partition("/")
            # It says from now on that it was returned, and so do the dates of a schedule.
            tx.tell(Event(Topic.BROADCAST if kind == "broadcasts" else Topic.SCHEDULE, key))
            return await self._out(tx.session, actor, row)

    async def withdraw(self, actor: Actor, request_id: str) -> ApprovalOut:
        """Take one's own request back; a single broadcast is cancelled with it.

        Raises:
            NotFoundError: there is no such request for this person.
            ForbiddenError: somebody else asked, or the person may not ask for such there any more.
            ConflictError: it is decided or withdrawn already.
        """
        async with self._database.transaction() as tx:
            now, row = self._now(), await found(tx.session, actor, request_id, to_change=True)
            if row.asked_by != actor.person_id:
                raise ForbiddenError("somebody else asked for this; return it instead", problem="not_own")
            await require_still(tx.session, actor, row)
            _refuse_decided(row)
            kind, _, key = row.subject.partition("/")
            broadcast = await tx.session.get(Broadcast, key, with_for_update=True) if kind == "broadcasts" else None
            if broadcast is not None:
                await cancelling.stop(tx, self._documents, broadcast, by=actor.person_id, now=now)
            if kind == "schedules" or broadcast is not None:  # as in ``return_``
                tx.tell(Event(Topic.BROADCAST if broadcast is not None else Topic.SCHEDULE, key))
            row.state, row.decided_by, row.decided_at = RequestState.WITHDRAWN, actor.person_id, now
            await self._note(tx, actor, WITHDRAW, row, {"title": row.title}, now=now)
            return await self._out(tx.session, actor, row)

    async def expire(self) -> int:
        """End what nobody approved in time; gives how many. The scheduler's work."""
        async with self._database.reading() as session:
            due = await expiry.too_late(session, self._now())
        failed = await self._failures.each(expiry.EXPIRE, due, self._expire_one)
        return len(due) - len(failed)

    async def _expire_one(self, broadcast_id: str) -> None:
        async with self._database.transaction() as tx:
            now = self._now()
            if broadcast_id in await expiry.too_late(tx.session, now):
                await expiry.end(tx, broadcast_id, now=now)

    def _now(self) -> datetime:
        now = self._clock()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)  # the wire counts milliseconds

    async def _to_decide(self, session: AsyncSession, actor: Actor, request_id: str) -> ApprovalRequest:
        row = await found(session, actor, request_id, to_change=True)
        await _require(session, actor, row)
        return row

    async def _refusal(
        self, session: AsyncSession, actor: Actor, row: ApprovalRequest, *, confirmed: bool = False
    ) -> LoaError | None:
        """Give the error with which somebody's yes would be refused, who has the right."""
        if actor.person_id in await authors_of(session, row) and await asks_second_person(session, row):
            return OwnWorkError("the policy asks another person to approve this")
        late = await hours.judge(session, row, self._lead, now=self._now())
        left = await listening.unheard(session, actor.person_id or "", row.recordings)
        if late.against is not None or not left:
            return late.against or (None if confirmed else late.unusual)
        files = [each for each in await files_out(session, actor, row) if each.sha256 in left]
        names = [{"sha256": each.sha256, "recording_id": each.recording_id, "title": each.title} for each in files]
        return NotListenedError("listen to what is new to you first", problem="not_listened", files=names)

    async def _decide(
        self,
        tx: Transaction,
        actor: Actor,
        row: ApprovalRequest,
        state: RequestState,
        detail: dict[str, object],
        *,
        now: datetime,
    ) -> None:
        row.state, row.decided_by, row.decided_at = state, actor.person_id, now
        said = {"title": row.title, "state": str(state), "of": row.subject, **detail}
        await self._note(tx, actor, Act.APPROVALS_GIVE, row, said, now=now)

    async def _note(
        self, tx: Transaction, actor: Actor, act: str, row: ApprovalRequest, detail: dict[str, object], *, now: datetime
    ) -> None:
        await tx.session.flush()
        await audit.write(tx, actor, act, f"approvals/{row.id}", detail, at=now, area_id=row.area_id)
        tx.tell(Event(Topic.APPROVAL, row.id))

    async def _out(self, session: AsyncSession, actor: Actor, row: ApprovalRequest) -> ApprovalOut:
        [shown] = await rows_out(session, [row], self._now())
        refused: LoaError | None = None
        if row.state == RequestState.OPEN:
            try:
                await _require(session, actor, row)
                refused = await self._refusal(session, actor, row)
            except LoaError as error:
                refused = error
        before, changes = await changes_of(session, actor, row)
        return ApprovalOut(
            **shown.model_dump(),
            files=await files_out(session, actor, row),
            before=before,
            changes=changes,
            refusal=refused.code if refused else None,
        )


async def _require(session: AsyncSession, actor: Actor, row: ApprovalRequest) -> None:
    """Let those decide it who may approve in all its places, while it is open."""
    await rights.require(session, actor, Act.APPROVALS_GIVE, await aimed_at(session, row) or [None])
    if actor.person_id is None:
        raise ForbiddenError("a yes is a person's", act=str(Act.APPROVALS_GIVE))
    _refuse_decided(row)


def _refuse_decided(row: ApprovalRequest) -> None:
    if row.state != RequestState.OPEN:
        raise ConflictError("this request is decided or withdrawn already", problem="state", state=row.state)
