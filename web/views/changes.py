"""What an edit changed since somebody approved it: old and new, in words. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.approvals.schemas import ApprovalOut, ChangeOut
from controller.bulletins.schemas import DifferenceOut
from web.formats import Formats
from web.views.schedule_form import WEEKDAYS, days_of


@dataclass(frozen=True)
class Change:
    """One thing that is otherwise."""

    what: str
    before: str
    after: str
    note: str
    """What of it would sound, where that is not what stands there now; else empty."""


@dataclass(frozen=True)
class Changes:
    """All that an edit changed."""

    since: str
    """Whose yes it is held against; empty: nobody gave one."""
    lines: tuple[Change, ...]
    title: str
    none: str
    """What is said when nothing is otherwise."""


def changes(row: ApprovalOut, form: Formats) -> Changes:
    """Show what is otherwise than it was approved."""
    since = form.text("changes.since", by=row.before.by, when=form.since(row.before.at)) if row.before else ""
    lines = tuple(_line(each, form) for each in row.changes)
    return Changes(since, lines, form.text("changes.title"), form.text("changes.none"))


def between(found: Iterable[DifferenceOut], before: int, after: int, form: Formats) -> Changes:
    """Show what two versions of a bulletin have otherwise, by their numbers."""
    given = (ChangeOut(field=each.field, before=each.before, after=each.after) for each in found)
    title = form.text("versions.differences", before=before, after=after)
    return Changes("", tuple(_line(each, form) for each in given), title, form.text("versions.same"))


def _line(each: ChangeOut, form: Formats) -> Change:
    note = form.text("changes.as_before") if each.heard == "before" else ""
    return Change(_what(each, form), _said(each, each.before, form), _said(each, each.after, form), note)


def _what(each: ChangeOut, form: Formats) -> str:
    """Name the field: ``Họp thôn · lời (vi)``."""
    field = each.field.removeprefix("bulletin.")
    if not field.startswith("voices."):
        name = form.text.word("change", field)
    elif field == "voices.order":
        name = form.text("change.voices_order")
    else:
        _, language, part = field.split(".")
        name = f"{form.text.word('change', f'voices_{part}')} ({form.text.word('spoken', language)})"
    return f"{each.bulletin} · {name}" if each.bulletin else name


def _said(each: ChangeOut, value: Any, form: Formats) -> str:
    """Put a value into words."""
    if each.field == "items":
        return _items(value, each.before if value is each.after else (), form)
    if each.field.endswith(".recording_id") and value is not None:
        return form.text("changes.old_sound" if value == each.before else "changes.new_sound")
    if each.field in {"rule", "start_at"}:  # nothing is something there
        return _rule(value, form) if each.field == "rule" else _start(value, form)
    if value is None or value in ([], {}, ""):
        return form.text("changes.nothing")
    return _SAYERS.get(each.field.removeprefix("bulletin."), _plain)(value, form)


def _start(value: str | None, form: Formats) -> str:
    return form.long(datetime.fromisoformat(value)) if value else form.text("changes.at_once")


def _dates(value: Mapping[str, str], form: Formats) -> str:
    return "; ".join(
        form.text("changes.in_spite", at=_local(day, form))
        if moved == day
        else f"{_local(day, form)} → {_local(moved, form)}"
        for day, moved in sorted(value.items())
    )


def _plain(value: Any, form: Formats) -> str:
    if isinstance(value, bool):
        return form.text(f"changes.{'yes' if value else 'no'}")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _rule(rule: str | None, form: Formats) -> str:
    days = days_of(rule)
    if days is None:
        return rule or ""
    if days == WEEKDAYS:
        return form.text("changes.daily")
    return ", ".join(form.text(f"weekday.{WEEKDAYS.index(day) + 1}") for day in days) or form.text("changes.once")


def _local(value: str, form: Formats) -> str:
    """Say a wall time of the place."""
    at = datetime.fromisoformat(value)
    return f"{form.written(at.date())} {at:%H:%M}"


def _items(items: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]], form: Formats) -> str:
    """Name items in their order; one of an old name with another sound, or another volume, is marked."""
    old = {each["title"]: each for each in before}
    said = []
    for each in items:
        there = old.get(each["title"], each)
        sound = "" if there["sha256"] == each["sha256"] else form.text("changes.new_sound")
        volume = "" if there["gain_mb"] == each["gain_mb"] else form.text("changes.new_volume")
        marks = ", ".join(filter(None, (sound, volume)))
        said.append(f"{each['title']} ({marks})" if marks else each["title"])
    return ", ".join(said) or form.text("changes.nothing")


_SAYERS: Mapping[str, Callable[[Any, Formats], str]] = {
    "starts_at_local": _local,
    "dates": _dates,
    "level": lambda value, form: form.text.word("level", value),
    "category": lambda value, form: form.kind(value),
    "state": lambda value, form: form.text.word("bulletin_state", value),
    "late_ms": lambda value, form: form.length(value),
    "start_mode": lambda value, form: form.text.word("start_mode", value),
    "overrun": lambda value, form: form.text.word("overrun", value),
    "ends_at_local": lambda value, _: str(value).removesuffix(":00"),
}
"""Field → how its value is said; the others as they are."""
