"""Level over time of a stream of samples: peaks for the waveform, silence, clipping, and whether anything is audible.

Numpy arithmetic on 50 ms frames; keeps about 240 bytes per second of sound, whatever the sample rate of the source.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 48_000
FRAME = 2_400
"""Samples per frame: 50 ms, so one bin of the spectrum is 20 Hz."""
SLICES = 5
"""Waveform peaks per frame: one each 10 ms."""
BAND_HZ = (150, 8_000)
"""What a horn loudspeaker gives and people hear as sound."""
WAVEFORM_POINTS = 800
SILENCE_MIN_MS = 300
"""A shorter pause is speech."""
SILENCE_BELOW_LU, SILENCE_FLOOR_DBFS = 30.0, -75.0
"""Silence lies this far below the programme's loudness, and always below the floor."""
SIZE_SHIFT = 5
"""The histogram of sample sizes has bins of 32."""
FULL_SCALE = 32_700
CLIPPED_SHARE = 2e-4
"""Flat-topped samples per sample from which people hear it: about ten a second."""

_FRAME_MS = FRAME * 1000 // RATE
_WINDOW = np.hanning(FRAME).astype(np.float32)
_SCALE = 2.0 / (FRAME * float(np.sum(_WINDOW.astype(np.float64) ** 2)))
_BINS = slice(BAND_HZ[0] * FRAME // RATE, BAND_HZ[1] * FRAME // RATE + 1)


def decibels(power: float) -> float:
    """10 log10, with -inf for nothing."""
    return 10 * float(np.log10(power)) if power > 0 else -float("inf")


class Levels:
    """Feed it signed 16-bit little-endian mono samples at 48 kHz, in pieces of any size.

    ``outline`` leaves out all but length, peaks and waveform, for sound that was listened to before.
    """

    def __init__(self, *, outline: bool = False) -> None:
        self._outline = outline
        self._sizes = np.zeros((32_768 >> SIZE_SHIFT) + 1, np.int64)
        self._bytes = 0
        self._rest = b""
        self._peaks: list[npt.NDArray[np.uint16]] = []
        self._powers: list[npt.NDArray[np.float32]] = []
        self._flat = 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; half samples wait for their other half."""
        self._bytes += len(piece)
        data = self._rest + piece
        whole = len(data) - len(data) % (FRAME * 2)
        self._rest = data[whole:]
        if whole:
            self._take(np.frombuffer(data, "<i2", whole // 2))

    @property
    def samples(self) -> int:
        """Whole samples taken so far."""
        return self._bytes // 2

    def _take(self, samples: npt.NDArray[np.int16]) -> None:
        slices = samples.reshape(-1, FRAME // SLICES)
        highest, lowest = slices.max(axis=1).astype(np.int32), slices.min(axis=1).astype(np.int32)
        self._peaks.append(np.maximum(highest, -lowest).astype(np.uint16))
        if self._outline:
            return
        size = np.abs(samples.astype(np.int32))
        self._sizes += np.bincount(size >> SIZE_SHIFT, minlength=len(self._sizes))
        full = size >= FULL_SCALE
        if full.any():
            self._flat += int(np.count_nonzero(full[2:] & full[1:-1] & full[:-2]))
        frames = samples.reshape(-1, FRAME).astype(np.float32) / 32_768
        frames -= frames.mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(frames * _WINDOW, axis=1)[:, _BINS]
        power = (spectrum.real**2 + spectrum.imag**2).sum(axis=1) * _SCALE
        self._powers.append(power.astype(np.float32))

    def _finish(self) -> None:
        """The last frame is filled up with silence."""
        rest, self._rest = self._rest[: len(self._rest) // 2 * 2], b""
        if rest:
            self._take(np.frombuffer(rest.ljust(FRAME * 2, b"\0"), "<i2"))
        self._peaks = [np.concatenate(self._peaks)] if self._peaks else []
        self._powers = [np.concatenate(self._powers)] if self._powers else []

    @property
    def peak_dbfs(self) -> float:
        """Highest sample."""
        self._finish()
        return decibels((int(self._peaks[0].max()) / 32_768) ** 2) if self._peaks else -float("inf")

    @property
    def audible_dbfs(self) -> float:
        """Level within the band of the loudest second, or of the whole when it is shorter."""
        self._finish()
        if not self._powers:
            return -float("inf")
        powers = self._powers[0].astype(np.float64)
        span = min(1000 // _FRAME_MS, len(powers))
        sums = np.convolve(powers, np.ones(span) / span, mode="valid")
        return decibels(float(sums.max()))

    @property
    def clipped(self) -> bool:
        """Whether more than a few peaks are flat for three samples or longer."""
        return self._flat > CLIPPED_SHARE * max(self.samples, RATE)

    def clipping_loss_db(self, gain_db: float, ceiling_dbfs: float) -> float:
        """Power lost when all samples, raised by ``gain_db``, are cut off at the ceiling: 0 for nothing."""
        sizes = (np.arange(len(self._sizes)) + 0.5) * (1 << SIZE_SHIFT) / 32_768 * 10 ** (gain_db / 20)
        whole = float(self._sizes @ sizes**2)
        left = float(self._sizes @ np.minimum(sizes, 10 ** (ceiling_dbfs / 20)) ** 2)
        return decibels(whole / left) if left > 0 else 0.0

    def silences(self, loudness: float | None) -> tuple[tuple[int, int], ...]:
        """Spans in milliseconds in which nothing is heard beside a programme of this loudness (None: no programme)."""
        self._finish()
        if not self._powers:
            return ()
        floor = max(SILENCE_FLOOR_DBFS, (loudness if loudness is not None else 0.0) - SILENCE_BELOW_LU)
        quiet = np.concatenate(([False], self._powers[0] < 10 ** (floor / 10), [False])).astype(np.int8)
        turns = np.flatnonzero(np.diff(quiet))
        end_ms = -(-self.samples * 1000 // RATE)
        spans = ((int(a) * _FRAME_MS, min(int(b) * _FRAME_MS, end_ms)) for a, b in turns.reshape(-1, 2))
        return tuple((start, end) for start, end in spans if end - start >= SILENCE_MIN_MS)

    def waveform(self) -> tuple[int, ...]:
        """Peaks 0..255, one per 10 ms or at most 800 for the whole."""
        self._finish()
        if not self._peaks:
            return ()
        peaks = self._peaks[0][: -(-self.samples * SLICES // FRAME)]
        edges = np.unique(np.linspace(0, len(peaks), WAVEFORM_POINTS, endpoint=False).astype(np.int64))
        highest = np.maximum.reduceat(peaks, edges)
        return tuple(int(value) for value in np.minimum(highest // 128, 255))
