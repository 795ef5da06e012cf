"""The last seconds of a stream of sound, by when they were: blocks come with stamps, pieces are cut out by instants."""

import threading
from array import array
from collections import deque

from edge_agent.clock import NS
from edge_agent.evidence import RATE

JUMP_NS = 50_000_000
"""Stamps waver by milliseconds and sound does not: only what is further off than this is a gap."""
FRAME_BYTES = 2


class Tape:
    """Written by one thread, read by another; s16 mono at 48 kHz, bounded."""

    def __init__(self, keep_s: float) -> None:
        self._keep_ns = round(keep_s * NS)
        self._blocks: deque[tuple[int, bytes]] = deque()
        self._lock = threading.Lock()
        self._end_ns = 0

    @property
    def end_ns(self) -> int:
        """Where it ends (monotonic); 0 when nothing was ever put on it."""
        return self._end_ns

    @property
    def begin_ns(self) -> int:
        """Where what is kept begins (monotonic); 0 when nothing is."""
        with self._lock:
            return self._blocks[0][0] if self._blocks else 0

    def put(self, block: bytes, at_ns: int) -> None:
        """Append a block whose first frame was at that instant (monotonic)."""
        if abs(at_ns - self._end_ns) < JUMP_NS:
            at_ns = self._end_ns
        with self._lock:
            self._blocks.append((at_ns, block))
            self._end_ns = at_ns + len(block) // FRAME_BYTES * NS // RATE
            while self._blocks[0][0] < self._end_ns - self._keep_ns:
                self._blocks.popleft()

    def between(self, from_ns: int, frames: int) -> bytes:
        """Cut out so many frames from an instant on; what is not there is silence."""
        found = bytearray(frames * FRAME_BYTES)
        until_ns = from_ns + frames * NS // RATE
        with self._lock:
            near = [one for one in self._blocks if one[0] < until_ns]
        for at_ns, block in near:
            at, count = round((at_ns - from_ns) * RATE / NS), len(block) // FRAME_BYTES
            low, high = max(0, at), min(frames, at + count)
            if low < high:
                part = block[(low - at) * FRAME_BYTES : (high - at) * FRAME_BYTES]
                found[low * FRAME_BYTES : high * FRAME_BYTES] = part
        return bytes(found)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._blocks.clear()


def loudness(pcm: bytes) -> float:
    """RMS of s16 samples, 0..32767, by every 16th of them: close enough to tell sound from a pause."""
    samples = array("h", pcm)[::16]
    return float((sum(value * value for value in samples) / len(samples)) ** 0.5) if samples else 0.0
