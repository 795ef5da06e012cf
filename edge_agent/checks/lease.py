"""Whether a plan may soon be played no more, or may not any more: the node has been cut off for days."""

from collections.abc import Callable
from datetime import datetime, timedelta

from edge_agent.faults import Fault

NEAR = timedelta(hours=24)
PART = 3
"""A lease that is given for less than three days is near its end in its last third."""

Leases = Callable[[], list[tuple[datetime, datetime]]]
"""Of each plan: when it was signed, and until when it may be played."""


class LeaseEnding:
    """Looks every ten seconds."""

    fault = Fault.LEASE_ENDING
    period_s = 10.0
    clears_within_s = 0.0
    slow = False

    def __init__(self, leases: Leases, *, now: Callable[[], datetime]) -> None:
        """``now`` is an instant that has surely passed."""
        self._leases, self._now = leases, now

    def look(self) -> str | None:
        """Compare the ends with the time of now."""
        now = self._now()
        near = [until for signed, until in self._leases() if until - min(NEAR, (until - signed) / PART) <= now < until]
        return f"the plan may be played until {min(near):%Y-%m-%d %H:%M} UTC only: no new one comes" if near else None


class LeaseEnded:
    """Looks every second."""

    fault = Fault.LEASE_ENDED
    period_s = 1.0
    clears_within_s = 0.0
    slow = False

    def __init__(self, leases: Leases, *, now: Callable[[], datetime]) -> None:
        self._leases, self._now = leases, now

    def look(self) -> str | None:
        """Compare the ends with the time of now."""
        ended = any(until <= self._now() for _, until in self._leases())
        return "cut off for too long: the plan may not be played any more" if ended else None
