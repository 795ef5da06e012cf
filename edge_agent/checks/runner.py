"""Looks every second at what does not tell by itself: the clock, what was fetched, and whether the player lives.

Everything else that is looked at is a check with a file and a period of its own (``round``).
"""

import asyncio
import logging
from collections.abc import Callable

from edge_agent import systemd
from edge_agent.checks.round import Rounds
from edge_agent.clock import Clock
from edge_agent.faults import Fault, FaultBook
from edge_agent.inbox import Inbox
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger
from edge_agent.link import Link
from edge_agent.outputs.watch import OutputWatch
from edge_agent.player import Player
from edge_agent.protocol.states import ClockState

log = logging.getLogger(__name__)

EVERY_S = 1.0
UNTRUSTED_S, POOR_S, FRESH_S = 5.0, 60.0, 1800.0
"""Seconds between two questions for the time: while nobody has answered, to see whether a slow link or a wrong clock
still is, or when no ping tells how slow the link is, and to keep trust fresh."""
TIDY_EVERY = 600
"""Checks between two clean-ups: ten minutes."""


class Checks:
    """Runs until cancelled."""

    name = "checks"

    def __init__(
        self,
        *,
        rounds: Rounds,
        clock: Clock,
        faults: FaultBook,
        inbox: Inbox,
        keeper: Keeper,
        ledger: Ledger,
        link: Link,
        player: Player,
        output: OutputWatch,
        review: Callable[[], None],
        output_calls: Callable[[], int],
    ) -> None:
        self._rounds = rounds
        self._clock, self._faults, self._inbox, self._keeper = clock, faults, inbox, keeper
        self._ledger, self._link, self._player, self._output = ledger, link, player, output
        self._review, self._output_calls = review, output_calls
        self.ready = asyncio.Event()
        self._pulse = Pulse()
        self._asked_s = 0.0

    async def run(self) -> None:
        """Check for ever."""
        self.ready.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rounds.run(), name="rounds")
            group.create_task(self._every_second(), name="every-second")
            group.create_task(self._ask_again_and_again(), name="ask-time")

    async def _every_second(self) -> None:
        count = 0
        while True:
            self._clock.check()
            self._inbox.check()
            self._review()
            self._feed_watchdog()
            count += 1
            if count % TIDY_EVERY == 0:
                self._keeper.relist()
                self._keeper.forget()
                self._ledger.forget(self._clock.surely(), set(self._keeper.listings))
            await asyncio.sleep(EVERY_S)

    def asked_time(self) -> None:
        """The link has asked by itself, on connect."""
        self._asked_s = asyncio.get_running_loop().time()

    async def _ask_again_and_again(self) -> None:
        """Apart from the rest: a link that is dead and does not know it takes 15 s for each question."""
        while True:
            await self._ask_time()
            await asyncio.sleep(EVERY_S)

    async def _ask_time(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._link.connected and now_s - self._asked_s >= self._ask_every_s():
            self._asked_s = now_s
            await self._link.ask_time()

    def _ask_every_s(self) -> float:
        if self._clock.state is ClockState.UNTRUSTED:
            return UNTRUSTED_S
        unsure = self._faults.stands(Fault.LINK_POOR) or self._faults.stands(Fault.CLOCK_OFFSET)
        unsure = unsure or self._link.rtt_ms is None
        return POOR_S if unsure else FRESH_S

    def _feed_watchdog(self) -> None:
        """Tell the supervisor that we live, if the player and the output have moved since the last time."""
        calls = self._output_calls() if self._output.available else None
        if self._pulse.beats(self._player.rounds, calls):
            systemd.notify("WATCHDOG=1")


class Pulse:
    """Whether what must move has moved since the last look: a loop that turns beside a player that stands is none."""

    def __init__(self) -> None:
        self._rounds, self._calls = -1, -1

    def beats(self, rounds: int, calls: int | None) -> bool:
        """Take in the player's rounds and the output's calls; ``calls`` None: there is no output to move."""
        alive = rounds != self._rounds and calls != self._calls
        self._rounds, self._calls = rounds, self._calls if calls is None else calls
        return alive
