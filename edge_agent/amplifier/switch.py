"""Powers the amplifier from a moment before something sounds until a moment after, and never for long without sound."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from edge_agent.amplifier.deadman import DeadMan
from edge_agent.faults import Fault, FaultBook

log = logging.getLogger(__name__)

EVERY_S = 0.1
LEAD = timedelta(milliseconds=500)
"""Before a start, unless said otherwise: so long an amplifier of this kind takes to come up. The player does not wait
for it: one that takes longer is told of here, or given a programme that begins with silence."""
HOLD_OFF = timedelta(seconds=10)
"""After the last sound: between two items and two broadcasts in a row it does not click."""
ALONE = timedelta(seconds=30)
"""So long it waits for a sound that was to begin and does not."""
DEAD_S = 5.0
"""An event loop that has not asked for it for so long hangs: the thread switches it off."""
LOOK_AHEAD = timedelta(seconds=2)
"""The lists are read once a second, and hold what begins until then."""


class Amplifier:
    """Runs until cancelled."""

    name = "amplifier"

    def __init__(
        self,
        pin: DeadMan,
        faults: FaultBook,
        *,
        now: Callable[[], datetime],
        sounds: Callable[[], bool],
        starts: Callable[[timedelta], Iterable[datetime]],
        lead: timedelta = LEAD,
    ) -> None:
        """``sounds`` says that something sounds or is placed; ``starts`` gives those that are near, past ones too."""
        self._pin, self._faults, self._now, self._sounds = pin, faults, now, sounds
        self._starts, self._lead = starts, lead
        self._due: list[datetime] = []
        self._read_at: datetime | None = None
        self._sounded_at: datetime | None = None
        self.ready = asyncio.Event()

    @property
    def is_on(self) -> bool:
        """Whether it has power now."""
        return self._pin.is_on

    async def run(self) -> None:
        """Follow what sounds, for ever; off at the end."""
        self.ready.set()
        try:
            while True:
                self.look()
                await asyncio.sleep(EVERY_S)
        finally:
            self._pin.close()

    def look(self) -> None:
        """Switch as the moment asks."""
        wanted = self._is_wanted(self._now())
        try:
            if wanted:
                self._pin.hold()
            else:
                self._pin.let_go()
        except OSError as error:
            self._faults.put(Fault.AMPLIFIER_FAILING, f"the amplifier cannot be switched: {error.strerror}")
        else:
            self._faults.clear(Fault.AMPLIFIER_FAILING)

    def _is_wanted(self, now: datetime) -> bool:
        if self._sounds():
            self._sounded_at = now
            return True
        if self._sounded_at is not None and timedelta(0) <= now - self._sounded_at < HOLD_OFF:
            return True
        if self._read_at is None or not timedelta(0) <= now - self._read_at < timedelta(seconds=1):
            self._read_at, self._due = now, list(self._starts(self._lead + LOOK_AHEAD))
        return any(start_at - self._lead <= now < start_at + ALONE for start_at in self._due)
