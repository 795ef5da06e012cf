"""Merging what the areas and the node list: once each, whoever comes first."""

from datetime import datetime
from itertools import permutations

import msgspec

from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.listings import merge
from edge_agent.protocol.states import Level
from tests.edge_agent.protocol.factories import COMMUNE, HAMLET, NODE, after, broadcast

NEWS = broadcast("news", scopes=(HAMLET, COMMUNE))
FLOOD = broadcast("flood", level=Level.EMERGENCY)
Plans = list[tuple[str, datetime, list[Broadcast]]]


def test_a_broadcast_listed_by_several_counts_once_with_the_longest_lease() -> None:
    plans: Plans = [(HAMLET, after(10), [NEWS]), (COMMUNE, after(30), [NEWS]), (NODE, after(20), [NEWS])]

    for order in permutations(plans):
        ((key, found),) = merge(order, []).items()
        assert (key, found.broadcast, found.urgent) == ("news", NEWS, False)
        assert found.scopes == {HAMLET, COMMUNE, NODE}
        assert found.lease_until == after(30)


def test_what_an_urgent_lists_has_no_lease_whatever_plans_list_it() -> None:
    found = merge([(HAMLET, after(10), [FLOOD])], [(COMMUNE, [FLOOD])])["flood"]

    assert (found.urgent, found.lease_until, found.scopes) == (True, None, frozenset({HAMLET, COMMUNE}))


def test_of_two_different_broadcasts_under_one_name_the_same_rules_in_any_order() -> None:
    other = msgspec.structs.replace(NEWS, order=9)
    third = msgspec.structs.replace(NEWS, order=5)
    plans: Plans = [(NODE, after(10), [third]), (HAMLET, after(10), [other]), (COMMUNE, after(10), [NEWS])]

    assert {merge(order, [])["news"].broadcast for order in permutations(plans)} == {NEWS}
    assert merge(plans, [(HAMLET, [other])])["news"].broadcast is other


def test_what_has_begun_stays_as_it_was_and_goes_on_unlisted() -> None:
    changed = msgspec.structs.replace(NEWS, order=9)

    listed = merge([(HAMLET, after(10), [changed])], [], [(NEWS, False)])["news"]
    unlisted = merge([], [], [(NEWS, False), (FLOOD, True)])

    assert (listed.broadcast, listed.scopes, listed.lease_until) == (NEWS, frozenset({HAMLET}), after(10))
    assert {key: (one.urgent, one.scopes, one.lease_until) for key, one in unlisted.items()} == {
        "news": (False, frozenset(), None),
        "flood": (True, frozenset(), None),
    }


def test_what_began_by_an_urgent_stays_urgent_when_only_a_plan_lists_it() -> None:
    found = merge([(HAMLET, after(10), [FLOOD])], [], [(FLOOD, True)])["flood"]

    assert (found.urgent, found.lease_until) == (True, None)
