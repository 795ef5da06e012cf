"""Phát bù: says a broadcast once more, and only once, at the nodes that missed it.

A broadcast like any other: the same content, inside policy, approved as any. It is never made by itself.
"""

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import areas_of, resolve
from controller.clock import Clock
from controller.db import Database, locks
from controller.errors import ConflictError, NotFoundError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from controller.plays import service as plays
from controller.plays.models import Play
from controller.plays.rules import UNKNOWN_AFTER
from controller.plays.schemas import PlayOut
from edge_agent.protocol.states import Level, Outcome

from .contents import Content
from .drafting import Drafting
from .drafts import Draft, window_of
from .kept import still_sayable
from .models import Broadcast
from .repository import is_seen, target_areas
from .schemas import BroadcastOut, MissedOut, ReplayIn, ReplayPreviewOut, as_on_the_wire
from .service import Broadcasts

NOT_HEARD = frozenset({Outcome.MISSED, Outcome.EXPIRED, Outcome.UNKNOWN})
"""What a guard refused is not among them: it would be refused again, or had better not be heard."""
OLDEST = timedelta(days=7)
"""After its latest end. Nobody asks for what is older: "today" and "tomorrow" in it have come to mean another day."""


class AlreadyReplayedError(ConflictError):
    """It was made up for already. ``broadcast_id`` names the replay.

    Once that is cancelled, or nobody approved it in time, another may be made.
    """

    code = "already_replayed"


class Replays:
    """Makes up for what was missed."""

    def __init__(
        self, database: Database, clock: Clock, broadcasts: Broadcasts, drafting: Drafting, *, lead_ms: int
    ) -> None:
        self._database, self._clock = database, clock
        self._broadcasts, self._drafting = broadcasts, drafting
        self._lead = timedelta(milliseconds=lead_ms)

    async def preview(self, actor: Actor, broadcast_id: str, wanted: ReplayIn) -> ReplayPreviewOut:
        """Say which nodes missed it, and what a replay would do there; saves nothing.

        Raises:
            NotFoundError: there is no such broadcast.
            ForbiddenError: the person may not send there.
            AlreadyReplayedError: it was made up for, and that was not cancelled.
            ConflictError: it is not over, was cancelled, is an emergency, a drill or a replay itself, nobody missed
                it, or it was long ago.
            InvalidError: what was said may not be said any more.
        """
        async with self._database.reading() as session:
            draft, missed = await self._draft(session, actor, broadcast_id, wanted)
            shown = await self._drafting.preview(session, actor, draft)
        return ReplayPreviewOut(missed=tuple(map(_missed_out, missed)), broadcast=shown)

    async def create(self, actor: Actor, broadcast_id: str, wanted: ReplayIn) -> BroadcastOut:
        """Say it again where it was missed.

        Raises:
            NotFoundError: there is no such broadcast.
            ForbiddenError: the person may not send there.
            AlreadyReplayedError: it was made up for, and that was not cancelled.
            ConflictError: it is not over, was cancelled, is an emergency, a drill or a replay itself, nobody missed it,
                or it was long ago; there is no room (``PlanFullError``, ``UrgentFullError``), the hour is unusual
                (``UnusualHourError``) or others are planned at that time (``ScheduleConflictError``), and that was not
                confirmed.
            InvalidError: what was said may not be said any more, it is against a policy (``PolicyBreachError``), or no
                node would play it (``QuietHoursError``, ``RefusedByAllError``).
            CodeError: the act is the author's yes, the signer stands apart, and does not believe the code.
        """
        async with self._database.transaction() as tx:
            draft, _ = await self._draft(tx.session, actor, broadcast_id, wanted)
            key = await self._drafting.send(tx, actor, draft, wanted)
        return await self._broadcasts.get(actor, key)

    async def _draft(
        self, session: AsyncSession, actor: Actor, broadcast_id: str, wanted: ReplayIn
    ) -> tuple[Draft, list[PlayOut]]:
        now, seen = as_on_the_wire(self._clock()), await rights.sight(session, actor)
        row = await session.get(Broadcast, broadcast_id, with_for_update=locks(session))
        if row is None or not await is_seen(session, seen, broadcast_id):
            raise NotFoundError("there is no such broadcast", resource="broadcasts", id=broadcast_id[:64])
        await rights.require(session, actor, Act.BROADCASTS_CREATE, await target_areas(session, broadcast_id))
        await _check(session, row, now)
        missed = await _missed(session, row, seen, now)
        content = Content(await still_sayable(session, row, seen, at=wanted.start_at or now))
        draft = Draft(
            title=row.title,
            level=Level(row.level),
            urgent=wanted.start_at is None,
            window=window_of(wanted, now, self._lead, content),
            slots=content.slots,
            targets=await resolve(session, [f"nodes/{each.node_id}" for each in missed], seen),
            category=row.category,
            replays_id=row.id,
        )
        return await self._drafting.placed(session, draft, wanted), missed


async def _check(session: AsyncSession, row: Broadcast, now: datetime) -> None:
    """Refuse what is never replayed, and what was already."""
    if row.level == Level.EMERGENCY or row.drill is not None:
        raise ConflictError("an emergency or drill is proposed anew, not replayed", problem="emergency")
    if row.replays_id is not None:
        raise ConflictError("this is a replay itself: what was missed is made up for once", problem="is_replay")
    if now > row.latest_end_at + OLDEST:
        raise ConflictError("that was long ago: say it anew, as a broadcast of its own", problem="too_old")
    if row.cancelled_at is not None or row.superseded_at is not None or row.awaits_approval:
        raise ConflictError("this broadcast was cancelled or never sent: nobody missed it", problem="cancelled")
    query = (
        select(Broadcast.id)
        .where(Broadcast.replays_id == row.id, Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
        .where(or_(Broadcast.awaits_approval.is_(False), Broadcast.latest_start_at > now))
    )
    if (other := await session.scalar(query)) is not None:
        raise AlreadyReplayedError("this broadcast was made up for already", broadcast_id=other)


async def _missed(session: AsyncSession, row: Broadcast, seen: Sight, now: datetime) -> list[PlayOut]:
    """Give the plays at which it was not heard, of the nodes in sight that are still there."""
    found = [each for each in await plays.of_broadcast(session, row.id, seen) if each.reports]
    if now < row.latest_end_at + UNKNOWN_AFTER and any(each.outcome is None for each in found):
        raise ConflictError("this broadcast is not over everywhere yet", problem="not_over")
    there = await areas_of(session, {f"nodes/{each.node_id}" for each in found})
    missed = [each for each in found if was_missed(each) and f"nodes/{each.node_id}" in there]
    if not missed:
        raise ConflictError("every node played this: there is nothing to make up for", problem="nobody_missed")
    return missed


def was_missed(play: PlayOut | Play) -> bool:
    """Say whether it was not heard there: not at all, cut before its half, or nobody knows."""
    if play.outcome == Outcome.INTERRUPTED:
        return 2 * (play.played_ms or 0) < (play.requested_ms or 1)
    return play.outcome is None or play.outcome in NOT_HEARD


def _missed_out(play: PlayOut) -> MissedOut:
    return MissedOut(
        node_id=play.node_id,
        name=play.node_name,
        outcome=play.outcome or Outcome.UNKNOWN,
        reason=play.reason,
        played_ms=play.played_ms,
        requested_ms=play.requested_ms,
    )
