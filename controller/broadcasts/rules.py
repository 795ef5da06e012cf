"""What a broadcast is made of and how far it is. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from edge_agent.protocol.content import Item, Voice
from edge_agent.protocol.states import PlayState

START_GRACE = timedelta(seconds=30)
"""A start this far in the past is taken: it was typed a moment ago."""
LATEST_START_AFTER = timedelta(minutes=5)
LATEST_START_AFTER_NOW = timedelta(minutes=2)
"""Nobody expects what was said "now" five minutes later."""
END_MARGIN = timedelta(seconds=60)
FARTHEST = timedelta(days=366)
"""Further ahead a typing slip is likelier than a wish."""
LONGEST_WINDOW = timedelta(hours=24)
MAX_ITEMS = 50


class Phase(StrEnum):
    """How far a broadcast is as a whole."""

    SENDING = "sending"
    """Not yet on every node."""
    READY = "ready"
    """Every node has it, sound included."""
    ON_AIR = "on_air"
    AWAITING_REPORTS = "awaiting_reports"
    """Its time is up and nodes played it; others have not said what they did."""
    OVER = "over"
    CANCELLED = "cancelled"
    AWAITING_APPROVAL = "awaiting_approval"
    """Nobody who may has approved it yet: no node knows of it."""
    RETURNED = "returned"
    """Whoever was asked to approve it said no, with a reason: it has to be changed, or cancelled."""
    WITHDRAWN = "withdrawn"
    """Who asked for a yes to its schedule took that back: nobody is asked until the schedule is edited."""
    NOT_APPROVED = "not_approved"
    """Its latest start passed before somebody did."""
    REPLACED = "replaced"
    """By a later version of itself, before it began."""
    TAKEN_OUT = "taken_out"
    """Of its schedule, before it began, and nothing stands in its place."""


ENDED = frozenset({Phase.OVER, Phase.CANCELLED, Phase.NOT_APPROVED, Phase.REPLACED, Phase.TAKEN_OUT})
"""Nothing of it is to come."""


class During(StrEnum):
    """How what is said now comes into a session that is on air. The session goes on with its next item."""

    AFTER_ITEM = "after_item"
    """When the item that sounds has ended."""
    FADE = "fade"
    """At once: the item that sounds fades out."""


class Piece(NamedTuple):
    """One recording in a broadcast."""

    sha256: str
    bytes: int
    length_ms: int
    language: str
    gain_mb: int = 0


class Slot(NamedTuple):
    """One slot as nodes get it, with where its voices come from."""

    item: Item
    recording_ids: tuple[str, ...]
    """Of the voices, one for each."""
    bulletin_id: str | None = None
    """None: not out of a bulletin; the same for the two below."""
    bulletin_version: int | None = None
    category: str | None = None


class Window(NamedTuple):
    """When a broadcast may sound."""

    start_at: datetime
    latest_start_at: datetime
    latest_end_at: datetime


class PlayCount(NamedTuple):
    """Plays of a broadcast that are alike."""

    state: PlayState
    outcome: str | None
    grade: int | None
    simulated: bool
    plays: int


def items_of(pieces: Iterable[Piece]) -> tuple[Item, ...]:
    """Lay recordings end to end."""
    items, offset_ms = [], 0
    for piece in pieces:
        voice = Voice(
            language=piece.language,
            sha256=piece.sha256,
            bytes=piece.bytes,
            length_ms=piece.length_ms,
            gain_mb=piece.gain_mb,
        )
        items.append(Item(offset_ms=offset_ms, voices=(voice,)))
        offset_ms += piece.length_ms
    return tuple(items)


def phase_of(
    counts: Sequence[PlayCount], *, ends_at: datetime, latest_end_at: datetime, cancelled: bool, now: datetime
) -> Phase:
    """Say how far a broadcast is, from its plays and the clock. ``ends_at``: when it ends if it starts on time."""
    open_plays = [each for each in counts if each.outcome is None and each.plays]
    if cancelled:
        return Phase.CANCELLED
    if not open_plays or now >= latest_end_at:
        return Phase.OVER
    if any(each.state is PlayState.PLAYING for each in open_plays):
        return Phase.ON_AIR
    if any(each.outcome == "played" for each in counts):
        return Phase.ON_AIR if now < ends_at else Phase.AWAITING_REPORTS
    return Phase.READY if all(each.state.rank >= PlayState.CACHED.rank for each in open_plays) else Phase.SENDING


def ready_count(counts: Iterable[PlayCount]) -> int:
    """Count the plays whose sound lies on the node, or did before they ended."""
    return sum(each.plays for each in counts if each.state.rank >= PlayState.CACHED.rank)


def by_name(counts: Iterable[PlayCount]) -> dict[str, int]:
    """Count plays by outcome, the open ones by state."""
    found: Counter[str] = Counter()
    for each in counts:
        found[each.outcome or str(each.state)] += each.plays
    return dict(found)


def by_grade(counts: Iterable[PlayCount]) -> dict[str, int]:
    """Count the played ones by grade of evidence: ``e1``, ``e2``…, simulated ones as ``e1_simulated``."""
    found: Counter[str] = Counter()
    for each in counts:
        if each.outcome == "played" and each.grade is not None:
            found[f"e{each.grade}" + ("_simulated" if each.simulated else "")] += each.plays
    return dict(found)
