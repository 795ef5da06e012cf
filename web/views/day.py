"""A node's day: each thing that reaches it, whether it sounds there and why not. Pure."""

from dataclasses import dataclass

from controller.schedules.schemas import DayEntryOut, DayOut
from web.formats import Formats
from web.words import Mark, evidence_mark

UNHEARD = frozenset({"missed", "refused", "expired"})
"""Outcomes told as one of what is still to come: it will not play."""


@dataclass(frozen=True)
class DayEntry:
    """One broadcast in a node's day."""

    hour: str
    title: str
    href: str
    """Empty: it has no page yet."""
    mark: Mark
    said: str
    """When it sounds and how long, or until when it may still begin."""
    why: str
    """Address of *Vì sao?*; empty: there is none."""


def entry_lines(found: DayOut, form: Formats) -> list[DayEntry]:
    """Show a day hour by hour."""
    return [_entry(each, found.node_id, form) for each in found.entries]


def unconfirmed_lines(found: DayOut, form: Formats) -> list[Mark]:
    """Name what was taken back and may sound all the same."""
    return [
        Mark("triangle", "care", form.text("node_day.unconfirmed", title=each.title, at=form.when(each.may_play_at)))
        for each in found.unconfirmed
    ]


def _entry(each: DayEntryOut, node_id: str, form: Formats) -> DayEntry:
    page = f"/broadcasts/{each.broadcast_id}" if each.broadcast_id else ""
    if not page and each.schedule_id:
        page = f"/schedules/{each.schedule_id}"
    why = f"/nodes/{node_id}/broadcasts/{each.broadcast_id}/why" if each.broadcast_id else ""
    return DayEntry(form.hour(each.start_at), each.title, page, _mark(each, form), _said(each, form), why)


def _mark(each: DayEntryOut, form: Formats) -> Mark:
    text = form.text
    if each.awaits_approval:
        return Mark("part", "care", text("node_day.awaits"))
    if each.outcome == "played" and each.is_past:
        return evidence_mark(each.grade or 0, text, simulated=each.simulated, level=each.level)
    if each.outcome in {None, "played"}:
        return Mark("ready", "good" if each.outcome else "unsure", text("node_day.sounds"))
    cancelled = each.outcome == "cancelled"
    said = text("node_day.silent" if each.outcome in UNHEARD and not each.is_past else f"outcome.{each.outcome}")
    if each.reason:
        coming = each.reason == "busy" and not each.is_past
        said += ". " + (text("node_day.busy") if coming else text.word("reason", each.reason))
    return Mark("cut" if cancelled else "triangle", "unsure" if cancelled else "care", said)


def _said(each: DayEntryOut, form: Formats) -> str:
    if not each.sounds:
        return ""
    first, last = each.sounds[0].begins_at, each.sounds[-1].ends_at
    length = form.length(int((last - first).total_seconds() * 1000))
    return form.text("node_day.sounds_said", begins=form.hour(first), ends=form.hour(last), length=length)
