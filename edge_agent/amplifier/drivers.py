"""Two pins: a file of one digit, and a line of Linux's GPIO character device.

The line is asked for by two ioctls of the kernel's own interface (linux/gpio.h, version 2, since Linux 5.10), so that a
node needs no library for one pin. The kernel lets it go when the process ends, however it ends: a pull-down does the
rest. It was not tried on a device: see docs/hardware-checklist.md.
"""

import fcntl
import os
import struct
from pathlib import Path

from edge_agent.amplifier.base import Pin
from edge_agent.errors import ConfigError

_REQUEST = struct.Struct("=64I 32s Q I 5I 240s I I 5I i")
"""``gpio_v2_line_request``: offsets, consumer, flags, attributes, number of lines, buffer, padding, handle of them."""
_VALUES = struct.Struct("=QQ")
"""``gpio_v2_line_values``: bits and mask."""
_GET_LINE = 0xC000_B407 | _REQUEST.size << 16
_SET_VALUES = 0xC000_B40F | _VALUES.size << 16
_ACTIVE_LOW, _OUTPUT = 1 << 1, 1 << 3
_CONSUMER = b"loa-amplifier"


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
        handle = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(handle, _GET_LINE, line_request(line, active_low=active_low))
        finally:
            os.close(handle)
        self._line: int | None = _REQUEST.unpack(answer)[-1]
        self.put(on=False)

    def put(self, *, on: bool) -> None:
        """Switch it."""
        if self._line is not None:
            fcntl.ioctl(self._line, _SET_VALUES, _VALUES.pack(int(on), 1))

    def close(self) -> None:
        """Switch it off and let it go."""
        if self._line is not None:
            self.put(on=False)
            line, self._line = self._line, None
            os.close(line)


def line_request(line: int, *, active_low: bool) -> bytes:
    """Ask for one line as an output."""
    flags = _OUTPUT | (_ACTIVE_LOW if active_low else 0)
    return _REQUEST.pack(line, *[0] * 63, _CONSUMER, flags, 0, *[0] * 5, bytes(240), 1, 0, *[0] * 5, 0)


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
            chip, line, *level = rest.split(":")
            if level in ([], ["low"]):
                return LinePin(Path("/dev") / chip, int(line), active_low=bool(level))
    except (OSError, ValueError) as error:
        raise ConfigError(f"amplifier {name} cannot be used: {error}") from None
    raise ConfigError(f"amplifier {name} is unknown: give file:PATH, gpio:gpiochip0:17 or gpio:gpiochip0:17:low")
