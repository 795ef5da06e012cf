"""Broadcasts: what is said where and when. Sending is approving where policy and rights leave it at that."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controller.clock import Clock
from controller.db import Database, in_pieces, locks
from controller.errors import ConflictError, InvalidError
from controller.nodes.live import LiveNodes
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from controller.plans.service import Documents
from controller.plays import service as plays
from controller.plays.grouped import grouped
from controller.plays.not_well import not_well
from controller.plays.schemas import PlayedNotOut, PlayGroupsOut, PlayOut
from controller.plays.unconfirmed import Watch, with_doubts
from edge_agent.protocol.states import Level
from edge_agent.protocol.topics import Word

from . import cancelling
from .around import day_of, ids_around, ids_due
from .conflicts import met
from .drafting import Drafting
from .known import known_row, no_broadcast, shown
from .models import Broadcast
from .repository import has_begun, in_sight, is_left_behind, is_seen, outs, sounds_in, target_areas
from .returned import ids_returned
from .rules import Phase
from .schemas import BroadcastIn, BroadcastOut, ConflictOut, PreviewOut, as_on_the_wire
from .superseding import supersede
from .versions import successor_of

MAX_KEY = 100
"""Characters of an idempotency key."""

NotWell = dict[str, list[PlayedNotOut]]
"""By broadcast."""


class Broadcasts:
    """All broadcasts, past and to come: sent, changed, taken back, read."""

    def __init__(
        self, database: Database, clock: Clock, documents: Documents, live: LiveNodes, drafting: Drafting
    ) -> None:
        self._database, self._clock, self._documents = database, clock, documents
        self._live, self._drafting = live, drafting

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
            known = await _by_key(tx.session, actor, key, wanted)
            if known is not None:
                return await shown(tx.session, self._watch(await rights.sight(tx.session, actor)), known)
            draft = await self._drafting.draft(tx.session, actor, wanted)
            request_sha256 = wanted.sha256 if key else None
            broadcast_id = await self._drafting.send(tx, actor, draft, wanted, key=key, request_sha256=request_sha256)
        return await self.get(actor, broadcast_id)  # after the commit: it is on its way while we look

    async def change(self, actor: Actor, broadcast_id: str, wanted: BroadcastIn) -> BroadcastOut:
        """Put a new version in the place of one that has not begun. What was approved has to be approved again.

        What it says stays where nothing else is given; ``start_at`` is then when its sound begins.

        Raises:
            NotFoundError: there is no such broadcast.
            ForbiddenError: no role of the person allows it there.
            InvalidError: a field is wrong, it is against a policy (``PolicyBreachError``), no node would play it
                (``QuietHoursError``, ``RefusedByAllError``), or a bulletin or programme may not (``NotAirableError``).
            ConflictError: it began, is over, cancelled, replaced, or changed elsewhere, as with its schedule; there is
                no room (``PlanFullError``, ``UrgentFullError``), the hour is unusual (``UnusualHourError``) or others
                are planned at that time (``ScheduleConflictError``), and that was not confirmed.
            CodeError: as ``create`` says.
        """
        async with self._database.transaction() as tx:
            now = self._now()
            row = await _to_change(tx.session, actor, broadcast_id, now)
            scopes = await supersede(tx, row, now=now)
            for scope in sorted(scopes):
                await self._documents.touch(tx, scope, Word.URGENT if row.urgent else Word.PLAN)
            draft = await self._drafting.draft(tx.session, actor, wanted, edited=row)
            later = await self._drafting.send(tx, actor, draft, wanted)
        return await self.get(actor, later)

    async def check_change(self, actor: Actor, broadcast_id: str) -> None:
        """Tell whether this person may change it now, whatever into.

        Raises:
            NotFoundError, ForbiddenError, ConflictError: as ``change`` says.
        """
        async with self._database.reading() as session:
            await _to_change(session, actor, broadcast_id, self._now())

    async def preview(self, actor: Actor, wanted: BroadcastIn, *, edits: str | None = None) -> PreviewOut:
        """Say what sending it would do, node by node; saves nothing. ``edits``: the broadcast whose place it takes.

        Raises:
            InvalidError: a field is wrong, or a bulletin or programme may not be heard (``NotAirableError``).
            ForbiddenError: aimed at an area above what is in sight, or what it edits is not theirs to change.
            NotFoundError, ConflictError: what it edits, as ``change`` says.
        """
        async with self._database.reading() as session:
            edited = await _to_change(session, actor, edits, self._now()) if edits is not None else None
            draft = await self._drafting.draft(session, actor, wanted, edited=edited)
            return await self._drafting.preview(session, actor, draft)

    async def cancel(self, actor: Actor, broadcast_id: str) -> BroadcastOut:
        """Take it out of what nodes are told, and stop it where it sounds.

        Plays stay ``cancel_unconfirmed`` until their node says what it did.

        Raises:
            NotFoundError: there is no such broadcast.
            ConflictError: it is cancelled already, or over, or another version stands in its place, which is not.
        """
        now = self._now()
        async with self._database.transaction() as tx:
            row = await tx.session.get(Broadcast, broadcast_id, with_for_update=True)
            if row is None or not await is_seen(tx.session, await rights.sight(tx.session, actor), broadcast_id):
                raise no_broadcast(broadcast_id)
            await rights.require(tx.session, actor, Act.BROADCASTS_CANCEL, await target_areas(tx.session, broadcast_id))
            if row.cancelled_at is not None:
                raise ConflictError("this broadcast is cancelled already", problem="cancelled")
            if row.superseded_at is not None and await _stands_in_its_place(tx.session, row):
                raise ConflictError("another version stands in its place: cancel that one", problem="replaced")
            still_open = await cancelling.stop(tx, self._documents, row, by=actor.person_id, now=now)
            if not still_open:
                raise ConflictError("this broadcast is over", problem="over")
            await cancelling.note(tx, actor, row, still_open, now=now)
        return await self.get(actor, broadcast_id)

    async def may_cancel(self, actor: Actor, broadcast_id: str) -> bool:
        """Say whether this person may take it back wherever it is aimed, in sight or not.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            await known_row(session, actor, broadcast_id)
            return await rights.allows(session, actor, Act.BROADCASTS_CANCEL, await target_areas(session, broadcast_id))

    async def get(self, actor: Actor, broadcast_id: str) -> BroadcastOut:
        """Give one broadcast.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            return await shown(session, self._watch(await rights.sight(session, actor)), broadcast_id)

    async def met(self, actor: Actor, broadcast_id: str) -> tuple[ConflictOut, ...]:
        """Say what it meets at the same nodes while it has not begun, and which of the two is cut.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen, row = await known_row(session, actor, broadcast_id)
            return await met(session, seen, row, now=self._now())

    async def some(self, actor: Actor, ids: Collection[str]) -> dict[str, BroadcastOut]:
        """Give those of these that are in sight, by id."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            watch, found = self._watch(seen), []
            for piece in in_pieces(sorted(ids)):
                found += await outs(session, select(Broadcast).where(Broadcast.id.in_(piece), in_sight(seen)), watch)
        return {each.id: each for each in found}

    async def plays(self, actor: Actor, broadcast_id: str) -> list[PlayOut]:
        """Give what became of it at each node in sight, area by area.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen, row = await known_row(session, actor, broadcast_id)
            found = await plays.of_broadcast(session, broadcast_id, seen)
            return await with_doubts(session, self._live, row, found, now=self._now())

    async def play_groups(
        self, actor: Actor, broadcast_id: str, *, most: int, silent: Collection[str] = ()
    ) -> PlayGroupsOut:
        """Give how many plays became what, and ``most`` of each; of ``silent`` nodes, which have not done their part.

        Raises:
            NotFoundError: there is no such broadcast.
        """
        async with self._database.reading() as session:
            seen, row = await known_row(session, actor, broadcast_id)
            found = await grouped(session, broadcast_id, seen, most=most, silent=silent)
            first = await with_doubts(session, self._live, row, found.first, now=self._now())
            return found.model_copy(update={"first": tuple(first)})

    async def not_well(self, actor: Actor, ids: Collection[str], *, area_id: str | None = None, most: int) -> NotWell:
        """Give, by broadcast, where in sight it did not sound as it should, and why; ``most`` of each reason are named.

        Raises:
            NotFoundError: there is no such area in sight.
        """
        async with self._database.reading() as session:
            seen = await rights.within(session, await rights.sight(session, actor), area_id)
            return await not_well(session, ids, seen, most=most)

    async def today(
        self, actor: Actor, zone: str = "Asia/Ho_Chi_Minh", area_id: str | None = None
    ) -> list[BroadcastOut]:
        """Give the broadcasts of today by the wall clock of ``zone``, with those of yesterday that are not over."""
        midnight, tomorrow = day_of(self._now(), zone)
        return await self.list(actor, from_at=midnight, to_at=tomorrow, area_id=area_id)

    async def around(
        self, actor: Actor, zone: str, ids: Collection[str], *, failed_for: timedelta, due: bool
    ) -> list[BroadcastOut]:
        """Give what of today stands on top of every page, by start: few of a day's, and what they are told by.

        That is these ``ids``, what failed in the time before, the next ones, and what is ``due`` where that is asked;
        and of any day what was returned, for whoever may mend it.
        It is not said whether they sound at virtual outputs alone: nodes' own words tell that.
        """
        now = self._now()
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            wanted = await ids_around(session, seen, now, until_at=day_of(now, zone)[1], failed_for=failed_for)
            wanted |= await ids_returned(session, await rights.reach(session, actor, Act.BROADCASTS_CREATE), now)
            if due:
                wanted |= await ids_due(session, seen, now)
            watch, found = Watch(self._live, seen, now), []
            for some in in_pieces(sorted(wanted.union(ids))):
                query = select(Broadcast).where(Broadcast.id.in_(some), in_sight(seen))
                found += await outs(session, query, watch, look_at_outputs=False)
        return sorted(found, key=lambda each: (each.start_at, each.id))

    async def list(
        self, actor: Actor, *, from_at: datetime, to_at: datetime, area_id: str | None = None, limit: int = 500
    ) -> list[BroadcastOut]:
        """Give those that start in ``[from_at, to_at)`` or began before and still may sound, by start.

        What was replaced is not among them, but where nothing stands in its place and nodes may still sound it.
        ``area_id``: only what is for nodes there, and of it only what becomes of it there.

        Raises:
            NotFoundError: there is no such area in sight.
        """
        now = self._now()
        under_way = (Broadcast.start_at < from_at) & (Broadcast.latest_end_at > max(now, from_at))
        query = (
            select(Broadcast)
            .where(or_(Broadcast.superseded_at.is_(None), is_left_behind(now)))
            .where(Broadcast.start_at < to_at, or_(Broadcast.start_at >= from_at, under_way))
            .order_by(Broadcast.start_at, Broadcast.id)
            .limit(limit)
        )
        async with self._database.reading() as session:
            whole = await rights.sight(session, actor)
            seen = await rights.within(session, whole, area_id)
            query = query.where(in_sight(whole)) if area_id is None else query.where(in_sight(whole), sounds_in(seen))
            found = await outs(session, query, Watch(self._live, seen, now), whole=whole)
        gone = {Phase.REPLACED, Phase.TAKEN_OUT}
        return [each for each in found if each.phase not in gone or each.unconfirmed is not None]

    def _watch(self, seen: Sight) -> Watch:
        return Watch(self._live, seen, self._now())

    def _now(self) -> datetime:
        return as_on_the_wire(self._clock())


