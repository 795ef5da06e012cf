"""Whether there are settings: without the last guard's rules nothing sounds."""

from collections.abc import Callable

from edge_agent.faults import Fault


class NoSettings:
    """Looks every second."""

    fault = Fault.NO_SETTINGS
    period_s = 1.0
    clears_within_s = 0.0
    slow = False

    def __init__(self, have: Callable[[], bool]) -> None:
        self._have = have

    def look(self) -> str | None:
        """Ask the keeper."""
        return None if self._have() else "no settings have come yet: nothing will sound"
