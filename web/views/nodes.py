"""One node, in words first."""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.faults.schemas import FaultEntryOut
from controller.nodes.schemas import NodeOut, SelfTestOut
from controller.schedules.schemas import DayOut
from web.formats import Formats
from web.views.condition import cache, clock, device, lacks, plan
from web.views.faults import Entry, entry
from web.views.node_settings import VOLUMES, gain_said
from web.views.places import is_heard
from web.words import Mark, faults, node_mark


@dataclass(frozen=True)
class Node:
    """What a node's page says."""

    id: str
    name: str
    place: str
    mark: Mark
    lines: tuple[str, ...]
    doubts: tuple[Mark, ...]
    """What was cancelled, and will sound today unless it reconnects; and what will not sound for want of its files."""
    faults: tuple[Mark, ...]
    facts: tuple[tuple[str, str], ...]
    """Name and value: what it is to play, and how well that is known."""
    device: tuple[tuple[str, str], ...]
    """The same of what it is made of."""
    history: tuple[Entry, ...]
    """The latest faults, those that are over too."""
    waits: Mark | None
    """New settings that it has not confirmed."""


def one_node(
    node: NodeOut, day: DayOut, form: Formats, book: Sequence[FaultEntryOut] = (), *, may_acknowledge: bool = False
) -> Node:
    """Say how a node is, and what of its day nobody can be sure of."""
    return Node(
        id=node.id,
        name=node.name,
        place=" · ".join(node.area_path),
        mark=node_mark(node, form),
        lines=tuple(_lines(node, form)),
        doubts=tuple(
            Mark("triangle", "care", form.text("node.may_play", title=each.title, at=form.when(each.may_play_at)))
            for each in day.unconfirmed
        )
        + tuple(Mark("triangle", "care", words) for words in lacks(node, form)),
        faults=tuple(faults(node, form)),
        facts=tuple((form.text(f"node.{name}"), value) for name, value in _facts(node, form).items() if value),
        device=tuple(device(node, form)),
        history=tuple(entry(each, form, may_acknowledge=may_acknowledge) for each in book),
        waits=Mark("part", "unsure", form.text("settings_of.waiting")) if node.settings_confirmed is False else None,
    )


def _lines(node: NodeOut, form: Formats) -> list[str]:
    text, lines = form.text, []
    if node.status == "never_seen":
        lines.append(text("node.never_said"))
    elif node.status == "unreporting":
        lines.append(text("node.unreporting_said"))
    elif node.status == "offline":
        if node.leaving_reason:
            lines.append(text("node.left_said", reason=text.word("leaving", node.leaving_reason)))
        lines.append(text("node.offline_said"))
    elif node.now_playing:
        left = form.left(node.now_playing.ends_at)
        title = node.now_playing.title
        lines.append(
            text("node.playing_now", title=title, left=left) if title else text("node.playing_other", left=left)
        )
    elif node.holds:
        lines.append(text("node.held_said"))
    elif not faults(node, form):
        lines.append(text("node.well"))
    if node.simulated_output:
        lines.append(text("node.simulated_said"))
    return lines


def _facts(node: NodeOut, form: Formats) -> dict[str, str]:
    """Name what is known; what a lost node said about plan and clock may no longer be true and is left out."""
    text = form.text
    grade = text(f"grade.e{node.best_grade}") if node.best_grade is not None else ""
    there = is_heard(node)
    return {
        "self_test": _own_sound(node.self_test, form),  # first: whoever asked for it is led here
        "identified": _own_sound(node.identified, form),
        "heard_at": form.when(node.last_heard_at) if node.last_heard_at else "",
        "call_number": node.call_number if "identify" in node.commands else "",
        "plan": plan(node, form) if there else "",
        "cache": cache(node, form) if there else "",
        "clock": clock(node, form) if there else "",
        "evidence": _marked(grade, form, simulated=node.simulated_output or node.simulated_input),
        "reference": _reference(node, form),
        "volume": gain_said(node.volume_mb, VOLUMES, form, "volume"),
    }


def _marked(words: str, form: Formats, *, simulated: bool) -> str:
    return f"{words} ({form.text('grade.simulated')})" if words and simulated else words


def _own_sound(told: SelfTestOut | None, form: Formats) -> str:
    """Say what became of the last short tone, or of its number; nothing when there was none."""
    if told is None:
        return ""
    reason = form.text.word("reason", told.reason) if told.reason else form.text("node.unsaid")
    said = form.text(f"self_test.{told.result}", when=form.when(told.at), reason=reason)
    return _marked(said, form, simulated=told.simulated)


def _reference(node: NodeOut, form: Formats) -> str:
    """Say how the horns sound against their reference; nothing where none can hear them."""
    told, text = node.reference, form.text
    if told is None:
        return ""
    if told.wanted or told.taken_at is None:
        return text("reference.wanted") if told.wanted else text("reference.none")
    if told.change is None or told.judged_at is None:
        return text("reference.taken", when=form.when(told.taken_at))
    level = f"{abs(told.level_db or 0.0):.0f}"
    said = text(f"reference.{told.change}", when=form.when(told.judged_at), level=level)
    return _marked(said, form, simulated=node.simulated_input)
