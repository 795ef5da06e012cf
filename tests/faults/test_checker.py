"""The checker itself: what keeps to the rules passes, and each rule has a history that breaks it and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge_agent.protocol.states import Level, Outcome, PlayState
from tests.faults.checker import INVARIANTS, violations
from tests.faults.history import Approved, History, NodeTruth, Order, Silence, Size, Sounded, Span, Told, Wrong

T0 = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
DAY = Span(T0, T0 + timedelta(days=1))
HERE = "areas/thon-1"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def order(name: str = "b-1", begin_s: float = 600, **changes: object) -> Order:
    recording, start_at, end_at = f"r-{name}", at(begin_s), at(begin_s + 60)
    made = Order(
        broadcast_id=name,
        recordings=(recording,),
        length=timedelta(seconds=10),
        level=Level.NORMAL,
        start_at=start_at,
        latest_start_at=start_at + timedelta(seconds=30),
        latest_end_at=end_at,
        scopes=frozenset({HERE}),
        approvals=(Approved(frozenset({recording}), frozenset({HERE}), Span(start_at, end_at)),),
    )
    return replace(made, **changes)  # type: ignore[arg-type] # a test gives what fits


def sound(name: str | None = "b-1", begin_s: float = 600, length_s: float = 10, *, whole: bool = True) -> Sounded:
    return Sounded("node-1", name and f"r-{name}", at(begin_s), at(begin_s + length_s), whole)


def told(outcome: Outcome | None = Outcome.PLAYED, state: PlayState | None = None, name: str = "b-1") -> Told:
    return Told("node-1", name, state, outcome)


def good() -> History:
    """One play, as it should be."""
    node = NodeTruth(frozenset({HERE}), up=[DAY], clock_good=[DAY], reachable=[DAY], knew={"b-1": T0, "b-2": T0})
    return History(
        {"node-1": node},
        orders=[order()],
        sounds=[sound()],
        told=[told(None, PlayState.CACHED), told(None, PlayState.PLAYING), told()],
    )


def emergency(**changes: object) -> Order:
    flood = order("b-2", 2000, level=Level.EMERGENCY, latest_start_at=at(2300), latest_end_at=at(2400))
    window = Span(at(2000), at(2400))
    return replace(flood, approvals=(replace(flood.approvals[0], window=window),), **changes)  # type: ignore[arg-type]


Edit = Callable[[History], None]


def add(**more: list[Any]) -> Edit:
    """Something more of something."""

    def edit(history: History) -> None:
        for name, values in more.items():
            getattr(history, name).extend(values)

    return edit


def put(**changed: Any) -> Edit:
    """Something else instead of all of something."""

    def edit(history: History) -> None:
        for name, value in changed.items():
            setattr(history, name, value)

    return edit


def node(**changed: Any) -> Edit:
    """The node was otherwise."""

    def edit(history: History) -> None:
        for name, value in changed.items():
            setattr(history.nodes["node-1"], name, value)

    return edit


UNHEARD = put(sounds=[], told=[])
TOLD_2 = add(told=[told(name="b-2")])
ELSEWHERE = frozenset({"areas/x"})
ONCE_MORE = [sound("b-2", 2000, 5, whole=False), sound("b-2", 2020)]

BROKEN: dict[str, tuple[set[int], list[Edit]]] = {
    "sound that nobody ordered": ({1}, [add(sounds=[sound(None, 50)])]),
    "no approval": ({1}, [put(orders=[order(approvals=())])]),
    "approval of another place": (
        {1},
        [put(orders=[order(approvals=(replace(order().approvals[0], scopes=ELSEWHERE),))])],
    ),
    "before its start": ({1, 2}, [put(sounds=[sound(begin_s=595)])]),
    "after its latest start": ({2}, [put(sounds=[sound(begin_s=635)])]),
    "longer than it is": ({2}, [put(sounds=[sound(length_s=13)])]),
    "twice": ({3, 4}, [add(sounds=[sound(begin_s=615)])]),
    "two versions of a run": (
        {3},
        [
            put(orders=[order(run="b-0"), order("b-2", 1000, run="b-0")]),
            add(sounds=[sound("b-2", 1000)]),
            TOLD_2,
        ],
    ),
    "emergency three times with one crash": (
        {3},
        [add(orders=[emergency()], sounds=[*ONCE_MORE, sound("b-2", 2040)]), node(crashes=[at(2005)]), TOLD_2],
    ),
    "due and not heard": ({4}, [UNHEARD]),
    "due and cut": ({4, 6}, [put(sounds=[sound(length_s=5, whole=False)])]),
    "reachable and no emergency": ({5}, [add(orders=[emergency()])]),
    "told but not heard": ({6}, [add(orders=[order("b-2", 1000, withdrawn_at=at(900))]), TOLD_2]),
    "heard but not told": ({7}, [put(told=[])]),
    "heard and not told before it was given up": ({7}, [put(told=[]), node(revoked_at=at(620))]),
    "heard and told to be missed": ({7}, [put(told=[told(Outcome.MISSED)])]),
    "under a hold": ({8}, [add(silences=[Silence("node-1", "hold-1", at(500), at(700))])]),
    "acknowledged and lost": ({9}, [put(promised=frozenset({"hold-9"}))]),
    "ended twice": ({10}, [add(told=[told(Outcome.PLAYED)])]),
    "back again": ({10}, [put(told=[told(None, PlayState.PLAYING), told(None, PlayState.RECEIVED), told()])]),
    "fault never shown": ({11}, [add(wrongs=[Wrong("node-1", "output_lost", at(0), at(200))])]),
    "fault shown late": ({11}, [add(wrongs=[Wrong("node-1", "x", at(0), None, at(101))])]),
    "fault that stays": ({11}, [add(wrongs=[Wrong("node-1", "x", at(0), at(50), at(1))])]),
    "of another commune": (
        {1, 12},
        [
            add(orders=[order("b-2", 1000, scopes=ELSEWHERE, approvals=())], sounds=[sound("b-2", 1000)]),
            TOLD_2,
        ],
    ),
    "quiet hours": ({13}, [node(quiet=[Span(at(590), at(900))])]),
    "too big": ({14}, [add(sizes=[Size("store, bytes", 2e9, 1e9)])]),
}
"""What is wrong with a history, and which invariants must say so."""

FINE: dict[str, list[Edit]] = {
    "nothing": [],
    "cut by a crash": [
        put(sounds=[sound(length_s=5, whole=False)], told=[told(Outcome.INTERRUPTED)]),
        node(crashes=[at(605)]),
    ],
    "not up": [UNHEARD, node(up=[])],
    "given up while it sounded": [put(told=[told(Outcome.CANCEL_UNCONFIRMED)]), node(revoked_at=at(605))],
    "did not know it": [UNHEARD, node(knew={})],
    "emergency again after a crash": [add(orders=[emergency()], sounds=ONCE_MORE), TOLD_2, node(crashes=[at(2005)])],
    "emergency nobody could hear of": [
        add(orders=[emergency()]),
        node(reachable=[Span(T0, at(2000)), Span(at(2020), at(2070)), Span(at(2350), at(9000))]),
    ],
    "silent within two seconds": [
        put(sounds=[sound(length_s=6.5, whole=False)], told=[told(Outcome.INTERRUPTED)]),
        add(silences=[Silence("node-1", "hold-1", at(605), at(700))]),
        node(troubled=[Span(at(605), at(700))]),
    ],
    "a fault of a moment": [add(wrongs=[Wrong("node-1", "x", at(0), at(50))])],
    "a fault as it should be": [add(wrongs=[Wrong("node-1", "x", at(0), at(500), at(99), at(599))])],
}
"""What a fault may do without breaking a promise."""


@pytest.mark.parametrize("what", BROKEN)
def test_the_checker_names_the_invariant_that_is_broken_and_no_other(what: str) -> None:
    history = good()
    expected, edits = BROKEN[what]
    for edit in edits:
        edit(history)
    found = violations(history)
    assert {one.invariant for one in found} == expected, found


@pytest.mark.parametrize("what", FINE)
def test_the_checker_holds_nobody_to_what_a_fault_took_away(what: str) -> None:
    history = good()
    for edit in FINE[what]:
        edit(history)
    assert violations(history) == []


def test_every_invariant_has_a_history_that_breaks_it() -> None:
    assert sorted(INVARIANTS) == list(range(1, 15))
    assert set().union(*(numbers for numbers, _ in BROKEN.values())) == set(INVARIANTS)
