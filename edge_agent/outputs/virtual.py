"""A paced output without a card: the ground truth of tests and demonstrations.

It behaves as a card does: a clock of its own takes 48,000 frames a second, a thread fills a buffer 160 ms ahead, and
what the thread is late for has passed as silence. What was consumed goes to a WAV, the instants beside it.

The WAV goes on through restarts; silence is left as holes, so a quiet day takes no disk. Frames that had not been
consumed when the process was killed are not in it.
"""

import json
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Literal

from edge_agent.clock import NS
from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.failpoints import reach
from edge_agent.outputs.base import Render

BLOCK = 960
"""Frames: 20 ms."""
AHEAD = 8
"""Blocks rendered before they sound: 160 ms. More than a card's buffer, since many virtual nodes share a busy machine;
with the fade of a cut below the 200 ms within which a node falls silent."""
HEADER = 44
FRAME_BYTES = 2
MAX_WAV_FRAMES = 4 * 3600 * RATE
"""After four hours a new file is begun and one old one kept: a WAV cannot count beyond 4 GiB."""
_BLOCK_NS = BLOCK * NS // RATE


class Recording:
    """A growing WAV that is valid at every second, and the instants of its frames."""

    def __init__(self, wav: Path, instants: Path, *, max_frames: int = MAX_WAV_FRAMES) -> None:
        self._max_frames = max_frames
        self._paths = (wav, instants)
        self._wav, self._instants = self._open()
        self.frames = max(0, (os.fstat(self._wav.fileno()).st_size - HEADER) // FRAME_BYTES)
        self._marked = -RATE

    def append(self, block: bytes, at_utc_ns: int, *, mark: bool) -> None:
        """Write one block whose first frame was consumed at ``at_utc_ns``; ``mark`` notes the instant in any case."""
        if self.frames >= self._max_frames:
            self._rotate()
        if mark or self.frames - self._marked >= RATE:
            self._instants.write(json.dumps({"frame": self.frames, "at_ns": at_utc_ns}).encode() + b"\n")
            self._marked = self.frames
            self._settle()
        if any(block):
            os.pwrite(self._wav.fileno(), block, HEADER + self.frames * FRAME_BYTES)
        self.frames += len(block) // FRAME_BYTES

    def close(self) -> None:
        """Bring the header up to the last frame."""
        if not self._wav.closed:
            self._settle()
            self._wav.close()
            self._instants.close()

    def _settle(self) -> None:
        size = self.frames * FRAME_BYTES
        os.ftruncate(self._wav.fileno(), HEADER + size)
        os.pwrite(self._wav.fileno(), _header(size), 0)

    def _open(self) -> tuple[IO[bytes], IO[bytes]]:
        wav, instants = self._paths
        return wav.open("r+b" if wav.exists() else "w+b", buffering=0), instants.open("ab", buffering=0)

    def _rotate(self) -> None:
        self.close()
        for path in self._paths:
            reach("recording.before_rename")
            path.replace(path.with_name(f"{path.name}.1"))
            reach("recording.after_rename")
        self._wav, self._instants = self._open()
        self.frames, self._marked = 0, -RATE


def of_this_machine() -> int:
    """Turn the outputs' clock into UTC by the clocks of the machine."""
    return time.time_ns() - time.monotonic_ns()


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
        try:
            self._pace(recording, render, on_underrun)
        except OSError as error:
            on_lost(f"{self._paths[0]}: {error}")
        finally:
            recording.close()

    def _pace(self, recording: Recording, render: Render, on_underrun: Callable[[int], None]) -> None:
        """Render ahead of the device's clock, and write what it has passed."""
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
                recording.append(block, at_ns + self._utc_minus(), mark=mark)
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


def _header(size: int) -> bytes:
    """RIFF header of s16 mono at 48 kHz with ``size`` bytes of sound."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16, b"data", size
    )
