"""What one roll of one schedule writes: broadcasts made and superseded, yeses asked for, alarms about silent dates."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from controller.alarms.models import Alarm
from controller.alarms.service import Alarms
from controller.approvals import yeses as approvals
from controller.approvals.yeses import Yes
from controller.audit import service as audit
from controller.broadcasts.items import item_rows
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.room import IDS_BYTES
from controller.broadcasts.superseding import supersede
from controller.db import Transaction
from controller.errors import InvalidError
from controller.events import Event, Topic
from controller.ids import new_broadcast_id
from controller.people.actor import Actor
from controller.plans.service import Documents
from controller.plays import service as plays
from controller.policies.checks import Besides
from controller.policies.errors import PolicyBreachError
from edge_agent.protocol.states import Level
from edge_agent.protocol.topics import Word

from .expand import Occurrence
from .models import Schedule
from .planning import Planned, Planner
from .policed import Where, refused_dates, refused_everywhere
from .rolled import Known
from .runs import Runs
from .states import NOT_AIRABLE
from .unaired import SOON, keep
from .walltime import wall_time
from .yes import Yeses

ACT = "schedules.roll"
SYSTEM = Actor(None, "schedules")

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


class Work:
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
            "start_at": first.start_at.isoformat(),
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
