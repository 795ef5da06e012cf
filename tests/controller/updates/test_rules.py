"""What a rollout does next: never more than its wave, nothing after its threshold, and no further by a lie."""

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as quickly
from hypothesis import strategies as st

from controller.updates.progress import AWAY_AFTER, LOST_AFTER, PATIENCE
from controller.updates.rules import AGAIN_AFTER, next_steps
from controller.updates.states import TROUBLE, UNDER_WAY, Member, RolloutState, State, Steps, Stopped
from controller.updates.waves import check_waves, reach
from edge_agent.protocol.updates import UpdateReport, UpdateState

from .fleet import CRASHES, DIES, FINE, LIES, NEVER_THERE, REFUSES, RELEASE, Walk, fleet

FATES = (FINE, FINE, FINE, FINE, FINE, CRASHES, REFUSES, DIES, LIES, NEVER_THERE)


def test_a_good_release_reaches_all_in_growing_waves() -> None:
    walk = Walk(fleet(*[FINE] * 40))
    walk.run()
    assert (walk.ends, walk.count(State.GOOD)) == (RolloutState.DONE, 40)
    sizes = [sum(each.wave == wave for each in walk.rows.values()) for wave in range(4)]
    assert sizes == [1, 1, 8, 30]
    begins = [min(at for at, name in walk.told if walk.rows[name].wave == wave) for wave in range(4)]
    assert all(later - earlier >= walk.soak for earlier, later in pairwise(begins))
    assert len(walk.told) == 40, "told once each"


@pytest.mark.parametrize("fate", [CRASHES, REFUSES, DIES])
def test_one_node_in_trouble_in_the_first_wave_stops_it(fate: str) -> None:
    walk = Walk(fleet(fate, *[FINE] * 40))
    walk.run()
    assert (walk.ends, walk.why) == (RolloutState.STOPPED, Stopped.FIRST_WAVE)
    assert {name for _, name in walk.told} == {"n-0000"}
    assert walk.count(State.PLANNED) == 40


@pytest.mark.parametrize(("bad", "stops"), [(4, False), (5, True)])
def test_in_a_later_wave_so_many_percent_may_go_wrong_and_no_more(bad: int, *, stops: bool) -> None:
    walk = Walk(fleet(FINE, *[CRASHES] * bad, *[FINE] * 80), waves=("1", "100%"))
    walk.run()
    assert (walk.why is Stopped.TOO_MANY) == stops
    assert walk.count(State.RETURNED) == bad
    assert (walk.ends is RolloutState.DONE) != stops


def test_a_release_that_all_nodes_fail_reaches_none_but_the_first() -> None:
    walk = Walk(fleet(*[CRASHES] * 1000))
    walk.run()
    assert (walk.ends, walk.count(*TROUBLE), walk.count(State.PLANNED)) == (RolloutState.STOPPED, 1, 999)


def test_who_is_away_holds_up_nobody_and_is_told_when_it_comes() -> None:
    walk = Walk(fleet(NEVER_THERE, *[FINE] * 19))
    walk.run(limit=5 * PATIENCE)
    assert (walk.ends, walk.count(State.GOOD), walk.rows["n-0000"].state) == (None, 19, State.PLANNED)
    walk.devices[0].online = True
    walk.devices[0].fate = FINE
    walk.run()
    assert (walk.ends, walk.count(State.GOOD)) == (RolloutState.DONE, 20)


def test_a_centre_that_sees_one_node_alone_does_not_take_it_for_all() -> None:
    """The link of a whole province breaks: what is good on the one node left says nothing of the others."""
    walk = Walk(fleet(FINE, *[NEVER_THERE] * 99))
    walk.run(limit=PATIENCE / 2)
    for each in walk.devices:
        each.online, each.fate = True, FINE
    walk.look()
    assert sum(each.wave is not None for each in walk.rows.values()) <= reach("5%", 100)


def test_a_node_that_went_away_before_it_answered_is_told_again_when_it_is_back() -> None:
    walk = Walk(fleet(FINE))
    device = walk.devices[0]
    device.take = lambda _command_id: None  # type: ignore[method-assign,assignment]  # the command is lost
    walk.look()
    device.online, device.fate = False, NEVER_THERE
    walk.step(int(AWAY_AFTER / timedelta(minutes=1)) + 1)
    walk.look()
    assert walk.rows["n-0000"].state is State.PLANNED
    del device.take
    device.online, device.fate = True, FINE
    walk.run()
    assert (walk.ends, len(walk.told)) == (RolloutState.DONE, 2)


