"""Recordings: taken in, processed one at a time, listed, withdrawn."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from audio.errors import AudioError, Rejected, ToolMissingError
from audio.prepare import Prepared, Settings, prepare
from controller.areas.service import LANGUAGE
from controller.audit import service as audit
from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.bulletins.repository import offers_recording
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.emergencies.pinning import recording_ready, title_of_open, title_of_user
from controller.errors import BusyError, ConflictError, InvalidError, NotFoundError, TooManyAttemptsError
from controller.events import Event, EventBus, Topic
from controller.ids import new_id
from controller.names import clean_file_name, clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import EVERYTHING, Act, Sight
from controller.programmes.changes import recording_changed

from .models import Recording, RecordingState
from .quota import Quota
from .schemas import RecordingOut, WaveformOut
from .uploads import UploadRoom

Prepare = Callable[[Path, Path, Settings | None, Callable[[float], None] | None], Awaitable[Prepared]]

MAX_WAITING = 20
"""Recordings of one person that may wait for processing."""

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


class Recordings:
    """All recordings, and the loop that processes them."""

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
        quota: Quota | None = None,
    ) -> None:
        self._database, self._clock, self._bus = database, clock, bus
        self._uploads, self._media, self._settings, self._process = uploads, media, settings, process
        self._quota = quota
        self._progress: dict[str, float] = {}
        self._more, self._again_after_s = asyncio.Event(), again_after_s
        self.stuck = False
        """Whether a recording waits because the machine could not process it."""
        self.missing_package: str | None = None
        """What has to be installed before recordings can be processed."""
        self.ready = asyncio.Event()
        """Set when the loop has looked at what a former life left behind."""

    async def upload(
        self,
        actor: Actor,
        *,
        title: str,
        file_name: str,
        body: AsyncIterator[bytes],
        language: str = "vi",
        declared_bytes: int | None = None,
        area_id: str | None = None,
        is_signal: bool = False,
    ) -> RecordingOut:
        """Take in a file. It is processed afterwards; a file that is known and ready is ready at once.

        ``area_id`` says whose it is; None: see ``rights.home``. ``is_signal``: it goes before every emergency.

        Raises:
            InvalidError: a field is wrong, the file is empty, or its length is not what was declared.
            ForbiddenError: no role of the person allows it there.
            TooLargeError, TooSlowError, NoSpaceError, TooManyAttemptsError: see ``UploadRoom.store``.
            UploadQuotaError: more than one person may upload within a day.
        """
        title = clean_name(title, field="title")
        if not LANGUAGE.match(language) or len(language) > 35:
            raise InvalidError("language: a tag such as vi, hmn, tyz", field="language", problem="unknown")
        async with self._database.reading() as session:
            area_id = await rights.home(session, actor, Act.RECORDINGS_UPLOAD, area_id)
            await _check_queue(session, actor)
            await self._check_quota(session, actor, declared_bytes or 0)
        recording_id = new_id()
        stored = await self._uploads.store(recording_id, actor.person_id or actor.origin, body, declared_bytes)
        row = Recording(
            id=recording_id,
            title=title,
            file_name=clean_file_name(file_name),
            language=language,
            state=RecordingState.PROCESSING,
            source_sha256=stored.sha256,
            source_bytes=stored.bytes,
            warnings=[],
            is_signal=is_signal,
            area_id=area_id,
            uploaded_by=actor.person_id,
            created_at=self._clock(),
        )
        try:
            found = await self._add(actor, row)
        except BaseException:
            self._uploads.discard(recording_id)
            raise
        if found.state is RecordingState.READY:
            self._uploads.discard(recording_id)
        else:
            self._more.set()
        return found

    async def get(self, actor: Actor, recording_id: str) -> RecordingOut:
        """Give one recording.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            row, own = await self._readable(session, actor, recording_id)
            return self._out(row, await _person_names(session) if own else {})

    async def list(self, actor: Actor, *, limit: int = 50, before: str | None = None) -> list[RecordingOut]:
        """Give the latest recordings in sight, newest first; ``before`` is the last id of the page before.

        The signal before emergencies is none that could be chosen: used for anything else, it would wear off.

        Raises:
            NotFoundError: there is no recording ``before``.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            query = select(Recording).where(Recording.withdrawn_at.is_(None), Recording.is_signal.is_(False))
            query = query.where(seen.where(Recording.area_id))
            if before is not None:
                last = await _row(session, before, seen)
                query = query.where(tuple_(Recording.created_at, Recording.id) < (last.created_at, last.id))
            rows = await session.scalars(query.order_by(Recording.created_at.desc(), Recording.id.desc()).limit(limit))
            names = await _person_names(session)
            return [self._out(row, names) for row in rows]

    async def waveform(self, actor: Actor, recording_id: str) -> WaveformOut:
        """Give the level over time.

        Raises:
            NotFoundError: there is no such recording, or it is not ready.
        """
        async with self._database.reading() as session:
            row, _ = await self._readable(session, actor, recording_id)
        if row.waveform is None or row.length_ms is None:
            raise NotFoundError("this recording is not ready", resource="recordings", id=recording_id[:64])
        return WaveformOut(peaks=tuple(row.waveform), length_ms=row.length_ms)

    async def withdraw(self, actor: Actor, recording_id: str) -> RecordingOut:
        """Take a recording back for good: its sound is served no more.

        Raises:
            NotFoundError: there is no such recording.
            ConflictError: withdrawn already, or a broadcast that is not over, a ready message, or an emergency that
                may still be sent uses it.
        """
        now = self._clock()
        in_use = (
            select(Broadcast.title)
            .join(BroadcastItem, BroadcastItem.broadcast_id == Broadcast.id)
            .where(BroadcastItem.recording_id == recording_id)
            .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), Broadcast.latest_end_at > now)
            .limit(1)
        )
        async with self._database.transaction() as tx:
            row = await _row(tx.session, recording_id, await rights.sight(tx.session, actor))
            await rights.require(tx.session, actor, Act.RECORDINGS_WITHDRAW, [row.area_id])
            if row.withdrawn_at is not None:
                raise ConflictError("this recording is withdrawn already", problem="withdrawn")
            title = (
                await tx.session.scalar(in_use)
                or await title_of_user(tx.session, recording_id)
                or await title_of_open(tx.session, recording_id)
            )
            if title is not None:
                raise ConflictError(f"{title!r} uses it; cancel or archive that first", problem="in_use", title=title)
            row.withdrawn_at = now
            await tx.session.flush()
            await recording_changed(tx, recording_id)
            subject = f"recordings/{recording_id}"
            detail = {"title": row.title}
            await audit.write(tx, actor, Act.RECORDINGS_WITHDRAW, subject, detail, at=now, area_id=row.area_id)
            tx.tell(Event(Topic.RECORDING, recording_id))
            return self._out(row, await _person_names(tx.session))

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
                row = await _row(tx.session, recording_id)
                if await _reuse(tx.session, row):
                    tx.tell(Event(Topic.RECORDING, recording_id))
                    self._uploads.discard(recording_id)
                    return
            changes = await self._prepare(recording_id)
            self.missing_package = None
            async with self._database.transaction() as tx:
                row = await _row(tx.session, recording_id)
                for field, value in changes.items():
                    setattr(row, field, value)
                await tx.session.flush()
                await recording_changed(tx, recording_id)
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

    async def _add(self, actor: Actor, row: Recording) -> RecordingOut:
        async with self._database.transaction() as tx:
            await self._check_quota(tx.session, actor, row.source_bytes)  # others of his may have come meanwhile
            tx.session.add(row)
            await tx.session.flush()
            await _reuse(tx.session, row)
            await _audited(tx, actor, row)
            tx.tell(Event(Topic.RECORDING, row.id))
            return self._out(row, await _person_names(tx.session))

    async def _check_quota(self, session: AsyncSession, actor: Actor, more_bytes: int) -> None:
        if self._quota is not None:
            await self._quota.check(session, actor.person_id, more_bytes, self._clock())

    async def _readable(self, session: AsyncSession, actor: Actor, recording_id: str) -> tuple[Recording, bool]:
        """Give a recording in sight, or one of a bulletin that an area above offers; and whether it is in sight."""
        seen = await rights.sight(session, actor)
        offered = await offers_recording(session, seen, recording_id, self._clock())
        row = await _row(session, recording_id, EVERYTHING if offered else seen)
        return row, seen.sees(row.area_id)

    def _out(self, row: Recording, names: dict[str, str]) -> RecordingOut:
        ready = row.state == RecordingState.READY
        return RecordingOut(
            id=row.id,
            title=row.title,
            file_name=row.file_name,
            language=row.language,
            area_id=row.area_id,
            state=RecordingState(row.state),
            progress=self._progress.get(row.id, 0.0) if row.state == RecordingState.PROCESSING else None,
            reason="tool_missing" if row.state == RecordingState.PROCESSING and self.missing_package else row.reason,
            reason_fields=row.reason_fields or {},
            warnings=tuple(row.warnings),
            sha256=row.sha256,
            media_url=f"/media/{row.sha256}.opus" if ready else None,
            bytes=row.bytes,
            length_ms=row.length_ms,
            loudness_lufs=row.loudness_lufs,
            true_peak_dbtp=row.true_peak_dbtp,
            silence_ms=row.silence_ms,
            source_bytes=row.source_bytes,
            uploaded_by=names.get(row.uploaded_by, ""),
            created_at=row.created_at,
            withdrawn_at=row.withdrawn_at,
        )


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


async def _reuse(session: AsyncSession, row: Recording) -> bool:
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


async def _check_queue(session: AsyncSession, actor: Actor) -> None:
    query = select(Recording.id).where(
        Recording.uploaded_by == actor.person_id, Recording.state == RecordingState.PROCESSING
    )
    if len((await session.scalars(query.limit(MAX_WAITING))).all()) >= MAX_WAITING:
        raise TooManyAttemptsError(
            f"{MAX_WAITING} of your recordings wait for processing; wait for one to end", retry_after_s=30
        )


async def _audited(tx: Transaction, actor: Actor, row: Recording) -> None:
    detail = {"title": row.title, "source_sha256": row.source_sha256, "source_bytes": row.source_bytes}
    subject = f"recordings/{row.id}"
    await audit.write(tx, actor, Act.RECORDINGS_UPLOAD, subject, detail, at=row.created_at, area_id=row.area_id)


async def _row(session: AsyncSession, recording_id: str, seen: Sight = EVERYTHING) -> Recording:
    row = await session.get(Recording, recording_id)
    if row is None or not seen.sees(row.area_id):
        raise NotFoundError("there is no such recording", resource="recordings", id=recording_id[:64])
    return row


async def _person_names(session: AsyncSession) -> dict[str, str]:
    return dict((await session.execute(select(Person.id, Person.name))).all())
