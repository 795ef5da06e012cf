"""Emergencies in words, one by one in a list: how far each is, who said yes. Drills are marked as such. Pure."""

from dataclasses import dataclass

from controller.emergencies.schemas import EmergencyOut
from controller.emergencies.states import UNDECIDED, SignalState
from web.formats import Formats
from web.words import Mark

_STATES = {"proposed": "part", "counting_down": "octagon", "sent": "octagon", "ended": "tick", "cancelled": "cut"}
_SIGNALS = {SignalState.COMING: "emergency.signal_coming", SignalState.LEFT_OUT: "emergency.signal_left_out"}


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
class Waiting:
    """What waits for a yes, or did a moment ago, on top of the list."""

    line: Line
    measure: str
    """How many nodes, and how long."""
    over: str
    """What became of it; empty: it waits."""


def line(each: EmergencyOut, form: Formats) -> Line:
    """Show an emergency in the list."""
    names = form.names([target.name for target in each.targets])
    when, by = form.long(each.proposed_at), each.proposed_by.name
    return Line(each.id, each.title, when, names, by, state_mark(each, form), each.drill is not None)


def waiting(each: EmergencyOut, node_count: int, looker: str, form: Formats) -> Waiting:
    """Show what waits for a yes, or what became of it; ``looker``: the id of who looks."""
    nodes = form.text("count.nodes", count=node_count)
    return Waiting(line(each, form), f"{nodes} · {form.length(each.length_ms)}", _over(each, looker, form))


def _over(each: EmergencyOut, looker: str, form: Formats) -> str:
    if each.state in UNDECIDED:
        return ""
    at = each.ended_at if each.state == "cancelled" else each.sent_at
    said = form.text("emergency.over_cancelled" if each.state == "cancelled" else "emergency.over_sent")
    return yes_said(each, looker, form) or f"{said} {form.when(at)}".strip() if at else said


def yes_said(each: EmergencyOut, looker: str, form: Formats) -> str:
    """Say that somebody gave the second yes, and when; empty: nobody did. ``looker``: the id of who looks."""
    if each.confirmed_by is None or each.confirmed_at is None:
        return ""
    key = "emergency.yes_yours" if each.confirmed_by.person_id == looker else "emergency.yes_given"
    return form.text(key, by=each.confirmed_by.name, when=form.when(each.confirmed_at))


def state_mark(each: EmergencyOut, form: Formats) -> Mark:
    """Show what it is, and how far."""
    text = form.text
    word = text(f"emergency_state.{each.state}")
    icon = _STATES[each.state]
    if each.drill is not None:
        said = text("emergency.drill_silent" if each.drill == "silent" else "emergency.drill")
        return Mark("hatched", "unsure", f"{said} · {word}")
    tone = "stop" if each.state in {"proposed", "counting_down", "sent"} else "unsure"
    kind = text(f"message_kind.{each.kind}")
    return Mark("octagon" if tone == "stop" else icon, tone, f"{kind} · {word}")


def signal_said(state: SignalState, form: Formats) -> str:
    """Say what is to be known of the alarm signal before a yes; empty: it goes first, or there is none."""
    return form.text(_SIGNALS[state]) if state in _SIGNALS else ""
