"""Whether the machine is too hot: in a box on a pole, in the sun of April."""

from pathlib import Path

from edge_agent.faults import Fault

HOT_C, COOL_C = 80.0, 75.0
"""Raised from the one, cleared below the other. At 80 °C a Raspberry Pi begins to slow down (its documentation)."""
SANE_C = (-60.0, 150.0)
"""Between them a report may tell it (``Health.temperature_c``); a sensor that is broken or off shows -274 or 0x7fff."""
_ZONE = Path("class/thermal/thermal_zone0/temp")


class Temperature:
    """Looks every ten seconds."""

    fault = Fault.TOO_HOT
    period_s = 10.0
    clears_within_s = 0.0
    slow = False

    def __init__(self, *, sys: Path = Path("/sys")) -> None:
        self._sys = sys
        self._hot = False

    def look(self) -> str | None:
        """Read the processor's temperature."""
        found_c = degrees(self._sys)
        self._hot = found_c is not None and found_c >= (COOL_C if self._hot else HOT_C)
        return f"the processor is at {found_c:.0f} °C: give the box shade and air" if self._hot else None


def degrees(sys: Path = Path("/sys")) -> float | None:
    """Degrees Celsius of the processor; None where the kernel does not tell, or tells what cannot be."""
    try:
        found_c = int((sys / _ZONE).read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None
    return found_c if SANE_C[0] <= found_c <= SANE_C[1] else None
