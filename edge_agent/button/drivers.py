"""Two buttons: a file of one digit, and a GPIO line."""

from pathlib import Path

from edge_agent.button.base import Button
from edge_agent.errors import ConfigError
from edge_agent.gpio import Line, parse_line


class FileButton:
    """Is pressed while a file begins with ``1``: for tests, and for whatever else writes files."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_pressed(self) -> bool:
        """Read the file; one that is not there is not pressed."""
        try:
            return self._path.read_bytes()[:1] == b"1"
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Do nothing."""


class LineButton:
    """A line that a button pulls to ground, or up."""

    def __init__(self, chip: Path, line: int, *, active_low: bool) -> None:
        self._line = Line(chip, line, "in", active_low=active_low)

    def is_pressed(self) -> bool:
        """Read the line."""
        return self._line.read()

    def close(self) -> None:
        """Let the line go."""
        self._line.close()


def new_button(name: str) -> Button:
    """Make the driver of ``file:PATH`` or ``gpio:CHIP:LINE`` or ``gpio:CHIP:LINE:low`` (pressed is a low level).

    Raises:
        ConfigError: it is none of these, or there is no such line.
    """
    kind, _, rest = name.partition(":")
    try:
        if kind == "file" and rest:
            return FileButton(Path(rest))
        if kind == "gpio":
            chip, line, low = parse_line(rest)
            return LineButton(chip, line, active_low=low)
    except (OSError, ValueError) as error:
        raise ConfigError(f"button {name} cannot be used: {error}") from None
    raise ConfigError(f"button {name} is unknown: give file:PATH, gpio:gpiochip0:27 or gpio:gpiochip0:27:low")
