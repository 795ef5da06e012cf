"""Two pins: a file of one digit, and a GPIO line. That one goes off with the process, if a pull-down does the rest."""

from pathlib import Path

from edge_agent.amplifier.base import Pin
from edge_agent.errors import ConfigError
from edge_agent.gpio import Line, parse_line


class FilePin:
    """Writes ``1`` or ``0`` into a file: for tests, and for whatever else reads files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.put(on=False)

    def put(self, *, on: bool) -> None:
        """Switch it."""
        self._path.write_text("1" if on else "0", encoding="ascii")

    def close(self) -> None:
        """Switch it off."""
        self.put(on=False)


class LinePin:
    """One line of a GPIO chip."""

    def __init__(self, chip: Path, line: int, *, active_low: bool = False) -> None:
        self._line = Line(chip, line, "out", active_low=active_low)
        self.put(on=False)

    def put(self, *, on: bool) -> None:
        """Switch it."""
        self._line.write(on=on)

    def close(self) -> None:
        """Switch it off and let it go."""
        self.put(on=False)
        self._line.close()


def new_pin(name: str) -> Pin:
    """Make the driver of ``file:PATH`` or ``gpio:CHIP:LINE`` or ``gpio:CHIP:LINE:low`` (on is a low level).

    Raises:
        ConfigError: it is none of these, or there is no such line.
    """
    kind, _, rest = name.partition(":")
    try:
        if kind == "file" and rest:
            return FilePin(Path(rest))
        if kind == "gpio":
            chip, line, low = parse_line(rest)
            return LinePin(chip, line, active_low=low)
    except (OSError, ValueError) as error:
        raise ConfigError(f"amplifier {name} cannot be used: {error}") from None
    raise ConfigError(f"amplifier {name} is unknown: give file:PATH, gpio:gpiochip0:17 or gpio:gpiochip0:17:low")
