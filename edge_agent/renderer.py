"""Places armed sounds on the output's frames. Silence is exact zeros; a sound starts on its sample and is then counted.

``render`` runs in the output's thread: it takes short locks, never waits, and does no I/O.
"""

import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from edge_agent.clock import NS, utc_ns
from edge_agent.evidence import RATE, Consumed
from edge_agent.feed import Feed
from edge_agent.protocol.timeline import Sound

FRAME_BYTES = 2
FADE_FRAMES = RATE * 5 // 1000
"""5 ms: long enough not to click, short enough to count as at once. Only where a sound is cut."""
GENTLE_FRAMES = RATE * 300 // 1000
"""300 ms: what gives way to another broadcast is faded as a hand on the mixer would, before that one begins. The
player decides 400 ms ahead, and an output has up to 160 ms of buffer, so it is mostly somewhat less."""
MAX_LATE_NS = NS
"""A sound that could not begin within a second of its start (the machine slept) does not begin at all; nor does one go
on from where it stood so long ago."""


class End(StrEnum):
    """How a cue ended."""

    WHOLE = "whole"
    CUT = "cut"
    LATE = "late"
    """Its start, or what of it had sounded, was long past when the output came round to it."""
    SPOILED = "spoiled"
    """The decoder met bytes that are not the recording."""
    LOST = "lost"
    """The output went away."""


