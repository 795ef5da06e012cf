"""Keeps an output open: opens it, notices when it hangs or goes, and opens it again."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable

from edge_agent.errors import OutputError
from edge_agent.faults import Fault, FaultBook
from edge_agent.outputs.base import Maker, Output
from edge_agent.outputs.pace import Pace
from edge_agent.renderer import Renderer
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

CHECK_S = 0.5
HANGS_AFTER = 4
"""Checks in a row without a call from the card: 2 s, well inside the 5 s in which a play counts as interrupted."""
PROBATION_S = 3.0
"""An output that comes after one that was too fast, or hung, has to show its pace before anything sounds by it: longer
than it takes to see that it hangs."""
RETRY_S = (1.0, 10.0)
"""First and longest wait before the card is tried again."""
CLOSE_S = 3.0
"""A hanging card may not keep us: after this its thread is left behind."""


class OutputWatch:
    """Runs until cancelled. ``available`` says whether anything can sound."""

    name = "output"

    def __init__(self, maker: Maker, renderer: Renderer, faults: FaultBook) -> None:
        self._maker, self._renderer, self._faults = maker, renderer, faults
        self.ready = asyncio.Event()
        self.available = False
        self._doubted = False
        """The last output was no real one, or hung."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when ``available`` has changed."""

    async def run(self) -> None:
        """Open, watch, close, again and again."""
        wait_s = RETRY_S[0]
        while True:
            output = self._maker()
            try:
                lost = await self._open(output)
            except OutputError as error:
                self._faults.put(Fault.OUTPUT_LOST, str(error))
                self.ready.set()
                await self._close(output)
            else:
                wait_s = RETRY_S[0]
                await self._attend(output, lost)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S[1])

    async def _open(self, output: Output) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[str] = loop.create_future()

        def tell(why: str) -> None:
            if not lost.done():
                lost.set_result(why)

        def on_lost(why: str) -> None:
            with contextlib.suppress(RuntimeError):  # one that was left behind, after the end of all
                loop.call_soon_threadsafe(tell, why)

        await in_thread(output.open, self._renderer.render, self._renderer.count_underrun, on_lost)
        return lost

    async def _attend(self, output: Output, lost: asyncio.Future[str]) -> None:
        """Watch an open output until it is lost."""
        pace = Pace(time.monotonic_ns(), self._renderer.frames)
        try:
            why = await self._until_lost(lost, pace, within_s=PROBATION_S) if self._doubted else None
            if why is None:
                self._turn(available=True)
                self._faults.clear(Fault.OUTPUT_LOST)
                self.ready.set()
                why = await self._until_lost(lost, pace)
            self._faults.put(Fault.OUTPUT_LOST, why or "")
            log.error("output lost: %s", why)
        finally:
            self._turn(available=False)
            await self._close(output)

    async def _until_lost(self, lost: asyncio.Future[str], pace: Pace, *, within_s: float = math.inf) -> str | None:
        """Say why the output is lost, once it is; None when it is not within that time."""
        calls, still, checks = -1, 0, 0
        while still < HANGS_AFTER:
            if checks * CHECK_S >= within_s:
                return None
            await asyncio.wait([lost], timeout=CHECK_S)
            if lost.done():
                return lost.result()
            self._doubted = pace.is_too_fast(time.monotonic_ns(), self._renderer.frames)
            if self._doubted:
                return "the output swallows sound faster than it can be heard: it is no sound card"
            still = still + 1 if self._renderer.calls == calls else 0
            calls, checks = self._renderer.calls, checks + 1
        self._doubted = True
        return "the output hangs: it asked for no sound in 2 s"

    async def _close(self, output: Output) -> None:
        try:
            async with asyncio.timeout(CLOSE_S):
                await in_thread(output.close)
        except TimeoutError:
            log.exception("the output does not close; its thread is left behind")

    def _turn(self, *, available: bool) -> None:
        self.available = available
        self.on_change()
