"""The sound of a self-test: one rising glide, made by arithmetic without numpy, as a node makes it.

Not a steady tone: ears must tell it from a hum and from an alarm clock, and from which instant it came.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

RATE = 48_000
LENGTH_MS = 4_500
LOW_HZ, HIGH_HZ = 400.0, 3_200.0
"""Three octaves, within what any horn gives."""
PEAK = 10 ** (-18 / 20)
"""-18 dBFS: about as loud as speech, at the node's own volume."""
_FADE = RATE // 20
_BLOCK = 960


def glide(gain_db: float = 0.0) -> Iterator[bytes]:
    """Signed 16-bit mono at 48 kHz, in blocks of 20 ms; never above full scale."""
    total = LENGTH_MS * RATE // 1000
    amplitude = min(1.0, PEAK * 10 ** (gain_db / 20)) * 32_767
    turn, step, pace = 0.0, 2 * math.pi * LOW_HZ / RATE, (HIGH_HZ / LOW_HZ) ** (1 / total)
    for begin in range(0, total, _BLOCK):
        block = array("h")
        for at in range(begin, min(begin + _BLOCK, total)):
            edge = min(1.0, (at + 1) / _FADE, (total - at) / _FADE)
            block.append(round(amplitude * edge * math.sin(turn)))
            turn += step
            step *= pace
        yield block.tobytes()
