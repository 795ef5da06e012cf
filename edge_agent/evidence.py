"""What may be claimed about a play: grade E1 from frames and time, and the outcome that follows. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from edge_agent.protocol.states import Grade, Outcome, Reason
from edge_agent.protocol.timeline import Sound

RATE = 48_000
"""Frames a second of the one canonical format."""
MAX_FRAME_ERROR = 0.01
"""Expected frames ± 1 % (DESIGN section 6)."""
MIN_ELAPSED = 0.98
"""Real time that must have passed, as part of the length (DESIGN section 6)."""
MUTE_MB = -6000
"""Own gain at which nothing can be heard: the wire's lowest."""
BUFFER_MS = 100
"""A device takes its frames in buffers of up to this: between two of its calls time is measured no finer."""
MAX_SLACK_MS = 150
"""A buffer and the wavering of a busy machine."""
SLACK_PART = 0.02
"""What may be missing besides a buffer, as part of the length; and half of a sound must be seen, however short."""


class Sensation(msgspec.Struct, frozen=True, kw_only=True):
    """What a sensor told of one item."""

    sensed: Literal["heard", "not_heard", "unsure"] = "unsure"
    grade: Grade = Grade.E1
    """What may be claimed if it was heard."""
    simulated: bool = False


UNSENSED = Sensation()


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the output did with one item."""

    item: int
    requested_ms: int
    played_ms: int
    """Length whose frames were consumed."""
    start_error_ms: float | None = None
    """First frame minus the start that was due; None when no frame came out."""
    underruns: int = 0
    whole: bool = False
    """Evidence of grade E1 for the whole item."""
    grade: Grade = Grade.E0
    """For what was played of it."""
    simulated: bool = False
    sensation: Sensation = UNSENSED


class Consumed(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the output for one sound."""

    frames: int
    """Frames of the sound that the device took."""
    missing: int = 0
    """Frames that were not there when the device wanted them."""
    underruns: int = 0
    first_at: datetime | None = None
    """When the first frame left the output."""
    stamps_ms: float = 0
    """Between first and last frame, by the output's own stamps."""
    pace_ms: float = 0
    """Between the calls in which the device asked for them, by our monotonic clock."""


def slack_ms(played_ms: float) -> float:
    """How much less than its length a sound may seem to have lasted."""
    return min(MAX_SLACK_MS, BUFFER_MS + SLACK_PART * played_ms, played_ms / 2)


def weigh(sound: Sound, consumed: Consumed, *, simulated: bool, muted: bool = False) -> Heard:
    """Judge one item that has come to its end, or has been cut; ``muted`` says that the card let nothing through."""
    asked = sound.voice.length_ms * RATE // 1000
    played_ms = consumed.frames * 1000 // RATE
    steady = (
        not muted
        and sound.gain_mb > MUTE_MB
        and consumed.frames > 0
        and consumed.missing <= MAX_FRAME_ERROR * max(consumed.frames, 1)
        and min(consumed.stamps_ms, consumed.pace_ms) >= MIN_ELAPSED * played_ms - slack_ms(played_ms)
    )
    whole = steady and abs(consumed.frames - asked) <= MAX_FRAME_ERROR * asked
    error_ms = None
    if consumed.first_at is not None:
        error_ms = round((consumed.first_at - sound.begins_at).total_seconds() * 1000, 3)
    return Heard(
        item=sound.item,
        requested_ms=sound.voice.length_ms,
        played_ms=played_ms,
        start_error_ms=error_ms,
        underruns=consumed.underruns,
        whole=whole,
        grade=Grade.E1 if steady else Grade.E0,
        simulated=simulated,
    )


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a play is to be reported."""

    outcome: Outcome
    reason: Reason | None
    requested_ms: int
    played_ms: int
    start_error_ms: float | None
    underruns: int
    grade: Grade
    simulated: bool


def conclude(
    outcome: Outcome,
    reason: Reason | None,
    heard: Sequence[Heard],
    requested_ms: Mapping[int, int],
    *,
    missing: Reason,
    silent: bool = False,
) -> Verdict:
    """Turn the timeline's outcome into what may be said; ``requested_ms`` gives the items that were to sound.

    "Played" needs evidence for every item; without it the play was interrupted, for ``missing``. Of a ``silent`` drill
    the same is asked of its zeros, and no grade is told.
    """
    proven = {one.item for one in heard if one.whole}
    if outcome is Outcome.PLAYED and not (requested_ms and proven.issuperset(requested_ms)):
        outcome, reason = Outcome.INTERRUPTED, missing
    best: dict[int, Heard] = {}
    for one in heard:  # an emergency's item may have sounded twice: the fuller time counts
        best[one.item] = max(one, best.get(one.item, one), key=lambda found: (found.whole, found.played_ms))
    heard = [best[item] for item in sorted(best)]
    grades = [Grade.E0 if silent else one.grade for one in heard if one.played_ms]
    grade = min(grades, default=Grade.E0)
    sensed = _sensed(heard) if grade is Grade.E1 else ()
    simulated = any(one.simulated for one in heard) or any(one.simulated for one in sensed)
    return Verdict(
        outcome=outcome,
        reason=reason,
        requested_ms=sum(requested_ms.values()),
        played_ms=sum(one.played_ms for one in heard),
        start_error_ms=next((one.start_error_ms for one in heard if one.start_error_ms is not None), None),
        underruns=sum(one.underruns for one in heard),
        grade=min((one.grade for one in sensed), default=grade),
        simulated=simulated,
    )


def _sensed(heard: Sequence[Heard]) -> tuple[Sensation, ...]:
    """Give the sensations that prove a play: none of it was silent to the sensor, and most of it was heard.

    What is too short or too quiet to be judged is neither.
    """
    proving = [one for one in heard if one.sensation.sensed == "heard"]
    silent = any(one.sensation.sensed == "not_heard" for one in heard if one.played_ms)
    enough = sum(one.played_ms for one in proving) * 2 >= sum(one.played_ms for one in heard)
    return tuple(one.sensation for one in proving) if enough and not silent else ()
