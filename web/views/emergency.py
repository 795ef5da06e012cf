"""One emergency in words: who proposed and confirmed it, all that is heard, how each node stands. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from controller.emergencies.schemas import EmergencyFollowUp, EndingOut, HoldRef, NodeFollowUp, SoundOut
from controller.emergencies.states import GlassReason
from web.formats import Formats
from web.views.emergencies import signal_said, state_mark, yes_said
from web.views.recordings import Recording
from web.words import EMERGENCY, Mark, evidence_mark, reason_said

GLASS_REASONS = tuple(str(reason) for reason in GlassReason if reason is not GlassReason.OTHER)
"""A button each."""
_SOUNDED = frozenset({"sounding", "unverified", "verified", "ended", "interrupted"})
"""Standings of nodes at which something was heard."""
CARED_FOR = frozenset({"missed", "interrupted", "unreachable"})
"""Standings whose nodes are shown without being asked for."""
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
class Held:
    """Silence that was ordered where it is aimed."""

    said: str
    lifted: bool
    """Saying it ends that silence."""
    may: bool
    """Whoever looks may end it."""


@dataclass(frozen=True)
class Ending:
    """A ready message that ends it, with all that it says."""

    id: str
    title: str
    sounds: tuple[Sound, ...]


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
    holds: tuple[Held, ...]
    endings: dict[str, list[Ending]]
    """By kind, in the order in which they are offered."""
    seconds_left: int
    """Of the cancel window."""
    broadcast_id: str | None
    is_kept_silent: bool
    """It was sent, and a STOP keeps it from some of its nodes: it sounds there when that is released."""
    follows_id: str | None
    is_follow_up: bool
    proposed_by: str
    targets: str
    node_count: str
    sounds: tuple[Sound, ...]
    """All that is heard, in order."""
    yes_said: str
    """That somebody gave the second yes, and when; empty: nobody did."""
    signal_said: str
    """That the alarm signal is not made yet, or left out; empty: nothing is to be said of it."""


def one(each: EmergencyFollowUp, node_count: int, looker: str, form: Formats) -> Emergency:
    """Show one emergency with how its nodes stand; ``looker``: the id of who looks."""
    left = (each.fires_at - form.now).total_seconds() if each.fires_at and each.state == "counting_down" else 0
    return Emergency(
        id=each.id,
        title=each.title,
        state=str(each.state),
        drill=str(each.drill or ""),
        mark=state_mark(each, form),
        lines=tuple(_lines(each, form)),
        heard=_heard(each.nodes, form) if each.broadcast_id else None,
        standings=_standings(each.nodes, form) if each.broadcast_id else (),
        seconds=tuple(Second(one.name, one.phone or "") for one in each.seconds),
        holds=tuple(Held(_held_said(hold, form), hold.is_released, hold.may_release) for hold in each.holds),
        endings=_endings(each.endings or (), form),
        seconds_left=max(0, int(left)),  # never more than there is
        broadcast_id=each.broadcast_id,
        is_kept_silent=_is_kept_silent(each),
        follows_id=each.follows_id,
        is_follow_up=each.follows_id is not None,
        proposed_by=each.proposed_by.name,
        targets=form.names([target.name for target in each.targets]),
        node_count=form.text("count.nodes", count=len(each.nodes) or node_count),
        signal_said=signal_said(each.signal, form),
        sounds=tuple(_sound(sound, form) for sound in each.sounds),
        yes_said=yes_said(each, looker, form),
    )


def _is_kept_silent(each: EmergencyFollowUp) -> bool:
    waits = each.state == "sent" and any(node.standing == "waiting" for node in each.nodes)
    return waits and any(not hold.is_released for hold in each.holds)


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


def _held_said(hold: HoldRef, form: Formats) -> str:
    key = "emergency.hold_lifted" if hold.is_released else "emergency.hold_stands"
    return form.text(key, place=hold.scope_name, since=form.since(hold.ordered_at), count=hold.node_count)


def _endings(offered: Sequence[EndingOut], form: Formats) -> dict[str, list[Ending]]:
    """Group what lies ready by what it says: that it is over, or that it was none."""
    found: dict[str, list[Ending]] = {}
    for each in offered:
        sounds = tuple(_sound(sound, form) for sound in each.sounds)
        found.setdefault(str(each.kind), []).append(Ending(each.message_id, each.title, sounds))
    return found


def _lines(each: EmergencyFollowUp, form: Formats) -> list[str]:
    text = form.text
    said = [text("emergency.length", length=form.length(each.length_ms))]
    said.append(text("emergency.proposed", by=each.proposed_by.name, when=form.when(each.proposed_at)))
    if each.confirmed_by and each.confirmed_at:
        said.append(text("emergency.confirmed", by=each.confirmed_by.name, when=form.when(each.confirmed_at)))
    if each.break_glass_by:
        said.append(text("emergency.broken", by=each.break_glass_by.name, reason=_why_alone(each, form)))
    if each.sent_at:
        said.append(text("emergency.sent", when=form.second_of(each.sent_at)))
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
    """Count nodes by evidence. Below E2 nobody but the node says so: that is never green.

    What was cut off, or began and was lost since, sounded, and stands among those that somebody has to look after: it
    is not counted twice.
    """
    sounded = [node for node in nodes if node.standing in _SOUNDED or node.started_at is not None]
    well = [node for node in sounded if node.standing not in CARED_FOR]
    grades = []
    for grade in (3, 2, 1, 0):
        those = [node for node in well if node.grade == grade]
        if those:
            simulated = any(node.simulated for node in those)
            mark = evidence_mark(grade, form.text, simulated=simulated, level=EMERGENCY)
            grades.append((len(those), mark))
    if rest := [node for node in well if node.grade is None]:
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
        said.append(reason_said(node.reason, text, cut=node.standing == "interrupted").removesuffix("."))
    if node.time_to_air_ms is not None:
        said.append(text("emergency.to_air", time=_short(node.time_to_air_ms, form)))
    if node.grade is not None:
        said.append(text(f"grade.e{node.grade}"))
    return " · ".join(said)


def _short(ms: int, form: Formats) -> str:
    """Say a time to air: tenths of a second count below a minute."""
    if ms < 60_000:
        tenths = f"{ms / 1000:.1f}"
        return form.text("emergency.tenths", seconds=tenths.replace(".", ",") if form.text.locale == "vi" else tenths)
    return form.about(timedelta(milliseconds=ms))
