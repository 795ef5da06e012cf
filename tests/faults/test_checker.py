"""The checker itself: what keeps to the rules passes, and each rule has a history that breaks it and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

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


def broken() -> dict[str, tuple[set[int], Callable[[History], None]]]:
    """Give histories by what is wrong with them, and which invariants must say so."""

    def node(history: History) -> NodeTruth:
        return history.nodes["node-1"]

    return {
        "sound that nobody ordered": ({1}, lambda h: h.sounds.append(sound(None, 50))),
        "no approval": ({1}, lambda h: h.orders.__setitem__(0, order(approvals=()))),
        "approval of another place": (
            {1},
            lambda h: h.orders.__setitem__(
                0, order(approvals=(replace(order().approvals[0], scopes=frozenset({"areas/x"})),))
            ),
        ),
        "before its start": ({1, 2}, lambda h: h.sounds.__setitem__(0, sound(begin_s=595))),
        "after its latest start": ({2}, lambda h: h.sounds.__setitem__(0, sound(begin_s=635))),
        "longer than it is": ({2}, lambda h: h.sounds.__setitem__(0, sound(length_s=13))),
        "twice": ({3, 4}, lambda h: h.sounds.append(sound(begin_s=615))),
        "two versions of a run": (
            {3},
            lambda h: (
                h.orders.__setitem__(0, order(run="b-0")),
                h.orders.append(order("b-2", 1000, run="b-0")),
                h.sounds.append(sound("b-2", 1000)),
                h.told.append(told(name="b-2")),
            ),
        ),
        "emergency three times with one crash": (
            {3},
            lambda h: (
                h.orders.append(emergency()),
                h.sounds.extend(sound("b-2", 2000 + n * 20, whole=n > 0) for n in range(3)),
                node(h).crashes.append(at(2005)),
                h.told.append(told(name="b-2")),
            ),
        ),
        "due and not heard": ({4}, lambda h: (h.sounds.clear(), h.told.clear())),
        "due and cut": ({4, 6}, lambda h: h.sounds.__setitem__(0, sound(length_s=5, whole=False))),
        "reachable and no emergency": ({5}, lambda h: h.orders.append(emergency())),
        "told but not heard": (
            {6},
            lambda h: (h.orders.append(order("b-2", 1000, withdrawn_at=at(900))), h.told.append(told(name="b-2"))),
        ),
        "heard but not told": ({7}, lambda h: h.told.clear()),
        "heard and told to be missed": ({7}, lambda h: h.told.__setitem__(2, told(Outcome.MISSED))),
        "under a hold": ({8}, lambda h: h.silences.append(Silence("node-1", "hold-1", at(500), at(700)))),
        "acknowledged and lost": ({9}, lambda h: setattr(h, "promised", frozenset({"hold-9"}))),
        "ended twice": ({10}, lambda h: h.told.append(told(Outcome.PLAYED))),
        "back again": ({10}, lambda h: h.told.insert(2, told(None, PlayState.RECEIVED))),
        "fault never shown": ({11}, lambda h: h.wrongs.append(Wrong("node-1", "output_lost", at(0), at(200)))),
        "fault shown late": ({11}, lambda h: h.wrongs.append(Wrong("node-1", "x", at(0), None, at(101)))),
        "fault that stays": ({11}, lambda h: h.wrongs.append(Wrong("node-1", "x", at(0), at(50), at(1)))),
        "of another commune": (
            {1, 12},
            lambda h: (
                h.orders.append(order("b-2", 1000, scopes=frozenset({"areas/x"}), approvals=())),
                h.sounds.append(sound("b-2", 1000)),
                h.told.append(told(name="b-2")),
            ),
        ),
        "quiet hours": ({13}, lambda h: node(h).quiet.append(Span(at(590), at(900)))),
        "too big": ({14}, lambda h: h.sizes.append(Size("store, bytes", 2e9, 1e9))),
    }


def fine() -> dict[str, Callable[[History], None]]:
    """Give what a fault may do without breaking a promise."""

    def node(history: History) -> NodeTruth:
        return history.nodes["node-1"]

    def cut(history: History) -> None:
        history.sounds[0] = sound(length_s=5, whole=False)
        history.told[2] = told(Outcome.INTERRUPTED)
        node(history).crashes.append(at(605))

    return {
        "nothing": lambda _: None,
        "cut by a crash": cut,
        "not up": lambda h: (h.sounds.clear(), h.told.clear(), setattr(node(h), "up", [])),
        "did not know it": lambda h: (h.sounds.clear(), h.told.clear(), node(h).knew.clear()),
        "emergency again after a crash": lambda h: (
            h.orders.append(emergency()),
            h.sounds.extend([sound("b-2", 2000, 5, whole=False), sound("b-2", 2020)]),
            node(h).crashes.append(at(2005)),
            h.told.append(told(name="b-2")),
        ),
        "emergency nobody could hear of": lambda h: (
            h.orders.append(emergency()),
            setattr(node(h), "reachable", [Span(T0, at(2000)), Span(at(2020), at(2070)), Span(at(2350), at(9000))]),
        ),
        "silent within two seconds": lambda h: (
            h.silences.append(Silence("node-1", "hold-1", at(605), at(700))),
            h.sounds.__setitem__(0, sound(length_s=6.5, whole=False)),
            h.told.__setitem__(2, told(Outcome.INTERRUPTED)),
            node(h).troubled.append(Span(at(605), at(700))),
        ),
        "a fault of a moment": lambda h: h.wrongs.append(Wrong("node-1", "x", at(0), at(50))),
        "a fault as it should be": lambda h: h.wrongs.append(Wrong("node-1", "x", at(0), at(500), at(99), at(599))),
    }


@pytest.mark.parametrize("what", broken())
def test_the_checker_names_the_invariant_that_is_broken_and_no_other(what: str) -> None:
    history = good()
    expected, spoil = broken()[what]
    spoil(history)
    found = violations(history)
    assert {one.invariant for one in found} == expected, found


@pytest.mark.parametrize("what", fine())
def test_the_checker_holds_nobody_to_what_a_fault_took_away(what: str) -> None:
    history = good()
    fine()[what](history)
    assert violations(history) == []


def test_every_invariant_has_a_history_that_breaks_it() -> None:
    assert sorted(INVARIANTS) == list(range(1, 15))
    assert set().union(*(numbers for numbers, _ in broken().values())) == set(INVARIANTS)
