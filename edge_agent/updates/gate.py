"""Whether a release on trial is good: it has to show for a while that it does what the one before it did."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

NO_LINK, UNHEALTHY = "no_link", "unhealthy"
STILL = 10
"""Looks, one every two seconds: the watchdog of the unit is not surer."""


class Before(msgspec.Struct, frozen=True):
    """What the release before could do when it gave way."""

    linked: bool
    """It had reached the broker within the last hour."""
    sounded: bool
    """Its output was there."""
    held: tuple[str, ...] = ()
    """Scopes of which it held orders."""


class Signs(NamedTuple):
    """What is seen of the one on trial, at one moment."""

    rounds: int
    """Of the player; they rise while it lives."""
    calls: int
    """Of the output, which ask for sound."""
    output: bool
    linked: bool
    held: frozenset[str]
    """Scopes of which there are orders."""
    listens: frozenset[str]
    """Scopes whose orders it is to obey; a node may be moved meanwhile."""


class Gate:
    """Looks again and again, and judges when the time is over."""

    def __init__(
        self, before: Before, signs: Callable[[], Signs], *, trial_s: float, monotonic_s: Callable[[], float]
    ) -> None:
        self._before, self._signs, self._trial_s, self._monotonic_s = before, signs, trial_s, monotonic_s
        self._began_s = monotonic_s()
        self._last = signs()
        self._linked = False
        self._still = 0
        """Looks in a row at which nothing had moved."""

    def look(self) -> str | None:
        """Give the verdict when there is one: ``""`` for good, else why not."""
        now, last = self._signs(), self._last
        moved = now.rounds != last.rounds and (now.calls != last.calls or not now.output)
        self._still = 0 if moved else self._still + 1
        self._last, self._linked = now, self._linked or now.linked
        if self._monotonic_s() - self._began_s < self._trial_s:
            return None
        return self._why(now)

    def _why(self, now: Signs) -> str:
        lost_sound = self._before.sounded and not now.output
        lost_orders = (frozenset(self._before.held) & now.listens) - now.held
        if self._still >= STILL or lost_sound or lost_orders:
            return UNHEALTHY
        # Where the one before reached nobody either, it is not the release: going back would mend nothing.
        return NO_LINK if self._before.linked and not self._linked else ""
