"""For what plays in real time beside other tests: such a scene is judged as those that listen are (``stalls``).

Its agents run as any program does, and so does what tells whether such a program ran in time.
"""

import asyncio
import inspect
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.demo.processes import Program
from tests.e2e.stalls import MS, TICKER, Span, kept_waiting, on_a_machine_that_keeps_up, say
from tests.e2e.waiting import until

STALL = 60 * MS
"""Of one thread that had to run. A virtual output has 160 ms ahead, a card 100; before it is filled an agent's threads
wait for each other, and each of them for the machine."""

CALM = timedelta(seconds=3)
"""A machine that did not stall for so long keeps up."""
SOON_S = 45.0
TRIES = 4
"""One more than where nothing but communes plays."""


class Corner:
    """Where one scene is played: in a folder of its own each time."""

    def __init__(self, root: Path, ticker: Program) -> None:
        self.folder, self.again = root, list[str]()
        self._root, self._ticker, self._times = root, ticker, 0
        self._since = datetime.now(UTC)

    def begin(self) -> None:
        """Begin anew, with nothing of the time before."""
        self._times += 1
        self._since, self.folder = datetime.now(UTC), self._root / f"time-{self._times}"
        self.folder.mkdir()

    async def stalls(self) -> list[str]:
        """Say how long a program that had to run was kept waiting; the longest comes first."""
        return [f"a program ran {late // MS} ms late" for late in sorted(self._late(self._since), reverse=True)]

    async def clear(self, why: AssertionError, stalls: list[str]) -> None:
        """Note that the scene is played again, and let a machine that stalls come to itself, if it soon does."""
        self.again.append("; ".join([str(why).splitlines()[0], f"{len(stalls)} stalls", *stalls[:3]]))
        with suppress(AssertionError):  # then it is played all the same
            await until(lambda: not self._late(datetime.now(UTC) - CALM), SOON_S, "a machine that keeps up")

    def _late(self, since: datetime) -> list[timedelta]:
        self._ticker.check()
        found = kept_waiting(self._ticker.log, [Span(since, datetime.now(UTC))])
        return [one.to - one.since for one in found if one.to - one.since >= STALL]


@asynccontextmanager
async def corner(root: Path) -> AsyncIterator[Corner]:
    """Watch the machine for the length of the block."""
    argv, log = [sys.executable, "-I", "-S", str(TICKER)], root / "ticks.jsonl"
    ticker = await Program.start("ticker", argv, env=dict(os.environ), log=log)
    try:
        yield Corner(root, ticker)
    finally:
        await ticker.stop()


Scene = Callable[..., Awaitable[None] | None]
Test = Callable[..., Awaitable[None]]


def plays(scene: Scene) -> Test:
    """Make a test of a scene that is given an empty folder, and what else it asks pytest for."""

    async def test(tmp_path: Path, request: pytest.FixtureRequest, **given: Any) -> None:
        async def once(here: Corner) -> None:
            if inspect.iscoroutinefunction(scene):
                await scene(here.folder, **given)
            else:
                await asyncio.to_thread(scene, here.folder, **given)

        async with corner(tmp_path) as here:
            try:
                await on_a_machine_that_keeps_up(once, tries=TRIES)(here)
            finally:
                if here.again:
                    say(request.config, [f"{request.node.name}: played again for a machine that stalled", *here.again])

    own, asked = inspect.signature(test).parameters, inspect.signature(scene).parameters
    takes = [own["tmp_path"], own["request"], *list(asked.values())[1:]]
    test.__signature__ = inspect.Signature(takes)  # type: ignore[attr-defined]
    return named_after(scene, test)


def named_after(scene: Callable[..., object], test: Test) -> Test:
    """Let a test be known by its scene's name."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(test, name, getattr(scene, name))
    test.__dict__.update(scene.__dict__)  # its marks
    return test
