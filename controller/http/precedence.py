"""STOP, its release and an emergency go before whatever else people ask: while one is dealt with, others stand aside.

All requests share one thread, and each is dozens of turns on it. Beside a flood every turn of a STOP waited for the
turns of all others.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASIDE_S = 3.0
"""Longer than this nobody stands aside, whatever goes first."""
LINGER_S = 0.5
"""After what was done: until then its document is signed and on its way."""


class Precedence:
    """Whose requests go first right now."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        """By person, how many: whoever pressed STOP sees at once what became of it."""
        self._free = asyncio.Event()
        self._free.set()

    async def stand_aside(self, person_id: str | None) -> None:
        """Wait for what others do first, and no longer than is bearable."""
        if self._under_way and person_id not in self._under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(ASIDE_S):
                    await self._free.wait()

    @contextmanager
    def first(self, person_id: str, done: "Done") -> Iterator[None]:
        """Go first for the length of the block, and a moment longer when something was done."""
        self._under_way[person_id] += 1
        self._free.clear()
        try:
            yield
        finally:
            if done.well:
                asyncio.get_running_loop().call_later(LINGER_S, self._over, person_id)
            else:
                self._over(person_id)

    def _over(self, person_id: str) -> None:
        self._under_way[person_id] -= 1
        self._under_way += Counter()  # only who has something under way
        if not self._under_way:
            self._free.set()

    async def go_first(self, person_id: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request before others, as soon as its body is here: a slow one keeps nobody waiting."""
        done, headers = Done(), Headers(scope=scope)
        waiting = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        with ExitStack() as stack:

            async def receive_whole() -> Message:
                nonlocal waiting
                message = await receive()
                if waiting and not message.get("more_body", False):
                    waiting = False
                    stack.enter_context(self.first(person_id, done))
                return message

            async def look(message: Message) -> None:
                if message["type"] == "http.response.start":
                    done.well = message["status"] < 400
                await send(message)

            if not waiting:
                stack.enter_context(self.first(person_id, done))
            await app(scope, receive_whole, look)


class Done:
    """What became of a request. A refusal is no reason for others to wait."""

    well = False
