"""The centre's clock: a function, so that tests can step it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the aware UTC instant that is now."""


def system_clock() -> datetime:
    """Read the machine's clock, which must be synchronised (``deploy/``)."""
    return datetime.now(UTC)
