"""A paced output without a card: the ground truth of tests and demonstrations.

It behaves as a card does: a clock of its own takes 48,000 frames a second, a thread fills a buffer 160 ms ahead, and
what the thread is late for has passed as silence. What was consumed goes to a WAV, the instants beside it; another
thread writes them (``recording``), since a device does not wait for a disk.

The WAV goes on through restarts; silence is left as holes, so a quiet day takes no disk. Frames that had not been
consumed, or not been taken by the disk, when the process was killed are not in it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from edge_agent.clock import NS, ahead_ns
from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.outputs.base import Render
from edge_agent.outputs.recording import FRAME_BYTES, Recording, Writer

log = logging.getLogger(__name__)

BLOCK = 960
"""Frames: 20 ms."""
AHEAD = 8
"""Blocks rendered before they sound: 160 ms. More than a card's buffer, since many virtual nodes share a busy machine;
with the fade of a cut below the 200 ms within which a node falls silent."""
_BLOCK_NS = BLOCK * NS // RATE


def of_this_machine() -> int:
    """Turn the outputs' clock into UTC by the clocks of the machine."""
    return ahead_ns(time.time_ns, time.monotonic_ns)


def unheard(_block: bytes, _at_ns: int) -> None:
    """Nobody listens."""


class VirtualOutput:
    """See the module."""

    kind: Literal["card", "virtual"] = "virtual"
    simulated = True

    def __init__(
        self,
        wav: Path,
        instants: Path,
        *,
        utc_minus_monotonic_ns: Callable[[], int] = of_this_machine,
        on_consumed: Callable[[bytes, int], None] = unheard,
    ) -> None:
        """``on_consumed`` is told of each block that has passed, and when its first frame did (monotonic)."""
        self._paths, self._utc_minus, self._on_consumed = (wav, instants), utc_minus_monotonic_ns, on_consumed
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, render: Render, on_underrun: Callable[[int], None], on_lost: Callable[[str], None]) -> None:
        """Begin to ask for frames.

        Raises:
            OutputError: the files cannot be written.
        """
        try:
            recording = Recording(*self._paths)
        except BlockingIOError:
            raise OutputError(f"{self._paths[0]} is still being written: the disk is slow") from None
        except OSError as error:
            raise OutputError(f"{self._paths[0]} cannot be written: {error}") from None
        self._thread = threading.Thread(
            target=self._work, args=(recording, render, on_underrun, on_lost), name="output-virtual", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop, and finish the files."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _work(
        self, recording: Recording, render: Render, on_underrun: Callable[[int], None], on_lost: Callable[[str], None]
    ) -> None:
        writer = Writer(recording)
        try:
            self._pace(writer, render, on_underrun)
        except OutputError as error:
            on_lost(str(error))
        finally:
            try:
                writer.close()
            except OutputError:
                log.exception("what sounded last is not in the file")

    def _pace(self, writer: Writer, render: Render, on_underrun: Callable[[int], None]) -> None:
        """Render ahead of the device's clock, and have written what it has passed."""
        begun_ns = time.monotonic_ns()
        rendered = 0
        waiting: deque[tuple[int, bytes]] = deque()
        mark = True
        while True:
            passed = (time.monotonic_ns() - begun_ns) // _BLOCK_NS
            while waiting and waiting[0][0] < passed:
                index, block = waiting.popleft()
                sounds = any(block)
                at_ns = begun_ns + index * _BLOCK_NS
                writer.put(block, at_ns + self._utc_minus(), mark=mark)
                self._on_consumed(block, at_ns)
                mark = sounds
            if self._stop.is_set():
                return
            while rendered < passed + AHEAD:
                block_ns = begun_ns + rendered * _BLOCK_NS
                buffer = bytearray(BLOCK * FRAME_BYTES)
                render(memoryview(buffer), block_ns)
                if rendered < passed:  # its time is over: the device has played silence instead
                    on_underrun(BLOCK)
                    buffer = bytearray(len(buffer))
                waiting.append((rendered, bytes(buffer)))
                rendered += 1
            until_ns = begun_ns + (passed + 1) * _BLOCK_NS
            self._stop.wait(max(0, until_ns - time.monotonic_ns()) / NS)
