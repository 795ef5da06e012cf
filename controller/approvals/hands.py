"""Whose work it is that would be heard: of each part the person who put it there, whoever edited others since.

A part is a field or item as somebody wrote it. What stood when somebody last said yes is nobody's any more.
"""

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit.models import AuditEntry
from controller.people.rights import Act

from .changes import subjects_of
from .models import Approval, ApprovalRequest
from .shown import ITEMS, PROGRAMME, Shown

TITLE = "title"
"""It is not heard."""
Parts = frozenset[Hashable]


class Version(NamedTuple):
    """What somebody made of it."""

    at: datetime
    by: str | None
    """None: no person."""
    parts: Parts


def hands_in(versions: Iterable[Version], *, approved_at: datetime | None = None) -> frozenset[str]:
    """Name those of whom something stands in the last version; ``approved_at``: up to here it is agreed to. Pure."""
    hands: dict[Hashable, str | None] = {}
    for each in versions:
        hands = {part: hands.get(part, each.by) for part in each.parts}
        if approved_at is not None and each.at <= approved_at:
            hands = dict.fromkeys(hands)
    return frozenset(by for by in hands.values() if by is not None)


async def of_broadcast(session: AsyncSession, request: ApprovalRequest) -> frozenset[str]:
    """Name those of whom something stands in a single broadcast, by the requests for its versions."""
    subjects = await subjects_of(session, request)
    query = select(ApprovalRequest).where(ApprovalRequest.subject.in_(subjects))
    rows = await session.scalars(query.where(ApprovalRequest.asked_at <= request.asked_at))
    ordered = sorted(rows, key=lambda row: (row.asked_at, row.id == request.id, row.id))
    versions = [Version(row.asked_at, row.asked_by, _parts(row.shown)) for row in ordered]
    return hands_in(versions, approved_at=await _approved_at(session, subjects, request))


async def of_schedule(session: AsyncSession, request: ApprovalRequest) -> frozenset[str]:
    """Name those of whom something stands in a schedule, or in the programme of it that is asked for."""
    programme_id, subjects = request.shown[PROGRAMME], [request.subject]
    yes_at = await _approved_at(session, subjects, request)
    heard_at = await _approved_at(session, subjects, request, programme_id=programme_id)
    written = _written(await _entries(session, Act.SCHEDULES_WRITE, request.subject))
    composed = _composed(await _entries(session, Act.PROGRAMMES_WRITE, f"programmes/{programme_id}"))
    return hands_in(written, approved_at=yes_at) | hands_in(composed, approved_at=heard_at)


async def _entries(session: AsyncSession, act: Act, subject: str) -> Sequence[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.subject == subject, AuditEntry.action == act)
    return (await session.scalars(query.order_by(AuditEntry.seq))).all()


def _written(entries: Iterable[AuditEntry]) -> Iterator[Version]:
    """Give the versions of a schedule: its first entry says all of it, later ones what they changed."""
    said: dict[str, Any] = {}
    for entry in entries:
        changed = entry.detail.get("changed")
        if changed is None and said:  # a single date, or its end
            continue
        said |= entry.detail if changed is None else {name: each["after"] for name, each in changed.items()}
        yield Version(entry.at, entry.person_id, _parts(said))


def _composed(entries: Iterable[AuditEntry]) -> Iterator[Version]:
    """Give the versions of a programme: its items, and all of them together as they are heard."""
    for entry in entries:
        whole = ("content_sha256", entry.detail.get("content_sha256"))
        items = ((ITEMS, _plain(each)) for each in entry.detail.get(ITEMS, ()))
        yield Version(entry.at, entry.person_id, frozenset([whole, *items]))


async def _approved_at(
    session: AsyncSession, subjects: Sequence[str], request: ApprovalRequest, *, programme_id: str | None = None
) -> datetime | None:
    """Say when somebody last said yes to it before it was asked; with a programme, to that."""
    query = select(Approval.given_at, Approval.shown).where(Approval.subject.in_(subjects))
    before = Approval.given_at <= request.asked_at, Approval.request_id.is_distinct_from(request.id)
    rows = await session.execute(query.where(*before))
    known = [at for at, was in rows if programme_id is None or (was or {}).get(PROGRAMME) == programme_id]
    return max(known, default=None)


def _parts(shown: Shown) -> Parts:
    fields = ((name, _plain(value)) for name, value in shown.items() if name not in {TITLE, ITEMS})
    return frozenset([*fields, *((ITEMS, _plain(each)) for each in shown.get(ITEMS, ()))])


def _plain(value: Any) -> str:
    """Give a value that can be compared, whatever JSON has for it."""
    return json.dumps(value, sort_keys=True)
