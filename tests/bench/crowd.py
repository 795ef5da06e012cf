"""Holds the process of the light nodes from the side of a benchmark."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

STOP_S = 10
LINE_BYTES = 64 * 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]


class Crowd:
    """A running ``light.py``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, do: str, *, within_s: float = 120, **given: Any) -> dict[str, Any]:
        """Give an order and wait for the answer.

        Raises:
            RuntimeError: the process has ended; what it said stands on standard error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **given}).encode() + b"\n")
        await self._process.stdin.drain()
        async with asyncio.timeout(within_s):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of the light nodes has ended; see what it said above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def crowd(order: Path, program: str = "tests.bench.light") -> AsyncIterator[Crowd]:
    """Run light nodes for the length of the block; ``program`` is the module that plays them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        program,
        str(order),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        yield Crowd(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
