"""How far an emergency is, why somebody decided alone, what a ready message is for. Pure: pages name them too."""

from enum import StrEnum


class MessageKind(StrEnum):
    """What a ready message is for."""

    ALERT = "alert"
    ALL_CLEAR = "all_clear"
    FALSE_ALARM = "false_alarm"
    DRILL = "drill"
    """Says that what is heard around it is not the real thing."""


class EmergencyState(StrEnum):
    """How far an emergency is."""

    PROPOSED = "proposed"
    """One person wants it; another must confirm."""
    COUNTING_DOWN = "counting_down"
    """Decided with break-glass; can be cancelled until it fires."""
    SENT = "sent"
    ENDED = "ended"
    """All-clear or false alarm was sent, or its time is over."""
    CANCELLED = "cancelled"
    """Before anything was sent."""


UNDECIDED = frozenset({EmergencyState.PROPOSED, EmergencyState.COUNTING_DOWN})
"""Steps at which nothing was sent yet and still may be."""
UNDER_WAY = UNDECIDED | {EmergencyState.SENT}


class SignalState(StrEnum):
    """Whether the alarm signal goes before what is said."""

    FIRST = "first"
    """It does."""
    COMING = "coming"
    """It is still being made: it goes first if it is ready before this is sent."""
    LEFT_OUT = "left_out"
    """With it this would be longer than nodes take."""
    NONE = "none"
    """There is none, or this is a drill, which begins with that it is one."""


class GlassReason(StrEnum):
    """Why nobody else was asked. A button each: whoever decides alone has no time to type."""

    NOBODY_REACHED = "nobody_reached"
    """No second person could be reached."""
    LIFE_IN_MINUTES = "life_in_minutes"
    """Lives are in danger within minutes."""
    CUT_OFF = "cut_off"
    """No contact with those above."""
    OTHER = "other"
    """In words."""
