"""The centre's clock: a function, so that tests can step it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the aware UTC instant that is now."""


def system_clock() -> datetime:
    """Read the machine's clock, which must be synchronised (``deploy/``)."""
    return datetime.now(UTC)


Steady = Callable[[], float]
"""Gives seconds that nobody can set, from any beginning; differences mean something, values do not."""


def steady_clock() -> float:
    """Read what runs on whatever becomes of the machine's clock, also while it sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
