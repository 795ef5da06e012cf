"""Was this what sounded? Compares a recording taken at an output with the audio that should have been played.

Finds every place where the reference occurs, to the sample; says how alike they are, piece by piece, how far it was
played, and how loud the rest of the recording is. Signals may be ten minutes and more: they stay 16 bits wide in
memory and are widened in pieces. One constant offset per occurrence is assumed: both sides run on one clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from audio import _periods, _tools
from audio._levels import RATE, decibels
from audio.errors import LimitReachedError, Rejected, ToolFailedError
from audio.measure import decoding, mixdown
from audio.probe import probe

Samples = npt.NDArray[np.int16]
"""Mono at 48 kHz."""
Floats = npt.NDArray[np.float64]

PIECE = RATE // 2
"""Samples judged on their own: 0.5 s."""
STEP = RATE // 100
"""Precision of the played length: 10 ms."""
TAIL = RATE // 20
"""A missing end of up to 50 ms is a fade that the codec changed, not a cut."""
ALIKE = 0.5
"""Below this a piece is not the same sound."""
SILENT_POWER = (32_768 * 10 ** (-70 / 20)) ** 2
"""Mean square under which a piece of the reference is silence and proves nothing: -70 dBFS."""
QUIET_SHARE = 1e-4
"""Pieces 40 dB below the loudest are pauses: what a codec makes of a pause proves nothing."""
GUARD = RATE // 20
"""Samples around an occurrence that belong to neither side: 50 ms of resampler and room."""
_DOWN = 6
"""The search runs at 8 kHz: six times fewer samples, and speech lives below 4 kHz."""
_ANCHOR = RATE // _DOWN
_ANCHORS = 4
_FOUND, _CANDIDATES = 0.3, 24
_FFT = 1 << 17
_REACH = 3 * _DOWN
"""Samples around a place found at 8 kHz among which the exact one is looked for."""
_LAID = RATE // 10
"""Where less of the sound lies over the recording, nothing is refined: 0.1 s."""
_FIT = 10 * RATE
"""Samples widened at once where only one sum is wanted."""


@dataclass(frozen=True, slots=True)
class Match:
    """One occurrence of the reference in the recording."""

    start: int
    """Sample of the recording at which the reference's first sample lies; negative when its head was not recorded."""
    correlation: float
    """Normalised, over the whole reference, -1..1; what was not played counts as missing."""
    played_correlation: float
    """The same over the played part only."""
    worst: float
    """Lowest of the 0.5 s pieces of the played part; silent pieces are left out."""
    played_samples: int
    """From the first sample of the reference to the last that was heard; its silent end counts as heard."""
    gain_db: float
    """Level of the recording against the reference."""
    ambiguous: bool = False
    """The sound repeats itself and fits as well some periods earlier or later: ``start`` is one of several."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All occurrences in order of time, and what else is in the recording."""

    matches: tuple[Match, ...]
    residual_dbfs: float
    """Level of everything outside the occurrences; -inf for digital silence or when there is nothing outside."""
    residual_peak_dbfs: float
    """Level of the loudest 50 ms outside."""

    @property
    def correlation(self) -> float:
        """Of the best occurrence; 0 when there is none."""
        return max((match.correlation for match in self.matches), default=0.0)


async def load(path: Path, *, max_length_s: int = 7200) -> Samples:
    """Decode any accepted file to memory, 5.8 MB a minute, in the sandbox.

    Raises:
        Rejected: not audio, or longer than ``max_length_s``.
    """
    with path.open("rb", buffering=0) as file:
        source = await probe(file, max_channels=8)
        file.seek(source.start)
        pcm = bytearray()
        reading = decoding(source.container, seekable=source.seekable)
        args = [
            *reading,
            "-map",
            "0:a:0",
            "-vn",
            "-af",
            f"{mixdown(source.channels)},aformat=sample_fmts=s16",
            "-f",
            "s16le",
            "pipe:1",
        ]
        limits = _tools.with_file_room(_tools.Limits(output_bytes=max_length_s * RATE * 2), source.size)
        try:
            finished = await _tools.run("ffmpeg", args, limits=limits, source=file, sink=pcm.extend)
        except LimitReachedError as error:
            raise Rejected(error.reason, str(error)) from error
    if finished.exit_code != 0:
        raise ToolFailedError("ffmpeg", finished.exit_code, finished.last_words)
    return samples(bytes(pcm))


