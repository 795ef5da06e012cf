"""Turns the coming dates of schedules into broadcasts, and keeps those in step with what changes.

What began, or whose start has passed, is never touched; what is the same is left alone; what differs is superseded
and made anew. One transaction for each schedule.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.failures import Failures
from controller.plans.service import Documents

from .expand import Occurrence, expand
from .models import Schedule, ScheduleException
from .over import BEHIND
from .planning import Planner, is_aired
from .policed import Where
from .repository import Calendars, exceptions_of, series_of
from .roll_work import Fate, Work
from .rolled import known_of, settled_of
from .runs import Runs
from .unaired import keep_missed
from .walltime import wall_time
from .yes import Yeses, firsts

ROLL_S = 6 * 3600
"""Dates are planned a day further ahead than plans reach: hours do not matter."""
AHEAD = timedelta(days=1)
STALE = timedelta(hours=18)
"""A schedule that was rolled less far than this short of its horizon is rolled again."""
MISSED = timedelta(days=31)
"""So far back dates are noted that nobody planned: a centre may have stood in a cupboard for years."""
NOT_ROLLED = "schedules.not_rolled"
"""Kind of the alarm about a schedule whose dates the centre fails to plan."""


class Rolling:
    """Rolls schedules out."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        documents: Documents,
        alarms: Alarms,
        *,
        plan_days: int,
        failures: Failures,
        proven: bool = False,
    ) -> None:
        """``proven``: the signer stands apart, so every yes is somebody's, and proven."""
        self._proven = proven
        self._database, self._clock, self._documents, self._alarms = database, clock, documents, alarms
        self._failures = failures
        self._reach = timedelta(days=plan_days) + AHEAD

    async def roll_due(self) -> Counter[Fate]:
        """Roll every schedule that changed, or whose next day has come. One that fails keeps no other from it."""
        now, done = self._clock(), Counter[Fate]()
        near = Schedule.rolled_until < now + self._reach - STALE
        query = (
            select(Schedule.id)
            .where(Schedule.ended_at.is_(None), or_(Schedule.rolled_until.is_(None), near))
            .order_by(Schedule.id)
        )
        async with self._database.reading() as session:
            due = (await session.scalars(query)).all()

        async def roll_one(schedule_id: str) -> None:
            async with self._database.transaction() as tx:
                row = await tx.session.get(Schedule, schedule_id, with_for_update=True)
                fates = await self.roll(tx, row) if row is not None and row.ended_at is None else {}
            done.update(fates)

        for schedule_id in await self._failures.each("schedules", due, roll_one):
            await self._tell_not_rolled(schedule_id)
        return done

    async def _tell_not_rolled(self, schedule_id: str) -> None:
        """Tell those who look after the area: what is planned already sounds, nothing more is planned."""
        async with self._database.transaction() as tx:
            row = await tx.session.get_one(Schedule, schedule_id)
            subject, detail = f"schedules/{row.id}", {"title": row.title}
            await self._alarms.raise_(tx, NOT_ROLLED, row.area_id, subject, detail, unless_open=True)

    async def roll(self, tx: Transaction, row: Schedule, tree: Tree | None = None) -> Counter[Fate]:
        """Bring the broadcasts of one schedule in step with it; an ended one has none to come."""
        tree, now = tree or await read_tree(tx.session), self._now()
        from_at, until_at = self._from(row, now), now + self._reach
        changes = (await exceptions_of(tx.session, [row.id])).get(row.id, [])
        given: list[Occurrence] = []
        if row.ended_at is None:
            given = await dates_of(tx.session, row, changes, tree, from_at=from_at - BEHIND, until_at=until_at)
        names = frozenset(each.recurrence.isoformat() for each in given)
        known = await known_of(tx.session, row.id, now)
        waiting = {recurrence for recurrence, each in known.items() if not each.begun}
        # A session may begin long after its time does: what stands and has not begun is still to come.
        dates = [each for each in given if each.start_at >= from_at or each.recurrence.isoformat() in waiting]
        runs = await Runs.read(tx.session, row.id, [each.row for each in known.values()], now)
        planner = await Planner.of(tx.session, row, tree)
        yeses = await Yeses.of(
            tx.session, row, planner, tree, [each.row.id for each in known.values()], now=now, proven=self._proven
        )
        where = Where(tree, planner.nodes, row.area_id, row.zone)
        ahead = Work(self._documents, self._alarms, tx, row, planner, where=where, runs=runs, yeses=yeses, now=now)
        settled = settled_of(known, names, dates, changes)
        wanted = {each.recurrence.isoformat(): each for each in dates if is_aired(each)}
        for recurrence, each in sorted(known.items()):
            if recurrence not in wanted and not each.begun and each.row.cancelled_at is None:
                await ahead.supersede(each.row)
        new = [each.recurrence for each in dates if each.recurrence.isoformat() not in {*known, *settled}]
        runs.give_way(names, new)
        open_ = {recurrence: date_ for recurrence, date_ in wanted.items() if recurrence not in settled}
        await ahead.bring_in_step(open_, known)
        if row.ended_at is None:
            near = {each.programme_id for each in wanted.values()}
            for first in await firsts(tx.session, row, tree, planner, changes, now=now):
                if first.occurrence.programme_id not in near:
                    yeses.to(first)  # asked for now: leaders say yes weeks ahead
            if row.rolled_until is not None and row.rolled_until < from_at:
                since = max(row.rolled_until, now - MISSED)
                slept = await dates_of(tx.session, row, changes, tree, from_at=since, until_at=from_at)
                missed = [each for each in slept if is_aired(each) and each.recurrence.isoformat() not in waiting]
                await keep_missed(tx, row, missed, now=now)
        row.rolled_until = until_at
        await ahead.finish(wanted)
        return ahead.done

    def _from(self, row: Schedule, now: datetime) -> datetime:
        """Nothing is made for the past, but for what nobody could plan because the centre was down."""
        if row.rolled_until is None or row.rolled_until >= now:
            return now
        return max(row.rolled_until, now - timedelta(milliseconds=row.late_ms))

    def _now(self) -> datetime:
        now = self._clock()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)  # the wire counts milliseconds


async def dates_of(
    session: AsyncSession,
    row: Schedule,
    changes: Iterable[ScheduleException],
    tree: Tree,
    *,
    from_at: datetime,
    until_at: datetime,
) -> list[Occurrence]:
    """Give the dates of a schedule in ``[from_at, until_at)``, with what calendars say of them."""
    first, last = (wall_time(each, row.zone).date() for each in (from_at, until_at))
    calendars = await Calendars.read(session, tree, area_id=row.area_id)
    days = calendars.of(row.area_id, first - timedelta(days=1), last + timedelta(days=1))
    return list(expand(series_of(row, changes), from_at, until_at, days))
