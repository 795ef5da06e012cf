"""Files, power and disks on one node in a stepped world: each fault by its name, each ending before the checker."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from edge_agent import failpoints
from edge_agent.faults import Fault
from edge_agent.protocol.states import Level, Outcome
from tests.faults.history import History
from tests.faults.machine import CrashedError
from tests.faults.stepped import ended, minutes, outcomes
from tests.faults.world import World, world

EVERY = max(1, int(os.environ.get("LOA_FAULTS_BOUNDARIES", "16")))
"""``make faults`` dies at every write boundary, `make test` at some."""
WAYS = ("bit", "short", "empty", "other")


@pytest.fixture
async def one(ram: Path) -> AsyncIterator[World]:
    async with world(ram / "node") as made:
        yield made


def times_heard(history: History, name: str) -> list[bool]:
    """Say how often a broadcast of one recording sounded, and whether whole."""
    order = next(order for order in history.orders if order.broadcast_id == name)
    return [sound.whole for sound in history.heard("node-1", order.recordings[0])]


@pytest.mark.fault("F12")
@pytest.mark.parametrize("how", WAYS)
async def test_f12_a_file_that_changed_is_found_a_minute_before_and_fetched_again(one: World, how: str) -> None:
    made = one.centre.order("b-1", minutes(20))
    one.at(minutes(10), partial(one.spoil, made.items[0].voices[0].sha256, how))
    await one.run(minutes(25))
    history = await ended(one)
    assert outcomes(history) == {"b-1": Outcome.PLAYED}


@pytest.mark.fault("F12", "F33")
@pytest.mark.parametrize("how", WAYS)
async def test_f12_a_file_that_changed_and_cannot_be_fetched_does_not_sound(one: World, how: str) -> None:
    made = one.centre.order("b-1", minutes(20))
    one.centre.order("b-2", minutes(22))
    await one.run(minutes(5))
    one.sees_files = False
    one.spoil(made.items[0].voices[0].sha256, how)
    one.witness.trouble(minutes(5), minutes(21))
    await one.run(minutes(25))
    history = await ended(one)
    assert outcomes(history) == {"b-1": Outcome.MISSED, "b-2": Outcome.PLAYED}


@pytest.mark.fault("F12")
@pytest.mark.parametrize("before_s", [5, 0.3])
@pytest.mark.parametrize("how", WAYS)
async def test_f12_a_file_that_changes_after_it_was_checked_gives_no_wrong_sound(
    one: World, how: str, before_s: float
) -> None:
    made = one.centre.order("b-1", minutes(20))
    at = minutes(20) - timedelta(seconds=before_s)
    one.at(at, partial(one.spoil, made.items[0].voices[0].sha256, how))
    one.witness.trouble(at, minutes(21))
    await one.run(minutes(25))
    history = await ended(one)
    assert times_heard(history, "b-1") in ([], [True])


@pytest.mark.fault("F25")
@pytest.mark.parametrize("level", [Level.NORMAL, Level.EMERGENCY])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
async def test_f25_power_that_goes_while_it_sounds(one: World, part: float, level: Level) -> None:
    """The clock has a battery, so that a repeat would be possible: routine has none, an emergency one."""
    for _ in range(7):
        one.centre.recording()  # the eighth is the longest
    made = one.centre.order("b-1", minutes(5), level=level, late_s=120)
    await one.run(minutes(1))
    at = minutes(5) + timedelta(milliseconds=made.length_ms * part)
    one.at(at, one.power_cut)
    one.at(at + timedelta(seconds=10), one.start)
    await one.run(minutes(15))
    history = await ended(one)
    again = [True] if level is Level.EMERGENCY else []
    assert times_heard(history, "b-1") == [False, *again]
    assert outcomes(history) == {"b-1": Outcome.PLAYED if again else Outcome.INTERRUPTED}


@pytest.mark.fault("F25")
async def test_f25_a_second_power_cut_ends_an_emergency_that_was_repeated(one: World) -> None:
    one.centre.order("b-1", minutes(5), level=Level.EMERGENCY, late_s=120)
    await one.run(minutes(5) + timedelta(milliseconds=100))
    for _ in range(3):
        one.crash()
        one.start()
        await one.run_for(1)
        assert len(one.speaker.stretches) <= 2
        one.crash()
        one.start()
    await one.run(minutes(15))
    history = await one.end()
    assert len(times_heard(history, "b-1")) == 2


@pytest.mark.fault("F28")
@pytest.mark.parametrize("asleep_s", [0.3, 600])
async def test_f28_what_sounds_when_the_machine_is_put_to_sleep_does_not_go_on_when_it_wakes(
    one: World, asleep_s: float
) -> None:
    """Its clock of the outputs stands still meanwhile: by that nothing has happened, and the hour is another."""
    made = one.centre.order("b-1", minutes(5), late_s=5)
    at = minutes(5) + timedelta(milliseconds=made.length_ms / 2)
    one.at(at, partial(one.sleep, timedelta(seconds=asleep_s)))
    await one.run(minutes(20))
    history = await ended(one)
    [heard] = history.heard("node-1", history.orders[0].recordings[0])
    assert heard.ended_at <= at + timedelta(milliseconds=100)
    assert outcomes(history) == {"b-1": Outcome.INTERRUPTED}


@pytest.mark.fault("F25")
async def test_f25_power_that_goes_in_the_last_moment_of_an_item_does_not_lose_its_end(one: World) -> None:
    """The next item is placed by then; the one before it has not left the output."""
    made = one.centre.order("b-1", minutes(5), items=2, level=Level.EMERGENCY, late_s=120)
    one.at(minutes(5) + timedelta(milliseconds=made.items[0].slot_ms - 40), one.crash)
    one.at(minutes(5) + timedelta(seconds=2), one.start)
    await one.run(minutes(15))
    history = await ended(one)
    assert times_heard(history, "b-1") == [False, True]
    assert outcomes(history) == {"b-1": Outcome.PLAYED}


@pytest.mark.fault("F25", "F10")
@pytest.mark.parametrize("wrong", [timedelta(days=-9000), timedelta(hours=-1), timedelta(seconds=-4)])
async def test_f25_a_clock_that_shows_less_after_the_power_was_gone_makes_nothing_sound_again(
    one: World, wrong: timedelta
) -> None:
    """What was begun lies ahead of such a clock, and has sounded all the same."""
    made = one.centre.order("b-1", minutes(5), items=2, late_s=120)
    await one.run(minutes(1))
    at = minutes(5) + timedelta(milliseconds=made.items[0].slot_ms / 2)
    one.at(at, partial(one.power_cut, wall_error=wrong))
    one.at(at + timedelta(seconds=2), one.start)
    await one.run(minutes(15))
    history = await ended(one)
    assert times_heard(history, "b-1") == [False]


@pytest.mark.fault("F24")
@pytest.mark.timeout(1200)
async def test_f24_a_node_that_dies_at_any_write_starts_again_and_begins_nothing_twice(
    ram: Path, record_property: Callable[[str, object], None]
) -> None:
    """Before and after each commit, sync and rename of a short life; every other time the whole machine goes."""
    died = reached = 0
    for number in count(1, EVERY):
        left = [number]
        async with world(ram / str(number), seed=number) as one:
            _short_life(one)
            failpoints.arm(partial(_die, left, whole_machine=number % 2 == 0, one=one))
            await one.run(minutes(9))
            await ended(one)
            assert list(one.folder.rglob(".*")) == [], "what was half written stays for ever"
        if left[0] > 0:  # a whole life: it comes to no more
            reached = number - left[0]
            break
        died += 1
    record_property("figure", f"died at {died} of {reached} write boundaries of a life")
    assert died >= reached // EVERY > 0


def _short_life(one: World) -> None:
    one.centre.order("b-1", minutes(1), items=2)
    one.centre.order("b-2", minutes(4))
    one.centre.order("b-3", minutes(7))
    one.at(minutes(2), lambda: one.centre.order("b-flood", one.now(), level=Level.EMERGENCY, late_s=60))
    one.at(minutes(3), partial(one.centre.hold, "hold-1"))
    one.at(minutes(3.5), partial(one.centre.release, "hold-1"))
    one.at(minutes(5), partial(one.centre.cancel, "b-3"))


def _die(left: list[int], name: str, *, whole_machine: bool, one: World) -> None:
    left[0] -= 1
    if left[0] == 0:
        if whole_machine:
            one.after(0.5, one.power_cut)
        raise CrashedError(name)


@pytest.mark.fault("F26")
async def test_f26_a_card_that_takes_no_more_silences_neither_plays_nor_stop(one: World) -> None:
    one.centre.order("b-1", minutes(5))
    one.centre.order("b-2", minutes(20))
    one.centre.order("b-flood", minutes(12), level=Level.EMERGENCY, late_s=120)
    await one.run(minutes(1))
    assert one.agent is not None
    one.agent.ground.store.run("PRAGMA query_only = ON")
    one.at(minutes(16), lambda: one.centre.hold("hold-1"))
    await one.run(minutes(16.5))
    assert Fault.STORAGE_FAILING in {fault.code for fault in one.agent.ground.faults.standing()}
    assert "hold-1" in one.agent.ground.keeper.holds
    await one.run(minutes(25))
    history = await ended(one)
    assert len(history.sounds) == 2
    assert outcomes(history)["b-1"] is Outcome.PLAYED
