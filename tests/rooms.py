"""Streets that are made up: horns, echoes, noise, a microphone with a clock of its own. Seeded, at 8 kHz.

No substitute for a pole in a village: this tells what our judgement of sound does, not what a place does to sound.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from audio import tune
from audio._seconds import LOW_RATE, narrowed
from audio.hearing import Hearing, Verdict, listen
from audio.reference import Change, Transfer, compare, measure
from tests.sounds import RATE, Samples, int16, level, speech

Floats = npt.NDArray[np.float64]
Random = np.random.Generator

ECHO_ROOM = 3 * LOW_RATE // 2
"""Samples by which a capture is longer than what was sent: 1.5 s."""
_UP = RATE // LOW_RATE
_NOTES = (392.00, 523.25, 587.33, 698.46, 880.00)


@dataclass(frozen=True)
class Street:
    """The way from a node's output to its microphone. Horns add up there."""

    horns: tuple[Floats, ...]
    """Impulse response of each, with its gain and delay."""
    latency: int
    """Samples of it that are the machine's, not the air's."""
    drift_ppm: float
    clip: float
    """Where the microphone is at its end, against the RMS of what it takes."""

    def hear(self, sent: Floats, noise: Floats, *, snr_db: float = 0.0, dead: int | None = None) -> Floats:
        """Give what the microphone takes; the noise is levelled against all horns, dead or not."""
        ways = [_convolved(sent, horn, len(noise)) for horn in self.horns]
        loudness = rms(np.sum(ways, axis=0)) or 0.01
        heard = np.sum([way for number, way in enumerate(ways) if number != dead], axis=0)
        heard = heard + noise * (loudness * level(-snr_db) / rms(noise))
        taken = np.interp(np.arange(len(heard)) * (1 + self.drift_ppm * 1e-6), np.arange(len(heard)), heard)
        most = self.clip * rms(taken)
        clipped: Floats = np.clip(taken, -most, most)
        return clipped

    def another_day(self, random: Random) -> Street:
        """The same street some degrees warmer or colder, the amplifier no better than it is."""
        pace = 1 + random.uniform(-0.017, 0.017)  # 10 K: the speed of sound changes by 1.7 %
        horns = tuple(_stretched(horn, self.latency, pace) * level(random.uniform(-0.3, 0.3)) for horn in self.horns)
        return replace(self, horns=horns, drift_ppm=self.drift_ppm + random.uniform(-5, 5))


def street(random: Random, *, horns: int = 2) -> Street:
    """A pole with horns and a microphone near it, somewhere."""
    latency, gain_db, metres = random.uniform(0.005, 0.4), random.uniform(-35, -3), random.uniform(2, 10)
    ways = tuple(
        _horn(random, delay_s=latency + (metres + random.uniform(0, 4)) / 343, gain_db=gain_db + random.uniform(-2, 2))
        for _ in range(horns)
    )
    clip = float(random.choice([9.0, 9.0, 1.5]))
    return Street(ways, round(latency * LOW_RATE), random.uniform(-200, 200), clip)


def noise(random: Random, samples: int) -> Floats:
    """One of a street's noises: rain, engines, hum, somebody's talk, a market, another tune."""
    time = np.arange(samples) / LOW_RATE
    kind = random.integers(6)
    if kind == 0:
        return random.standard_normal(samples)
    if kind == 1:
        return _coloured(random, samples, 1.5)
    if kind == 2:
        hum = sum(np.sin(2 * np.pi * 50 * n * time + random.uniform(0, 6)) / n for n in range(1, 40))
        return np.asarray(hum + _coloured(random, samples, 1.0))
    if kind == 3:
        return talk(random, samples / LOW_RATE, speaker=1)
    if kind == 4:
        crowd: Floats = np.sum([talk(random, samples / LOW_RATE, speaker=1) for _ in range(4)], axis=0)
        return crowd
    tones = melody(random, samples / LOW_RATE)
    return tones / rms(tones) + 0.1 * _coloured(random, samples, 1.0)


def talk(random: Random, seconds: float, *, speaker: int = 0) -> Floats:
    """Some words of one of two speakers, at 8 kHz."""
    whole, length = _spoken(speaker), round(seconds * LOW_RATE)
    at = int(random.integers(len(whole) - length))
    return whole[at : at + length]


def melody(random: Random, seconds: float) -> Floats:
    """A tune of five tones, at 8 kHz; another one of the same tones every time."""
    length, beat = round(seconds * LOW_RATE), random.uniform(0.2, 0.5)
    found = np.zeros(length + 2 * LOW_RATE)
    for at in np.arange(0, seconds, beat):
        pluck = _pluck(float(random.choice(_NOTES)))
        found[round(at * LOW_RATE) :][: len(pluck)] += pluck
    return found[:length]


def widened(signal: Floats) -> Samples:
    """The signal at 48 kHz, 16 bits, as a card gives it; peaks as they are, or just below full scale."""
    peak = max(1.0, float(np.abs(signal).max(initial=0)) / 0.99)
    spectrum = np.fft.rfft(signal / peak)
    return int16(np.fft.irfft(np.pad(spectrum, (0, (_UP - 1) * len(spectrum))), len(signal) * _UP) * _UP)


