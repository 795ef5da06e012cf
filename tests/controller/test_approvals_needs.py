"""Who needs whom, what covers what, and what counts as heard: the rules alone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.approvals.cover import covers
from controller.approvals.listening import affordable, heard_ms, is_whole, merged
from controller.approvals.needs import Need, Place, Said, asks_another, decide
from controller.approvals.yeses import Bound
from controller.policies.rules import EffectivePolicy
from controller.policies.schemas import SecondPerson, SelfApproval
from edge_agent.protocol.states import Level

SILENT = EffectivePolicy()
FREE = EffectivePolicy(second_person=())
ASKING = EffectivePolicy(second_person=(SecondPerson(),))
OF_HEALTH = EffectivePolicy(second_person=(SecondPerson(category="health"),))
WATER = EffectivePolicy(
    second_person=(SecondPerson(),), self_approval=SelfApproval(categories=("water",), minutes=2, a_day=3)
)
LONE = EffectivePolicy(self_approval=SelfApproval(categories=("water",), minutes=2, a_day=3))
"""Nobody said who must approve, but what an author may say alone."""
NOTICE = Said(frozenset(["notice"]), Level.NORMAL, 60_000)
NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)

categories = st.frozensets(st.sampled_from([None, "notice", "health", "water"]), min_size=1, max_size=3)
policies = st.sampled_from([SILENT, FREE, ASKING, OF_HEALTH, WATER, LONE])
places = st.lists(st.builds(Place, policies, st.integers(0, 4)), min_size=1, max_size=4)
levels, lengths = st.sampled_from([Level.NORMAL, Level.PRIORITY]), st.integers(1, 300_000)
said = st.builds(
    Said, categories, levels, lengths, claimed=st.frozensets(st.sampled_from(["notice", "health", "water"]))
)


@pytest.mark.parametrize(
    ("policy", "may_give", "need"),
    [
        (SILENT, True, Need.AUTHOR),
        (SILENT, False, Need.ANOTHER),
        (FREE, False, Need.AUTHOR),
        (ASKING, True, Need.ANOTHER),
        (OF_HEALTH, False, Need.AUTHOR),  # a bulletin vouches for it
    ],
)
def test_a_silent_policy_leaves_it_to_rights_and_others_decide(
    policy: EffectivePolicy, *, may_give: bool, need: Need
) -> None:
    assert decide([Place(policy)], NOTICE, author_may_give=may_give) is need


@pytest.mark.parametrize(
    ("change", "used", "need"),
    [
        ({}, 2, Need.ALONE),
        ({}, 3, Need.ANOTHER),
        ({"length_ms": 120_001}, 0, Need.ANOTHER),
        ({"categories": frozenset(["notice"])}, 0, Need.ANOTHER),
        ({"categories": frozenset(["water", "notice"])}, 0, Need.ANOTHER),
        ({"recurs": True}, 0, Need.ANOTHER),
    ],
)
def test_an_author_may_say_alone_that_the_water_is_off_within_the_bounds(
    change: dict[str, Any], used: int, need: Need
) -> None:
    water = Said(frozenset(["water"]), Level.NORMAL, 120_000)._replace(**change)
    assert decide([Place(WATER, used)], water, author_may_give=True) is need
    assert decide([Place(LONE, used)], water, author_may_give=False) is need
    assert decide([Place(LONE, used)], water, author_may_give=True) is Need.AUTHOR


@given(found=places, wanted=said, may_give=st.booleans())
def test_one_place_more_never_asks_for_less(*, found: list[Place], wanted: Said, may_give: bool) -> None:
    order = [Need.AUTHOR, Need.ALONE, Need.ANOTHER]
    whole = order.index(decide(found, wanted, author_may_give=may_give))
    for each in found:
        if asks_another([each.policy], wanted.categories, wanted.level):
            assert whole >= order.index(decide([each], wanted, author_may_give=may_give))


@given(found=places, wanted=said, may_give=st.booleans())
def test_without_anybody_asking_for_a_second_person_rights_decide(
    *, found: list[Place], wanted: Said, may_give: bool
) -> None:
    need = decide(found, wanted, author_may_give=may_give)
    known = {wanted.known(each, author_may_give=may_give) for each in wanted.categories}
    asks = asks_another([each.policy for each in found], known, wanted.level)
    if asks is None:
        assert (need is Need.AUTHOR) is may_give
    elif asks is False:
        assert need is Need.AUTHOR
    else:
        assert need is not Need.AUTHOR


@given(found=places, wanted=said, may_give=st.booleans(), claim=st.sampled_from(["notice", "health", "water"]))
def test_neither_silence_nor_a_claim_gets_round_a_category_rule(
    *, found: list[Place], wanted: Said, may_give: bool, claim: str
) -> None:
    unsaid = wanted._replace(categories=frozenset([None]), claimed=frozenset())
    claimed = wanted._replace(categories=frozenset([claim]), claimed=frozenset([claim]))
    vouched = claimed._replace(claimed=frozenset())
    need = {each: decide(found, each, author_may_give=may_give) for each in (wanted, unsaid, claimed, vouched)}
    asking = any(place.policy.takes_second_person(rule, wanted.level) for place in found for rule in (None, claim))
    assert (need[unsaid] is Need.ANOTHER) or not asking
    if may_give:
        assert need[claimed] is need[vouched]
    elif asking:
        in_bounds = all(
            place.policy.may_approve_alone(claim, wanted.level, wanted.length_ms, place.used_today)
            for place in found
            if place.policy.takes_second_person(None, wanted.level) is not False
        )
        assert need[claimed] is (Need.ALONE if in_bounds and not wanted.recurs else Need.ANOTHER)


def bound(content: str = "a", scopes: tuple[str, ...] = ("areas/x",), start: int = 0, hours: int = 2) -> Bound:
    first = NOW + timedelta(hours=start)
    return Bound(content * 64, scopes, first, first + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        (bound(), True),
        (bound(start=1, hours=1), True),
        (bound("b"), False),
        (bound(scopes=("areas/x", "nodes/n")), False),
        (bound(start=-1), False),
        (bound(hours=3), False),
    ],
)
def test_a_yes_covers_the_same_content_within_its_places_and_time(wanted: Bound, *, covered: bool) -> None:
    assert covers(bound(), wanted) is covered


def test_of_two_yeses_neither_covers_what_they_hold_together() -> None:
    both = bound(scopes=("areas/x", "areas/y"))
    assert not covers(bound(), both)
    assert not covers(bound(scopes=("areas/y",)), both)


Spans = list[tuple[int, int]]
spans = st.lists(st.tuples(st.integers(-50, 1100), st.integers(-50, 1100)), max_size=12)


@given(spans, spans)
def test_what_was_heard_is_the_union_whatever_the_order(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    found = merged([*one, *other], 1000)
    every = {ms for start, until in [*one, *other] for ms in range(max(start, 0), min(until, 1000))}
    assert heard_ms(found) == len(every)
    assert found == sorted(found)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert found == merged([*merged(other, 1000), *merged(one, 1000)], 1000)


@pytest.mark.parametrize(
    ("most_ms", "found"),
    [
        (0, []),
        (5, [(0, 5)]),
        (15, [(0, 10), (20, 25)]),
        (99, [(0, 10), (20, 30), (40, 50)]),
    ],
)
def test_of_what_is_told_so_much_counts_as_there_was_time_for(most_ms: int, found: list[tuple[int, int]]) -> None:
    heard = [[10, 20], [30, 40]]
    assert affordable([(0, 35), (33, 60)], heard, 50, most_ms) == found


def test_a_file_is_heard_when_nearly_all_of_it_was() -> None:
    assert is_whole([(0, 490), (500, 990)], 1000)
    assert not is_whole([(0, 979)], 1000)