def samples(pcm: bytes) -> Samples:
    """Samples from signed 16-bit little-endian mono."""
    return np.frombuffer(pcm, "<i2", len(pcm) // 2)


def compare(reference: Samples, recording: Samples, *, max_hz: int | None = None) -> Comparison:
    """Look for ``reference`` in ``recording``, both mono at 48 kHz.

    ``max_hz`` leaves out what lies above, in both: a codec keeps the waveform of low tones and only the colour of
    high ones, so 4000 is right for recordings with much noise in them (cymbals, applause). None compares all.
    """
    length = min(len(reference), _periods.LOOKED_AT)
    period = _periods.period_of(_cut(reference, _loudest(reference, reference, 0, length), length))
    found = _search(reference, recording, period, max_hz)
    new = found if period is not None else []
    while new:  # everywhere alike, one occurrence hides another one
        recording_left = _blanked(recording, _without_overlap(found))
        new = [one for one in _search(reference, recording_left, period, max_hz) if all(_apart(one, o) for o in found)]
        found += new
    chosen = _without_overlap(found)
    return Comparison(chosen, *_residual(recording, chosen))


def _search(reference: Samples, recording: Samples, period: float | None, max_hz: int | None) -> list[Match]:
    found: list[Match] = []
    for near in _candidates(reference, recording):
        if any(match.start - PIECE < near < match.start + match.played_samples - PIECE for match in found):
            continue  # this stretch is explained already
        if period is not None and any(abs(match.start - near) < len(reference) for match in found):
            continue  # it would climb to the same place
        start, told = _place(reference, recording, near, period)
        match = _judge(_Overlay(reference, recording, start, max_hz))
        if match is not None and match.played_correlation >= ALIKE:
            found.append(replace(match, ambiguous=not told))
    return found


def _place(reference: Samples, recording: Samples, near: int, period: float | None) -> tuple[int, bool]:
    """The exact sample near a place found at 8 kHz, and whether it is the only one that fits."""
    start = _refine(reference, recording, near)
    if period is None:
        return start, True
    length = len(reference)

    def fit(at: int) -> float:
        pieces = range(0, length, _FIT)
        return sum(_dot(_cut(reference, low, _FIT), _cut(recording, at + low, _FIT)) for low in pieces)

    def lock(at: int) -> int:
        return _refine(reference, recording, at) if -length < at - _LAID < len(recording) - 2 * _LAID else at

    best = _periods.best_of_periods(start, period, length, fit=fit, lock=lock, reach=_REACH)
    return best, _periods.is_told(best, period, length, fit)


def _blanked(recording: Samples, matches: Sequence[Match]) -> Samples:
    """The recording without what is explained."""
    left = recording.copy()
    for match in matches:
        left[max(0, match.start - GUARD) : max(0, match.start + match.played_samples + GUARD)] = 0
    return left


def _decimated(signal: Samples) -> npt.NDArray[np.float32]:
    """Means of six samples: good enough to find a place, not to judge it."""
    whole = len(signal) // _DOWN * _DOWN
    means: npt.NDArray[np.float32] = signal[:whole].reshape(-1, _DOWN).mean(axis=1, dtype=np.float32)
    return means


def _anchors(small: npt.NDArray[np.float32]) -> list[int]:
    """Places of loud seconds spread over the reference: a play that was cut short has at least the first."""
    length = min(_ANCHOR, len(small))
    hop = max(1, length // 2)
    starts = np.arange(0, len(small) - length + 1, hop)
    powers = np.array([np.mean(np.square(small[s : s + length], dtype=np.float64)) for s in starts])
    loud = starts[powers >= max(SILENT_POWER, 0.1 * float(powers.max(initial=0)))]
    picks = np.linspace(0, len(loud) - 1, min(_ANCHORS, len(loud))).astype(int)
    return [int(loud[pick]) for pick in np.unique(picks)]


def _candidates(reference: Samples, recording: Samples) -> list[int]:
    """Starts worth a closer look, likeliest first."""
    small, field = _decimated(reference), _decimated(recording)
    length = min(_ANCHOR, len(small))
    anchors = _anchors(small) if length else []
    field = np.concatenate((np.zeros(length, np.float32), field, np.zeros(length, np.float32)))
    votes: dict[int, float] = {}
    for anchor in anchors:
        scores = _scores(small[anchor : anchor + length], field)
        for at in _peaks(scores, RATE // _DOWN // 8):
            start = at - length - anchor
            near = next((known for known in votes if abs(known - start) <= 1), start)
            votes[near] = votes.get(near, 0.0) + float(scores[at])
    likely = sorted(votes, key=lambda start: -votes[start])[:_CANDIDATES]
    return [start * _DOWN for start in likely]


def _scores(needle: npt.NDArray[np.float32], field: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Normalised correlation of ``needle`` at every place of ``field`` (overlap-save)."""
    needle = needle - needle.mean()
    spectrum = np.conj(np.fft.rfft(needle, _FFT))
    norm = float(np.sqrt(np.sum(np.square(needle, dtype=np.float64))))
    count, hop = len(field) - len(needle) + 1, _FFT - len(needle) + 1
    scores = np.zeros(max(0, count), np.float32)
    floor = np.sqrt(SILENT_POWER * len(needle)) / 10
    for at in range(0, count, hop):
        block = field[at : at + _FFT]
        dots = np.fft.irfft(np.fft.rfft(block, _FFT) * spectrum, _FFT)[: min(hop, count - at)]
        sums = np.concatenate(([0.0], np.cumsum(np.square(block, dtype=np.float64))))
        energy = np.sqrt(np.maximum(sums[len(needle) :][: len(dots)] - sums[: len(dots)], 0))
        scores[at : at + len(dots)] = dots / np.maximum(norm * energy, norm * floor + 1e-9)
    return scores


def _peaks(scores: npt.NDArray[np.float32], apart: int) -> list[int]:
    """Places of the highest scores, at least ``apart`` from each other."""
    likely = np.flatnonzero(scores > _FOUND)
    order = likely[np.argsort(-scores[likely], kind="stable")]
    taken: list[int] = []
    for at in order[: 50 * _CANDIDATES]:
        if len(taken) < _CANDIDATES and all(abs(int(at) - other) >= apart for other in taken):
            taken.append(int(at))
    return taken


def _refine(reference: Samples, recording: Samples, start: int) -> int:
    """The exact sample near a place found at 8 kHz."""
    reach, length = _REACH, 2 * RATE
    at = _loudest(reference, recording, start, length)
    needle = reference[at : at + length].astype(np.float64)
    field = _cut(recording, start + at - reach, len(needle) + 2 * reach)
    dots = (
        np.correlate(field, needle, mode="valid") if len(needle) < RATE // 10 else _few_lags(field, needle, 2 * reach)
    )
    return start - reach + int(np.argmax(dots))


def _few_lags(field: Floats, needle: Floats, lags: int) -> Floats:
    """Correlation at a few lags, each normalised by what it covers."""
    scores = np.empty(lags + 1)
    for lag in range(lags + 1):
        part = field[lag : lag + len(needle)]
        scores[lag] = _dot(part, needle) / np.sqrt(max(_dot(part, part), 1.0))
    return scores


def _loudest(reference: Samples, recording: Samples, start: int, length: int) -> int:
    """Where in the reference the common part has most sound."""
    first, last = max(0, -start), min(len(reference), len(recording) - start) - length
    starts = range(first, max(first, last) + 1, max(length, (last - first) // 64 + 1))
    powers = [float(np.sum(np.square(_cut(recording, start + s, length)))) for s in starts]
    return starts[int(np.argmax(powers))]


def _cut(signal: Samples, start: int, length: int) -> Floats:
    """A part of the signal, with silence where it reaches over an end."""
    part = np.zeros(length)
    low, high = max(0, start), min(len(signal), start + length)
    if low < high:
        part[low - start : high - start] = signal[low:high]
    return part


def _dot(a: Floats, b: Floats) -> float:
    """Not ``a @ b``: the library behind that starts threads, and waiting for them costs 100 times the sum."""
    return float(np.einsum("i,i->", a, b))


def _products(a: Floats, b: Floats, max_hz: int | None) -> tuple[float, float, float]:
    """a·b, a·a and b·b, of the part of the spectrum below ``max_hz``; DC is left out."""
    if max_hz is None:
        a, b = a - a.mean(), b - b.mean()
        return _dot(a, b), _dot(a, a), _dot(b, b)
    bins = slice(1, max(2, max_hz * len(a) // RATE + 1))
    x, y = np.fft.rfft(a)[bins], np.fft.rfft(b)[bins]
    scale = 2 / len(a)
    return tuple(float(np.sum((p * np.conj(q)).real)) * scale for p, q in ((x, y), (x, x), (y, y)))  # type: ignore[return-value]  # three by construction


def _normal(dot: float, first: float, second: float) -> float:
    """Normalised correlation; silence is like nothing."""
    return float(dot / np.sqrt(first * second)) if first > 0 and second > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Overlay:
    """The recording laid over the reference at one place."""

    reference: Samples
    recording: Samples
    start: int
    max_hz: int | None

    def piece(self, low: int, high: int) -> tuple[float, float, float]:
        """Products of the samples from ``low`` to ``high`` of the reference."""
        length = min(high, len(self.reference)) - low
        return _products(_cut(self.reference, low, length), _cut(self.recording, self.start + low, length), self.max_hz)


def _judge(laid: _Overlay) -> Match | None:
    """Compare piece by piece; None when no piece is alike."""
    length = len(laid.reference)
    bounds = [0, *range(PIECE, length - PIECE // 2, PIECE), length]
    rows = [laid.piece(low, high) for low, high in pairwise(bounds)]
    table = np.array(rows)
    alike = np.array([_normal(*row) for row in rows])
    power = max(SILENT_POWER, QUIET_SHARE * float(table[:, 1].max()) / PIECE)
    sounding = table[:, 1] > power * PIECE
    heard = np.flatnonzero(sounding & (alike >= ALIKE))
    if len(heard) == 0:
        return None
    first, last = int(heard[0]), int(heard[-1])
    part = table[first : last + 1].sum(axis=0)
    return Match(
        start=laid.start,
        correlation=_normal(*table.sum(axis=0)),
        played_correlation=_normal(*part),
        worst=_worst(alike[first : last + 1], sounding[first : last + 1], cut=last < np.flatnonzero(sounding)[-1]),
        played_samples=_played(laid, (bounds[last], bounds[min(last + 2, len(rows))]), power),
        gain_db=10 * float(np.log10(max(part[2], 1e-9) / part[1])),
    )


def _worst(alike: Floats, sounding: npt.NDArray[np.bool_], *, cut: bool) -> float:
    """The least alike piece; the one in which a play was cut off is not held against it."""
    inner = alike[:-1] if cut and len(alike) > 1 else alike
    marks = sounding[: len(inner)]
    return float(inner[marks].min()) if marks.any() else float(alike.min())


def _played(laid: _Overlay, span: tuple[int, int], power: float) -> int:
    """End of what was heard, looked for in ``span`` to 10 ms; the whole length when no more than a tail is missing.

    Steps below ``power`` are pauses; they count with what stands before them.
    """
    end, missed = span[0], 0
    for at in range(span[0], len(laid.reference), STEP):
        dot, first, second = laid.piece(at, at + STEP)
        if first <= power * STEP:
            continue
        if at < span[1] and _normal(dot, first, second) >= ALIKE:
            end, missed = min(at + STEP, len(laid.reference)), 0
        else:
            missed += STEP
        if missed > TAIL:
            return end
    return len(laid.reference)


def _without_overlap(found: list[Match]) -> tuple[Match, ...]:
    """The best matches that do not claim the same sound."""
    chosen: list[Match] = []
    for match in sorted(found, key=lambda m: -m.played_correlation * m.played_samples):
        if all(_apart(match, other) for other in chosen):
            chosen.append(match)
    return tuple(sorted(chosen, key=lambda match: match.start))


def _apart(one: Match, other: Match) -> bool:
    return one.start + one.played_samples <= other.start or other.start + other.played_samples <= one.start


def _residual(recording: Samples, matches: tuple[Match, ...]) -> tuple[float, float]:
    """Level of what no match covers: over all of it, and of its loudest 50 ms."""
    energy, count, loudest = 0.0, 0, 0.0
    at = 0
    spans = [(m.start - GUARD, m.start + m.played_samples + GUARD) for m in matches]
    for low, high in [*spans, (len(recording), len(recording))]:
        for begin in range(at, min(low, len(recording)), GUARD):
            part = recording[begin : min(begin + GUARD, low)].astype(np.float64)
            power = _dot(part, part)
            energy, count, loudest = energy + power, count + len(part), max(loudest, power / len(part))
        at = max(at, high)
    full = 32_768.0**2
    return decibels(energy / count / full if count else 0.0), decibels(loudest / full)