class Cue:
    """A sound that is armed, and what the output has taken of it. Written by the output's thread."""

    def __init__(self, sound: Sound, feed: Feed) -> None:
        self.sound, self.feed = sound, feed
        self.starts_utc_ns = utc_ns(sound.begins_at)
        self.end: End | None = None
        self.frames = 0
        self.missing = 0
        self.lost = 0
        """Frames that were written, and that the device has not played: it ran dry."""
        self.underruns = 0
        self.first_ns: int | None = None
        """Stamp of the first frame, monotonic."""
        self.last_ns = 0
        """Stamp behind the last frame, monotonic."""
        self.first_utc_ns = 0
        self.first_call_ns = self.last_call_ns = 0
        self.cut_ns: int | None = None
        """The sound has faded out by then; 0 cuts at once."""
        self.fade_frames = FADE_FRAMES
        """How long it is to fade before that, if there is time."""
        self.fade: Fade | None = None
        """What it does, from when it begins to."""
        self._owed = 0

    def consumed(self, until_ns: int) -> Consumed:
        """Sum up what had left the output by ``until_ns`` (monotonic)."""
        if self.first_ns is None:
            return Consumed(frames=0, missing=self.missing + self.lost, underruns=self.underruns)
        stamps_ns = min(self.last_ns, until_ns) - self.first_ns
        frames = min(self.frames, max(0, -(-stamps_ns * RATE // NS)))
        return Consumed(
            frames=max(0, frames - self.lost),
            missing=self.missing + self.lost,
            underruns=self.underruns,
            first_at=_EPOCH + timedelta(microseconds=self.first_utc_ns // 1000),
            stamps_ms=stamps_ns / 1e6,
            pace_ms=(self.last_call_ns - self.first_call_ns) / 1e6,
        )

    def fill(self, buffer: memoryview, start: int, stop: int) -> int:
        """Write frames ``[start, stop)`` of the buffer; gives the frame behind the last written or left out."""
        if self._owed:
            self._owed -= self.feed.skip(self._owed * FRAME_BYTES) // FRAME_BYTES
        at = start + self._take(buffer, start, stop)
        if at < stop and not self.feed.ended:
            # The decoder is late: the time is gone, so its frames are left out and neighbours stay in step.
            gap = stop - at
            self._owed += gap
            self.missing += gap
            self.underruns += 1
            return stop
        return at if at == stop else at + self._take(buffer, at, stop)  # the last may have come between the two looks

    def _take(self, buffer: memoryview, start: int, stop: int) -> int:
        written = self.feed.take_into(buffer[start * FRAME_BYTES : stop * FRAME_BYTES]) // FRAME_BYTES
        self.frames += written
        return written


class Fade(NamedTuple):
    """A straight way down to silence, between two instants (monotonic)."""

    begin_ns: int
    end_ns: int
    level: float = 1.0
    """At its begin: less than 1 where it takes the place of another."""

    def level_at(self, at_ns: int) -> float:
        """Say by how much the sound is turned down at an instant."""
        left = (self.end_ns - at_ns) / (self.end_ns - self.begin_ns)
        return self.level * max(0.0, min(1.0, left))


class Renderer:
    """Gives the output its frames."""

    def __init__(
        self,
        *,
        utc_minus_monotonic_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        on_started: Callable[[Cue], None],
        on_ended: Callable[[Cue], None],
        tap: Callable[[bytes, int], None] = lambda _block, _at_ns: None,
    ) -> None:
        """``tap`` is given a copy of what holds sound, and when its first frame leaves (monotonic)."""
        self._tap = tap
        self._utc_minus, self._monotonic_ns = utc_minus_monotonic_ns, monotonic_ns
        self._on_started, self._on_ended = on_started, on_ended
        self._cues: deque[Cue] = deque()
        self._lock = threading.Lock()
        self.calls = 0
        """Rises while the output lives; the watchdog looks at it."""
        self.frames = self.lost = 0
        """Frames that outputs have asked for since the start, and of those that the device did not play."""

    def arm(self, cue: Cue) -> None:
        """Queue a sound behind those that are armed."""
        with self._lock:
            self._cues.append(cue)

    def cut(self, at: datetime | None = None, *, gently: bool = False) -> None:
        """End what is armed: at once, or at an instant to come. A cue that begins later than ``at`` is kept."""
        with self._lock:
            for cue in self._cues:
                if at is None:
                    cue.cut_ns = 0
                elif cue.starts_utc_ns < utc_ns(at) and cue.cut_ns != 0:
                    cue.cut_ns = utc_ns(at) - self._utc_minus()
                    cue.fade_frames = GENTLE_FRAMES if gently else FADE_FRAMES

    def end(self, cue: Cue) -> None:
        """End one of them at once."""
        with self._lock:
            cue.cut_ns = 0

    def drop_all(self, end: End) -> None:
        """End everything without another frame: the output has gone."""
        with self._lock:
            cues, self._cues = list(self._cues), deque()
        for cue in cues:
            self._finish(cue, end)

    def render(self, buffer: memoryview, first_frame_ns: int) -> None:
        """Fill ``buffer`` (s16 mono); its first frame leaves the output at ``first_frame_ns``, monotonic."""
        buffer[:] = bytes(len(buffer))
        self.calls += 1
        self.frames += len(buffer) // FRAME_BYTES
        if not self._cues:
            return
        block = _Block(buffer, first_frame_ns, self._utc_minus(), self._monotonic_ns())
        with self._lock:
            while self._cues and block.position < block.frames:
                cue = self._cues[0]
                end = self._place(cue, block)
                if end is None:
                    break
                self._cues.popleft()
                self._finish(cue, end)
        self._tap(bytes(buffer), first_frame_ns)

    def count_underrun(self, frames: int) -> None:
        """Note that the device ran dry by its own account, and played silence instead of ``frames`` of ours."""
        with self._lock:
            self.lost += frames
            if self._cues and self._cues[0].first_ns is not None:
                self._cues[0].underruns += 1
                self._cues[0].lost += frames

    def _place(self, cue: Cue, block: "_Block") -> End | None:
        """Write what of the cue falls into the block; None while it is not over."""
        if cue.first_ns is None:
            end = self._begin(cue, block)
            if end is not None or cue.first_ns is None:
                return end
        return self._go_on(cue, block)

    def _begin(self, cue: Cue, block: "_Block") -> End | None:
        if cue.cut_ns is not None and cue.cut_ns <= block.stamp(block.position):
            return End.CUT
        index = block.index(cue.starts_utc_ns - block.utc_minus)
        if index >= block.frames:
            return None
        if block.stamp(block.position) - block.stamp(index) > MAX_LATE_NS and block.position == 0:
            return End.LATE
        if cue.feed.spoiled:
            return End.SPOILED
        if cue.feed.empty and not cue.feed.ended:
            return None  # the decoder is late: rather a late beginning than one without its head
        block.position = max(index, block.position)
        first_ns = block.stamp(block.position)
        cue.first_utc_ns, cue.last_ns, cue.first_call_ns = first_ns + block.utc_minus, first_ns, block.called_ns
        cue.first_ns = first_ns  # last: who sees it in another thread sees the rest
        self._on_started(cue)
        return None

    def _go_on(self, cue: Cue, block: "_Block") -> End | None:
        start, stop = block.position, block.frames
        if block.stamp(start) - cue.last_ns > MAX_LATE_NS:
            return End.LATE
        fade = cue.fade = _fade(cue, block)
        if fade is not None:
            stop = min(stop, max(start, block.index(fade.end_ns)))
        block.position = cue.fill(block.buffer, start, stop)
        cue.last_ns, cue.last_call_ns = block.stamp(block.position), block.called_ns
        if fade is not None:
            block.turn_down(fade, start, block.position)
            if block.position < block.frames or block.index(fade.end_ns) == block.frames:
                return End.CUT
        if cue.feed.ended and cue.feed.empty:
            return End.SPOILED if cue.feed.spoiled else End.WHOLE
        return None

    def _finish(self, cue: Cue, end: End) -> None:
        cue.end = end
        cue.feed.close()
        self._on_ended(cue)


class _Block:
    """One call of the output: where its frames stand in time."""

    def __init__(self, buffer: memoryview, first_frame_ns: int, utc_minus: int, called_ns: int) -> None:
        self.buffer, self.first_frame_ns, self.utc_minus = buffer, first_frame_ns, utc_minus
        self.called_ns = called_ns
        self.frames = len(buffer) // FRAME_BYTES
        self.position = 0
        """First frame that nobody has written."""

    def index(self, monotonic_ns: int) -> int:
        """Give the frame nearest to an instant; it may lie outside."""
        return round((monotonic_ns - self.first_frame_ns) * RATE / NS)

    def stamp(self, frame: int) -> int:
        """Give the instant of a frame, monotonic nanoseconds."""
        return self.first_frame_ns + frame * NS // RATE

    def turn_down(self, fade: Fade, start: int, stop: int) -> None:
        """Let the frames of ``[start, stop)`` go the way down."""
        samples, begin, end = self.buffer.cast("h"), self.index(fade.begin_ns), self.index(fade.end_ns)
        for frame in range(max(start, begin), stop):
            samples[frame] = int(samples[frame] * fade.level * (end - frame) / (end - begin))


def _fade(cue: Cue, block: _Block) -> Fade | None:
    """Say how a cue that sounds comes to its cut, if that falls into the block or before it."""
    at_ns, soon_ns = block.stamp(block.position), FADE_FRAMES * NS // RATE
    if cue.cut_ns is None or (cue.fade is not None and cue.cut_ns):
        return cue.fade
    if cue.cut_ns == 0:
        if cue.fade is not None and cue.fade.end_ns <= at_ns + soon_ns:
            return cue.fade
        return Fade(at_ns, at_ns + soon_ns, cue.fade.level_at(at_ns) if cue.fade is not None else 1.0)
    # A cut to come fades before its instant, which may be the start of another sound.
    begin_ns = max(at_ns, cue.cut_ns - cue.fade_frames * NS // RATE)
    if block.index(begin_ns) >= block.frames:
        return None
    return Fade(begin_ns, max(cue.cut_ns, begin_ns + soon_ns))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
