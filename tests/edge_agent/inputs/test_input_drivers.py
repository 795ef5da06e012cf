"""One suite for every input: what the ear may rely on. The card's microphone is the monitor of a null sink."""

import subprocess
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from audio.correlate import samples
from audio.hearing import Verdict, listen
from edge_agent import portaudio
from edge_agent.clock import NS
from edge_agent.errors import InputLostError
from edge_agent.evidence import RATE
from edge_agent.inputs.base import Input
from edge_agent.inputs.card import CardInput
from edge_agent.inputs.virtual import BLOCK, VirtualInput, air
from edge_agent.outputs.card import CardOutput
from edge_agent.tape import Tape
from tests.e2e.beside import plays
from tests.pulse import Pulse, running_pulse
from tests.sounds import noise


class Place(Protocol):
    """A driver, and something that sounds before it."""

    def make(self) -> Input: ...
    def sound(self, pcm: bytes) -> None:
        """Let a sound be there from about now on."""

    def end(self) -> None:
        """Wait until it is over."""


class Taker:
    """An ear that is strict about how it is called: from one thread, in order, never after the end."""

    def __init__(self, enough: int) -> None:
        self.tape = Tape(keep_s=10)
        self.calls: list[tuple[int, int, int]] = []
        """Frames, stamp and instant of each call."""
        self.threads: set[int] = set()
        self._enough = enough
        self.full = threading.Event()
        self.lost: list[str] = []

    def take(self, block: bytes, first_frame_ns: int) -> None:
        assert isinstance(block, bytes)
        self.threads.add(threading.get_ident())
        self.calls.append((len(block) // 2, first_frame_ns, time.monotonic_ns()))
        self.tape.put(block, first_frame_ns)
        if sum(frames for frames, _, _ in self.calls) >= self._enough:
            self.full.set()


class VirtualPlace:
    def __init__(self) -> None:
        self._air = air()

    def make(self) -> Input:
        return VirtualInput(self._air)

    def sound(self, pcm: bytes) -> None:
        begun_ns = time.monotonic_ns()
        for at in range(0, len(pcm), 2 * BLOCK):
            self._air.put(pcm[at : at + 2 * BLOCK], begun_ns + at // 2 * NS // RATE)

    def end(self) -> None:
        pass


class CardPlace:
    def __init__(self, pulse: Pulse, folder: Path) -> None:
        self._pulse, self._wav = pulse, folder / "sound.wav"

    def make(self) -> Input:
        return CardInput(simulated=True)

    def sound(self, pcm: bytes) -> None:
        with wave.open(str(self._wav), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(pcm)
        self._playing = subprocess.Popen(["paplay", str(self._wav)])

    def end(self) -> None:
        assert self._playing.wait(30) == 0


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    with running_pulse(tmp_path_factory.mktemp("pulse")) as pulse, pytest.MonkeyPatch.context() as patch:
        for name, value in {**pulse.env, "PULSE_SOURCE": "sink0.monitor"}.items():
            patch.setenv(name, value)
        # Alone, a null sink gives its monitor blocks of two seconds, late and with stamps that slide for another: as
        # no card does. Somebody who asks for little latency keeps them short.
        recorder = pulse.record()
        yield pulse
        recorder.close()


@pytest.fixture(params=["virtual", pytest.param("card", marks=pytest.mark.sound)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "virtual":
        return VirtualPlace()
    return CardPlace(request.getfixturevalue("pulse"), tmp_path)


def run(opened: Input, taker: Taker, meanwhile: Callable[[], None] = lambda: None) -> None:
    opened.open(taker.take, taker.lost.append)
    try:
        meanwhile()
        assert taker.full.wait(30), "the input gives too little sound"
    finally:
        opened.close()


@plays
def test_frames_come_in_real_time_and_stamps_follow_them(folder: Path, place: Place) -> None:
    taker = Taker(enough=RATE * 3 // 2)
    run(place.make(), taker)
    frames = sum(count for count, _, _ in taker.calls[1:])
    took_s = (taker.calls[-1][2] - taker.calls[0][2]) / NS
    assert frames / RATE <= took_s + 0.35
    assert took_s < 6
    for _, stamp, called in taker.calls[len(taker.calls) // 2 :]:
        assert -0.05 * NS <= called - stamp <= 1.0 * NS  # it has come in before it is told


def test_one_thread_gives_and_none_after_closing(place: Place) -> None:
    opened, taker = place.make(), Taker(enough=RATE // 4)
    run(opened, taker)
    given = len(taker.calls)
    opened.close()
    assert len(taker.threads) == 1
    assert len(taker.calls) == given
    assert taker.lost == []


def test_it_can_be_opened_again_by_a_new_driver(place: Place) -> None:
    for _ in range(2):
        run(place.make(), Taker(enough=RATE // 10))


@pytest.mark.listening
@plays
def test_what_sounds_before_it_comes_in_at_about_its_instant(folder: Path, place: Place) -> None:
    pcm, taker = noise(2.0, seed=3).tobytes(), Taker(enough=RATE * 4)
    begun: list[int] = []

    def meanwhile() -> None:
        begun.append(time.monotonic_ns())
        place.sound(pcm)

    run(place.make(), taker, meanwhile)
    place.end()
    captured = taker.tape.between(begun[0], round(3.8 * RATE))
    found = listen(samples(pcm), samples(captured))
    assert found.verdict is Verdict.HEARD
    assert found.delay_ms < 1500


@pytest.mark.sound
def test_a_card_that_is_not_there_is_a_clear_error(pulse: Pulse) -> None:
    with pytest.raises(InputLostError, match="no such card"):
        CardInput("no such card").open(lambda _block, _at: None, lambda _why: None)


def test_a_virtual_input_hears_a_virtual_output_only() -> None:
    with pytest.raises(InputLostError, match="virtual output"):
        VirtualInput(None).open(lambda _block, _at: None, lambda _why: None)


@pytest.mark.sound
def test_an_input_gives_way_when_the_output_counts_the_cards_anew(pulse: Pulse) -> None:
    """PortAudio begun anew under an open stream would bring the whole process down."""
    taker, output = Taker(enough=RATE // 10), CardOutput()
    opened = CardInput(simulated=True)
    opened.open(taker.take, taker.lost.append)
    try:
        assert taker.full.wait(30)
        output.open(lambda _buffer, _at: None, lambda _frames: None, lambda _why: None)
        assert taker.lost == ["the sound cards are counted anew"]
        given = len(taker.calls)
        run(CardInput(simulated=True), Taker(enough=RATE // 10))  # beside the open output
        assert len(taker.calls) == given
    finally:
        output.close()
        opened.close()
    assert portaudio._closers == []
