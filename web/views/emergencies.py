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
    SoundOut,
)
from controller.emergencies.states import GlassReason
from web.formats import Formats
from web.forms import Form, number_of
from web.problems import Problems
from web.views.recordings import Recording
from web.views.scope_map import ScopeMap, scope_map
from web.words import EMERGENCY, Mark, evidence_mark

MOST_TIMES = 20
"""As ``EmergencyIn.repeats``."""
DRILLS = ("marked", "silent")
SAYS = ("all_clear", "false_alarm")
GLASS_REASONS = tuple(str(reason) for reason in GlassReason if reason is not GlassReason.OTHER)
"""A button each."""
_SOUNDED = frozenset({"sounding", "unverified", "verified", "ended", "interrupted"})
"""Standings of nodes at which something was heard."""
CARED_FOR = frozenset({"missed", "interrupted", "unreachable"})
"""Standings whose nodes are shown without being asked for."""
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

    key: str = ""
    """Makes sending twice be once."""
    message: str = ""
    recording: str = ""
    title: str = ""
    targets: tuple[str, ...] = ()
    times: str = "3"
    drill: str = ""
    release: tuple[str, ...] = ()
    again: bool = False
    text: str = ""
    """What a machine is to read aloud: it becomes the recording."""
    voice: str = "vi"


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
    map: ScopeMap | None = None


@dataclass(frozen=True)
class Line:
    """An emergency in the list."""

    id: str
    title: str
    when: str
    targets: str
    by: str
    mark: Mark
    drill: bool


@dataclass(frozen=True)
class Heard:
    """At how many nodes it sounded by now, and how that is known."""

    count: int
    total: int
    """Nodes that report."""
    grades: tuple[tuple[int, Mark], ...]
    """How many, best evidence first; what only sounds yet has none."""


@dataclass(frozen=True)
class Second:
    """Somebody to be called for the second yes."""

    name: str
    phone: str


@dataclass(frozen=True)
class Standing:
    """Nodes that stand alike."""

    id: str
    mark: Mark
    count: int
    nodes: tuple[tuple[str, str, str], ...]
    """Id, name, and what else is known."""
    is_open: bool
    """They need somebody: their names are shown at once."""


@dataclass(frozen=True)
class Sound:
    """One recording that is heard."""

    player: Recording
    said: str
    """Language, length, how often."""
    words: str
    """What it says; empty: not known."""
    is_signal: bool
    """The same before every emergency: named, and not listened to first, so that the yes below stays in sight."""


@dataclass(frozen=True)
class Emergency:
    """One emergency as a page shows it."""

    id: str
    title: str
    state: str
    drill: str
    mark: Mark
    lines: tuple[str, ...]
    heard: Heard | None
    """None: it was not sent yet."""
    standings: tuple[Standing, ...]
    seconds: tuple[Second, ...]
    """Who may say the second yes, while that is waited for."""
    holds: tuple[str, ...]
    seconds_left: int
    """Of the cancel window."""
    broadcast_id: str | None
    follows_id: str | None
    is_follow_up: bool
    proposed_by: str
    targets: str
    node_count: str
    sounds: tuple[Sound, ...]
    """All that is heard, in order."""
    yes_said: str
    """That somebody gave the second yes, and when; empty: nobody did."""
    signal_comes: bool
    """The signal is not made yet: it goes before ``sounds`` if it is in time."""


@dataclass(frozen=True)
class Waiting:
    """What waits for a yes, or did a moment ago, on top of the list."""

    line: Line
    measure: str
    """How many nodes, and how long."""
    over: str
    """What became of it; empty: it waits."""


def read_draft(typed: Form) -> Draft:
    """Take what was chosen."""
    return Draft(
        key=typed.key(),
        message=typed.one("message"),
        recording=typed.one("recording"),
        title=typed.one("title").strip(),
        targets=tuple(typed.many("target")),
        times=typed.one("times").strip() or "3",
        drill=_drill(typed),
        release=tuple(typed.many("release")),
        again=typed.one("again") == "yes",
        text=typed.one("text"),
        voice=typed.one("voice") or "vi",
    )


def _drill(typed: Form) -> str:
    """Say which drill it is. What comes from the form of a drill is one, whatever else got lost on the way."""
    drill = typed.one("drill")
    if drill in DRILLS:
        return drill
    return DRILLS[0] if typed.one("is_drill") else ""


