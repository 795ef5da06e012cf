"""The kernel's own words for one line. No chip is here: what a device does with them is on the hardware checklist."""

import pytest

from edge_agent.gpio import line_request


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
