"""The second agent comes to its end, whatever still hangs: its tests wait for that."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.e2e.tiny_agent.ending import end
from tests.e2e.tiny_agent.link import first_of

_HANGS = """
import asyncio, threading
from tests.e2e.tiny_agent.ending import Threads

async def main():
    asyncio.get_running_loop().set_default_executor(Threads())
    assert await asyncio.to_thread(int, "7") == 7
    begun = threading.Event()
    def hang():
        begun.set()
        threading.Event().wait()
    hangs = asyncio.create_task(asyncio.to_thread(hang))
    await asyncio.to_thread(begun.wait)
    hangs.cancel()

asyncio.run(main())
print("over")
"""


def deaf_once() -> tuple[Callable[[], Coroutine[Any, Any, None]], list[str]]:
    """Give a work that loses the first cancellation, as one does that comes together with a result."""
    said: list[str] = []

    async def work() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                said.append("cancelled")
                if len(said) == 2:
                    raise

    return work, said


async def test_a_work_that_loses_a_cancellation_is_cancelled_again() -> None:
    work, said = deaf_once()
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end([task], 0.01)
    assert task.cancelled()
    assert said == ["cancelled", "cancelled"]


async def test_what_runs_while_connected_ends_with_the_link_even_so() -> None:
    work, said = deaf_once()
    link = asyncio.create_task(first_of([work(), asyncio.sleep(3600)]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await end([link], 60)
    assert link.cancelled()
    assert said == ["cancelled", "cancelled"]


async def test_the_first_that_fails_ends_the_others_and_is_raised() -> None:
    async def fails() -> None:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        await first_of([fails(), asyncio.sleep(3600)])


def test_a_thread_that_hangs_keeps_nobody_from_ending() -> None:
    done = subprocess.run([sys.executable, "-c", _HANGS], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("over\n", 0), done.stderr
