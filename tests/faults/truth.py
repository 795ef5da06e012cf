"""What an output really gave away: which recording from which sample on, by its samples and nobody's word."""

import hashlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_agent.protocol.content import Voice
from tests.edge_agent.centre import pcm_of, voice_of
from tests.faults.history import Sounded

RATE = 48_000
HEAD = 240
"""Samples by which a recording is recognised: 5 ms of noise are like no other."""
WINDOW = 480
"""10 ms: a piece of sound counts as a recording's when nine tenths of its samples are equal."""
FADE = RATE * 310 // 1000
"""Longest fade of a cut, and some samples: what of it is quieter than the recording is still the recording."""
FADED_ALIKE = 0.6
"""Correlation with the recording of what fades; with any other it is below 0.1."""
HOLE = timedelta(seconds=5)
"""What goes on after a pause of at most so long, later in the same recording, is the same sound with a hole in it."""
SPECK = RATE * 20 // 1000
"""Samples that are no recording's and too few to be one's head in a fade."""

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Recording:
    """One recording of a pool."""

    name: str
    data: bytes
    voice: Voice
    samples: Samples

    @property
    def head(self) -> bytes:
        """Its first samples."""
        return self.samples[:HEAD].tobytes()


@dataclass
class Stretch:
    """Sound without a pause, and when its first sample left."""

    begun_at: datetime
    pcm: bytearray


