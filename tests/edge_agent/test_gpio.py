"""The kernel's own words for one line. No chip is here: what a device does with them is on the hardware checklist."""

import fcntl
import os
import struct
from pathlib import Path

import pytest

from edge_agent import gpio
from edge_agent.gpio import Line, line_request


@pytest.mark.parametrize(
    ("way", "low", "flags"),
    [("out", False, 0b1000), ("out", True, 0b1010), ("in", True, 0x106), ("in", False, 0x204)],
)
def test_a_line_is_asked_for_in_the_kernels_layout(way: str, low: bool, flags: int) -> None:  # noqa: FBT001
    """As ``struct gpio_v2_line_request`` of linux/gpio.h lies in memory on every machine: 592 bytes."""
    asked = line_request(17, "in" if way == "in" else "out", active_low=low)
    assert len(asked) == 592
    assert asked[:4] == (17).to_bytes(4, "little")
    assert asked[256:265] == b"loa-agent"
    assert asked[288:296] == flags.to_bytes(8, "little")
    assert asked[560:564] == (1).to_bytes(4, "little")


class Kernel:
    """Answers ioctls as a chip does, and hands out handles that can be closed."""

    def __init__(self) -> None:
        self.lines: list[int] = []
        self.level, self.broken = 0, False

    def __call__(self, handle: int, what: int, data: bytes) -> bytes:
        if self.broken:
            raise OSError(5, "Input/output error")
        if what == gpio._GET_LINE:
            self.lines.append(os.open(os.devnull, os.O_RDWR))
            return data[:-4] + struct.pack("=i", self.lines[-1])
        assert handle == self.lines[-1]
        if what == gpio._SET_VALUES:
            self.level = struct.unpack("=QQ", data)[0]
        return struct.pack("=QQ", self.level, 1)


def test_a_line_is_asked_for_at_its_first_use_and_anew_when_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    monkeypatch.setattr(fcntl, "ioctl", kernel)
    line = Line(Path(os.devnull), 17, "out", active_low=False)
    assert kernel.lines == []
    line.write(on=True)
    line.write(on=False)
    line.write(on=True)
    assert (len(kernel.lines), line.read()) == (1, True)
    kernel.broken = True
    with pytest.raises(OSError, match="Input/output"):
        line.write(on=False)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.lines[0])  # it was let go
    kernel.broken = False
    line.write(on=False)
    assert (len(kernel.lines), line.read()) == (2, False)
    line.close()
    line.close()
