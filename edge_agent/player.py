"""Drives the timeline at exact instants and does what it says: store first, then sound.

Decisions run ``LEAD`` ahead of the output, each at exactly the instant that the timeline named, so that a node plays
what the centre previewed. What comes from outside (orders, holds, files, clock) is decided upon at ``now + LEAD``.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from edge_agent import cuts
from edge_agent.clock import Clock, ahead_ns
from edge_agent.faults import Fault
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger, Play, new_play
from edge_agent.outputs.watch import OutputWatch
from edge_agent.protocol.documents import Settings
from edge_agent.protocol.listings import Listing
from edge_agent.protocol.states import Outcome, Reason
from edge_agent.protocol.timeline import Conclusion, Progress, Sound, Step, View, step
from edge_agent.register import Register
from edge_agent.renderer import End
from edge_agent.shelf import Shelf
from edge_agent.stage import Stage
from edge_agent.store import Store

log = logging.getLogger(__name__)

LEAD = timedelta(milliseconds=400)
"""An output's buffer (100–200 ms), a commit on a slow SD card (100 ms) and the first decoded block."""
ASLEEP_NS = 100_000_000
"""A machine that was asleep for longer has left a hole in what sounded."""
MAX_LATE = timedelta(seconds=1)
"""A wake-up that is later (the machine slept) is not made up for: the timeline is asked for now."""
HORIZON = timedelta(hours=1)
"""Broadcasts that begin later are not looked at: a plan of seven days may list a thousand."""
LOOK_AGAIN = timedelta(minutes=5)
"""How often it is looked beyond that horizon."""
MAX_STEPS = 100
"""Steps in a row before others in the event loop get their turn."""
JUMP = timedelta(seconds=5)
"""A clock that has gone back by more makes instants already decided worthless."""
LAST_WORDS_S = 1.0
"""How long the output may take, on leaving, to tell how much was heard: its buffers have 200 ms."""
_HOUR = timedelta(hours=1)


class _Armed(NamedTuple):
    """A sound given to the output, and how often its item had been heard before."""

    sound: Sound
    heard_before: int


