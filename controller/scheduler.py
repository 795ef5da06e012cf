"""Wakes the centre. APScheduler holds no truth: its jobs are derived from rows, a job of a row has the row's id.

A job does nothing but name itself; the work is done here, so that it ends with us. One that fails is told
(``failures``) and tried again when it is due next: it must not end the process, which says STOP.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import select

from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.clock import Clock
from controller.db import Database, in_pieces
from controller.errors import BusyError
from controller.events import Event, EventBus, Topic
from controller.failures import Failures
from controller.plans.service import mark
from controller.plays import service as plays
from controller.plays.rules import UNKNOWN_AFTER

ROLL_S = 180
"""Plans reach a week ahead and leases are renewed every 6 h: minutes do not matter."""
SWEEP_S = 30
FORGET_S = 24 * 3600
CERTIFICATES_S = 6 * 3600
ROLL_SCHEDULES = "roll-schedules"
FORGET = "forget"
"""Takes minutes where there is much: nothing waits for it."""
JOBS = "jobs"
"""Broadcasts that came to be get theirs."""
AGAIN_S = 60.0
"""What failed and comes by no interval is tried again after this."""
AFTER_END = timedelta(seconds=1)
"""Rows are looked at just after an instant, not at it."""

Work = Callable[[], Awaitable[object]]

_log = logging.getLogger(__name__)


class Scheduler:
    """Does what is to be done at a time. Runs until cancelled.

    ``more``: other regular work by name, each with the seconds between two times; all of it is also done at the start.
    """

    name = "scheduler"

    def __init__(
        self,
        database: Database,
        bus: EventBus,
        clock: Clock,
        *,
        renew_plans: Work,
        renew_certificates: Work,
        forget: Work,
        more: Mapping[str, tuple[Work, int]] | None = None,
        failures: Failures | None = None,
    ) -> None:
        self._database, self._bus, self._clock = database, bus, clock
        self._regular: dict[str, tuple[Work, int]] = {
            "renew-plans": (renew_plans, ROLL_S),
            "sweep-plays": (self.sweep, SWEEP_S),
            "renew-certificates": (renew_certificates, CERTIFICATES_S),
            **(more or {}),
            FORGET: (forget, FORGET_S),
        }
        self._jobs = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None})
        self._due: asyncio.Queue[str] = asyncio.Queue()
        self._new: set[str] = set()
        """Broadcasts that were told of and have not been looked at."""
        self._missed, self._made_up = 1, 0
        """How often any number of them may have come to be untold, and up to which time they were looked for."""
        self._failures = failures or Failures()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Derive the jobs from rows, keep up with new broadcasts, and work when a job is due."""
        for name, (_, seconds) in self._regular.items():
            self._jobs.add_job(self._wake, "interval", seconds=seconds, args=[name], id=name)
            self._due.put_nowait(name)  # whatever was missed while we were down
        with self._bus.listen() as events:
            self._jobs.start()
            try:
                await self._do(JOBS)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._follow(events), name="scheduler-ear")
                    self.ready.set()
                    while True:
                        name = await self._due.get()
                        if name == FORGET:
                            group.create_task(self._do(name), name=f"scheduler-{name}")
                        else:
                            await self._do(name)
            finally:
                self._jobs.shutdown(wait=False)

    async def sweep(self) -> None:
        """Call plays without a word ``unknown``."""
        async with self._database.transaction() as tx:
            await plays.sweep(tx, self._clock())

    async def close_broadcast(self, broadcast_id: str) -> None:
        """Take a broadcast that is over out of its documents."""
        async with self._database.transaction() as tx:
            row = await tx.session.get(Broadcast, broadcast_id)
            if row is None or row.latest_end_at > self._clock():
                return
            scopes = await tx.session.scalars(
                select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == broadcast_id)
            )
            # A cancelled one stands in urgents, as a stop.
            word = "urgent" if row.urgent or row.cancelled_at is not None else "plan"
            await mark(tx, [(scope, word) for scope in scopes], self._clock)

    async def _wake(self, name: str) -> None:
        self._due.put_nowait(name)

    async def _do(self, name: str) -> None:
        regular = self._regular.get(name)
        if regular is not None:
            label, work = name, regular[0]()
        else:
            label, work = (name, self._derive()) if name == JOBS else (f"broadcasts/{name}", self.close_broadcast(name))
        try:
            done = await self._failures.attempt(label, work)
        except BusyError as error:
            _log.warning("%s: %s; it is tried again", name, error.message)
            done = False
        if not done and regular is None:
            asyncio.get_running_loop().call_later(AGAIN_S, self._due.put_nowait, name)

    async def _derive(self) -> None:
        """Give every broadcast its job that was told of; if any may have been missed, as while we were down, all."""
        while self._new or self._missed != self._made_up:
            new, missed, now = frozenset(self._new), self._missed, self._clock()
            query = select(Broadcast.id, Broadcast.latest_end_at)
            ended_lately = Broadcast.latest_end_at > now - UNKNOWN_AFTER
            some = [Broadcast.id.in_(ids) & (Broadcast.latest_end_at > now) for ids in in_pieces(sorted(new))]
            async with self._database.reading() as session:
                for which in some if missed == self._made_up else [ended_lately]:
                    for row in await session.execute(query.where(which)):
                        self._plan(row.id, row.latest_end_at)
            self._made_up = missed
            self._new -= new

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.topic in {Topic.SCHEDULE, Topic.PROGRAMME, Topic.MISSED} and ROLL_SCHEDULES in self._regular:
                self._due.put_nowait(ROLL_SCHEDULES)
            if event.topic is Topic.MISSED:
                self._missed += 1
                self._due.put_nowait(JOBS)
            elif event.topic is Topic.BROADCAST and self._jobs.get_job(event.key) is None:
                if not self._new:
                    self._due.put_nowait(JOBS)
                self._new.add(event.key)

    def _plan(self, broadcast_id: str, latest_end_at: datetime) -> None:
        self._jobs.add_job(
            self._wake,
            "date",
            run_date=latest_end_at + AFTER_END,
            args=[broadcast_id],
            id=broadcast_id,
            replace_existing=True,
        )
