"""How strong the radio is by which a node reaches the network: the contract, and two drivers. They change nothing."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import msgspec

PATIENCE_S = 5.0
"""A modem that has just come up keeps its manager waiting."""


class Signal(NamedTuple):
    """What a radio receives."""

    kind: Literal["wifi", "mobile"]
    percent: int
    """0 is about to break, 100 as good as can be used."""


class Radio(Protocol):
    """Something that may receive."""

    def signal(self) -> Signal | None:
        """Say how strongly; None when there is no such radio, or nobody tells. Never raises."""


class Wireless:
    """Wi-Fi, by the kernel's table (Documentation: proc(5), ``/proc/net/wireless``). The strongest card counts."""

    def __init__(self, table: Path = Path("/proc/net/wireless")) -> None:
        self._table = table

    def signal(self) -> Signal | None:
        """Read the level of each line, in dBm; 0 or more is another scale, which tells nothing."""
        try:
            lines = self._table.read_text(encoding="ascii").splitlines()[2:]
            levels = [float(line.split()[3]) for line in lines if line.strip()]
        except (OSError, ValueError, IndexError):
            return None
        heard = [level for level in levels if -256 < level < 0]
        return Signal("wifi", wifi_percent(max(heard))) if heard else None


class Modem:
    """A 4G modem, by what ModemManager says of it. Sticks that pass for a network card say nothing to anybody."""

    def __init__(self, program: str = "mmcli") -> None:
        self._program = program

    def signal(self) -> Signal | None:
        """Ask for the quality, in percent; an old one counts too, for a modem that does not answer is no worse."""
        program = shutil.which(self._program)
        if program is None:
            return None
        try:
            asked = [program, "--modem=any", "--output-json"]
            said = subprocess.run(asked, capture_output=True, timeout=PATIENCE_S, check=True).stdout
            return Signal("mobile", max(0, min(100, msgspec.json.decode(said, type=_Said).percent)))
        except (OSError, subprocess.SubprocessError, msgspec.DecodeError, ValueError):
            return None


class _Quality(msgspec.Struct):
    value: str


class _Generic(msgspec.Struct, rename="kebab"):
    signal_quality: _Quality


class _Modem(msgspec.Struct):
    generic: _Generic


class _Said(msgspec.Struct):
    modem: _Modem

    @property
    def percent(self) -> int:
        return int(self.modem.generic.signal_quality.value)


def wifi_percent(dbm: float) -> int:
    """Give it on the scale of people: at -90 dBm no card holds on, above -50 dBm none gets better."""
    return round(max(0.0, min(100.0, (dbm + 90) * 2.5)))


def strongest(radios: Iterable[Radio]) -> Signal | None:
    """Give the best of them: which one carries the link is not asked."""
    return max(filter(None, (radio.signal() for radio in radios)), key=lambda one: one.percent, default=None)
