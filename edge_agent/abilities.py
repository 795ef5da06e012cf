"""What this node can do, as the centre is told when it enrols and whenever it connects."""

from pathlib import Path

from edge_agent.config import Options
from edge_agent.protocol.reports import Abilities
from edge_agent.protocol.states import Grade
from edge_agent.version import __version__

RTC = Path("/sys/class/rtc/rtc0")
"""The machine's clock with a battery, if Linux knows one (Documentation/ABI/testing/sysfs-class-rtc)."""
PLAUSIBLE_S = 1_735_689_600
"""2025-01-01: a clock that shows less has lost its battery, or never was set."""


def abilities(options: Options) -> Abilities:
    """Describe this node."""
    return Abilities(
        software=f"loa-agent {__version__}",
        output=options.output,
        best_grade=Grade.E1,
        clock_battery=keeps_time(RTC),
    )


def keeps_time(rtc: Path) -> bool:
    """Whether this clock goes on without power, as far as what it shows can tell."""
    try:
        return int((rtc / "since_epoch").read_text(encoding="ascii")) >= PLAUSIBLE_S
    except (OSError, ValueError):
        return False
