"""Lines of Linux's GPIO character device, by two ioctls of the kernel's own interface (linux/gpio.h, version 2).

Since Linux 5.10; a node needs no library for two lines. The kernel lets a line go when the process ends, however it
ends. It was not tried on a device: see docs/hardware-checklist.md.
"""

import fcntl
import os
import struct
from pathlib import Path
from typing import Literal

_REQUEST = struct.Struct("=64I 32s Q I 5I 240s I I 5I i")
"""``gpio_v2_line_request``: offsets, consumer, flags, attributes, number of lines, buffer, padding, handle of them."""
_VALUES = struct.Struct("=QQ")
"""``gpio_v2_line_values``: bits and mask."""
_GET_LINE = 0xC000_B407 | _REQUEST.size << 16
_GET_VALUES = 0xC000_B40E | _VALUES.size << 16
_SET_VALUES = 0xC000_B40F | _VALUES.size << 16
_ACTIVE_LOW, _INPUT, _OUTPUT, _PULL_UP, _PULL_DOWN = 1 << 1, 1 << 2, 1 << 3, 1 << 8, 1 << 9


class Line:
    """One line of a chip, ours until it is closed."""

    def __init__(self, chip: Path, line: int, way: Literal["in", "out"], *, active_low: bool) -> None:
        handle = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(handle, _GET_LINE, line_request(line, way, active_low=active_low))
        finally:
            os.close(handle)
        self._line: int | None = _REQUEST.unpack(answer)[-1]

    def write(self, *, on: bool) -> None:
        """Set an output."""
        if self._line is not None:
            fcntl.ioctl(self._line, _SET_VALUES, _VALUES.pack(int(on), 1))

    def read(self) -> bool:
        """Read an input; a closed line is off."""
        if self._line is None:
            return False
        bits, _ = _VALUES.unpack(fcntl.ioctl(self._line, _GET_VALUES, _VALUES.pack(0, 1)))
        return bool(bits & 1)

    def close(self) -> None:
        """Let it go. Twice does no harm."""
        if self._line is not None:
            line, self._line = self._line, None
            os.close(line)


def line_request(line: int, way: Literal["in", "out"], *, active_low: bool) -> bytes:
    """Ask for one line; an input is pulled to where it is off."""
    flags = _OUTPUT if way == "out" else _INPUT | (_PULL_UP if active_low else _PULL_DOWN)
    flags |= _ACTIVE_LOW if active_low else 0
    return _REQUEST.pack(line, *[0] * 63, b"loa-agent", flags, 0, *[0] * 5, bytes(240), 1, 0, *[0] * 5, 0)


def parse_line(name: str) -> tuple[Path, int, bool]:
    """Read ``gpiochip0:17`` or ``gpiochip0:17:low`` (on is a low level): chip, line, whether it is low.

    Raises:
        ValueError: it is neither.
    """
    chip, line, *level = name.split(":")
    if level not in ([], ["low"]):
        raise ValueError(f"{level[0]} is not 'low'")
    return Path("/dev") / chip, int(line), bool(level)
