"""A whole agent that listens to itself: through a virtual microphone, and through PulseAudio's monitor as one.

A monitor proves that the code hears, not that a horn sounds: evidence of it is to be called simulated.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_agent.ending import END_S
from edge_agent.protocol.content import Voice
from edge_agent.protocol.documents import CommandAction, QuietHours
from edge_agent.protocol.reports import Health, Online, SelfTestReport
from edge_agent.protocol.states import Grade, Outcome, Reason
from edge_agent.protocol.topics import Word
from tests.edge_agent.centre import Centre, agent_process, broadcast, make_opus, running_centre, soon
from tests.pulse import Pulse, running_pulse

pytestmark = [pytest.mark.broker, pytest.mark.listening]
NODE = "node-1"


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with running_centre(tmp_path / "centre") as made:
        made.adopt(tmp_path / "node", NODE)
        await made.settle(NODE)
        yield made


@contextlib.contextmanager
def agent(root: Path, *options: str, **env: str) -> Iterator[None]:
    command = [sys.executable, "-m", "edge_agent", "run", "--state", str(root / "node"), *options]
    with agent_process(command, root / "agent.log", **env):
        yield


async def ready(centre: Centre) -> Online:
    await centre.until(lambda: (one := centre.health(NODE)) and one.held.get(f"nodes/{NODE}"), what="a node at work")
    return msgspec.json.decode(centre.said(NODE, Word.PRESENCE)[0], type=Online)


def health(centre: Centre) -> Health:
    found = centre.health(NODE)
    assert found is not None
    return found


def wants(centre: Centre) -> bool:
    reference = health(centre).reference
    return reference is not None and reference.wanted


async def ordered(centre: Centre, action: CommandAction, obeyed: Callable[[], Any], **fields: Any) -> Any:
    """Say a command until it is obeyed: it is not retained, and subscribed to last. Twice is once."""
    while not (found := obeyed()):
        await centre.command(NODE, action, **{"command_id": action.value.replace("_", "-"), **fields})
        said = len(centre.said(NODE, Word.HEALTH))
        await centre.until(lambda: len(centre.said(NODE, Word.HEALTH)) > said)  # noqa: B023 - awaited at once
    return found


TRIES = 4
"""On a machine that stalls frames are lost, and what is not proven whole is no evidence: it is played again."""


async def heard(centre: Centre, name: str, voice: Voice, wanted: tuple[Outcome, Grade, bool]) -> int:
    """Play until it ends as it should; gives how often it was played."""
    for number in range(TRIES):
        await centre.plan(broadcast(f"{name}-{number}", soon(2), voice))
        event = await centre.until_outcome(NODE, f"{name}-{number}", within_s=40)
        found = (event.outcome, event.grade, event.simulated)
        if found == wanted:
            return number + 1
    raise AssertionError(f"{name}: {found}, not {wanted}")


async def tone(centre: Centre) -> SelfTestReport:
    """Ask for the tone until it is heard."""
    for number in range(TRIES):
        name = f"tone-{number}"
        found: SelfTestReport = await ordered(
            centre,
            CommandAction.SELF_TEST,
            lambda name=name: (one := health(centre).self_test) and one.command_id == name and one,  # type: ignore[misc]
            command_id=name,
        )
        if found.result == "heard":
            break
    return found


def faults(centre: Centre) -> set[str]:
    return {one.code for one in health(centre).faults}


async def test_a_node_with_a_microphone_hears_its_play_its_tone_and_its_horns(centre: Centre, tmp_path: Path) -> None:
    voice = centre.add_media(make_opus(1, 4000))
    with agent(tmp_path, "--output=virtual", "--input=virtual"):
        hello = await ready(centre)
        assert (hello.abilities.best_grade, hello.abilities.input_simulated) == (Grade.E3, True)
        tested = await tone(centre)
        assert (tested.result, tested.simulated) == ("heard", True)

        await ordered(centre, CommandAction.REFERENCE, lambda: wants(centre), sha256=voice.sha256)
        times = await heard(centre, "b-1", voice, (Outcome.PLAYED, Grade.E3, True))
        taken = await centre.until(lambda: (one := health(centre).reference) and one.taken_at and one)
        assert taken.sha256 == voice.sha256
        assert taken.change is None or times > 1, "the first that was heard is the reference, and judges those after it"

        await heard(centre, "b-2", voice, (Outcome.PLAYED, Grade.E3, True))
        judged = await centre.until(lambda: (one := health(centre).reference) and one.change and one)
        assert judged.change == "same"
        assert faults(centre).isdisjoint({"not_heard", "horn_changed", "input_lost"})


@pytest.mark.sound
async def test_what_a_monitor_does_not_hear_stays_grade_e1_and_is_a_fault(centre: Centre, tmp_path: Path) -> None:
    voice = centre.add_media(make_opus(2, 3000))
    options = ("--output=card", "--input=card", "--input-kind=loopback", "--input-simulated")

    def listening_to(pulse: Pulse, source: str) -> contextlib.AbstractContextManager[None]:
        return agent(tmp_path, *options, **pulse.to("sink0"), PULSE_SOURCE=source)

    with running_pulse(tmp_path / "pulse", sinks=2) as pulse:
        with listening_to(pulse, "sink1.monitor"):  # another sink's: nothing is heard there
            await ready(centre)
            await heard(centre, "b-1", voice, (Outcome.PLAYED, Grade.E1, False))
            await centre.until(lambda: "not_heard" in faults(centre))
        heard_before = len(centre.heard)
        with listening_to(pulse, "sink0.monitor"):
            await centre.until(lambda: len(centre.heard) > heard_before)
            await heard(centre, "b-2", voice, (Outcome.PLAYED, Grade.E2, True))
            await centre.until(lambda: "not_heard" not in faults(centre))


async def test_an_agent_that_is_ended_while_it_listens_goes_in_time_and_says_once_what_was_heard(
    centre: Centre, tmp_path: Path
) -> None:
    voice = centre.add_media(make_opus(1, 30_000))
    command = [sys.executable, "-m", "edge_agent", "run", "--state", str(tmp_path / "node")]
    with agent_process([*command, "--output=virtual", "--input=virtual"], tmp_path / "agent.log") as process:
        await ready(centre)
        await centre.plan(broadcast("b-1", soon(2), voice))
        await centre.until(lambda: health(centre).now_playing, within_s=20, what="a sound")
        process.terminate()
        assert await asyncio.to_thread(process.wait, END_S + 20) == 0  # by force, after ``END_S``, it would be 1
    with agent(tmp_path, "--output=virtual"):
        told = await centre.until_outcome(NODE, "b-1")
        assert (told.outcome, told.reason) == (Outcome.INTERRUPTED, Reason.SHUTDOWN)
        assert told.played_ms is not None
        assert 0 < told.played_ms < 30_000
        assert told.simulated
    assert len([one for one in centre.plays(NODE, "b-1") if one.outcome is not None]) == 1


async def test_who_stands_at_the_pole_can_test_by_hand_but_not_in_quiet_hours(centre: Centre, tmp_path: Path) -> None:
    def by_hand(*options: str) -> list[str]:
        command = [sys.executable, "-m", "edge_agent", "self-test", "--state", str(tmp_path / "node"), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return [line.split(":")[0] for line in done.stdout.splitlines() if line.split()[1] == "hearing:"]

    options = ("--output=virtual", "--input=virtual")
    assert await asyncio.to_thread(by_hand, *options) == ["FAILED hearing"]  # no settings have come yet
    with agent(tmp_path, *options):
        await ready(centre)
        assert await asyncio.to_thread(by_hand, *options) == ["FAILED hearing"], "two would sound at once"
    for _ in range(TRIES):
        if (said := await asyncio.to_thread(by_hand, *options)) == ["ok     hearing"]:
            break
    assert said == ["ok     hearing"]
    quiet = (QuietHours(start="00:00", until="12:00"), QuietHours(start="12:00", until="00:00"))
    with agent(tmp_path, *options):
        settings = await centre.settle(NODE, quiet_hours=quiet)
        await centre.until_held(NODE, settings)
        refused = await ordered(centre, CommandAction.SELF_TEST, lambda: health(centre).self_test)
        assert (refused.result, refused.reason) == ("refused", "quiet_hours")
    assert await asyncio.to_thread(by_hand, *options) == ["FAILED hearing"]
