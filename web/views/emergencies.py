"""Emergencies in words: what one would do, how far it is, how each node stands. Drills are marked as such. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from controller.broadcasts.schemas import NodeRef
from controller.emergencies.schemas import (
    EmergencyFollowUp,
    EmergencyOut,
    EmergencyPreview,
    HoldRef,
    MessageOut,
    NodeFollowUp,
)
from web.formats import Formats
from web.forms import Form, number_of
from web.problems import Problems
from web.words import Mark

MOST_TIMES = 20
"""As ``EmergencyIn.repeats``."""
DRILLS = ("marked", "silent")
SAYS = ("all_clear", "false_alarm")
_STATES = {"proposed": "part", "counting_down": "octagon", "sent": "octagon", "ended": "tick", "cancelled": "cut"}
_STANDINGS = {
    "missed": ("triangle", "care"),
    "interrupted": ("triangle", "care"),
    "unreachable": ("unknown", "care"),
    "waiting": ("part", "unsure"),
    "sounding": ("dot", "live"),
    "unverified": ("unknown", "unsure"),
    "verified": ("ticks", "good"),
    "ended": ("cut", "unsure"),
    "cancelled": ("cut", "unsure"),
    "unreporting": ("empty", "unsure"),
}
"""In the order in which people have to look after them."""


@dataclass(frozen=True)
class Draft:
    """What was chosen, as it was chosen."""

    message: str = ""
    recording: str = ""
    title: str = ""
    targets: tuple[str, ...] = ()
    times: str = "3"
    drill: str = ""
    release: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True)
class Choice:
    """A ready message to choose."""

    id: str
    title: str
    said: str
    words: tuple[str, ...]
    sounds: bool
    kind: str
    place: str


@dataclass(frozen=True)
class Release:
    """A hold in the way."""

    id: str
    said: str
    may: bool
    chosen: bool


@dataclass(frozen=True)
class Preview:
    """What it would do, or what is still missing."""

    missing: str = ""
    count: str = ""
    sentence: str = ""
    warnings: tuple[Mark, ...] = ()
    holds: tuple[Release, ...] = ()
    lacks: str = ""
    """What could not be said at once when it is over."""


@dataclass(frozen=True)
class Line:
    """An emergency in the list."""

    id: str
    title: str
    said: str
    mark: Mark
    drill: bool


@dataclass(frozen=True)
class Standing:
    """Nodes that stand alike."""

    id: str
    mark: Mark
    count: int
    nodes: tuple[tuple[str, str, str], ...]
    """Id, name, and what else is known."""


@dataclass(frozen=True)
class Emergency:
    """One emergency as a page shows it."""

    id: str
    title: str
    state: str
    drill: str
    mark: Mark
    lines: tuple[str, ...]
    standings: tuple[Standing, ...]
    holds: tuple[str, ...]
    seconds_left: int
    """Of the cancel window."""
    broadcast_id: str | None
    follows_id: str | None
    is_follow_up: bool
    proposed_by: str
    targets: str
    node_count: str
    words: tuple[str, ...]


def read_draft(typed: Form) -> Draft:
    """Take what was chosen."""
    return Draft(
        message=typed.one("message"),
        recording=typed.one("recording"),
        title=typed.one("title").strip(),
        targets=tuple(typed.many("target")),
        times=typed.one("times").strip() or "3",
        drill=typed.one("drill") if typed.one("drill") in DRILLS else "",
        release=tuple(typed.many("release")),
        again=typed.one("again") == "yes",
    )


def missing(draft: Draft, form: Formats) -> Problems:
    """Name all that was left out at once."""
    text = form.text
    said = draft.message or draft.recording
    lacks = {
        "message": "" if said else text("emergency.message_empty"),
        "title": text("wrong.title_empty") if draft.recording and not draft.message and not draft.title else "",
        "targets": "" if draft.targets else text("wrong.targets"),
        "times": "" if number_of(draft.times, most=MOST_TIMES) else text("wrong.number", most=MOST_TIMES),
    }
    return {field: words for field, words in lacks.items() if words}


def wanted(draft: Draft, targets: Sequence[str]) -> dict[str, Any]:
    """Give what the service is to be asked for."""
    return {
        "message_id": draft.message or None,
        "recordings": (draft.recording,) if draft.recording else (),
        "title": draft.title or None,
        "targets": tuple(targets),
        "drill": draft.drill or None,
        "repeats": number_of(draft.times, most=MOST_TIMES) or 1,
        "release_holds": draft.release,
        "again": draft.again,
    }


def choice(message: MessageOut, form: Formats) -> Choice:
    """Show a ready message."""
    text = form.text
    languages = [text.word("spoken", voice.language) for voice in message.voices if voice.recording_id]
    said = text("emergency.message_said", place=message.area_name, languages=", ".join(languages))
    return Choice(
        message.id,
        message.title,
        said if message.sounds else text("emergency.message_silent"),
        tuple(voice.text for voice in message.voices if voice.text),
        message.sounds,
        str(message.kind),
        message.area_name,
    )


def preview(found: EmergencyPreview, form: Formats) -> Preview:
    """Say what it would do, the count of nodes first, then who would not hear it."""
    text, run = form.text, found.broadcast
    languages = ", ".join(text.word("spoken", each) for each in found.languages)
    names = form.names(run.area_names)
    sentence = text("emergency.sentence", length=form.length(run.length_ms), languages=languages, names=names)
    warnings = [
        Mark("unknown", "care", text("emergency.offline", names=_names(found.offline, form), count=len(found.offline)))
    ] * bool(found.offline)
    if found.held:
        said = text("emergency.held", names=_names(found.held, form), count=len(found.held))
        warnings.append(Mark("square", "stop", said))
    if found.unreporting_count:
        warnings.append(Mark("empty", "unsure", text("emergency.unreporting", count=found.unreporting_count)))
    warnings += [
        Mark("triangle", "care", f"{_names(each.nodes, form)}: {text.word('reason', each.reason)}")
        for each in run.forecasts
        if each.outcome != "played" and each.reason and each.reason != "held"
    ]
    holds = tuple(_release(each, form) for each in found.holds)
    return Preview(
        count=text("count.nodes", count=run.node_count + run.unreporting_count),
        sentence=sentence,
        warnings=tuple(warnings),
        holds=holds,
        lacks=" ".join(text(f"messages.none_{kind}") for kind in found.missing_messages),
    )


def _names(nodes: Iterable[NodeRef], form: Formats) -> str:
    return form.names([node.name for node in nodes])


def _release(hold: HoldRef, form: Formats) -> Release:
    said = form.text(
        "emergency.release" if hold.may_release else "emergency.may_not_release",
        place=hold.scope_name,
        since=form.since(hold.ordered_at),
        count=hold.node_count,
    )
    return Release(hold.hold_id, said, hold.may_release, hold.is_released)


def _mark(each: EmergencyOut, form: Formats) -> Mark:
    text = form.text
    word = text(f"emergency_state.{each.state}")
    icon = _STATES[each.state]
    if each.drill is not None:
        said = text("emergency.drill_silent" if each.drill == "silent" else "emergency.drill")
        return Mark("hatched", "unsure", f"{said} · {word}")
    tone = "stop" if each.state in {"proposed", "counting_down", "sent"} else "unsure"
    kind = text(f"message_kind.{each.kind}")
    return Mark("octagon" if tone == "stop" else icon, tone, f"{kind} · {word}")


def line(each: EmergencyOut, form: Formats) -> Line:
    """Show an emergency in the list."""
    names = form.names([target.name for target in each.targets])
    said = form.text("emergency.said", when=form.since(each.proposed_at), targets=names, by=each.proposed_by.name)
    return Line(each.id, each.title, said, _mark(each, form), each.drill is not None)


def one(each: EmergencyFollowUp, node_count: int, words: Sequence[str], form: Formats) -> Emergency:
    """Show one emergency with how its nodes stand; ``words``: what its message says, as far as known."""
    left = (each.fires_at - form.now).total_seconds() if each.fires_at and each.state == "counting_down" else 0
    return Emergency(
        id=each.id,
        title=each.title,
        state=str(each.state),
        drill=str(each.drill or ""),
        mark=_mark(each, form),
        lines=tuple(_lines(each, form)),
        standings=_standings(each.nodes, form) if each.broadcast_id else (),
        holds=tuple(_held_said(hold, form) for hold in each.holds),
        seconds_left=max(0, round(left)),
        broadcast_id=each.broadcast_id,
        follows_id=each.follows_id,
        is_follow_up=each.follows_id is not None,
        proposed_by=each.proposed_by.name,
        targets=form.names([target.name for target in each.targets]),
        node_count=form.text("count.nodes", count=len(each.nodes) or node_count),
        words=tuple(words),
    )


def _held_said(hold: HoldRef, form: Formats) -> str:
    return form.text(
        "emergency.hold_stands", place=hold.scope_name, since=form.since(hold.ordered_at), count=hold.node_count
    )


def _lines(each: EmergencyFollowUp, form: Formats) -> list[str]:
    text = form.text
    said = [text("emergency.length", length=form.length(each.length_ms))]
    said.append(text("emergency.proposed", by=each.proposed_by.name, when=form.when(each.proposed_at)))
    if each.confirmed_by and each.confirmed_at:
        said.append(text("emergency.confirmed", by=each.confirmed_by.name, when=form.when(each.confirmed_at)))
    if each.break_glass_by:
        reason = each.break_glass_reason or ""
        said.append(text("emergency.broken", by=each.break_glass_by.name, reason=reason))
    if each.sent_at:
        said.append(text("emergency.sent", when=form.second(each.sent_at)))
    if each.problem:
        said.append(text("emergency.not_sent", problem=text.word("emergency_problem", each.problem)))
    if each.ended_at:
        key = "emergency.ended_by" if each.ended_by else "emergency.ended"
        said.append(text(key, when=form.when(each.ended_at), by=each.ended_by.name if each.ended_by else ""))
    if each.not_followed:
        said.append(text("emergency.not_followed", names=form.names([node.name for node in each.not_followed])))
    return said


def _standings(nodes: Sequence[NodeFollowUp], form: Formats) -> tuple[Standing, ...]:
    groups = []
    for standing, (icon, tone) in _STANDINGS.items():
        those = [node for node in nodes if node.standing == standing]
        if those:
            mark = Mark(icon, tone, form.text(f"standing.{standing}"), pulse=standing == "sounding")
            mark = replace(mark, simulated=standing in {"unverified", "verified"} and any(n.simulated for n in those))
            lines = tuple((node.node_id, node.node_name, _node_said(node, form)) for node in those)
            groups.append(Standing(standing, mark, len(those), lines))
    return tuple(groups)


def _node_said(node: NodeFollowUp, form: Formats) -> str:
    text, said = form.text, []
    if node.reason is not None:
        said.append(text.word("reason", node.reason))
    if node.time_to_air_ms is not None:
        said.append(text("emergency.to_air", time=_short(node.time_to_air_ms, form)))
    if node.grade is not None:
        said.append(text(f"grade.e{node.grade}"))
    return " · ".join(said)


def _short(ms: int, form: Formats) -> str:
    """Say a time to air: tenths of a second count below a minute."""
    if ms < 60_000:
        return form.text("emergency.tenths", seconds=f"{ms / 1000:.1f}")
    return form.about(timedelta(milliseconds=ms))
