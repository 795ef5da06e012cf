"""Reads recordings again before they are needed: a byte that changed on the disk is found while it can be fetched."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from edge_agent.keeper import Keeper
from edge_agent.player import Player
from edge_agent.shelf import Shelf
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

SOON = timedelta(seconds=60)
"""Before its start (reference trust.md F12: hash at arm, T − 60 s)."""
EVERY_S = 5.0
"""Seconds between two looks when nothing calls for one."""


class Voucher:
    """Runs until cancelled."""

    name = "voucher"

    def __init__(self, keeper: Keeper, shelf: Shelf, player: Player) -> None:
        self._keeper, self._shelf, self._player = keeper, shelf, player
        self.ready = asyncio.Event()
        self._nudge = asyncio.Event()
        self.on_spoiled: Callable[[str], None] = lambda _: None
        """Called with the hash of a file that was thrown away."""

    def nudge(self) -> None:
        """Look now."""
        self._nudge.set()

    async def run(self) -> None:
        """Look every few seconds, and when nudged."""
        while True:
            self._nudge.clear()
            for sha256 in self._due():
                await self._vouch(sha256)
            self.ready.set()
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._nudge.wait()
            except TimeoutError:
                continue

    def _due(self) -> list[str]:
        settings = self._keeper.settings
        if settings is None:
            return []
        voices = [
            voice for listing in self._player.near(SOON) for voice in listing.broadcast.voices_for(settings.languages)
        ]
        # What is kept for an emergency is read too, once: then nothing has to be read when it comes.
        names = dict.fromkeys(voice.sha256 for voice in (*voices, *settings.pinned))
        return [sha256 for sha256 in names if self._shelf.has(sha256) and not self._shelf.is_vouched(sha256)]

    async def _vouch(self, sha256: str) -> None:
        if not await in_thread(self._shelf.vouch, sha256):
            log.error("recording %s has changed on the disk or cannot be read; fetching it again", sha256[:12])
            self.on_spoiled(sha256)
        self._player.changed()
