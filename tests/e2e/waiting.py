"""The one place of the end-to-end tests that polls: processes and sound cards tell nobody when they are ready."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

EVERY_S = 0.05


async def until(condition: Callable[[], T | Awaitable[T | None] | None], within_s: float, what: str) -> T:
    """Wait until the condition gives something true, and give it; fails with ``what`` when it does not in time."""
    found: object = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                found = condition()
                if inspect.isawaitable(found):
                    found = await found
                if found:
                    return found  # type: ignore[return-value]  # true, so neither None nor False
                await asyncio.sleep(EVERY_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {what}; last seen {found!r:.500}") from None
