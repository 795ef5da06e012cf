"""Heard or not, in streets that are made up. A few here, a thousand in the benchmarks (``tests.bench.ears``)."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from audio._seconds import LOW_RATE
from audio.glide import LENGTH_MS, glide
from audio.hearing import Hearing, Verdict, listen
from tests.rooms import ECHO_ROOM, hearing_of, noise, rms, street, talk, widened
from tests.sounds import RATE, Samples, int16, sine

ROOM = 6 * ECHO_ROOM
"""Samples at 48 kHz by which a capture is longer."""


def spoken(seed: int = 1, seconds: float = 5.0) -> Samples:
    signal = talk(np.random.default_rng(seed), seconds)
    return widened(0.1 * signal / rms(signal))


def late(sent: Samples, delay_ms: float, gain: float = 1.0) -> Samples:
    before = round(delay_ms * RATE / 1000)
    return np.pad((sent * gain).astype(np.int16), (before, ROOM - before))


def test_a_clean_line_is_heard_at_its_delay_and_is_all_alike() -> None:
    found = listen(spoken(), late(spoken(), 431, gain=0.02))
    assert found.verdict is Verdict.HEARD
    assert found.clarity > 50
    assert found.score > 0.6
    assert abs(found.delay_ms - 431) <= 1


def test_what_was_sent_is_heard_in_noise_as_loud_as_itself() -> None:
    """Of every third, a tune, another tune of the same notes is the noise now and then: that may leave it open."""
    found = [hearing_of(seed, "sent").verdict for seed in range(15)]
    assert [one for seed, one in enumerate(found) if seed % 3 and one is not Verdict.HEARD] == []
    assert Verdict.NOT_HEARD not in found
    assert found.count(Verdict.HEARD) >= 13


@pytest.mark.parametrize("sounding", ["other", "nothing"])
def test_what_was_not_sent_is_never_heard(sounding: str) -> None:
    assert [seed for seed in range(30) if hearing_of(seed, sounding).verdict is Verdict.HEARD] == []


@pytest.mark.parametrize("ppm", [-400, -200, 200, 400])
def test_a_clock_that_is_off_does_not_matter(ppm: int) -> None:
    """No crystal is more than 200 ppm off; that of the output and that of the input may be so in opposite ways."""
    sent = spoken()
    there = late(sent, 100).astype(np.float64)
    taken = np.interp(np.arange(len(there)) * (1 + ppm * 1e-6), np.arange(len(there)), there)
    found = listen(sent, taken.astype(np.int16))
    assert found.verdict is Verdict.HEARD
    assert found.clarity > 20


def test_a_microphone_at_its_end_still_hears() -> None:
    sent = spoken()
    most = round(0.3 * rms(sent.astype(np.float64)))
    assert listen(sent, np.clip(late(sent, 100), -most, most)).verdict is Verdict.HEARD


def test_a_dead_line_hears_nothing() -> None:
    found = listen(spoken(), np.zeros(len(spoken()) + ROOM, np.int16))
    assert (found.verdict, found.captured_dbfs) == (Verdict.NOT_HEARD, -math.inf)


def judged(sent: Samples, captured: Samples) -> Hearing:
    return listen(sent, captured)


@pytest.mark.parametrize(
    "make", [lambda: sine(440, 5), lambda: spoken(seconds=1.4), lambda: (spoken() // 2000).astype(np.int16)]
)
def test_what_cannot_tell_says_so(make: Callable[[], Samples]) -> None:
    """A steady tone fits anywhere, a word is too short, and what is all but silent is not to be heard."""
    sent = make()
    heard_there, nothing_there = (
        late(sent, 100),
        int16(0.01 * np.random.default_rng(1).standard_normal(len(sent) + ROOM)),
    )
    assert [listen(sent, one).verdict for one in (heard_there, nothing_there)].count(Verdict.NOT_HEARD) == 0
    assert listen(sent, nothing_there).verdict is Verdict.UNSURE


def test_the_glide_of_the_self_test_is_heard_in_a_street_and_not_in_its_noise() -> None:
    pcm = b"".join(glide())
    assert len(pcm) == LENGTH_MS * 96
    sent = np.frombuffer(pcm, "<i2")
    assert np.abs(sent).max() <= 32_767 * 10 ** (-18 / 20) + 1
    dry = sent[::6] / 32_768  # nothing of it lies above 3.2 kHz
    for seed in range(8):
        random = np.random.default_rng(seed)
        place, around = street(random), noise(random, len(dry) + ECHO_ROOM)
        assert listen(sent, widened(place.hear(dry, around))).verdict is Verdict.HEARD
        assert listen(sent, widened(place.hear(0 * dry, around))).verdict is not Verdict.HEARD
    assert len(dry) == LENGTH_MS * LOW_RATE // 1000
