"""The faults of one node, those that are over too. Pure."""

from dataclasses import dataclass

from controller.faults.rules import FaultState
from controller.faults.schemas import FaultEntryOut
from web.formats import Formats
from web.words import Mark


@dataclass(frozen=True)
class Entry:
    """One line of a node's history."""

    id: str
    mark: Mark
    said: str
    """From when to when, how often, and who looks after it."""
    may_acknowledge: bool


def entry(fault: FaultEntryOut, form: Formats, *, may_acknowledge: bool) -> Entry:
    """Show a fault: loud while nobody looks after it, calm from then on."""
    word = form.text.word("fault", fault.code)
    icon, tone = {
        FaultState.NEW: ("triangle", "care"),
        FaultState.ACKNOWLEDGED: ("part", "unsure"),
        FaultState.CLEARED: ("tick", "unsure"),
    }[fault.state]
    is_new = fault.state is FaultState.NEW
    return Entry(fault.id, Mark(icon, tone, word), " ".join(_said(fault, form)), is_new and may_acknowledge)


def _said(fault: FaultEntryOut, form: Formats) -> list[str]:
    text = form.text
    found = [text("faults.since", since=form.since(fault.since_at))]
    if fault.cleared_at is not None:
        found = [text("faults.over", since=form.since(fault.since_at), until=form.since(fault.cleared_at))]
    return found + also(fault, form)


def also(fault: FaultEntryOut, form: Formats) -> list[str]:
    """Say how often, who looks after it, and what they noted."""
    text, found = form.text, []
    if fault.times > 1:
        found.append(text("faults.times", count=fault.times))
    if fault.acknowledged_at is not None:
        found.append(text("faults.by", by=fault.acknowledged_by_name or "", when=form.since(fault.acknowledged_at)))
    if fault.note:
        found.append(text("faults.note_said", note=fault.note))
    return found