class Player:
    """Runs until cancelled."""

    name = "player"

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        ledger: Ledger,
        keeper: Keeper,
        shelf: Shelf,
        stage: Stage,
        output: OutputWatch,
    ) -> None:
        self._clock, self._store, self._ledger, self._keeper = clock, store, ledger, keeper
        self._shelf, self._stage, self._output = shelf, stage, output
        self._register = Register(clock, store, ledger, keeper, shelf, report=stage.report)
        self.ready = asyncio.Event()
        self._stopped_here: frozenset[str] = frozenset()
        """Broadcasts that the button has ended since the start."""
        self.failed: Callable[[str], Fault | None] = lambda _: None
        """Why a recording is not here; the fetcher's."""
        self.rounds = 0
        """Rises while the player lives; the watchdog looks at it."""
        self._nudge = asyncio.Event()
        self._changed = True
        self._last_at: datetime | None = None
        self._next_at: datetime | None = None
        self._current: Sound | None = None
        self._armed: deque[_Armed] = deque(maxlen=2)
        """What was given to the output last: one sounds to its end while the next is placed."""
        self._leaving = False
        self._attended = asyncio.Event()
        """Set when note has been taken of what the output has done."""
        self._attend_s: float | None = None
        self._stood_still_ns = self._standing_still_ns()
        stage.on_news = self._nudge.set
        stage.on_item_lost = self._item_lost
        stage.requested_ms = self._requested_ms

    def changed(self) -> None:
        """Decide anew: something that counts is different."""
        self._changed = True
        self._nudge.set()

    def silence(self) -> None:
        """End all sound at once, before anything is written down: a hold has come."""
        self._stage.renderer.cut()
        self.changed()

    def stop_here(self) -> int:
        """End all that is under way, for good, since somebody here wants it so; gives how many broadcasts that are.

        What is ordered later sounds: an emergency too is a new one.
        """
        self._stage.renderer.cut()
        names = [
            key
            for key, play in self._ledger.plays.items()
            if play.progress.began_at is not None and play.progress.outcome is None
        ]
        self._stopped_here |= set(names)
        self._keeper.stop_here(names)
        self.changed()
        return len(names)

    async def run(self) -> None:
        """Take up what a restart has cut, then play for ever."""
        self.note_orders()
        self._take_up()
        while True:
            self.rounds += 1
            self._nudge.clear()
            self.catch_up()
            self.ready.set()
            await self._sleep()

    def catch_up(self) -> None:
        """Take note of what the output has done, and decide all that is due up to ``now + LEAD``."""
        self._end_what_slept()
        self._attend_s = self._stage.attend()
        self._attended.set()
        if self._leaving:
            return
        self._clock.check()  # a clock that has been stepped must not be played by, not even for the second until Checks
        self._register.judge_reset()
        now = self._clock.now()
        frontier = now + LEAD
        if self._last_at is not None and self._last_at > frontier + JUMP:
            self._last_at = None
        changed, self._changed = self._changed, False
        for _ in range(MAX_STEPS):
            if self._next_at is None or self._next_at > frontier:
                break
            at = self._next_at if self._next_at >= now - MAX_LATE else frontier
            self._decide(self._not_before_last(at), at_once=False)
        if changed:
            self._decide(self._not_before_last(frontier), at_once=True)
        if self._register.has_more:
            self.note_orders()

    def _end_what_slept(self) -> None:
        """End what sounded when the machine was put to sleep: it would go on where it was, whatever the hour is now."""
        still_ns = self._standing_still_ns()
        if still_ns - self._stood_still_ns > ASLEEP_NS:
            self._stage.renderer.drop_all(End.LOST)
        self._stood_still_ns = still_ns

    def _standing_still_ns(self) -> int:
        """For how long since its boot the outputs' clock has stood still, because the machine did."""
        return ahead_ns(self._clock.boottime_ns, self._clock.monotonic_ns)

    def note_orders(self) -> None:
        """Report what has been received and withdrawn, and decide anew."""
        self._register.note_orders()
        self.changed()

    def note_files(self, sha256: str) -> None:
        """Report what lacked nothing but this recording, and decide anew."""
        self._register.note_files(sha256)
        self.changed()

    async def shut_down(self) -> None:
        """Begin nothing more and end what sounds; but what is decided to be over, in its last moments, sounds out."""
        self._leaving = True
        await self._weighed(one for one in self._armed if not self._is_under_way(one.sound))
        self._stage.renderer.cut()
        cut = [one for one in self._armed if self._is_under_way(one.sound)]
        for one in cut:
            play = self._ledger.plays[one.sound.broadcast_id]
            self._put(play, cuts.shut_down(play))
        await self._weighed(cut)

    def near(self, within: timedelta) -> list[Listing]:
        """Give what is to begin soon or should have begun, and is not over."""
        until_at = self._clock.now() + within
        return [listing for key, listing in self._keeper.listings.items() if self._is_near(key, listing, until_at)]

    def starts(self, within: timedelta) -> list[datetime]:
        """Give when that begins, or should have begun; nothing does while the node is held."""
        return [] if self._keeper.holds else [listing.broadcast.start_at for listing in self.near(within)]

    # Deciding.

    def _decide(self, at: datetime, *, at_once: bool) -> None:
        settings = self._keeper.settings
        self._last_at = at
        if settings is None:
            self._next_at = None
            return
        view = self._view(settings, at)
        found = step(view, at)
        self._next_at = min(found.next_at or at + LOOK_AGAIN, at + LOOK_AGAIN)
        self._obey(found, view, at_once=at_once)

    def _view(self, settings: Settings, at: datetime) -> View:
        listings = {
            key: listing for key, listing in self._keeper.listings.items() if self._is_near(key, listing, at + HORIZON)
        }
        progress = {
            key: play.progress
            for key, play in self._ledger.plays.items()
            if key in listings or (play.progress.began_at is not None and play.progress.began_at > at - _HOUR)
        }
        return View(
            listings=listings,
            settings=settings,
            holds=self._keeper.holds,
            stops=self._keeper.stops,
            clock=self._clock.state,
            answered=self._clock.answered,
            clock_good_since_at=self._clock.good_since_at,
            up_since_at=self._clock.up_since_at,
            progress=progress,
            begun_runs=self._ledger.begun_runs,
            absent=self._absent(settings, listings),
        )

    def _is_near(self, key: str, listing: Listing, until_at: datetime) -> bool:
        play = self._ledger.plays.get(key)
        if play is not None and play.progress.outcome is not None:
            return False
        return listing.broadcast.start_at <= until_at or (play is not None and play.progress.began_at is not None)

    def _absent(self, settings: Settings, listings: dict[str, Listing]) -> frozenset[str]:
        """Give the recordings that cannot sound: not here, not checked, or nothing to sound them with."""
        absent = set()
        for key, listing in listings.items():
            begun = self._progress(key).began_at is not None
            for voice in listing.broadcast.voices_for(settings.languages):
                # What is under way was checked when it began, and is checked again when it is armed.
                fine = self._shelf.has(voice.sha256) if begun else self._shelf.is_vouched(voice.sha256)
                if not fine or not self._output.available:
                    absent.add(voice.sha256)
        return frozenset(absent)

    def _obey(self, found: Step, view: View, *, at_once: bool) -> None:
        gently = _gives_way(found, view)
        if found.cut is not None and at_once and not gently:
            self._stage.renderer.cut()
        ended = [self._explained(conclusion, view) for conclusion in found.conclusions]
        if found.changes or ended:
            with self._store.writing():
                for key, progress in found.changes.items():
                    self._keep(key, progress, view.listings[key])
                for conclusion in ended:
                    self._conclude(conclusion)
        if found.cut is not None and (gently or not at_once):
            self._stage.renderer.cut(found.at, gently=gently)
        for conclusion in ended:
            if self._progress(conclusion.broadcast_id).began_at is not None:
                self._stage.settle(conclusion)
        if found.sound is not None and found.sound != self._current:
            self._armed.append(_Armed(found.sound, self._times_heard(found.sound)))
            self._stage.arm(found.sound)
        self._current = found.sound

    def _keep(self, key: str, progress: Progress, listing: Listing) -> None:
        play = self._ledger.plays.get(key) or new_play(listing)
        if progress.began_at is not None and play.broadcast is None:
            begun = listing.broadcast
            play = msgspec.structs.replace(play, broadcast=begun, urgent=listing.urgent, drill=begun.drill)
        self._ledger.put(msgspec.structs.replace(play, progress=progress))

    def _conclude(self, conclusion: Conclusion) -> None:
        """Report at once what needs no evidence, since nothing of it sounded."""
        play = self._ledger.plays[conclusion.broadcast_id]
        if play.progress.began_at is None:
            self._stage.report(play, conclusion, missing=Reason.OUTPUT_LOST)

    def _explained(self, conclusion: Conclusion, view: View) -> Conclusion:
        """Say more exactly why there was "no file", or what cut it when the power did not."""
        if conclusion.reason is Reason.POWER:
            return conclusion._replace(reason=self._stage.why_lost(conclusion.broadcast_id) or Reason.POWER)
        if conclusion.reason is Reason.STOPPED and conclusion.broadcast_id in self._stopped_here:
            return conclusion._replace(reason=Reason.LOCAL_STOP)
        if conclusion.reason is not Reason.NO_FILE:
            return conclusion
        if not self._output.available:
            return conclusion._replace(reason=Reason.OUTPUT_LOST)
        voices = view.listings[conclusion.broadcast_id].broadcast.voices_for(view.settings.languages)
        found = {self.failed(voice.sha256) for voice in voices}
        if Fault.MEDIA_CORRUPT in found:
            return conclusion._replace(reason=Reason.CORRUPT_FILE)
        return conclusion._replace(reason=Reason.NO_SPACE) if Fault.DISK_LOW in found else conclusion

    # On leaving, and after a restart.

    def _is_under_way(self, sound: Sound) -> bool:
        return self._progress(sound.broadcast_id).sounding == sound

    def _times_heard(self, sound: Sound) -> int:
        return sum(one.item == sound.item for one in self._ledger.plays[sound.broadcast_id].heard)

    async def _weighed(self, armed: Iterable[_Armed]) -> None:
        """Wait, not for long, until it is known how much was heard of what still sounds."""
        now = self._clock.now()
        sounding = [one for one in armed if one.sound.begins_at <= now < one.sound.ends_at + LEAD]
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                while any(self._times_heard(one.sound) == one.heard_before for one in sounding):
                    self._attended.clear()
                    await self._attended.wait()
        except TimeoutError:
            log.warning("the output did not tell in time how much was heard")

    def _take_up(self) -> None:
        """Go on after a restart: what was sounding is lost, or sounds once more."""
        for play in list(self._ledger.plays.values()):
            progress = play.progress
            if play.reported or (progress.outcome is None and progress.began_at is None):
                continue
            if progress.outcome is None or (progress.outcome is Outcome.PLAYED and cuts.is_emergency(play)):
                progress = self._put(play, cuts.cut_short(play, Reason.POWER, self._clock.now()))
            if progress.outcome is not None:
                conclusion = Conclusion(play.broadcast_id, progress.outcome, progress.cut_by, progress.by)
                self._stage.report(play, conclusion, missing=Reason.POWER)
        self._keeper.relist()  # an outcome may have been taken back
        for listing in self._keeper.listings.values():
            self._register.note_cached(listing)

    def _item_lost(self, sound: Sound, reason: Reason) -> None:
        play = self._ledger.plays[sound.broadcast_id]
        if play.progress.outcome is None and play.broadcast is not None and play.progress.sounding == sound:
            self._put(play, cuts.cut_short(play, reason, self._clock.now()))
        if self._current == sound:
            self._current = None
        self.changed()

    # Small things.

    def _put(self, play: Play, progress: Progress) -> Progress:
        self._ledger.put(msgspec.structs.replace(play, progress=progress))
        return progress

    def _progress(self, key: str) -> Progress:
        play = self._ledger.plays.get(key)
        return play.progress if play is not None else Progress()

    def _requested_ms(self, play: Play) -> dict[int, int]:
        settings = self._keeper.settings
        if settings is None or play.broadcast is None:
            return {}
        voices = ((index, item.voice_for(settings.languages)) for index, item in enumerate(play.broadcast.items))
        return {index: voice.length_ms for index, voice in voices if voice is not None}

    def _not_before_last(self, at: datetime) -> datetime:
        return at if self._last_at is None else max(at, self._last_at)

    async def _sleep(self) -> None:
        await asyncio.sleep(0)  # others get their turn even when there is always something to do
        wait_s = min(1.0, self._attend_s or 1.0)  # at most a second, so that the watchdog sees us
        if self._next_at is not None:
            wait_s = min(wait_s, max(0.0, (self._next_at - LEAD - self._clock.now()).total_seconds()))
        try:
            async with asyncio.timeout(wait_s):
                await self._nudge.wait()
        except TimeoutError:
            return


def _gives_way(found: Step, view: View) -> bool:
    """Tell whether what is cut makes room for another sound; what was ordered to be silent does not fade."""
    return found.cut is not None and found.sound is not None and found.cut.broadcast_id not in view.stops
