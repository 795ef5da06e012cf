"""The virtual output: paced by the clock, and the files that are its truth."""

import json
import os
import struct
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from .clock import Clock
from .sound import Sound

MOST_WAITING = 3000
"""Pieces that may wait for the disk: 30 s of them."""


class Files:
    """The WAV and the instants of its frames, written by a thread of their own: no device waits for a disk."""

    def __init__(self, state: Path) -> None:
        self._wav = os.open(state / "output.wav", os.O_RDWR | os.O_CREAT, 0o644)
        self._instants = (state / "output.instants.jsonl").open("a", buffering=1)
        self.frames = max(0, os.fstat(self._wav).st_size - 44) // 2
        self._waiting: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._refusal: OSError | None = None
        self._thread = threading.Thread(target=self._work, name="files", daemon=True)
        self._thread.start()

    def sound(self, frame: int, data: bytes) -> None:
        self._put(partial(os.pwrite, self._wav, data, 44 + frame * 2))

    def mark(self, frame: int, at_ns: int) -> None:
        """Note when a frame was consumed, and let the header say how many were."""
        self._put(partial(self._instants.write, json.dumps({"frame": frame, "at_ns": at_ns}) + "\n"))
        size = min(frame * 2, 0xFFFFFF00)
        form = struct.pack(
            "<4sI8sIHHIIHH4sI", b"RIFF", size + 36, b"WAVEfmt ", 16, 1, 1, 48000, 96000, 2, 16, b"data", size
        )
        self._put(partial(os.pwrite, self._wav, form, 0))

    def close(self) -> None:
        """Wait until all is written."""
        self._waiting.put(None)
        self._thread.join()
        if self._refusal is not None:
            raise self._refusal

    def _put(self, work: Callable[[], object]) -> None:
        if self._refusal is not None:
            raise self._refusal
        if self._waiting.qsize() >= MOST_WAITING:
            raise OSError("the disk does not keep up with the sound")
        self._waiting.put(work)

    def _work(self) -> None:
        try:
            while (work := self._waiting.get()) is not None:
                work()
        except OSError as refusal:
            self._refusal = refusal


class Output(threading.Thread):
    """A paced virtual output: exact zeros whenever nothing sounds. Of two sounds the one that begins later is heard."""

    def __init__(self, state: Path, clock: Clock) -> None:
        super().__init__(name="output", daemon=True)
        self._clock, self._lock, self._ended = clock, threading.Lock(), threading.Event()
        self._files = Files(state)
        self.frame = self._files.frames
        self._zero_ns = time.monotonic_ns() - self._ns(self.frame)
        self.sounds: list[Sound] = []
        self._marked = self.frame
        self._mark(self.frame)

    @staticmethod
    def _ns(frames: int) -> int:
        return frames * 1_000_000_000 // 48000

    def _mark(self, frame: int) -> None:
        self._files.mark(frame, self._zero_ns + self._ns(frame) + time.time_ns() - time.monotonic_ns())
        self._marked = frame

    def lag(self) -> int:
        """Give how far what was consumed is behind the clock."""
        return max(0, time.monotonic_ns() - self._zero_ns - self._ns(self.frame)) // 1000

    def run(self) -> None:
        while not self._ended.wait(0.01):
            with self._lock:
                self._consume()

    def _consume(self) -> None:
        due = (time.monotonic_ns() - self._zero_ns) * 48 // 1_000_000
        if due - self.frame > 12000:  # a device would have run dry a quarter of a second ago
            self._zero_ns += self._ns(due - self.frame)
            for each in self.sounds:
                each.underruns += int(0 < each.asked < each.frames)
            due = self.frame
            self._mark(due)
        while self.frame < due:
            edges = [sound.begin_frame for sound in self.sounds if sound.begin_frame > self.frame]
            frames = min([due, *edges]) - self.frame
            begun = [sound for sound in self.sounds if sound.begin_frame <= self.frame]
            sound = max(begun, key=lambda one: one.begin_frame, default=None)
            data = bytes(frames * 2)
            if sound is not None:
                if sound.error_ms is None:
                    sound.first_ns = self._zero_ns + self._ns(self.frame)
                    sound.error_ms = (sound.first_ns - sound.due_ns) / 1e6
                    self._mark(self.frame)
                if sound.asked < sound.frames:
                    sound.last_ns = self._zero_ns + self._ns(self.frame + min(frames, sound.frames - sound.asked))
                data = sound.read(frames)
            self._files.sound(self.frame, data)
            self.frame += frames
        if self.frame - self._marked >= 40000:
            self._mark(self.frame)

    def place(self, sound: Sound) -> None:
        with self._lock:
            sound.due_ns = time.monotonic_ns() + (sound.begins_at - self._clock.now()) * 1000
            sound.begin_frame = max(self.frame, round((sound.due_ns - self._zero_ns) * 48 / 1_000_000))
            self.sounds.append(sound)

    def keep(self, keys: set[tuple[str, int, int]]) -> list[Sound]:
        """Silence at once what is not named, and give it back."""
        with self._lock:
            gone = [sound for sound in self.sounds if sound.key not in keys]
            self.sounds = [sound for sound in self.sounds if sound.key in keys]
        return gone

    def close(self) -> None:
        self._ended.set()
        self.join()
        self._mark(self.frame)
        self._files.close()
