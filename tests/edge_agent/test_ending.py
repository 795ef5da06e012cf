"""The end of the process: it comes, whatever hangs; and nobody else uses its state."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import ending
from edge_agent.config import StateDir
from tests.edge_agent.test_cli import loa_agent


async def test_a_task_that_loses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while lost < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(ending.end([task]), 20)
    assert (task.done(), lost) == (True, 3)


def test_an_end_that_takes_too_long_is_made_by_force() -> None:
    """By a thread of its own: the loop may be what hangs."""
    script = (
        "import threading\n"
        "from edge_agent import ending\n"
        "ending.END_S = 0.05\n"
        "ending.LastResort().arm()\n"
        "threading.Event().wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ended by force" in done.stderr


def test_a_second_agent_is_kept_out_and_told_so(tmp_path: Path) -> None:
    with ending.alone(StateDir(tmp_path)):
        done = loa_agent("run", "--state", str(tmp_path), "--output=virtual")
    assert done.returncode == 1
    assert done.stderr == (f"loa-agent: another `loa-agent` uses {tmp_path}: stop it, or give another --state\n")
    assert "run `loa-agent enroll` first" in loa_agent("run", "--state", str(tmp_path)).stderr


def test_nobody_is_adopted_twice_at_once(tmp_path: Path) -> None:
    with ending.alone(StateDir(tmp_path)):
        done = loa_agent("enroll", "--server=https://127.0.0.1:1", "--state", str(tmp_path), "--output=virtual")
    assert done.returncode == 1
    assert done.stderr == (f"loa-agent: another `loa-agent` uses {tmp_path}: stop it, or give another --state\n")
    assert [each.name for each in tmp_path.iterdir()] == ["lock"]
