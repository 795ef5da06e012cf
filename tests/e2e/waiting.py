"""The one place of the end-to-end tests that polls: processes and sound cards tell nobody when they are ready."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, overload

T = TypeVar("T")

EVERY_S = 0.05


@overload
async def until(condition: Callable[[], Awaitable[T]], within_s: float, what: str) -> T: ...
@overload
async def until(condition: Callable[[], T], within_s: float, what: str) -> T: ...
async def until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """Wait until the condition gives something true, and give it; fails with ``what`` when it does not in time."""
    found: Any = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                given = condition()
                found = await given if inspect.isawaitable(given) else given
                if found:
                    return found
                await asyncio.sleep(EVERY_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {what}; last seen {found!r:.500}") from None


def whole_lines(path: Path) -> list[str]:
    """Read a file of lines that another process writes to: the last one may not be whole yet."""
    return path.read_text("utf-8", "replace").rpartition("\n")[0].splitlines()
