"""Programmes: their items with when each begins, and what keeps one from being aired. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.bulletins.schemas import BulletinOut
from controller.programmes.schemas import ItemIn, ItemOut, ProgrammeOut
from controller.recordings.schemas import RecordingOut
from web.formats import Formats
from web.words import Mark


@dataclass(frozen=True)
class Item:
    """One item."""

    position: int
    title: str
    said: str
    href: str
    """Where it can be looked at; empty: nowhere."""
    start: str = ""
    """When it begins, from the start of the session; empty: what stands before it is not known."""


@dataclass(frozen=True)
class Choosable:
    """Something that may come into a programme."""

    kind: str
    id: str
    title: str
    said: str


@dataclass(frozen=True)
class Programme:
    """One programme as a page shows it."""

    id: str
    title: str
    version: int
    mark: Mark
    notes: tuple[Mark, ...]
    items: tuple[Item, ...]
    owed: tuple[tuple[str, str], ...]
    """Priority bulletins from above that are not in it: id and what to say."""
    lead_in_s: int
    gap_s: int
    total: str
    """How long all of it is, as far as it has sound."""
    unknown: int
    """Items whose length is not known yet."""


def one(known: ProgrammeOut, form: Formats) -> Programme:
    """Show a programme."""
    text = form.text
    missing = [
        text("programmes.missing", title=each.title, language=text.word("spoken", each.language))
        for each in known.missing
    ]
    owed = [(each.bulletin_id, text("programmes.owed", title=each.title)) for each in known.owed]
    return Programme(
        id=known.id,
        title=known.title,
        version=known.version,
        mark=_mark(known, form),
        notes=tuple(Mark("triangle", "care", said) for said in missing),
        items=tuple(_item(each, start, form) for each, start in zip(known.items, _starts(known), strict=True)),
        owed=tuple(owed),
        lead_in_s=known.lead_in_ms // 1000,
        gap_s=known.gap_ms // 1000,
        total=text("programmes.total", length=form.length(known.known_ms)) if known.known_ms else "",
        unknown=sum(each.length_ms is None for each in known.items),
    )


def _mark(known: ProgrammeOut, form: Formats) -> Mark:
    text = form.text
    if known.archived_at is not None:
        return Mark("cut", "unsure", text("programmes.archived"))
    if known.is_template:
        return Mark("empty", "unsure", text("programmes.template"))
    if known.session_ms is not None:
        return Mark("ready", "good", text("programmes.airable", length=form.length(known.session_ms)))
    why = known.why_not
    if why is None or not known.items:
        return Mark("empty", "unsure", text("programmes.empty"))
    return Mark("triangle", "care", text.word("why_not", why.problem, title=why.title))


def _starts(known: ProgrammeOut) -> list[int | None]:
    """Say when each item begins; a pause begins when what stands before it ends, and nothing is known after a hole."""
    starts: list[int | None] = []
    free: int | None = known.lead_in_ms
    for each in known.items:
        start = each.offset_ms if each.offset_ms is not None and free is not None else free
        starts.append(start if each.length_ms is not None else free)
        free = start + each.length_ms if start is not None and each.length_ms is not None else None
    return starts


def _item(each: ItemOut, start: int | None, form: Formats) -> Item:
    text = form.text
    title = each.title or text.word("item", each.kind)
    said = [text.word("item", each.kind)] if each.title else []
    if each.length_ms is not None:
        said.append(form.length(each.length_ms))
    else:
        said.append(text("programmes.no_length"))
    if each.languages and each.languages != ("vi",):
        said.append(", ".join(text.word("spoken", language) for language in each.languages))
    if not each.is_in_sight:
        said.append(_whose(each, form))
    if each.kind == "slot" and each.category:
        title = text("programmes.slot", category=form.kind(each.category))
        said = []
    href = f"/bulletins/{each.bulletin_id}" if each.bulletin_id else ""
    href = f"/recordings/{each.recording_id}" if each.recording_id else href
    begins = form.mark(start) if start is not None else ""
    return Item(each.position, title, " · ".join(said), href if each.is_in_sight else "", begins)


def _whose(each: ItemOut, form: Formats) -> str:
    """Say to whom belongs what this person can hear in the programme and not look at by itself."""
    if each.belongs_to:
        return form.text("programmes.of_place", place=each.belongs_to)
    return form.text("programmes.of_elsewhere" if each.belongs_to is None else "programmes.of_centre")


def items_in(known: ProgrammeOut) -> list[ItemIn]:
    """Give the items as they would be sent again."""
    kept = ("kind", "recording_id", "bulletin_id", "pause_ms", "category", "gain_mb")
    return [ItemIn(**{name: getattr(each, name) for name in kept}) for each in known.items]


def moved(count: int, position: int, to: int) -> Sequence[int]:
    """Give the order in which one item stands in another place; out of range: at that end."""
    order = list(range(count))
    if 0 <= position < count:
        order.insert(max(0, min(to, count - 1)), order.pop(position))
    return order


def choices(bulletins: Sequence[BulletinOut], recordings: Sequence[RecordingOut], form: Formats) -> list[Choosable]:
    """Show what may come into a programme."""
    found = [Choosable("bulletin", each.id, each.title, form.kind(each.category, each.area_id)) for each in bulletins]
    ready = [each for each in recordings if each.length_ms is not None]
    return found + [Choosable("recording", each.id, each.title, form.length(each.length_ms or 0)) for each in ready]
