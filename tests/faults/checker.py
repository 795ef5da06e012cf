"""The fourteen invariants, each a function from a history to what breaks it. They know the words, not the code.

What a fault may take away is no violation: each invariant says under which conditions it holds, and holds nodes to it
only there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from edge_agent.protocol.states import Outcome, PlayState
from tests.faults.history import Approved, History, NodeTruth, Order, Sounded, Span, meet

EARLY = timedelta(milliseconds=600)
"""A clock that is believed may be 250 ms and half a round trip off the centre's."""
LATE = timedelta(seconds=1)
"""How much after its latest start the first sample may leave: the same, and an output's buffer."""
LONGER = timedelta(seconds=2)
"""How much longer than its recording a sound may seem."""
SILENT_WITHIN = timedelta(seconds=2)
"""From a node's word that it obeys a STOP to exact silence."""
MARGIN = timedelta(seconds=5)
"""Before a start a node is to be whole for so long, to be held to it."""
REACHED_FOR = timedelta(seconds=60)
"""Whoever is reachable so long within an emergency's window must have sounded it."""
SHOWN_WITHIN = timedelta(seconds=100)
"""Of EN 54-16, 8.1.3; promise P6."""


@dataclass(frozen=True)
class Violation:
    """One invariant broken once."""

    invariant: int
    message: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.message}"


def inv_01_nothing_sounds_without_an_approval(history: History) -> Iterator[str]:
    """Of this audio, at this place, at this time."""
    for sound in history.sounds:
        order = history.of(sound.recording)
        if order is None:
            yield f"{_said(sound)}: nobody ordered it"
        elif not any(_approves(one, sound, history.nodes[sound.node]) for one in order.approvals):
            yield f"{_said(sound)} of {order.broadcast_id}: no approval covers it"


def inv_02_nothing_sounds_early_late_or_long(history: History) -> Iterator[str]:
    """Before its start, begun after its latest start, or longer than it is."""
    for sound, order in _ordered(history):
        if sound.begun_at < order.start_at - EARLY:
            yield f"{_said(sound)} before the start {order.start_at:%d %H:%M:%S}"
        first = min(one.begun_at for name in order.recordings for one in history.heard(sound.node, name))
        if sound.begun_at == first and first > order.latest_start_at + LATE:
            yield f"{_said(sound)} began {order.broadcast_id} after its latest {order.latest_start_at:%d %H:%M:%S}"
        if sound.ended_at > order.latest_end_at + LATE:
            yield f"{_said(sound)} goes on after the latest end {order.latest_end_at:%d %H:%M:%S}"
        if sound.ended_at - sound.begun_at > order.length + LONGER:
            yield f"{_said(sound)} is longer than {order.length}"


def inv_03_routine_begins_at_most_once(history: History) -> Iterator[str]:
    """And an emergency's items once more for each crash at most; of an edited broadcast one version."""
    for order in history.orders:
        for name in history.meant(order):
            for recording in order.recordings:
                begun = history.heard(name, recording)
                most = 1 if order.routine else 1 + _cuts(history.nodes[name], begun)
                if len(begun) > most:
                    yield f"{recording} of {order.broadcast_id} began {len(begun)} times on {name}, {most} allowed"
    runs = {(sound.node, order.run): set[str]() for sound, order in _ordered(history) if order.run}
    for sound, order in _ordered(history):
        if order.run:
            runs[sound.node, order.run].add(order.broadcast_id)
    yield from (f"{sorted(found)} of one run sounded on {node}" for (node, _), found in runs.items() if len(found) > 1)


def inv_04_what_is_due_sounds_once_and_whole(history: History) -> Iterator[str]:
    """On a node that was up, knew the time, had the audio, and was left alone."""
    for order in history.orders:
        if order.withdrawn_at is not None or not order.routine or not order.approvals:
            continue
        for name in history.meant(order):
            if _is_fit(history, order, name):
                counts = [[one.whole for one in history.heard(name, recording)] for recording in order.recordings]
                if counts != [[True]] * len(order.recordings):
                    yield f"{order.broadcast_id} was due at {order.start_at:%d %H:%M:%S} on {name}, heard: {counts}"


