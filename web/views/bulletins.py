"""Bulletins: a line in the list, one with its voices, and the form that writes one. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.bulletins.schemas import BulletinOut
from web.formats import Formats
from web.forms import MOST_VERSION, Form, number_of
from web.problems import Problems
from web.views import voices
from web.views.voices import NOTHING, Voices
from web.words import Mark

_MARKS = {
    "draft": ("empty", "unsure"),
    "submitted": ("part", "unsure"),
    "approved": ("ready", "good"),
    "returned": ("triangle", "care"),
    "archived": ("cut", "unsure"),
}


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    title: str = ""
    area_id: str = ""
    category: str = "notice"
    level: str = "normal"
    author: str = ""
    source: str = ""
    document_number: str = ""
    voices: Voices = NOTHING
    version: int = 0


@dataclass(frozen=True)
class Bulletin:
    """One bulletin as a page shows it."""

    id: str
    title: str
    version: int
    said: str
    mark: Mark
    lines: tuple[str, ...]
    voices: tuple["Voice", ...]


@dataclass(frozen=True)
class Voice:
    """What it says in one language."""

    language: str
    paragraphs: tuple[str, ...]
    recording_id: str | None
    reading: str = ""
    """Its words written out as they are read aloud; empty: as they stand."""


def read_draft(typed: Form, languages: Sequence[str]) -> Draft:
    """Take what was typed, in the languages that the form asked for."""
    plain = ("title", "area_id", "category", "author", "source", "document_number")
    return Draft(
        **{name: typed.one(name).strip() for name in plain},
        level="priority" if typed.one("level") == "priority" else "normal",
        voices=voices.read(typed, languages),
        version=number_of(typed.one("version"), most=MOST_VERSION) or 0,
    )


def draft_of(known: BulletinOut, languages: Sequence[str]) -> Draft:
    """Begin a change of a bulletin."""
    return Draft(
        title=known.title,
        area_id=known.area_id,
        category=known.category,
        level=known.level,
        author=known.author,
        source=known.source,
        document_number=known.document_number or "",
        voices=voices.of(known.voices, languages),
        version=known.version,
    )


def wanted(draft: Draft) -> dict[str, Any]:
    """Give what the service is to be asked for."""
    return {
        "title": draft.title,
        "category": draft.category,
        "level": draft.level,
        "author": draft.author,
        "source": draft.source,
        "document_number": draft.document_number or None,
        "voices": draft.voices.wanted(),
    }


def missing(draft: Draft, form: Formats) -> Problems:
    """Name all that was left out at once."""
    lacks = {
        "title": "" if draft.title else form.text("bulletins.title_empty"),
        "voices": form.text("bulletins.voices_empty") if draft.voices.are_empty else "",
    }
    return {field: words for field, words in lacks.items() if words}


def mark(state: str, form: Formats) -> Mark:
    """Show how far a bulletin is."""
    icon, tone = _MARKS[state]
    return Mark(icon, tone, form.text(f"bulletin_state.{state}"))


def _said(known: BulletinOut, form: Formats) -> str:
    category = form.kind(known.category, known.area_id)
    if known.level == "priority":
        category = f"{category} · {form.text('level.priority')}"
    key = "bulletins.said_above" if known.from_above else "bulletins.said"
    return form.text(key, category=category, place=known.area_name, when=form.since(known.saved_at))


def one(known: BulletinOut, names: Mapping[str, str], form: Formats, readings: Mapping[str, str]) -> Bulletin:
    """Show a bulletin; ``names`` are those of languages, ``readings`` what is read aloud in each."""
    spoken = tuple(
        Voice(
            names.get(each.language, each.language),
            tuple((each.text or "").split("\n")),
            each.recording_id,
            readings.get(each.language, ""),
        )
        for each in known.voices
    )
    return Bulletin(
        known.id,
        known.title,
        known.version,
        _said(known, form),
        mark(known.state, form),
        tuple(_lines(known, form)),
        spoken,
    )


def _lines(known: BulletinOut, form: Formats) -> list[str]:
    text, said = form.text, [form.text("bulletins.author", name=known.author)]
    if known.source:
        said.append(text("bulletins.from", source=known.source))
    if known.document_number:
        said.append(text("bulletins.number", number=known.document_number))
    if known.state == "returned" and known.returned_reason:
        said.append(text("bulletins.returned", by=known.decided_by or "", reason=known.returned_reason))
    if known.state == "approved" and known.decided_by and known.decided_at:
        said.append(text("bulletins.approved", by=known.decided_by, when=form.since(known.decided_at)))
    if not any(voice.recording_id for voice in known.voices):
        said.append(text("bulletins.no_sound"))
    return said
