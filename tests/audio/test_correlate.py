"""The judge of the end-to-end tests has to be judged first: known offsets, cuts, intruders and strangers."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from audio import mix, speech, tune
from audio.correlate import compare, load, samples
from audio.decode import Decoder
from audio.errors import Reason, Rejected
from audio.prepare import prepare
from tests import sounds

REFERENCE = sounds.speech(6.0)


def silence(count: int) -> sounds.Samples:
    return np.zeros(count, np.int16)


@pytest.mark.parametrize("offset", [0, 1, 5, 47, 48, 12_345, 200_003])
def test_the_place_is_found_to_the_sample(offset: int) -> None:
    found = compare(REFERENCE, np.concatenate([silence(offset), REFERENCE, silence(4800)]))
    (match,) = found.matches
    assert match.start == offset
    assert match.correlation == pytest.approx(1.0, abs=1e-6)
    assert match.worst == pytest.approx(1.0, abs=1e-6)
    assert match.played_samples == len(REFERENCE)
    assert found.residual_dbfs == -math.inf


def test_level_does_not_matter_and_is_told() -> None:
    (match,) = compare(REFERENCE, np.concatenate([silence(999), REFERENCE // 4])).matches
    assert match.gain_db == pytest.approx(-12.04, abs=0.05)
    assert match.correlation > 0.999


def test_every_occurrence_is_found_in_order() -> None:
    recording = np.concatenate([silence(100), REFERENCE, silence(30_000), REFERENCE // 2, silence(7), REFERENCE])
    starts = [match.start for match in compare(REFERENCE, recording).matches]
    second = 100 + len(REFERENCE) + 30_000
    assert starts == [100, second, second + len(REFERENCE) + 7]


@pytest.mark.parametrize("played_s", [1.0, 2.35, 4.0, 5.8])
def test_a_play_that_was_cut_tells_how_far_it_came(played_s: float) -> None:
    """To 50 ms, longer if it was cut in a pause."""
    steady = sounds.sweep(6.0)
    count = round(played_s * sounds.RATE)
    (match,) = compare(steady, np.concatenate([silence(5000), steady[:count], silence(200_000)])).matches
    assert match.start == 5000
    assert match.played_samples == pytest.approx(count, abs=0.05 * sounds.RATE)
    assert match.played_correlation > 0.9
    assert match.correlation <= match.played_correlation


def test_a_recording_that_begins_late_has_a_negative_start() -> None:
    (match,) = compare(REFERENCE, REFERENCE[40_000:]).matches
    assert match.start == -40_000


def test_a_gap_in_the_middle_shows_in_the_worst_piece() -> None:
    holed = REFERENCE.copy()
    holed[100_000:140_000] = 0
    (match,) = compare(REFERENCE, holed).matches
    assert match.worst < 0.5
    assert match.correlation < 0.97


def test_a_sample_too_much_in_the_middle_shows() -> None:
    """An underrun shifts what follows: one offset no longer fits."""
    slipped = np.concatenate([REFERENCE[:150_000], silence(480), REFERENCE[150_000:]])
    assert compare(REFERENCE, slipped).correlation < 0.9


def test_another_sound_beside_it_is_residual() -> None:
    intruder = sounds.sine(700, 1.0, dbfs=-30)
    found = compare(REFERENCE, np.concatenate([REFERENCE, silence(24_000), intruder, silence(24_000)]))
    assert len(found.matches) == 1
    assert found.residual_peak_dbfs == pytest.approx(-33, abs=0.5)
    assert -40 < found.residual_dbfs < -33


@pytest.mark.parametrize(
    "stranger",
    [sounds.speech(8.0, seed=2), sounds.noise(8.0), sounds.sweep(8.0), sounds.sine(220, 8.0), REFERENCE[::-1].copy()],
    ids=["other speech", "noise", "sweep", "tone", "backwards"],
)
def test_an_unrelated_sound_is_not_taken_for_it(stranger: sounds.Samples) -> None:
    found = compare(REFERENCE, stranger)
    assert found.matches == ()
    assert found.correlation == 0
    assert found.residual_dbfs > -40


def test_silence_on_either_side_divides_nothing_by_zero() -> None:
    nothing = silence(96_000)
    quiet = (nothing, silence(0))
    pairs = [(one, other) for one in (*quiet, REFERENCE) for other in quiet]
    for reference, recording in [*pairs, *((one, REFERENCE) for one in quiet)]:
        with np.errstate(all="raise", under="ignore"):
            assert compare(reference, recording).matches == ()


def test_noise_beside_the_sound_lowers_the_figure_by_its_power() -> None:
    """A tenth of the power in noise: correlation 1/sqrt(1.1), to 0.01."""
    noisy = sounds.int16((REFERENCE + sounds.noise(6.0, dbfs=-30)) / 32_768.0)
    assert compare(REFERENCE, noisy).correlation == pytest.approx(1 / math.sqrt(1.1), abs=0.01)


def test_what_lies_above_the_band_can_be_left_out() -> None:
    hiss = np.diff(sounds.noise(6.0, dbfs=-18), n=2, prepend=[0, 0])  # rises by 12 dB an octave
    low = np.sinc(np.arange(-200, 201) / 6) / 6
    high = hiss - np.convolve(hiss, low, mode="same")
    noisy = sounds.int16((REFERENCE + high) / 32_768.0)
    assert compare(REFERENCE, noisy).correlation < 0.8
    assert compare(REFERENCE, noisy, max_hz=3000).correlation > 0.95


async def test_the_canonical_format_keeps_the_waveform_of_speech_and_tune(tmp_path: Path) -> None:
    """What the end-to-end tests lean on: an mp3 of tune and spoken notice, against what a node decodes."""
    spoken = await speech.speak("Kính thưa bà con. Ủy ban nhân dân xã thông báo lịch tiêm phòng cho gia súc, gia cầm.")
    upload = tmp_path / "notice.mp3"
    upload.write_bytes(await mix.to_mp3(await mix.join([tune.signature(), spoken])))
    result = await prepare(upload, tmp_path)
    with Decoder(result.path) as decoder:
        played = samples(b"".join(decoder.blocks()))
    found = compare(await load(upload), np.concatenate([silence(4801), played, silence(4801)]))
    (match,) = found.matches
    assert match.start == 4801
    assert match.correlation > 0.96
    assert match.worst > 0.9
    assert found.residual_peak_dbfs == -math.inf


async def test_anything_accepted_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(sounds.encoded(REFERENCE, "flac"))
    assert np.array_equal(await load(path), REFERENCE)


async def test_too_long_a_sound_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(sounds.wav(REFERENCE))
    with pytest.raises(Rejected) as caught:
        await load(path, max_length_s=2)
    assert caught.value.reason is Reason.TOO_LONG


@pytest.mark.parametrize("hertz", [50, 997, 7000])
def test_a_pure_tone_is_found_at_its_place_and_not_some_periods_off(hertz: int) -> None:
    tone = sounds.sine(hertz, 3.0)
    recording = np.concatenate([silence(30_011), tone // 2, silence(30_000), tone, silence(60_000)])
    found = compare(tone, recording).matches
    assert [match.start for match in found] == [30_011, 60_011 + len(tone)]
    assert [match.ambiguous for match in found] == [False, False]
    assert min(match.correlation for match in found) > 0.999


def test_a_beat_that_repeats_itself_is_found_at_its_place() -> None:
    """Periods of half a second: none of those that lie over each other may hide the right one."""
    beat = np.tile(np.concatenate([sounds.sweep(0.1), silence(19_200)]), 10)
    (match,) = compare(beat, np.concatenate([silence(7_001), beat, silence(90_000)])).matches
    assert (match.start, match.ambiguous) == (7_001, False)


@pytest.mark.parametrize("hertz", [440, 7000])
@pytest.mark.parametrize(("begins_s", "lasts_s"), [(1.0, 9.0), (0.0, 2.0)], ids=["goes on", "its ends are missing"])
def test_a_tone_without_its_ends_is_said_to_be_ambiguous(hertz: int, begins_s: float, lasts_s: float) -> None:
    heard = np.concatenate([silence(round(begins_s * sounds.RATE)), sounds.sine(hertz, lasts_s)])
    found = compare(sounds.sine(hertz, 3.0), heard).matches
    assert found
    assert any(match.ambiguous for match in found)


def test_words_are_never_ambiguous() -> None:
    (match,) = compare(REFERENCE, np.concatenate([silence(999), REFERENCE])).matches
    assert match.ambiguous is False


async def test_a_tone_that_went_through_the_codec_is_found_at_its_place(tmp_path: Path) -> None:
    upload, tone = tmp_path / "tone.wav", sounds.sine(1000, 4.0)
    upload.write_bytes(sounds.wav(tone))
    result = await prepare(upload, tmp_path)
    with Decoder(result.path) as decoder:
        played = samples(b"".join(decoder.blocks()))
    (match,) = compare(tone, np.concatenate([silence(24_000), played, silence(24_000)]), max_hz=4000).matches
    assert abs(match.start - 24_000) <= 1
    assert match.ambiguous is False
    assert match.correlation > 0.99


def test_ten_minutes_stay_within_memory() -> None:
    """Beside both signals themselves, 58 MB each, less than 120 MB."""

    words = sounds.speech(30.0)
    order = np.random.default_rng(1).permutation(20 * 60)
    reference = np.concatenate([words[start * 24_000 :][:24_000] for start in order % 59])
    recording = np.concatenate([silence(3333), reference])
    tracemalloc.start()
    try:
        found = compare(reference, recording)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [match.start for match in found.matches] == [3333]
    assert peak < 120e6
