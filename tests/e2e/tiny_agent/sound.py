"""What is to be heard: one item, decoded."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import av


class Sound:
    """One item at the output: decoded as it is consumed, silent after its length."""

    def __init__(self, key: tuple[str, int, int], data: bytes, length_ms: int, gain_mb: int, *, silent: bool) -> None:
        self.broadcast_id, self.item, self.begins_at = self.key = key
        self.silent = silent
        self.frames, self.gain_mb = length_ms * 48, gain_mb
        self.begin_frame = self.due_ns = self.asked = self.consumed = self.underruns = self.first_ns = self.last_ns = 0
        self.error_ms: float | None = None
        self.told = False
        self._blocks = self._decode(data)
        self._buffer = next(self._blocks, b"")

    def _decode(self, data: bytes) -> Iterator[bytes]:
        with contextlib.suppress(av.error.FFmpegError), av.open(io.BytesIO(data), "r", format="ogg") as file:
            graph, stream = av.filter.Graph(), file.streams.audio[0]
            wanted = graph.add("aformat", "sample_fmts=s16:channel_layouts=mono:sample_rates=48000")
            loud = graph.add("volume", f"{self.gain_mb / 100}dB")
            sink = graph.add("abuffersink")
            graph.link_nodes(graph.add_abuffer(template=stream), loud, wanted, sink).configure()
            for frame in file.decode(stream):
                graph.push(frame)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        block: Any = graph.pull()
                        yield bytes(block.planes[0])[: block.samples * 2]

    def read(self, frames: int) -> bytes:
        size = min(frames, self.frames - self.asked) * 2
        while len(self._buffer) < size and (block := next(self._blocks, b"")):
            self._buffer += block
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        self.asked += size // 2
        self.consumed += len(data) // 2
        return (b"" if self.silent else data).ljust(frames * 2, b"\0")

    def proved(self) -> bool:
        """Say whether the frames were consumed whole and in real time (grade 1)."""
        real_ms = (self.last_ns - self.first_ns) / 1e6
        return self.gain_mb > -6000 and self.consumed >= self.frames * 0.99 and real_ms >= self.frames / 48 * 0.98
