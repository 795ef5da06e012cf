"""Programmes as they are shown: with their length, or with what keeps them from being aired."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.bulletins.repository import is_offered, offered_recordings, worded
from controller.people.models import Person
from controller.people.rights import Sight
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


async def out(session: AsyncSession, row: Programme, seen: Sight, *, now: datetime) -> ProgrammeOut:
    """Show a programme as it would be aired now in its own area. Who made a template above stays unsaid below."""
    items = await items_of(session, row.id)
    laid_out, why_not = await _laid_out(session, row, items, now)
    known = laid_out or await _known(session, row, items)
    places = _places(known) if known else {}
    pauses_ms = sum(item.pause_ms or 0 for item in items)
    names = await _named(session, items, seen, now)
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
        items=tuple(_item(item, names, places.get(item.position)) for item in items),
        session_ms=laid_out.session_ms if laid_out else None,
        known_ms=known.session_ms if known else row.lead_in_ms + pauses_ms,
        content_sha256=laid_out.content_sha256 if laid_out else None,
        why_not=why_not,
        missing=tuple(MissingOut(**each._asdict()) for each in laid_out.missing) if laid_out else (),
        owed=tuple(await owed(session, row, present, now=now)),
        created_by=person.name if person and seen.sees(row.area_id) else "",
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


class _Named(NamedTuple):
    """What an item says, to whoever asks."""

    title: str
    is_in_sight: bool
    belongs_to: str | None = None


NAMELESS = _Named("", is_in_sight=True)
"""A pause, or a place for a bulletin."""


async def _named(
    session: AsyncSession, items: Sequence[ProgrammeItem], seen: Sight, now: datetime
) -> dict[str, _Named]:
    """Name bulletins and recordings, those of elsewhere with the place they belong to."""
    ids = [item.recording_id for item in items if item.recording_id]
    query = select(Recording.id, Recording.title, Recording.area_id).where(Recording.id.in_(ids))
    recordings = (await session.execute(query)).all()
    bulletins = await worded(session, [item.bulletin_id for item in items if item.bulletin_id])
    offered = await offered_recordings(session, seen, [key for key, _, area in recordings if not seen.sees(area)], now)
    whose = {key: (title, area_id, seen.sees(area_id) or key in offered) for key, title, area_id in recordings}
    for key, each in bulletins.items():
        area_id = each.bulletin.area_id
        readable = seen.sees(area_id) or (area_id in seen.above and is_offered(each.bulletin, now))
        whose[key] = (each.words.title, area_id, readable)
    if all(readable for _, _, readable in whose.values()):
        return {key: _Named(title, is_in_sight=True) for key, (title, _, _) in whose.items()}
    tree = await read_tree(session)
    return {
        key: _Named(title, readable, None if readable else _owner(tree, area_id, seen))
        for key, (title, area_id, readable) in whose.items()
    }


def _owner(tree: Tree, area_id: str | None, seen: Sight) -> str | None:
    if area_id is None:
        return ""
    return tree.places[area_id].name if seen.knows(area_id) else None


def _item(item: ProgrammeItem, names: dict[str, _Named], place: _Place | None) -> ItemOut:
    named = names.get(item.bulletin_id or item.recording_id or "", NAMELESS)
    return ItemOut(
        position=item.position,
        kind=ItemKind(item.kind),
        title=named.title,
        recording_id=item.recording_id,
        bulletin_id=item.bulletin_id,
        pause_ms=item.pause_ms,
        category=item.category,
        gain_mb=item.gain_mb,
        offset_ms=place.offset_ms if place else None,
        length_ms=place.length_ms if place else item.pause_ms,
        languages=place.languages if place else (),
        is_in_sight=named.is_in_sight,
        belongs_to=named.belongs_to,
    )
