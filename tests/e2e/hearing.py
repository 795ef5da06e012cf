"""What left a sink, cut and given names: the ears of the end-to-end tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np

from audio import correlate
from controller.demo.check import MAX_HZ, MIN_CORRELATION
from tests.pulse import Recorder, Samples

AUDIBLE = 33
"""Amplitude of 16 bit above which something sounds: -60 dBFS."""
UNKNOWN = "?"
"""Name of what was heard and is none of our sounds."""

Row = dict[str, Any]
"""Something as the API tells it."""


@dataclass(frozen=True)
class Sound:
    """A recording as it was uploaded, and as the centre knows it."""

    row: Row
    samples: Samples

    @property
    def length(self) -> timedelta:
        """As the nodes were told."""
        return timedelta(milliseconds=self.row["length_ms"])


@dataclass(frozen=True)
class Part:
    """What left a sink from one frame to another."""

    recorder: Recorder
    start: int
    stop: int

    @cached_property
    def samples(self) -> Samples:
        """All of it."""
        return self.recorder.between(self.start, self.stop)

    def at(self, frame: int) -> float:
        """Give the instant of a frame of this part, in seconds since 1970."""
        return self.recorder.at(self.start + frame)

    @property
    def silent(self) -> bool:
        """Whether nothing could be heard."""
        return not bool(np.any(np.abs(self.samples.astype(np.int32)) > AUDIBLE))

    def last_audible_at(self) -> float | None:
        """Give the instant of the last frame that could be heard; None in silence."""
        loud = np.flatnonzero(np.abs(self.samples.astype(np.int32)) > AUDIBLE)
        return self.at(int(loud[-1])) if len(loud) else None


@dataclass(frozen=True)
class Heard:
    """A sound in what left a sink."""

    name: str
    at: float
    """Its first frame, in seconds since 1970."""
    whole: bool
    until: float
    """Behind its last frame."""


def named(sounds: Mapping[str, Sound], part: Part) -> list[Heard]:
    """Name what was heard, in order; the first of what is none of the sounds is ``UNKNOWN``."""
    if part.silent:
        return []
    rest, found = part.samples.copy(), []
    for name, sound in sounds.items():
        for match in correlate.compare(sound.samples, part.samples, max_hz=MAX_HZ).matches:
            start, stop = match.start, match.start + match.played_samples
            found.append(Heard(name, part.at(start), match.correlation >= MIN_CORRELATION, part.at(stop)))
            rest[max(0, start - correlate.GUARD) : stop + correlate.GUARD] = 0
    loud = np.flatnonzero(np.abs(rest.astype(np.int32)) > AUDIBLE)
    if len(loud):
        found.append(Heard(UNKNOWN, part.at(int(loud[0])), whole=False, until=part.at(int(loud[-1]))))
    return sorted(found, key=lambda heard: heard.at)
