"""How a play moves: forward only, into exactly one outcome."""

from datetime import datetime, timedelta
from typing import NamedTuple

from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason, later_state, settled_outcome

UNKNOWN_AFTER = timedelta(minutes=2)
"""Without an outcome so long after the latest end, a play is ``unknown`` until its node says more."""


WHOLE_PERCENT = 99
"""Of what was asked: with less, nothing was played whole, whatever a node says of it."""
MOST = 2**31 - 1
"""Of an integer column in PostgreSQL; as milliseconds 24 days."""


class PlayFacts(NamedTuple):
    """What is known of a play. The names are those of the row."""

    state: PlayState
    outcome: Outcome | None = None
    reason: Reason | None = None
    interrupted_by: str | None = None
    item: int | None = None
    item_at: datetime | None = None
    started_at: datetime | None = None
    start_error_ms: float | None = None
    requested_ms: int | None = None
    played_ms: int | None = None
    underruns: int | None = None
    grade: int | None = None
    simulated: bool = False


def advance(play: PlayFacts, event: PlayEvent) -> PlayFacts:
    """Take in what a node says. What comes late, doubled or out of order changes nothing that is further."""
    if event.state is not None:
        return _step(play, event, event.state)
    return play if event.outcome is None else _end(play, event, _proven(event, event.outcome))


def _bounded(count: int | None) -> int | None:
    """Cut off what no column takes: a node may say any number, and one row must not stop the others."""
    return None if count is None else min(count, MOST)


def _step(play: PlayFacts, event: PlayEvent, said: PlayState) -> PlayFacts:
    begins = said is PlayState.PLAYING
    item, item_at = _later_item(play, event) if begins else (play.item, play.item_at)
    starts = [at for at in (play.started_at, event.at if begins else None) if at is not None]
    return PlayFacts(
        state=later_state(play.state, said),
        outcome=play.outcome,
        reason=play.reason,
        interrupted_by=play.interrupted_by,
        item=item,
        item_at=item_at,
        started_at=min(starts, default=None),
        start_error_ms=play.start_error_ms if play.start_error_ms is not None else event.start_error_ms,
        requested_ms=play.requested_ms,
        played_ms=play.played_ms,
        underruns=play.underruns,
        grade=play.grade,
        simulated=play.simulated or event.simulated,
    )


def _later_item(play: PlayFacts, event: PlayEvent) -> tuple[int | None, datetime | None]:
    if event.item is None or (play.item is not None and event.item < play.item):
        return play.item, play.item_at
    is_same = event.item == play.item and play.item_at is not None
    return event.item, max(play.item_at or event.at, event.at) if is_same else event.at


def _end(play: PlayFacts, event: PlayEvent, said: Outcome) -> PlayFacts:
    if settled_outcome(play.outcome, said) is play.outcome:
        return play
    return PlayFacts(
        state=play.state,
        outcome=said,
        reason=event.reason,
        interrupted_by=event.by,
        item=play.item,
        item_at=play.item_at,
        started_at=play.started_at,
        start_error_ms=event.start_error_ms if event.start_error_ms is not None else play.start_error_ms,
        requested_ms=_bounded(event.requested_ms),
        played_ms=_bounded(event.played_ms),
        underruns=_bounded(event.underruns),
        grade=_borne_out(event, said),
        simulated=event.simulated,
    )


def _proven(event: PlayEvent, said: Outcome) -> Outcome:
    """Turn a "played" that its own numbers contradict into what they say: it was cut (promise P4)."""
    told = bool(event.requested_ms) and event.played_ms is not None
    return Outcome.INTERRUPTED if said is Outcome.PLAYED and told and not _is_whole(event) else said


def _borne_out(event: PlayEvent, said: Outcome) -> int | None:
    """Believe a grade as far as the numbers go: "played" of which no numbers tell is not verified."""
    if event.grade is None or said is not Outcome.PLAYED or _is_whole(event):
        return event.grade
    return min(event.grade, Grade.E0)


def _is_whole(event: PlayEvent) -> bool:
    if not event.requested_ms or event.played_ms is None:
        return False
    return event.played_ms * 100 >= event.requested_ms * WHOLE_PERCENT
