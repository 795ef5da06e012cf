"""Programmes: their items with when each begins, and what keeps one from being aired. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.programmes.schemas import ItemIn, ItemOut, ProgrammeOut, ProgrammeRow
from web.formats import Formats
from web.words import Mark


@dataclass(frozen=True)
class Line:
    """A programme in the list."""

    id: str
    title: str
    said: str
    is_template: bool


@dataclass(frozen=True)
class Item:
    """One item."""

    position: int
    title: str
    said: str
    href: str
    """Where it can be looked at; empty: nowhere."""


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


def line(row: ProgrammeRow, form: Formats) -> Line:
    """Show a programme in the list."""
    said = form.text("programmes.said", count=row.item_count, when=form.since(row.changed_at))
    return Line(row.id, row.title, said, row.is_template)


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
        items=tuple(_item(each, form) for each in known.items),
        owed=tuple(owed),
        lead_in_s=known.lead_in_ms // 1000,
        gap_s=known.gap_ms // 1000,
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


def _item(each: ItemOut, form: Formats) -> Item:
    text = form.text
    title = each.title or text.word("item", each.kind)
    said = [text.word("item", each.kind)] if each.title else []
    if each.length_ms is not None:
        said.append(form.length(each.length_ms))
    if each.offset_ms is not None:
        said.append(text("programmes.begins", at=form.mark(each.offset_ms)))
    href = f"/bulletins/{each.bulletin_id}" if each.bulletin_id else ""
    return Item(each.position, title, " · ".join(said), href)


def items_in(known: ProgrammeOut) -> list[ItemIn]:
    """Give the items as they would be sent again."""
    kept = ("kind", "recording_id", "bulletin_id", "pause_ms", "category", "gain_mb")
    return [ItemIn(**{name: getattr(each, name) for name in kept}) for each in known.items]


def moved_up(count: int, position: int) -> Sequence[int]:
    """Give the order in which one item stands one place earlier."""
    order = list(range(count))
    if 0 < position < count:
        order[position - 1], order[position] = order[position], order[position - 1]
    return order
