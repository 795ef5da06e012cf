"""Sound that repeats itself: how long one period is, and which of the places that are periods apart is the right one.

The inside of a pure tone fits anywhere; only its ends tell where it stands. Knows samples, nothing of judgement.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from audio._levels import RATE

Floats = npt.NDArray[np.float64]

LOOKED_AT = 8 * RATE
"""Samples in which a period is looked for: periods of up to half of it are found."""
_SAME = 0.98
"""Likeness to itself, one period later, from which a sound is periodic. Words and tunes stay below 0.9 over 8 s."""
_APART = 0.5
"""Neighbouring samples are always alike: the first period begins where likeness has once fallen below this."""
_AWAY = 33
"""Among so many, some number of periods is nearly a whole number of samples, so that the phase fits there, too."""


def period_of(part: Floats) -> float | None:
    """Give the length of a period in samples, to a fraction; None for sound that does not repeat itself strictly."""
    likeness = _likeness(part)
    fallen = np.flatnonzero(likeness < _APART)
    if len(fallen) == 0:
        return None
    again = fallen[0] + np.flatnonzero(likeness[fallen[0] :] >= _SAME)
    if len(again) == 0:
        return None
    rise = again[: int(np.argmax(np.diff(again, append=again[-1] + 2) > 1)) + 1]
    period, count = float(rise[np.argmax(likeness[rise])]), 2
    while (near := round(count * period)) + 1 < len(likeness):  # many periods tell more exactly how long one is
        period = (near - 1 + int(np.argmax(likeness[near - 1 : near + 2]))) / count
        count *= 2
    return period


def _likeness(part: Floats) -> Floats:
    """Normalised correlation of a sound with itself, by lag in samples, up to half its length."""
    size, lags = 1 << (2 * len(part) - 1).bit_length(), len(part) // 2
    dots = np.fft.irfft(np.abs(np.fft.rfft(part, size)) ** 2, size)[:lags]
    sums = np.concatenate(([0.0], np.cumsum(np.square(part))))
    heads, tails = sums[len(part) - np.arange(lags)], sums[-1] - sums[np.arange(lags)]
    return np.asarray(dots / np.sqrt(np.maximum(heads * tails, 1e-9)))


def best_of_periods(
    start: int, period: float, length: int, *, fit: Callable[[int], float], lock: Callable[[int], int], reach: int
) -> int:
    """Climb from period to period to where the whole sound, ``length`` samples long, fits best.

    ``fit`` says how well the whole fits at a place, ``lock`` gives the place of best phase within ``reach`` of another.
    Beside sound in silence the fit falls evenly with the distance, so that halved steps find its top.
    """
    best, step = fit(start), max(1, round(length / 2 / period))
    while step:
        around = [lock(start + round(sign * step * period)) for sign in (-1, 1)]
        score, place = max((fit(place), place) for place in around)
        if score > best:
            best, start = score, place
        else:
            step //= 2
    return max(range(start - reach, start + reach + 1), key=fit)  # ``lock`` does not tell shorter periods apart


def is_told(start: int, period: float, length: int, fit: Callable[[int], float]) -> bool:
    """Say whether the ends of the sound tell its place; not when it fits as well some periods away."""
    away = min(range(1, _AWAY), key=lambda count: abs(count * period - round(count * period)))
    loss = fit(start) * away * period / length  # beside silence
    return all(fit(start) - fit(start + sign * round(away * period)) > loss / 2 for sign in (-1, 1))