def rms(signal: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(signal))))


@functools.cache
def _spoken(speaker: int) -> Floats:
    return narrowed(speech(60, seed=70 + speaker))


@functools.cache
def _pluck(hertz: float) -> Floats:
    return narrowed(tune.render([tune.Note(0.0, hertz)], 1.5))


def _coloured(random: Random, samples: int, slope: float) -> Floats:
    """Noise whose power falls with frequency, RMS 1."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    found = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 20) ** (slope / 2), samples)
    return np.asarray(found / rms(found))


def _horn(random: Random, *, delay_s: float, gain_db: float) -> Floats:
    """The response of one horn: its own colour, a direct way, some echoes, a tail that dies away."""
    rt60, at = random.uniform(0.15, 1.2), round(delay_s * LOW_RATE)
    length = round(rt60 * LOW_RATE)
    tail = random.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail[: LOW_RATE // 200] = 0
    response = np.zeros(at + length)
    response[at:] = tail / np.sqrt(np.sum(tail**2)) * level(-random.uniform(-6, 12))
    response[at] += 1
    for _ in range(random.integers(1, 6)):
        response[at + random.integers(16, 640)] += random.uniform(-0.6, 0.6)
    response = _through_a_horn(random, response)
    return np.asarray(response / np.sqrt(np.sum(response**2)) * level(gain_db))


def _through_a_horn(random: Random, response: Floats) -> Floats:
    """Nothing below 250–500 Hz, and bumps of its own above."""
    size = _transform(len(response) + 400)
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / LOW_RATE), 1.0)
    shape = 1 / np.sqrt(1 + (random.uniform(250, 500) / hertz) ** 6)
    octave = np.log2(np.maximum(hertz, 20) / 1000)
    for _ in range(4):
        shape *= level(random.uniform(-6, 6)) ** np.exp(-(((octave - random.uniform(-1.5, 2)) / 0.3) ** 2))
    return np.fft.irfft(np.fft.rfft(response, size) * shape, size)[: len(response)]


def _stretched(response: Floats, begins: int, pace: float) -> Floats:
    """The response with all its ways through the air longer by ``pace``."""
    fine, size = 8, _transform(len(response) + 8)
    dense = np.fft.irfft(np.fft.rfft(response, size), size * fine) * fine
    places = begins + (np.arange(len(response)) - begins) * pace
    stretched: Floats = np.interp(np.clip(places, 0, len(response) - 1) * fine, np.arange(len(dense)), dense)
    return stretched


def _convolved(sent: Floats, response: Floats, length: int) -> Floats:
    size = _transform(len(sent) + len(response))
    wet = np.fft.irfft(np.fft.rfft(sent, size) * np.fft.rfft(response, size), size)
    return np.pad(wet, (0, max(0, length - size)))[:length]


def _transform(least: int) -> int:
    return 1 << (least - 1).bit_length()


# Trials, by seed: for a few in the tests and for a thousand in the benchmarks.


def hearing_of(seed: int, sounding: str, *, snr_db: float = 0.0, seconds: float = 5.0) -> Hearing:
    """Judge a piece in a made-up street: ``sent`` sounded there, or ``other`` did, or ``nothing``."""
    random = np.random.default_rng(seed)
    make = melody if seed % 3 == 0 else talk
    sent = make(random, seconds)
    others = talk(random, seconds, speaker=1) if seed % 2 else melody(random, seconds)
    place = street(random)
    there = {"sent": sent, "other": others, "nothing": np.zeros(len(sent))}[sounding]
    captured = place.hear(there, noise(random, len(sent) + ECHO_ROOM), snr_db=snr_db)
    return listen(widened(0.3 * sent / rms(sent)), widened(captured))


def change_of(seed: int, *, dead: int | None, pieces: int = 4, snr_db: float = 5.0) -> Change:
    """Judge a session of another day against the reference: the tune, and talk of 5 s each time."""
    random = np.random.default_rng(seed)
    place = street(random)
    reference = _session(random, place, None, pieces, 12.0)
    now = _session(random, place.another_day(random), dead, pieces, snr_db)
    return Change.SILENT if now is None or reference is None else compare(reference, now).change


def _session(random: Random, place: Street, dead: int | None, pieces: int, snr_db: float) -> Transfer | None:
    found: Transfer | None = None
    sounds = [narrowed(np.frombuffer(tune.signature()[44:], "<i2")), *(talk(random, 5.0) for _ in range(pieces - 1))]
    for sound in sounds:
        sent = 0.1 * sound / rms(sound)
        captured = place.hear(sent, noise(random, len(sent) + ECHO_ROOM), snr_db=snr_db, dead=dead)
        x, y = widened(sent), widened(captured)
        heard = listen(x, y)
        if heard.verdict is Verdict.HEARD:
            way = measure(x, y, heard.delay_ms)
            found = way if found is None else found + way
    return found
