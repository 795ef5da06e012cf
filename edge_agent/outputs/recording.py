"""What a virtual output has consumed, on disk: a WAV and, beside it, the instants of its frames.

Whoever paces frames hands them over and goes on: a slow disk may neither make sound late nor tell that it was.
"""

import fcntl
import json
import os
import struct
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import IO, NamedTuple

from edge_agent.errors import OutputError
from edge_agent.evidence import RATE
from edge_agent.failpoints import reach

HEADER = 44
FRAME_BYTES = 2
MAX_WAV_FRAMES = 4 * 3600 * RATE
"""After four hours a new file is begun and one old one kept: a WAV cannot count beyond 4 GiB."""
MOST_WAITING = 1500
"""Blocks that may wait for the disk: 30 s and 3 MB of what an output hands over."""
PATIENCE_S = 1.0
"""In which the disk takes half of them, or is too slow. A process that was stopped hands over all of that time at once,
and no disk is to blame."""


class Recording:
    """A growing WAV that is valid at every second, and the instants of its frames. One at a time has the files."""

    def __init__(self, wav: Path, instants: Path, *, max_frames: int = MAX_WAV_FRAMES) -> None:
        """Go on with the files.

        Raises:
            BlockingIOError: another one still writes them.
            OSError: they cannot be written.
        """
        self._max_frames = max_frames
        self.paths = (wav, instants)
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
            try:
                self._settle()
            finally:
                self._wav.close()
                self._instants.close()

    def _settle(self) -> None:
        size = self.frames * FRAME_BYTES
        os.ftruncate(self._wav.fileno(), HEADER + size)
        os.pwrite(self._wav.fileno(), _header(size), 0)

    def _open(self) -> tuple[IO[bytes], IO[bytes]]:
        wav, instants = self.paths
        file = wav.open("r+b" if wav.exists() else "w+b", buffering=0)
        try:
            # An output that was given up on a slow disk may not be done with them.
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file, instants.open("ab", buffering=0)
        except OSError:
            file.close()
            raise

    def _rotate(self) -> None:
        self.close()
        for path in self.paths:
            reach("recording.before_rename")
            path.replace(path.with_name(f"{path.name}.1"))
            reach("recording.after_rename")
        self._wav, self._instants = self._open()
        self.frames, self._marked = 0, -RATE


class _Block(NamedTuple):
    frames: bytes
    at_utc_ns: int
    mark: bool


class Writer:
    """Writes a recording from a thread of its own, in order. One other thread hands over and closes."""

    def __init__(self, recording: Recording, *, most_waiting: int = MOST_WAITING) -> None:
        self._recording, self._most = recording, most_waiting
        self._waiting: SimpleQueue[_Block | None] = SimpleQueue()
        self._refusal: OSError | None = None
        self._room = threading.Event()
        """Set whenever half of what may wait, or less, does."""
        self._thread = threading.Thread(target=self._work, name="output-writer", daemon=True)
        self._thread.start()

    def put(self, block: bytes, at_utc_ns: int, *, mark: bool) -> None:
        """Hand over a block, to be appended, and go on at once.

        Raises:
            OutputError: the disk has refused one, or is so slow that too many wait for it.
        """
        self._complain()
        if self._waiting.qsize() >= self._most:
            self._room.clear()
            if not self._room.wait(PATIENCE_S) and not self._has_room():
                raise OutputError(f"{self._recording.paths[0]}: the disk does not keep up with the sound")
        self._waiting.put(_Block(block, at_utc_ns, mark))

    def close(self) -> None:
        """Wait until all that was handed over is written and the files are complete.

        Raises:
            OutputError: they are not.
        """
        self._waiting.put(None)
        self._thread.join()
        self._complain()

    def _has_room(self) -> bool:
        return self._waiting.qsize() <= self._most // 2

    def _complain(self) -> None:
        if self._refusal is not None:
            raise OutputError(f"{self._recording.paths[0]}: {self._refusal}") from self._refusal

    def _work(self) -> None:
        try:
            try:
                while (block := self._waiting.get()) is not None:
                    self._recording.append(block.frames, block.at_utc_ns, mark=block.mark)
                    if self._has_room():
                        self._room.set()
            finally:
                self._recording.close()
        except OSError as refusal:
            self._refusal = refusal


def _header(size: int) -> bytes:
    """RIFF header of s16 mono at 48 kHz with ``size`` bytes of sound."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16, b"data", size
    )
