"""The audit: written in the transaction of the act, each entry chained to the one before by its hash."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from controller.clock import Clock
from controller.db import Database, Transaction
from controller.events import Event, Topic
from controller.paging import Found, Wanted, paged
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Grant, Person
from controller.people.rights import Act
from controller.search import matches
from controller.spans import span_of

from .heads import Head, HeadError, note, noted
from .models import AuditEntry
from .schemas import AuditOut

FIRST = "0" * 64
"""Previous hash of the first entry."""

_LOCK = 0x6C6F61
"""PostgreSQL advisory lock: one writer of the chain at a time. SQLite has one writer anyway."""

_STEP = 500

TAKEN = "exports.take"
"""Action: a list was taken along as a table."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """What a walk along the chain found."""

    entries: int
    """Entries that hold, from the first on."""
    broken_at: int | None
    """Sequence number of the first entry that does not fit, or that is missing; None when all hold."""
    head: Head | None = None
    """The last entry that holds; None: there is none."""


async def write(
    tx: Transaction,
    actor: Actor,
    action: str,
    subject: str,
    detail: dict[str, Any],
    *,
    at: datetime,
    area_id: str | None = None,
) -> None:
    """Add an entry; it stands if and only if the act does. ``area_id``: where, for those who may read it there."""
    if tx.session.get_bind().dialect.name == "postgresql":
        await tx.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = await tx.session.scalar(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1))
    entry = AuditEntry(
        seq=last.seq + 1 if last else 1,
        at=at,
        person_id=actor.person_id,
        action=str(action),
        subject=subject,
        area_id=area_id,
        detail=detail,
        origin=actor.origin[:64],
        previous_hash=last.hash if last else FIRST,
        hash="",
    )
    entry.hash = entry_hash(entry)
    tx.session.add(entry)
    await tx.session.flush()
    tx.tell(Event(Topic.AUDIT, str(entry.seq)))


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256 over everything an entry says, as JSON with sorted keys, and the hash of the one before."""
    said = [
        entry.seq,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.person_id,
        entry.action,
        entry.subject,
        entry.detail,
        entry.origin,
        entry.previous_hash,
        *([entry.area_id] if entry.area_id else []),  # entries of before had none
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Audit:
    """Reads the audit. There is nothing here that changes it."""

    def __init__(self, database: Database, clock: Clock, *, head_file: Path) -> None:
        self._database, self._clock, self._head_file = database, clock, head_file

    async def list(
        self, actor: Actor, *, limit: int = 100, before: int | None = None, wanted: Wanted | None = None
    ) -> list[AuditOut]:
        """Give the latest entries in sight, newest first; ``before`` is the last ``seq`` of the page before.

        ``wanted``: narrowed by its words and filters, as ``find``.

        Raises:
            ForbiddenError: the person may not read the audit.
            InvalidError: a filter says what it cannot mean.
        """
        query = _narrowed(wanted or Wanted())
        if before is not None:
            query = query.where(AuditEntry.seq < before)
        async with self._database.reading() as session:
            query = await _readable(session, actor, query)
            rows = (await session.execute(query.order_by(AuditEntry.seq.desc()).limit(limit))).all()
        return [_out(entry, name) for entry, name in rows]

    async def find(self, actor: Actor, wanted: Wanted) -> Found[AuditOut]:
        """Give one part of the entries in sight, in their order (``at``).

        Filters: ``person`` (an id), ``kind`` (what comes before the dot of the action), ``action``, ``subject``,
        ``from`` and ``until`` (instants, ISO 8601). Words are those of the person, or of the subject.

        Raises:
            ForbiddenError: the person may not read the audit.
            InvalidError: a filter says what it cannot mean.
        """
        async with self._database.reading() as session:
            query = await _readable(session, actor, _narrowed(wanted))
            rows, total = await paged(session, query, wanted, {"at": AuditEntry.seq}, last=AuditEntry.seq)
        return Found(tuple(_out(entry, name) for entry, name in rows), total)

    async def people(self, actor: Actor) -> Sequence[tuple[str, str]]:
        """Give id and name of those whose acts may stand in the entries in sight: who works there, and everywhere.

        Raises:
            ForbiddenError: the person may not read the audit.
        """
        async with self._database.reading() as session:
            await rights.require(session, actor, Act.AUDIT_READ)
            seen = await rights.sight(session, actor)
            query = select(Person.id, Person.name).join(Grant, Grant.person_id == Person.id).distinct()
            query = query.where(or_(Grant.area_id.is_(None), seen.where(Grant.area_id)))
            return [(key, name) for key, name in await session.execute(query.order_by(Person.name, Person.id))]

    async def taken(self, actor: Actor, what: str, total: int) -> None:
        """Write down that somebody takes a list along; ``what``: its name among our resources.

        Raises:
            ForbiddenError: the audit itself, by who may not read it.
        """
        async with self._database.transaction() as tx:
            if what == "audit":
                await rights.require(tx.session, actor, Act.AUDIT_READ)
            places = {grant.area_id for grant in await tx.session.scalars(_grants(actor))}
            where = next(iter(places)) if len(places) == 1 else None
            await write(tx, actor, TAKEN, f"exports/{what}", {"rows": total}, at=self._clock(), area_id=where)

    async def verify(self, known: Head | None = None) -> Verdict:
        """Walk along the whole chain, which has to reach the head that was noted last, and the one that is ``known``.

        Raises:
            HeadError: what was noted cannot be read.
        """
        wanted = {each for each in (known, await asyncio.to_thread(noted, self._head_file)) if each is not None}
        async with self._database.reading() as session:
            found = await _walk(session)
            if found.broken_at is not None:
                return found
            missing = [each.seq for each in wanted if not await _reaches(session, each)]
        return Verdict(found.entries, min(missing), found.head) if missing else found

    async def note_head(self) -> None:
        """Note how far the audit reaches; where it does not reach what was noted before, that stays and is told."""
        try:
            before = await asyncio.to_thread(noted, self._head_file)
        except HeadError as error:
            _log.error("%s; see loa audit verify", error.message)
            return
        async with self._database.reading() as session:
            last = await session.scalar(select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(1))
            if before is not None and not await _reaches(session, before):
                _log.error("entries of the audit are missing or changed: it reached %s; see loa audit verify", before)
                return
        if last is not None and (before is None or last.seq > before.seq):
            await asyncio.to_thread(note, self._head_file, Head(last.seq, last.hash))


def _grants(actor: Actor) -> Select[Grant]:
    return select(Grant).where(Grant.person_id == actor.person_id)


async def _readable(session: AsyncSession, actor: Actor, query: Select[AuditEntry, str]) -> Select[AuditEntry, str]:
    await rights.require(session, actor, Act.AUDIT_READ)
    seen = await rights.sight(session, actor)
    return query.where(seen.where(AuditEntry.area_id))


def _narrowed(wanted: Wanted) -> Select[AuditEntry, str]:
    query = select(AuditEntry, Person.name).outerjoin(Person, Person.id == AuditEntry.person_id)
    columns = {"person": AuditEntry.person_id, "action": AuditEntry.action, "subject": AuditEntry.subject}
    for name, column in columns.items():
        if value := wanted.having.get(name):
            query = query.where(column == value)
    if kind := wanted.having.get("kind"):
        query = query.where(AuditEntry.action.startswith(f"{kind}.", autoescape=True))
    if wanted.q:
        query = query.where(or_(matches(Person.search, wanted.q), matches(AuditEntry.subject, wanted.q)))
    return query.where(*span_of(wanted, AuditEntry.at))


async def _reaches(session: AsyncSession, head: Head) -> bool:
    """Say whether the entry that was seen is there as it was."""
    found = await session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == head.seq))
    return found == head.hash


async def _walk(session: AsyncSession) -> Verdict:
    seq, previous = 0, FIRST
    while True:
        query = select(AuditEntry).where(AuditEntry.seq > seq).order_by(AuditEntry.seq).limit(_STEP)
        entries = (await session.scalars(query)).all()
        for entry in entries:
            fits = entry.seq == seq + 1 and entry.previous_hash == previous and entry.hash == entry_hash(entry)
            if not fits:
                return Verdict(seq, entry.seq, _head(seq, previous))
            seq, previous = entry.seq, entry.hash
        if len(entries) < _STEP:
            return Verdict(seq, None, _head(seq, previous))
        session.expunge_all()


def _head(seq: int, digest: str) -> Head | None:
    return Head(seq, digest) if seq else None


def _out(entry: AuditEntry, person_name: str | None) -> AuditOut:
    return AuditOut(
        seq=entry.seq,
        at=entry.at,
        person_id=entry.person_id,
        person_name=person_name,
        action=entry.action,
        subject=entry.subject,
        detail=entry.detail,
        origin=entry.origin,
        hash=entry.hash,
    )
