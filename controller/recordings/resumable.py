"""Uploads in pieces (tus 1.0): a file goes on where a bad link broke off, also while it is still being recorded.

What was answered for is on the disk. A file may grow without an end in sight; the last piece says how long it is.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from weakref import WeakValueDictionary

from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotFoundError, TooLargeError, TooManyAttemptsError
from controller.ids import new_id
from controller.names import clean_file_name, clean_name
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act

from .models import Upload
from .quota import Quota
from .schemas import UploadIn, UploadOut
from .service import Incoming, Recordings, checked_language
from .uploads import UploadRoom

KEPT = timedelta(days=2)
"""As long as a person's browser keeps what it could not send."""
MOST_OPEN = 10
"""Uploads of one person that are under way or given up without a word."""
FOLDER = "pieces"


class OffsetError(ConflictError):
    """The piece does not begin where the file ends. ``received`` says where that is."""

    code = "upload_offset"


class Resumables:
    """All files on their way."""

    def __init__(
        self, database: Database, clock: Clock, recordings: Recordings, room: UploadRoom, quota: Quota
    ) -> None:
        self._database, self._clock, self._recordings = database, clock, recordings
        self._room, self._quota, self._folder = room, quota, room.folder / FOLDER
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By upload; whoever waits for one keeps it."""

    async def begin(self, actor: Actor, wanted: UploadIn) -> UploadOut:
        """Announce a file; nothing of it is there yet.

        Raises:
            InvalidError: a field is wrong.
            ForbiddenError: no role of the person allows it there.
            TooLargeError: more bytes than allowed.
            NoSpaceError: the disk would fall below its reserve.
            TooManyAttemptsError: too many of this person are open.
            UploadQuotaError: more than one person may upload within a day.
        """
        title, language = clean_name(wanted.title, field="title"), checked_language(wanted.language)
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        self._room.check(wanted.bytes or 0)
        now = self._clock()
        async with self._database.transaction() as tx:
            area_id = await rights.home(tx.session, actor, Act.RECORDINGS_UPLOAD, wanted.area_id)
            gone = await _expired(tx, now)
            waiting = await _open_bytes(tx.session, actor)
            await self._quota.check(tx.session, actor.person_id, waiting + (wanted.bytes or 0), now)
            row = Upload(
                id=new_id(),
                person_id=actor.person_id,
                area_id=area_id,
                title=title,
                file_name=clean_file_name(wanted.file_name),
                language=language,
                origin=wanted.origin,
                bytes=wanted.bytes,
                received=0,
                created_at=now,
                expires_at=now + KEPT,
            )
            tx.session.add(row)
        await asyncio.to_thread(self._remove, gone)
        return UploadOut.model_validate(row)

    async def get(self, actor: Actor, upload_id: str) -> UploadOut:
        """Say how much of a file is there.

        Raises:
            NotFoundError: this person has no such upload, or it was given up.
        """
        async with self._database.reading() as session:
            return UploadOut.model_validate(await self._own(session, actor, upload_id))

    async def append(
        self, actor: Actor, upload_id: str, offset: int, body: AsyncIterator[bytes], *, total: int | None = None
    ) -> UploadOut:
        """Add a piece; the last one makes it a recording. What came of a piece that broke off stays.

        ``total``: the length of the whole file, where it was not known before. A piece without a byte is the last one
        of a file that is all there.

        Raises:
            NotFoundError: this person has no such upload, or it was given up.
            OffsetError: the file is longer or shorter than that.
            InvalidError: more than was announced, another length than before, an empty file, or it broke off.
            TooLargeError, NoSpaceError, TooManyAttemptsError, UploadQuotaError, ForbiddenError: as ``begin``.
        """
        async with self._database.reading() as session:
            await self._own(session, actor, upload_id)
        piece, broke_off = await _read(body, self._room.limits.most_bytes)
        async with self._alone(upload_id):
            async with self._database.reading() as session:
                row = await self._own(session, actor, upload_id)
            if row.recording_id is None:
                length = _checked(row, offset, len(piece), total)
                self._room.check(offset + len(piece), more=len(piece))
                await asyncio.to_thread(_write, self._path(upload_id), offset, piece)
                await self._note(upload_id, offset, offset + len(piece), length)
                if broke_off is None and offset + len(piece) == length:
                    await self._finish(actor, row, length)
        if broke_off is not None:
            raise broke_off
        return await self.get(actor, upload_id)

    async def give_up(self, actor: Actor, upload_id: str) -> None:
        """Remove what is there of a file; what became a recording stays one.

        Raises:
            NotFoundError: this person has no such upload, or it was given up.
        """
        async with self._alone(upload_id):
            async with self._database.transaction() as tx:
                await tx.session.delete(await self._own(tx.session, actor, upload_id))
            await asyncio.to_thread(self._remove, [upload_id])

    async def _finish(self, actor: Actor, row: Upload, length: int) -> None:
        if length == 0:
            raise InvalidError("the file is empty", field="body", problem="empty")
        path = self._path(row.id)

        async def note(tx: Transaction, recording_id: str) -> None:
            query = update(Upload).where(Upload.id == row.id, Upload.recording_id.is_(None))
            done = await tx.session.execute(query.values(recording_id=recording_id))
            if isinstance(done, CursorResult) and not done.rowcount:
                raise ConflictError("another request finished this upload", problem="finished")

        incoming = Incoming(row.title, row.file_name, row.language, row.area_id, origin=row.origin)
        await self._recordings.adopt(actor, path, incoming, also=note)
        await asyncio.to_thread(self._remove, [row.id])

    async def _note(self, upload_id: str, offset: int, received: int, length: int | None) -> None:
        """Write down what is on the disk; only one of two that came for the same place is believed."""
        query = update(Upload).where(Upload.id == upload_id, Upload.received == offset)
        async with self._database.transaction() as tx:
            done = await tx.session.execute(query.values(received=received, bytes=length))
            if isinstance(done, CursorResult) and not done.rowcount:
                raise OffsetError("another piece came first; ask how much is there")

    async def _own(self, session: AsyncSession, actor: Actor, upload_id: str) -> Upload:
        row = await session.get(Upload, upload_id)
        if row is None or row.person_id != actor.person_id or row.expires_at <= self._clock():
            raise NotFoundError("there is no such upload", resource="uploads", id=upload_id[:64])
        await rights.require(session, actor, Act.RECORDINGS_UPLOAD, [row.area_id])
        return row

    @asynccontextmanager
    async def _alone(self, upload_id: str) -> AsyncIterator[None]:
        """Let one piece of a file be written at a time."""
        lock = self._writing.setdefault(upload_id, asyncio.Lock())
        async with lock:
            yield

    def _path(self, upload_id: str) -> Path:
        return self._folder / upload_id

    def _remove(self, upload_ids: list[str]) -> None:
        for upload_id in upload_ids:
            self._path(upload_id).unlink(missing_ok=True)


def _checked(row: Upload, offset: int, more: int, total: int | None) -> int | None:
    """Give the length of the whole file, if it is known by now."""
    if offset != row.received:
        raise OffsetError(f"{row.received} bytes are there, not {offset}", received=row.received)
    if total is not None and row.bytes is not None and total != row.bytes:
        raise InvalidError(f"the file was announced with {row.bytes} bytes", field="length", problem="length")
    length = row.bytes if total is None else total
    if length is not None and offset + more > length:
        raise InvalidError("more bytes came than were announced", field="body", problem="length")
    return length


async def _read(body: AsyncIterator[bytes], most: int) -> tuple[bytes, InvalidError | None]:
    """Take a piece, and what came of it if it broke off. That it is small is seen to before (``http.middleware``)."""
    piece = bytearray()
    try:
        async for chunk in body:
            piece += chunk
            if len(piece) > most:
                raise TooLargeError(f"the file is larger than {most} bytes", limit=most)
    except InvalidError as error:
        return bytes(piece), error
    return bytes(piece), None


def _write(path: Path, offset: int, piece: bytes) -> None:
    """Put a piece in its place; what a crash left behind it was never answered for."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        if file.seek(0, os.SEEK_END) < offset:
            raise NotFoundError("what was there of this file is gone: begin anew", resource="uploads", id=path.name)
        file.truncate(offset)
        file.seek(offset)
        file.write(piece)
        file.flush()
        os.fsync(file.fileno())


async def _expired(tx: Transaction, now: datetime) -> list[str]:
    """Take out the rows of what nobody went on with."""
    rows = (await tx.session.scalars(select(Upload).where(Upload.expires_at <= now))).all()
    for row in rows:
        await tx.session.delete(row)
    return [row.id for row in rows]


async def _open_bytes(session: AsyncSession, actor: Actor) -> int:
    """Count what of this person's is on its way, and refuse more than a few."""
    query = select(func.count(), func.coalesce(func.sum(func.coalesce(Upload.bytes, Upload.received)), 0))
    mine = (Upload.person_id == actor.person_id, Upload.recording_id.is_(None))
    number, size = (await session.execute(query.where(*mine))).one()
    if number >= MOST_OPEN:
        raise TooManyAttemptsError(f"{MOST_OPEN} of your uploads are open; finish or give up one", retry_after_s=60)
    return int(size)
