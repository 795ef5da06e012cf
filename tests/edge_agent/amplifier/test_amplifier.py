"""The amplifier is on around what sounds, off otherwise, and off when the node no longer knows what it does."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.amplifier.by_hand import powered
from edge_agent.amplifier.deadman import DeadMan
from edge_agent.amplifier.drivers import FilePin, new_pin
from edge_agent.amplifier.switch import ALONE, DEAD_S, HOLD_OFF, LEAD, Amplifier
from edge_agent.config import Options, StateDir
from edge_agent.errors import ConfigError
from edge_agent.faults import Fault
from edge_agent.protocol.states import Outcome
from tests.edge_agent.fakes import NOON, Desk, until
from tests.edge_agent.hall import Hall, due


class Rack:
    """A hall whose amplifier hangs on a file."""

    def __init__(self, root: Path) -> None:
        desk = Desk(root)
        desk.settle()
        self.hall, self.path = Hall(desk), root / "pin"
        self.pin = DeadMan(FilePin(self.path), hold_s=DEAD_S)
        self.amplifier = Amplifier(
            self.pin,
            desk.faults,
            now=desk.clock.now,
            sounds=lambda: desk.stage.is_busy,
            starts=desk.player.starts,
        )

    @property
    def on(self) -> bool:
        return self.path.read_text() == "1"

    def look(self, **time: float) -> bool:
        """Let time pass without a sound, and look."""
        self.hall.desk.instruments.pass_(**time)
        self.amplifier.look()
        return self.on


@pytest.fixture
async def rack(tmp_path: Path) -> AsyncIterator[Rack]:
    rack = Rack(tmp_path)
    yield rack
    rack.pin.close()
    rack.hall.desk.close()


async def test_it_is_on_from_the_lead_before_a_play_until_the_hold_off_after_it(rack: Rack) -> None:
    rack.hall.desk.plan(due("b-1", 3000, rack.hall.voice(1)))
    switched, was = list[float](), False
    while "b-1" not in rack.hall.desk.outcomes():
        await rack.hall.pass_ms(10)
        rack.amplifier.look()
        if rack.on != was:
            was = rack.on
            switched.append((rack.hall.desk.clock.now() - NOON) / timedelta(milliseconds=1))
    assert switched == [pytest.approx(3000 - LEAD / timedelta(milliseconds=1), abs=20)]
    assert rack.hall.starts(1) == [pytest.approx(3000)]  # it has delayed nothing
    assert rack.hall.desk.outcomes()["b-1"] == (Outcome.PLAYED, None)
    assert rack.look(seconds=HOLD_OFF.total_seconds() - 2)
    assert not rack.look(seconds=3)


def test_what_does_not_begin_keeps_it_on_for_half_a_minute_and_no_longer(rack: Rack) -> None:
    rack.hall.desk.plan(due("b-1", 1000, rack.hall.voice(1)))
    assert not rack.look()
    assert rack.look(seconds=0.6)
    assert rack.look(seconds=ALONE.total_seconds())
    assert not rack.look(seconds=1)


def test_a_node_that_is_held_powers_nothing_for_what_will_not_sound(rack: Rack) -> None:
    desk = rack.hall.desk
    desk.hold("h-1")
    desk.plan(due("b-1", 1000, rack.hall.voice(1)))
    assert not rack.look(seconds=0.6)
    assert not rack.look(seconds=1)
    desk.hold(released=("h-1",))
    assert rack.look(seconds=1.1)  # the lists are read once a second


def test_a_pin_that_cannot_be_switched_is_a_fault_until_it_can(rack: Rack) -> None:
    rack.hall.desk.plan(due("b-1", 100, rack.hall.voice(1)))
    rack.path.unlink()
    rack.path.mkdir()
    rack.amplifier.look()
    assert rack.hall.desk.faults.stands(Fault.AMPLIFIER_FAILING)
    rack.path.rmdir()
    assert rack.look()
    assert not rack.hall.desk.faults.stands(Fault.AMPLIFIER_FAILING)


async def test_it_is_off_at_the_start_and_at_the_end(rack: Rack) -> None:
    assert rack.path.read_text() == "0"
    rack.hall.desk.plan(due("b-1", 100, rack.hall.voice(1)))
    task = asyncio.create_task(rack.amplifier.run())
    await until(lambda: rack.on)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not rack.on


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pin"


def test_it_goes_off_when_nobody_asks_for_it_any_more(path: Path) -> None:
    now_s = [0.0]
    pin = DeadMan(FilePin(path), hold_s=DEAD_S, clock_s=lambda: now_s[0])
    pin.hold()
    now_s[0] += DEAD_S - 1
    pin.hold()
    now_s[0] += DEAD_S - 1
    assert pin.look() == pytest.approx(1)
    assert path.read_text() == "1"
    now_s[0] += 1
    pin.look()
    assert (path.read_text(), pin.is_on) == ("0", False)
    pin.close()


def test_whoever_looks_beside_its_thread_finds_it_switched(path: Path) -> None:
    """The thread wakes up late, with the clock moved on; both want it off."""
    entered, go_on = threading.Event(), threading.Event()
    now_s = [0.0]

    class SlowPin(FilePin):
        def put(self, *, on: bool) -> None:
            if threading.current_thread() is not threading.main_thread():
                entered.set()
                assert go_on.wait(10)
            super().put(on=on)

    pin = DeadMan(SlowPin(path), hold_s=0.05, clock_s=lambda: now_s[0])
    pin.hold()
    now_s[0] += 1
    assert entered.wait(10)
    threading.Timer(0.05, go_on.set).start()
    pin.look()
    assert (go_on.is_set(), path.read_text(), pin.is_on) == (True, "0", False)
    pin.close()


def test_a_file_is_never_found_empty(path: Path) -> None:
    pin, over, seen = FilePin(path), threading.Event(), set[str]()

    def read() -> None:
        seen.add(path.read_text())
        while not over.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(3000):
        pin.put(on=number % 2 == 0)
    over.set()
    reader.join()
    assert seen
    assert seen <= {"0", "1"}


async def test_its_own_thread_sees_to_that(path: Path) -> None:
    pin = DeadMan(FilePin(path), hold_s=0.05)
    pin.hold()
    await until(lambda: path.read_text() == "0")
    pin.close()
    assert not pin._thread.is_alive()


@pytest.mark.parametrize(
    "name", ["gpio", "gpio:chip", "gpio:null:-1", "gpio:null:99999", "gpio:null:17:high", "file:", "x"]
)
def test_a_pin_that_cannot_be_meant_is_a_clear_error(name: str) -> None:
    with pytest.raises(ConfigError, match="amplifier"):
        new_pin(name)


@pytest.mark.parametrize("chip", ["nowhere", "null"])
async def test_a_pin_that_is_not_there_is_told_before_anything_sounds_and_keeps_no_node_silent(
    rack: Rack, chip: str
) -> None:
    pin = DeadMan(new_pin(f"gpio:{chip}:17"), hold_s=DEAD_S)
    desk = rack.hall.desk
    amplifier = Amplifier(pin, desk.faults, now=desk.clock.now, sounds=lambda: False, starts=lambda _: [])
    for _ in range(2):
        amplifier.look()
        assert desk.faults.stands(Fault.AMPLIFIER_FAILING)
    pin.close()


def test_who_types_a_command_hears_it_through_the_amplifier(path: Path, tmp_path: Path) -> None:
    options = Options(state=StateDir(tmp_path), amplifier=f"file:{path}", amplifier_lead_ms=0)
    with powered(options):
        assert path.read_text() == "1"
    assert path.read_text() == "0"
    with powered(Options(state=StateDir(tmp_path))):
        pass
    with pytest.raises(OSError, match="No such file"), powered(replace(options, amplifier="gpio:nowhere:17")):
        pass
