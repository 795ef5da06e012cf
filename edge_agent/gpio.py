"""Lines of Linux's GPIO character device, by three ioctls of the kernel's own interface (linux/gpio.h, version 2).

Since Linux 5.10; a node needs no library for two lines. The kernel lets a line go when the process ends, however it
ends. It was not tried on a device: see docs/hardware-checklist.md.
"""

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from edge_agent.errors import ConfigError

_T = TypeVar("_T")

_REQUEST = struct.Struct("=64I 32s Q I 5I 240s I I 5I i")
"""``gpio_v2_line_request``: offsets, consumer, flags, attributes, number of lines, buffer, padding, handle of them."""
_VALUES = struct.Struct("=QQ")
"""``gpio_v2_line_values``: bits and mask."""
_GET_LINE = 0xC000_B407 | _REQUEST.size << 16
_GET_VALUES = 0xC000_B40E | _VALUES.size << 16
_SET_VALUES = 0xC000_B40F | _VALUES.size << 16
_MOST_LINES = 1 << 16
_ACTIVE_LOW, _INPUT, _OUTPUT, _PULL_UP, _PULL_DOWN = 1 << 1, 1 << 2, 1 << 3, 1 << 8, 1 << 9


class Line:
    """One line of a chip, ours from its first use until it is closed. One that fails is asked for anew at the next."""

    def __init__(self, chip: Path, line: int, way: Literal["in", "out"], *, active_low: bool) -> None:
        self._chip, self._asks = chip, line_request(line, way, active_low=active_low)
        self._line: int | None = None

    def write(self, *, on: bool) -> None:
        """Set an output.

        Raises:
            OSError: there is no such line, or somebody else has it.
        """
        self._do(_SET_VALUES, _VALUES.pack(int(on), 1))

    def read(self) -> bool:
        """Read an input.

        Raises:
            OSError: as above.
        """
        bits, _ = _VALUES.unpack(self._do(_GET_VALUES, _VALUES.pack(0, 1)))
        return bool(bits & 1)

    def close(self) -> None:
        """Let it go. Twice does no harm."""
        if self._line is not None:
            line, self._line = self._line, None
            os.close(line)

    def _do(self, what: int, values: bytes) -> bytes:
        if self._line is None:
            self._line = self._ask()
        try:
            return fcntl.ioctl(self._line, what, values)
        except OSError:
            self.close()
            raise

    def _ask(self) -> int:
        handle = os.open(self._chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            line: int = _REQUEST.unpack(fcntl.ioctl(handle, _GET_LINE, self._asks))[-1]
        finally:
            os.close(handle)
        return line


def line_request(line: int, way: Literal["in", "out"], *, active_low: bool) -> bytes:
    """Ask for one line; an input is pulled to where it is off."""
    flags = _OUTPUT if way == "out" else _INPUT | (_PULL_UP if active_low else _PULL_DOWN)
    flags |= _ACTIVE_LOW if active_low else 0
    return _REQUEST.pack(line, *[0] * 63, b"loa-agent", flags, 0, *[0] * 5, bytes(240), 1, 0, *[0] * 5, 0)


def driver_of(what: str, name: str, *, file: Callable[[Path], _T], line: Callable[[Path, int, bool], _T]) -> _T:
    """Make the driver that a name asks for: ``file:PATH``, ``gpio:CHIP:LINE`` or ``gpio:CHIP:LINE:low``.

    ``line`` is given the chip, the number of the line, and whether on is a low level.

    Raises:
        ConfigError: it is none of these, or the file cannot be used.
    """
    kind, _, rest = name.partition(":")
    try:
        if kind == "file" and rest:
            return file(Path(rest))
        if kind == "gpio":
            return line(*_parse(rest))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{what} {name} cannot be used: {error}") from None
    raise ConfigError(f"{what} {name} is unknown: give file:PATH, gpio:gpiochip0:17 or gpio:gpiochip0:17:low")


def _parse(name: str) -> tuple[Path, int, bool]:
    chip, line, *level = name.split(":")
    if level not in ([], ["low"]):
        raise ValueError(f"{level[0]} is not 'low'")
    if not 0 <= int(line) < _MOST_LINES:
        raise ValueError(f"there is no line {line}")
    return Path("/dev") / chip, int(line), bool(level)