def inv_05_an_emergency_sounds_where_it_can_reach(history: History) -> Iterator[str]:
    """A node that was reachable for a minute within its window has sounded it whole at least once."""
    for order in history.orders:
        if order.routine or order.withdrawn_at is not None:
            continue
        window = Span(order.told_at or order.start_at, order.latest_start_at)
        for name in history.meant(order):
            node = history.nodes[name]
            if any(span.touches(window.begin_at, order.latest_end_at) for span in node.troubled):
                continue
            if sum(window.begin_at <= at <= order.latest_end_at for at in node.crashes) > 1:
                continue
            reached = meet([window], node.reachable, node.up)
            if not any(span.end_at - span.begin_at >= REACHED_FOR for span in reached):
                continue
            lacks = [one for one in order.recordings if not any(found.whole for found in history.heard(name, one))]
            if lacks:
                yield f"{order.broadcast_id} could reach {name} for a minute, and {lacks} never sounded whole"


def inv_06_played_was_heard(history: History) -> Iterator[str]:
    """The centre shows no play that the output does not."""
    orders = {order.broadcast_id: order for order in history.orders}
    for told in history.told:
        if told.outcome is not Outcome.PLAYED:
            continue
        order = orders.get(told.broadcast_id)
        names = order.recordings if order else ()
        lacks = [one for one in names if not any(found.whole for found in history.heard(told.node, one))]
        if order is None or lacks:
            yield f"{told.broadcast_id} on {told.node} is told to be played; not whole at the output: {lacks or 'all'}"


def inv_07_what_was_heard_is_told(history: History) -> Iterator[str]:
    """Once everything is whole again, no sound is unknown to the centre; but of a node that was given up."""
    if not history.healed:
        return
    ends = {(told.node, told.broadcast_id): told.outcome for told in history.told if told.outcome}
    for sound, order in _ordered(history):
        revoked_at = history.nodes[sound.node].revoked_at
        if revoked_at is not None and sound.ended_at > revoked_at - SILENT_WITHIN:
            continue  # it had no time to tell
        found = ends.get((sound.node, order.broadcast_id))
        if found not in {Outcome.PLAYED, Outcome.INTERRUPTED}:
            yield f"{_said(sound)} of {order.broadcast_id}; the centre has: {found or 'nothing'}"


def inv_08_silence_after_a_stop(history: History) -> Iterator[str]:
    """From two seconds after a node's word until a person releases it, whatever happens in between."""
    for held in history.silences:
        for sound in history.sounds:
            ends_at = held.acked_at + SILENT_WITHIN
            if sound.node == held.node and sound.ended_at > ends_at and sound.begun_at < held.released_at:
                yield f"{_said(sound)} under {held.hold_id}, obeyed since {held.acked_at:%d %H:%M:%S}"


def inv_09_what_was_acknowledged_is_a_row(history: History) -> Iterator[str]:
    """Whatever crashed since."""
    for name in sorted(history.promised - history.rows):
        yield f"{name} was acknowledged and is not in the database"


def inv_10_states_move_forward(history: History) -> Iterator[str]:
    """A play ends once, and its end does not change."""
    words = sorted(enumerate(history.told), key=lambda one: (one[1].node, one[1].broadcast_id, one[0]))
    for (node, name), group in groupby((word for _, word in words), key=lambda word: (word.node, word.broadcast_id)):
        state, outcome = PlayState.PLANNED, None
        for told in group:
            if outcome is not None:
                yield f"{name} on {node} had ended ({outcome}), then came {told.outcome or told.state}"
            if told.state is not None and told.state.rank < state.rank:
                yield f"{name} on {node} went back from {state} to {told.state}"
            state, outcome = told.state or state, told.outcome or outcome


def inv_11_faults_are_shown_and_cleared_in_time(history: History) -> Iterator[str]:
    """Within 100 s of when they could first be known, and of their end."""
    for wrong in history.wrongs:
        lasted = (wrong.until_at or datetime.max.replace(tzinfo=wrong.since_at.tzinfo)) - wrong.since_at
        if lasted > SHOWN_WITHIN and (wrong.shown_at is None or wrong.shown_at - wrong.since_at > SHOWN_WITHIN):
            yield f"{wrong.fault} of {wrong.node} since {wrong.since_at:%d %H:%M:%S}, shown: {wrong.shown_at}"
        if wrong.until_at is None or wrong.shown_at is None:
            continue
        if wrong.cleared_at is None or wrong.cleared_at - wrong.until_at > SHOWN_WITHIN:
            yield f"{wrong.fault} of {wrong.node} over at {wrong.until_at:%d %H:%M:%S}, cleared: {wrong.cleared_at}"


