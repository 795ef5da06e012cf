"""States go forward, outcomes stand."""

from itertools import product

import pytest

from edge_agent.protocol.states import (
    CENTRE_OUTCOMES,
    REFUSALS,
    Level,
    Outcome,
    PlayState,
    later_state,
    settled_outcome,
)


def test_progress_only_goes_forward() -> None:
    order = list(PlayState)

    for old, new in product(order, order):
        assert later_state(old, new) is order[max(order.index(old), order.index(new))]


def test_the_outcome_of_a_node_stands_for_good() -> None:
    for old, new in product(set(Outcome) - CENTRE_OUTCOMES, Outcome):
        assert settled_outcome(old, new) is old


@pytest.mark.parametrize("new", Outcome)
def test_the_guesses_of_the_centre_give_way_to_any_report(new: Outcome) -> None:
    assert settled_outcome(None, new) is new
    for guess in CENTRE_OUTCOMES:
        assert settled_outcome(guess, new) is (guess if new is Outcome.UNKNOWN else new)


def test_emergency_ranks_above_priority_above_normal() -> None:
    assert Level.EMERGENCY.rank > Level.PRIORITY.rank > Level.NORMAL.rank


def test_words_of_the_wire_are_plain() -> None:
    """They become codes in health reports, CSS classes and keys of translations."""
    for word in (*Outcome, *PlayState, *Level, *REFUSALS):
        assert word.replace("_", "").isalpha()
        assert word == word.lower()
