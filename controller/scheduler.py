"""Wakes the centre. APScheduler holds no truth: its jobs are derived from rows, a job of a row has the row's id."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import select

from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.clock import Clock
from controller.db import Database
from controller.errors import BusyError
from controller.events import Event, EventBus, Topic
from controller.plans.service import mark
from controller.plays import service as plays
from controller.plays.rules import UNKNOWN_AFTER

ROLL_S = 180
"""Plans reach a week ahead and leases are renewed every 6 h: minutes do not matter."""
SWEEP_S = 30
CERTIFICATES_S = 6 * 3600
AFTER_END = timedelta(seconds=1)
"""Rows are looked at just after an instant, not at it."""

_log = logging.getLogger(__name__)


class Scheduler:
    """Runs what is to be done at a time. Runs until cancelled, or until a job fails."""

    name = "scheduler"

    def __init__(
        self,
        database: Database,
        bus: EventBus,
        clock: Clock,
        *,
        renew_plans: Callable[[], Awaitable[None]],
        renew_certificates: Callable[[], Awaitable[None]],
    ) -> None:
        self._database, self._bus, self._clock = database, bus, clock
        self._renew_plans, self._renew_certificates = renew_plans, renew_certificates
        self._jobs = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None})
        self._failed: asyncio.Future[None] | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Derive the jobs from rows, then keep up with new broadcasts.

        Raises:
            Exception: whatever a job raised; silence must never look like health.
        """
        self._failed = asyncio.get_running_loop().create_future()
        jobs = self._jobs
        jobs.add_listener(self._note_failure, EVENT_JOB_ERROR)
        for name, work, seconds in (
            ("renew-plans", self._renew_plans, ROLL_S),
            ("sweep-plays", self.sweep, SWEEP_S),
            ("renew-certificates", self._renew_certificates, CERTIFICATES_S),
        ):
            jobs.add_job(work, "interval", seconds=seconds, id=name, next_run_time=self._clock())
        with self._bus.listen() as events:
            jobs.start()
            ear = asyncio.create_task(self._follow(events), name="scheduler-ear")
            try:
                await self._derive()
                self.ready.set()
                ends: list[asyncio.Future[None]] = [ear, self._failed]
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                for ended in done:
                    ended.result()
            finally:
                ear.cancel()
                jobs.shutdown(wait=False)

    async def sweep(self) -> None:
        """Call plays without a word ``unknown``."""
        await self._patiently(self._sweep)

    async def close_broadcast(self, broadcast_id: str) -> None:
        """Take a broadcast that is over out of its documents."""

        async def close() -> None:
            now = self._clock()
            async with self._database.transaction() as tx:
                row = await tx.session.get(Broadcast, broadcast_id)
                if row is None or row.latest_end_at > now:
                    return
                scopes = await tx.session.scalars(
                    select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == broadcast_id)
                )
                # A cancelled one stands in urgents as a stop.
                urgent = row.urgent or row.cancelled_at is not None
                await mark(tx, [(scope, "urgent" if urgent else "plan") for scope in scopes], self._clock)

        await self._patiently(close)

    async def _sweep(self) -> None:
        async with self._database.transaction() as tx:
            await plays.sweep(tx, self._clock())

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except BusyError as error:
            _log.warning("%s; it is tried again", error.message)

    async def _derive(self) -> None:
        now = self._clock()
        query = select(Broadcast.id, Broadcast.latest_end_at).where(Broadcast.latest_end_at > now - UNKNOWN_AFTER)
        async with self._database.reading() as session:
            for row in await session.execute(query):
                self._plan(row.id, row.latest_end_at)

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.topic is Topic.MISSED:
                await self._derive()
            elif event.topic is Topic.BROADCAST and self._jobs.get_job(event.key) is None:
                async with self._database.reading() as session:
                    row = await session.get(Broadcast, event.key)
                if row is not None and row.latest_end_at > self._clock():
                    self._plan(row.id, row.latest_end_at)

    def _plan(self, broadcast_id: str, latest_end_at: datetime) -> None:
        self._jobs.add_job(
            self.close_broadcast,
            "date",
            run_date=latest_end_at + AFTER_END,
            args=[broadcast_id],
            id=broadcast_id,
            replace_existing=True,
        )

    def _note_failure(self, event: JobExecutionEvent) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(event.exception)
