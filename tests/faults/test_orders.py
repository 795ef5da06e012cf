"""Links, orders and clocks on one node in a stepped world: each fault by its name, each ending before the checker."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from edge_agent.faults import Fault
from edge_agent.protocol.states import Level, Outcome
from tests.edge_agent.fakes import NOON
from tests.faults.history import History
from tests.faults.stepped import ended, minutes, outcomes
from tests.faults.stepped_centre import SELF
from tests.faults.world import World, world


@pytest.fixture
async def one(ram: Path) -> AsyncIterator[World]:
    async with world(ram / "node") as made:
        yield made


def heard(history: History) -> list[str]:
    """Name the broadcasts that sounded, in order, each sound of them."""
    found = [history.of(sound.recording) for sound in history.sounds]
    return [order.broadcast_id if order else "?" for order in found]


def faults(one: World) -> set[str]:
    assert one.agent is not None
    return {fault.code for fault in one.agent.ground.faults.standing()}


@pytest.mark.fault("F6")
async def test_f06_a_play_in_a_partition_is_on_time_and_told_afterwards(one: World) -> None:
    one.centre.order("b-1", minutes(30))
    one.at(minutes(25), one.cut)
    await one.run(minutes(80))
    assert one.history.told[-1].outcome is None
    one.heal()
    history = await ended(one)
    assert outcomes(history) == {"b-1": Outcome.PLAYED}


@pytest.mark.fault("F7")
async def test_f07_a_node_cut_off_plays_to_the_end_of_its_lease_and_catches_nothing_up(one: World) -> None:
    days = 5
    for day in range(days):
        one.centre.order(f"b-{day}", NOON + timedelta(days=day, hours=1), send=False)
    one.centre.send_plan(lease=timedelta(days=3), exp=int((NOON + timedelta(days=8)).timestamp()))
    await one.run_for(60)
    one.instruments.synchronised = True
    one.cut()
    await one.run(NOON + timedelta(days=days))
    assert heard_so_far(one) == 3
    for order in one.history.orders[3:]:
        one.witness.trouble(order.start_at, order.latest_end_at)  # the lease is over: silence is what was promised
    history = await ended(one)
    assert heard(history) == ["b-0", "b-1", "b-2"]
    assert [outcomes(history)[f"b-{day}"] for day in (3, 4)] == [Outcome.MISSED] * 2


def heard_so_far(one: World) -> int:
    return len(one.speaker.stretches)


@pytest.mark.fault("F8")
@pytest.mark.parametrize("back", [4, 6])
async def test_f08_what_is_cancelled_in_a_partition_is_silent_if_the_node_hears_of_it_in_time(
    one: World, back: int
) -> None:
    one.centre.order("b-1", minutes(5))
    await one.run(minutes(1))
    one.cut()
    one.centre.cancel("b-1")
    one.at(minutes(back), one.heal)
    await one.run(minutes(10))
    history = await ended(one)
    assert heard(history) == ([] if back == 4 else ["b-1"])
    assert outcomes(history) == {"b-1": Outcome.CANCELLED if back == 4 else Outcome.PLAYED}


@pytest.mark.fault("F8")
async def test_f08_what_is_edited_in_a_partition_sounds_in_one_version(one: World) -> None:
    one.centre.order("b-1", minutes(5))
    await one.run(minutes(1))
    one.cut()
    one.centre.withdraw("b-1")
    one.centre.order("b-2", minutes(8), run="b-1")
    one.at(minutes(6), one.heal)
    await one.run(minutes(12))
    history = await ended(one)
    assert heard(history) == ["b-1"]


@pytest.mark.fault("F9")
async def test_f09_everything_ever_said_again_backwards_changes_nothing(one: World) -> None:
    for number in range(1, 5):
        one.centre.order(f"b-{number}", minutes(5 * number))
    one.centre.cancel("b-2")
    one.centre.hold("hold-1")
    one.centre.release("hold-1")
    for number in range(1, 22):
        one.at(minutes(number + 0.01), partial(again, one))
    await one.run(minutes(30))
    history = await ended(one)
    assert heard(history) == ["b-1", "b-3", "b-4"]
    assert one.agent is None


def again(one: World) -> None:
    for topic, token in reversed(list(one.sent)):
        one.deliver(topic, token)


STEPS = {
    "an hour on": timedelta(hours=1),
    "an hour back": timedelta(hours=-1),
    "a day on": timedelta(days=1),
    "to 1970": NOON.replace(year=1970) - NOON,
    "two minutes on": timedelta(minutes=2),
    "forty seconds back": timedelta(seconds=-40),
}


@pytest.mark.fault("F10")
@pytest.mark.parametrize("synchronised", [False, True])
@pytest.mark.parametrize("before_s", [30, -0.3])
@pytest.mark.parametrize("step", STEPS)
async def test_f10_a_clock_that_steps_makes_nothing_early_late_or_double(
    one: World, step: str, before_s: float, *, synchronised: bool
) -> None:
    """Thirty seconds before a start and in the middle of a play, with nobody to ask; an emergency sounds meanwhile."""
    for number in range(4):
        one.centre.order(f"b-{number}", minutes(10 + 20 * number), items=2)
    one.centre.order("b-tomorrow", minutes(24 * 60 + 12))
    one.at(minutes(10) - timedelta(seconds=before_s), partial(one.step_clock, STEPS[step], synchronised=synchronised))
    one.after(20 * 60, lambda: one.centre.order("b-flood", one.now(), level=Level.EMERGENCY, late_s=300))
    await one.run(minutes(80))
    history = await ended(one)
    assert "b-flood" in heard(history)
    assert history.wrongs, "the clock was wrong, and nobody noted it"


@pytest.mark.fault("F10")
async def test_f10_a_clock_that_starts_at_1970_plays_nothing_until_it_is_told_and_an_emergency_all_the_same(
    one: World,
) -> None:
    one.centre.order("b-1", minutes(10))
    one.centre.order("b-2", minutes(60))
    await one.run(minutes(1))
    one.power_cut(wall_error=NOON.replace(year=1970) - NOON)
    one._ntp_at = minutes(30)
    one.cut()
    one.start()
    await one.run(minutes(12))
    assert Fault.CLOCK_UNTRUSTED in faults(one)
    one.heal()
    one.centre.order("b-flood", one.now() + timedelta(seconds=2), level=Level.EMERGENCY, late_s=120)
    await one.run(minutes(70))
    history = await ended(one)
    assert heard(history) == ["b-flood", "b-2"]


@pytest.mark.fault("F22")
async def test_f22_an_emergency_cuts_routine_at_once_and_the_rest_follows_by_its_rule(one: World) -> None:
    one.centre.order("b-1", minutes(5), items=3)
    flood_at = minutes(5) + timedelta(milliseconds=250)
    one.at(minutes(4.9), lambda: one.centre.order("b-flood", flood_at, level=Level.EMERGENCY, late_s=60))
    await one.run(minutes(10))
    history = await ended(one)
    assert heard(history)[:2] == ["b-1", "b-flood"]
    first, flood = history.sounds[:2]
    assert not first.whole
    assert first.ended_at <= flood.begun_at <= flood_at + timedelta(seconds=1)
    assert outcomes(history)["b-1"] is Outcome.INTERRUPTED


@pytest.mark.fault("F23")
async def test_f23_two_emergencies_sound_one_after_the_other(one: World) -> None:
    for number in (2, 1):
        one.centre.order(f"b-{number}", minutes(5), items=2, level=Level.EMERGENCY, late_s=60)
    await one.run(minutes(10))
    history = await ended(one)
    assert sorted(heard(history)) == ["b-1", "b-1", "b-2", "b-2"]
    assert all(one.ended_at <= two.begun_at for one, two in zip(history.sounds, history.sounds[1:], strict=False))


@pytest.mark.fault("C35")
async def test_c35_a_stop_in_a_partition_silences_from_the_heal_on_and_through_restarts(one: World) -> None:
    for number in range(6):
        one.centre.order(f"b-{number}", minutes(10 * (number + 1)))
    one.at(minutes(5), one.cut)
    one.at(minutes(6), partial(one.centre.hold, "hold-1"))
    one.at(minutes(15), one.heal)
    one.at(minutes(25), one.power_cut)
    one.at(minutes(26), one.cut)
    one.at(minutes(27), one.start)
    one.at(minutes(45), one.heal)
    one.at(minutes(55), partial(one.centre.release, "hold-1"))
    await one.run(minutes(70))
    history = await ended(one)
    assert heard(history) == ["b-0", "b-5"]


@pytest.mark.fault("C36")
@pytest.mark.parametrize("after_ms", [-400, -100, 0, 1, 100])
async def test_c36_a_stop_in_the_moment_of_a_start_wins(one: World, after_ms: int) -> None:
    one.centre.order("b-1", minutes(5), items=3)
    at = minutes(5) + timedelta(milliseconds=after_ms)
    one.at(at, partial(one.centre.hold, "hold-1"))
    await one.run(minutes(10))
    history = await ended(one)
    assert all(sound.ended_at <= at + timedelta(milliseconds=200) for sound in history.sounds)


@pytest.mark.fault("F30", "F31")
async def test_f30_a_centre_of_an_older_epoch_moves_no_node(one: World) -> None:
    """A database of yesterday, or a second centre, with the right keys but without the epoch that was reached."""
    one.centre.order("b-old", minutes(20))
    yesterday = one.sent[-1]
    one.centre.cancel("b-old")
    one.orders.epoch = 2
    one.centre.settle()
    one.centre.order("b-new", minutes(10))
    await one.run(minutes(2))
    one.orders.epoch = 1
    ghost = one.centre.stranger_broadcast()
    one.send(one.orders.plan(ghost, version=9000))
    one.send(one.orders.urgent(ghost, claims={"version": 9000}))
    one.send(one.orders.hold(released=("hold-1",), version=9000))
    one.deliver(*yesterday)
    one.orders.epoch = 2
    await one.run(minutes(25))
    assert one.agent is not None
    assert one.agent.parts.inbox.dropped["stale"] >= 3
    history = await ended(one)
    assert heard(history) == ["b-new"]


@pytest.mark.fault("F11")
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York"])
async def test_f11_another_zone_moves_no_play(one: World, zone: str) -> None:
    one.centre.order("b-1", minutes(10))
    await one.run(minutes(2))
    one.centre.settle(zone=zone)
    one.send(one.orders.settings(SELF, one.keys, zone="Nowhere/Land"))
    await one.run(minutes(15))
    history = await ended(one)
    assert [abs(sound.begun_at - minutes(10)) < timedelta(seconds=0.1) for sound in history.sounds] == [True]
