"""The contract of a check: it looks at one thing, and has words for it when it is wrong. It raises no fault itself."""

from typing import Protocol

from edge_agent.faults import Fault


class Check(Protocol):
    """One thing to look at. Never raises: what cannot be read here is not wrong."""

    fault: Fault
    """Stands while ``look`` has words."""
    period_s: float
    """Seconds between two looks; with ``clears_within_s`` within the 100 s of promise P6."""
    clears_within_s: float
    """How much longer it may speak of what is over: a dip is kept in sight so that it is seen at all. Mostly 0."""
    slow: bool
    """It reads or writes what may hang: not for the event loop."""

    def look(self) -> str | None:
        """Say what is wrong, in a sentence; None when nothing is."""


SHOWN_S = 100.0
"""A fault other than a lost node is shown, and cleared, within this (promise P6)."""
