"""Two buttons: a file of one digit, and a GPIO line."""

from collections.abc import Callable
from pathlib import Path

from edge_agent.button.base import Button
from edge_agent.gpio import Line, driver_of


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

    def __init__(self, chip: Path, line: int, active_low: bool) -> None:  # noqa: FBT001 - as the name says it
        self._line = Line(chip, line, "in", active_low=active_low)

    def is_pressed(self) -> bool:
        """Read the line."""
        return self._line.read()

    def close(self) -> None:
        """Let the line go."""
        self._line.close()


def new_button(name: str) -> Button:
    """Make the driver of a name (``gpio.driver_of``); low: pressed is a low level.

    Raises:
        ConfigError: it names no driver.
    """
    file: Callable[[Path], Button] = FileButton
    line: Callable[[Path, int, bool], Button] = LineButton
    return driver_of("button", name, file=file, line=line)