async def _to_change(session: AsyncSession, actor: Actor, broadcast_id: str, now: datetime) -> Broadcast:
    row = await session.get(Broadcast, broadcast_id, with_for_update=locks(session))
    if row is None or not await is_seen(session, await rights.sight(session, actor), broadcast_id):
        raise no_broadcast(broadcast_id)
    await rights.require(session, actor, Act.BROADCASTS_CREATE, await target_areas(session, broadcast_id))
    if row.cancelled_at is not None:
        raise ConflictError("this broadcast is cancelled already", problem="cancelled")
    if row.superseded_at is not None:
        raise ConflictError(
            "this broadcast was changed already: another version stands in its place", problem="replaced"
        )
    if row.schedule_id is not None or row.replays_id is not None or row.level == Level.EMERGENCY:
        raise ConflictError("this broadcast is changed with its schedule, or not at all", problem="not_alone")
    ends_at = row.latest_start_at if row.awaits_approval else row.start_at
    if ends_at <= now or await has_begun(session, broadcast_id):
        raise ConflictError("this broadcast has begun, or its time is over", problem="begun")
    return row


async def _stands_in_its_place(session: AsyncSession, row: Broadcast) -> bool:
    """Say whether another version of it was not cancelled, so that taking this one back keeps nothing silent."""
    later = await successor_of(session, row)
    return later is not None and (await session.get_one(Broadcast, later)).cancelled_at is None


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
