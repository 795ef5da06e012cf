"""Tune, speech and mixing: our own sounds."""

from __future__ import annotations

import io
import unicodedata
import wave
from collections.abc import Callable

import numpy as np
import pytest

from audio import mix, speech, tune
from audio._tools import Limits
from audio.correlate import compare, samples
from audio.errors import AudioError, ToolFailedError, UnspeakableTextError
from audio.measure import decoding, measure
from tests import sounds

NOTICE = "Kính thưa toàn thể bà con nhân dân."


def opened(data: bytes) -> tuple[int, int, sounds.Samples]:
    """Rate, channels and samples of a WAV file, by the standard library."""
    with wave.open(io.BytesIO(data)) as reader:
        return reader.getframerate(), reader.getnchannels(), samples(reader.readframes(reader.getnframes()))


@pytest.mark.parametrize(("make", "length_s"), [(tune.signature, 5.2), (tune.attention, 1.6)])
def test_our_tunes_are_always_the_same_and_end_in_silence(make: Callable[[], bytes], length_s: float) -> None:
    rate, channels, tones = opened(make())
    assert make() == make()
    assert (rate, channels, len(tones)) == (48_000, 1, round(length_s * 48_000))
    assert np.abs(tones).max() == pytest.approx(32_767 * 0.5012, abs=2)
    assert abs(int(tones[0])) < 10
    assert np.abs(tones[-480:].astype(int)).max() < 300
    assert compare(tones, tones).correlation == pytest.approx(1.0)


async def test_vietnamese_text_becomes_speech() -> None:
    rate, channels, voice = opened(await speech.speak(NOTICE))
    assert (rate, channels) == (22_050, 1)
    assert 1.5 < len(voice) / rate < 6
    assert np.abs(voice).max() > 3000


async def test_the_same_letters_in_either_normal_form_sound_the_same() -> None:
    composed, decomposed = (unicodedata.normalize(form, NOTICE) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert await speech.speak(composed) == await speech.speak(decomposed)


async def test_a_voice_of_the_south_and_a_slower_pace_sound_different() -> None:
    north, south, slow = [
        await speech.speak(NOTICE),
        await speech.speak(NOTICE, speech.Voice.SOUTH),
        await speech.speak(NOTICE, words_per_minute=100),
    ]
    assert north != south
    assert len(slow) > 1.2 * len(north)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("một\u202e hai\u202c", "một hai"),
        ("b\u200bà con\u2060\ufeff", "bà con"),
        ("một\x00\x1b[31m hai", "một[31m hai"),
        ("  một \t hai \n\n\n ba  ", "một hai\nba"),
        ("[[h@'loU]]", "[ [h@'loU] ]"),
        ("a\u0300", "à"),
    ],
)
def test_what_is_spoken_is_what_is_shown(text: str, spoken: str) -> None:
    assert speech.speakable(text) == spoken


@pytest.mark.parametrize("text", ["", "   \n", "😀🎉", "…—!?", "\u200b\u202e", "x" * 20_001])
async def test_text_without_words_or_end_is_refused(text: str) -> None:
    with pytest.raises(UnspeakableTextError):
        await speech.speak(text)


@pytest.mark.parametrize(
    "text", ["$(touch /tmp/x) một", "; rm -rf / ; hai", "--output_file=/tmp/x", "-w /tmp/x", "`id`"]
)
async def test_text_is_never_taken_for_a_command(text: str) -> None:
    """It is spoken; were it an option, nothing would come out."""
    assert len(opened(await speech.speak(text))[2]) > 10_000


async def test_ssml_is_read_out_not_obeyed() -> None:
    tagged = await speech.speak('<speak>một <audio src="/etc/passwd"/> hai</speak>')
    assert len(opened(tagged)[2]) > 5_000


async def test_clips_are_joined_in_order_with_a_pause_and_evened_out() -> None:
    loud, quiet = sounds.sweep(2.0, dbfs=-3), sounds.sweep(2.0, low=300, dbfs=-24)
    joined = await mix.join([sounds.wav(loud), sounds.wav(quiet)], pause_ms=500)
    rate, channels, both = opened(joined)
    assert (rate, channels, len(both)) == (48_000, 1, round(4.5 * 48_000))
    assert compare(loud, both[: 2 * 48_000]).correlation > 0.99
    (match,) = compare(quiet, both).matches
    assert match.start == pytest.approx(2.5 * 48_000, abs=48)
    assert not both[round(2.01 * 48_000) : round(2.49 * 48_000)].any()
    levels = [
        await measure(sounds.wav(part), decoding("wav"), limits=Limits(), max_samples=10**9)
        for part in (both[: 2 * 48_000], both[round(2.5 * 48_000) :])
    ]
    assert levels[0].loudness_lufs == pytest.approx(-20, abs=0.5)
    assert levels[1].loudness_lufs == pytest.approx(-20, abs=0.5)


async def test_clips_of_other_rates_keep_their_length() -> None:
    voice = sounds.speech(2.0, rate=22_050)
    _, _, joined = opened(await mix.join([sounds.wav(voice, rate=22_050)]))
    assert len(joined) == pytest.approx(2 * 48_000, abs=48)


async def test_joining_nothing_or_nonsense_is_an_error() -> None:
    with pytest.raises(AudioError, match="nothing to join"):
        await mix.join([])
    with pytest.raises(ToolFailedError):
        await mix.join([b"nonsense"])
    with pytest.raises(ToolFailedError):
        await mix.to_mp3(b"nonsense")


async def test_mp3_comes_out_of_our_own_cell() -> None:
    encoded = await mix.to_mp3(sounds.wav(sounds.speech(2.0)), kbits=64)
    found = await measure(encoded, decoding("mp3"), limits=Limits(), max_samples=10**9)
    assert found.length_ms == pytest.approx(2000, abs=80)
    assert len(encoded) == pytest.approx(64_000 / 8 * 2, rel=0.1)
