"""Lists of bulletins, recordings and programmes; one recording with where it is used; and cut points as typed. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.areas.schemas import AreaOut
from controller.bulletins.schemas import BulletinOut
from controller.bulletins.states import BulletinState
from controller.programmes.schemas import ProgrammeRow
from controller.recordings.schemas import RecordingOut, UseOut
from controller.recordings.states import RecordingOrigin, RecordingState
from web.formats import Formats
from web.forms import Form
from web.i18n import Catalogue
from web.listing import Column, Filter
from web.views.bulletins import mark as bulletin_mark
from web.views.places import choices
from web.words import Mark

BULLETIN_COLUMNS = (
    Column("title", "bulletins.name"),
    Column("state", "bulletins.state", sort=False),
    Column("category", "bulletins.category", sort=False),
    Column("saved", "bulletins.saved_head"),
)
RECORDING_COLUMNS = (
    Column("title", "recordings.name"),
    Column("length", "recordings.length"),
    Column("origin", "recordings.origin", sort=False),
    Column("added", "recordings.added"),
)
PROGRAMME_COLUMNS = (
    Column("title", "programmes.name"),
    Column("items", "programmes.items", sort=False),
    Column("changed", "programmes.changed"),
)
USE_PATHS = {
    "bulletin": "/bulletins",
    "programme": "/programmes",
    "schedule": "/schedules",
    "message": "/messages",
    "cut": "/recordings",
}
MOST_PIECES = 20
"""Of a cut, on the page."""
_MOMENT = re.compile(r"\s*(?:(\d{1,3})\s*:\s*)?(\d{1,5})(?:[.,](\d{1,3}))?\s*\Z")


@dataclass(frozen=True)
class Row:
    """One line of a list."""

    id: str
    title: str
    cells: tuple[str, ...]
    """What stands in the columns after the title and the mark."""
    mark: Mark | None = None
    said: str = ""


@dataclass(frozen=True)
class Use:
    """Something that needs a recording."""

    href: str
    title: str
    kind: str


@dataclass(frozen=True)
class Piece:
    """A piece to keep, as it was typed."""

    start: str
    until: str


def _places(areas: Sequence[AreaOut]) -> tuple[Filter, ...]:
    """Give the filter by place, where there is more than one."""
    known = [(each.id, each.whole_name) for each in choices(areas)]
    return (Filter("area", "recordings.place", tuple(known)),) if len(known) > 1 else ()


def bulletin_filters(
    areas: Sequence[AreaOut], categories: Sequence[tuple[str, str]], text: Catalogue
) -> tuple[Filter, ...]:
    """Say what the list of bulletins can be narrowed by."""
    states = tuple((str(each), text(f"bulletin_state.{each}")) for each in BulletinState)
    above = (("above", text("bulletins.from_above")),)
    return (
        Filter("state", "bulletins.state", states),
        Filter("category", "bulletins.category", tuple(categories)),
        Filter("of", "bulletins.offered", above),
        *_places(areas),
    )


def bulletin_row(known: BulletinOut, form: Formats) -> Row:
    """Show a bulletin in the list."""
    place = form.text("bulletins.place_above", place=known.area_name) if known.from_above else known.area_name
    category = form.kind(known.category, known.area_id)
    return Row(known.id, known.title, (category, form.since(known.saved_at)), bulletin_mark(known.state, form), place)


def recording_filters(areas: Sequence[AreaOut], text: Catalogue) -> tuple[Filter, ...]:
    """Say what the list of recordings can be narrowed by."""
    origins = tuple((str(each), text(f"recordings.origin_{each}")) for each in RecordingOrigin)
    states = tuple((str(each), text(f"recordings.state_{each}")) for each in RecordingState)
    return (
        Filter("origin", "recordings.origin", origins),
        Filter("state", "recordings.state", states),
        *_places(areas),
    )


def recording_row(known: RecordingOut, form: Formats) -> Row:
    """Show a recording in the list."""
    ready = known.length_ms is not None
    length = form.length(known.length_ms) if known.length_ms is not None else ""
    origin = form.text(f"recordings.origin_{known.origin}")
    if known.voice and known.origin != RecordingOrigin.MACHINE:
        origin = form.text("recordings.by_machine", origin=origin)
    state = None if ready else Mark("part", "unsure", form.text(f"recordings.state_{known.state}"))
    if known.state == RecordingState.REJECTED:
        state = Mark("triangle", "care", form.text("recordings.state_rejected"))
    return Row(known.id, known.title, (length, origin, form.since(known.created_at)), state, known.uploaded_by)


def programme_filters(areas: Sequence[AreaOut], text: Catalogue) -> tuple[Filter, ...]:
    """Say what the list of programmes can be narrowed by."""
    kinds = tuple((each, text(f"programmes.kind_{each}")) for each in ("programme", "template"))
    states = (("archived", text("programmes.archived")),)
    return (Filter("kind", "programmes.kind", kinds), Filter("state", "programmes.state", states), *_places(areas))


def programme_row(row: ProgrammeRow, names: Mapping[str, str], form: Formats) -> Row:
    """Show a programme in the list; ``names`` are those of areas."""
    mark = Mark("empty", "unsure", form.text("programmes.template")) if row.is_template else None
    count = form.text("programmes.count", count=row.item_count)
    return Row(row.id, row.title, (count, form.since(row.changed_at)), mark, names.get(row.area_id, ""))


def facts(known: RecordingOut, form: Formats) -> list[tuple[str, str]]:
    """Say what is known of a recording."""
    text = form.text
    said = [
        (text("recordings.length"), form.length(known.length_ms) if known.length_ms is not None else ""),
        (text("recordings.language"), text.word("spoken", known.language)),
        (text("recordings.origin"), text(f"recordings.origin_{known.origin}")),
        (
            text("recordings.added"),
            text("recordings.added_by", when=form.since(known.created_at), by=known.uploaded_by),
        ),
        (text("recordings.file"), known.file_name),
    ]
    return [(label, words) for label, words in said if words]


def uses(found: Iterable[UseOut], text: Catalogue) -> list[Use]:
    """Lead to what needs a recording; ready messages stand in one list."""
    return [
        Use(USE_PATHS[each.kind] + ("" if each.kind == "message" else f"/{each.id}"), each.title, _kind(each, text))
        for each in found
    ]


def _kind(each: UseOut, text: Catalogue) -> str:
    return text(f"recordings.use_{each.kind}")


def read_pieces(typed: Form) -> list[Piece]:
    """Take the pieces as they were typed; what was left empty is none."""
    pairs = (
        Piece(typed.one(f"from-{each}").strip(), typed.one(f"until-{each}").strip()) for each in range(MOST_PIECES)
    )
    return [each for each in pairs if each.start or each.until]


def moment(text: str) -> int | None:
    """Read a point of a recording as people write it, in ms: ``1:05,3``, ``65.3``; None: it is none."""
    found = _MOMENT.match(text)
    if not found or not text.isascii():
        return None
    minutes, seconds, parts = found.groups()
    return (int(minutes or 0) * 60 + int(seconds)) * 1000 + int((parts or "0").ljust(3, "0"))


def point(ms: int) -> str:
    """Write a point of a recording to the hundredth of a second: ``1:05.30``."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 60}:{seconds % 60:02d}.{rest // 10:02d}"


def spans(pieces: Sequence[Piece]) -> list[list[int]] | None:
    """Give the pieces in ms; None: one of them cannot be read."""
    found = [[moment(each.start), moment(each.until)] for each in pieces]
    return (
        [[at for at in each if at is not None] for each in found] if all(None not in each for each in found) else None
    )
