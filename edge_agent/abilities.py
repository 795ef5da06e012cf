"""What this node can do, as the centre is told when it enrols and whenever it connects."""

from pathlib import Path

from edge_agent.config import InputKind, Options
from edge_agent.pieces import can_speak
from edge_agent.protocol.documents import CommandAction
from edge_agent.protocol.reports import Abilities
from edge_agent.protocol.states import Grade
from edge_agent.updates.layout import this_machine
from edge_agent.version import __version__

RTC = Path("/sys/class/rtc/rtc0")
"""The machine's clock with a battery, if Linux knows one (Documentation/ABI/testing/sysfs-class-rtc)."""
COMMANDS = (CommandAction.RESTART.value, CommandAction.SELF_TEST.value, CommandAction.SEND_LOG.value)
GRADES: dict[InputKind, Grade] = {"loopback": Grade.E2, "line": Grade.E2, "microphone": Grade.E3}
"""What may be claimed for what is heard by each (DESIGN section 6)."""
PLAUSIBLE_S = 1_735_689_600
"""2025-01-01: a clock that shows less has lost its battery, or never was set."""

APART_S = 5.0
"""It counts whole seconds, and was read into the wall clock some seconds of drift ago."""


def abilities(options: Options) -> Abilities:
    """Describe this node."""
    machine = this_machine() if options.slots is not None else None
    return Abilities(
        software=f"loa-agent {__version__}",
        output=options.output,
        best_grade=Grade.E1 if options.input == "none" else GRADES[options.input_kind],
        input="none" if options.input == "none" else options.input_kind,
        input_simulated=options.input == "virtual" or options.input_simulated,
        clock_battery=keeps_time(RTC),
        commands=(
            *COMMANDS,
            *((CommandAction.IDENTIFY.value,) if can_speak() else ()),
            *((CommandAction.REFERENCE.value,) if options.input != "none" else ()),
            *((CommandAction.UPDATE.value,) if machine is not None else ()),
        ),
        board=machine and machine.board,
        python=machine and machine.python,
    )


def keeps_time(rtc: Path) -> bool:
    """Whether this clock goes on without power, as far as what it shows can tell."""
    return (_shown_s(rtc) or 0) >= PLAUSIBLE_S


def battery_agrees(rtc: Path, wall_s: float) -> bool:
    """Whether the clock with the battery shows what the wall clock does, so that this was set by it at the start."""
    shown_s = _shown_s(rtc)
    return shown_s is not None and shown_s >= PLAUSIBLE_S and abs(shown_s - wall_s) <= APART_S


def _shown_s(rtc: Path) -> int | None:
    try:
        return int((rtc / "since_epoch").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
