"""Emergencies: proposed by one person, confirmed by another or by breaking the glass, followed up node by node."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.approvals.needs import Need
from controller.approvals.yeses import Yes, prove
from controller.areas.repository import nodes_in, read_tree
from controller.areas.targets import areas_of
from controller.audit import service as audit
from controller.broadcasts.foreseeing import foresee
from controller.broadcasts.policed import Verdict
from controller.broadcasts.preview import describe
from controller.broadcasts.schemas import NodeRef, as_on_the_wire
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.holds.service import Holds
from controller.names import clean_name
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import HEARD, NodeStatus
from controller.paging import Found, Wanted
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act, Sight
from controller.plays import service as plays
from controller.recordings.service import Recordings
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.states import Level

from . import attention
from .drafting import Wish, bound_to, heard, make_follow_up, make_wish, signal_comes
from .errors import NotOpenError, SamePersonError
from .finding import found_rows
from .hearers import not_followed
from .models import UNDECIDED, Emergency
from .pinning import missing_messages
from .proposing import check_first, proposed_before, write_row
from .repository import in_sight
from .rules import (
    CANCEL_WINDOW,
    FOLLOWS_WITHIN,
    LATEST_SENDING,
    PROPOSAL_LASTS,
    SIGNER_LATER,
)
from .schemas import (
    MAX_REASON,
    BreakGlassIn,
    EmergencyFollowUp,
    EmergencyIn,
    EmergencyOut,
    EmergencyPreview,
    FollowIn,
)
from .seconds import seconds_of
from .sending import Sending
from .signalling import ensure_signal
from .sounds import sounds_of
from .states import EmergencyState, GlassReason, MessageKind
from .views import count_standings, decided_at, follow_up, holds_in_the_way, outs, spots_of

NOT_FOLLOWED = "emergencies.not_followed"
"""Alarm: nodes that heard an emergency stand where whoever ended it may not speak; they did not hear its end."""


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
            ForbiddenError: aimed at an area above what is in sight.
        """
        now = self._now()
        async with self._database.reading() as session:
            wish = await make_wish(session, wanted, await rights.sight(session, actor))
            nodes, draft = wish.targets.nodes, wish.draft(now)
            found, titles = await foresee(
                session, self._live, draft, self._trusted_keys, now=now, released=wanted.release_holds
            )
            holds, silent = await holds_in_the_way(session, self._live, actor, nodes, wanted.release_holds)
            chain = [place.id for place in wish.targets.tree.chain(wish.area_id)]
            missing = (await missing_messages(session, {wish.area_id: chain}))[wish.area_id]
            signal = await attention.find(session)
        spoken = [slot for slot in wish.slots if signal is None or signal.id not in slot.recording_ids]
        statuses = {node.id: self._live.status(node, now) for node in nodes}
        online = sum(status in HEARD for status in statuses.values())
        offline = {NodeStatus.OFFLINE, NodeStatus.NEVER_SEEN}
        return EmergencyPreview(
            broadcast=describe(draft, found, titles, Verdict(), need=Need.ANOTHER, online_count=online, full=None),
            drill=wish.drill,
            languages=tuple(dict.fromkeys(voice.language for slot in spoken for voice in slot.item.voices)),
            offline=_refs(node for node in nodes if statuses[node.id] in offline),
            holds=tuple(holds),
            held=_refs(node for node in nodes if node.id in silent),
            spots=spots_of(nodes, statuses, silent),
            unreporting_count=sum(status is NodeStatus.UNREPORTING for status in statuses.values()),
            missing_messages=missing,
            has_signal=signal is not None and not wish.drill,
            signal_comes=signal is None and not wish.drill and not self._sending.proven,
        )

    async def propose(self, actor: Actor, wanted: EmergencyIn, *, idempotency_key: str | None = None) -> EmergencyOut:
        """Write down what is to be heard, for another person to confirm. From here on it cannot be changed.

        The same from the same person within a minute, or with the same key, is what they proposed before: on a slow
        link a person presses twice.

        Raises:
            InvalidError: a field is wrong, or nothing would be heard.
            ForbiddenError: no role of the person allows it there, or the release of a hold.
            AlreadyProposedError: the same is proposed or sounds there, and that was not confirmed by ``again``.
            CodeError: the signer stands apart, and does not believe the code.
        """
        now, person_id = self._now(), _person(actor)
        act = Act.EMERGENCIES_DRILL if wanted.drill else Act.EMERGENCIES_PROPOSE
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
        person_id, released = _person(actor), list(wanted.release_holds)
        act = Act.EMERGENCIES_DRILL if wanted.drill else Act.EMERGENCIES_PROPOSE
        await self._check_holds(tx, actor, released)
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
        now, person_id = self._now(), _somebody(actor)
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
        now, person_id = self._now(), _somebody(actor)
        reason = _reason(wanted)
        async with self._database.transaction() as tx:
            row = await self._undecided(tx, actor, emergency_id, Act.EMERGENCIES_BREAK_GLASS, now)
            if row.state != EmergencyState.PROPOSED:
                raise _not_open(row)
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
            act = Act.EMERGENCIES_DRILL if row.drill else Act.EMERGENCIES_PROPOSE
            await _require(tx.session, actor, act, row)
            if row.state not in UNDECIDED:
                raise _not_open(row)
            if row.state != EmergencyState.PROPOSED:  # somebody decided it
                _somebody(actor)
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
        now, person_id = self._now(), _somebody(actor)
        async with self._database.transaction() as tx:
            followed = await self._found(tx, actor, emergency_id)
            act = Act.EMERGENCIES_DRILL if followed.drill else Act.EMERGENCIES_PROPOSE
            await _require(tx.session, actor, act, followed)
            await _check_followable(tx.session, followed, kind, now)
            seen, may = await rights.sight(tx.session, actor), await rights.reach(tx.session, actor, act)
            wish, beyond = await make_follow_up(tx.session, followed, kind, wanted, seen=seen, may=may)
            row = await write_row(tx, wish, person_id, now, follows_id=followed.id)
            if actor.proof is None:
                await self._sending.send(tx, actor, row, [Yes(person_id)], now=now)
            else:  # the signer apart knows no ready message from another: one person's word, as with a broken glass
                await self._count_down(tx, actor, row, now)
            await self._tell_beyond(tx, followed, kind, beyond)
            detail: dict[str, object] = {"follows": followed.id, "not_followed": [node.id for node in beyond]}
            await self._note(tx, actor, act, row, detail)
        return await self._one(actor, row.id)

    async def get(self, actor: Actor, emergency_id: str) -> EmergencyFollowUp:
        """Give one emergency with how every node in sight stands; those that missed it come first.

        Raises:
            NotFoundError: there is none for this person.
        """
        now = self._now()
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            row = await session.scalar(select(Emergency).where(Emergency.id == emergency_id, in_sight(seen)))
            if row is None:
                raise _no_emergency(emergency_id)
            said = await plays.of_broadcast(session, row.broadcast_id, seen) if row.broadcast_id else []
            nodes = await _nodes(session, row, seen)
            found = await self._with_holds(session, actor, row, nodes)
            left = await _left(session, row, seen)
            seconds = await seconds_of(session, actor, row)
            proven = self._sending.proven
            sounds = await sounds_of(session, await heard(session, row, as_proposed=proven), row.slots)
            comes = await signal_comes(session, row, as_proposed=proven)
        statuses = {node.id: self._live.status(node, now) for node in nodes}
        stands = follow_up(said, statuses, decided_at(row))
        return EmergencyFollowUp(
            **found.model_dump(),
            standings=count_standings(stands),
            nodes=stands,
            not_followed=_refs(left),
            seconds=seconds,
            sounds=sounds,
            signal_comes=comes,
        )

    async def list(self, actor: Actor, *, state: EmergencyState | None = None, limit: int = 50) -> list[EmergencyOut]:
        """Give the emergencies in sight, newest first."""
        async with self._database.reading() as session:
            query = select(Emergency).where(in_sight(await rights.sight(session, actor)))
            if state is not None:
                query = query.where(Emergency.state == state)
            query = query.order_by(Emergency.proposed_at.desc(), Emergency.id).limit(limit)
            rows = (await session.scalars(query)).all()
            return await outs(session, rows, as_proposed=self._sending.proven)

    async def find(self, actor: Actor, wanted: Wanted) -> Found[EmergencyOut]:
        """Give one part of those in sight. Sorts: ``proposed``, ``title``; filters: ``state``, ``drill``."""
        async with self._database.reading() as session:
            rows, total = await found_rows(session, await rights.sight(session, actor), wanted)
            return Found(tuple(await outs(session, rows, as_proposed=self._sending.proven)), total)

    async def _one(self, actor: Actor, emergency_id: str) -> EmergencyOut:
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = select(Emergency).where(Emergency.id == emergency_id, in_sight(seen))
            row = (await session.scalars(query)).one()
            return await self._with_holds(session, actor, row, await _nodes(session, row, seen))

    async def _with_holds(
        self, session: AsyncSession, actor: Actor, row: Emergency, nodes: Sequence[Node]
    ) -> EmergencyOut:
        """Show one with the holds that silence some of its nodes."""
        holds, _ = await holds_in_the_way(session, self._live, actor, nodes)
        (shown,) = await outs(session, [row], as_proposed=self._sending.proven)
        return shown.model_copy(update={"holds": tuple(holds)})

    async def _found(self, tx: Transaction, actor: Actor, emergency_id: str) -> Emergency:
        seen = await rights.sight(tx.session, actor)
        query = select(Emergency).where(Emergency.id == emergency_id, in_sight(seen)).with_for_update()
        row = await tx.session.scalar(query)
        if row is None:
            raise _no_emergency(emergency_id)
        return row

    async def _count_down(self, tx: Transaction, actor: Actor, row: Emergency, now: datetime) -> None:
        """Have it sent when the cancel window is over; where the signer stands apart it waits that out, too."""
        row.fires_at, row.state = now + CANCEL_WINDOW, EmergencyState.COUNTING_DOWN
        if actor.proof is not None:
            row.fires_at += SIGNER_LATER
            yes, bound = Yes(_person(actor), proof=actor.proof), bound_to(row, now, row.fires_at + LATEST_SENDING)
            prove(tx, yes, f"emergencies/{row.id}", bound, Level.EMERGENCY, glass=True)

    async def _undecided(self, tx: Transaction, actor: Actor, emergency_id: str, act: Act, now: datetime) -> Emergency:
        """Give one that was not sent yet and still may be, to somebody who may decide it."""
        row = await self._found(tx, actor, emergency_id)
        await _require(tx.session, actor, act, row)
        stale = row.state == EmergencyState.PROPOSED and now - row.proposed_at > PROPOSAL_LASTS
        if row.state not in UNDECIDED or stale:
            raise _not_open(row)
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

    async def _tell_beyond(
        self, tx: Transaction, followed: Emergency, kind: MessageKind, nodes: Sequence[Node]
    ) -> None:
        """Have those who look after nodes that heard it, and do not hear its end from here, say it there."""
        for area_id in sorted({node.area_id for node in nodes}):
            names = ", ".join(node.name for node in nodes if node.area_id == area_id)
            detail = {"title": followed.title, "kind": kind, "nodes": names, "drill": followed.drill}
            await self._alarms.raise_(tx, NOT_FOLLOWED, area_id, f"emergencies/{followed.id}", detail)

    async def _note(self, tx: Transaction, actor: Actor, act: str, row: Emergency, detail: dict[str, object]) -> None:
        await tx.session.flush()
        said = {"title": row.title, "kind": row.kind, "drill": row.drill, "state": str(row.state), **detail}
        await audit.write(tx, actor, act, f"emergencies/{row.id}", said, at=self._now(), area_id=row.area_id)
        tx.tell(Event(Topic.EMERGENCY, row.id))

    def _now(self) -> datetime:
        return as_on_the_wire(self._clock())


