"""A pin that goes off by itself: whoever wants it on has to say so again and again. A thread of its own sees to it."""

import threading
import time
from collections.abc import Callable

from edge_agent.amplifier.base import Pin


class DeadMan:
    """Holds a pin on for as long as somebody asks; an event loop that hangs asks no more."""

    def __init__(self, pin: Pin, *, hold_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._pin, self._hold_s, self._clock_s = pin, hold_s, clock_s
        self._changed = threading.Condition()
        self._until_s: float | None = None
        """When it goes off; None while it is."""
        self._sure = False
        """It is known to be as it was put last: not before the first time, nor when that failed."""
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="amplifier", daemon=True)
        self._thread.start()

    @property
    def is_on(self) -> bool:
        """Whether the pin is on."""
        return self._until_s is not None

    def hold(self) -> None:
        """Switch it on, or let it be so a while longer.

        Raises:
            OSError: the pin cannot be switched.
        """
        with self._changed:
            if self._until_s is None:
                self._put(on=True)
            self._until_s = self._clock_s() + self._hold_s
            self._changed.notify()

    def let_go(self) -> None:
        """Switch it off.

        Raises:
            OSError: the pin cannot be switched.
        """
        with self._changed:
            if self._until_s is not None or not self._sure:
                self._put(on=False)
                self._until_s = None

    def look(self) -> float | None:
        """Switch it off if nobody has asked for too long; gives the seconds that are left."""
        with self._changed:
            if self._until_s is None:
                return None
            left_s = self._until_s - self._clock_s()
            if left_s <= 0:
                self._put(on=False)
                self._until_s = None
                return None
            return left_s

    def close(self) -> None:
        """Switch it off for good."""
        with self._changed:
            self._closed, self._until_s = True, None
            self._changed.notify()
        self._thread.join(self._hold_s)
        self._pin.close()

    def _put(self, *, on: bool) -> None:
        self._sure = False
        self._pin.put(on=on)
        self._sure = True

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(self._try_look())

    def _try_look(self) -> float | None:
        try:
            return self.look()
        except OSError:
            return 1.0  # whoever asks for it next is told; until then it is tried again
