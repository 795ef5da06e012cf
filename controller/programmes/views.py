"""Programmes as they are shown: with their length, or with what keeps them from being aired."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.bulletins.repository import worded
from controller.people.models import Person
from controller.recordings.models import Recording

from .layout import LaidOut, NotAirableError, lay_out_parts
from .models import ItemKind, Programme, ProgrammeItem
from .owing import owed
from .repository import items_of, known_parts, languages_of, own_of, read_parts
from .schemas import ItemOut, MissingOut, ProgrammeOut, WhyNot


class _Place(NamedTuple):
    """Where an item lies in the session."""

    offset_ms: int
    length_ms: int
    languages: tuple[str, ...]


async def out(session: AsyncSession, row: Programme, *, now: datetime, own: bool = True) -> ProgrammeOut:
    """Show a programme as it would be aired now in its own area. Who made a template above stays unsaid below."""
    items = await items_of(session, row.id)
    laid_out, why_not = await _laid_out(session, row, items, now)
    known = laid_out or await _known(session, row, items)
    places = _places(known) if known else {}
    pauses_ms = sum(item.pause_ms or 0 for item in items)
    titles = await _titles(session, items)
    present = frozenset(item.bulletin_id for item in items if item.bulletin_id)
    person = await session.get(Person, row.created_by)
    return ProgrammeOut(
        id=row.id,
        area_id=row.area_id,
        title=row.title,
        is_template=row.is_template,
        version=row.version,
        lead_in_ms=row.lead_in_ms,
        gap_ms=row.gap_ms,
        items=tuple(_item(item, titles, places.get(item.position)) for item in items),
        session_ms=laid_out.session_ms if laid_out else None,
        known_ms=known.session_ms if known else row.lead_in_ms + pauses_ms,
        content_sha256=laid_out.content_sha256 if laid_out else None,
        why_not=why_not,
        missing=tuple(MissingOut(**each._asdict()) for each in laid_out.missing) if laid_out else (),
        owed=tuple(await owed(session, row, present, now=now)),
        created_by=person.name if person and own else "",
        created_at=row.created_at,
        changed_at=row.changed_at,
        archived_at=row.archived_at,
    )


async def _laid_out(
    session: AsyncSession, row: Programme, items: Sequence[ProgrammeItem], now: datetime
) -> tuple[LaidOut | None, WhyNot | None]:
    if row.is_template:
        return None, None
    languages = languages_of(await read_tree(session), [row.area_id])
    try:
        parts = await read_parts(session, items, own=own_of(row), at=now)
        return lay_out_parts(parts, languages, gap_ms=row.gap_ms, lead_in_ms=row.lead_in_ms), None
    except NotAirableError as error:
        said = error.fields
        return None, WhyNot(problem=said["problem"], position=said.get("position"), title=said.get("title", ""))


async def _known(session: AsyncSession, row: Programme, items: Sequence[ProgrammeItem]) -> LaidOut | None:
    """Lay out what has sound, of a programme that may not be aired as it is; None: nothing has."""
    languages = languages_of(await read_tree(session), [row.area_id])
    try:
        return lay_out_parts(await known_parts(session, items), languages, gap_ms=row.gap_ms, lead_in_ms=row.lead_in_ms)
    except NotAirableError:
        return None


def _places(laid_out: LaidOut) -> dict[int, _Place]:
    found = {}
    for position, group in groupby(laid_out.slots, key=lambda slot: slot.part.position):
        slots = list(group)
        first, last = slots[0].item, slots[-1].item
        length_ms = last.offset_ms + last.slot_ms - first.offset_ms
        languages = tuple(voice.language for voice in first.voices)
        found[position] = _Place(laid_out.lead_in_ms + first.offset_ms, length_ms, languages)
    return found


async def _titles(session: AsyncSession, items: Sequence[ProgrammeItem]) -> dict[str, str]:
    bulletins = await worded(session, [item.bulletin_id for item in items if item.bulletin_id])
    wanted = [item.recording_id for item in items if item.recording_id]
    rows = await session.execute(select(Recording.id, Recording.title).where(Recording.id.in_(wanted)))
    return dict(rows.all()) | {key: each.words.title for key, each in bulletins.items()}


def _item(item: ProgrammeItem, titles: dict[str, str], place: _Place | None) -> ItemOut:
    return ItemOut(
        position=item.position,
        kind=ItemKind(item.kind),
        title=titles.get(item.bulletin_id or item.recording_id or "", ""),
        recording_id=item.recording_id,
        bulletin_id=item.bulletin_id,
        pause_ms=item.pause_ms,
        category=item.category,
        gain_mb=item.gain_mb,
        offset_ms=place.offset_ms if place else None,
        length_ms=place.length_ms if place else item.pause_ms,
        languages=place.languages if place else (),
    )
