"""``tests.pulse`` for those who wait in an event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from tests.pulse import Pulse, Recorder, missing, running_pulse

__all__ = ["PulseAudio", "Recorder", "missing"]


class PulseAudio:
    """A server with null sinks ``sink0``, ``sink1``… Use it as an async context manager."""

    def __init__(self, folder: Path, sinks: int = 3) -> None:
        self._folder, self._count = folder, sinks
        self._stack = ExitStack()
        self._pulse: Pulse

    async def __aenter__(self) -> Self:
        self._pulse = self._stack.enter_context(running_pulse(self._folder, self._count))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def sinks(self) -> list[str]:
        """Names of the sinks."""
        return self._pulse.sinks

    def env(self, sink: str) -> dict[str, str]:
        """Give what an agent with ``--output card`` needs in its environment to play to a sink."""
        return self._pulse.to(sink)

    @asynccontextmanager
    async def record(self, sink: str) -> AsyncIterator[Recorder]:
        """Record what leaves a sink for the length of the block; the block begins when sound arrives."""
        recorder = await asyncio.to_thread(self._pulse.record, sink)
        try:
            yield recorder
        finally:
            await asyncio.to_thread(recorder.close)
