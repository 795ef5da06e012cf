"""Turns the coming dates of schedules into broadcasts, and keeps those in step with what changes.

What began, or whose start has passed, is never touched; what is the same is left alone; what differs is superseded
and made anew. One transaction for each schedule.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.models import Alarm
from controller.alarms.service import Alarms
from controller.approvals import yeses as approvals
from controller.approvals.yeses import Yes
from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.audit import service as audit
from controller.broadcasts.items import item_rows
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.room import IDS_BYTES
from controller.broadcasts.superseding import supersede
from controller.clock import Clock
from controller.db import Database, Transaction, in_pieces
from controller.errors import InvalidError
from controller.events import Event, Topic
from controller.failures import Failures
from controller.ids import new_broadcast_id
from controller.people.actor import Actor
from controller.plans.service import Documents
from controller.plays import service as plays
from controller.plays.models import Play
from controller.policies.checks import Besides
from controller.policies.errors import PolicyBreachError
from edge_agent.protocol.states import Level, Outcome, PlayState
from edge_agent.protocol.topics import Word

from .expand import Occurrence, expand
from .models import Schedule, ScheduleException
from .over import BEHIND, taken_over
from .planning import Planned, Planner, is_aired
from .policed import Where, refused_dates, refused_everywhere
from .repository import Calendars, exceptions_of, series_of
from .runs import Runs
from .states import NOT_AIRABLE
from .unaired import SOON, keep, keep_missed
from .walltime import wall_time
from .yes import Yeses, firsts

ROLL_S = 6 * 3600
"""Dates are planned a day further ahead than plans reach: hours do not matter."""
AHEAD = timedelta(days=1)
STALE = timedelta(hours=18)
"""A schedule that was rolled less far than this short of its horizon is rolled again."""
MISSED = timedelta(days=31)
"""So far back dates are noted that nobody planned: a centre may have stood in a cupboard for years."""
ACT = "schedules.roll"
NOT_ROLLED = "schedules.not_rolled"
"""Kind of the alarm about a schedule whose dates the centre fails to plan."""
SYSTEM = Actor(None, "schedules")
HEARD = frozenset({Outcome.PLAYED, Outcome.INTERRUPTED})

_log = logging.getLogger(__name__)


class StartPassedError(InvalidError):
    """A date that stood and had not begun was changed so that it would have begun by now."""

    code = "start_passed"


class Fate(StrEnum):
    """What rolling did with a date."""

    LEFT = "left"
    MADE = "made"
    SUPERSEDED = "superseded"
    BROKEN = "broken"
    """It cannot be aired as it is."""


class Known(NamedTuple):
    """A broadcast that an earlier roll made."""

    row: Broadcast
    begun: bool
    """Somewhere, or its start has passed."""


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
        known = await _known(tx.session, row.id, now)
        waiting = {recurrence for recurrence, each in known.items() if not each.begun}
        # A session may begin long after its time does: what stands and has not begun is still to come.
        dates = [each for each in given if each.start_at >= from_at or each.recurrence.isoformat() in waiting]
        runs = await Runs.read(tx.session, row.id, [each.row for each in known.values()], now)
        planner = await Planner.of(tx.session, row, tree)
        yeses = await Yeses.of(
            tx.session, row, planner, tree, [each.row.id for each in known.values()], now=now, proven=self._proven
        )
        where = Where(tree, planner.nodes, row.area_id, row.zone)
        ahead = _Work(self._documents, self._alarms, tx, row, planner, where=where, runs=runs, yeses=yeses, now=now)
        settled = _settled(known, names, dates, changes)
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


async def _known(session: AsyncSession, schedule_id: str, now: datetime) -> dict[str, Known]:
    """Give the newest broadcasts by date: those that could still matter."""
    query = (
        select(Broadcast)
        .where(Broadcast.schedule_id == schedule_id, Broadcast.superseded_at.is_(None))
        .where(Broadcast.latest_end_at > now - BEHIND)
        .order_by(Broadcast.created_at)
    )
    rows = (await session.scalars(query)).all()
    begun = await _begun(session, [row.id for row in rows])
    return {
        row.recurrence_local: Known(row, row.id in begun or row.start_at <= now)
        for row in rows
        if row.recurrence_local is not None
    }


async def _begun(session: AsyncSession, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in in_pieces(ids):
        sounded = or_(Play.started_at.is_not(None), Play.state == PlayState.PLAYING, Play.outcome.in_(HEARD))
        found |= set(await session.scalars(select(Play.broadcast_id).where(Play.broadcast_id.in_(some), sounded)))
    return found


def _settled(
    known: Mapping[str, Known],
    names: AbstractSet[str],
    dates: Iterable[Occurrence],
    changes: Iterable[ScheduleException],
) -> frozenset[str]:
    """Name the dates that are not to be planned (again).

    One that began is over for this schedule; so is, on the same day, one that an edit put in its place: nobody wants
    the morning's programme twice because its hour was changed while it played. What a person cancelled stays
    cancelled until they say something else of that date.
    """
    said_at = {each.recurrence_local: each.made_at for each in changes}
    settled = {
        key
        for key, each in known.items()
        if (each.row.cancelled_at is None and each.begun)
        or (each.row.cancelled_at is not None and said_at.get(key, each.row.cancelled_at) <= each.row.cancelled_at)
    }
    orphans = [datetime.fromisoformat(key) for key in settled - names if known[key].begun]
    return frozenset(settled | {each.isoformat() for each in taken_over(orphans, dates, known)})


class _Work:
    """What one roll of one schedule writes."""

    def __init__(
        self,
        documents: Documents,
        alarms: Alarms,
        tx: Transaction,
        row: Schedule,
        planner: Planner,
        *,
        where: Where,
        runs: Runs,
        yeses: Yeses,
        now: datetime,
    ) -> None:
        self._documents, self._alarms, self._tx, self._row, self._planner = documents, alarms, tx, row, planner
        self._where, self._runs, self._yeses, self._now = where, runs, yeses, now
        self._scopes: set[str] = set()
        self._broken: dict[str, tuple[Occurrence, InvalidError]] = {}
        """Dates that cannot be aired, by name."""
        self._refused: dict[str, tuple[Occurrence, InvalidError]] = {}
        """Dates that stand, and that all nodes refuse by their rules as they are now."""
        self.done = Counter[Fate]()

    async def bring_in_step(self, dates: Mapping[str, Occurrence], known: Mapping[str, Known]) -> None:
        """Plan dates, and make the broadcasts of those that have none like it."""
        planned, errors = await self._planner.plan_all(dates.values())
        errors |= self._passed(planned, known)
        errors |= await self._against_policy(planned, known)
        airable = [each for name, each in planned.items() if name not in errors]
        self._refused = {name: (dates[name], error) for name, error in refused_everywhere(self._where, airable).items()}
        for recurrence, date_ in dates.items():
            there = known.get(recurrence)
            old = None if there is None or there.row.cancelled_at is not None else there.row
            if there is not None and old is None:
                self._runs.supersede(there.row)  # a node that is away may begin it all the same
            if (error := errors.get(recurrence)) is not None:
                await self._break(date_, old, error)
            else:
                await self._keep_or_make(planned[recurrence], old)

    def _passed(self, planned: Mapping[str, Planned], known: Mapping[str, Known]) -> dict[str, StartPassedError]:
        """Refuse dates that would have begun by now as they are wanted now; what stands as it is wanted may begin."""
        new = {name: each for name, each in planned.items() if name in known and not _stands(known.get(name), each)}
        return {
            name: StartPassedError(
                "as it is now it would have begun already", start_at=each.session.start_at.isoformat()
            )
            for name, each in new.items()
            if each.session.latest_start_at <= self._now
        }

    async def _against_policy(
        self, planned: Mapping[str, Planned], known: Mapping[str, Known]
    ) -> dict[str, PolicyBreachError]:
        """Hold dates against the policies as they are now. What stands in plans is counted, and not blamed."""
        new = {name: each for name, each in planned.items() if not _stands(known.get(name), each)}
        gone = frozenset(known[name].row.id for name in new if name in known)
        besides = Besides(broadcast_ids=gone)
        return await refused_dates(self._tx.session, self._where, new.values(), besides=besides)

    async def _break(self, date_: Occurrence, old: Broadcast | None, error: InvalidError) -> None:
        """Take out a date that cannot be aired. It is kept with the reason, and tried again with every roll."""
        _log.info("schedule %s, %s: %s", self._row.id, date_.recurrence, error.message)
        self.done[Fate.BROKEN] += 1
        self._broken[date_.recurrence.isoformat()] = date_, error
        if old is not None:
            self._yeses.drop(old)
            await self.supersede(old)

    async def _keep_or_make(self, planned: Planned, old: Broadcast | None) -> None:
        yeses = self._yeses.to(planned)
        if old is not None and await self._leave(old, planned, yeses):
            self.done[Fate.LEFT] += 1
            return
        if old is not None:
            self._yeses.drop(old)
            await self.supersede(old)
        await self._make(planned, yeses)

    async def _leave(self, row: Broadcast, planned: Planned, yeses: Sequence[Yes]) -> bool:
        """Let one that is as it would be made now stand. False: it differs, or nobody's yes to it counts any more."""
        if row.request_sha256 != planned.fingerprint:
            return False
        if row.awaits_approval is False and self._yeses.kept(row, planned):
            return True
        if yeses:
            await approvals.write(self._tx, f"broadcasts/{row.id}", self._yeses.bound(planned), yeses, now=self._now)
            row.awaits_approval = False
            self._scopes |= set(self._row.scopes)
            self._tx.tell(Event(Topic.BROADCAST, row.id))
            return True
        return row.awaits_approval

    async def supersede(self, row: Broadcast) -> None:
        """Take a broadcast that has not begun out of its documents."""
        self._runs.supersede(row)
        self._scopes |= await supersede(self._tx, row, now=self._now)
        self.done[Fate.SUPERSEDED] += 1

    async def _make(self, planned: Planned, yeses: Sequence[Yes]) -> None:
        row, tx, session = self._row, self._tx, planned.session
        broadcast = Broadcast(
            id=new_broadcast_id(self._now),
            title=planned.title,
            level=Level(row.level),
            urgent=False,
            start_at=session.start_at,
            latest_start_at=session.latest_start_at,
            latest_end_at=session.latest_end_at,
            position=row.position,
            start_mode=row.start_mode,
            area_id=row.area_id,
            schedule_id=row.id,
            recurrence_local=planned.recurrence,
            run_id=self._runs.of(planned.occurrence.recurrence),
            awaits_approval=not yeses,
            length_ms=planned.laid_out.length_ms,
            wire_bytes=_wire_bytes(planned, row.scopes),
            created_by=row.changed_by,
            created_at=self._now,
            request_sha256=planned.fingerprint,
        )
        tx.session.add(broadcast)
        await tx.session.flush()
        tx.session.add_all(item_rows(broadcast.id, planned.laid_out.slots))
        tx.session.add_all(BroadcastTarget(broadcast_id=broadcast.id, scope=scope) for scope in row.scopes)
        await tx.session.flush()
        await approvals.write(tx, f"broadcasts/{broadcast.id}", self._yeses.bound(planned), yeses, now=self._now)
        await plays.plan(tx, broadcast.id, [node.id for node in self._planner.nodes], now=self._now)
        self._scopes |= set(row.scopes) if yeses else set()
        tx.tell(Event(Topic.BROADCAST, broadcast.id))
        self.done[Fate.MADE] += 1

    async def finish(self, wanted: Collection[str]) -> None:
        """Mark the plans that changed, ask for the yeses that are lacking, tell what is silent soon, and note it.

        ``wanted``: names of the dates that are to be heard.
        """
        await self._tx.session.flush()
        aired = {name for name in wanted if name not in self._broken}
        await keep(self._tx, self._row, self._broken, aired, now=self._now)
        await self._tell()
        await self._yeses.settle(self._tx)
        for scope in sorted(self._scopes):
            await self._documents.touch(self._tx, scope, Word.PLAN)
        if self.done[Fate.MADE] or self.done[Fate.SUPERSEDED]:
            detail = {str(fate): count for fate, count in sorted(self.done.items())}
            subject = f"schedules/{self._row.id}"
            await audit.write(self._tx, SYSTEM, ACT, subject, detail, at=self._now, area_id=self._row.area_id)

    async def _tell(self) -> None:
        """Raise an alarm about the first date that stays silent: nobody is to find out by listening.

        One about a date that is to sound after all, or is no more, is over. About one that has passed it is not.
        """
        known = (*self._broken.values(), *self._refused.values())
        silent = sorted(
            (each for each in known if each[0].start_at < self._now + SOON), key=lambda each: each[0].start_at
        )
        row = self._row
        subject, names = f"schedules/{row.id}", {date_.recurrence.isoformat() for date_, _ in silent}

        def is_over(alarm: Alarm) -> bool:
            name = next(iter(alarm.detail.get("dates", ())), None)
            if name is None or name in names:
                return False
            return datetime.fromisoformat(name) > wall_time(self._now, row.zone)

        await self._alarms.over(self._tx, NOT_AIRABLE, subject, is_over)
        if not silent:
            return
        first, error = silent[0]
        detail = {
            "title": row.title,
            "date": f"{first.local:%d/%m %H:%M}",
            "dates": [date_.recurrence.isoformat() for date_, _ in silent],
            "problem": error.code,
            "message": error.message,
            "rules": error.fields.get("rules", []),
        }
        await self._alarms.raise_(self._tx, NOT_AIRABLE, row.area_id, subject, detail, unless_open=True)


def _stands(known: Known | None, planned: Planned) -> bool:
    """Say whether a date is in plans, or awaits a yes, as it would be made now."""
    return known is not None and known.row.cancelled_at is None and known.row.request_sha256 == planned.fingerprint


def _wire_bytes(planned: Planned, scopes: Collection[str]) -> int:
    """Say about how large it will be in a plan: items and one approval that names all scopes."""
    voices = sum(len(slot.item.voices) for slot in planned.laid_out.slots)
    return 400 + IDS_BYTES + 80 * len(scopes) + 60 * len(planned.laid_out.slots) + 200 * voices
