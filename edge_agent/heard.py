"""What the agent asks its ears and what they answer. Types only."""

from typing import Literal

import msgspec

Sensed = Literal["heard", "not_heard", "unsure"]
Change = Literal["same", "weaker", "different", "silent"]


class Way(msgspec.Struct, frozen=True):
    """What came of what was sent: ``audio.reference.Transfer``, as it travels and is kept."""

    sent: tuple[float, ...]
    heard: tuple[float, ...]
    chance: tuple[float, ...]
    arrivals: tuple[float, ...]


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """Was this heard? The samples follow, both s16 mono at 48 kHz."""

    sent_bytes: int
    captured_bytes: int


class Compare(msgspec.Struct, frozen=True, tag="compare"):
    """Is the place as it was?"""

    reference: tuple[Way, ...]
    """Of the pieces of one session."""
    now: tuple[Way, ...]


Request = Piece | Compare


class PieceHeard(msgspec.Struct, frozen=True, kw_only=True):
    """Answers ``Piece``; see ``audio.hearing.Hearing``."""

    verdict: Sensed
    clarity: float = 0.0
    score: float = 0.0
    delay_ms: float = 0.0
    captured_dbfs: float = -200.0
    way: Way | None = None
    """Only when it was heard."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Answers ``Compare``; see ``audio.reference.Comparison``."""

    change: Change
    level_db: float
    colour_db: float
    moved: float
