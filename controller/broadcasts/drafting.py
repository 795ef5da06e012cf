"""What is done with a draft, inside somebody's transaction: placed in what is on air, foreseen, checked, sent."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.approvals import asking
from controller.clock import Clock
from controller.db import Transaction
from controller.errors import ConflictError
from controller.holds.over import holds_over
from controller.nodes.live import LiveNodes
from controller.nodes.rules import HEARD, NodeKind
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act
from controller.plans.service import Documents
from controller.schedules.conflicts import conflict_error, conflict_outs
from edge_agent.protocol.documents import TrustedKey

from .conflicts import meets
from .drafts import Draft, make_draft
from .during import place
from .forecast import refusal
from .foreseeing import foresee
from .models import Broadcast
from .policed import ask_policies, unusual_error
from .preview import describe, refusal_error
from .room import PlanFullError, UrgentFullError, check_room
from .schemas import BroadcastIn, PreviewOut, WindowIn, as_on_the_wire
from .sending import matter_of, send


class Drafting:
    """From what was asked to what is sent; what is asked for has no row yet."""

    def __init__(
        self,
        clock: Clock,
        documents: Documents,
        live: LiveNodes,
        *,
        alarms: Alarms,
        lead_ms: int,
        plan_days: int,
        trusted_keys: tuple[TrustedKey, ...],
    ) -> None:
        self._clock, self._documents, self._live = clock, documents, live
        self._lead, self._covers = timedelta(milliseconds=lead_ms), timedelta(days=plan_days)
        self._alarms, self._trusted_keys = alarms, trusted_keys

    async def draft(
        self, session: AsyncSession, actor: Actor, wanted: BroadcastIn, *, edited: Broadcast | None = None
    ) -> Draft:
        """Make a draft of what was asked, in its place; ``edited``: the broadcast whose place it takes.

        Raises:
            InvalidError: a field is wrong, or a bulletin or programme may not be heard (``NotAirableError``).
            ForbiddenError: aimed at an area above what is in sight.
        """
        seen = await rights.sight(session, actor)
        made = await make_draft(session, wanted, now=self._now(), lead=self._lead, seen=seen, edited=edited)
        if edited is not None:
            made = replace(made, run_id=edited.run_id or edited.id, replaces_id=edited.id)
        return await self.placed(session, made, wanted)

    async def placed(self, session: AsyncSession, draft: Draft, wanted: WindowIn) -> Draft:
        """Find the place of a draft in what is on air, as ``wanted.during`` says.

        Raises:
            InvalidError: that goes with "now" only.
        """
        return await place(session, self._live, draft, wanted, self._trusted_keys, now=self._now())

    async def preview(self, session: AsyncSession, actor: Actor, draft: Draft) -> PreviewOut:
        """Say what it would do if this person sent it, node by node, and whose yes it would take."""
        now = self._now()
        need = await asking.need_of(session, actor, matter_of(draft), now=now)
        found, titles = await foresee(session, self._live, draft, self._trusted_keys, now=now)
        full = await self._full(session, draft, now)
        verdict = await ask_policies(session, draft, now=now)
        met = conflict_outs(await meets(session, draft, found), await rights.sight(session, actor))
        online = sum(self._live.status(node, now) in HEARD for node in draft.targets.nodes)
        areas = {node.id: node.area_id for node in draft.targets.nodes if node.kind == NodeKind.AGENT}
        held = await holds_over(session, self._live, draft.targets.tree, areas)
        return describe(
            draft, found, titles, verdict, need=need, conflicts=met, held_by=held, online_count=online, full=full
        )

    async def send(
        self,
        tx: Transaction,
        actor: Actor,
        draft: Draft,
        wanted: WindowIn,
        *,
        key: str | None = None,
        request_sha256: str | None = None,
    ) -> str:
        """Send it if person, policies and nodes allow; gives its id. ``wanted`` says what is confirmed.

        Raises:
            ForbiddenError: the person may not, or not in all these places.
            InvalidError, ConflictError: as ``Broadcasts.create`` says.
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

    async def _full(self, session: AsyncSession, draft: Draft, now: datetime) -> ConflictError | None:
        try:
            await check_room(session, draft, covers=self._covers, now=now)
        except (PlanFullError, UrgentFullError) as error:
            return error
        return None

    def _now(self) -> datetime:
        return as_on_the_wire(self._clock())
