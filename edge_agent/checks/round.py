"""Looks again and again, each check by its own period, and raises and clears their faults."""

import asyncio
import logging
from collections.abc import Iterable

from edge_agent.checks.base import Check
from edge_agent.faults import FaultBook
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

HANGS_S = 15.0
"""A look that takes longer is its own answer: what should have been read or written does not come back."""


class Rounds:
    """All checks. Runs until cancelled; one that hangs holds up no other."""

    def __init__(self, checks: Iterable[Check], faults: FaultBook) -> None:
        self.checks, self._faults = tuple(checks), faults
        self._hanging: dict[Check, asyncio.Task[str | None]] = {}
        """Looks that have not come back. None is begun beside one: a card that hangs for days takes one thread."""

    async def run(self) -> None:
        """Look for ever."""
        async with asyncio.TaskGroup() as group:
            for check in self.checks:
                group.create_task(self._repeat(check), name=f"check-{check.fault}")

    async def look(self, check: Check) -> None:
        """Look once at one of them."""
        words = await self._patiently(check) if check.slow else check.look()
        self._faults.turn(check.fault, words is not None, words or "")

    async def _repeat(self, check: Check) -> None:
        while True:
            await self.look(check)
            await asyncio.sleep(check.period_s)

    async def _patiently(self, check: Check) -> str | None:
        """Wait for a look, not for ever; its thread is left behind, and what it finds at last is taken then."""
        looking = self._hanging.pop(check, None) or asyncio.create_task(in_thread(check.look))
        done, _ = await asyncio.wait([looking], timeout=HANGS_S)
        if done:
            return looking.result()
        log.error("the check of %s hangs", check.fault)
        self._hanging[check] = looking
        return f"no answer within {HANGS_S:.0f} s"
