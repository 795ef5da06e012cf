"""The excuse must be judged before it is taken: what is a stall of the machine, and what is never played again."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests import sounds
from tests.e2e.pulse import PulseAudio
from tests.e2e.stalls import TONE_HZ, TRIES, Span, breaks, on_a_machine_that_keeps_up, watching
from tests.e2e.waiting import until
from tests.pulse import RATE

TONE = sounds.sine(TONE_HZ, 2.0)


class FakeStage:
    """A place that notes what is done with it; the machine stalls in the scenes with these numbers."""

    def __init__(self, *stalled: int) -> None:
        self._stalled = stalled
        self.scenes = self.cleared = 0

    def begin(self) -> None:
        self.scenes += 1

    async def stalls(self) -> list[str]:
        return ["late"] if self.scenes in self._stalled else []

    async def clear(self, why: AssertionError, stalls: list[str]) -> None:
        assert (str(why).splitlines()[0], stalls) == ("a gap", ["late"])
        self.cleared += 1


@on_a_machine_that_keeps_up
async def fails(_stage: FakeStage) -> None:
    raise AssertionError("a gap")


@on_a_machine_that_keeps_up
async def fails_once(stage: FakeStage) -> None:
    assert stage.scenes > 1, "a gap"


@pytest.mark.parametrize(("stalled", "scenes"), [((), 1), ((1,), 2), ((2,), 1), (range(1, TRIES + 1), TRIES)], ids=str)
async def test_what_fails_without_a_stall_or_too_often_fails(stalled: tuple[int, ...], scenes: int) -> None:
    stage = FakeStage(*stalled)
    with pytest.raises(AssertionError, match="a gap"):
        await fails(stage)
    assert (stage.scenes, stage.cleared) == (scenes, scenes - 1)


async def test_what_failed_in_a_stall_may_be_good_the_second_time() -> None:
    stage = FakeStage(1)
    await fails_once(stage)
    assert (stage.scenes, stage.cleared) == (2, 1)


def test_a_tone_that_goes_on_has_no_break() -> None:
    assert breaks(TONE) == []


@pytest.mark.parametrize("gap", ["silence", "left out"])
def test_a_gap_in_the_tone_is_found_where_it_is(gap: str) -> None:
    before, after = TONE[: RATE + 10], TONE[RATE + 10 :]
    broken = {"silence": [before, sounds.silence(0.02), after], "left out": [before, after[487:]]}[gap]
    found = breaks(np.concatenate(broken))
    assert len(found) in {1, 2}
    assert abs(found[0] - RATE - 10) <= RATE // TONE_HZ


@pytest.mark.sound
@pytest.mark.parametrize("program", ["ticker", "player of the tone"])
async def test_a_program_that_is_kept_from_running_is_a_stall(tmp_path: Path, program: str) -> None:
    async with PulseAudio(tmp_path / "pulse", sinks=1) as pulse, watching(pulse, "sink0", tmp_path) as watch:
        victim = next(one for one in watch.programs if one.name == program).process
        since = datetime.now(UTC)

        def stalls() -> list[str]:
            sign = "ms late" if program == "ticker" else "broke its tone"
            found = watch.during([Span(since, datetime.now(UTC))])
            return [one for one in found if sign in one]

        frames = watch.tone.frames
        victim.send_signal(signal.SIGSTOP)
        await until(lambda: watch.tone.frames > frames + RATE // 2, 20, "half a second recorded")
        victim.send_signal(signal.SIGCONT)
        assert await until(stalls, 30, "a stall that was noted")
        before = since - timedelta(seconds=60)
        assert watch.during([Span(before, before)]) == []
