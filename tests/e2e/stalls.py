"""Did the machine keep up? Told without Loa, by a program that only wakes and one that only plays a tone.

Sound in real time needs a machine that runs what is ready to run. When it does not, nobody can play without a gap,
and a test that hears one has learned nothing about Loa: it broadcasts again. When it does, a gap is Loa's.
"""

import functools
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pytest

from controller.demo.processes import Program
from tests.e2e.pulse import PulseAudio
from tests.e2e.waiting import until, whole_lines
from tests.pulse import RATE, Recorder, Samples, rank

TRIES = 3
MS = timedelta(milliseconds=1)
TONE_HZ = 1_000
PERIOD = RATE // TONE_HZ
BROKEN = 64
"""Amplitude of 16 bit by which a tone that goes on may differ from itself one period before; it has 4,096."""
PLAYER_RANK = 1
"""Real-time, below the sound server's. Agents have it, and so has what tells whether such a program runs in time."""
LATENCY_MS = 100
"""What the player of the tone asks for: as much as our agents do."""

TICKER = Path(__file__).with_name("ticker.py")


@dataclass(frozen=True)
class Span:
    """A stretch of time."""

    since: datetime
    to: datetime

    def touches(self, other: "Span") -> bool:
        """Say whether they have an instant in common."""
        return self.since <= other.to and other.since <= self.to


@dataclass(frozen=True)
class Watch:
    """What notes the machine's stalls."""

    ticks: Path
    """Lines of ``ticker.py``."""
    tone: Recorder
    """What came through of a tone that somebody else's player plays without end."""
    programs: tuple[Program, ...]

    def during(self, spans: list[Span]) -> list[str]:
        """Say, in words, how the machine stalled in these stretches; one who has ended cannot tell."""
        for program in self.programs:
            program.check()
        return [*self._late(spans), *self._broken(spans)]

    def _late(self, spans: list[Span]) -> list[str]:
        late = kept_waiting(self.ticks, spans)
        return [f"{one.since:%H:%M:%S.%f} a program ran {(one.to - one.since) // MS} ms late" for one in late]

    def _broken(self, spans: list[Span]) -> list[str]:
        said = []
        for span in spans:
            start, stop = max(0, self.tone.frame_at(span.since)), self.tone.frame_at(span.to)
            gaps = [
                datetime.fromtimestamp(self.tone.at(start + gap), UTC) for gap in breaks(self.tone.between(start, stop))
            ]
            said += [f"{gap:%H:%M:%S.%f} somebody else's player broke its tone" for gap in gaps]
        return said


def kept_waiting(ticks: Path, spans: list[Span]) -> list[Span]:
    """Give when, in these stretches, ``ticker.py`` had to run and did not."""
    found = [json.loads(line) for line in whole_lines(ticks)]
    late = [Span(*(datetime.fromtimestamp(one[key] / 1e9, UTC) for key in ("from_ns", "to_ns"))) for one in found]
    return [one for one in late if any(one.touches(span) for span in spans)]


def breaks(tone: Samples) -> list[int]:
    """Give the frames at which a tone does not go on as it was, one for each 10 ms at most."""
    wide = tone.astype(np.int32)
    bad = np.flatnonzero(np.abs(wide[PERIOD:] - wide[:-PERIOD]) > BROKEN)
    first = bad[np.diff(bad, prepend=-RATE) > RATE // 100]
    return [int(frame) + PERIOD for frame in first]


@asynccontextmanager
async def watching(pulse: PulseAudio, sink: str, folder: Path) -> AsyncIterator[Watch]:
    """Watch the machine for the length of the block; ``sink`` must be nobody else's."""
    async with AsyncExitStack() as stack:
        started: list[Program] = []

        async def start(name: str, argv: list[str], log: Path, **env: str) -> None:
            program = await Program.start(name, argv, env={**os.environ, **env}, log=log)
            stack.push_async_callback(program.stop)
            started.append(program)

        ticks = folder / "ticks.jsonl"
        await start("ticker", [*rank(PLAYER_RANK), sys.executable, "-I", "-S", str(TICKER)], ticks)
        form = ["--format=s16le", f"--rate={RATE}", "--channels=1"]
        player = [*rank(PLAYER_RANK), "pacat", *form, "--raw", f"--latency-msec={LATENCY_MS}"]
        tone = folder / "tone.raw"
        os.mkfifo(tone)
        sine = f"sine=frequency={TONE_HZ}:sample_rate={RATE}"
        argv = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", sine]
        await start("tone", [*argv, "-f", "s16le", "-y", str(tone)], folder / "tone.log")
        await start("player of the tone", [*player, str(tone)], folder / "player.log", **pulse.env(sink))
        recorder = await stack.enter_async_context(pulse.record(sink))
        watch = Watch(ticks, recorder, tuple(started))
        await until(lambda: _sounds(watch), 20, "the tone")
        yield watch


def _sounds(watch: Watch) -> bool:
    for program in watch.programs:
        program.check()
    latest = watch.tone.between(watch.tone.frames - RATE // 2)
    return len(latest) == RATE // 2 and bool(np.abs(latest[:PERIOD]).max() > BROKEN) and not breaks(latest)


class Stage(Protocol):
    """Where scenes are played, and what is known about the machine meanwhile."""

    def begin(self) -> None:
        """Forget the scenes before."""

    async def stalls(self) -> list[str]:
        """Say how the machine stalled in the plays since ``begin``."""

    async def clear(self, why: AssertionError, stalls: list[str]) -> None:
        """Note that the scene is to be played again, and make all as it was before."""


S = TypeVar("S", bound=Stage)


def on_a_machine_that_keeps_up(
    scene: Callable[[S], Awaitable[None]], *, tries: int = TRIES
) -> Callable[[S], Awaitable[None]]:
    """Play a scene again when it failed and the machine stalled in one of its plays; at most ``tries`` times in all.

    A failure without a stall is a failure at once, and so is the last one.
    """

    @functools.wraps(scene)
    async def played(village: S) -> None:
        for left in reversed(range(tries)):
            village.begin()
            try:
                await scene(village)
            except AssertionError as error:
                stalls = await village.stalls()
                if not (stalls and left):
                    raise
                await village.clear(error, stalls)
            else:
                return

    return played


def say(config: pytest.Config, lines: list[str]) -> None:
    """Say at the terminal what is worth knowing of a test, whether it failed or not."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():  # of pytest's processes only the first has a terminal; all have this
        sys.stderr.write("".join(f"  {line}\n" for line in ["", *lines]))
