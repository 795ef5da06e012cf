"""Recordings: taken in, handed to processing, listed, withdrawn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.service import LANGUAGE
from controller.audit import service as audit
from controller.broadcasts.models import Broadcast, BroadcastItem
from controller.bulletins.repository import offers_recording
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.emergencies.pinning import title_of_open, title_of_user
from controller.errors import ConflictError, InvalidError, NotFoundError, TooManyAttemptsError
from controller.events import Event, Topic
from controller.ids import new_id
from controller.names import clean_file_name, clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import EVERYTHING, Act
from controller.programmes.changes import recording_changed
from controller.search import matches

from .models import Recording
from .processing import Processing, reuse, row_of
from .quota import Quota
from .schemas import RecordingOut, WaveformOut
from .states import RecordingOrigin, RecordingState
from .uploads import Stored, UploadRoom

MAX_WAITING = 20
"""Recordings of one person that may wait for processing."""


@dataclass(frozen=True)
class Incoming:
    """What is known of a recording before its sound is."""

    title: str
    file_name: str
    language: str
    area_id: str | None
    """Whose it is; None: the centre's own."""
    origin: str = RecordingOrigin.UPLOADED
    voice: str | None = None
    """Which voice spoke, if it was a machine's."""
    is_signal: bool = False
    words: str | None = None
    """What a machine was told to read; None: a person speaks, or a cut of it."""


Also = Callable[[Transaction, str], Awaitable[None]]
"""Something that is written with a new recording, or not at all; given its id."""