def inv_12_nobody_touches_another_commune(history: History) -> Iterator[str]:
    """What is ordered for one place sounds at no other, and no other tells of it."""
    for sound, order in _ordered(history):
        if not history.nodes[sound.node].places & order.scopes:
            yield f"{_said(sound)}, which was ordered for {sorted(order.scopes)}"
    scopes = {order.broadcast_id: order.scopes for order in history.orders}
    for told in history.told:
        if not history.nodes[told.node].places & scopes.get(told.broadcast_id, history.nodes[told.node].places):
            yield f"{told.node} tells of {told.broadcast_id}, which was ordered elsewhere"


def inv_13_quiet_hours_are_quiet(history: History) -> Iterator[str]:
    """But for emergencies."""
    for sound, order in _ordered(history):
        quiet = history.nodes[sound.node].quiet
        if order.routine and any(span.touches(sound.begun_at + EARLY, sound.ended_at - EARLY) for span in quiet):
            yield f"{_said(sound)} of {order.broadcast_id} in quiet hours"


def inv_14_nothing_grows_without_end(history: History) -> Iterator[str]:
    """Disk, queues and memory."""
    for size in history.sizes:
        if size.value > size.bound:
            yield f"{size.what}: {size.value:g}, at most {size.bound:g}"


INVARIANTS: dict[int, Callable[[History], Iterator[str]]] = {
    int(name.split("_")[1]): found for name, found in sorted(globals().items()) if name.startswith("inv_")
}


def violations(history: History) -> list[Violation]:
    """Give all that is broken."""
    return [Violation(number, message) for number, found in INVARIANTS.items() for message in found(history)]


def _ordered(history: History) -> Iterator[tuple[Sounded, Order]]:
    for sound in history.sounds:
        order = history.of(sound.recording)
        if order is not None:
            yield sound, order


def _approves(approved: Approved, sound: Sounded, node: NodeTruth) -> bool:
    window = Span(approved.window.begin_at - EARLY, approved.window.end_at + LATE)
    return (
        sound.recording in approved.recordings
        and bool(approved.scopes & node.places)
        and window.covers(sound.begun_at, sound.ended_at)
    )


def _cuts(node: NodeTruth, begun: list[Sounded]) -> int:
    """Count the crashes between the first begin of a sound and the last."""
    return sum(begun[0].begun_at <= at <= begun[-1].begun_at for at in node.crashes) if begun else 0


def _is_fit(history: History, order: Order, name: str) -> bool:
    node = history.nodes[name]
    begin_at, end_at = order.start_at - MARGIN, order.start_at + order.length + LONGER
    knew_at = node.knew.get(order.broadcast_id)
    whole = [any(span.covers(begin_at, end_at) for span in spans) for spans in (node.up, node.clock_good)]
    disturbed = [*node.troubled, *node.quiet, *(Span(at, at) for at in node.crashes)]
    others = [sound for sound in history.sounds if sound.node == name and sound.recording not in order.recordings]
    return (
        all(whole)
        and knew_at is not None
        and knew_at <= begin_at
        and not any(span.touches(begin_at, end_at) for span in disturbed)
        and not any(sound.ended_at > begin_at and sound.begun_at < end_at for sound in others)
        and not any(_may_have_begun(history, other, name) for other in _other_versions(history, order))
    )


def _other_versions(history: History, order: Order) -> list[Order]:
    return [other for other in history.orders if order.run and other.run == order.run and other is not order]


def _may_have_begun(history: History, order: Order, name: str) -> bool:
    """Whether it sounded, or stood when a node decides to begin it, which nobody but the node's store may know."""
    stood = order.withdrawn_at is None or order.withdrawn_at > order.start_at - MARGIN
    return stood or any(history.heard(name, recording) for recording in order.recordings)


def _said(sound: Sounded) -> str:
    return f"{sound.recording or 'an unknown sound'} at {sound.begun_at:%d %H:%M:%S.%f} on {sound.node}"
