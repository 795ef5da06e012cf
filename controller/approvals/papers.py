"""The paper on which a request rests: its number, and a scan kept by its hash. Scans are served, never opened here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.files import settle
from controller.ids import new_id
from controller.names import clean_name
from controller.people.actor import Actor
from controller.recordings.uploads import UploadLimits, UploadRoom

from .models import ApprovalRequest
from .repository import found, require_still
from .schemas import ApprovalRow
from .states import RequestState
from .views import rows_out

MOST_BYTES = 10 * 1024 * 1024
MAX_NUMBER = 80
ACT = "approvals.paper"
KINDS = {b"%PDF-": "application/pdf", b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
"""First bytes → media type: what a file is called says nothing."""
SUFFIX = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


class Scan(NamedTuple):
    """A scan on the disk."""

    path: Path
    type: str
    file_name: str
    """Under which a browser keeps it."""


class Papers:
    """Numbers and scans of requests."""

    def __init__(self, database: Database, clock: Clock, folder: Path, *, disk_reserve_bytes: int) -> None:
        self._database, self._clock, self._folder = database, clock, folder
        self._room = UploadRoom(folder, UploadLimits(MOST_BYTES, disk_reserve_bytes))

    async def put_number(self, actor: Actor, request_id: str, number: str) -> ApprovalRow:
        """Say on which paper it rests; an empty number takes it away.

        Raises:
            NotFoundError: there is no such request for this person.
            ForbiddenError: the person asked, and may not ask for such there any more.
            ConflictError: it is decided or withdrawn already.
            InvalidError: the number is too long, or has characters that hide something.
        """
        cleaned = clean_name(number, field="document_number", most=MAX_NUMBER) if number.strip() else None
        async with self._database.transaction() as tx:
            row = await self._to_change(tx.session, actor, request_id)
            row.document_number = cleaned
            return await self._noted(tx, actor, row, {"document_number": cleaned})

    async def put_scan(
        self, actor: Actor, request_id: str, body: AsyncIterator[bytes], declared_bytes: int | None
    ) -> ApprovalRow:
        """Keep a scan of the paper, in the place of another one.

        Raises:
            NotFoundError: there is no such request for this person.
            ForbiddenError: the person asked, and may not ask for such there any more.
            ConflictError: it is decided or withdrawn already.
            InvalidError: no PDF, JPEG or PNG, or its length is not what was declared.
            TooLargeError, TooSlowError, NoSpaceError, TooManyAttemptsError: see ``UploadRoom.store``.
        """
        async with self._database.reading() as session:
            await self._to_change(session, actor, request_id)
        name = new_id()
        stored = await self._room.store(name, actor.person_id or actor.origin, body, declared_bytes)
        try:
            kind = await asyncio.to_thread(_kind_of, self._room.path(name))
            if kind is None:
                raise InvalidError("the scan: a PDF, JPEG or PNG", field="body", problem="kind")
            await asyncio.to_thread(settle, self._room.path(name), self._folder / stored.sha256)
            async with self._database.transaction() as tx:
                row = await self._to_change(tx.session, actor, request_id)
                row.scan_sha256, row.scan_type = stored.sha256, kind
                return await self._noted(tx, actor, row, {"scan_sha256": stored.sha256, "bytes": stored.bytes})
        finally:
            self._room.discard(name)

    async def scan(self, actor: Actor, request_id: str) -> Scan:
        """Give the scan to those who see the request.

        Raises:
            NotFoundError: there is no such request for this person, or it has no scan.
        """
        async with self._database.reading() as session:
            row = await found(session, actor, request_id)
        path = self._folder / (row.scan_sha256 or "none")
        if row.scan_type is None or not await asyncio.to_thread(path.is_file):
            raise NotFoundError("this request has no scan", resource="approvals", id=request_id[:64])
        return Scan(path, row.scan_type, f"{row.id}.{SUFFIX[row.scan_type]}")

    async def _to_change(self, session: AsyncSession, actor: Actor, request_id: str) -> ApprovalRequest:
        row = await found(session, actor, request_id, to_change=True)
        if row.asked_by == actor.person_id:
            await require_still(session, actor, row)  # of others only who may approve there finds it
        if row.state != RequestState.OPEN:
            raise ConflictError("this request is decided or withdrawn already", problem="state", state=row.state)
        return row

    async def _noted(
        self, tx: Transaction, actor: Actor, row: ApprovalRequest, detail: dict[str, object]
    ) -> ApprovalRow:
        await tx.session.flush()
        subject = f"approvals/{row.id}"
        await audit.write(tx, actor, ACT, subject, detail, at=self._clock(), area_id=row.area_id)
        tx.tell(Event(Topic.APPROVAL, row.id))
        return (await rows_out(tx.session, [row], self._clock()))[0]


def _kind_of(path: Path) -> str | None:
    with path.open("rb") as file:
        first = file.read(16)
    return next((kind for magic, kind in KINDS.items() if first.startswith(magic)), None)
