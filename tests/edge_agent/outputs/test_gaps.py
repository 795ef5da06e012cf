"""Outputs that are no loudspeaker: they swallow sound at once, are muted, or run dry. Each is seen, and its end too."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Literal

import pytest

from edge_agent.checks.muted import Muted
from edge_agent.checks.underruns import PART, WITHIN_S, Underruns
from edge_agent.clock import NS
from edge_agent.evidence import RATE
from edge_agent.faults import Fault, FaultBook
from edge_agent.outputs import mixer
from edge_agent.outputs.base import Output, Render
from edge_agent.outputs.pace import MOST_AHEAD_S, Pace
from edge_agent.outputs.virtual import VirtualOutput
from edge_agent.outputs.watch import OutputWatch
from edge_agent.renderer import Renderer
from tests.edge_agent.fakes import NOON, running, until
from tests.pulse import Pulse, running_pulse


class Swallower:
    """What ALSA's null device does: it takes a minute of sound in a moment, and says that all is well."""

    kind: Literal["card", "virtual"] = "card"
    simulated = False

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, render: Render, _on_underrun: Callable[[int], None], _on_lost: Callable[[str], None]) -> None:
        def swallow() -> None:
            at_ns = 0
            while not self._stop.wait(0.001):
                render(memoryview(bytearray(RATE * 2)), at_ns)
                at_ns += NS

        self._thread = threading.Thread(target=swallow)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()


async def test_an_output_that_swallows_sound_is_lost_until_a_real_one_has_shown_its_pace(tmp_path: Path) -> None:
    renderer = Renderer(
        utc_minus_monotonic_ns=lambda: 0, monotonic_ns=lambda: 0, on_started=lambda _: None, on_ended=lambda _: None
    )
    book, made, available = FaultBook(lambda: NOON), list[Output](), list[Output]()
    outputs: Iterator[Callable[[], Output]] = chain(
        [Swallower, Swallower], repeat(lambda: VirtualOutput(tmp_path / "out.wav", tmp_path / "out.jsonl"))
    )

    def make() -> Output:
        made.append(next(outputs)())
        return made[-1]

    def note() -> None:
        if watch.available:
            available.append(made[-1])

    watch = OutputWatch(make, renderer, book)
    watch.on_change = note
    async with running(watch):
        await until(lambda: book.stands(Fault.OUTPUT_LOST))
        assert "faster" in book.standing()[0].detail
        assert not watch.available
        await until(lambda: watch.available, within_s=60)
        assert not book.stands(Fault.OUTPUT_LOST)
    # Sound was let through to the first, before anything was known of it, and to the real one; never to the second.
    assert available == [made[0], made[2]]


def taken(*steps: tuple[float, float]) -> list[bool]:
    """Let seconds pass and seconds of sound be taken, step by step."""
    now_ns, frames, found = 0, 0, []
    pace = Pace(now_ns, frames)
    for passed_s, taken_s in steps:
        now_ns, frames = now_ns + round(passed_s * NS), frames + round(taken_s * RATE)
        found.append(pace.is_too_fast(now_ns, frames))
    return found


def test_a_card_is_no_haste_for_a_buffer_a_crystal_or_a_moment_in_which_the_machine_stood_still() -> None:
    assert not any(taken((0.5, 0.7), *[(0.5, 0.5001)] * 200_000))
    assert not any(taken((0.5, 0.5), (3, 0), (0.5, 3.5), (0.5, 0.5)))


def test_a_process_that_stood_still_takes_up_all_that_time_at_once() -> None:
    """Stopped, or without a processor: who looks saw nothing meanwhile, and the output was no faster than before."""
    assert not any(taken((0.5, 0.5), (20, 0), (0.5, 20.5), (0.5, 0.5)))
    assert not any(taken((0.5, 0.5), (20, 20), (0.5, 0.5)))
    assert taken((0.5, 0.5), (20, 0), (0.5, 24.5))[-1]


def test_half_as_fast_again_is_too_fast_within_seconds() -> None:
    assert taken(*[(0.5, 0.75)] * 30).index(True) * 0.25 == pytest.approx(MOST_AHEAD_S, abs=0.6)
    assert taken(*[(0.5, 0.5)] * 1000, (0.5, 10)).index(True) == 1000


# Muted.


@pytest.mark.parametrize(
    ("silent", "by"),
    [
        ({}, None),
        ({"Master": False, "Speaker": False}, None),
        ({"Master": True, "Speaker": False}, "Master"),
        ({"Master": False, "Speaker": True, "Headphone": False}, None),
        ({"Master": False, "Speaker": True, "Headphone": True}, "Speaker, Headphone"),
        ({"PCM": True}, "PCM"),
    ],
)
def test_a_card_is_silent_when_all_must_pass_what_is_off(silent: dict[str, bool], by: str | None) -> None:
    assert mixer.judge(silent) == by


@pytest.mark.parametrize(
    ("device", "name"),
    [(None, "default"), ("USB Audio: - (hw:1,0)", "hw:1"), ("pulse", "default"), ("hw:2,0", "hw:2")],
)
def test_a_card_is_read_back_at_its_own_mixer(device: str | None, name: str) -> None:
    assert mixer.mixer_of(device) == name


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    with running_pulse(tmp_path_factory.mktemp("pulse")) as pulse, pytest.MonkeyPatch.context() as patch:
        for name, value in pulse.env.items():
            patch.setenv(name, value)
        yield pulse


@pytest.mark.sound
@pytest.mark.parametrize(
    ("off", "on"),
    [
        (["set-sink-mute", "sink0", "1"], ["set-sink-mute", "sink0", "0"]),
        (["set-sink-volume", "sink0", "0"], ["set-sink-volume", "sink0", "100%"]),
    ],
    ids=["mute", "volume 0"],
)
def test_a_real_mixer_that_is_off_is_told_until_it_is_on(pulse: Pulse, off: list[str], on: list[str]) -> None:
    check = Muted(lambda: mixer.silenced_by("default"))
    assert (check.look(), check.is_muted) == (None, False)
    subprocess.run(["pactl", *off], check=True, timeout=10)
    assert (check.look() is not None, check.is_muted) == (True, True)
    subprocess.run(["pactl", *on], check=True, timeout=10)
    assert (check.look(), check.is_muted) == (None, False)


@pytest.mark.sound
def test_a_card_without_a_mixer_is_not_said_to_be_muted(pulse: Pulse) -> None:
    assert mixer.silenced_by("hw:77") is None


# Running dry.


def test_a_card_that_runs_dry_again_and_again_is_told_until_it_does_no_more() -> None:
    now_s, frames, lost = [0.0], [0], [0]
    check = Underruns(lambda: now_s[0], frames=lambda: frames[0], lost=lambda: lost[0])
    assert check.look() is None

    def told(lost_part: float) -> bool:
        now_s[0] += check.period_s
        frames[0] += round(check.period_s * RATE)
        lost[0] += round(check.period_s * RATE * lost_part)
        return check.look() is not None

    assert not any(told(PART * 0.9) for _ in range(20))
    assert any(told(PART * 3) for _ in range(3))
    later = [told(0) for _ in range(int((WITHIN_S + check.period_s) // check.period_s) + 1)]
    assert not later[-1]
