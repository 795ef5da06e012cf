"""Reads recordings again before they are needed: a byte that changed on the disk is found while it can be fetched.

Each is read once more before each of its broadcasts, whatever was found earlier: rot leaves no trace in a time stamp.
"""

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
_KEPT = ""
"""Stands for a broadcast where there is none."""


class Voucher:
    """Runs until cancelled."""

    name = "voucher"

    def __init__(self, keeper: Keeper, shelf: Shelf, player: Player) -> None:
        self._keeper, self._shelf, self._player = keeper, shelf, player
        self.ready = asyncio.Event()
        self._nudge = asyncio.Event()
        self._read: set[tuple[str, str]] = set()
        """What was read for the broadcasts that are near, and for what is always kept."""
        self.on_spoiled: Callable[[str], None] = lambda _: None
        """Called with the hash of a file that was thrown away."""

    def nudge(self) -> None:
        """Look now."""
        self._nudge.set()

    async def run(self) -> None:
        """Look every few seconds, and when nudged. Nobody waits for the first look: it reads all that is kept."""
        self.ready.set()
        while True:
            self._nudge.clear()
            await self.look()
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._nudge.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Read what is near and has not been read for it, or has changed since."""
        near = self._near()
        read = {one for one in near if one in self._read and self._shelf.is_vouched(one[1])}
        due = dict.fromkeys(sha256 for one in near if one not in read and self._shelf.has(sha256 := one[1]))
        for sha256 in due:
            await self._vouch(sha256)
        self._read = {one for one in near if one in read or one[1] in due}

    def _near(self) -> list[tuple[str, str]]:
        """Give the recordings of each broadcast that is near, the next first, and what is always kept."""
        settings = self._keeper.settings
        if settings is None:
            return []
        near = sorted((listing.broadcast for listing in self._player.near(SOON)), key=lambda one: one.start_at)
        voices = [(one.broadcast_id, voice.sha256) for one in near for voice in one.voices_for(settings.languages)]
        # What is kept for an emergency is read too, once: then nothing has to be read when it comes.
        return [*voices, *((_KEPT, voice.sha256) for voice in settings.pinned)]

    async def _vouch(self, sha256: str) -> None:
        if not await in_thread(self._shelf.vouch, sha256):
            log.error("recording %s has changed on the disk or cannot be read; fetching it again", sha256[:12])
            self.on_spoiled(sha256)
        self._player.changed()
