"""Whoever asks the ears, and however many at once: there is one process of them."""

import asyncio
import sys
from typing import Any

import pytest

from edge_agent.judge import ProcessJudge

LIKE_EARS = (
    "import json, sys\n"
    "for line in sys.stdin.buffer:\n"
    "    asked = json.loads(line)\n"
    "    sys.stdin.buffer.read(asked['sent_bytes'] + asked['captured_bytes'])\n"
    "    print(json.dumps({'verdict': 'heard'}), flush=True)\n"
)


@pytest.mark.timeout(120)
async def test_who_asks_while_they_are_being_woken_asks_the_same_ears(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process stayed for good, with all that it has in memory, and nobody knew of it."""
    begun, may_go_on, real = [0], asyncio.Event(), asyncio.create_subprocess_exec

    async def slow(*command: str, **how: Any) -> asyncio.subprocess.Process:
        begun[0] += 1
        await may_go_on.wait()
        return await real(*command, **how)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slow)
    judge = ProcessJudge((sys.executable, "-c", LIKE_EARS))
    waking = asyncio.create_task(judge.wake())
    asking = asyncio.create_task(judge.piece(bytes(2), bytes(2)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    may_go_on.set()
    try:
        await waking
        found = await asking
    finally:
        await judge.rest()
    assert found is not None
    assert found.verdict == "heard"
    assert begun == [1]
