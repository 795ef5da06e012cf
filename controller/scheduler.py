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
from controller.db import Database
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
                await self._derive()
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
        regular = name in self._regular
        work = self._regular[name][0]() if regular else self.close_broadcast(name)
        try:
            await self._failures.attempt(name if regular else f"broadcasts/{name}", work)
        except BusyError as error:
            _log.warning("%s: %s; it is done the next time", name, error.message)

    async def _derive(self) -> None:
        """Give every broadcast its job, also those that ended while we were down."""
        now = self._clock()
        query = select(Broadcast.id, Broadcast.latest_end_at).where(Broadcast.latest_end_at > now - UNKNOWN_AFTER)
        async with self._database.reading() as session:
            for row in await session.execute(query):
                self._plan(row.id, row.latest_end_at)

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.topic in {Topic.SCHEDULE, Topic.PROGRAMME, Topic.MISSED} and ROLL_SCHEDULES in self._regular:
                self._due.put_nowait(ROLL_SCHEDULES)
            if event.topic is Topic.MISSED:
                await self._derive()
            elif event.topic is Topic.BROADCAST and self._jobs.get_job(event.key) is None:
                async with self._database.reading() as session:
                    row = await session.get(Broadcast, event.key)
                if row is not None and row.latest_end_at > self._clock():
                    self._plan(row.id, row.latest_end_at)

    def _plan(self, broadcast_id: str, latest_end_at: datetime) -> None:
        self._jobs.add_job(
            self._wake,
            "date",
            run_date=latest_end_at + AFTER_END,
            args=[broadcast_id],
            id=broadcast_id,
            replace_existing=True,
        )
