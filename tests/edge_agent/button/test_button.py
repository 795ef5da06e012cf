"""Somebody at the node presses the button: silence, for what sounds and nothing else, with no network."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge_agent.button.drivers import FileButton, new_button
from edge_agent.button.watch import SHOWN_S, ButtonWatch
from edge_agent.errors import ConfigError
from edge_agent.faults import Fault
from edge_agent.protocol.states import Level, Outcome
from tests.edge_agent.fakes import Desk
from tests.edge_agent.hall import Hall, due


class Post:
    """A hall with a button that hangs on a file."""

    def __init__(self, root: Path) -> None:
        desk = Desk(root)
        desk.settle()
        self.hall, self.path, self.now_s = Hall(desk), root / "button", 0.0
        self.watch = ButtonWatch(
            FileButton(self.path), desk.faults, monotonic_s=lambda: self.now_s, press=desk.player.stop_here
        )
        self.watch.look()

    def press(self) -> None:
        for state in "10":
            self.path.write_text(state)
            self.watch.look()

    @property
    def told(self) -> bool:
        return self.hall.desk.faults.stands(Fault.LOCAL_STOP)


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    post = Post(tmp_path)
    yield post
    post.hall.desk.close()


@pytest.mark.parametrize("level", [Level.NORMAL, Level.EMERGENCY])
async def test_what_sounds_is_silent_at_once_and_is_not_begun_again(post: Post, level: Level) -> None:
    hall = post.hall
    hall.desk.urgent(due("b-1", 1000, hall.voice(1, 3000), hall.voice(2), level=level))
    await hall.pass_ms(1500)
    post.press()
    heard = len(hall.output.pcm)
    assert await hall.outcome("b-1") == (Outcome.INTERRUPTED, "local_stop")
    assert hall.desk.events("b-1")[-1].played_ms == pytest.approx(500, abs=30)
    await hall.pass_ms(3000)
    assert not any(hall.output.pcm[heard + 30 * 96 :])
    assert post.told


async def test_what_is_ordered_later_sounds(post: Post) -> None:
    hall = post.hall
    hall.desk.urgent(due("b-1", 500, hall.voice(1, 3000), level=Level.EMERGENCY))
    await hall.pass_ms(1000)
    post.press()
    later = due("b-2", 2000, hall.voice(2), level=Level.EMERGENCY)
    hall.desk.urgent(due("b-1", 500, hall.voice(1, 3000), level=Level.EMERGENCY), later)
    assert await hall.outcome("b-2") == (Outcome.PLAYED, None)
    assert hall.starts(2) == [pytest.approx(2000)]


async def test_a_power_cut_does_not_undo_a_press(post: Post) -> None:
    hall = post.hall
    hall.desk.urgent(due("b-1", 500, hall.voice(1, 1000), level=Level.EMERGENCY))
    await hall.pass_ms(1000)
    post.press()
    post.hall.desk = hall.desk.again()
    post.hall.desk.player._take_up()
    again = Hall(post.hall.desk)
    await again.pass_ms(2500)
    assert not any(again.output.pcm)


async def test_a_press_is_told_for_a_quarter_of_an_hour(post: Post) -> None:
    post.press()
    assert post.told
    post.now_s += SHOWN_S - 1
    post.watch.look()
    assert post.told
    post.now_s += 1
    post.watch.look()
    assert not post.told


async def test_a_button_that_is_stuck_is_pressed_once_and_one_that_was_down_at_the_start_never(post: Post) -> None:
    pressed = list[int]()

    def press() -> int:
        pressed.append(1)
        return 0

    post.path.write_text("1")
    watch = ButtonWatch(FileButton(post.path), post.hall.desk.faults, monotonic_s=lambda: 0.0, press=press)
    watch.look()
    assert not pressed
    for state in "01110":
        post.path.write_text(state)
        watch.look()
    assert pressed == [1]


@pytest.mark.parametrize(
    "name", ["gpio", "gpio:chip", "gpio:null:-1", "gpio:null:99999", "gpio:null:17:high", "file:", "x"]
)
def test_a_button_that_cannot_be_meant_is_a_clear_error(name: str) -> None:
    with pytest.raises(ConfigError, match="button"):
        new_button(name)


@pytest.mark.parametrize("chip", ["nowhere", "null"])
async def test_a_button_that_is_not_there_is_a_fault_and_keeps_no_node_silent(post: Post, chip: str) -> None:
    desk = post.hall.desk
    watch = ButtonWatch(new_button(f"gpio:{chip}:27"), desk.faults, monotonic_s=lambda: 0.0, press=lambda: 0)
    watch.look()
    assert desk.faults.stands(Fault.BUTTON_FAILING)
    ButtonWatch(FileButton(post.path), desk.faults, monotonic_s=lambda: 0.0, press=lambda: 0).look()
    assert not desk.faults.stands(Fault.BUTTON_FAILING)
