"""What a place does to sound, taken at installation and compared later: is each horn still there?

Only sound that goes with what was sent counts, so noise and a quieter street change nothing; how loud it was sent
does not either. A horn that is gone takes its share of the level, its colour and its place in time with it. Several
pieces of one session together tell more than one: a single tune has too few tones. Knows no storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from audio._levels import decibels
from audio._seconds import LOW_RATE, Floats, Seconds, Spectra, in_band, narrowed
from audio.correlate import Samples

BANDS_HZ = (400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150)
"""Middles of third-octaves (IEC 61260)."""
_SIXTH = 2 ** (1 / 6)
BEFORE, AFTER = LOW_RATE * 8 // 1000, LOW_RATE * 40 // 1000
"""Around the delay that was found: 8 ms before and 40 ms behind, what a pole's horns and the nearest walls give."""
PLACE = LOW_RATE // 2000
"""Arrivals are told apart to 0.5 ms."""
PLACES = (BEFORE + AFTER) // PLACE
FAR = LOW_RATE * 300 // 1000
"""Delays this far from the best one hold chance and nothing else."""
SHIFT = 4
"""Places by which a profile may have moved as a whole: clocks and temperature."""
TOLD = 1.0
"""Energy beside chance from which a band is told at all."""
_SOFT = 0.03
CHANGED = 2.2
"""Distance from which the place has changed. Of made-up poles with two horns of about the same strength 97 % were found
with one dead, and 2–3 % falsely, with 20 s of sound; see docs/benchmarks.md."""
COLOUR_SHARE, MOVED_SHARE = 0.3, 10.0
"""How much a dB of colour and a whole profile count beside a dB of level: what parted those poles best."""
WEAKER_DB, LOUDER_DB = -1.0, 3.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came of what was sent. Powers, as sums over the seconds, so that pieces add up."""

    sent: tuple[float, ...]
    """Of each band and, last, of all."""
    heard: tuple[float, ...]
    """The same of what came, chance taken off; it may fall below 0 where nothing came."""
    chance: tuple[float, ...]
    arrivals: tuple[float, ...]
    """When it came, in places of 0.5 ms; its sum is about the last of ``heard``."""

    def __add__(self, other: Transfer) -> Transfer:
        """Two pieces together."""
        sums = (
            tuple(float(a + b) for a, b in zip(mine, its, strict=True))
            for mine, its in (
                (self.sent, other.sent),
                (self.heard, other.heard),
                (self.chance, other.chance),
                (self.arrivals, other.arrivals),
            )
        )
        return Transfer(*sums)

    @property
    def level_db(self) -> float:
        """How loud it came, against how it was sent."""
        return decibels(max(0.0, self.heard[-1]) / self.sent[-1]) if self.sent[-1] > 0 else -float("inf")


class Change(StrEnum):
    """What has become of a place."""

    SAME = "same"
    WEAKER = "weaker"
    """A horn is dead, turned away, or the amplifier was turned down."""
    DIFFERENT = "different"
    """As loud, but not the same: another horn is missing or moved, or the microphone was moved."""
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A session against the reference."""

    change: Change
    level_db: float
    """Now less then."""
    colour_db: float
    """How unevenly the bands have changed."""
    moved: float
    """How unlike the arrivals are, 0..1."""
    distance: float
    """All of it together; a louder place is no farther for it."""


def measure(sent: Samples, captured: Samples, delay_ms: float) -> Transfer:
    """What came of one piece, where ``audio.hearing`` has found it."""
    seconds = Seconds.of(narrowed(sent), narrowed(captured))
    at = round(delay_ms * LOW_RATE / 1000)
    powers = np.abs(seconds.sent) ** 2
    soft = powers + _SOFT * powers.mean(axis=1, keepdims=True) + 1e-20
    way, own = np.conj(seconds.sent) * seconds.captured / soft, powers / soft
    masks = [in_band(seconds.size, middle / _SIXTH, middle * _SIXTH) for middle in BANDS_HZ]
    rows = [_energy(seconds, way * mask, own * mask, at) for mask in (*masks, in_band(seconds.size))]
    arrivals = rows[-1][2]
    return Transfer(
        sent=tuple(row[0] for row in rows),
        heard=tuple(float(row[2].sum()) for row in rows),
        chance=tuple(row[1] for row in rows),
        arrivals=tuple(float(value) for value in arrivals),
    )


def _energy(seconds: Seconds, way: Spectra, own: Floats, at: int) -> tuple[float, float, Floats]:
    """Energy of what was sent, of chance, and of what came by its place in time, chance taken off.

    A tune is like itself at far delays too. That is no chance, so the same is taken off on both sides.
    """
    came = np.square(seconds.responses(way)).sum(axis=0)
    whole = np.square(np.fft.irfft(own, seconds.size, axis=1)).sum(axis=0)
    itself = np.roll(whole, at)[: seconds.lags]
    far = np.ones(seconds.lags, np.bool_)
    far[max(0, at - FAR // 3) : at + FAR] = False
    floor, its_floor = (float(one[far].mean()) if far.any() else 0.0 for one in (came, itself))
    span = BEFORE + AFTER
    sent = float(whole[:AFTER].sum() + whole[-BEFORE:].sum()) - its_floor * span
    part = np.pad(came, (BEFORE, span))[at : at + span]
    places = part.reshape(PLACES, PLACE).sum(axis=1) - floor * PLACE
    return sent, floor * span, places


def compare(reference: Transfer, now: Transfer) -> Comparison:
    """Say what has changed."""
    level = now.level_db - reference.level_db
    told = [
        index
        for index in range(len(BANDS_HZ))
        if reference.heard[index] > TOLD * reference.chance[index] and reference.sent[index] > 0 and now.sent[index] > 0
    ]
    ratios = [_ratio(now, index) - _ratio(reference, index) for index in told]
    colour = float(np.std(ratios)) if ratios else 0.0
    moved = _moved(np.array(reference.arrivals), np.array(now.arrivals))
    distance = max(0.0, -level) + COLOUR_SHARE * colour + MOVED_SHARE * moved
    change = Change.SAME
    if distance >= CHANGED or level >= LOUDER_DB:
        change = Change.WEAKER if level <= WEAKER_DB else Change.DIFFERENT
    return Comparison(change, level, colour, moved, distance)


def _ratio(transfer: Transfer, band: int) -> float:
    """Level of a band, not below where chance begins."""
    least = 0.1 * transfer.chance[band] + 1e-12 * transfer.sent[band]
    return decibels(max(transfer.heard[band], least) / transfer.sent[band])


def _moved(then: Floats, now: Floats) -> float:
    """One less the likeness of two profiles, at the best shift."""
    first, second = np.sqrt(np.maximum(then, 0)), np.sqrt(np.maximum(now, 0))
    first, second = (np.convolve(one, (0.25, 0.5, 0.25), mode="same") for one in (first, second))
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    fits = [float(np.dot(first, np.roll(second, shift))) for shift in range(-SHIFT, SHIFT + 1)]
    return 1 - max(fits) / norm if norm > 0 else 1.0
