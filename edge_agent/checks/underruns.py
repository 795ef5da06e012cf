"""Whether the sound card runs dry again and again: the machine is too slow, or the card's cable is bad."""

from collections import deque
from collections.abc import Callable

from edge_agent.faults import Fault

WITHIN_S = 50.0
PART = 0.01
"""Of the frames of that time: what evidence of grade E1 allows at most (DESIGN section 6)."""


class Underruns:
    """Looks every ten seconds."""

    fault = Fault.OUTPUT_UNDERRUNS
    period_s = 10.0
    clears_within_s = WITHIN_S
    slow = False

    def __init__(self, monotonic_s: Callable[[], float], *, frames: Callable[[], int], lost: Callable[[], int]) -> None:
        """``frames`` counts what the output took, ``lost`` what went unheard of it, both since the start."""
        self._monotonic_s, self._frames, self._lost = monotonic_s, frames, lost
        self._seen: deque[tuple[float, int, int]] = deque()

    def look(self) -> str | None:
        """Compare with the figures of a while ago."""
        now_s, frames, lost = self._monotonic_s(), self._frames(), self._lost()
        self._seen.append((now_s, frames, lost))
        while self._seen[0][0] < now_s - WITHIN_S:
            self._seen.popleft()
        _, old_frames, old_lost = self._seen[0]
        part = (lost - old_lost) / max(1, frames - old_frames)
        return f"{part:.0%} of the sound is lost: the sound card runs dry" if part > PART else None
