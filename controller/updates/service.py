"""Releases at the centre: taken in when an update key that is believed has signed them, and given to nodes alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database
from controller.errors import InvalidError, NotFoundError
from controller.files import settle
from controller.ids import new_id
from controller.nodes.shown import Shown, node_of
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Person
from controller.people.rights import Act
from controller.recordings.uploads import UploadLimits, UploadRoom
from edge_agent.protocol.bundles import Packed, check_contents, look
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.errors import MalformedError, ProtocolError
from edge_agent.protocol.fields import utc
from edge_agent.protocol.signing import TrustStore, open_release, signer_of
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.updates import MAX_BUNDLE_BYTES, check_bundle
from edge_agent.protocol.updates import Release as Signed

from .errors import BundleError, OldReleaseError, UpdateKeyError
from .models import Release
from .schemas import ReleaseOut

MAX_RELEASE_BYTES = MAX_BUNDLE_BYTES
"""Of a bundle, packed."""
ORPHANED_AFTER_S = 86_400.0
"""A file that no row names is left over from an end in between; one that is just coming is younger."""


class Releases:
    """What may be rolled out."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        folder: Path,
        *,
        disk_reserve_bytes: int,
        trusted: Callable[[], Sequence[TrustedKey]],
    ) -> None:
        """``trusted``: the keys that nodes are told to believe now, of every use."""
        self._database, self._clock, self._folder, self._trusted = database, clock, folder, trusted
        self._room = UploadRoom(folder, UploadLimits(MAX_RELEASE_BYTES, disk_reserve_bytes))

    async def add(
        self, actor: Actor, token: str, body: AsyncIterator[bytes], declared_bytes: int | None = None
    ) -> ReleaseOut:
        """Take in a bundle with what the update key says of it.

        Raises:
            ForbiddenError: only who may do it everywhere.
            UpdateKeyError: no update key that is believed has signed it.
            OldReleaseError: there is one with this number, or a later one.
            BundleError: it is another file than the one that was signed, or not what its release says of it.
            InvalidError: its time is over.
            TooLargeError, TooSlowError, NoSpaceError, TooManyAttemptsError: see ``UploadRoom.store``.
        """
        async with self._database.reading() as session:
            await rights.require(session, actor, Act.UPDATES_ADD, [None])
            signed = self._opened(token)
            await _check_newer(session, signed)
        name = new_id()
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        stored = await self._room.store(name, actor.person_id or actor.origin, body, declared_bytes)
        try:
            check_bundle(signed, size=stored.bytes, sha256=stored.sha256)
            await asyncio.to_thread(_look_into, self._room.path(name), signed)
            await asyncio.to_thread(settle, self._room.path(name), self.path(signed.sha256))
        except MalformedError as error:
            raise BundleError(f"not the file that was signed: {error}", field="body", problem="hash") from None
        except ProtocolError as error:
            said = f"no node would take release {signed.release}: {error}"
            raise BundleError(said, field="body", problem=error.code) from None
        finally:
            self._room.discard(name)
        return await self._keep(actor, token, signed)

    async def list(self, actor: Actor) -> list[ReleaseOut]:
        """Give all releases, the newest first. They are no secret: every node has them."""
        async with self._database.reading() as session:
            await rights.sight(session, actor)
            query = _query().order_by(Release.release.desc(), Release.board, Release.python).limit(500)
            return [_out(row, name) for row, name in (await session.execute(query)).all()]

    async def get(self, actor: Actor, release_id: str) -> ReleaseOut:
        """Give one.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.reading() as session:
            await rights.sight(session, actor)
            found = (await session.execute(_query().where(Release.id == release_id))).one_or_none()
        if found is None:
            raise NotFoundError("there is no such release", resource="updates", id=release_id[:64])
        return _out(*found)

    async def bundle(self, asks: Shown | None, sha256: str) -> Path:
        """Give the file of a bundle to a node that is one of ours now.

        Raises:
            NotFoundError: there is none; strangers are told the same.
        """
        found = None
        async with self._database.reading() as session:
            if await node_of(session, asks) is not None:
                found = await session.scalar(select(Release.id).where(Release.sha256 == sha256).limit(1))
        path = self.path(sha256)
        if found is None or not await asyncio.to_thread(path.is_file):
            raise NotFoundError("there is no such bundle", resource="updates")
        return path

    def path(self, sha256: str) -> Path:
        """Where the bundle with this hash lies."""
        return self._folder / f"{sha256}.bundle"

    async def tidy(self) -> None:
        """Remove files that no row names, except those that may be coming just now."""
        async with self._database.reading() as session:
            known = {f"{sha256}.bundle" for sha256 in await session.scalars(select(Release.sha256))}
        await asyncio.to_thread(_remove_others, self._folder, known)

    def _opened(self, token: str) -> Signed:
        keys = [key for key in self._trusted() if key.use is KeyUse.UPDATE]
        try:
            signed = open_release(token.encode(), trust=TrustStore(keys))
        except ProtocolError as error:
            problem = {"field": "release", "problem": error.code}
            raise UpdateKeyError(f"release: no update key of this centre has signed it ({error})", **problem) from None
        if self._clock() >= utc(signed.exp):
            said = f"release: it was to be taken until {utc(signed.exp):%F}; sign it again"
            raise InvalidError(said, field="release", problem="expired")
        return signed

    async def _keep(self, actor: Actor, token: str, signed: Signed) -> ReleaseOut:
        now = self._clock()
        row = Release(
            id=new_id(),
            release=signed.release,
            version=signed.version,
            board=signed.board,
            python=signed.python,
            bytes=signed.size,
            sha256=signed.sha256,
            token=token,
            key_id=signer_of(token.encode()),
            signed_at=utc(signed.iat),
            expires_at=utc(signed.exp),
            added_at=now,
            added_by=actor.person_id,
        )
        try:
            async with self._database.transaction() as tx:
                await rights.require(tx.session, actor, Act.UPDATES_ADD, [None])
                await _check_newer(tx.session, signed)
                tx.session.add(row)
                await tx.session.flush()
                said = {"release": row.release, "version": row.version, "board": row.board, "sha256": row.sha256}
                await audit.write(tx, actor, Act.UPDATES_ADD, f"updates/{row.id}", said, at=now)
                by = await tx.session.get(Person, actor.person_id) if actor.person_id else None
        except IntegrityError:
            raise _there(signed) from None
        return _out(row, by.name if by else None)


def _look_into(path: Path, signed: Signed) -> None:
    """Read a bundle as a node will: what every one of them would refuse is not sent to any."""
    with path.open("rb") as file:
        check_contents(signed, look(Packed(file, signed.size)))


def _query() -> Select[Release, str]:
    return select(Release, Person.name).outerjoin(Person, Person.id == Release.added_by)


async def _check_newer(session: AsyncSession, signed: Signed) -> None:
    highest = await session.scalar(select(func.max(Release.release)))
    if highest is not None and signed.release < highest:
        raise OldReleaseError(f"release {signed.release}: release {highest} is here already", highest=highest)
    same = select(Release.id).where(
        Release.release == signed.release, Release.board == signed.board, Release.python == signed.python
    )
    if await session.scalar(same) is not None:
        raise _there(signed)


def _there(signed: Signed) -> OldReleaseError:
    said = f"release {signed.release} for {signed.board} and Python {signed.python} is here already"
    return OldReleaseError(said, highest=signed.release)


def _remove_others(folder: Path, known: set[str]) -> None:
    before = time.time() - ORPHANED_AFTER_S
    for each in folder.iterdir() if folder.is_dir() else ():
        if each.name not in known and each.is_file() and each.stat().st_mtime < before:
            each.unlink(missing_ok=True)


def _out(row: Release, added_by_name: str | None) -> ReleaseOut:
    return ReleaseOut(
        id=row.id,
        release=row.release,
        version=row.version,
        board=row.board,
        python=row.python,
        bytes=row.bytes,
        sha256=row.sha256,
        key_id=row.key_id,
        signed_at=row.signed_at,
        expires_at=row.expires_at,
        added_at=row.added_at,
        added_by_name=added_by_name,
    )
