"""Schedules: written and ended by people, rolled out at once. Their single dates are changed in ``single_dates``."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.targets import areas_of, tree_around
from controller.audit import service as audit
from controller.broadcasts.schemas import ConflictOut
from controller.bulletins.rules import differences
from controller.clock import Clock
from controller.db import Database, Transaction, locks
from controller.errors import ConflictError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.nodes.live import LiveNodes
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight
from controller.plays.unconfirmed import Watch
from controller.policies.checks import NOTHING
from controller.programmes.owing import owed_by

from .checks import heard_of, looked_at, met, refuse
from .dates import date_outs
from .drafts import Draft, make_draft
from .looking import Looking
from .models import Schedule, ScheduleException
from .outs import outs
from .repository import change_dates, exceptions_of, series_of
from .roll_work import Fate
from .rolling import Rolling
from .schemas import (
    DateOut,
    ScheduleChange,
    ScheduleIn,
    ScheduleOut,
    SchedulePreview,
)
from .yes import OF_WHAT_IS_HEARD, agree, forget


class Schedules:
    """All schedules."""

    def __init__(self, database: Database, clock: Clock, rolling: Rolling, live: LiveNodes) -> None:
        self._database, self._clock, self.rolling, self._live = database, clock, rolling, live

    async def create(self, actor: Actor, wanted: ScheduleIn) -> ScheduleOut:
        """Write a schedule and plan its first dates.

        Raises:
            InvalidError: a field is wrong, or it cannot be aired as it is (``NotAirableError``, ``OverrunError``).
            PolicyBreachError: it is against the policy of an area.
            UnusualHourError: nothing sounds there at such an hour, and that was not confirmed.
            ForbiddenError: the person may not, or not in all these places.
            ScheduleConflictError: others are planned there at the same time.
        """
        async with self._database.transaction() as tx:
            row = await self.save(tx, actor, wanted)
        return await self.get(actor, row.id)

    async def change(self, actor: Actor, schedule_id: str, wanted: ScheduleChange) -> ScheduleOut:
        """Say what a schedule is to be from now on. What began is not touched; exceptions keep their dates.

        Raises:
            NotFoundError: there is none.
            ConflictError: it was changed meanwhile, or is ended; or ``ScheduleConflictError``.
            InvalidError: a field is wrong, or it cannot be aired as it is (``NotAirableError``, ``OverrunError``).
            PolicyBreachError: it is against the policy of an area.
            UnusualHourError: nothing sounds there at such an hour, and that was not confirmed.
            ForbiddenError: the person may not, or not in all these places.
        """
        async with self._database.transaction() as tx:
            row = await self.to_change(tx.session, actor, schedule_id)
            if row.version != wanted.version:
                raise ConflictError("somebody changed this schedule meanwhile; look again", problem="version")
            await self.save(tx, actor, wanted, known=row)
        return await self.get(actor, schedule_id)

    async def end(self, actor: Actor, schedule_id: str) -> ScheduleOut:
        """Take a schedule out: nothing of it begins any more; what was aired stays, what sounds goes on.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is ended already.
            ForbiddenError: the person may not.
        """
        async with self._database.transaction() as tx:
            row = await self.to_change(tx.session, actor, schedule_id)
            row.ended_at = row.changed_at = self._clock()
            await forget(tx, row, broadcasts=False, now=row.changed_at)
            await self.roll(tx, row)
            await self.note(tx, actor, row, {"title": row.title, "ended": True})
        return await self.get(actor, schedule_id)

    async def get(self, actor: Actor, schedule_id: str) -> ScheduleOut:
        """Give one schedule.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            row = await session.get(Schedule, schedule_id)
            if row is None or not seen.sees(row.area_id):
                raise _no_schedule(schedule_id)
            now = self._clock()
            owed = await owed_by(session, row.programme_id, now=now) if row.ended_at is None else []
            return (await outs(session, [row], seen, now=now))[0].model_copy(update={"owed": tuple(owed)})

    async def dates(self, actor: Actor, schedule_id: str, from_at: datetime, until_at: datetime) -> Sequence[DateOut]:
        """Give the dates of one that start in ``[from_at, until_at)``, with what keeps each from being aired.

        Raises:
            NotFoundError: there is no such schedule.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            row = await session.get(Schedule, schedule_id)
            if row is None or not seen.sees(row.area_id):
                raise _no_schedule(schedule_id)
            looking = Looking(session, await read_tree(session), (from_at, until_at))
            return await date_outs(looking, [row], now=self._clock(), check=NOTHING, watch=self._watch(seen))

    async def met(self, actor: Actor, schedule_id: str) -> tuple[ConflictOut, ...]:
        """Say what its dates of the coming 30 days meet at the same nodes, and which of the two is cut.

        Raises:
            NotFoundError: there is no such schedule.
        """
        async with self._database.reading() as session:
            row = await session.get(Schedule, schedule_id)
            if row is None or not (await rights.sight(session, actor)).sees(row.area_id):
                raise _no_schedule(schedule_id)
            return () if row.ended_at is not None else await met(session, actor, row, now=self._clock())

    async def all_dates(self, actor: Actor, from_at: datetime, until_at: datetime) -> Sequence[DateOut]:
        """Give the dates in sight that start in ``[from_at, until_at)``, cancelled and suspended ones among them."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            rows = await session.scalars(select(Schedule).where(Schedule.ended_at.is_(None)).order_by(Schedule.id))
            looking = Looking(session, await read_tree(session), (from_at, until_at))
            shown = [row for row in rows if seen.sees(row.area_id)]
            return await date_outs(looking, shown, now=self._clock(), watch=self._watch(seen))

    async def preview(self, actor: Actor, wanted: ScheduleIn, schedule_id: str | None = None) -> SchedulePreview:
        """Say what saving would do; ``schedule_id``: the one that is being changed.

        Raises:
            InvalidError: a field is wrong.
            ForbiddenError: the person may not, or not in all these places.
            NotFoundError: there is no such schedule.
        """
        async with self._database.reading() as session:
            return await self.previewed(session, actor, wanted, schedule_id)

    async def previewed(
        self,
        session: AsyncSession,
        actor: Actor,
        wanted: ScheduleIn,
        schedule_id: str | None = None,
        *,
        changes: Sequence[Mapping[str, Any]] | None = None,
    ) -> SchedulePreview:
        """Do as ``preview``, in a session of the caller's. ``changes``: as in ``save``; None: those it has."""
        old = await self.to_change(session, actor, schedule_id) if schedule_id is not None else None
        draft = await self.draft(session, actor, wanted, old)
        return await looked_at(session, actor, draft, old, changes=changes, now=self._clock())

    async def roll_due(self) -> Counter[Fate]:
        """Roll every schedule that changed, or whose next day has come. The scheduler's work."""
        return await self.rolling.roll_due()

    async def save(
        self,
        tx: Transaction,
        actor: Actor,
        wanted: ScheduleIn,
        *,
        known: Schedule | None = None,
        changes: Sequence[Mapping[str, Any]] | None = None,
    ) -> Schedule:
        """Write a schedule, new or ``known``, and roll it, in a transaction of the caller's.

        ``changes`` are columns of the exceptions that it is to have; None: those it has, by the day.
        """
        draft, now = await self.draft(tx.session, actor, wanted, known), self._clock()
        row = known or Schedule(
            id=new_id(), version=0, created_by=actor.person_id, changed_by=actor.person_id, created_at=now
        )
        before = series_of(row) if known is not None else None
        was = _written(row) if known is not None else {}
        heard = heard_of(row)
        draft.write(row)
        row.version, row.changed_at, row.changed_by = row.version + 1, now, actor.person_id or row.changed_by
        if before is None:
            tx.session.add(row)
            await tx.session.flush()
        await change_dates(tx.session, row, before, changes, now)
        exceptions = (await exceptions_of(tx.session, [row.id])).get(row.id, [])
        await refuse(tx.session, actor, draft, row, exceptions, now=now)
        if changes is not None or heard_of(row) != heard:
            await forget(tx, row, broadcasts=True, now=now)
            await agree(tx, actor, row, draft.targets.tree, now=now)
        await self.roll(tx, row)
        await self.note(tx, actor, row, _told(was, _written(row), exceptions if changes is not None else ()))
        return row

    async def draft(
        self, session: AsyncSession, actor: Actor, wanted: ScheduleIn, known: Schedule | None = None
    ) -> Draft:
        """Check what was asked, in a session of the caller's. ``known``: the one that is edited.

        Raises:
            InvalidError: a field is wrong.
            ForbiddenError: the person may not, or not in all these places.
        """
        await rights.require(session, actor, Act.SCHEDULES_WRITE)
        draft = await make_draft(session, wanted, await rights.sight(session, actor), self._clock(), known)
        await rights.require(session, actor, Act.SCHEDULES_WRITE, draft.targets.area_ids)
        return draft

    async def to_change(self, session: AsyncSession, actor: Actor, schedule_id: str) -> Schedule:
        """Give a schedule to whoever may change it.

        Raises:
            NotFoundError: there is none in sight.
            ForbiddenError: the person may not, or not in all its places.
            ConflictError: it is ended.
        """
        seen = await rights.sight(session, actor)
        row = await session.get(Schedule, schedule_id, with_for_update=locks(session))
        if row is None or not seen.sees(row.area_id):
            raise _no_schedule(schedule_id)
        places = (await areas_of(session, row.scopes)).values()
        await rights.require(session, actor, Act.SCHEDULES_WRITE, {row.area_id, *places} if places else [row.area_id])
        if row.ended_at is not None:
            raise ConflictError("this schedule is ended", problem="ended")
        return row

    async def roll(self, tx: Transaction, row: Schedule) -> None:
        """Make the dates that are planned those of the schedule as it is now."""
        row.rolled_until = None if row.rolled_until is None else max(row.rolled_until, self._clock())
        await self.rolling.roll(tx, row)
        tx.tell(Event(Topic.SCHEDULE, row.id))

    async def note(self, tx: Transaction, actor: Actor, row: Schedule, detail: dict[str, Any]) -> None:
        """Write what was done to a schedule into the audit."""
        subject, at = f"schedules/{row.id}", self._clock()
        await audit.write(tx, actor, Act.SCHEDULES_WRITE, subject, detail, at=at, area_id=row.area_id)

    def _watch(self, seen: Sight) -> Watch:
        return Watch(self._live, seen, self._clock())

    async def list(self, actor: Actor, *, area_id: str | None = None, ended: bool = False) -> list[ScheduleOut]:
        """Give the schedules in sight, by title; of one area and those below it when one is named.

        Raises:
            NotFoundError: there is no such area.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            rows = await session.scalars(select(Schedule).order_by(Schedule.title, Schedule.id))
            below = None if area_id is None else (await tree_around(session, seen, area_id)).below(area_id)
            kept = [
                row
                for row in rows
                if seen.sees(row.area_id)
                and (ended or row.ended_at is None)
                and (below is None or row.area_id in below)
            ]
            return await outs(session, kept, seen, now=self._clock())


def _written(row: Schedule) -> dict[str, Any]:
    """Give what people write of a schedule, as JSON has it."""
    said = {name: getattr(row, name) for name in ("title", "area_id", *OF_WHAT_IS_HEARD, "position")}
    return said | {"last_date": row.last_date.isoformat() if row.last_date else None}


def _told(was: Mapping[str, Any], now: Mapping[str, Any], dates: Iterable[ScheduleException]) -> dict[str, Any]:
    """Say for the audit what a schedule is, or what an edit changed, and which dates a file brought with it."""
    named = {each.recurrence_local: each.moved_to_local or each.kind for each in dates}
    brought = {"dates": named} if named else {}
    if not was:
        return {**now, **brought}
    changed = {each.field: {"before": each.before, "after": each.after} for each in differences(was, now)}
    return {"title": now["title"], "changed": changed, **brought}


def _no_schedule(schedule_id: str) -> NotFoundError:
    return NotFoundError("there is no such schedule", resource="schedules", id=schedule_id[:64])