def missing(draft: Draft, form: Formats) -> Problems:
    """Name all that was left out at once."""
    text = form.text
    unread, said = draft.text.strip() and not draft.recording, draft.message or draft.recording
    what = "emergency.message_unread" if unread else "" if said else "emergency.message_empty"
    lacks = {
        "message": text(what) if what else "",
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
    key = "emergency.sentence_signal" if found.has_signal else "emergency.sentence"
    sentence = text(key, length=form.length(run.length_ms), languages=languages, names=names)
    warnings = [
        Mark("unknown", "care", text("emergency.offline", names=_names(found.offline, form), count=len(found.offline)))
    ] * bool(found.offline)
    if found.signal_comes:
        warnings.append(Mark("unknown", "care", text("emergency.signal_comes")))
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
        map=scope_map(found.spots, run.node_count + run.unreporting_count),
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
    when, by = form.long(each.proposed_at), each.proposed_by.name
    return Line(each.id, each.title, when, names, by, _mark(each, form), each.drill is not None)


def waiting(each: EmergencyOut, node_count: int, looker: str, form: Formats) -> Waiting:
    """Show what waits for a yes, or what became of it; ``looker``: the id of who looks."""
    nodes = form.text("count.nodes", count=node_count)
    return Waiting(line(each, form), f"{nodes} · {form.length(each.length_ms)}", _over(each, looker, form))


def _over(each: EmergencyOut, looker: str, form: Formats) -> str:
    if each.state in {"proposed", "counting_down"}:
        return ""
    at = each.ended_at if each.state == "cancelled" else each.sent_at
    said = form.text("emergency.over_cancelled" if each.state == "cancelled" else "emergency.over_sent")
    return _yes_said(each, looker, form) or f"{said} {form.when(at)}".strip() if at else said


def _yes_said(each: EmergencyOut, looker: str, form: Formats) -> str:
    if each.confirmed_by is None or each.confirmed_at is None:
        return ""
    key = "emergency.yes_yours" if each.confirmed_by.person_id == looker else "emergency.yes_given"
    return form.text(key, by=each.confirmed_by.name, when=form.when(each.confirmed_at))


def _sound(each: SoundOut, form: Formats) -> Sound:
    text = form.text
    spoken = "" if each.is_signal else text.word("spoken", each.language)
    times = text("emergency.heard_times", count=each.times)
    machine = text("speech.mark") if each.is_machine else ""
    player = Recording(
        each.recording_id,
        text("emergency.signal") if each.is_signal else each.title,
        "ready",
        url=each.media_url,
        mark=form.mark(each.length_ms),
        length_ms=each.length_ms,
    )
    said = (spoken, form.length(each.length_ms), times, machine)
    return Sound(player, " · ".join(part for part in said if part), each.words, each.is_signal)


def one(each: EmergencyFollowUp, node_count: int, looker: str, form: Formats) -> Emergency:
    """Show one emergency with how its nodes stand; ``looker``: the id of who looks."""
    left = (each.fires_at - form.now).total_seconds() if each.fires_at and each.state == "counting_down" else 0
    return Emergency(
        id=each.id,
        title=each.title,
        state=str(each.state),
        drill=str(each.drill or ""),
        mark=_mark(each, form),
        lines=tuple(_lines(each, form)),
        heard=_heard(each.nodes, form) if each.broadcast_id else None,
        standings=_standings(each.nodes, form) if each.broadcast_id else (),
        seconds=tuple(Second(one.name, one.phone or "") for one in each.seconds),
        holds=tuple(_held_said(hold, form) for hold in each.holds),
        seconds_left=max(0, round(left)),
        broadcast_id=each.broadcast_id,
        follows_id=each.follows_id,
        is_follow_up=each.follows_id is not None,
        proposed_by=each.proposed_by.name,
        targets=form.names([target.name for target in each.targets]),
        node_count=form.text("count.nodes", count=len(each.nodes) or node_count),
        signal_comes=each.signal_comes,
        sounds=tuple(_sound(sound, form) for sound in each.sounds),
        yes_said=_yes_said(each, looker, form),
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
        said.append(text("emergency.broken", by=each.break_glass_by.name, reason=_why_alone(each, form)))
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


def _why_alone(each: EmergencyFollowUp, form: Formats) -> str:
    """Say the reason of whoever decided alone: the button's words, and what was typed."""
    code = each.reason_code
    on_button = form.text(f"glass_reason.{code}") if code in GLASS_REASONS else ""
    return ". ".join(said for said in (on_button, each.break_glass_reason) if said)


def _heard(nodes: Sequence[NodeFollowUp], form: Formats) -> Heard:
    """Count nodes by evidence. Below E2 nobody but the node says so: that is never green."""
    sounded = [node for node in nodes if node.standing in _SOUNDED]
    grades = []
    for grade in (3, 2, 1, 0):
        those = [node for node in sounded if node.grade == grade]
        if those:
            simulated = any(node.simulated for node in those)
            mark = evidence_mark(grade, form.text, simulated=simulated, level=EMERGENCY)
            grades.append((len(those), mark))
    if rest := [node for node in sounded if node.grade is None]:
        simulated = any(node.simulated for node in rest)
        grades.append((len(rest), Mark("dot", "live", form.text("emergency.no_grade"), simulated=simulated)))
    return Heard(len(sounded), sum(node.standing != "unreporting" for node in nodes), tuple(grades))


def _standings(nodes: Sequence[NodeFollowUp], form: Formats) -> tuple[Standing, ...]:
    groups = []
    for standing, (icon, tone) in _STANDINGS.items():
        those = [node for node in nodes if node.standing == standing]
        if those:
            mark = Mark(icon, tone, form.text(f"standing.{standing}"), pulse=standing == "sounding")
            mark = replace(mark, simulated=standing in _SOUNDED and any(node.simulated for node in those))
            lines = tuple((node.node_id, node.node_name, _node_said(node, form)) for node in those)
            groups.append(Standing(standing, mark, len(those), lines, standing in CARED_FOR))
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
