"""Is what was sent inside what was captured? For a microphone in a street, a line sensor, a loopback.

A horn's sound comes late, coloured, echoed, noisy, clipped and on another clock, so waveforms are not laid over each
other (``audio.correlate`` does that, where nothing stands between). Both are whitened and correlated second by second;
what tells is whether the seconds agree about the delay, and agree better than they do in another order: tunes of the
same notes are like each other at many delays. Bounded: some seconds at a time. Knows no grades and no plays.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from audio._levels import decibels
from audio._seconds import HOP, LOW_RATE, Floats, Seconds, Spectra, narrowed, power
from audio.correlate import Samples

SPREAD = LOW_RATE * 16 // 1000
"""Echoes that come within 16 ms count with what they echo, and so does a clock that walks."""
AROUND = LOW_RATE * 60 // 1000
"""Delays this near to the best one are no measure of chance: echoes."""
LEAST_SECONDS = 2
SILENT_DBFS = -65.0
"""Sent below this, nothing can be expected to be heard."""
DEAD_DBFS = -90.0
"""Captured below this, nothing is connected: any microphone rustles more."""
CLEAR, ORDERED = 4.0, 2.4
"""Clarity, and clarity against another order, from which it is heard. See docs/benchmarks.md for what they miss."""
UNCLEAR = 2.5
"""Clarity below which it is not: between them nothing is said."""
FEW, VARIED = 7, 4.0
"""Of fewer seconds than this a tune cannot be told from another one of the same notes: what is as clear against itself
backwards is not judged."""
_SOFT = 0.1
"""Bins in which the sent sound has less than this part of its mean power count less."""
_TINY = 1e-12


class Verdict(StrEnum):
    """Whether it was heard."""

    HEARD = "heard"
    NOT_HEARD = "not_heard"
    UNSURE = "unsure"
    """Too quiet, too short or too even to tell, or nearly drowned."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was found in one piece."""

    verdict: Verdict
    clarity: float = 0.0
    """How far the best delay stands out of all others: 1 is chance, a clean line gives above 50."""
    order: float = 0.0
    """The same against that of the seconds in another order: 1 is chance."""
    score: float = 0.0
    """Likeness at that delay, whitened: above 0.6 for a clean line, 0.1 for chance."""
    delay_ms: float = 0.0
    """From the first sample of the capture to that of what was sent; means nothing when it was not heard."""
    captured_dbfs: float = -float("inf")
    """Level of the capture; -inf for digital silence."""


def listen(sent: Samples, captured: Samples) -> Hearing:
    """Look for ``sent`` in ``captured``, both mono at 48 kHz, two seconds or more.

    The capture is longer by the delays that may be: what was sent may begin at any sample of it from which all fits.
    """
    x, y = narrowed(sent), narrowed(captured)
    level = decibels(power(y))
    if len(y) - len(x) < 2 * (AROUND + SPREAD) or decibels(power(x)) < SILENT_DBFS:
        return Hearing(Verdict.UNSURE, captured_dbfs=level)
    seconds = Seconds.of(x, y)
    if len(seconds) < LEAST_SECONDS or (len(seconds) < FEW and not _is_varied(x, len(y))):
        return Hearing(Verdict.UNSURE, captured_dbfs=level)
    if level < DEAD_DBFS:
        return Hearing(Verdict.NOT_HEARD if is_telling(x, len(y)) else Verdict.UNSURE, captured_dbfs=level)
    clarity, order, score, at = _agreement(seconds)
    verdict = _verdict(clarity, order)
    if verdict is Verdict.NOT_HEARD and not is_telling(x, len(y)):
        verdict = Verdict.UNSURE
    return Hearing(verdict, clarity, order, score, at * 1000 / LOW_RATE, level)


def is_telling(sent: Floats, room: int) -> bool:
    """Whether the sound, at 8 kHz, would be found in itself: a steady tone fits everywhere."""
    clarity, order, _, _ = _agreement(_with_itself(sent, room))
    return _verdict(clarity, order) is Verdict.HEARD


def _is_varied(sent: Floats, room: int) -> bool:
    """Whether it is unlike itself backwards, as talk is and a few plucked notes are not."""
    seconds = _with_itself(sent, room)
    return _clearest(seconds, np.conj(_weighted(seconds.sent)), _whitened(seconds.captured))[0] < VARIED


def _with_itself(sent: Floats, room: int) -> Seconds:
    before = (room - len(sent)) // 2
    return Seconds.of(sent, np.pad(sent, (before, room - len(sent) - before)))


def _verdict(clarity: float, order: float) -> Verdict:
    if clarity >= CLEAR and order >= ORDERED:
        return Verdict.HEARD
    return Verdict.NOT_HEARD if clarity < UNCLEAR else Verdict.UNSURE


def _agreement(seconds: Seconds) -> tuple[float, float, float, int]:
    """Clarity, clarity against another order, likeness, and the delay in samples at 8 kHz."""
    sent, captured = _weighted(seconds.sent), _whitened(seconds.captured)
    clarity, score, at = _clearest(seconds, sent, captured)
    chance = max(_clearest(seconds, other, captured)[0] for other in _otherwise(sent, seconds.lags))
    return clarity, clarity / chance, score, at


def _otherwise(sent: Spectra, lags: int) -> list[Spectra]:
    """The same seconds in another order, so far apart that none finds itself at another delay; or each backwards."""
    count, far = len(sent), -(-lags // HOP)
    if count < max(FEW, 2 * far):
        return [np.conj(sent)]
    return [np.roll(sent, turn, axis=0) for turn in {max(far, count // 3), min(count - far, 2 * count // 3)}]


def _whitened(captured: Spectra) -> Spectra:
    return np.asarray(captured / (np.abs(captured) + _TINY))


def _weighted(sent: Spectra) -> Spectra:
    """Whitened where there is sound, so that a perfect likeness sums up to 1."""
    size = np.abs(sent)
    powers = size**2
    weight = powers / (powers + _SOFT * powers.mean(axis=1, keepdims=True) + _TINY)
    total = weight.sum(axis=1, keepdims=True) + _TINY
    return np.asarray(weight * np.conj(sent) / (size + _TINY) / total)


def _clearest(seconds: Seconds, sent: Spectra, captured: Spectra) -> tuple[float, float, int]:
    """How the seconds agree: their geometric mean forgives none, and is not ruled by one."""
    energy = np.square(seconds.responses(sent * captured) * (seconds.size / 2))
    sums = np.cumsum(np.pad(energy, ((0, 0), (1, 0))), axis=1)
    near = sums[:, SPREAD:] - sums[:, :-SPREAD]
    agreed = np.exp(np.mean(np.log(near + _TINY), axis=0))
    best = int(np.argmax(agreed))
    others = np.concatenate((agreed[: max(0, best - AROUND)], agreed[best + AROUND :]))
    begins = best + int(np.argmax(energy.mean(axis=0)[best : best + SPREAD]))
    return float(agreed[best] / np.median(others)), float(np.sqrt(agreed[best])), begins
