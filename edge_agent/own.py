"""What a node sounds of itself, by command: a short glide, or its number said aloud. Within its guards, heard or not.

It is no broadcast: no approval covers it, so it is always the same sound, short, by day, and never beside another.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from audio.errors import AudioError
from edge_agent.clock import Clock
from edge_agent.evidence import RATE, UNSENSED, Heard, Sensation
from edge_agent.keeper import Keeper
from edge_agent.protocol.content import Voice
from edge_agent.protocol.documents import Settings
from edge_agent.protocol.guards import gain_at
from edge_agent.protocol.quiet import touches, within
from edge_agent.protocol.reports import SelfTestReport
from edge_agent.protocol.states import ClockState, Grade, Reason
from edge_agent.protocol.timeline import Sound
from edge_agent.renderer import FRAME_BYTES
from edge_agent.stage import Stage
from edge_agent.store import Store

log = logging.getLogger(__name__)

LEAD = timedelta(milliseconds=600)
"""Time for the input to open."""
CLEARANCE = timedelta(seconds=15)
"""Nothing may be due so soon, besides its own length."""


class Piece(NamedTuple):
    """Something that a node may sound of itself."""

    name: str
    """In place of a broadcast's id (``stage.OWN``)."""
    longest: timedelta
    make: Callable[[int], Awaitable[list[bytes]]]
    """Gives its sound at a gain in hundredths of a decibel; an ``AudioError`` says that it cannot be made."""
    cap_mb: int = 0
    """It is never louder, whatever the settings allow."""


class OwnSound:
    """Plays one piece when asked, and keeps the last result, through restarts."""

    def __init__(
        self,
        piece: Piece,
        clock: Clock,
        store: Store,
        keeper: Keeper,
        stage: Stage,
        *,
        is_near: Callable[[timedelta], bool],
        has_output: Callable[[], bool],
        listens: bool,
    ) -> None:
        """``is_near`` says whether anything sounds or is due within a time."""
        self._piece, self._key = piece, piece.name.replace("-", "_")
        self._clock, self._store, self._keeper, self._stage = clock, store, keeper, stage
        self._is_near, self._has_output, self._listens = is_near, has_output, listens
        saved = store.meta(self._key)
        self.last = None if saved is None else msgspec.json.decode(saved, type=SelfTestReport)
        self._running = False
        self._work: asyncio.Task[None] | None = None
        self.on_change: Callable[[], None] = lambda: None

    def begin(self, command_id: str) -> None:
        """Play it, or say why not."""
        gain_mb = self._allowed(command_id, self._piece.longest)
        if gain_mb is not None:
            self._running = True
            self._work = asyncio.create_task(self._play(command_id, gain_mb), name=self._piece.name)

    async def _play(self, command_id: str, gain_mb: int) -> None:
        """Make the sound first: that takes a small machine half a second, in which the output must not wait."""
        try:
            blocks = await self._piece.make(gain_mb)
        except (AudioError, OSError) as error:
            log.warning("%s cannot be made: %s", self._piece.name, error)
            self._put(SelfTestReport(command_id=command_id, at=self._clock.now(), result="failed"))
            return
        finally:
            self._running = False
        length = timedelta(seconds=sum(map(len, blocks)) / FRAME_BYTES / RATE)
        if self._allowed(command_id, length) != gain_mb:
            return  # refused, or by now it may only be quieter: the answer or the next try tells
        self._running = True
        at = self._clock.now() + LEAD
        sound = Sound(
            broadcast_id=self._piece.name,
            item=0,
            voice=_voice(length),
            begins_at=at,
            ends_at=at + length,
            gain_mb=gain_mb,
        )
        self._stage.arm_own(sound, lambda: iter(blocks), lambda heard, sensed: self._done(command_id, heard, sensed))

    def _allowed(self, command_id: str, length: timedelta) -> int | None:
        """Give the gain at which it may sound now; None when it may not, which then is said."""
        settings, at = self._keeper.settings, self._clock.now() + LEAD
        reason = self._why_not(settings, at, length)
        if reason is not None or settings is None:
            self._put(SelfTestReport(command_id=command_id, at=at, result="refused", reason=reason))
            return None
        return min(gain_at(settings, _voice(length), at, emergency=False), self._piece.cap_mb)

    def _why_not(self, settings: Settings | None, at: datetime, length: timedelta) -> Reason | None:
        if settings is None:
            return Reason.NOT_APPROVED
        guards = {
            Reason.HELD: bool(self._keeper.holds),
            Reason.CLOCK_UNTRUSTED: self._clock.state is ClockState.UNTRUSTED,
            Reason.OUTSIDE_WINDOW: not within(settings, at, at + length),
            Reason.QUIET_HOURS: touches(settings, at, at + length),
            Reason.OUTPUT_LOST: not self._has_output(),
            Reason.BUSY: self._running or self._is_near(CLEARANCE + length),
        }
        return next((reason for reason, stands in guards.items() if stands), None)

    def _done(self, command_id: str, heard: Heard | None, sensed: Sensation) -> None:
        self._running = False
        at = self._clock.now()
        proven = heard is not None and (sensed.sensed == "heard" or (heard.whole and heard.grade >= Grade.E1))
        if heard is None or not proven:
            self._put(SelfTestReport(command_id=command_id, at=at, result="failed", reason=self._why_cut()))
            return
        result = sensed.sensed if self._listens else "not_listened"
        simulated = heard.simulated or (sensed != UNSENSED and sensed.simulated)
        self._put(SelfTestReport(command_id=command_id, at=at, result=result, simulated=simulated))

    def _why_cut(self) -> Reason:
        if self._keeper.holds:
            return Reason.HELD
        return Reason.PREEMPTED if self._has_output() else Reason.OUTPUT_LOST

    def _put(self, report: SelfTestReport) -> None:
        log.info("%s: %s %s", self._piece.name, report.result, report.reason or "")
        self.last = report
        self._store.put_meta(self._key, msgspec.json.encode(report))
        self.on_change()


def _voice(length: timedelta) -> Voice:
    """Stand in for a recording: it has no file."""
    return Voice(language="und", sha256="0" * 64, bytes=1, length_ms=max(1, round(length / timedelta(milliseconds=1))))
