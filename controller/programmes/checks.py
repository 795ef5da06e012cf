"""What may stand in a programme, checked when it is saved. Whether it may be aired is asked again when it is."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.bulletins.models import Bulletin, BulletinVersion
from controller.bulletins.repository import current_version, is_offered, offered
from controller.bulletins.schemas import OfferLevel
from controller.bulletins.states import BulletinState
from controller.errors import InvalidError
from controller.people.rights import EVERYTHING, Sight
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState

from .models import ItemKind, Programme, ProgrammeItem
from .schemas import BulletinRef, ItemIn

PRIORITY: OfferLevel = "priority"


async def check_items(
    session: AsyncSession,
    seen: Sight,
    programme: Programme,
    items: Sequence[ItemIn],
    *,
    now: datetime,
    known: Collection[str] = (),
) -> list[ProgrammeItem]:
    """Give the rows of items that may stand in a programme.

    ``known``: recordings that stand in it already, or in the template it is made from; they may stay.

    Raises:
        InvalidError: a slot outside a template, or something that is not there for this person or this area.
    """
    wanted = [each.bulletin_id for each in items if each.bulletin_id]
    bulletins = {row.id: row for row in await session.scalars(select(Bulletin).where(Bulletin.id.in_(wanted)))}
    sounds = [each.recording_id for each in items if each.recording_id]
    recordings = {row.id: row for row in await session.scalars(select(Recording).where(Recording.id.in_(sounds)))}
    above = await areas_above(session, programme.area_id)
    for position, item in enumerate(items):
        field = f"items.{position}"
        if item.kind is ItemKind.SLOT and not programme.is_template:
            raise InvalidError(f"{field}: a slot stands in a template only", field=field, problem="slot")
        if item.bulletin_id:
            _check_bulletin(field, bulletins.get(item.bulletin_id), programme, above, now)
        if item.recording_id:
            here = EVERYTHING if item.recording_id in known else seen
            _check_recording(field, recordings.get(item.recording_id), here)
    return [
        ProgrammeItem(programme_id=programme.id, position=position, **item.model_dump())
        for position, item in enumerate(items)
    ]


def _check_bulletin(
    field: str, row: Bulletin | None, programme: Programme, above: frozenset[str], now: datetime
) -> None:
    placeable = row is not None and (
        row.area_id == programme.area_id or (row.area_id in above and is_offered(row, now))
    )
    if row is None or not placeable:
        raise InvalidError(f"{field}: there is no such bulletin for this area", field=field, problem="unknown")
    if row.state == BulletinState.ARCHIVED:
        raise InvalidError(f"{field}: this bulletin is archived", field=field, problem="archived")


def _check_recording(field: str, row: Recording | None, seen: Sight) -> None:
    if row is None or not seen.sees(row.area_id):
        raise InvalidError(f"{field}: there is no such recording", field=field, problem="unknown")
    if row.withdrawn_at is not None:
        raise InvalidError(f"{field}: {row.title!r} is withdrawn", field=field, problem="withdrawn")
    if row.state == RecordingState.REJECTED:
        raise InvalidError(f"{field}: {row.title!r} was rejected", field=field, problem="not_ready")


async def areas_above(session: AsyncSession, area_id: str) -> frozenset[str]:
    """Give the areas above one, which may offer it bulletins."""
    return frozenset(place.id for place in (await read_tree(session)).chain(area_id)[1:])


async def candidates(session: AsyncSession, area_id: str, *, now: datetime) -> list[BulletinRef]:
    """Give what a programme of the area may hold and air now, priority first, then the newest."""
    above = await areas_above(session, area_id)
    own = and_(Bulletin.area_id == area_id, Bulletin.state == BulletinState.APPROVED)
    query = (
        select(Bulletin, BulletinVersion)
        .join(BulletinVersion, current_version())
        .where(own | and_(Bulletin.area_id.in_(above), offered(now)))
        .order_by(Bulletin.created_at.desc(), Bulletin.id.desc())
    )
    found = [ref_of(row, words) for row, words in (await session.execute(query)).all()]
    return sorted(found, key=lambda each: each.level != PRIORITY)


def ref_of(row: Bulletin, words: BulletinVersion) -> BulletinRef:
    """Name a bulletin as it is now."""
    level: OfferLevel = PRIORITY if words.level == PRIORITY else "normal"
    return BulletinRef(bulletin_id=row.id, title=words.title, category=words.category, level=level, area_id=row.area_id)