@cache
def pool(count: int = 64) -> tuple[Recording, ...]:
    """Make recordings of 200 to 900 ms, each unlike all others; one program makes all."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"r{number:02}.opus" for number in range(count)]
        sources: list[str] = []
        outputs: list[str] = []
        for number, file in enumerate(files):
            length_s = 0.2 + 0.1 * (number % 8)
            noise = f"anoisesrc=color=pink:seed={number + 1}:amplitude=0.5:sample_rate=48000:duration={length_s}"
            sources += ["-f", "lavfi", "-i", noise]
            outputs += ["-map", str(number), "-ac", "1", "-c:a", "libopus", "-b:a", "32k", "-f", "ogg"]
            outputs += ["-fflags", "+bitexact", str(file)]
        subprocess.run(["ffmpeg", "-v", "error", *sources, *outputs], check=True)
        return tuple(recording(file.stem, file.read_bytes()) for file in files)


def recording(name: str, data: bytes) -> Recording:
    """Describe a canonical file."""
    voice = voice_of(data)
    assert voice.sha256 == hashlib.sha256(data).hexdigest()
    return Recording(name, data, voice, np.frombuffer(pcm_of(data), np.int16))


def sounded(node: str, stretches: Iterable[Stretch], known: Iterable[Recording]) -> list[Sounded]:
    """Name everything that an output gave away, in order; what is none of the recordings has no name."""
    recordings = list(known)
    found: list[Sounded] = []
    parts = [part for stretch in stretches for part in _in_stretch(node, stretch, recordings)]
    for one, goes_on in sorted(parts, key=lambda part: part[0].begun_at):
        before = next((index for index, known in enumerate(found) if _holds(known, one)), None) if goes_on else None
        if before is None:
            found.append(one)
        else:
            found[before] = replace(found[before], ended_at=one.ended_at)
    return found


def _holds(known: Sounded, part: Sounded) -> bool:
    """Say whether a part without its head belongs to what has begun before it."""
    return known.recording == part.recording and not known.whole and part.begun_at - known.ended_at < HOLE


def stretches_of(pcm: bytes, at: "Instants") -> Iterator[Stretch]:
    """Cut a long recording at its silences of 20 ms and more."""
    samples = np.frombuffer(pcm, np.int16)
    edges = np.flatnonzero(samples)
    if not len(edges):
        return
    gaps = np.flatnonzero(np.diff(edges) > SPECK)
    begins = [edges[0], *(edges[gap + 1] for gap in gaps)]
    ends = [*(edges[gap] + 1 for gap in gaps), edges[-1] + 1]
    for begin, end in zip(begins, ends, strict=True):
        first = max(0, int(begin) - HEAD)  # a recording may begin with a zero
        yield Stretch(at.at(first), bytearray(samples[first:end].tobytes()))


class Instants:
    """When each frame of a virtual output left: a mark here and there, and real time between them."""

    def __init__(self, marks: list[tuple[int, datetime]]) -> None:
        self._frames = [frame for frame, _ in marks]
        self._ats = [at for _, at in marks]

    def at(self, frame: int) -> datetime:
        """Give the instant of a frame."""
        index = max(0, int(np.searchsorted(self._frames, frame, side="right")) - 1)
        return self._ats[index] + timedelta(seconds=(frame - self._frames[index]) / RATE)


def _in_stretch(node: str, stretch: Stretch, recordings: list[Recording]) -> Iterator[tuple[Sounded, bool]]:
    """Give what is found, and whether it is a part that goes on without its head."""
    samples = np.frombuffer(bytes(stretch.pcm), np.int16)
    known = samples == 0
    for begin, one in _heads(bytes(stretch.pcm), recordings):
        piece = samples[begin : begin + len(one.samples)]
        equal = piece == one.samples[: len(piece)]
        end = _last_equal(equal)
        known[begin : begin + end] = True
        tail = slice(end, min(len(piece), end + FADE))
        known[begin + tail.start : begin + tail.stop] |= np.abs(piece[tail]) <= np.abs(one.samples[tail])
        whole = len(piece) == len(one.samples) and bool(equal.mean() >= 0.99)
        yield Sounded(node, one.voice.sha256, _at(stretch, begin), _at(stretch, begin + end), whole), False
    unknown = np.flatnonzero(~known)
    if len(unknown) > SPECK:
        first, last = int(unknown[0]), int(unknown[-1])
        piece = samples[first : last + 1]
        later = _later_part(piece, recordings)
        name = later or _faded(piece, recordings)
        yield Sounded(node, name, _at(stretch, first), _at(stretch, last), whole=False), later is not None


def _later_part(piece: Samples, recordings: list[Recording]) -> str | None:
    """Name what is a recording from somewhere in it on, sample by sample: an output that ran dry goes on so."""
    middle = len(piece) // 2
    probe = piece[middle : middle + HEAD].tobytes()
    for one in recordings:
        at = one.samples.tobytes().find(probe)
        if at < 0 or at % 2:
            continue
        begin = at // 2 - middle
        there = one.samples[max(0, begin) : begin + len(piece)]
        here = piece[max(0, -begin) :][: len(there)]
        if len(there) >= 0.9 * len(piece) and (there == here).mean() >= 0.9:
            return one.voice.sha256
    return None


def _faded(samples: Samples, recordings: list[Recording]) -> str | None:
    """Name what was turned down from its first sample on, and is short for it."""
    if len(samples) > FADE:
        return None
    for one in recordings:
        begin = int(np.flatnonzero(one.samples)[0])
        there, here = one.samples[begin : begin + len(samples)].astype(float), samples.astype(float)
        here = here[: len(there)]
        if np.dot(there, here) > FADED_ALIKE * np.linalg.norm(there) * np.linalg.norm(here):
            return one.voice.sha256
    return None


def _heads(pcm: bytes, recordings: list[Recording]) -> Iterator[tuple[int, Recording]]:
    for one in recordings:
        at = pcm.find(one.head)
        while at >= 0:
            if at % 2 == 0:
                yield at // 2, one
            at = pcm.find(one.head, at + 1)


def _last_equal(equal: npt.NDArray[np.bool_]) -> int:
    """Give the end of the last window that is nearly all equal."""
    windows = [equal[at : at + WINDOW].mean() >= 0.9 for at in range(0, len(equal), WINDOW)]
    last = max((index for index, fits in enumerate(windows) if fits), default=-1)
    return min(len(equal), max((last + 1) * WINDOW, HEAD))


def _at(stretch: Stretch, sample: int) -> datetime:
    return stretch.begun_at + timedelta(seconds=sample / RATE)
