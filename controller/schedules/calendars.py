"""Calendars: holidays, lunar dates and mourning of an area, which hold for every schedule in it and below."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.standing import stands
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction, in_pieces, locks
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.names import clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight

from .days import dates_between, read_days
from .drafts import check_programme
from .models import Calendar, Schedule
from .schemas import CalendarChange, CalendarIn, CalendarOut
from .silence import require_lifting
from .stale import roll_anew
from .states import OnCalendarDay
from .walltime import wall_time

SHOWN = timedelta(days=400)
MOST_SHOWN = 60


class AreaCalendars:
    """All calendars. A change has the schedules below rolled anew, each in its own transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def create(self, actor: Actor, wanted: CalendarIn) -> CalendarOut:
        """Write a calendar.

        Raises:
            InvalidError: a field is wrong.
            ForbiddenError: the person may not, or not there.
        """
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            row = Calendar(id=new_id(), version=1, created_by=actor.person_id, created_at=self._clock())
            await _write(tx.session, actor, row, wanted, seen)
            tx.session.add(row)
            await tx.session.flush()
            await self._changed(tx, actor, row, [row.area_id])
            return await self._out(tx.session, row)

    async def change(self, actor: Actor, calendar_id: str, wanted: CalendarChange) -> CalendarOut:
        """Say what a calendar is to be from now on.

        Raises:
            NotFoundError: there is none.
            ConflictError: it was changed meanwhile.
            InvalidError: a field is wrong.
            ForbiddenError: the person may not, or not there.
        """
        async with self._database.transaction() as tx:
            seen = await rights.sight(tx.session, actor)
            row = await self.to_change(tx.session, actor, calendar_id, ends=wanted)
            before = row.area_id
            if row.version != wanted.version:
                raise ConflictError("somebody changed this calendar meanwhile; look again", problem="version")
            await _write(tx.session, actor, row, wanted, seen)
            row.version += 1
            await tx.session.flush()
            await self._changed(tx, actor, row, sorted({before, row.area_id}))
            return await self._out(tx.session, row)

    async def end(self, actor: Actor, calendar_id: str) -> CalendarOut:
        """Take a calendar out: its days are as others again.

        Raises:
            NotFoundError: there is none.
            ForbiddenError: the person may not.
        """
        async with self._database.transaction() as tx:
            row = await self.to_change(tx.session, actor, calendar_id, ends=True)
            row.ended_at = self._clock()
            await tx.session.flush()
            await self._changed(tx, actor, row, [row.area_id])
            return await self._out(tx.session, row)

    async def list(self, actor: Actor) -> list[CalendarOut]:
        """Give the calendars in sight, and those above, which hold here too; by title."""
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = select(Calendar).where(Calendar.ended_at.is_(None)).order_by(Calendar.title, Calendar.id)
            return [await self._out(session, row) for row in await session.scalars(query) if seen.knows(row.area_id)]

    async def drafted(
        self, session: AsyncSession, actor: Actor, wanted: CalendarIn, calendar_id: str | None = None
    ) -> tuple[Calendar, set[str]]:
        """Give a calendar as it would be, and the areas in which it counts then or now; nothing is saved.

        Raises:
            NotFoundError: there is none.
            InvalidError: a field is wrong.
            ForbiddenError: the person may not, or not there.
        """
        seen = await rights.sight(session, actor)
        known = None if calendar_id is None else await self.to_change(session, actor, calendar_id, ends=wanted)
        row = Calendar(id=known.id if known else new_id(), created_at=known.created_at if known else self._clock())
        await _write(session, actor, row, wanted, seen)
        return row, {row.area_id, *([known.area_id] if known else [])}

    async def to_change(
        self, session: AsyncSession, actor: Actor, calendar_id: str, *, ends: CalendarIn | Literal[True]
    ) -> Calendar:
        """Give a calendar to whoever may change it. ``ends``: what it is to be; True: nothing any more.

        Raises:
            NotFoundError: there is none in sight.
            ForbiddenError: the person may not; or days of silence would end, and who may approve is to say so.
        """
        row = await _in_sight(session, await rights.sight(session, actor), calendar_id)
        if ends is True or _lifts(row, ends):
            await require_lifting(session, actor, await read_tree(session), row)
        else:
            await rights.require(session, actor, Act.CALENDARS_WRITE, [row.area_id])
        return row

    async def _changed(self, tx: Transaction, actor: Actor, row: Calendar, areas: Sequence[str]) -> None:
        tree = await read_tree(tx.session)
        below = sorted({each for area_id in areas for each in tree.below(area_id)})
        for some in in_pieces(below):
            await tx.session.execute(roll_anew([Schedule.area_id.in_(some)], self._clock()))
        detail = {"title": row.title, "effect": row.effect, "days": row.days, "ended": row.ended_at is not None}
        subject, at = f"calendars/{row.id}", self._clock()
        await audit.write(tx, actor, Act.CALENDARS_WRITE, subject, detail, at=at, area_id=row.area_id)
        tx.tell(Event(Topic.SCHEDULE, row.id))

    async def _out(self, session: AsyncSession, row: Calendar) -> CalendarOut:
        zone = (await read_tree(session)).effective(row.area_id).zone
        days = read_days(row.days)
        return CalendarOut(
            id=row.id,
            area_id=row.area_id,
            title=row.title,
            days=list(days),
            effect=OnCalendarDay(row.effect),
            programme_id=row.programme_id,
            version=row.version,
            created_at=row.created_at,
            next_dates=_next(self._clock(), zone, row),
        )


def _lifts(row: Calendar, wanted: CalendarIn) -> bool:
    """Say whether a day that a calendar names is no more what it was there."""
    kept = [each.model_dump(mode="json") for each in wanted.days]
    same = (row.area_id, row.effect) == (wanted.area_id, wanted.effect)
    return not same or any(each not in kept for each in row.days)


def _next(now: datetime, zone: str, row: Calendar) -> tuple[date, ...]:
    today = wall_time(now, zone).date()
    return tuple(sorted(dates_between(read_days(row.days), today, today + SHOWN))[:MOST_SHOWN])


async def _write(session: AsyncSession, actor: Actor, row: Calendar, wanted: CalendarIn, seen: Sight) -> None:
    if not seen.sees(wanted.area_id) or not await stands(session, wanted.area_id):
        raise InvalidError("area_id: there is no such area", field="area_id", problem="unknown")
    await rights.require(session, actor, Act.CALENDARS_WRITE, [wanted.area_id])
    replaces = wanted.effect is OnCalendarDay.REPLACE
    if replaces != (wanted.programme_id is not None):
        raise InvalidError("programme_id: with replace, and only then", field="programme_id", problem="empty")
    if wanted.programme_id is not None:
        await check_programme(session, wanted.programme_id, seen)
    raw = [each.model_dump(mode="json") for each in wanted.days]
    read_days(raw)
    row.area_id, row.title, row.days = wanted.area_id, clean_name(wanted.title, field="title"), raw
    row.effect, row.programme_id = wanted.effect, wanted.programme_id


async def _in_sight(session: AsyncSession, seen: Sight, calendar_id: str) -> Calendar:
    row = await session.get(Calendar, calendar_id, with_for_update=locks(session))
    if row is None or row.ended_at is not None or not seen.sees(row.area_id):
        raise NotFoundError("there is no such calendar", resource="calendars", id=calendar_id[:64])
    return row
