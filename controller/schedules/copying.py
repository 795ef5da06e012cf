"""A week planned as another week was: its dates, as they were in the end, become single dates of the other week.

What the other week has anyway, because a rule gives it, is not planned twice. Whatever is not copied has a line that
says why: a holiday drops nothing silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.clock import Clock
from controller.db import Database
from controller.errors import InvalidError, LoaError, NotFoundError
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Sight

from .dates import date_outs
from .expand import Verdict
from .feed_schemas import MAX_COPIES, WeekCopyIn, WeekCopyLine, WeekCopyOut
from .looking import Looking
from .models import Schedule
from .schemas import DateOut, ScheduleIn, SchedulePreview
from .service import Schedules
from .walltime import instant

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class _Found:
    """A date of the week that is copied."""

    row: Schedule
    date: DateOut
    into: datetime

    @property
    def key(self) -> str:
        return f"{self.row.id}@{self.date.recurrence_local.isoformat()}"

    def wanted(self, asked: WeekCopyIn) -> ScheduleIn:
        """Give the single date that it becomes."""
        row = self.row
        return ScheduleIn.checked(
            title=row.title,
            programme_id=self.date.programme_id,
            targets=tuple(row.scopes),
            starts_at_local=self.into,
            zone=row.zone,
            level=row.level,
            start_mode=row.start_mode,
            late_ms=row.late_ms,
            ends_at_local=row.ends_at_local,
            back_timed=row.back_timed,
            overrun=row.overrun,
            filler_recording_id=row.filler_recording_id,
            position=row.position,
            confirm_conflicts=asked.confirm_conflicts,
            confirm_unusual=asked.confirm_unusual,
        )

    def line(self, what: str, **said: object) -> WeekCopyLine:
        given = {"key": self.key, "title": self.row.title, "from_local": self.date.local, "into_local": self.into}
        return WeekCopyLine.model_validate({**given, "what": what, **said})


class WeekCopies:
    """Copies weeks of an area."""

    def __init__(self, database: Database, clock: Clock, schedules: Schedules) -> None:
        self._database, self._clock, self._schedules = database, clock, schedules

    async def preview(self, actor: Actor, wanted: WeekCopyIn) -> WeekCopyOut:
        """Say of each date of a week what would become of it; saves nothing.

        Raises:
            NotFoundError: there is no such area.
            InvalidError: the two weeks are one, or it has too many dates.
            ForbiddenError: the person may plan nothing there.
        """
        async with self._database.reading() as session:
            await self._check(session, actor, wanted)
            lines = [
                await self._line(session, actor, each, wanted) for each in await self._found(session, actor, wanted)
            ]
        return _out(wanted, lines)

    async def copy(self, actor: Actor, wanted: WeekCopyIn) -> WeekCopyOut:
        """Plan them, all or none.

        Raises:
            NotFoundError, InvalidError, ForbiddenError: as ``preview``.
            NotAirableError, OverrunError, PolicyBreachError, UnusualHourError, ScheduleConflictError: as writing a
                schedule.
        """
        made, lines = [], []
        async with self._database.transaction() as tx:
            await self._check(tx.session, actor, wanted)
            for each in await self._found(tx.session, actor, wanted):
                if isinstance(each, WeekCopyLine) or (wanted.only is not None and each.key not in wanted.only):
                    continue
                made.append((await self._schedules.save(tx, actor, each.wanted(wanted))).id)
                lines.append(each.line("new"))
        return _out(wanted, lines).model_copy(update={"made": tuple(made)})

    async def _check(self, session: AsyncSession, actor: Actor, wanted: WeekCopyIn) -> None:
        seen = await rights.sight(session, actor)
        if not seen.sees(wanted.area_id) or not (await read_tree(session)).stands(wanted.area_id):
            raise NotFoundError("there is no such area", resource="areas", id=wanted.area_id[:64])
        await rights.require(session, actor, Act.SCHEDULES_WRITE, [wanted.area_id])
        if monday(wanted.from_week) == monday(wanted.into_week):
            raise InvalidError("into_week: is the same week", field="into_week", problem="same_week")

    async def _found(self, session: AsyncSession, actor: Actor, wanted: WeekCopyIn) -> list[_Found | WeekCopyLine]:
        """Give what could be copied, and of the rest why not."""
        seen = await rights.within(session, await rights.sight(session, actor), wanted.area_id)
        tree = await read_tree(session)
        first, into = monday(wanted.from_week), monday(wanted.into_week)
        source = await self._week(session, tree, seen, first)
        there = {_same(row, each.local, each.programme_id) for row, each in await self._week(session, tree, seen, into)}
        found: list[_Found | WeekCopyLine] = []
        for row, each in source:
            one = _Found(row, each, each.local + (into - first))
            if each.verdict is not Verdict.AIRED:
                if each.verdict is Verdict.SUSPENDED:
                    found.append(one.line("suspended", because=each.because))
            elif _same(row, one.into, each.programme_id) in there:
                found.append(one.line("there"))
            elif instant(one.into, row.zone) < self._clock():
                found.append(one.line("past"))
            else:
                found.append(one)
        if sum(isinstance(each, _Found) for each in found) > MAX_COPIES:
            raise InvalidError(
                f"from_week: at most {MAX_COPIES} dates at once", field="from_week", problem="too_many", most=MAX_COPIES
            )
        return found

    async def _week(
        self, session: AsyncSession, tree: Tree, seen: Sight, first: date
    ) -> list[tuple[Schedule, DateOut]]:
        # A day more at both ends: schedules may keep another zone than the one that names the week.
        midnight = datetime.combine(first, time())
        query = select(Schedule).where(Schedule.ended_at.is_(None), seen.where(Schedule.area_id)).order_by(Schedule.id)
        rows = {row.id: row for row in await session.scalars(query)}
        spans = [(instant(midnight - timedelta(days=1), row.zone), row) for row in rows.values()]
        if not spans:
            return []
        from_at = min(at for at, _ in spans)
        looking = Looking(session, tree, (from_at, from_at + WEEK + timedelta(days=3)))
        dates = await date_outs(looking, list(rows.values()), now=self._clock())
        until = midnight + WEEK
        return [(rows[each.schedule_id], each) for each in dates if midnight <= each.local < until]

    async def _line(
        self, session: AsyncSession, actor: Actor, each: _Found | WeekCopyLine, wanted: WeekCopyIn
    ) -> WeekCopyLine:
        if isinstance(each, WeekCopyLine):
            return each
        try:
            found = await self._schedules.previewed(session, actor, each.wanted(wanted))
        except LoaError as error:
            return each.line("refused", because=error.code)
        return _asked(each, found)


def monday(day: date) -> date:
    """Give the first day of a week."""
    return day - timedelta(days=day.weekday())


def _same(row: Schedule, local: datetime, programme_id: str) -> tuple[object, ...]:
    return local, programme_id, tuple(sorted(row.scopes)), row.zone


def _asked(each: _Found, found: SchedulePreview) -> WeekCopyLine:
    """Say what saving would meet."""
    silent = next((date for date in found.dates if date.verdict is Verdict.SUSPENDED), None)
    if silent is not None:
        return each.line("suspended", because=silent.because)
    rules = tuple(dict.fromkeys(breach.rule for breach in found.breaches))
    if found.refusal is not None:
        return each.line("refused", because=found.refusal, rules=rules)
    meets = tuple(dict.fromkeys(other.title or "" for other in found.conflicts))
    return each.line("new", meets=meets, unusual=found.unusual)


def _out(wanted: WeekCopyIn, lines: Sequence[WeekCopyLine]) -> WeekCopyOut:
    by_time = tuple(sorted(lines, key=lambda line: (line.into_local, line.title)))
    return WeekCopyOut(from_monday=monday(wanted.from_week), into_monday=monday(wanted.into_week), lines=by_time)
