"""Schedules to and from other calendars: one iCalendar file for all that somebody sees, and files taken in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.targets import tree_around
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, LoaError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight

from . import ical
from .drafts import check_programme
from .feed_schemas import MAX_COPIES
from .models import Schedule, ScheduleException
from .repository import exceptions_of, series_of
from .schemas import CalendarFile, CalendarFileIn, ScheduleIn, SchedulePreview
from .service import Schedules
from .states import DateChange

HOST = "@loa"
"""Names of ours in files: the schedule's id, then this."""
_SAID = {
    "LEVEL": "level",
    "START-MODE": "start_mode",
    "LATE-MS": "late_ms",
    "BACK-TIMED": "back_timed",
    "OVERRUN": "overrun",
    "POSITION": "position",
    "FILLER": "filler_recording_id",
}
"""Property → field of ``ScheduleIn``."""


What = Literal["new", "changed", "same", "refused"]


@dataclass(frozen=True)
class FileLine:
    """What would become of one event of a file."""

    key: str
    """Names it within the file; empty: it is no schedule."""
    title: str
    what: What
    """``same``: a schedule says so already."""
    asked: ScheduleIn | None = None
    """What it asks for; None where that cannot be said."""
    found: SchedulePreview | None = None
    """What saving it would meet; None for ``same``, and where ``why`` says enough."""
    why: LoaError | None = None
    """Why it is refused, unless ``found`` says so."""


@dataclass(frozen=True)
class Taken:
    """What came of taking in events of a file."""

    saved: tuple[str, ...]
    """Ids of their schedules; empty: nothing was saved."""
    title: str = ""
    """Of the event at which it ended."""
    why: LoaError | None = None


