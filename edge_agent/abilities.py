"""What this node can do, as the centre is told when it enrols and whenever it connects."""

from pathlib import Path

from edge_agent.config import InputKind, Options
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.reports import Abilities
from edge_agent.protocol.states import Grade
from edge_agent.version import __version__

RTC = Path("/sys/class/rtc/rtc0")
"""The machine's clock with a battery, if Linux knows one (Documentation/ABI/testing/sysfs-class-rtc)."""
COMMANDS = (CommandAction.RESTART.value, CommandAction.SELF_TEST.value)
GRADES: dict[InputKind, Grade] = {"loopback": Grade.E2, "line": Grade.E2, "microphone": Grade.E3}
"""What may be claimed for what is heard by each (DESIGN section 6)."""
PLAUSIBLE_S = 1_735_689_600
"""2025-01-01: a clock that shows less has lost its battery, or never was set."""


def abilities(options: Options) -> Abilities:
    """Describe this node."""
    return Abilities(
        software=f"loa-agent {__version__}",
        output=options.output,
        best_grade=Grade.E1 if options.input == "none" else GRADES[options.input_kind],
        input="none" if options.input == "none" else options.input_kind,
        input_simulated=options.input == "virtual" or options.input_simulated,
        clock_battery=keeps_time(RTC),
        commands=COMMANDS if options.input == "none" else (*COMMANDS, CommandAction.REFERENCE.value),
    )


def keeps_time(rtc: Path) -> bool:
    """Whether this clock goes on without power, as far as what it shows can tell."""
    try:
        return int((rtc / "since_epoch").read_text(encoding="ascii")) >= PLAUSIBLE_S
    except (OSError, ValueError):
        return False
