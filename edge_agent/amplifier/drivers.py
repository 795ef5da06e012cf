"""Two pins: a file of one digit, and a GPIO line. That one goes off with the process, if a pull-down does the rest."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from edge_agent.amplifier.base import Pin
from edge_agent.gpio import Line, driver_of


class FilePin:
    """Writes ``1`` or ``0`` into a file: for tests, and for whatever else reads files, which never finds it empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.put(on=False)

    def put(self, *, on: bool) -> None:
        """Switch it."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.write(descriptor, b"1" if on else b"0")
            os.ftruncate(descriptor, 1)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Switch it off."""
        self.put(on=False)


class LinePin:
    """One line of a GPIO chip."""

    def __init__(self, chip: Path, line: int, active_low: bool) -> None:  # noqa: FBT001 - as the name says it
        self._line = Line(chip, line, "out", active_low=active_low)

    def put(self, *, on: bool) -> None:
        """Switch it."""
        self._line.write(on=on)

    def close(self) -> None:
        """Switch it off and let it go."""
        with contextlib.suppress(OSError):
            self.put(on=False)
        self._line.close()


def new_pin(name: str) -> Pin:
    """Make the driver of a name (``gpio.driver_of``); low: on is a low level.

    Raises:
        ConfigError: it names no driver.
    """
    file: Callable[[Path], Pin] = FilePin
    line: Callable[[Path, int, bool], Pin] = LinePin
    return driver_of("amplifier", name, file=file, line=line)
