"""Asks the ears: starts their process when something is to be judged, and lets it go when nothing is for a while.

A process that hangs or dies costs a verdict, nothing else.
"""

import asyncio
import contextlib
import logging
import os
import sys
from typing import Protocol, TypeVar

import msgspec

from edge_agent.heard import Compare, Compared, Piece, PieceHeard, Way

log = logging.getLogger(__name__)

ANSWER_S = 15.0
"""A small machine takes a second to load what the ears need, and less for a piece of 5 s."""
IDLE_S = 60.0
_T = TypeVar("_T")


class Judge(Protocol):
    """Says what was heard. ``None`` when nobody can say."""

    async def piece(self, sent: bytes, captured: bytes) -> PieceHeard | None:
        """Judge a piece."""

    async def compare(self, reference: tuple[Way, ...], now: tuple[Way, ...]) -> Compared | None:
        """Compare two sessions."""

    async def wake(self) -> None:
        """Something will be to judge soon."""

    async def rest(self) -> None:
        """Nothing is to be judged for a while."""


class ProcessJudge:
    """Asks a process of its own, one thing at a time."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-m", "edge_agent.ears")) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._turn, self._beginning = asyncio.Lock(), asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process that runs now; None while none does."""
        return None if self._process is None else self._process.pid

    async def piece(self, sent: bytes, captured: bytes) -> PieceHeard | None:
        """Judge a piece."""
        return await self._ask(Piece(len(sent), len(captured)), sent + captured, PieceHeard)

    async def compare(self, reference: tuple[Way, ...], now: tuple[Way, ...]) -> Compared | None:
        """Compare two sessions."""
        return await self._ask(Compare(reference, now), b"", Compared)

    async def wake(self) -> None:
        """Start the process: a small machine takes a second or two to load what it needs."""
        with contextlib.suppress(OSError):
            await self._running()

    async def rest(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _ask(self, request: Piece | Compare, body: bytes, kind: type[_T]) -> _T | None:
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_S):
                    line = await self._exchange(msgspec.json.encode(request) + b"\n" + body)
                return msgspec.json.decode(line, type=kind)
            except (TimeoutError, OSError, ValueError, msgspec.DecodeError) as error:
                log.warning("the ears do not answer: %r", error)
                await self._end(at_once=True)
                return None
            except asyncio.CancelledError:
                self._kill()
                raise

    async def _exchange(self, asked: bytes) -> bytes:
        process = await self._running()
        assert process.stdin is not None  # noqa: S101 - asked for below
        assert process.stdout is not None  # noqa: S101 - as above
        process.stdin.write(asked)
        await process.stdin.drain()
        return await process.stdout.readline()

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._beginning:  # one alone begins it, for ``wake`` waits for no turn
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                )
            return self._process

    async def _end(self, *, at_once: bool = False) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if at_once:
            self._kill(process)
        elif process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(ANSWER_S):
                await process.wait()
        except TimeoutError:
            self._kill(process)

    def _kill(self, process: asyncio.subprocess.Process | None = None) -> None:
        process = process or self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
