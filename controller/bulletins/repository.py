"""Bulletins in SQL, for their service and for the programmes that hold them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.audit.models import AuditEntry
from controller.db import in_pieces
from controller.people.rights import Act, Sight
from controller.programmes.models import Programme, ProgrammeItem

from .models import Bulletin, BulletinVersion, BulletinVoice
from .rules import Step
from .states import BulletinState


@dataclass(frozen=True)
class Worded:
    """A bulletin with the words and voices of its current version."""

    bulletin: Bulletin
    words: BulletinVersion
    voices: tuple[BulletinVoice, ...]


async def worded(session: AsyncSession, ids: Collection[str]) -> dict[str, Worded]:
    """Give bulletins by id, each with its current version."""
    found: dict[str, Worded] = {}
    for some in in_pieces(list(dict.fromkeys(ids))):
        query = select(Bulletin, BulletinVersion).join(BulletinVersion, current_version()).where(Bulletin.id.in_(some))
        rows = (await session.execute(query)).all()
        voices = await _voices(session, some)
        found |= {row.id: Worded(row, words, tuple(voices[row.id, row.version])) for row, words in rows}
    return found


def current_version() -> ColumnElement[bool]:
    """Give the condition that joins a bulletin to the words it has now."""
    return and_(BulletinVersion.bulletin_id == Bulletin.id, BulletinVersion.version == Bulletin.version)


async def _voices(session: AsyncSession, ids: Sequence[str]) -> dict[tuple[str, int], list[BulletinVoice]]:
    query = select(BulletinVoice).where(BulletinVoice.bulletin_id.in_(ids)).order_by(BulletinVoice.position)
    found: dict[tuple[str, int], list[BulletinVoice]] = defaultdict(list)
    for voice in await session.scalars(query):
        found[voice.bulletin_id, voice.version].append(voice)
    return found


async def versions(session: AsyncSession, bulletin_id: str) -> list[tuple[BulletinVersion, tuple[BulletinVoice, ...]]]:
    """Give all versions of one bulletin, the first one first."""
    query = select(BulletinVersion).where(BulletinVersion.bulletin_id == bulletin_id).order_by(BulletinVersion.version)
    rows = list(await session.scalars(query))
    voices = await _voices(session, [bulletin_id])
    return [(row, tuple(voices[bulletin_id, row.version])) for row in rows]


async def decisions(session: AsyncSession, bulletin_id: str) -> Sequence[AuditEntry]:
    """Give each yes and no to a bulletin, the first one first, as it was written down: its row keeps the last."""
    query = select(AuditEntry).where(AuditEntry.subject == f"bulletins/{bulletin_id}")
    found = await session.scalars(query.where(AuditEntry.action == Act.APPROVALS_GIVE).order_by(AuditEntry.seq))
    return [each for each in found if each.detail.get("step") in {Step.APPROVE, Step.RETURN}]


def is_offered(bulletin: Bulletin, at: datetime | None) -> bool:
    """Say whether the areas below may have it. ``at`` None: whenever it is not over for good."""
    if bulletin.state != BulletinState.APPROVED or bulletin.offered_at is None:
        return False
    return at is None or bulletin.offered_until is None or at < bulletin.offered_until


def offered(now: datetime) -> ColumnElement[bool]:
    """Give the condition under which a bulletin is on offer now."""
    return and_(
        Bulletin.state == BulletinState.APPROVED,
        Bulletin.offered_at.is_not(None),
        or_(Bulletin.offered_until.is_(None), Bulletin.offered_until > now),
    )


def in_sight(seen: Sight, now: datetime) -> ColumnElement[bool]:
    """Give the condition under which somebody may read a bulletin: their own, or offered from above."""
    own = seen.where(Bulletin.area_id)
    return or_(own, and_(Bulletin.area_id.in_(seen.above), offered(now))) if seen.above else own


async def offers_recording(session: AsyncSession, seen: Sight, recording_id: str, now: datetime) -> bool:
    """Say whether a recording may be heard because an area above offers a bulletin, or has a template, with it."""
    return recording_id in await offered_recordings(session, seen, [recording_id], now)


async def offered_recordings(
    session: AsyncSession, seen: Sight, recording_ids: Sequence[str], now: datetime
) -> set[str]:
    """Give those of the recordings that may be heard because an area above offers them, or has a template with them."""
    found: set[str] = set()
    if not seen.above:
        return found
    for some in in_pieces(recording_ids):
        query = (
            select(BulletinVoice.recording_id)
            .join(Bulletin, and_(Bulletin.id == BulletinVoice.bulletin_id, Bulletin.version == BulletinVoice.version))
            .where(BulletinVoice.recording_id.in_(some), Bulletin.area_id.in_(seen.above), offered(now))
        )
        template = (
            select(ProgrammeItem.recording_id)
            .join(Programme, Programme.id == ProgrammeItem.programme_id)
            .where(ProgrammeItem.recording_id.in_(some), Programme.area_id.in_(seen.above))
            .where(Programme.is_template, Programme.archived_at.is_(None))
        )
        for each in (query, template):
            found.update(one for one in await session.scalars(each.distinct()) if one is not None)
    return found
