"""Sends what was decided by breaking the glass when its cancel window is over, and ends what is over.

Everything follows from rows: a centre that was killed in between does it at its next start, or says that it was too
late.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.approvals.yeses import Yes
from controller.audit import service as audit
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import as_on_the_wire
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import BusyError, LoaError
from controller.events import Event, EventBus, Topic
from controller.failures import Failures
from controller.people.actor import Actor

from .models import Emergency
from .rules import LATEST_FIRING, PROPOSAL_LASTS
from .sending import Sending
from .states import EmergencyState

ORIGIN = "emergencies"
HOLDS_STAND = "emergencies.holds_stand"
"""Alarm: it was sent, but whoever broke the glass may not release the holds any more that were to go with it."""
TOO_LATE = "too_late"
NOT_CONFIRMED = "not_confirmed"
FAILED = "internal"
"""The centre failed at it, by a mistake of ours."""
LOOK_S = 30.0
"""Rows are looked at this often even if nobody said so: the clock may have been set."""
AGAIN_S = 1.0
"""After the database was busy, or something failed."""

_log = logging.getLogger(__name__)


class Firing:
    """The waker of emergencies. Runs until cancelled."""

    name = "emergencies"

    def __init__(
        self,
        database: Database,
        bus: EventBus,
        clock: Clock,
        sending: Sending,
        alarms: Alarms,
        *,
        failures: Failures,
    ) -> None:
        self._database, self._bus, self._clock = database, bus, clock
        self._sending, self._alarms, self._failures = sending, alarms, failures
        self._nudged = asyncio.Event()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Do what is due whenever something is; what was due while we were down first."""
        with self._bus.listen() as events:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(events), name="emergencies-ear")
                while True:
                    self._nudged.clear()
                    wait_s = await self._work()
                    self.ready.set()
                    await self._wait(wait_s)

    async def do_due(self) -> bool:
        """Send what is due, give up what is too late, and end what is over. False: some of it is still to be done."""
        now = as_on_the_wire(self._clock())
        async with self._database.reading() as session:
            firing = await _ids(session, Emergency.state == EmergencyState.COUNTING_DOWN, Emergency.fires_at <= now)
            stale = await _ids(session, _stale(now))
            over = await _ids(session, _over(now))
        counting, proposed = EmergencyState.COUNTING_DOWN, EmergencyState.PROPOSED
        each = self._failures.each
        unsent = await each("emergencies.fire", firing, lambda key: self._fire(key, now))
        failed = [
            *await each("emergencies.fail", unsent, lambda key: self._give_up(key, counting, FAILED, now)),
            *await each("emergencies.expire", stale, lambda key: self._give_up(key, proposed, NOT_CONFIRMED, now)),
            *await each("emergencies.end", over, lambda key: self._end(key, now)),
        ]
        return not failed

    async def next_at(self) -> datetime | None:
        """Say when something is due next; None: nothing is under way."""
        counting = Emergency.state == EmergencyState.COUNTING_DOWN
        proposed = Emergency.state == EmergencyState.PROPOSED
        ends = select(func.min(Broadcast.latest_end_at)).join(Emergency, Emergency.broadcast_id == Broadcast.id)
        async with self._database.reading() as session:
            fires_at = await session.scalar(select(func.min(Emergency.fires_at)).where(counting))
            asked_at = await session.scalar(select(func.min(Emergency.proposed_at)).where(proposed))
            ends_at = await session.scalar(ends.where(Emergency.state == EmergencyState.SENT))
        stale_at = asked_at + PROPOSAL_LASTS if asked_at is not None else None
        return min((at for at in (fires_at, stale_at, ends_at) if at is not None), default=None)

    async def _fire(self, emergency_id: str, now: datetime) -> None:
        try:
            async with self._database.transaction() as tx:
                row = await _locked(tx, emergency_id, EmergencyState.COUNTING_DOWN)
                if row is None or row.fires_at is None or now - row.fires_at > LATEST_FIRING:
                    problem = TOO_LATE
                else:
                    # Not marked as the author's own: that counts against what a policy lets somebody approve alone,
                    # and this is outside of any bounds; the alarm has told those above.
                    person_id = row.break_glass_by or row.proposed_by
                    who, yeses = Actor(person_id, ORIGIN), [Yes(person_id)]
                    kept = await self._sending.send(tx, who, row, yeses, now=now, despite_holds=True)
                    if kept:
                        detail = {"title": row.title, "count": len(kept), "holds": kept, "drill": row.drill}
                        await self._alarms.raise_(tx, HOLDS_STAND, row.area_id, f"emergencies/{row.id}", detail)
                    return
        except BusyError:
            raise
        except LoaError as error:
            _log.exception("emergency %s cannot be sent", emergency_id)
            problem = error.code
        await self._give_up(emergency_id, EmergencyState.COUNTING_DOWN, problem, now)

    async def _give_up(self, emergency_id: str, state: EmergencyState, problem: str, now: datetime) -> None:
        """Cancel what was not sent, and raise an alarm where somebody counted on it."""
        async with self._database.transaction() as tx:
            row = await _locked(tx, emergency_id, state)
            if row is None:
                return
            row.state, row.ended_at, row.problem = EmergencyState.CANCELLED, now, problem
            detail = {"title": row.title, "problem": problem, "drill": row.drill}
            subject = f"emergencies/{row.id}"
            if state is EmergencyState.COUNTING_DOWN:
                await self._alarms.raise_(tx, "emergencies.not_sent", row.area_id, subject, detail)
            await _note(tx, row, detail, now)

    async def _end(self, emergency_id: str, now: datetime) -> None:
        async with self._database.transaction() as tx:
            row = await _locked(tx, emergency_id, EmergencyState.SENT)
            if row is None or row.broadcast_id is None:
                return
            broadcast = await tx.session.get_one(Broadcast, row.broadcast_id)
            row.state, row.ended_at = EmergencyState.ENDED, broadcast.cancelled_at or now
            row.ended_by = broadcast.cancelled_by
            await _note(tx, row, {"title": row.title, "ended": True}, now)

    async def _work(self) -> float:
        """Do what is due; gives how long nothing will be."""
        try:
            all_done = await self.do_due()
            next_at = await self.next_at()
        except BusyError as error:
            _log.warning("%s; emergencies are looked at again at once", error.message)
            return AGAIN_S
        if not all_done:
            return AGAIN_S
        if next_at is None:
            return LOOK_S
        return min(max((next_at - self._clock()).total_seconds(), 0.0) + 0.001, LOOK_S)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _listen(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.topic in {Topic.EMERGENCY, Topic.BROADCAST, Topic.MISSED}:
                self._nudged.set()


def _stale(now: datetime) -> ColumnElement[bool]:
    return (Emergency.state == EmergencyState.PROPOSED) & (Emergency.proposed_at < now - PROPOSAL_LASTS)


def _over(now: datetime) -> ColumnElement[bool]:
    is_over = or_(Broadcast.latest_end_at <= now, Broadcast.cancelled_at.is_not(None))
    return (Emergency.state == EmergencyState.SENT) & Emergency.broadcast_id.in_(select(Broadcast.id).where(is_over))


async def _ids(session: AsyncSession, *which: ColumnElement[bool]) -> list[str]:
    return list(await session.scalars(select(Emergency.id).where(*which).order_by(Emergency.fires_at, Emergency.id)))


async def _locked(tx: Transaction, emergency_id: str, state: EmergencyState) -> Emergency | None:
    """Give a row that is still at this step: somebody may have been faster."""
    row = await tx.session.get(Emergency, emergency_id, with_for_update=True)
    return row if row is not None and row.state == state else None


async def _note(tx: Transaction, row: Emergency, detail: dict[str, Any], now: datetime) -> None:
    await tx.session.flush()
    actor, action = Actor(None, ORIGIN), f"emergencies.{row.state}"
    await audit.write(tx, actor, action, f"emergencies/{row.id}", detail, at=now, area_id=row.area_id)
    tx.tell(Event(Topic.EMERGENCY, row.id))
