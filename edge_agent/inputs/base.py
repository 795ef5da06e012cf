"""The contract of an input: a device that gives frames in real time, and says when each came in."""

from collections.abc import Callable
from typing import Literal, Protocol

Take = Callable[[bytes, int], None]
"""Frames (s16 mono, 48 kHz) the first of which came in at that instant (monotonic nanoseconds)."""


class Input(Protocol):
    """A microphone, a line or a loopback, open only while the node itself sounds: it is no ear for the street.

    Order of calls: ``open`` once, then ``take`` comes from the device's own thread until ``close`` has returned. A
    driver is used once; for the next play a new one is made.
    """

    kind: Literal["card", "virtual"]
    simulated: bool
    """Evidence that rests on it is marked so."""

    def open(self, take: Take, on_lost: Callable[[str], None]) -> None:
        """Begin to give frames; gaps are possible, overlaps are not. ``on_lost`` tells once that the device has gone.

        Raises:
            InputLostError: there is no such device, or it does not open.
        """

    def close(self) -> None:
        """Stop giving. Closing twice does no harm."""


Maker = Callable[[], Input]
"""Makes a fresh driver for the device that was configured."""
