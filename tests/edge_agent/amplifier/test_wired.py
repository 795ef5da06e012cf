"""A real agent switches a real file."""

import sys
from pathlib import Path

import pytest

from edge_agent.protocol.states import Outcome
from tests.e2e.beside import plays
from tests.edge_agent.centre import agent_process, broadcast, make_opus, running_centre, soon

NODE = "node-1"


@pytest.mark.broker
@pytest.mark.timeout(300)
@plays
async def test_the_pin_is_on_for_a_play_and_off_when_the_agent_has_gone(folder: Path) -> None:
    pin = folder / "pin"
    async with running_centre(folder / "centre") as centre:
        centre.adopt(folder / "node", NODE)
        await centre.settle(NODE)
        command = [sys.executable, "-m", "edge_agent", "run", "--state", str(folder / "node"), "--output", "virtual"]
        with agent_process([*command, "--amplifier", f"file:{pin}"], folder / "agent.log"):
            await centre.until(lambda: (one := centre.health(NODE)) and not one.faults, what="a node without faults")
            health = centre.health(NODE)
            assert health is not None
            assert health.disk_free_files is None or health.disk_free_files > 0
            assert health.link_reconnects == 0
            assert pin.read_text() == "0"
            await centre.plan(broadcast("b-1", soon(2), centre.add_media(make_opus(1, 800))))
            await centre.until(lambda: pin.read_text() == "1", what="power for the amplifier")
            assert (await centre.until_outcome(NODE, "b-1")).outcome is Outcome.PLAYED
            assert pin.read_text() == "1"  # for a while yet
        assert pin.read_text() == "0"
