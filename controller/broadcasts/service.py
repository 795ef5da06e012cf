"""Broadcasts: what is said where and when. Sending is approving where policy and rights leave it at that."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.approvals import asking
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError
from controller.holds.over import holds_over
from controller.nodes.live import LiveNodes
from controller.nodes.rules import HEARD, NodeKind
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.plans.service import Documents
from controller.schedules.conflicts import conflict_error, conflict_outs
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import Level
from edge_agent.protocol.topics import Word

from . import cancelling
from .conflicts import meets
from .drafts import Draft, make_draft
from .during import place
from .forecast import refusal
from .foreseeing import foresee
from .known import KnownBroadcasts, no_broadcast
from .models import Broadcast
from .policed import ask_policies, unusual_error
from .preview import describe, refusal_error
from .repository import has_begun, is_seen, target_areas
from .room import PlanFullError, UrgentFullError, check_room
from .schemas import BroadcastIn, BroadcastOut, PreviewOut, WindowIn
from .sending import matter_of, send
from .superseding import supersede

MAX_KEY = 100
"""Characters of an idempotency key."""


class Broadcasts(KnownBroadcasts):
    """All broadcasts, past and to come: sent, changed, taken back."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        documents: Documents,
        live: LiveNodes,
        *,
        alarms: Alarms,
        lead_ms: int,
        plan_days: int,
        trusted_keys: tuple[TrustedKey, ...],
    ) -> None:
        super().__init__(database, clock, live)
        self._documents = documents
        self._lead, self._covers = timedelta(milliseconds=lead_ms), timedelta(days=plan_days)
        self._alarms, self._trusted_keys = alarms, trusted_keys

    async def create(self, actor: Actor, wanted: BroadcastIn, *, idempotency_key: str | None = None) -> BroadcastOut:
        """Send a broadcast, or ask those who must approve it first.

        The same key from the same person gives the broadcast that was made with it, and makes none.

        Raises:
            InvalidError: a field is wrong, it is against a policy (``PolicyBreachError``), no node would play it
                (``QuietHoursError``, ``RefusedByAllError``), or a bulletin or programme may not (``NotAirableError``).
            ConflictError: the key was used for another request, there is no room (``PlanFullError``,
                ``UrgentFullError``), the hour is unusual (``UnusualHourError``) or others are planned at that time
                (``ScheduleConflictError``), and that was not confirmed.
            CodeError: the act is the author's yes, the signer stands apart, and does not believe the code.
        """
        key = _checked_key(idempotency_key)
        try:
            return await self._create(actor, wanted, key)
        except IntegrityError:
            if key is None:
                raise
            return await self._create(actor, wanted, key)  # the same key was faster on another connection: find its row

    async def _create(self, actor: Actor, wanted: BroadcastIn, key: str | None) -> BroadcastOut:
        async with self._database.transaction() as tx:
            await rights.require(tx.session, actor, Act.BROADCASTS_CREATE)
            seen = await rights.sight(tx.session, actor)
            known = await _by_key(tx.session, actor, key, wanted)
            if known is not None:
                return await self._one(tx.session, seen, known)
            request_sha256 = wanted.sha256 if key else None
            broadcast_id = await self._send(tx, actor, wanted, key=key, request_sha256=request_sha256)
        return await self.get(actor, broadcast_id)  # after the commit: it is on its way while we look

    async def change(self, actor: Actor, broadcast_id: str, wanted: BroadcastIn) -> BroadcastOut:
        """Put a new version in the place of one that has not begun. What was approved has to be approved again.

        Raises:
            NotFoundError: there is no such broadcast.
            InvalidError: a field is wrong, it is against a policy (``PolicyBreachError``), no node would play it
                (``QuietHoursError``, ``RefusedByAllError``), or a bulletin or programme may not (``NotAirableError``).
            ConflictError: it began, is over, cancelled, replaced, or changed elsewhere, as with its schedule; there is
                no room (``PlanFullError``, ``UrgentFullError``), the hour is unusual (``UnusualHourError``) or others
                are planned at that time (``ScheduleConflictError``), and that was not confirmed.
            CodeError: as ``create`` says.
        """
        async with self._database.transaction() as tx:
            now = self._now()
            row = await self._to_change(tx.session, actor, broadcast_id, now)
            scopes = await supersede(tx, row, now=now)
            for scope in sorted(scopes):
                await self._documents.touch(tx, scope, Word.URGENT if row.urgent else Word.PLAN)
            later = await self._send(tx, actor, wanted, edited=row)
        return await self.get(actor, later)

    async def _to_change(self, session: AsyncSession, actor: Actor, broadcast_id: str, now: datetime) -> Broadcast:
        row = await session.get(Broadcast, broadcast_id, with_for_update=True)
        if row is None or not await is_seen(session, await rights.sight(session, actor), broadcast_id):
            raise no_broadcast(broadcast_id)
        await rights.require(session, actor, Act.BROADCASTS_CREATE, await target_areas(session, broadcast_id))
        if row.cancelled_at is not None or row.superseded_at is not None:
            raise ConflictError("this broadcast is cancelled or replaced already", problem="cancelled")
        if row.schedule_id is not None or row.replays_id is not None or row.level == Level.EMERGENCY:
            raise ConflictError("this broadcast is changed with its schedule, or not at all", problem="not_alone")
        ends_at = row.latest_start_at if row.awaits_approval else row.start_at
        if ends_at <= now or await has_begun(session, broadcast_id):
            raise ConflictError("this broadcast has begun, or its time is over", problem="begun")
        return row

    async def _send(
        self,
        tx: Transaction,
        actor: Actor,
        wanted: BroadcastIn,
        *,
        edited: Broadcast | None = None,
        key: str | None = None,
        request_sha256: str | None = None,
    ) -> str:
        """Check what was asked, and save and send it; gives its id."""
        draft = await self._draft(tx.session, actor, wanted, edited)
        return await self.send_draft(tx, actor, draft, wanted, key=key, request_sha256=request_sha256)

    async def send_draft(
        self,
        tx: Transaction,
        actor: Actor,
        draft: Draft,
        wanted: WindowIn,
        *,
        key: str | None = None,
        request_sha256: str | None = None,
    ) -> str:
        """Send what was drafted, if person, policies and nodes allow; gives its id. ``wanted`` says what is confirmed.

        Raises:
            ForbiddenError: the person may not, or not in all these places.
            InvalidError, ConflictError: as ``create`` says.
        """
        now = self._now()
        await rights.require(tx.session, actor, Act.BROADCASTS_CREATE, draft.targets.area_ids)
        verdict = await ask_policies(tx.session, draft, now=now)
        if against := verdict.refusal:
            raise against
        found, _ = await foresee(tx.session, self._live, draft, self._trusted_keys, now=now)
        if refused := refusal(each for each, _ in found):
            raise refusal_error(refused)
        if verdict.unusual and not wanted.confirm_unusual:
            raise unusual_error(verdict.unusual)
        if not wanted.confirm_conflicts and (met := await meets(tx.session, draft, found)):
            raise conflict_error(met, await rights.sight(tx.session, actor))
        await check_room(tx.session, draft, covers=self._covers, now=now)
        return await send(
            tx, self._documents, self._alarms, actor, draft, now=now, key=key, request_sha256=request_sha256
        )

    async def preview(self, actor: Actor, wanted: BroadcastIn, *, edits: str | None = None) -> PreviewOut:
        """Say what sending it would do, node by node; saves nothing. ``edits``: the broadcast whose place it takes.

        Raises:
            InvalidError: a field is wrong, or a bulletin or programme may not be heard (``NotAirableError``).
            ForbiddenError: aimed at an area above what is in sight, or what it edits is not theirs to change.
            NotFoundError, ConflictError: what it edits, as ``change`` says.
        """
        async with self._database.reading() as session:
            edited = await self._to_change(session, actor, edits, self._now()) if edits is not None else None
            return await self.preview_draft(session, actor, await self._draft(session, actor, wanted, edited))

    async def _draft(self, session: AsyncSession, actor: Actor, wanted: BroadcastIn, edited: Broadcast | None) -> Draft:
        seen = await rights.sight(session, actor)
        draft = await make_draft(session, wanted, now=self._now(), lead=self._lead, seen=seen)
        if edited is not None:
            draft = replace(draft, run_id=edited.run_id or edited.id, replaces_id=edited.id)
        return await self.placed(session, draft, wanted)

    async def placed(self, session: AsyncSession, draft: Draft, wanted: WindowIn) -> Draft:
        """Find the place of a draft in what is on air, as ``wanted.during`` says.

        Raises:
            InvalidError: that goes with "now" only.
        """
        return await place(session, self._live, draft, wanted, self._trusted_keys, now=self._now())

    async def preview_draft(self, session: AsyncSession, actor: Actor, draft: Draft) -> PreviewOut:
        """Say what it would do if this person sent a draft, node by node, and whose yes it would take."""
        now = self._now()
        need = await asking.need_of(session, actor, matter_of(draft), now=now)
        found, titles = await foresee(session, self._live, draft, self._trusted_keys, now=now)
        full = await self._full(session, draft, now)
        verdict = await ask_policies(session, draft, now=now)
        met = conflict_outs(await meets(session, draft, found), await rights.sight(session, actor))
        online = self._online(draft, now)
        areas = {node.id: node.area_id for node in draft.targets.nodes if node.kind == NodeKind.AGENT}
        held = await holds_over(session, self._live, draft.targets.tree, areas)
        return describe(
            draft, found, titles, verdict, need=need, conflicts=met, held_by=held, online_count=online, full=full
        )

    async def cancel(self, actor: Actor, broadcast_id: str) -> BroadcastOut:
        """Take it out of what nodes are told, and stop it where it sounds.

        Plays stay ``cancel_unconfirmed`` until their node says what it did.

        Raises:
            NotFoundError: there is no such broadcast.
            ConflictError: it is cancelled already, or over.
        """
        now = self._now()
        async with self._database.transaction() as tx:
            row = await tx.session.get(Broadcast, broadcast_id, with_for_update=True)
            if row is None or not await is_seen(tx.session, await rights.sight(tx.session, actor), broadcast_id):
                raise no_broadcast(broadcast_id)
            await rights.require(tx.session, actor, Act.BROADCASTS_CANCEL, await target_areas(tx.session, broadcast_id))
            if row.cancelled_at is not None:
                raise ConflictError("this broadcast is cancelled already", problem="cancelled")
            still_open = await cancelling.stop(tx, self._documents, row, by=actor.person_id, now=now)
            if not still_open:
                raise ConflictError("this broadcast is over", problem="over")
            await cancelling.note(tx, actor, row, still_open, now=now)
        return await self.get(actor, broadcast_id)

    async def _full(self, session: AsyncSession, draft: Draft, now: datetime) -> ConflictError | None:
        try:
            await check_room(session, draft, covers=self._covers, now=now)
        except (PlanFullError, UrgentFullError) as error:
            return error
        return None

    def _online(self, draft: Draft, now: datetime) -> int:
        return sum(self._live.status(node, now) in HEARD for node in draft.targets.nodes)


async def _by_key(session: AsyncSession, actor: Actor, key: str | None, wanted: BroadcastIn) -> str | None:
    if key is None:
        return None
    query = select(Broadcast).where(Broadcast.created_by == actor.person_id, Broadcast.idempotency_key == key)
    row = await session.scalar(query)
    if row is not None and row.request_sha256 != wanted.sha256:
        raise ConflictError("this Idempotency-Key was used for another request", problem="key_reused")
    return None if row is None else row.id


def _checked_key(key: str | None) -> str | None:
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable() and key.isascii()):
        raise InvalidError(
            f"Idempotency-Key: 1 to {MAX_KEY} printable characters", field="idempotency_key", problem="characters"
        )
    return key
