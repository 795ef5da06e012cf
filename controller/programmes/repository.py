"""Programmes in SQL: read for the rooms that air them, refused by name when something in them may not be heard."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.areas.rules import Tree
from controller.bulletins.models import Bulletin
from controller.bulletins.repository import Worded, is_offered, worded
from controller.bulletins.states import BulletinState
from controller.db import in_pieces
from controller.errors import NotFoundError
from controller.people.rights import Sight
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState

from .layout import LaidOut, NotAirableError, Part, Spoken, lay_out_parts
from .models import ItemKind, Programme, ProgrammeItem


class Said(NamedTuple):
    """What items say, by id."""

    bulletins: Mapping[str, Worded]
    recordings: Mapping[str, Recording]


async def lay_out(
    session: AsyncSession,
    programme_id: str,
    languages: Collection[tuple[str, ...]],
    *,
    at: datetime | None = None,
) -> LaidOut:
    """Give a programme as it would be broadcast now. ``languages``: see ``languages_of``.

    ``at``: when it is to be aired; what was offered by an area above must still be on offer then.

    Raises:
        NotFoundError: there is no such programme.
        NotAirableError: something in it may not be heard; names the item and why.
    """
    row = await session.get(Programme, programme_id)
    if row is None:
        raise NotFoundError("there is no such programme", resource="programmes", id=programme_id[:64])
    return await lay_out_items(session, row, await items_of(session, programme_id), languages, at=at)


async def lay_out_items(
    session: AsyncSession,
    row: Programme,
    items: Sequence[ProgrammeItem],
    languages: Collection[tuple[str, ...]],
    *,
    at: datetime | None = None,
) -> LaidOut:
    """Give a programme with these items as it would be broadcast; neither needs to be saved.

    Raises:
        NotAirableError: something in it may not be heard; names the item and why.
    """
    return laid_out(row, items, await read_said(session, items), languages, at=at)


def laid_out(
    row: Programme,
    items: Sequence[ProgrammeItem],
    said: Said,
    languages: Collection[tuple[str, ...]],
    *,
    at: datetime | None,
) -> LaidOut:
    """Do as ``lay_out_items``, with what they say at hand.

    Raises:
        NotAirableError: something in it may not be heard; names the item and why.
    """
    if row.archived_at is not None or row.is_template:
        raise NotAirableError(
            f"the programme {row.title!r} is archived or a template", field="programme_id", problem="archived"
        )
    parts = _parts(items, said, own=own_of(row), at=at)
    return lay_out_parts(parts, languages, gap_ms=row.gap_ms, lead_in_ms=row.lead_in_ms)


async def borrows(session: AsyncSession, programme_id: str) -> bool:
    """Say whether it holds a bulletin of another area, which may be on offer on some days only."""
    query = (
        select(ProgrammeItem.position)
        .join(Programme, Programme.id == ProgrammeItem.programme_id)
        .join(Bulletin, Bulletin.id == ProgrammeItem.bulletin_id)
        .where(Programme.id == programme_id, Bulletin.area_id != Programme.area_id)
    )
    return await session.scalar(query.limit(1)) is not None


def own_of(programme: Programme) -> Sight:
    """Give the place whose bulletins a programme may hold without an offer."""
    return Sight(frozenset([programme.area_id]))


async def items_of(session: AsyncSession, programme_id: str) -> list[ProgrammeItem]:
    """Give the items in order."""
    query = select(ProgrammeItem).where(ProgrammeItem.programme_id == programme_id).order_by(ProgrammeItem.position)
    return list(await session.scalars(query))


async def read_parts(
    session: AsyncSession, items: Sequence[ProgrammeItem], *, own: Sight, at: datetime | None
) -> list[Part]:
    """Turn items into parts, refusing what may not be heard. ``own``: places whose bulletins need not be on offer.

    Raises:
        NotAirableError: names the item and why.
    """
    return _parts(items, await read_said(session, items), own=own, at=at)


def _parts(items: Sequence[ProgrammeItem], said: Said, *, own: Sight, at: datetime | None) -> list[Part]:
    parts = []
    for item in items:
        if item.bulletin_id is not None:
            _check_bulletin(item, said.bulletins[item.bulletin_id], own, at)
        parts.append(_part(item, *said))
    return parts


async def known_parts(session: AsyncSession, items: Sequence[ProgrammeItem]) -> list[Part]:
    """Turn items into parts as far as there is sound, approved or not: to see how long they are, never to air them.

    What has no sound yet is a part without length.
    """
    said, parts = await read_said(session, items), []
    for item in items:
        try:
            parts.append(_part(item, *said))
        except NotAirableError:
            parts.append(Part(item.position))
    return parts


async def read_said(session: AsyncSession, items: Sequence[ProgrammeItem]) -> Said:
    """Read the bulletins of items, and all recordings that could be heard."""
    bulletins = await worded(session, [each.bulletin_id for each in items if each.bulletin_id])
    wanted = {each.recording_id for each in items if each.recording_id}
    wanted |= {voice.recording_id for each in bulletins.values() for voice in each.voices if voice.recording_id}
    rows: dict[str, Recording] = {}
    for some in in_pieces(sorted(wanted)):
        rows |= {row.id: row for row in await session.scalars(select(Recording).where(Recording.id.in_(some)))}
    return Said(bulletins, rows)


def _part(item: ProgrammeItem, bulletins: Mapping[str, Worded], recordings: Mapping[str, Recording]) -> Part:
    if item.kind == ItemKind.PAUSE:
        return Part(item.position, pause_ms=item.pause_ms or 0)
    if item.kind == ItemKind.SLOT:
        raise _refused(item, item.category or "", "unfilled", "is a place for a bulletin that nobody filled")
    if item.bulletin_id is None:
        recording = recordings[item.recording_id or ""]
        return Part(item.position, recording.title, (_spoken(item, recording.title, recording),), 0, item.gain_mb)
    found = bulletins[item.bulletin_id]
    title = found.words.title
    voices = tuple(
        _spoken(item, title, recordings[voice.recording_id], voice.language)
        for voice in found.voices
        if voice.recording_id is not None
    )
    if not voices:
        raise _refused(item, title, "no_voice", "has words but no recording yet")
    return Part(
        item.position,
        title,
        voices,
        gain_mb=item.gain_mb,
        bulletin_id=found.bulletin.id,
        bulletin_version=found.bulletin.version,
        category=found.words.category,
    )


def _check_bulletin(item: ProgrammeItem, found: Worded, own: Sight, at: datetime | None) -> None:
    bulletin, title = found.bulletin, found.words.title
    if bulletin.state == BulletinState.ARCHIVED:
        raise _refused(item, title, "archived", "is archived")
    if bulletin.state != BulletinState.APPROVED:
        raise _refused(item, title, "not_approved", f"is not approved: {bulletin.state}")
    if not own.sees(bulletin.area_id) and not is_offered(bulletin, at):
        raise _refused(item, title, "not_offered", "belongs to another area, which does not offer it at this time")


def _spoken(item: ProgrammeItem, title: str, row: Recording, language: str | None = None) -> Spoken:
    if row.withdrawn_at is not None:
        raise _refused(item, title, "withdrawn", f"has a recording that was withdrawn: {row.title!r}")
    if row.state != RecordingState.READY or row.sha256 is None or row.bytes is None or row.length_ms is None:
        raise _refused(item, title, "not_ready", f"has a recording that is not ready: {row.title!r}")
    return Spoken(row.id, language or row.language, row.sha256, row.bytes, row.length_ms)


def _refused(item: ProgrammeItem, title: str, problem: str, words: str) -> NotAirableError:
    return NotAirableError(
        f"item {item.position + 1}, {title!r}, {words}",
        field=f"items.{item.position}",
        problem=problem,
        position=item.position,
        title=title,
    )


def languages_of(tree: Tree, area_ids: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """Give each order of languages that one of the areas asks for; ``area_ids`` are those in which the nodes stand."""
    return frozenset(tree.effective(area_id).languages for area_id in set(area_ids))
