"""Arms sounds on the renderer, and turns what the output did with them into evidence and reports.

The timeline knows what should have sounded; only what was weighed here may be called played.
"""

import asyncio
import importlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from audio.errors import CorruptAudioError
from edge_agent.clock import NS, Clock
from edge_agent.evidence import RATE, UNSENSED, Heard, Sensation, conclude, weigh
from edge_agent.feed import Blocks, Feed, SpoiledError
from edge_agent.ledger import Ledger, Play
from edge_agent.protocol.reports import NowPlaying
from edge_agent.protocol.states import Drill, Outcome, PlayState, Reason
from edge_agent.protocol.timeline import Conclusion, Sound
from edge_agent.renderer import FRAME_BYTES, Cue, End, Renderer
from edge_agent.shelf import Shelf
from edge_agent.store import Store
from edge_agent.threads import in_thread

if TYPE_CHECKING:
    from audio.decode import Decoder

log = logging.getLogger(__name__)

_REASONS = {End.LATE: Reason.LATE, End.SPOILED: Reason.CORRUPT_FILE, End.LOST: Reason.OUTPUT_LOST}
"""Why an item was lost, by how its cue ended."""


SELF_TEST, IDENTIFY = "self-test", "identify"
"""In place of a broadcast's id, for the sounds of our own."""
OWN = frozenset({SELF_TEST, IDENTIFY})
OwnDone = Callable[[Heard | None, Sensation], None]
"""Told of a sound that is no broadcast's: what was weighed (None when it never began), and what a sensor heard."""


class Listener(Protocol):
    """Listens to what sounds; what it hears comes back through ``Stage.take_sensation``."""

    def attend(self, cue: Cue) -> None:
        """A sound is armed."""

    def over(self, cue: Cue) -> None:
        """A sound has ended."""

    def is_listening(self, cue: Cue) -> bool:
        """Say whether a sensation is still to come."""


class Deaf:
    """A node without an input."""

    def attend(self, cue: Cue) -> None:
        """Do nothing."""

    def over(self, cue: Cue) -> None:
        """Do nothing."""

    def is_listening(self, cue: Cue) -> bool:
        """Say no."""
        del cue
        return False


DEAF = Deaf()