def test_an_answer_that_does_not_come_is_asked_for_again_with_the_same_command() -> None:
    walk = Walk(fleet(FINE))
    commands: list[str] = []
    walk.devices[0].take = commands.append  # type: ignore[method-assign,assignment]
    for _ in range(4):
        walk.look()
        walk.step(int(AGAIN_AFTER / timedelta(minutes=1)) - 1)
        assert walk.look().tell == ()
        walk.step()
    assert len(commands) == 4
    assert len(set(commands)) == 1
    walk.step(int(AWAY_AFTER / timedelta(minutes=1)))
    walk.look()
    assert len(set(commands)) == 2, "after an hour it is asked anew"


def test_a_node_with_something_more_important_to_do_is_left_alone() -> None:
    walk = Walk(fleet(*[FINE] * 5), spared=frozenset({"n-0000", "n-0001"}))
    walk.run(limit=timedelta(days=4))
    assert {name for _, name in walk.told} == {"n-0002", "n-0003", "n-0004"}
    walk.spared = frozenset()
    walk.run()
    assert walk.ends is RolloutState.DONE


def test_while_it_is_paused_nobody_is_told_and_what_nodes_say_counts() -> None:
    walk = Walk(fleet(*[FINE] * 3), waves=("2", "100%"), soak=timedelta(0))
    walk.look()
    walk.paused = True
    for _ in range(30):
        walk.step(5)
        assert walk.look().tell == ()
    assert (walk.count(State.GOOD), walk.count(State.PLANNED)) == (2, 1)
    walk.paused = False
    walk.run()
    assert walk.ends is RolloutState.DONE


def test_good_without_being_sent_is_a_lie_and_moves_nothing() -> None:
    walk = Walk(fleet(FINE, LIES, FINE), spared=frozenset({"n-0001"}))
    walk.step()
    steps = walk.look()
    assert steps.lies == ("n-0001",)
    assert walk.rows["n-0001"].state is State.PLANNED


def test_good_while_another_release_runs_is_a_lie() -> None:
    walk = Walk(fleet(LIES, FINE))
    walk.look()
    walk.step()
    command = walk.rows["n-0000"].commands[-1]
    said = UpdateReport(command_id=command, release=RELEASE, state=UpdateState.GOOD)
    member = replace(walk.rows["n-0000"], report=said, running=3, online=True)
    steps = next_steps(walk.course, [member], walk.now, running=True)
    assert (steps.changes, steps.lies) == ((), ("n-0000",))


def test_what_it_said_of_an_earlier_rollout_of_this_release_does_not_count() -> None:
    walk = Walk(fleet(FINE))
    old = UpdateReport(command_id="of-before", release=RELEASE, state=UpdateState.REFUSED, reason="no_room")
    walk.devices[0].report = old
    walk.run()
    assert (walk.ends, walk.count(State.GOOD)) == (RolloutState.DONE, 1)


def test_a_node_refuses_a_token_that_it_could_not_read() -> None:
    walk = Walk(fleet(FINE))
    walk.look()
    walk.devices[0].report = UpdateReport(
        command_id=walk.rows["n-0000"].commands[-1], state=UpdateState.REFUSED, reason="unknown_key"
    )
    steps = walk.look()
    assert [(each.state, each.reason) for each in steps.changes] == [(State.REFUSED, "unknown_key")]
    assert steps.why is Stopped.FIRST_WAVE


def test_a_node_that_was_lost_and_comes_back_still_says_how_it_ended() -> None:
    walk = Walk(fleet(FINE, DIES, *[FINE] * 60), waves=("1", "100%"))
    walk.run(limit=timedelta(hours=1, minutes=30))
    walk.step(int(LOST_AFTER / timedelta(minutes=1)) + 60)
    walk.look()
    states = [walk.rows["n-0001"].state]
    device = walk.devices[1]
    device.online, device.fate, device.running = True, CRASHES, 3
    assert device.report is not None
    device.report = UpdateReport(
        command_id=device.report.command_id, release=RELEASE, state=UpdateState.RETURNED, reason="no_link"
    )
    walk.look()
    assert [*states, walk.rows["n-0001"].state] == [State.LOST, State.RETURNED]


def test_who_runs_it_already_or_is_gone_is_left_out() -> None:
    walk = Walk(fleet(FINE, FINE, FINE))
    walk.devices[0].running = RELEASE
    members = [replace(each, gone=each.node_id == "n-0001") for each in walk.members()]
    steps = next_steps(walk.course, members, walk.now, running=True)
    skipped = {each.node_id: each.reason for each in steps.changes if each.state is State.SKIPPED}
    assert skipped == {"n-0000": "already", "n-0001": "removed"}
    assert [each.node_id for each in steps.tell] == ["n-0002"]