class Recordings:
    """All recordings."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        uploads: UploadRoom,
        processing: Processing,
        *,
        quota: Quota | None = None,
    ) -> None:
        self._database, self._clock = database, clock
        self._uploads, self._processing, self._quota = uploads, processing, quota

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
        origin: RecordingOrigin = RecordingOrigin.UPLOADED,
        voice: str | None = None,
        words: str | None = None,
    ) -> RecordingOut:
        """Take in a file. It is processed afterwards; a file that is known and ready is ready at once.

        ``area_id`` says whose it is; None: see ``rights.home``. ``is_signal``: it goes before every emergency.
        ``voice`` and ``words``: with a machine's, which one, and what it was told to read. Nobody else gives them.

        Raises:
            InvalidError: a field is wrong, the file is empty, or its length is not what was declared.
            ForbiddenError: no role of the person allows it there.
            TooLargeError, TooSlowError, NoSpaceError, TooManyAttemptsError: see ``UploadRoom.store``.
            UploadQuotaError: more than one person may upload within a day.
        """
        title, language = clean_name(title, field="title"), checked_language(language)
        async with self._database.reading() as session:
            area_id = await rights.home(session, actor, Act.RECORDINGS_UPLOAD, area_id)
            await _check_queue(session, actor)
            await self._check_quota(session, actor, declared_bytes or 0)
        recording_id = new_id()
        stored = await self._uploads.store(recording_id, actor.person_id or actor.origin, body, declared_bytes)
        incoming = Incoming(title, clean_file_name(file_name), language, area_id, origin, voice, is_signal, words)
        return await self._take_in(actor, recording_id, stored, incoming)

    async def adopt(self, actor: Actor, file: Path, incoming: Incoming, *, also: Also | None = None) -> RecordingOut:
        """Take in a file that is on the disk already; it stays where it is. ``also``: what is written with it.

        Raises:
            ForbiddenError: no role of the person allows it there.
            TooManyAttemptsError: too many of this person wait for processing.
            UploadQuotaError: more than one person may upload within a day.
        """
        async with self._database.reading() as session:
            await rights.require(session, actor, Act.RECORDINGS_UPLOAD, [incoming.area_id])
            await _check_queue(session, actor)
        recording_id = new_id()
        stored = await asyncio.to_thread(self._uploads.adopt, recording_id, file)
        return await self._take_in(actor, recording_id, stored, incoming, also)

    async def _take_in(
        self, actor: Actor, recording_id: str, stored: Stored, incoming: Incoming, also: Also | None = None
    ) -> RecordingOut:
        """Write the row of an original that is in its place, and have it processed."""
        row = Recording(
            id=recording_id,
            title=incoming.title,
            file_name=incoming.file_name,
            language=incoming.language,
            state=RecordingState.PROCESSING,
            source_sha256=stored.sha256,
            source_bytes=stored.bytes,
            warnings=[],
            is_signal=incoming.is_signal,
            area_id=incoming.area_id,
            uploaded_by=actor.person_id,
            created_at=self._clock(),
            origin=incoming.origin,
            voice=incoming.voice,
            words=incoming.words,
        )
        try:
            found = await self._add(actor, row, also)
        except BaseException:
            self._uploads.discard(recording_id)
            raise
        if found.state is RecordingState.READY:
            self._uploads.discard(recording_id)
        else:
            self._processing.wake()
        return found

    async def get(self, actor: Actor, recording_id: str) -> RecordingOut:
        """Give one recording.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            row, own = await self._readable(session, actor, recording_id)
            return self._out(row, await _person_names(session) if own else {})

    async def outs(self, session: AsyncSession, rows: Iterable[Recording]) -> Sequence[RecordingOut]:
        """Show rows that were read elsewhere; whoever read them saw to it that they are in sight."""
        names = await _person_names(session)
        return [self._out(row, names) for row in rows]

    async def list(
        self, actor: Actor, *, limit: int = 50, before: str | None = None, query: str = ""
    ) -> list[RecordingOut]:
        """Give the latest recordings in sight, newest first; ``before`` is the last id of the page before.

        ``query``: words of title and file name; without accents it finds those with them too.

        The signal before emergencies is none that could be chosen: used for anything else, it would wear off.

        Raises:
            NotFoundError: there is no recording ``before``.
        """
        async with self._database.reading() as session:
            seen = await rights.sight(session, actor)
            found = select(Recording).where(Recording.withdrawn_at.is_(None), Recording.is_signal.is_(False))
            found = found.where(seen.where(Recording.area_id), matches(Recording.search, query))
            if before is not None:
                last = await row_of(session, before, seen)
                found = found.where(tuple_(Recording.created_at, Recording.id) < (last.created_at, last.id))
            rows = await session.scalars(found.order_by(Recording.created_at.desc(), Recording.id.desc()).limit(limit))
            return [*await self.outs(session, rows)]

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
            row = await row_of(tx.session, recording_id, await rights.sight(tx.session, actor))
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
            await recording_changed(tx, recording_id, now)
            subject = f"recordings/{recording_id}"
            detail = {"title": row.title}
            await audit.write(tx, actor, Act.RECORDINGS_WITHDRAW, subject, detail, at=now, area_id=row.area_id)
            tx.tell(Event(Topic.RECORDING, recording_id))
            return self._out(row, await _person_names(tx.session))

    async def _add(self, actor: Actor, row: Recording, also: Also | None = None) -> RecordingOut:
        async with self._database.transaction() as tx:
            await self._check_quota(tx.session, actor, row.source_bytes)  # others of his may have come meanwhile
            tx.session.add(row)
            await tx.session.flush()
            await reuse(tx.session, row)
            if also is not None:
                await also(tx, row.id)
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
        row = await row_of(session, recording_id, EVERYTHING if offered else seen)
        return row, seen.sees(row.area_id)

    def _out(self, row: Recording, names: dict[str, str]) -> RecordingOut:
        ready, waits = row.state == RecordingState.READY, row.state == RecordingState.PROCESSING
        return RecordingOut(
            id=row.id,
            title=row.title,
            file_name=row.file_name,
            language=row.language,
            area_id=row.area_id,
            origin=RecordingOrigin(row.origin),
            voice=row.voice,
            words=row.words,
            derived_from=row.derived_from,
            cut_ms=tuple((start, until) for start, until in row.cut_ms) if row.cut_ms else None,
            state=RecordingState(row.state),
            progress=self._processing.progress(row.id) if waits else None,
            reason="tool_missing" if waits and self._processing.missing_package else row.reason,
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


async def _check_queue(session: AsyncSession, actor: Actor) -> None:
    query = select(Recording.id).where(
        Recording.uploaded_by == actor.person_id, Recording.state == RecordingState.PROCESSING
    )
    if len((await session.scalars(query.limit(MAX_WAITING))).all()) >= MAX_WAITING:
        raise TooManyAttemptsError(
            f"{MAX_WAITING} of your recordings wait for processing; wait for one to end", retry_after_s=30
        )


def checked_language(language: str) -> str:
    """Give a language's tag if it is one.

    Raises:
        InvalidError: it is none.
    """
    if not LANGUAGE.match(language) or len(language) > 35:
        raise InvalidError("language: a tag such as vi, hmn, tyz", field="language", problem="unknown")
    return language


async def _audited(tx: Transaction, actor: Actor, row: Recording) -> None:
    detail = {"title": row.title, "source_sha256": row.source_sha256, "source_bytes": row.source_bytes}
    subject = f"recordings/{row.id}"
    await audit.write(tx, actor, Act.RECORDINGS_UPLOAD, subject, detail, at=row.created_at, area_id=row.area_id)


async def _person_names(session: AsyncSession) -> dict[str, str]:
    return dict((await session.execute(select(Person.id, Person.name))).all())
