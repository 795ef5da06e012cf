"""A real agent whose network is gone falls silent when its button, a real file, is pressed."""

import asyncio
import sys
import threading
import time
from pathlib import Path

import pytest

from edge_agent.config import StateDir
from tests.e2e.waiting import until
from tests.edge_agent.centre import VirtualRecording, agent_process, broadcast, make_opus, running_centre, soon

NODE = "node-1"
BYTES_PER_S = 96_000


def _grow(wav: Path, by_s: float) -> int:
    until, end_s = wav.stat().st_size + int(by_s * BYTES_PER_S), time.monotonic() + 30
    while wav.stat().st_size < until:
        assert time.monotonic() < end_s, "the output stands still"
        threading.Event().wait(0.05)
    return wav.stat().st_size


async def grown(wav: Path, by_s: float) -> int:
    """Wait until the output has taken so much more; gives how much it has now."""
    return await asyncio.to_thread(_grow, wav, by_s)


@pytest.mark.broker
async def test_a_press_is_silence_though_nobody_can_be_reached_and_is_told_when_somebody_can(tmp_path: Path) -> None:
    button, log, state = tmp_path / "button", tmp_path / "agent.log", StateDir(tmp_path / "node")
    async with running_centre(tmp_path / "centre") as centre:
        centre.adopt(state.root, NODE)
        await centre.settle(NODE)
        command = [sys.executable, "-m", "edge_agent", "run", "--state", str(state.root), "--output", "virtual"]
        with agent_process([*command, "--button", f"file:{button}"], log):
            await centre.until(lambda: centre.health(NODE), what="a node")
            await centre.plan(broadcast("b-1", soon(2), centre.add_media(make_opus(1, 25_000))))
            await centre.until(lambda: (one := centre.health(NODE)) and one.now_playing, what="a sound")
            await centre.lose_broker()
            await grown(state.wav, 1.0)
            button.write_text("1", encoding="ascii")
            # Not so long after the press, but after what the agent did for it: whole processes stand still here.
            await until(lambda: "fault local_stop" in log.read_text(errors="replace"), 30, "the press seen")
            silent_from = await grown(state.wav, 0.5)
            await grown(state.wav, 1.0)
            await centre.bring_broker_back()
            told = await centre.until_outcome(NODE, "b-1", within_s=30)
            assert (told.outcome, told.reason) == ("interrupted", "local_stop")
        recording = VirtualRecording(state.wav, state.instants)
        assert any(recording.pcm)
        assert not any(recording.pcm[silent_from:])
