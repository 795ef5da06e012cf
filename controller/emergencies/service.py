"""Emergencies: proposed by one person, confirmed by another or by breaking the glass, followed up node by node."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, select

from controller.alarms.service import Alarms
from controller.approvals.yeses import Yes, prove
from controller.audit import service as audit
from controller.broadcasts.schemas import as_on_the_wire
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.holds.service import Holds
from controller.nodes.live import LiveNodes
from controller.paging import Found, Wanted
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act
from controller.recordings.service import Recordings
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import Level

from .deciding import person_of, reason_of, require_everywhere, somebody
from .drafting import Wish, bound_to, make_follow_up, make_wish
from .ending import check_followable, tell_beyond
from .errors import SamePersonError, not_open
from .finding import found_rows
from .models import Emergency
from .preview import previewed
from .proposing import check_first, check_fits, check_in_the_way, proposed_before, write_row
from .repository import in_sight
from .rules import CANCEL_WINDOW, LATEST_SENDING, PROPOSAL_LASTS, SIGNER_LATER, act_for, is_stale
from .schemas import BreakGlassIn, EmergencyFollowUp, EmergencyIn, EmergencyOut, EmergencyPreview, FollowIn
from .sending import Sending
from .shown import followed_up, nodes_of, row_in_sight, shown
from .signalling import ensure_signal
from .states import UNDECIDED, UNDER_WAY, EmergencyState, MessageKind
from .views import outs

MOST_UNDER_WAY = 100
"""Told at once: of a storm over a whole province."""


class Emergencies:
    """What must be heard at once."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        sending: Sending,
        holds: Holds,
        alarms: Alarms,
        recordings: Recordings,
        live: LiveNodes,
        trusted_keys: tuple[TrustedKey, ...],
    ) -> None:
        self._database, self._clock, self._live = database, clock, live
        self._sending, self._holds, self._alarms, self._recordings = sending, holds, alarms, recordings
        self._trusted_keys = trusted_keys

    async def preview(self, actor: Actor, wanted: EmergencyIn) -> EmergencyPreview:
        """Say what it would do: who is held, who is not heard from, how long it takes; saves nothing.

        Raises:
            InvalidError: a field is wrong.
            UrgentFullError: too much is being said at once in a place.
            ForbiddenError: aimed at an area above what is in sight.
        """
        async with self._database.reading() as session:
            return await previewed(
                session,
                self._live,
                self._trusted_keys,
                actor,
                wanted,
                now=self._now(),
                may_come=not self._sending.proven,
            )

    async def propose(self, actor: Actor, wanted: EmergencyIn, *, idempotency_key: str | None = None) -> EmergencyOut:
        """Write down what is to be heard, for another person to confirm. From here on it cannot be changed.

        The same from the same person within a minute, or with the same key, is what they proposed before: on a slow
        link a person presses twice.

        Raises:
            InvalidError: a field is wrong, or nothing would be heard.
            ForbiddenError: no role of the person allows it there, or the release of a hold.
            UrgentFullError: too much is being said at once in a place.
            AlreadyProposedError: the same is proposed or sounds there, and that was not confirmed by ``again``.
            CodeError: the signer stands apart, and does not believe the code.
        """
        now, person_id = self._now(), person_of(actor)
        act = act_for(wanted.drill)
        async with self._database.reading() as session:
            await rights.require(session, actor, act)
            wish = await make_wish(session, wanted, await rights.sight(session, actor))
            await rights.require(session, actor, act, wish.targets.area_ids)
        await ensure_signal(self._database, self._recordings, actor, wish.area_id)
        async with self._database.transaction() as tx:
            await rights.require(tx.session, actor, act, wish.targets.area_ids)
            known = await proposed_before(tx.session, wish, wanted, person_id, key=idempotency_key, now=now)
            key = known.id if known else await self._write_down(tx, actor, wish, wanted, key=idempotency_key, now=now)
            is_repeat = known is not None and (idempotency_key is None or known.idempotency_key != idempotency_key)
        return (await self._one(actor, key)).model_copy(update={"is_repeat": is_repeat})

    async def _write_down(
        self, tx: Transaction, actor: Actor, wish: Wish, wanted: EmergencyIn, *, key: str | None, now: datetime
    ) -> str:
        person_id, released = person_of(actor), list(wanted.release_holds)
        act = act_for(wanted.drill)
        await self._check_holds(tx, actor, released)
        await check_in_the_way(tx.session, self._live, actor, wish, released)
        await check_fits(tx.session, wish.draft(now), now)
        if not wanted.again:
            await check_first(tx.session, wish, await rights.sight(tx.session, actor), now)
        row = await write_row(tx, wish, person_id, now, release_holds=released, idempotency_key=key)
        yes = Yes(person_id, proof=actor.proof)
        bound = bound_to(row, now, now + PROPOSAL_LASTS + LATEST_SENDING)
        prove(tx, yes, f"emergencies/{row.id}", bound, Level.EMERGENCY)
        await self._note(tx, actor, act, row, {"scopes": row.scopes, "release_holds": row.release_holds})
        return row.id

    async def confirm(self, actor: Actor, emergency_id: str) -> EmergencyOut:
        """Say yes to what somebody else proposed: it is said at once, also within the window of a broken glass.

        Raises:
            NotFoundError: there is no such emergency for this person.
            NotOpenError: it does not wait for a yes any more.
            SamePersonError: the person proposed it.
            ForbiddenError: no role of the person allows it there, or the release of a hold, or a machine's key asks.
            InvalidError, UrgentFullError: see ``Sending.send``.
            CodeError: the signer stands apart, and does not believe the code.
        """
        now, person_id = self._now(), somebody(actor)
        async with self._database.transaction() as tx:
            row = await self._undecided(tx, actor, emergency_id, Act.EMERGENCIES_CONFIRM, now)
            if row.proposed_by == person_id:
                raise SamePersonError("another person has to confirm it; if there is none, break the glass")
            row.confirmed_by, row.confirmed_at = person_id, now
            await self._sending.send(tx, actor, row, [Yes(row.proposed_by), Yes(person_id, proof=actor.proof)], now=now)
            await self._note(tx, actor, Act.EMERGENCIES_CONFIRM, row, {"proposed_by": row.proposed_by})
        return await self._one(actor, emergency_id)

    async def break_glass(self, actor: Actor, emergency_id: str, wanted: BreakGlassIn) -> EmergencyOut:
        """Decide alone, for a reason: it is said when the cancel window is over, and administrators know at once.

        Raises:
            NotFoundError: there is no such emergency for this person.
            NotOpenError: it does not wait for a yes any more.
            ForbiddenError: no role of the person allows it there, or the release of a hold, or a machine's key asks.
            InvalidError: no reason is given.
            CodeError: the signer stands apart, and does not believe the code.
        """
        now, person_id = self._now(), somebody(actor)
        reason = reason_of(wanted)
        async with self._database.transaction() as tx:
            row = await self._undecided(tx, actor, emergency_id, Act.EMERGENCIES_BREAK_GLASS, now)
            if row.state != EmergencyState.PROPOSED:
                raise not_open(row.state)
            await self._check_holds(tx, actor, row.release_holds)
            row.break_glass_by, row.break_glass_reason = person_id, reason
            row.reason_code = wanted.reason_code
            await self._count_down(tx, actor, row, now)
            by = (await tx.session.get_one(Person, person_id)).name
            why = {"reason": reason} | ({"reason_code": str(wanted.reason_code)} if wanted.reason_code else {})
            detail = {"title": row.title, **why, "by": by, "drill": row.drill}
            subject = f"emergencies/{row.id}"
            await self._alarms.raise_(tx, "emergencies.break_glass", row.area_id, subject, detail)
            await self._note(tx, actor, Act.EMERGENCIES_BREAK_GLASS, row, dict(why))
        return await self._one(actor, emergency_id)

    async def cancel(self, actor: Actor, emergency_id: str) -> EmergencyOut:
        """Take back what was not sent yet: a proposal, or a decision within its cancel window.

        Raises:
            NotFoundError: there is no such emergency for this person.
            NotOpenError: it was sent, or is over; end it with an all-clear or as a false alarm.
            ForbiddenError: no role of the person allows it there, or a machine's key would undo what somebody decided.
        """
        async with self._database.transaction() as tx:
            row = await self._found(tx, actor, emergency_id)
            act = act_for(row.drill)
            await require_everywhere(tx.session, actor, act, row)
            if row.state not in UNDECIDED:
                raise not_open(row.state)
            if row.state != EmergencyState.PROPOSED:  # somebody decided it
                somebody(actor)
            row.state, row.ended_at, row.ended_by = EmergencyState.CANCELLED, self._now(), actor.person_id
            await self._note(tx, actor, "emergencies.cancel", row, {})
        return await self._one(actor, emergency_id)

    async def follow(self, actor: Actor, emergency_id: str, kind: MessageKind, wanted: FollowIn) -> EmergencyOut:
        """Say at once that it is over, or that it was none: silences it where it sounds. One person, one call.

        Who heard it hears this, too: also nodes that were moved since, as far as the person may speak there. Where they
        may not, an alarm tells those who may. Only ready messages, which those who answer for them wrote: so nobody
        alone says anything else this way.

        Raises:
            NotFoundError: there is no such emergency for this person.
            NotOpenError: it was not sent, it is an all-clear itself, or it was long ago.
            ConflictError: that was said already.
            ForbiddenError: no role of the person allows it there, or a machine's key asks.
            InvalidError, UrgentFullError: see ``make_follow_up`` and ``Sending.send``.
            CodeError: the signer stands apart, and does not believe the code.
        """
        now, person_id = self._now(), somebody(actor)
        async with self._database.transaction() as tx:
            followed = await self._found(tx, actor, emergency_id)
            act = act_for(followed.drill)
            await require_everywhere(tx.session, actor, act, followed)
            await check_followable(tx.session, followed, kind, now)
            seen, may = await rights.sight(tx.session, actor), await rights.reach(tx.session, actor, act)
            wish, beyond = await make_follow_up(tx.session, followed, kind, wanted, seen=seen, may=may)
            row = await write_row(tx, wish, person_id, now, follows_id=followed.id)
            if actor.proof is None:
                await self._sending.send(tx, actor, row, [Yes(person_id)], now=now)
            else:  # the signer apart knows no ready message from another: one person's word, as with a broken glass
                await self._count_down(tx, actor, row, now)
            await tell_beyond(tx, self._alarms, followed, kind, beyond)
            detail: dict[str, object] = {"follows": followed.id, "not_followed": [node.id for node in beyond]}
            await self._note(tx, actor, act, row, detail)
        return await self._one(actor, row.id)

    async def get(self, actor: Actor, emergency_id: str) -> EmergencyFollowUp:
        """Give one emergency with how every node in sight stands; those that missed it come first.

        Raises:
            NotFoundError: there is none for this person.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            row = await row_in_sight(session, seen, emergency_id)
            return await followed_up(
                session, self._live, actor, row, seen, as_proposed=self._sending.proven, now=self._now()
            )

    async def under_way(self, actor: Actor) -> list[EmergencyOut]:
        """Give those in sight that are not over: what waits for somebody first, then what was sent; each newest first.

        However many were proposed since, and are over: what is told on every page loses none behind them.
        """
        waits_first = case((Emergency.state.in_(UNDECIDED), 0), else_=1)
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = select(Emergency).where(in_sight(seen), Emergency.state.in_(UNDER_WAY))
            query = query.order_by(waits_first, Emergency.proposed_at.desc(), Emergency.id).limit(MOST_UNDER_WAY)
            rows = (await session.scalars(query)).all()
            return await outs(session, rows, seen, as_proposed=self._sending.proven)

    async def list(self, actor: Actor, *, state: EmergencyState | None = None, limit: int = 50) -> list[EmergencyOut]:
        """Give the emergencies in sight, newest first."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = select(Emergency).where(in_sight(seen))
            if state is not None:
                query = query.where(Emergency.state == state)
            query = query.order_by(Emergency.proposed_at.desc(), Emergency.id).limit(limit)
            rows = (await session.scalars(query)).all()
            return await outs(session, rows, seen, as_proposed=self._sending.proven)

    async def find(self, actor: Actor, wanted: Wanted) -> Found[EmergencyOut]:
        """Give one part of those in sight. Sorts: ``proposed``, ``title``; filters: ``state``, ``drill``."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            rows, total = await found_rows(session, seen, wanted)
            return Found(tuple(await outs(session, rows, seen, as_proposed=self._sending.proven)), total)

    async def _one(self, actor: Actor, emergency_id: str) -> EmergencyOut:
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            row = await row_in_sight(session, seen, emergency_id)
            nodes = await nodes_of(session, row, seen)
            return await shown(session, self._live, actor, row, nodes, seen=seen, as_proposed=self._sending.proven)

    async def _found(self, tx: Transaction, actor: Actor, emergency_id: str) -> Emergency:
        return await row_in_sight(tx.session, await rights.sight(tx.session, actor), emergency_id, locked=True)

    async def _count_down(self, tx: Transaction, actor: Actor, row: Emergency, now: datetime) -> None:
        """Have it sent when the cancel window is over; where the signer stands apart it waits that out, too."""
        row.fires_at, row.state = now + CANCEL_WINDOW, EmergencyState.COUNTING_DOWN
        if actor.proof is not None:
            row.fires_at += SIGNER_LATER
            yes, bound = Yes(person_of(actor), proof=actor.proof), bound_to(row, now, row.fires_at + LATEST_SENDING)
            prove(tx, yes, f"emergencies/{row.id}", bound, Level.EMERGENCY, glass=True)

    async def _undecided(self, tx: Transaction, actor: Actor, emergency_id: str, act: Act, now: datetime) -> Emergency:
        """Give one that was not sent yet and still may be, to somebody who may decide it."""
        row = await self._found(tx, actor, emergency_id)
        await require_everywhere(tx.session, actor, act, row)
        if row.state not in UNDECIDED or is_stale(row.state, row.proposed_at, now):
            raise not_open(row.state)
        return row

    async def _check_holds(self, tx: Transaction, actor: Actor, hold_ids: Sequence[str]) -> None:
        """Refuse holds that this person does not know or may not release."""
        for hold_id in hold_ids:
            try:
                await self._holds.find(tx, actor, hold_id)
            except NotFoundError:
                raise InvalidError(
                    "release_holds: there is no such hold", field="release_holds", problem="unknown"
                ) from None

    async def _note(self, tx: Transaction, actor: Actor, act: str, row: Emergency, detail: dict[str, object]) -> None:
        await tx.session.flush()
        said = {"title": row.title, "kind": row.kind, "drill": row.drill, "state": str(row.state), **detail}
        await audit.write(tx, actor, act, f"emergencies/{row.id}", said, at=self._now(), area_id=row.area_id)
        tx.tell(Event(Topic.EMERGENCY, row.id))

    def _now(self) -> datetime:
        return as_on_the_wire(self._clock())