class Stage:
    """What is armed and sounding, and plays whose outcome waits for the output."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        ledger: Ledger,
        shelf: Shelf,
        *,
        simulated: bool,
        ear: Listener = DEAF,
        tap: Callable[[bytes, int], None] = lambda _block, _at_ns: None,
    ) -> None:
        """``tap`` is given what leaves for the output."""
        self._clock, self._store, self._ledger, self._shelf = clock, store, ledger, shelf
        self._simulated, self._ear = simulated, ear
        self._sensing: dict[Cue, Heard | None] = {}
        """Cues that are over and wait for what a sensor says."""
        self._own: dict[Cue, OwnDone] = {}
        """Cues of no broadcast, and who is told of their end."""
        self.on_reported: Callable[[Play], None] = lambda _: None
        """An outcome is written down."""
        self._loop = asyncio.get_running_loop()
        self._cues: list[Cue] = []
        self._news: deque[tuple[Cue, bool]] = deque()
        """Cues that have begun, or ended (True), from the output's thread."""
        self._due: list[tuple[int, Cue, bool]] = []
        """When to take note of what (monotonic): a cue, and whether of its end."""
        self.on_news: Callable[[], None] = lambda: None
        """``attend`` is wanted soon; called in the event loop."""
        self._settling: dict[str, Conclusion] = {}
        self._why: dict[str, Reason] = {}
        self.requested_ms: Callable[[Play], dict[int, int]] = lambda _: {}
        """Lengths of the items that were to sound of a play, in this node's languages."""
        self.on_item_lost: Callable[[Sound, Reason], None] = lambda _sound, _reason: None
        """An armed item did not sound to its end, though the timeline thinks so."""
        self.on_spoiled: Callable[[str], None] = lambda _: None
        """Called with the hash of a file that was thrown away."""
        self.on_change: Callable[[], None] = lambda: None
        """What sounds has changed."""
        self.is_muted: Callable[[], bool] = lambda: False
        """Says whether the card lets nothing through."""
        self.renderer = Renderer(
            utc_minus_monotonic_ns=clock.utc_minus_monotonic_ns,
            monotonic_ns=clock.monotonic_ns,
            on_started=partial(self._hear_of, ended=False),
            on_ended=partial(self._hear_of, ended=True),
            tap=tap,
        )

    @property
    def now_playing(self) -> NowPlaying | None:
        """What leaves the output right now."""
        cue = next((one for one in self._cues if one.first_ns is not None and one.end is None), None)
        if cue is None:
            return None
        sound = cue.sound
        started_at = _at(cue.first_utc_ns)
        return NowPlaying(
            broadcast_id=sound.broadcast_id, item=sound.item, started_at=started_at, ends_at=sound.ends_at
        )

    @property
    def is_busy(self) -> bool:
        """Whether anything sounds or is armed."""
        return bool(self._cues or self._own)

    async def warm_up(self) -> None:
        """Load the decoder now: that takes up to a second on a small machine, which an emergency does not have."""
        await in_thread(importlib.import_module, "audio.decode")

    def arm(self, sound: Sound) -> None:
        """Begin to decode, and place the sound at the output's clock."""
        for own in self._own:
            self.renderer.end(own)
        play = self._ledger.plays[sound.broadcast_id]
        feed = Feed(lambda: self._blocks(sound, silent=_is_silent(play)), name=sound.broadcast_id[:8])
        cue = Cue(sound, feed)
        self._cues.append(cue)
        self.renderer.arm(cue)
        if not _is_silent(play):
            self._ear.attend(cue)
        feed.start()
        self._ledger.advance(play, PlayState.ARMED, self._clock.now())

    def arm_own(self, sound: Sound, blocks: Blocks, done: OwnDone) -> None:
        """Place a sound that is no broadcast's; whatever else is armed ends it. ``done`` tells what became of it."""
        feed = Feed(blocks, name=sound.broadcast_id)
        cue = Cue(sound, feed)
        self._own[cue] = done
        self.renderer.arm(cue)
        self._ear.attend(cue)
        feed.start()

    def settle(self, conclusion: Conclusion) -> None:
        """Report an outcome as soon as the output has done with the broadcast."""
        self._settling[conclusion.broadcast_id] = conclusion
        self._report_if_done(conclusion.broadcast_id)

    def why_lost(self, broadcast_id: str) -> Reason | None:
        """Say why the output did not sound an item of it, if one was lost and the outcome is not reported yet."""
        return self._why.get(broadcast_id)

    def report(self, play: Play, conclusion: Conclusion, *, missing: Reason) -> None:
        """Write an outcome down, for good, with what was heard."""
        verdict = conclude(
            conclusion.outcome,
            conclusion.reason,
            play.heard,
            self.requested_ms(play),
            missing=missing,
            silent=_is_silent(play),
        )
        heard = verdict.outcome in {Outcome.PLAYED, Outcome.INTERRUPTED}
        figures: dict[str, object] = {}
        if heard:
            figures = {
                "requested_ms": verdict.requested_ms,
                "played_ms": verdict.played_ms,
                "start_error_ms": verdict.start_error_ms,
                "underruns": verdict.underruns,
                "grade": verdict.grade,
                "simulated": verdict.simulated,
            }
        with self._store.writing():
            self._ledger.write_event(
                self._clock.now(),
                play.broadcast_id,
                outcome=verdict.outcome,
                reason=verdict.reason,
                by=conclusion.by if verdict.outcome in {Outcome.INTERRUPTED, Outcome.CANCELLED} else None,
                **figures,
            )
            progress = msgspec.structs.replace(play.progress, outcome=verdict.outcome)
            self._ledger.put(msgspec.structs.replace(play, progress=progress, reported=True))
        log.info("%s: %s %s, grade E%d", play.broadcast_id, verdict.outcome, verdict.reason or "", verdict.grade)
        self.on_reported(play)

    def take_sensation(self, cue: Cue, sensation: Sensation) -> None:
        """Note what a sensor told of a cue that is over."""
        heard, broadcast_id = self._sensing.pop(cue, None), cue.sound.broadcast_id
        if cue in self._own:
            self._own.pop(cue)(heard, sensation)
            return
        play = self._ledger.plays.get(broadcast_id)
        if play is None:
            return
        if heard is not None and not play.reported:
            told = msgspec.structs.replace(heard, sensation=sensation)
            all_heard = tuple(told if one == heard else one for one in play.heard)
            self._ledger.put(msgspec.structs.replace(play, heard=all_heard))
        self._report_if_done(broadcast_id)

    # From the output.

    def attend(self) -> float | None:
        """Take note of what has left the output by now; gives the seconds until there is more, None when there is not.

        Sound is placed some buffers ahead: it has begun, or ended, only when its frames have left.
        """
        while self._news:
            cue, ended = self._news.popleft()
            self._due.append((_due_ns(cue, ended=ended), cue, ended))
            self.on_change()
        now_ns = self._clock.monotonic_ns()
        for one in sorted((one for one in self._due if one[0] <= now_ns), key=_by_time):
            self._due.remove(one)
            if one[2]:
                self._weigh(one[1])
            else:
                self._report_playing(one[1])
        return min((due_ns - now_ns) / NS for due_ns, _, _ in self._due) if self._due else None

    def _hear_of(self, cue: Cue, *, ended: bool) -> None:
        """Pass on what the renderer says. Runs in the output's thread."""
        self._news.append((cue, ended))
        try:
            self._loop.call_soon_threadsafe(self.on_news)
        except RuntimeError:  # the loop has ended before the output: nobody is left to be told
            log.info("sound of %s after the end", cue.sound.broadcast_id)

    def _report_playing(self, cue: Cue) -> None:
        if not cue.frames or cue in self._own:
            return
        sound, first_at = cue.sound, _at(cue.first_utc_ns)
        error_ms = round((first_at - sound.begins_at).total_seconds() * 1000, 3)
        play = self._ledger.plays[sound.broadcast_id]
        self._ledger.advance(play, PlayState.PLAYING, first_at, item=sound.item, start_error_ms=error_ms)
        self.on_change()

    def _weigh(self, cue: Cue) -> None:
        """Judge a cue when its last frame has left the output."""
        sound, until_ns = cue.sound, self._clock.monotonic_ns()
        heard = None
        if cue.first_ns is not None:
            consumed = cue.consumed(until_ns)
            heard = weigh(sound, consumed, simulated=self._simulated, muted=self.is_muted())
            if not heard.whole:
                log.warning("item %d of %s is not proven whole: %s", sound.item, sound.broadcast_id, consumed)
        self._ear.over(cue)
        listening = self._ear.is_listening(cue)
        if listening:
            self._sensing[cue] = heard
        if cue in self._own:
            if not listening:
                self._own.pop(cue)(heard, UNSENSED)
            return
        self._cues.remove(cue)
        if heard is not None:
            self._keep(sound.broadcast_id, heard)
        if cue.end in _REASONS:
            reason = _REASONS[cue.end]
            log.error("item %d of %s: %s", sound.item, sound.broadcast_id, reason)
            self._why[sound.broadcast_id] = reason
            if cue.end is End.SPOILED:
                self._shelf.spoil(sound.voice.sha256)
                self.on_spoiled(sound.voice.sha256)
            self.on_item_lost(sound, reason)
        self.on_change()
        self._report_if_done(sound.broadcast_id)

    def _keep(self, broadcast_id: str, heard: Heard) -> None:
        play = self._ledger.plays[broadcast_id]
        self._ledger.put(msgspec.structs.replace(play, heard=(*play.heard, heard)))

    def _report_if_done(self, broadcast_id: str) -> None:
        if broadcast_id not in self._settling or any(cue.sound.broadcast_id == broadcast_id for cue in self._cues):
            return
        played = self._settling[broadcast_id].outcome is Outcome.PLAYED
        if played and any(cue.sound.broadcast_id == broadcast_id for cue in self._sensing):
            return  # its grade may still rise, and an outcome is said once
        missing = self._why.pop(broadcast_id, Reason.OUTPUT_LOST)
        self.report(self._ledger.plays[broadcast_id], self._settling.pop(broadcast_id), missing=missing)

    # To the output.

    def _blocks(self, sound: Sound, *, silent: bool) -> Iterator[bytes]:
        """Decode a sound, no longer than was promised; ``silent`` gives as many zeros. Runs in the feed's thread.

        Raises:
            SpoiledError: the file's bytes are not the recording, or cannot be decoded.
        """
        from audio.decode import Decoder  # noqa: PLC0415 - see warm_up

        source = self._shelf.source(sound.voice.sha256)
        if source is None:
            raise SpoiledError(f"{sound.voice.sha256[:12]} has changed on the disk")
        try:
            with Decoder(source, gain_db=sound.gain_mb / 100) as decoder:
                for block in _cap(decoder, sound.voice.length_ms * RATE // 1000 * FRAME_BYTES):
                    yield bytes(len(block)) if silent else block
        except (CorruptAudioError, OSError) as error:
            raise SpoiledError(f"{sound.voice.sha256[:12]}: {error}") from error


def _is_silent(play: Play) -> bool:
    return play.drill is Drill.SILENT


def _cap(decoder: "Decoder", left: int) -> Iterator[bytes]:
    for block in decoder.blocks():
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return


def _due_ns(cue: Cue, *, ended: bool) -> int:
    """Give when a cue has begun or ended for those who listen; monotonic."""
    if not ended:
        return cue.first_ns or 0
    return 0 if cue.end is End.LOST else cue.last_ns


def _by_time(one: tuple[int, Cue, bool]) -> tuple[int, bool]:
    return one[0], one[2]


def _at(utc_ns: int) -> datetime:
    return datetime.fromtimestamp(utc_ns / NS, UTC)