class Exchange:
    """Writes and reads iCalendar files."""

    def __init__(self, database: Database, clock: Clock, schedules: Schedules) -> None:
        self._database, self._clock, self._schedules = database, clock, schedules

    async def write(self, actor: Actor, *, area_id: str | None = None) -> bytes:
        """Write the schedules in sight as a file; those of an area and below it when one is named.

        Raises:
            NotFoundError: there is no such area.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            below = None if area_id is None else (await tree_around(session, seen, area_id)).below(area_id)
            query = select(Schedule).where(Schedule.ended_at.is_(None)).order_by(Schedule.title, Schedule.id)
            rows = [
                row
                for row in await session.scalars(query)
                if seen.sees(row.area_id) and (below is None or row.area_id in below)
            ]
            changes = await exceptions_of(session, [row.id for row in rows])
        planned = [_planned(row, changes.get(row.id, ())) for row in rows]
        return ical.write(planned, stamped_at=self._clock())

    async def read(self, actor: Actor, wanted: CalendarFileIn) -> CalendarFile:
        """Take in a file: a schedule for each event, each by itself. What cannot be taken is named with the reason.

        An event that this centre wrote changes the schedule it came from, unless that was changed since.

        Raises:
            NotACalendarError: it cannot be read.
            InvalidError: a field is wrong.
            ForbiddenError: the person may not write schedules.
        """
        seen, planned, refused = await self._open(actor, wanted)
        skipped, saved = [each.said for each in refused], []
        for each in planned:
            try:
                async with self._database.transaction() as tx:
                    saved.append(await self._save(tx, actor, seen, wanted, each))
            except LoaError as error:
                skipped.append(f"{each.title}: {error.message}")
        schedules = [await self._schedules.get(actor, schedule_id) for schedule_id in saved]
        return CalendarFile(schedules=tuple(schedules), skipped=tuple(skipped))

    async def preview(self, actor: Actor, wanted: CalendarFileIn) -> list[FileLine]:
        """Say of each event what would become of it; saves nothing.

        Raises:
            NotACalendarError: it cannot be read, or has more events than are taken in at once.
            InvalidError: a field is wrong.
            ForbiddenError: the person may not write schedules.
        """
        seen, planned, refused = await self._open(actor, wanted, most=MAX_COPIES)
        async with self._database.reading() as session:
            lines = [
                replace(await self._line(session, actor, seen, wanted, each), key=str(key))
                for key, each in enumerate(planned)
            ]
        return [*lines, *(FileLine("", each.title, "refused", why=each.why) for each in refused)]

    async def take(self, actor: Actor, wanted: CalendarFileIn, keys: Collection[str]) -> Taken:
        """Write the events that ``preview`` named so, all of them or none.

        Raises:
            NotACalendarError, InvalidError, ForbiddenError: as ``preview``.
        """
        seen, planned, _ = await self._open(actor, wanted, most=MAX_COPIES)
        saved: list[str] = []
        at = ""
        try:
            async with self._database.transaction() as tx:
                for key, each in enumerate(planned):
                    if str(key) in keys:
                        at = each.title
                        saved.append(await self._save(tx, actor, seen, wanted, each))
        except LoaError as error:
            return Taken((), at, error)
        return Taken(tuple(saved))

    async def _open(
        self, actor: Actor, wanted: CalendarFileIn, *, most: int = ical.MAX_EVENTS
    ) -> tuple[Sight, list[ical.Planned], list[ical.Skipped]]:
        """Read a file for whoever may write schedules."""
        async with self._database.reading() as session:
            await rights.require(session, actor, Act.SCHEDULES_WRITE)
            seen = await rights.sight(session, actor)
            await check_programme(session, wanted.programme_id, seen)
        planned, skipped = ical.read(wanted.ics.encode(), wanted.zone)
        if len(planned) + len(skipped) > most:
            raise ical.NotACalendarError(
                f"the file has more than {most} events", field="file", problem="too_many", most=most
            )
        return seen, planned, skipped

    async def _line(
        self, session: AsyncSession, actor: Actor, seen: Sight, wanted: CalendarFileIn, planned: ical.Planned
    ) -> FileLine:
        try:
            asked, known, is_same = await self._asked(session, actor, seen, wanted, planned)
            if is_same:
                return FileLine("", planned.title, "same", asked)
            known_id = known.id if known is not None else None
            found = await self._schedules.previewed(session, actor, asked, known_id, changes=_changes(planned))
        except LoaError as error:
            return FileLine("", planned.title, "refused", why=error)
        what: What = "refused" if found.refusal else "new" if known is None else "changed"
        return FileLine("", planned.title, what, asked, found)

    async def _asked(
        self, session: AsyncSession, actor: Actor, seen: Sight, wanted: CalendarFileIn, planned: ical.Planned
    ) -> tuple[ScheduleIn, Schedule | None, bool]:
        """Give what an event asks for, the schedule of ours that it is, and whether that says so already."""
        asked = ScheduleIn.checked(**_fields(planned, wanted))
        known = None
        if planned.uid.endswith(HOST):
            known = await session.get(Schedule, planned.uid.removesuffix(HOST))
        if known is not None and (known.ended_at is not None or not seen.sees(known.area_id)):
            known = None
        if known is not None:
            await self._schedules.to_change(session, actor, known.id)
            changes = (await exceptions_of(session, [known.id])).get(known.id, [])
            if _is_unchanged(known, changes, planned):
                return asked, known, True
            if planned.sequence < known.version:
                raise ConflictError(
                    "the file is older than the schedule, which has been changed since",
                    field="file",
                    problem="version",
                )
        for change in planned.changes.values():
            if change.programme_id is not None:
                await check_programme(session, change.programme_id, seen)
        return asked, known, False

    async def _save(
        self, tx: Transaction, actor: Actor, seen: Sight, wanted: CalendarFileIn, planned: ical.Planned
    ) -> str:
        asked, known, is_same = await self._asked(tx.session, actor, seen, wanted, planned)
        if known is not None and is_same:
            return known.id
        row = await self._schedules.save(tx, actor, asked, known=known, changes=_changes(planned))
        return row.id


def _fields(planned: ical.Planned, wanted: CalendarFileIn) -> dict[str, Any]:
    extras = planned.extras
    said: dict[str, Any] = {field: extras[name] for name, field in _SAID.items() if name in extras}
    has_end = extras.get("FIXED-END", "") == "TRUE"
    return {
        **said,
        "title": planned.title,
        "programme_id": extras.get("PROGRAMME", wanted.programme_id),
        "targets": tuple(extras["TARGETS"].split()) if extras.get("TARGETS") else wanted.targets,
        "starts_at_local": planned.first,
        "rule": planned.rule,
        "last_date": planned.last_date,
        "zone": planned.zone,
        "ends_at_local": planned.ends_at.isoformat() if has_end and planned.ends_at else None,
        "confirm_conflicts": wanted.confirm_conflicts,
        "confirm_unusual": wanted.confirm_unusual,
    }


def _changes(planned: ical.Planned) -> list[Mapping[str, Any]]:
    return [
        {
            "recurrence_local": key.isoformat(),
            "kind": change.kind,
            "moved_to_local": change.moved_to.isoformat() if change.moved_to else None,
            "programme_id": change.programme_id,
            "reason": planned.reasons.get(key),
        }
        for key, change in sorted(planned.changes.items())
    ]


def _planned(row: Schedule, changes: Sequence[ScheduleException]) -> ical.Planned:
    series = series_of(row, changes)
    extras = {name: _said(getattr(row, field)) for name, field in _SAID.items()}
    extras |= {
        "PROGRAMME": row.programme_id,
        "TARGETS": " ".join(row.scopes),
        "FIXED-END": _said(row.ends_at_local is not None),
    }
    return ical.Planned(
        uid=f"{row.id}{HOST}",
        sequence=row.version,
        title=row.title,
        zone=row.zone,
        first=series.first,
        rule=row.rule,
        last_date=row.last_date,
        ends_at=time.fromisoformat(row.ends_at_local) if row.ends_at_local else None,
        changes=series.changes,
        reasons={
            key: change.reason
            for change, key in zip(changes, series.changes, strict=True)
            if change.reason and change.kind != DateChange.CANCELLED
        },
        extras={name: value for name, value in extras.items() if value is not None},
    )


def _said(value: object) -> str | None:
    """Write a value as iCalendar does: TRUE and FALSE (RFC 5545, 3.3.2)."""
    if value is None:
        return None
    return str(value).upper() if isinstance(value, bool) else str(value)


def _is_unchanged(row: Schedule, changes: Sequence[ScheduleException], planned: ical.Planned) -> bool:
    """Say whether a file says of a schedule what ours would say of it now."""
    [now], _ = ical.read(ical.write([_planned(row, changes)], stamped_at=row.changed_at), row.zone)
    return now == planned
