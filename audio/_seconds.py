"""What was sent and what was captured, second by second, as spectra at 8 kHz. Knows sound, no judgement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from audio._levels import RATE
from audio.correlate import Samples

Floats = npt.NDArray[np.float64]
Spectra = npt.NDArray[np.complex128]

LOW_RATE = 8_000
"""Horns give little above 4 kHz, and six times less has to be reckoned."""
BAND_HZ = (200, 3_800)
"""What a horn loudspeaker gives and a small microphone takes."""
WINDOW, HOP = LOW_RATE, LOW_RATE // 2
"""Seconds on their own: a clock that is off by 200 ppm turns by 0.2 ms in one of them."""
QUIET = 1e-3
"""Seconds of what was sent that lie 30 dB below its loudest are pauses."""
_DOWN = RATE // LOW_RATE
_STEP = 4_096
"""Sizes of the transform are multiples of this: quick ones."""


def narrowed(signal: Samples) -> Floats:
    """The signal at 8 kHz, full scale 1."""
    whole = len(signal) // _DOWN * _DOWN
    spectrum = np.fft.rfft(signal[:whole].astype(np.float64) / 32_768)
    small = whole // _DOWN
    return np.fft.irfft(spectrum[: small // 2 + 1] / _DOWN, small) if small else np.zeros(0)


def power(signal: Floats) -> float:
    """Mean square; 0 for nothing."""
    return float(np.mean(np.square(signal))) if len(signal) else 0.0


@dataclass(frozen=True, slots=True)
class Seconds:
    """Spectra of the loud seconds of what was sent, and of all that may be their echo."""

    sent: Spectra
    captured: Spectra
    """Each a second longer by all delays that may be."""
    lags: int
    size: int

    @classmethod
    def of(cls, sent: Floats, captured: Floats) -> Self:
        """Take them apart; the capture is longer by the delays that may be."""
        lags = max(1, len(captured) - len(sent) + 1)
        starts = range(0, len(sent) - WINDOW + 1, HOP)
        powers = [power(sent[at : at + WINDOW]) for at in starts]
        loud = [at for at, found in zip(starts, powers, strict=True) if found > QUIET * max(powers)]
        size = -(-(WINDOW + lags) // _STEP) * _STEP
        shape = np.hanning(WINDOW)
        band = in_band(size)
        first = np.array([np.fft.rfft(sent[at : at + WINDOW] * shape, size) * band for at in loud])
        second = np.array([np.fft.rfft(captured[at : at + WINDOW + lags - 1], size) * band for at in loud])
        return cls(first, second, lags, size)

    def __len__(self) -> int:
        """How many."""
        return len(self.sent)

    def responses(self, spectra: Spectra) -> Floats:
        """By delay, what products of spectra are in time."""
        return np.fft.irfft(spectra, self.size, axis=1)[:, : self.lags]


def in_band(size: int, low_hz: float = BAND_HZ[0], high_hz: float = BAND_HZ[1]) -> npt.NDArray[np.bool_]:
    """Which bins of a transform of this size lie in a band."""
    hertz = np.fft.rfftfreq(size, 1 / LOW_RATE)
    return np.asarray((hertz >= low_hz) & (hertz < high_hz))
