"""The contract of an output: a device that asks for frames in real time, and says when each leaves it."""

from collections.abc import Callable
from typing import Literal, Protocol

Render = Callable[[memoryview, int], None]
"""Fill a buffer (s16 mono, 48 kHz) whose first frame leaves the device at that instant (monotonic nanoseconds)."""


class Output(Protocol):
    """A device, always open: silence is played, not switched off.

    Order of calls: ``open`` once, then ``render`` comes from the device's own thread until ``close`` has returned. A
    driver is used once; after a failure a new one is made.
    """

    kind: Literal["card", "virtual"]
    simulated: bool
    """Evidence that rests on it is marked so."""

    def open(self, render: Render, on_underrun: Callable[[int], None], on_lost: Callable[[str], None]) -> None:
        """Begin to ask for frames.

        ``on_underrun`` tells that the device ran dry, and how many frames of ours went unheard for it. ``on_lost``
        tells, once and from any thread, that the device has gone.

        Raises:
            OutputError: there is no such device, or it does not open.
        """

    def close(self) -> None:
        """Stop asking; frames not yet out may be lost. Closing twice does no harm."""


Maker = Callable[[], Output]
"""Makes a fresh driver for the device that was configured."""
