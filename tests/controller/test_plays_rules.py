"""What a node says of a play is believed as far as its numbers go."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from controller.plays.rules import PlayFacts, advance
from edge_agent.protocol.states import Grade, Outcome, PlayState
from tests.controller.factories import play_event

NOW = datetime(2026, 3, 9, 3, tzinfo=UTC)
counts = st.none() | st.integers(0, 10**7)
SOUNDED = [Grade.E1, Grade.E2, Grade.E3]


@given(requested=counts, played=counts, grade=st.sampled_from(SOUNDED))
def test_no_grade_without_numbers_that_bear_it(requested: int | None, played: int | None, grade: Grade) -> None:
    said = play_event("b", 1, NOW, outcome=Outcome.PLAYED, grade=grade, requested_ms=requested, played_ms=played)
    after = advance(PlayFacts(PlayState.PLAYING), said)
    whole = bool(requested) and played is not None and 100 * played >= 99 * (requested or 0)
    contradicted = bool(requested) and played is not None and not whole
    assert after.outcome is (Outcome.INTERRUPTED if contradicted else Outcome.PLAYED)
    assert after.grade == (grade if whole or contradicted else Grade.E0)


@given(requested=counts, played=counts, grade=st.sampled_from(SOUNDED))
def test_what_was_cut_keeps_its_grade(requested: int | None, played: int | None, grade: Grade) -> None:
    said = play_event("b", 1, NOW, outcome=Outcome.INTERRUPTED, grade=grade, requested_ms=requested, played_ms=played)
    assert advance(PlayFacts(PlayState.PLAYING), said).grade == grade
