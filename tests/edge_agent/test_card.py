"""A node with a sound card: PulseAudio's null sink, recorded at its monitor."""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from audio.correlate import compare, samples
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason
from tests.e2e.beside import plays
from tests.edge_agent.centre import Centre, agent_process, broadcast, make_opus, pcm_of, running_centre, soon
from tests.pulse import Pulse, running_pulse

pytestmark = [pytest.mark.broker, pytest.mark.sound, pytest.mark.timeout(300)]
NODE = "node-1"
SETTLED_S = 7.0
"""After it was opened a sound server's account of when frames leave wavers for five seconds (``outputs.card``)."""


@contextlib.asynccontextmanager
async def centre_in(root: Path) -> AsyncIterator[Centre]:
    async with running_centre(root / "centre") as made:
        made.adopt(root / "node", NODE)
        await made.settle(NODE)
        yield made


@contextlib.contextmanager
def agent(root: Path, pulse: Pulse) -> Iterator[None]:
    command = [sys.executable, "-m", "edge_agent", "run", "--state", str(root / "node"), "--output", "card"]
    with agent_process(command, root / "agent.log", **pulse.env):
        yield


@pytest.mark.listening
@plays
async def test_sounds_leave_the_card_whole_and_exactly_as_far_apart_as_they_were_planned(folder: Path) -> None:
    """The monitor adds one constant delay, so the distance of two starts is what can be measured to the sample."""
    first, second = make_opus(1, 800), make_opus(2, 800)
    async with contextlib.AsyncExitStack() as stack:
        centre = await stack.enter_async_context(centre_in(folder))
        voices = [centre.add_media(data) for data in (first, second)]
        pulse = stack.enter_context(running_pulse(folder / "pulse"))
        recorder = pulse.record()
        try:
            with agent(folder, pulse):
                await centre.until(
                    lambda: (one := centre.health(NODE)) and not one.faults, what="a node without faults"
                )
                one = broadcast("b-1", soon(SETTLED_S), voices[0])
                two = broadcast("b-2", one.start_at + timedelta(milliseconds=1500), voices[1])
                await centre.plan(one, two)
                events = [await centre.until_outcome(NODE, name) for name in ("b-1", "b-2")]
        finally:
            recording = samples(recorder.close())

    for event in events:
        assert (event.outcome, event.grade, event.simulated) == (Outcome.PLAYED, Grade.E1, False)
        assert event.start_error_ms is not None
        assert abs(event.start_error_ms) <= 5
    found = [compare(samples(pcm_of(data)), recording) for data in (first, second)]
    assert [len(one.matches) for one in found] == [1, 1]
    assert min(one.correlation for one in found) >= 0.95
    apart_ms = (found[1].matches[0].start - found[0].matches[0].start) / 48
    assert abs(apart_ms - 1500) <= 2


@plays
async def test_a_card_lost_under_way_interrupts_the_play_and_is_taken_up_again(folder: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        centre = await stack.enter_async_context(centre_in(folder))
        long, after = centre.add_media(make_opus(3, 20_000)), centre.add_media(make_opus(1, 800))
        pulse = stack.enter_context(running_pulse(folder / "pulse"))
        stack.enter_context(agent(folder, pulse))
        await centre.until(lambda: (one := centre.health(NODE)) and not one.faults, what="a node without faults")
        await centre.plan(broadcast("b-cut", soon(1.5), long))
        await centre.until(lambda: any(one.state is PlayState.PLAYING for one in centre.plays(NODE, "b-cut")))
        pulse.stop()
        event = await centre.until_outcome(NODE, "b-cut")
        assert (event.outcome, event.reason) == (Outcome.INTERRUPTED, Reason.OUTPUT_LOST)
        assert event.played_ms is not None
        assert event.played_ms < 19_000

        def faults() -> set[str]:
            health = centre.health(NODE)
            return {one.code for one in health.faults} if health else set()

        await centre.until(lambda: "output_lost" in faults())
        stack.enter_context(running_pulse(folder / "pulse"))
        await centre.until(lambda: "output_lost" not in faults(), within_s=30, what="the card taken up again")
        await centre.plan(broadcast("b-after", soon(1.5), after))
        assert (await centre.until_outcome(NODE, "b-after")).outcome is Outcome.PLAYED
