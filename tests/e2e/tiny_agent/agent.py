"""One node: its parts, put together, and their end."""

import asyncio
import signal
from pathlib import Path

from .clock import Clock
from .ending import Threads, end
from .fetcher import Fetcher
from .identity import Identity
from .keeper import Keeper
from .link import Link
from .outbox import Outbox
from .output import Output
from .player import Player
from .reporter import Reporter
from .shelf import Shelf
from .signatures import DroppedError
from .store import Store

AGAIN_S = 2.5
"""Longer than a link that is cancelled takes to end what runs meanwhile."""


class Agent:
    """Runs until SIGTERM."""

    def __init__(self, state: Path) -> None:
        identity = Identity(state)
        store = Store(state, identity.adoption["trusted_keys"])
        clock, shelf = Clock(store.kept["clock"]), Shelf(state)
        outbox = Outbox(store, clock)
        self._keeper = Keeper(identity, store, clock, shelf, outbox)
        self._output = Output(state, clock)
        self._player = Player(store, clock, self._keeper, self._output)
        self._link = Link(identity, clock, self._keeper, self._take)
        self._fetcher = Fetcher(identity, clock, self._keeper, shelf, self._player.plays, self._player.step)
        reporter = Reporter(
            identity, store, clock, self._keeper, outbox, now_playing=self._player.now_playing, say=self._link.say
        )
        self._link.meanwhile = (reporter.health, reporter.receipts)

    def _take(self, topic: str, payload: bytes) -> bool:
        """Take a message, and say whether it had an effect."""
        self._player.step()
        try:
            word = self._keeper.take(topic.removeprefix("loa/v1/"), payload)
        except DroppedError as dropped:
            self._keeper.count(dropped)
            return False
        for place, waiting in self._keeper.waited():
            self._take(f"loa/v1/{place}", waiting)
        self._player.step()
        return word is not None

    async def run(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.set_default_executor(Threads())
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        self._output.start()
        works = [asyncio.create_task(work) for work in (self._player.run(), self._fetcher.run(), self._link.run())]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, *works], return_when=asyncio.FIRST_COMPLETED)
        self._player.shut_down()
        if stopping.done():
            await self._link.goodbye()
        await end(works, AGAIN_S)
        for work in works:
            if not work.cancelled() and (wrong := work.exception()) is not None:
                raise wrong
