"""Single dates of schedules: moved, cancelled, kept or given another programme by hand, and let be again."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.broadcasts.models import Broadcast
from controller.clock import Clock
from controller.db import Database
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.nodes.live import LiveNodes
from controller.people import rights
from controller.people.actor import Actor
from controller.plays.unconfirmed import Watch
from controller.policies.checks import NOTHING

from .dates import date_outs
from .drafts import check_programme
from .expand import has_date
from .looking import Looking
from .models import Schedule, ScheduleException
from .one_date import refuse_date
from .repository import exceptions_of, series_of
from .schemas import DateOut, ExceptionIn
from .service import Schedules
from .silence import in_spite_of
from .states import DateChange
from .walltime import instant
from .yes import agree_anew


class SingleDates:
    """Changes dates one by one. Edits of the series leave them as they are said here."""

    def __init__(self, database: Database, clock: Clock, schedules: Schedules, live: LiveNodes) -> None:
        self._database, self._clock, self._schedules, self._live = database, clock, schedules, live

    async def get(self, actor: Actor, schedule_id: str, recurrence: datetime) -> DateOut:
        """Give one date, whenever it is, as it is now.

        Raises:
            NotFoundError: there is no such schedule in sight, or it has no such date.
        """
        async with self._database.reading() as session:
            row, seen = await session.get(Schedule, schedule_id), await rights.sight(session, actor)
            if row is None or not seen.sees(row.area_id) or not has_date(series_of(row), recurrence):
                raise _no_date(recurrence)
        return await self._date(actor, row, recurrence)

    async def except_(self, actor: Actor, schedule_id: str, recurrence: datetime, wanted: ExceptionIn) -> DateOut:
        """Say what one date is instead; gives the date as it is now.

        Raises:
            NotFoundError: there is no such schedule, or it has no such date.
            ConflictError: it is ended, or that date has begun.
            InvalidError: a field is wrong.
            DaySuspendedError: a calendar silences the day to which it is moved.
            PolicyBreachError: an area's policy does not allow it at that time.
            UnusualHourError: nothing sounds there at such an hour, and that was not confirmed.
            ScheduleConflictError: others are planned at its time, and that was not confirmed.
            ForbiddenError: the person may not; or keeps it against a calendar of an area above, which they may not end.
        """
        async with self._database.transaction() as tx:
            row, changes = await self.drafted(tx.session, actor, schedule_id, recurrence, wanted)
            await refuse_date(tx.session, actor, row, changes, wanted, recurrence=recurrence, now=self._clock())
            was = await tx.session.get(ScheduleException, (row.id, recurrence.isoformat()))
            otherwise = any(_is_other(each) for each in (was, changes[-1]) if each is not None)
            await tx.session.merge(changes[-1])
            row.version += 1
            await tx.session.flush()
            if otherwise:
                await agree_anew(tx, actor, row, now=self._clock())
            await self._schedules.roll(tx, row)
            detail = {"date": recurrence.isoformat(), **wanted.model_dump(mode="json")}
            if changes[-1].in_spite_of:
                detail["in_spite_of"] = changes[-1].in_spite_of
            await self._schedules.note(tx, actor, row, detail)
        return await self._date(actor, row, recurrence)

    async def check(self, actor: Actor, schedule_id: str, recurrence: datetime, wanted: ExceptionIn) -> None:
        """Say by an error what ``except_`` would say; changes nothing.

        Raises:
            LoaError: as ``except_``.
        """
        async with self._database.reading() as session:
            row, changes = await self.drafted(session, actor, schedule_id, recurrence, wanted)
            await refuse_date(session, actor, row, changes, wanted, recurrence=recurrence, now=self._clock())

    async def restore(
        self, actor: Actor, schedule_id: str, recurrence: datetime, *, confirm_conflicts: bool = False
    ) -> DateOut:
        """Let a date be as the rule says again.

        Raises:
            NotFoundError: there is no such schedule or date, or the date is as the rule says.
            ConflictError: it is ended, or that date has begun.
            PolicyBreachError: an area's policy does not allow it any more.
            ScheduleConflictError: others are planned at its time, and that was not confirmed.
            ForbiddenError: the person may not.
        """
        as_the_rule = ExceptionIn(confirm_conflicts=confirm_conflicts)
        async with self._database.transaction() as tx:
            row, changes = await self.drafted(tx.session, actor, schedule_id, recurrence, None)
            change = await tx.session.get(ScheduleException, (row.id, recurrence.isoformat()))
            if change is None:
                raise _no_date(recurrence)
            now = self._clock()
            await refuse_date(tx.session, actor, row, changes, as_the_rule, recurrence=recurrence, now=now)
            await tx.session.delete(change)
            row.version += 1
            await tx.session.flush()
            if _is_other(change):
                await agree_anew(tx, actor, row, now=self._clock())
            await self._schedules.roll(tx, row)
            await self._schedules.note(tx, actor, row, {"date": recurrence.isoformat(), "kind": None})
        return await self._date(actor, row, recurrence)

    async def drafted(
        self, session: AsyncSession, actor: Actor, schedule_id: str, recurrence: datetime, wanted: ExceptionIn | None
    ) -> tuple[Schedule, list[ScheduleException]]:
        """Give a schedule with its exceptions as they would be. ``wanted`` None: the date as the rule says.

        Raises:
            NotFoundError, ConflictError, ForbiddenError, InvalidError: as ``except_`` says.
        """
        row = await self._date_to_change(session, actor, schedule_id, recurrence)
        there = (await exceptions_of(session, [row.id])).get(row.id, [])
        kept = [each for each in there if each.recurrence_local != recurrence.isoformat()]
        if wanted is not None:
            await self._check(session, actor, row, wanted)
            change = ScheduleException()
            self._write(change, actor, row, recurrence, wanted)
            change.in_spite_of = []
            if wanted.kind is DateChange.KEPT:
                tree = await read_tree(session)
                change.in_spite_of = await in_spite_of(session, actor, tree, row, recurrence.date())
            kept.append(change)
        return row, kept

    async def _date_to_change(
        self, session: AsyncSession, actor: Actor, schedule_id: str, recurrence: datetime
    ) -> Schedule:
        row = await self._schedules.to_change(session, actor, schedule_id)
        if not has_date(series_of(row), recurrence):
            raise _no_date(recurrence)
        query = select(Broadcast.id).where(
            Broadcast.schedule_id == row.id,
            Broadcast.recurrence_local == recurrence.isoformat(),
            Broadcast.superseded_at.is_(None),
            Broadcast.cancelled_at.is_(None),
            Broadcast.start_at <= self._clock(),
        )
        if await session.scalar(query) is not None:
            raise ConflictError("this date has begun", problem="begun")
        return row

    def _write(
        self, change: ScheduleException, actor: Actor, row: Schedule, recurrence: datetime, wanted: ExceptionIn
    ) -> None:
        change.schedule_id, change.recurrence_local = row.id, recurrence.isoformat()
        change.kind, change.programme_id, change.reason = wanted.kind, wanted.programme_id, wanted.reason
        change.moved_to_local = wanted.moved_to_local.isoformat() if wanted.moved_to_local else None
        change.made_by, change.made_at = actor.person_id or row.changed_by, self._clock()

    async def _check(self, session: AsyncSession, actor: Actor, row: Schedule, wanted: ExceptionIn) -> None:
        moved = wanted.kind is DateChange.MOVED
        if moved != (wanted.moved_to_local is not None):
            raise InvalidError(
                "moved_to_local: with kind moved, and only then", field="moved_to_local", problem="empty"
            )
        if wanted.moved_to_local is not None and instant(wanted.moved_to_local, row.zone) < self._clock():
            raise InvalidError("moved_to_local: lies in the past", field="moved_to_local", problem="past")
        if wanted.programme_id is not None:
            await check_programme(session, wanted.programme_id, await rights.sight(session, actor))

    async def _date(self, actor: Actor, row: Schedule, recurrence: datetime) -> DateOut:
        """Give the date with this name, wherever it was moved to."""
        async with self._database.reading() as session:
            watch = Watch(self._live, await rights.sight(session, actor), self._clock())
            changes = (await exceptions_of(session, [row.id])).get(row.id, [])
            change = next((each for each in changes if each.recurrence_local == recurrence.isoformat()), None)
            local = datetime.fromisoformat(change.moved_to_local) if change and change.moved_to_local else recurrence
            start_at = instant(local, row.zone)
            looking = Looking(session, await read_tree(session), (start_at, start_at + timedelta(seconds=1)))
            said = {row.id: changes}
            found = await date_outs(looking, [row], changes=said, now=self._clock(), check=NOTHING, watch=watch)
        return next(each for each in found if each.recurrence_local == recurrence)


def _is_other(said: ScheduleException) -> bool:
    """Say whether an exception has a date heard at another time, with another content, or on a day of silence."""
    return said.kind == DateChange.MOVED or said.programme_id is not None or bool(said.in_spite_of)


def _no_date(recurrence: datetime) -> NotFoundError:
    return NotFoundError("the schedule has no such date", resource="dates", id=recurrence.isoformat())
