"""Agents as processes, and what their virtual output left."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path


class VirtualRecording:
    """The WAV of a virtual output and the instants of its frames."""

    HEADER = 44

    def __init__(self, wav: Path, instants: Path) -> None:
        self.pcm = wav.read_bytes()[self.HEADER :]
        lines = instants.read_text().splitlines()
        self._marks = [(mark["frame"], mark["at_ns"]) for mark in map(json.loads, lines)]

    def find(self, sound: bytes) -> list[int]:
        """Give the frames at which exactly this sound begins."""
        found, at = [], self.pcm.find(sound)
        while at >= 0:
            found.append(at // 2)
            at = self.pcm.find(sound, at + 2)
        return found

    def at(self, frame: int) -> datetime:
        """Give the instant at which a frame was consumed."""
        mark, at_ns = max((one for one in self._marks if one[0] <= frame), key=lambda one: one[0])
        ns = at_ns + (frame - mark) * 1_000_000_000 // 48_000
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns / 1000)

    def between(self, begin_at: datetime, end_at: datetime) -> bytes:
        """Give the sound that was consumed between two instants."""
        found, edges = b"", [frame for frame, _ in self._marks[1:]] + [len(self.pcm) // 2]
        for (frame, at_ns), edge in zip(self._marks, edges, strict=True):
            mark_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns / 1000)
            first = frame + max(0, int((begin_at - mark_at).total_seconds() * 48_000))
            last = min(edge, frame + int((end_at - mark_at).total_seconds() * 48_000))
            found += self.pcm[first * 2 : last * 2] if last > first else b""
        return found

    def sounding_frames(self) -> int:
        """Count frames that are not exactly zero."""
        return sum(1 for sample in memoryview(self.pcm).cast("h") if sample)


@contextlib.contextmanager
def agent_process(command: list[str], log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run an agent until the block ends; kills what does not go by itself."""
    with log.open("ab") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words, env={**os.environ, **env})
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
