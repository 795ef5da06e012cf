"""What a bulletin said before: each version, who saved it, what was decided; and what two have otherwise. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.bulletins.schemas import DecisionOut, VersionOut
from web.formats import Formats
from web.views.bulletins import Voice
from web.words import Mark


@dataclass(frozen=True)
class Line:
    """One version in the list."""

    number: int
    name: str
    title: str
    saved: str
    decisions: tuple[Mark, ...]
    mark: Mark | None
    """That it is the one of today."""


@dataclass(frozen=True)
class Seen:
    """One version as its page shows it."""

    line: Line
    facts: tuple[tuple[str, str], ...]
    voices: tuple[Voice, ...]


def line(each: VersionOut, current: int, form: Formats) -> Line:
    """Show a version in the list. ``current``: number of the one of today."""
    text = form.text
    return Line(
        each.version,
        text("versions.name", number=each.version),
        each.title,
        text("versions.saved", by=each.saved_by, when=form.since(each.saved_at)),
        tuple(_decision(one, form) for one in each.decisions),
        Mark("dot", "unsure", text("versions.current")) if each.version == current else None,
    )


def seen(each: VersionOut, current: int, names: Mapping[str, str], form: Formats) -> Seen:
    """Show all that a version said; ``names`` are those of languages."""
    text = form.text
    facts = (
        (text("bulletins.category"), form.kind(each.category)),
        (text("change.level"), text.word("level", each.level)),
        (text("bulletins.field_author"), each.author),
        (text("bulletins.field_source"), each.source),
        (text("bulletins.field_document_number"), each.document_number or ""),
    )
    voices = (
        Voice(names.get(one.language, one.language), tuple((one.text or "").split("\n")), one.recording_id)
        for one in each.voices
    )
    return Seen(line(each, current, form), tuple((label, said) for label, said in facts if said), tuple(voices))


def others(found: Iterable[VersionOut], number: int, current: int, form: Formats) -> list[tuple[str, str]]:
    """Name the versions that one can be held against, the newest first."""
    said = [(str(each.version), form.text("versions.name", number=each.version)) for each in found]
    said = [(key, f"{name} · {form.text('versions.current')}" if key == str(current) else name) for key, name in said]
    return [each for each in reversed(said) if each[0] != str(number)]


def against(found: Sequence[VersionOut], number: int, asked: int | None) -> int | None:
    """Choose what a version is held against: the one that was asked for, else the one before, for the first the next.

    None: there is no other.
    """
    known = [each.version for each in found if each.version != number]
    if asked in known:
        return asked
    return max((each for each in known if each < number), default=min(known, default=None))


def _decision(each: DecisionOut, form: Formats) -> Mark:
    text, when = form.text, form.since(each.at)
    if each.step == "approve":
        return Mark("ready", "good", text("versions.approved", by=each.by, when=when))
    return Mark("triangle", "care", text("versions.returned", by=each.by, when=when, reason=each.reason or ""))
