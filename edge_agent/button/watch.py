"""Looks at the button often enough that no press is missed, and says once for each press that it was pressed."""

import asyncio
from collections.abc import Callable

from edge_agent.button.base import Button
from edge_agent.faults import Fault, FaultBook

EVERY_S = 0.05
"""A quick press lasts a tenth of a second."""
SHOWN_S = 900.0
"""So long after a press the centre is told of it as a fault: somebody there should ask why."""


class ButtonWatch:
    """Runs until cancelled."""

    name = "button"

    def __init__(
        self, button: Button, faults: FaultBook, *, monotonic_s: Callable[[], float], press: Callable[[], int]
    ) -> None:
        """``press`` ends what sounds and gives how many broadcasts that were."""
        self._button, self._faults, self._monotonic_s, self._press = button, faults, monotonic_s, press
        self._was_down = True
        """One that is stuck, or held down while the agent starts, was not pressed."""
        self._pressed_s: float | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Look for ever."""
        self.ready.set()
        try:
            while True:
                self.look()
                await asyncio.sleep(EVERY_S)
        finally:
            self._button.close()

    def look(self) -> None:
        """Act on a press, and take back the fault of an old one."""
        try:
            down = self._button.is_pressed()
        except OSError as error:
            self._faults.put(Fault.BUTTON_FAILING, f"the button cannot be read: {error.strerror}")
            return
        self._faults.clear(Fault.BUTTON_FAILING)
        if down and not self._was_down:
            self._pressed_s = self._monotonic_s()
            self._faults.put(Fault.LOCAL_STOP, f"{self._press()} broadcasts were ended by the button at the node")
        self._was_down = down
        if self._pressed_s is not None and self._monotonic_s() - self._pressed_s >= SHOWN_S:
            self._pressed_s = None
            self._faults.clear(Fault.LOCAL_STOP)
