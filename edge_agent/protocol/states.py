"""States, outcomes, reasons: the words in which a node says what became of a play."""

from enum import IntEnum, StrEnum


class Level(StrEnum):
    """How much a broadcast may push aside (Circular 39/2020, three bulletin levels)."""

    NORMAL = "normal"
    PRIORITY = "priority"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """0 for normal, 2 for emergency."""
        return _RANK_OF_LEVEL[self]


class StartMode(StrEnum):
    """Whether a broadcast waits for what is sounding."""

    SOFT = "soft"
    HARD = "hard"


class Drill(StrEnum):
    """How a broadcast that is not the real thing is told apart."""

    MARKED = "marked"
    """Sounds; its items say that it is a drill."""
    SILENT = "silent"
    """Goes the whole way, but what reaches the output are zeros."""


class PlayState(StrEnum):
    """How far a play has come, in this order."""

    PLANNED = "planned"
    """Written at the centre; the node has not said that it knows."""
    RECEIVED = "received"
    """The node holds the plan or urgent that lists it."""
    CACHED = "cached"
    """All its audio lies on the node, hash checked."""
    ARMED = "armed"
    """Decoded and placed at the output's clock; sound follows by itself."""
    PLAYING = "playing"
    """The first frame has left the output."""

    @property
    def rank(self) -> int:
        """Position in the order of progress."""
        return _RANK_OF_STATE[self]


class Outcome(StrEnum):
    """How a play ended. Exactly one, and it never changes once the node has said it."""

    PLAYED = "played"
    INTERRUPTED = "interrupted"
    MISSED = "missed"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """Centre only: no word yet. Gives way to what the node says later."""
    CANCEL_UNCONFIRMED = "cancel_unconfirmed"
    """Centre only: cancelled, but the node has not confirmed. Gives way to what the node says later."""


CENTRE_OUTCOMES = frozenset({Outcome.UNKNOWN, Outcome.CANCEL_UNCONFIRMED})
"""What the centre writes for want of a report; any report replaces it."""


class Reason(StrEnum):
    """Why a play waits, was refused, cut or missed. One vocabulary for node, centre and pages."""

    NOT_YET = "not_yet"
    BUSY = "busy"
    """Another broadcast has the node."""
    HELD = "held"
    CLOCK_UNTRUSTED = "clock_untrusted"
    OUTSIDE_WINDOW = "outside_window"
    """Not within the hours in which routine may sound."""
    QUIET_HOURS = "quiet_hours"
    PLAYS_PER_HOUR = "plays_per_hour"
    TOO_LONG = "too_long"
    NOT_APPROVED = "not_approved"
    NO_FILE = "no_file"
    CORRUPT_FILE = "corrupt_file"
    NO_SPACE = "no_space"
    LEASE_ENDED = "lease_ended"
    LATE = "late"
    OFF = "off"
    """The node was not running."""
    LATEST_END = "latest_end"
    STOPPED = "stopped"
    """An explicit stop of this broadcast."""
    WITHDRAWN = "withdrawn"
    """No longer listed before it began."""
    ALREADY_BEGUN = "already_begun"
    """Another version of its run has begun here."""
    PREEMPTED = "preempted"
    POWER = "power"
    """The node or its agent went down while this was sounding."""
    OUTPUT_LOST = "output_lost"
    SHUTDOWN = "shutdown"
    LOCAL_STOP = "local_stop"
    """Somebody has pressed the button at the node."""


REFUSALS = frozenset(
    {Reason.OUTSIDE_WINDOW, Reason.QUIET_HOURS, Reason.PLAYS_PER_HOUR, Reason.TOO_LONG, Reason.NOT_APPROVED}
)
"""Blockers that are guards: the node would not, as opposed to could not."""


class Grade(IntEnum):
    """What is known of a play (DESIGN section 6)."""

    E0 = 0
    E1 = 1
    E2 = 2
    E3 = 3


class ClockState(StrEnum):
    """How far the node believes its own clock."""

    TRUSTED = "trusted"
    HELD = "held"
    """Was trusted, not rebooted since, and within the hold time."""
    UNTRUSTED = "untrusted"


class KeyUse(StrEnum):
    """What a key may sign."""

    DISPATCH = "dispatch"
    POLICY = "policy"
    NODE = "node"
    UPDATE = "update"
    """Signs bundles of software. Kept away from the centre, which knows its public half alone."""


_RANK_OF_LEVEL = {level: rank for rank, level in enumerate(Level)}
_RANK_OF_STATE = {state: rank for rank, state in enumerate(PlayState)}


def later_state(old: PlayState, new: PlayState) -> PlayState:
    """Progress only goes forward: a report that comes late changes nothing."""
    return new if new.rank > old.rank else old


def settled_outcome(old: Outcome | None, new: Outcome) -> Outcome:
    """A node's outcome stands for good; the centre's own guesses give way to it."""
    if old is None or (old in CENTRE_OUTCOMES and new is not Outcome.UNKNOWN):
        return new
    return old
