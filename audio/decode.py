"""Plays back the canonical format, block by block: the only user of PyAV, and the only part a node needs.

Bounded memory, no numpy, no clock. Integrity is the hash's business; here a damaged file is noticed, not repaired.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from av.filter.context import FilterContext

from audio.errors import CorruptAudioError

RATE = 48_000
BLOCK = 960
"""Samples: 20 ms, one Opus frame."""
BYTES_PER_SAMPLE = 2
MAX_GAIN_DB = 60.0
_HEAD, _TAIL = 512, 1 << 17
"""Bytes that surely hold the first Opus header, and the last page: a page has at most 65,307 (RFC 3533)."""


class Decoder:
    """One Ogg Opus file as signed 16-bit little-endian mono at 48 kHz, from its first sample to its last.

    ``source`` is a path or the file's bytes. ``gain_db`` is linear gain applied before rounding to 16 bits. Not for
    use by two threads at once.

    Raises:
        CorruptAudioError: not Ogg Opus in mono (here, and from ``read`` when the sound is damaged).
        OSError: the file cannot be opened.
    """

    def __init__(self, source: Path | bytes, *, gain_db: float = 0.0) -> None:
        self._file: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        self._container: InputContainer | None = None
        try:
            self.samples = _length(self._file)
            self._container, stream = _open(self._file)
            self._graph, self._inlet, self._outlet = _graph(stream, min(gain_db, MAX_GAIN_DB))
        except BaseException:
            self.close()
            raise
        self._pieces = self._decoded(stream)
        self._buffer = bytearray()
        self.position = 0

    samples: int
    """Length of the whole, exact."""
    position: int
    """Samples read so far."""

    @property
    def length_ms(self) -> int:
        """Length of the whole, rounded up."""
        return -(-self.samples * 1000 // RATE)

    def read(self, samples: int = BLOCK) -> bytes:
        """The next ``samples`` samples; fewer only at the end, none behind it.

        Raises:
            CorruptAudioError: the sound breaks off, or is damaged.
        """
        wanted = min(samples, self.samples - self.position) * BYTES_PER_SAMPLE
        while len(self._buffer) < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                have = self.position + len(self._buffer) // BYTES_PER_SAMPLE
                raise CorruptAudioError(f"the recording breaks off at {have} of {self.samples} samples: fetch it again")
            self._buffer += piece
        block = bytes(self._buffer[:wanted])
        del self._buffer[:wanted]
        self.position += wanted // BYTES_PER_SAMPLE
        return block

    def blocks(self, samples: int = BLOCK) -> Iterator[bytes]:
        """All that is left, in blocks of ``samples``; the last may be shorter.

        Raises:
            CorruptAudioError: the sound breaks off, or is damaged.
        """
        while block := self.read(samples):
            yield block

    def close(self) -> None:
        """Let go of the file; closing twice does no harm."""
        if self._container is not None:
            self._container.close()
        self._file.close()

    def __enter__(self) -> Self:
        """Itself; the block's end closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _decoded(self, stream: AudioStream) -> Iterator[bytes]:
        """PCM as it comes out of the gain filter."""
        assert self._container is not None  # noqa: S101 - set before this generator is made
        try:
            for frame in self._container.decode(stream):
                self._inlet.push(frame)
                yield from self._drained()
            self._inlet.push(None)
            yield from self._drained()
        except av.FFmpegError as error:
            raise CorruptAudioError(f"the recording cannot be decoded: {error.strerror}") from error

    def _drained(self) -> Iterator[bytes]:
        while True:
            try:
                frame = self._outlet.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, AudioFrame)  # noqa: S101 - the graph holds audio filters only
            yield bytes(frame.planes[0])[: frame.samples * BYTES_PER_SAMPLE]


def pcm_of(wav: bytes) -> bytes:
    """Give a short WAV of our own making in the canonical format: signed 16-bit little-endian mono at 48 kHz.

    Raises:
        CorruptAudioError: it is no WAV.
    """
    try:
        with av.open(io.BytesIO(wav), mode="r", format="wav") as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
            frames += resampler.resample(None)
    except (av.FFmpegError, IndexError) as error:
        raise CorruptAudioError(f"not a WAV: {error}") from None
    return b"".join(bytes(frame.planes[0])[: frame.samples * BYTES_PER_SAMPLE] for frame in frames)


def fade_out(block: bytes, *, start: float = 1.0, end: float = 0.0) -> bytes:
    """The block with its level falling linearly from ``start`` to ``end``: what makes a cut without a click.

    Meant for one block of some 10 ms; plain Python, about 0.1 ms for 960 samples on a PC.
    """
    samples = array("h", block)
    step = (end - start) / max(1, len(samples))
    for index, value in enumerate(samples):
        samples[index] = int(value * (start + step * index))
    return samples.tobytes()


def _open(file: IO[bytes]) -> tuple[InputContainer, AudioStream]:
    try:
        container = av.open(file, mode="r", format="ogg")
    except av.FFmpegError as error:
        raise CorruptAudioError(f"not an Ogg file: {error.strerror}") from error
    streams = container.streams.audio
    if len(streams) != 1 or streams[0].codec_context.name not in {"opus", "libopus"}:
        container.close()
        raise CorruptAudioError("not a recording in the canonical format: Ogg with one Opus stream")
    return container, streams[0]


def _graph(stream: AudioStream, gain_db: float) -> tuple[Graph, FilterContext, FilterContext]:
    graph = Graph()
    inlet = graph.add_abuffer(template=stream)
    gain = graph.add("volume", f"volume={gain_db:.2f}dB:precision=float")
    shape = graph.add("aformat", f"sample_fmts=s16:channel_layouts=mono:sample_rates={RATE}")
    outlet = graph.add("abuffersink")
    graph.link_nodes(inlet, gain, shape, outlet).configure()
    return graph, inlet, outlet


def _length(file: IO[bytes]) -> int:
    """Samples in the file: last granule position less pre-skip (RFC 7845, 4.1 and 5.1)."""
    head = file.read(_HEAD)
    at = head.find(b"OpusHead")
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    file.seek(0)
    last = tail.rfind(b"OggS")
    if not head.startswith(b"OggS") or at < 0 or at + 12 > len(head) or last + 14 > len(tail):
        raise CorruptAudioError("not a recording in the canonical format: no Ogg Opus header")
    channels, skip = head[at + 9], int.from_bytes(head[at + 10 : at + 12], "little")
    samples = int.from_bytes(tail[last + 6 : last + 14], "little") - skip
    if channels != 1 or samples < 0:
        raise CorruptAudioError(f"not a recording in the canonical format: {channels} channels, {samples} samples")
    return samples
