"""Looks after a signer that stands apart: whether it answers, and which yeses it has to forget.

Nothing waits for either: who asks a signer that hangs is told so at once, and what was to be signed stays marked until
it answers again. Then it is signed at once, holds first.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import select

from controller.alarms.service import Alarms
from controller.approvals.models import Approval
from controller.clock import Clock
from controller.db import Database
from controller.emergencies.models import Emergency
from controller.emergencies.states import EmergencyState
from controller.errors import BusyError
from controller.events import Event, EventBus, Topic

LOOK_S = 2.0
SILENT = "signer.silent"
"""Kind of the alarm."""
TOLD_AFTER = 3
"""Looks without an answer, before people are told."""
TAKE_BACK, TAKE_BACK_S = "yeses", 30
"""Regular work."""
LATEST = timedelta(days=92)
"""A yes that was taken back longer ago is over by itself."""

_log = logging.getLogger(__name__)


class Probed(Protocol):
    """Says whether the signer answers: ``signing.remote.Wire``."""

    async def probe(self) -> None:
        """Ask it.

        Raises:
            BusyError: it does not answer.
        """
        ...


class Forgetful(Protocol):
    """Forgets yeses: ``signing.remote.RemoteDesk``."""

    async def void(self, name: str, before_at: datetime, content_sha256: str | None = None) -> None:
        """Let them count no more.

        Raises:
            BusyError: the signer does not answer.
        """
        ...


class SignerWatch:
    """Asks again and again whether the signer answers. Runs until cancelled."""

    name = "signer"

    def __init__(self, wire: Probed, database: Database, bus: EventBus, alarms: Alarms) -> None:
        self._wire, self._database, self._bus, self._alarms = wire, database, bus, alarms
        self._missed = 0
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            self.ready.set()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once."""
        try:
            await self._wire.probe()
        except BusyError as error:
            self._missed += 1
            if self._missed == TOLD_AFTER:
                _log.error("%s; nothing can be signed, STOP neither", error.message)
                await self._tell()
            return
        if self._missed:
            self._bus.publish(Event(Topic.DOCUMENTS, "signer"))  # what is marked is signed now
        self._missed = 0

    async def _tell(self) -> None:
        try:
            async with self._database.transaction() as tx:
                await self._alarms.raise_(tx, SILENT, None, "signer", {}, unless_open=True)
        except BusyError as error:
            _log.warning("%s; people are told of the signer later", error.message)
            self._missed -= 1


class TakingBack:
    """Tells the signer which yeses were taken back here: by an edit, or because an emergency was cancelled."""

    def __init__(self, database: Database, clock: Clock, signer: Forgetful) -> None:
        self._database, self._clock, self._signer = database, clock, signer
        self._told: set[tuple[str, datetime, str | None]] = set()

    async def look(self) -> None:
        """Tell it what it was not told since we began; after a start all of it, for twice is once."""
        found = await self._taken_back()
        self._told &= found
        for name, at, content_sha256 in sorted(found - self._told, key=lambda each: (each[1], each[0])):
            try:
                await self._signer.void(name, at, content_sha256)
            except BusyError as error:
                _log.warning("%s; it is told later what was taken back", error.message)
                return
            self._told.add((name, at, content_sha256))

    async def _taken_back(self) -> set[tuple[str, datetime, str | None]]:
        since_at = self._clock() - LATEST
        yeses = select(Approval.subject, Approval.voided_at, Approval.content_sha256).where(
            Approval.voided_at > since_at, Approval.not_after_at > self._clock()
        )
        cancelled = select(Emergency.id, Emergency.ended_at).where(
            Emergency.state == EmergencyState.CANCELLED, Emergency.ended_at > since_at
        )
        found: set[tuple[str, datetime, str | None]] = set()
        async with self._database.reading() as session:
            found |= {(subject, at, content) for subject, at, content in await session.execute(yeses) if at}
            found |= {(f"emergencies/{key}", at, None) for key, at in await session.execute(cancelled) if at}
        return found
