"""Whether the link is worth its name: it breaks again and again, or takes seconds to answer.

A node that is cut off says nothing: that is for the centre to see. This is for one that comes back each time.
"""

from collections import deque
from collections.abc import Callable

from edge_agent.faults import Fault

SLOW_MS = 2000.0
"""Round trip: a fifth of it is what the slowest mobile link of 200 kbit/s takes."""
SLOW_FETCHING_MS = 5000.0
"""While the node's own download stands before the answer: what a STOP may take then (promise P7)."""
AFTER_S = 30.0
"""So long the last round trip may still be one of that time: one is measured every 20 s (``link``)."""
MOST = 6
"""Connections within ``WITHIN_S``, the first of a start not counted."""
WITHIN_S = 3600.0


STEADY_S = 80.0
"""A link that holds for so long is well again, until it breaks once more."""


class LinkQuality:
    """Looks every ten seconds. How long an answer takes is measured by pings each 20 s, or else each minute."""

    fault = Fault.LINK_POOR
    period_s = 10.0
    clears_within_s = STEADY_S
    slow = False

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        *,
        connections: Callable[[], int],
        rtt_ms: Callable[[], float | None],
        fetches: Callable[[], bool] = lambda: False,
    ) -> None:
        """``connections`` counts those made since the start; ``rtt_ms`` is the last round trip.

        ``fetches``: whether something large is on its way to this node.
        """
        self._monotonic_s, self._connections, self._rtt_ms = monotonic_s, connections, rtt_ms
        self._fetches, self._fetched_s = fetches, -AFTER_S
        self._counted: int = 0
        self._breaks: deque[float] = deque()

    @property
    def reconnects(self) -> int:
        """Connections of the last hour, without the first."""
        return len(self._breaks)

    def look(self) -> str | None:
        """Count, and compare the last round trip."""
        now_s, made = self._monotonic_s(), self._connections()
        self._breaks.extend([now_s] * (made - max(1, self._counted)))
        self._counted = max(made, self._counted)
        while self._breaks and now_s - self._breaks[0] >= WITHIN_S:
            self._breaks.popleft()
        if len(self._breaks) >= MOST and now_s - self._breaks[-1] < STEADY_S:
            return f"the link broke {len(self._breaks)} times within an hour"
        if self._fetches():
            self._fetched_s = now_s
        slow_ms, rtt_ms = SLOW_FETCHING_MS if now_s - self._fetched_s < AFTER_S else SLOW_MS, self._rtt_ms()
        return f"an answer takes {rtt_ms / 1000:.1f} s" if rtt_ms is not None and rtt_ms >= slow_ms else None