def test_a_release_whose_time_is_over_is_sent_no_more() -> None:
    walk = Walk(fleet(*[FINE] * 4))
    walk.look()
    walk.now = walk.course.expires_at
    steps = walk.look()
    assert (steps.ends, steps.why, steps.tell) == (RolloutState.STOPPED, Stopped.EXPIRED, ())


@pytest.mark.parametrize(
    ("waves", "right"),
    [
        (("1", "5%", "25%", "100%"), True),
        (("100%",), True),
        (("100%", "5%"), False),
        (("0", "100%"), False),
        (("120%", "100%"), False),
        (("1\n", "100%"), False),
        ((), False),
        (("1",) * 16 + ("100%",), False),
    ],
)
def test_waves_end_with_all(waves: tuple[str, ...], *, right: bool) -> None:
    assert check_waves(waves) == right


@dataclass
class Watch:
    """Looks over a walk's shoulder."""

    walk: Walk

    def look(self) -> None:
        walk = self.walk
        inside = sum(each.wave is not None for each in walk.rows.values())
        before, wave = dict(walk.rows), walk.course.wave
        steps = walk.look()
        self._never_more_than_the_wave(steps, before, inside)
        self._nothing_after_the_threshold(steps)
        self._nobody_who_does_not_hear(steps)
        if steps.wave != wave:
            self._only_after_the_last(before, wave)
        assert not any(row.state is State.GOOD for row in walk.rows.values() if row.sent_at is None)
        assert not any(walk.rows[each.node_id].state is State.GOOD for each in walk.devices if each.fate == LIES)

    def _never_more_than_the_wave(self, steps: Steps, before: dict[str, Member], inside: int) -> None:
        walk = self.walk
        joined = [each for each in steps.changes if each.state is State.TOLD and before[each.node_id].wave is None]
        room = reach(walk.waves[steps.wave], len(walk.devices)) - inside
        left = [each for each in steps.changes if each.wave is None and before[each.node_id].wave is not None]
        assert len(joined) <= max(0, room + len(left))
        assert {each.node_id for each in joined} <= {each.node_id for each in steps.tell} | walk.spared

    def _nothing_after_the_threshold(self, steps: Steps) -> None:
        walk = self.walk
        for wave in range(walk.course.wave + 1):
            own = [each for each in walk.rows.values() if each.wave == wave]
            wrong = sum(each.state in TROUBLE for each in own)
            if wrong > (0 if wave == 0 else len(own) * walk.error_percent // 100):
                assert steps.tell == ()

    def _nobody_who_does_not_hear(self, steps: Steps) -> None:
        there = {each.node_id for each in self.walk.devices if each.online}
        assert {each.node_id for each in steps.tell} <= there - self.walk.spared
        assert not (steps.tell and self.walk.paused)

    def _only_after_the_last(self, before: dict[str, Member], wave: int) -> None:
        walk = self.walk
        for row in before.values():
            if row.wave == wave and row.state in UNDER_WAY and row.online:
                assert row.state_at is not None
                assert walk.now - row.state_at >= PATIENCE or walk.rows[row.node_id].state not in UNDER_WAY
        assert any(row.state is State.GOOD for row in walk.rows.values())


@quickly(derandomize=True, database=None, deadline=None, max_examples=40)
@given(
    fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=30),
    drops=st.sampled_from([0.0, 0.005, 0.1]),
    seed=st.integers(0, 2**32),
    percent=st.sampled_from([0, 5, 20, 50]),
    waves=st.sampled_from([("1", "5%", "25%", "100%"), ("1", "100%"), ("3", "50%", "100%"), ("100%",)]),
)
def test_whatever_nodes_do_a_wave_is_never_exceeded_and_a_threshold_never_passed(
    fates: list[str], drops: float, seed: int, percent: int, waves: tuple[str, ...]
) -> None:
    walk = Walk(fleet(*fates, drops=drops), waves=waves, error_percent=percent, random=Random(seed))
    watch, chance = Watch(walk), Random(seed)
    for _ in range(90):
        if walk.ends is not None:
            break
        walk.paused = chance.random() < 0.1
        walk.spared = frozenset(each.node_id for each in walk.devices if chance.random() < 0.05)
        watch.look()
        walk.step(chance.choice([1, 5, 20, 60]))
    if walk.ends is RolloutState.DONE:
        assert walk.count(State.GOOD, State.SKIPPED, *TROUBLE) == len(walk.devices)


@pytest.mark.parametrize("seed", range(5))
def test_a_good_release_reaches_nodes_with_bad_links_too(seed: int) -> None:
    walk = Walk(fleet(*[FINE] * 25, drops=0.03), random=Random(seed))
    walk.run(limit=timedelta(days=20), every=7)
    assert (walk.ends, walk.count(State.GOOD)) == (RolloutState.DONE, 25)
