"""Processes recordings one at a time, and takes up what a former life left; knows nothing of who asks for them."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from audio.errors import AudioError, Rejected, ToolMissingError
from audio.prepare import Prepared, Settings, prepare
from controller.clock import Clock
from controller.db import Database
from controller.emergencies.pinning import recording_ready
from controller.errors import BusyError, NotFoundError
from controller.events import Event, EventBus, Topic
from controller.people.rights import EVERYTHING, Sight
from controller.programmes.changes import recording_changed

from .models import Recording
from .states import RecordingState
from .uploads import UploadRoom

Prepare = Callable[[Path, Path, Settings | None, Callable[[float], None] | None], Awaitable[Prepared]]

PROGRESS_STEP = 0.05
AGAIN_AFTER_S = 60.0
"""A recording that the machine could not process is tried again: a disk gets room, a program is installed."""
PACKAGES = {"ffprobe": "ffmpeg"}
"""Debian's package of a program, where it is called otherwise."""
MACHINE_AT_FAULT = (OSError, BusyError, OperationalError, ToolMissingError)
"""Nothing that a recording could help: it waits. The rest of the centre, STOP above all, goes on."""
UNFORESEEN = (ArithmeticError, LookupError, TypeError, ValueError)
"""A mistake of ours that one file brings out: that file is refused, and not the life of the centre."""

_log = logging.getLogger(__name__)


class Processing:
    """The loop that makes what is aired of what was uploaded."""

    name = "recordings"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: EventBus,
        uploads: UploadRoom,
        *,
        media: Path,
        settings: Settings,
        process: Prepare = prepare,
        again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        self._database, self._clock, self._bus = database, clock, bus
        self._uploads, self._media, self._settings, self._process = uploads, media, settings, process
        self._progress: dict[str, float] = {}
        self._more, self._again_after_s = asyncio.Event(), again_after_s
        self.stuck = False
        """Whether a recording waits because the machine could not process it."""
        self.missing_package: str | None = None
        """What has to be installed before recordings can be processed."""
        self.ready = asyncio.Event()
        """Set when the loop has looked at what a former life left behind."""

    async def run(self) -> None:
        """Process what waits, one recording at a time, until cancelled. A former life's work is taken up."""
        self.stuck = not await self._tidy()
        self.ready.set()
        while True:
            self._more.clear()
            self.stuck = not await self._process_waiting()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._again_after_s if self.stuck else None):
                    await self._more.wait()

    def wake(self) -> None:
        """Have it look at what waits: there is more."""
        self._more.set()

    def progress(self, recording_id: str) -> float:
        """Give the share of a recording that is done, from 0 to 1."""
        return self._progress.get(recording_id, 0.0)

    async def _tidy(self) -> bool:
        """Remove what a former life left half done; False when the machine did not let us."""
        try:
            await asyncio.to_thread(self._uploads.tidy, set(await self._waiting()))
            await asyncio.to_thread(_remove_parts, self._media)
        except MACHINE_AT_FAULT:
            _log.exception("what a former life left half done stays")
            return False
        return True

    async def _process_waiting(self) -> bool:
        """Try every recording that waits; False when the machine kept one from being processed."""
        all_done = True
        try:
            waiting = await self._waiting()
        except MACHINE_AT_FAULT:
            _log.exception("the recordings that wait cannot be read; tried again in %.0f s", self._again_after_s)
            return False
        for recording_id in waiting:
            try:
                await self._process_one(recording_id)
            except ToolMissingError as error:
                self.missing_package = PACKAGES.get(error.tool, error.tool)
                words = "recording %s waits: %s is not installed (apt install %s); tried again in %.0f s"
                package = self.missing_package
                _log.error(words, recording_id, package, package, self._again_after_s)
                all_done = False
            except MACHINE_AT_FAULT:
                _log.exception("recording %s waits; tried again in %.0f s", recording_id, self._again_after_s)
                all_done = False
        return all_done

    async def _waiting(self) -> tuple[str, ...]:
        query = (
            select(Recording.id)
            .where(Recording.state == RecordingState.PROCESSING)
            .order_by(Recording.created_at, Recording.id)
        )
        async with self._database.reading() as session:
            return tuple(await session.scalars(query))

    async def _process_one(self, recording_id: str) -> None:
        try:
            async with self._database.transaction() as tx:
                row = await row_of(tx.session, recording_id)
                if await reuse(tx.session, row):
                    tx.tell(Event(Topic.RECORDING, recording_id))
                    self._uploads.discard(recording_id)
                    return
            changes = await self._prepare(recording_id)
            self.missing_package = None
            async with self._database.transaction() as tx:
                row = await row_of(tx.session, recording_id)
                for field, value in changes.items():
                    setattr(row, field, value)
                await tx.session.flush()
                await recording_changed(tx, recording_id, self._clock())
                await recording_ready(tx, row, self._clock)
                tx.tell(Event(Topic.RECORDING, recording_id))
            self._uploads.discard(recording_id)
        finally:
            self._progress.pop(recording_id, None)

    async def _prepare(self, recording_id: str) -> dict[str, Any]:
        """Process the original; gives the columns that follow from it."""
        source = self._uploads.path(recording_id)
        await asyncio.to_thread(self._media.mkdir, parents=True, exist_ok=True)
        try:
            done = await self._process(
                source, self._media, self._settings, lambda share: self._tell(recording_id, share)
            )
        except Rejected as verdict:
            fields = {"found": verdict.found, "limit": verdict.limit}
            return {
                "state": RecordingState.REJECTED,
                "reason": str(verdict.reason),
                "reason_fields": {name: value for name, value in fields.items() if value is not None},
            }
        except ToolMissingError:
            raise  # the machine is at fault, not the recording
        except (AudioError, FileNotFoundError, *UNFORESEEN) as error:
            if isinstance(error, FileNotFoundError) and source.exists():
                raise  # the original is there: something else is missing
            _log.exception("recording %s could not be processed", recording_id)
            return {"state": RecordingState.REJECTED, "reason": "failed", "reason_fields": {}}
        return {
            "state": RecordingState.READY,
            "sha256": done.sha256,
            "bytes": done.size,
            "length_ms": done.length_ms,
            "loudness_lufs": done.loudness_lufs,
            "true_peak_dbtp": done.true_peak_dbtp,
            "silence_ms": done.silence_ms,
            "waveform": [*done.waveform],
            "warnings": [str(warning) for warning in done.warnings],
        }

    def _tell(self, recording_id: str, share: float) -> None:
        told = self._progress.get(recording_id)
        if told is None or share - told >= PROGRESS_STEP:
            self._progress[recording_id] = share
            self._bus.publish(Event(Topic.RECORDING, recording_id))