async def _check_followable(session: AsyncSession, row: Emergency, kind: MessageKind, now: datetime) -> None:
    sent = row.sent_at is not None and now - row.sent_at <= FOLLOWS_WITHIN
    if not sent or row.kind != MessageKind.ALERT:
        raise _not_open(row)
    said = select(Emergency.id).where(Emergency.follows_id == row.id, Emergency.kind == kind)
    if await session.scalar(said.limit(1)) is not None:
        raise ConflictError("that was said already", problem="said")


async def _require(session: AsyncSession, actor: Actor, act: Act, row: Emergency) -> None:
    """Ask for the right in every place at which it is aimed, those of nodes that are gone among them."""
    areas = await areas_of(session, row.scopes, removed=True)
    await rights.require(session, actor, act, set(areas.values()))


async def _nodes(session: AsyncSession, row: Emergency, seen: Sight) -> list[Node]:
    nodes = await nodes_in(session, await read_tree(session), row.scopes, reports=False)
    return [node for node in nodes if seen.sees(node.area_id)]


async def _left(session: AsyncSession, row: Emergency, seen: Sight) -> list[Node]:
    """Give the nodes that did not hear the end; who sees but a part of where it was aimed sees none elsewhere."""
    places = await areas_of(session, row.scopes, removed=True)
    whole = all(map(seen.sees, places.values()))
    return [node for node in await not_followed(session, row) if whole or seen.sees(node.area_id)]


def _reason(wanted: BreakGlassIn) -> str:
    """Give the words, else the code, that stand for why nobody else was asked."""
    if wanted.reason_code in {None, GlassReason.OTHER} or wanted.reason.strip():
        return clean_name(wanted.reason, field="reason", most=MAX_REASON)
    return str(wanted.reason_code)


def _person(actor: Actor) -> str:
    if actor.person_id is None:
        raise ForbiddenError("an emergency takes a person who answers for it")
    return actor.person_id


def _somebody(actor: Actor) -> str:
    """Name who decides: a person who is there. With its key a machine proposes, and decides nothing."""
    if actor.acts is not None:
        raise ForbiddenError("a machine's key proposes an emergency; what is heard of it is a person's to decide")
    return _person(actor)


def _refs(nodes: Iterable[Node]) -> tuple[NodeRef, ...]:
    return tuple(NodeRef(node_id=node.id, name=node.name) for node in nodes)


def _not_open(row: Emergency) -> NotOpenError:
    return NotOpenError(f"this emergency is {row.state}", state=str(row.state))


def _no_emergency(emergency_id: str) -> NotFoundError:
    return NotFoundError("there is no such emergency", resource="emergencies", id=emergency_id[:64])
