"""Whether an output takes frames as fast as they can sound. ALSA's null and file devices take any number at once.

Pure: it is told frames and instants.
"""

from edge_agent.clock import NS
from edge_agent.evidence import RATE

MOST_AHEAD_S = 3.0
"""Frames taken ahead of the time that has passed: far more than any buffer."""
MOST_OWED_S = 3.0
"""What an output that stood still may take up again at once. One that stands longer hangs (``watch``), unless whoever
looks stood still as well: a whole process that was stopped, or got no processor, takes up all of that time."""
SLOWER = 0.999
"""A card's crystal may be 200 ppm off for ever; that is no haste."""


class Pace:
    """How far one open output is ahead of time."""

    def __init__(self, now_ns: int, frames: int) -> None:
        """``frames`` counts what had been taken by ``now_ns`` (monotonic), by an earlier output too."""
        self._at_ns, self._frames = now_ns, frames
        self._ahead_s = 0.0

    def is_too_fast(self, now_ns: int, frames: int) -> bool:
        """Say whether what has been taken by now cannot have sounded."""
        taken_s, passed_s = (frames - self._frames) / RATE, (now_ns - self._at_ns) / NS
        self._at_ns, self._frames = now_ns, frames
        self._ahead_s = max(-max(MOST_OWED_S, passed_s), self._ahead_s + taken_s * SLOWER - passed_s)
        return self._ahead_s > MOST_AHEAD_S
