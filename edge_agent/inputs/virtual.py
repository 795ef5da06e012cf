"""A microphone that is made up: it hears what the virtual output has consumed, through a street of a few numbers.

No numpy, so that a virtual node stays small; what a street really does to sound is the business of the tests' rooms.
"""

import random
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge_agent.clock import NS
from edge_agent.errors import InputLostError
from edge_agent.evidence import RATE
from edge_agent.inputs.base import Take
from edge_agent.tape import Tape

BLOCK = 960
"""Frames: 20 ms."""
_BLOCK_NS = BLOCK * NS // RATE
_FULL = 32_767
KEPT_S = 3.0
LATE_NS = 10 * _BLOCK_NS
"""It hears later than it was: the output tells of a block when it is over, and a busy machine later still."""
_RUSTLE = 4096
"""Samples of noise that are made once and begun anywhere."""


@dataclass(frozen=True, slots=True)
class Street:
    """What lies between the horns and the microphone."""

    ways: tuple[tuple[float, float], ...] = ((12.0, 0.25), (19.0, 0.2), (47.0, 0.08))
    """Each a delay in ms and an amplitude: two horns and an echo."""
    noise: float = 0.002
    """RMS, of full scale."""


Air = Tape
"""Carries sound from a virtual output to a virtual input of the same process: what was consumed, and when."""


def air() -> Air:
    """Make one; what was consumed three seconds ago has died away."""
    return Tape(KEPT_S)


class VirtualInput:
    """See the module."""

    kind: Literal["card", "virtual"] = "virtual"
    simulated = True

    def __init__(self, air: Air | None, street: Street | None = None, *, seed: int = 1) -> None:
        self._air, self._street = air, street or Street()
        chance = random.Random(seed)  # noqa: S311 - a rustle, no secret
        self._rustle = [round(chance.gauss(0, self._street.noise) * _FULL) for _ in range(_RUSTLE)]
        self._chance = chance
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, take: Take, on_lost: Callable[[str], None]) -> None:
        """Begin to give frames.

        Raises:
            InputLostError: the output is a real one.
        """
        if self._air is None:
            raise InputLostError("a virtual input hears a virtual output only: give --input card or none")
        del on_lost  # air does not break
        work = threading.Thread(target=self._work, args=(self._air, take), name="input-virtual", daemon=True)
        self._thread = work
        work.start()

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self, air: Air, take: Take) -> None:
        """Give one block after the other, each when it is over, and when the output has surely told of it."""
        at_ns = time.monotonic_ns()
        while not self._stop.wait(max(0, at_ns + LATE_NS - time.monotonic_ns()) / NS):
            take(self._heard(air, at_ns), at_ns)
            at_ns += _BLOCK_NS

    def _heard(self, air: Air, at_ns: int) -> bytes:
        begin = self._chance.randrange(_RUSTLE - BLOCK)
        mixed: list[float] = [*self._rustle[begin : begin + BLOCK]]
        for delay_ms, amplitude in self._street.ways:
            sound = air.between(at_ns - round(delay_ms * 1e6), BLOCK)
            if any(sound):
                new_ones = memoryview(sound).cast("h")
                mixed = [old + amplitude * new for old, new in zip(mixed, new_ones, strict=True)]
        return array("h", [max(-_FULL, min(_FULL, round(value))) for value in mixed]).tobytes()
