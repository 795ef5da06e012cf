"""Whether the card's mixer lets sound through. What is played into a muted card proves nothing, and is not "played"."""

from collections.abc import Callable

from edge_agent.faults import Fault


class Muted:
    """Looks every five seconds."""

    fault = Fault.OUTPUT_MUTED
    period_s = 5.0
    clears_within_s = 0.0
    slow = True

    def __init__(self, silenced_by: Callable[[], str | None]) -> None:
        """``silenced_by`` names the control that lets nothing through."""
        self._silenced_by = silenced_by
        self.is_muted = False
        """As of the last look; read by the player when it weighs evidence."""

    def look(self) -> str | None:
        """Read the mixer."""
        found = self._silenced_by()
        self.is_muted = found is not None
        return None if found is None else f"the mixer lets nothing through: {found} is off or at its lowest"
