"""Whether the machine gets enough voltage. A Raspberry Pi tells; other machines have nothing to say.

A weak supply is the usual reason for torn files and lost cards, and shows in dips: one is kept in sight for a minute.
"""

from collections.abc import Callable
from pathlib import Path

from edge_agent.faults import Fault

DIP_S = 60.0
"""How long a dip is spoken of."""
_THROTTLED = Path("devices/platform/soc/soc:firmware/get_throttled")
"""The firmware's word, hexadecimal; bit 0: under-voltage now (Raspberry Pi documentation, ``vcgencmd``)."""
_ALARM = "in0_lcrit_alarm"
"""Of the hwmon device ``rpi_volt`` (Documentation/hwmon/raspberrypi-hwmon.rst)."""


class Supply:
    """Looks every five seconds; the kernel asks the firmware every two."""

    fault = Fault.UNDER_VOLTAGE
    period_s = 5.0
    clears_within_s = DIP_S
    slow = False

    def __init__(self, monotonic_s: Callable[[], float], *, sys: Path = Path("/sys")) -> None:
        self._monotonic_s, self._sys = monotonic_s, sys
        self._seen_s: float | None = None
        self.low: bool | None = None
        """As of the last look; None where nobody tells."""

    def look(self) -> str | None:
        """Read what the machine tells."""
        now_s = self._monotonic_s()
        dips = low_now(self._sys)
        if dips:
            self._seen_s = now_s
        lately = self._seen_s is not None and now_s - self._seen_s < DIP_S
        self.low = None if dips is None else lately
        return "the supply's voltage is too low: check the adapter and its cable" if lately else None


def low_now(sys: Path) -> bool | None:
    """Say whether the voltage is low; None where nobody tells."""
    for alarm in sorted((sys / "class" / "hwmon").glob(f"*/{_ALARM}")):
        if _word(alarm.with_name("name")) == "rpi_volt":
            return _word(alarm) == "1"
    word = _word(sys / _THROTTLED)
    try:
        return None if word is None else bool(int(word, 16) & 1)
    except ValueError:
        return None


def _word(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
