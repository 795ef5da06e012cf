"""One suite for every output: what the renderer may rely on. The card is PulseAudio's null sink behind PortAudio."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.clock import NS
from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.outputs.base import Output
from edge_agent.outputs.card import CardOutput
from edge_agent.outputs.virtual import VirtualOutput
from tests.e2e.beside import plays
from tests.pulse import running_pulse

Make = Callable[[], Output]


class Taker:
    """A renderer that is strict about how it is called: from one thread, in order, never after the end."""

    def __init__(self, enough: int) -> None:
        self.calls: list[tuple[int, int, int]] = []
        """Frames, stamp and instant of each call."""
        self.threads: set[int] = set()
        self._enough = enough
        self.full = threading.Event()
        self.lost: list[str] = []
        self.underruns = 0

    def render(self, buffer: memoryview, first_frame_ns: int) -> None:
        assert buffer.format == "B"
        assert not buffer.readonly
        self.threads.add(threading.get_ident())
        self.calls.append((len(buffer) // 2, first_frame_ns, time.monotonic_ns()))
        buffer[:] = bytes(len(buffer))
        if sum(frames for frames, _, _ in self.calls) >= self._enough:
            self.full.set()

    def count_underrun(self, frames: int) -> None:
        assert frames > 0
        self.underruns += 1


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running_pulse(tmp_path_factory.mktemp("pulse")) as pulse, pytest.MonkeyPatch.context() as patch:
        for name, value in pulse.env.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(params=["virtual", pytest.param("card", marks=pytest.mark.sound)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "virtual":
        return lambda: VirtualOutput(tmp_path / "output.wav", tmp_path / "output.instants.jsonl")
    request.getfixturevalue("sink")
    return CardOutput


def run(output: Output, taker: Taker) -> None:
    output.open(taker.render, taker.count_underrun, taker.lost.append)
    try:
        assert taker.full.wait(30), "the output asks for too little sound"
    finally:
        output.close()


@pytest.mark.timeout(240)
@plays
def test_frames_are_asked_for_in_real_time(folder: Path, make: Make) -> None:
    taker = Taker(enough=RATE * 3 // 2)
    run(make(), taker)
    frames = sum(count for count, _, _ in taker.calls[1:])
    took_s = (taker.calls[-1][2] - taker.calls[0][2]) / NS
    assert frames / RATE <= took_s + 0.35  # what was asked for ahead, to fill the buffer
    assert took_s < 5


@pytest.mark.timeout(240)
@plays
def test_stamps_follow_one_another_as_frames_do_and_lie_ahead(folder: Path, make: Make) -> None:
    taker = Taker(enough=RATE)
    run(make(), taker)
    settled = taker.calls[len(taker.calls) // 2 :]
    count = 0
    for frames, stamp, called in settled:
        assert -0.01 * NS <= stamp - called <= 0.5 * NS
        expected = settled[0][1] + count * NS // RATE
        assert abs(stamp - expected) < 0.003 * NS
        count += frames


def test_one_thread_asks_and_none_after_closing(make: Make) -> None:
    output, taker = make(), Taker(enough=RATE // 4)
    run(output, taker)
    asked = len(taker.calls)
    output.close()
    assert len(taker.threads) == 1
    assert len(taker.calls) == asked
    assert taker.lost == []


def test_it_can_be_opened_again_by_a_new_driver(make: Make) -> None:
    for _ in range(2):
        run(make(), Taker(enough=RATE // 10))


@pytest.mark.sound
def test_a_card_that_is_not_there_is_a_clear_error(sink: None) -> None:
    with pytest.raises(OutputError, match="no such card"):
        CardOutput("no such card").open(lambda _buffer, _at: None, lambda _frames: None, lambda _why: None)


def test_a_virtual_output_that_cannot_write_is_a_clear_error(tmp_path: Path) -> None:
    output = VirtualOutput(tmp_path / "nowhere" / "output.wav", tmp_path / "instants")
    with pytest.raises(OutputError, match="cannot be written"):
        output.open(lambda _buffer, _at: None, lambda _frames: None, lambda _why: None)
    output.close()
