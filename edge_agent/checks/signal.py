"""Whether the radio that carries the link is weak: an antenna was turned, a tree has grown, a mast is gone."""

from collections.abc import Iterable

from edge_agent.faults import Fault
from edge_agent.radio import Radio, Signal, strongest

WEAK, WELL = 20, 30
"""Percent: raised from the one, cleared from the other. A Wi-Fi card has 8 dB left at 20 %."""


class SignalStrength:
    """Looks every twenty seconds."""

    fault = Fault.LINK_WEAK
    period_s = 20.0
    clears_within_s = 0.0
    slow = True

    def __init__(self, radios: Iterable[Radio]) -> None:
        self._radios = tuple(radios)
        self.last: Signal | None = None
        """As of the last look; None where there is no radio that tells."""
        self._weak = False

    def look(self) -> str | None:
        """Ask the radios."""
        self.last = strongest(self._radios)
        self._weak = self.last is not None and (self.last.percent < WELL if self._weak else self.last.percent <= WEAK)
        if self.last is None or not self._weak:
            return None
        return f"the {self.last.kind} signal is at {self.last.percent} %: look at the antenna"
