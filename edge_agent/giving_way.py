"""Ends the agent for the program that a package has put in its place, once nobody would hear the gap.

A package cannot know what sounds: it asks (SIGUSR1, the unit's reload), and the agent chooses the moment.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from edge_agent.updates.service import LOOK_S, QUIET

log = logging.getLogger(__name__)


class GivingWay:
    """Runs until cancelled."""

    name = "giving-way"

    def __init__(self, *, is_near: Callable[[timedelta], bool], leave: Callable[[], None]) -> None:
        """``is_near`` says whether anything sounds, or is to within a time."""
        self._is_near, self._leave = is_near, leave
        self._asked = asyncio.Event()
        self.ready = asyncio.Event()

    def ask(self) -> None:
        """Ask for the end; asking again changes nothing."""
        if not self._asked.is_set():
            log.info("another program is installed: it begins when nothing sounds and nothing starts within %s", QUIET)
        self._asked.set()

    async def run(self) -> None:
        """Wait to be asked, then for a quiet moment."""
        self.ready.set()
        await self._asked.wait()
        while not self.look():  # noqa: ASYNC110 - quiet is a matter of the clock too: nobody tells
            await asyncio.sleep(LOOK_S)
        await asyncio.Event().wait()  # the end comes for all services at once

    def look(self) -> bool:
        """Leave if it is asked for and quiet; tells whether it has left."""
        if not self._asked.is_set() or self._is_near(QUIET):
            return False
        self._leave()
        return True