RESULT = (
    "state",
    "sha256",
    "bytes",
    "length_ms",
    "loudness_lufs",
    "true_peak_dbtp",
    "silence_ms",
    "waveform",
    "warnings",
)
"""Columns that processing fills."""


def _remove_parts(media: Path) -> None:
    """Remove what was being written when a former life was killed. One recording at a time: nobody writes yet."""
    for part in media.glob(".*.part"):  # as ``audio.prepare`` names them
        part.unlink(missing_ok=True)


async def reuse(session: AsyncSession, row: Recording) -> bool:
    """Take over the result of the same original, if it is there: same input, same sound."""
    query = (
        select(Recording)
        .where(Recording.source_sha256 == row.source_sha256, Recording.state == RecordingState.READY)
        .where(Recording.id != row.id, Recording.withdrawn_at.is_(None))
        .limit(1)
    )
    known = await session.scalar(query)
    if known is None:
        return False
    for field in RESULT:
        setattr(row, field, getattr(known, field))
    await session.flush()
    return True


async def row_of(session: AsyncSession, recording_id: str, seen: Sight = EVERYTHING) -> Recording:
    """Give the row of a recording in sight.

    Raises:
        NotFoundError: there is none.
    """
    row = await session.get(Recording, recording_id)
    if row is None or not seen.sees(row.area_id):
        raise NotFoundError("there is no such recording", resource="recordings", id=recording_id[:64])
    return row
