"""The meters against sounds whose figures are known beforehand. Tolerances are stated beside each."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from audio._levels import Levels
from audio._tools import Limits
from audio.errors import Reason, Rejected, ToolFailedError
from audio.measure import Measurement, decoding, measure, mixdown
from tests import sounds

LIMITS = Limits(cpu_s=30, wall_s=60)


async def metered(samples: sounds.Samples, *, verify: bool = False, channels: int = 1) -> Measurement:
    data = sounds.wav(samples, channels=channels)
    return await measure(
        data,
        decoding("wav"),
        limits=LIMITS,
        max_samples=sounds.RATE * 60,
        mono=mixdown(channels),
        verify=verify,
    )


@pytest.mark.parametrize(("dbfs", "lufs"), [(-20.0, -23.0), (-30.0, -33.0), (-6.0, -9.0)])
async def test_a_tone_of_1_khz_has_the_loudness_that_ebu_3341_says(dbfs: float, lufs: float) -> None:
    """EBU Tech 3341: 1 kHz at -23 dBFS in both channels is -23 LUFS; in one channel it takes 3 dB more. ±0.1 LU."""
    found = await metered(sounds.sine(1000, 5, dbfs=dbfs))
    assert found.loudness_lufs == pytest.approx(lufs, abs=0.11)
    assert found.peak_dbfs == pytest.approx(dbfs, abs=0.05)


async def test_the_relative_gate_ignores_pauses() -> None:
    """EBU Tech 3341, case 3 in spirit: silence between tones does not lower the figure. ±0.2 LU."""
    tone = sounds.sine(1000, 5, dbfs=-20)
    found = await metered(np.concatenate([tone, sounds.silence(10), tone]))
    assert found.loudness_lufs == pytest.approx(-23.0, abs=0.2)


async def test_the_true_peak_between_samples_is_found() -> None:
    """A tone at a quarter of the rate, sampled 45° beside its peaks, is 3.01 dB higher than its samples. ±0.3 dB."""
    time = np.arange(5 * sounds.RATE)
    tone = sounds.int16(0.5 * np.sin(np.pi / 2 * time + np.pi / 4) * np.minimum(1, time / sounds.RATE))
    found = await metered(tone, verify=True)
    assert found.peak_dbfs == pytest.approx(-9.03, abs=0.05)
    assert found.true_peak_dbtp == pytest.approx(-6.02, abs=0.3)


@pytest.mark.parametrize("samples", [1, 47, 48, 49, 2399, 2400, 2401, 96_001])
async def test_the_length_is_that_of_the_samples_rounded_up(samples: int) -> None:
    found = await metered(sounds.noise(3)[:samples])
    assert (found.samples, found.length_ms) == (samples, math.ceil(samples / 48))


async def test_silences_are_found_where_they_are() -> None:
    """To one frame of 50 ms; a pause of a breath is none."""
    voiced = sounds.sine(500, 2.0, dbfs=-18)
    parts = [sounds.silence(1.0), voiced, sounds.silence(0.2), voiced, sounds.silence(3.0)]
    found = await metered(np.concatenate(parts))
    assert len(found.silences_ms) == 2
    (first, second) = found.silences_ms
    assert first == pytest.approx((0, 1000), abs=50)
    assert second == pytest.approx((5200, 8200), abs=50)
    assert found.silence_ms == pytest.approx(4000, abs=100)
    assert found.longest_silence_ms == pytest.approx(3000, abs=50)


async def test_a_low_hiss_is_silence_beside_loud_speech_but_not_alone() -> None:
    hiss = sounds.noise(3, dbfs=-60)
    beside = await metered(np.concatenate([sounds.sine(500, 3, dbfs=-12), hiss]))
    alone = await metered(hiss)
    assert beside.silence_ms == pytest.approx(3000, abs=100)
    assert alone.silence_ms == 0


async def test_the_waveform_follows_the_level() -> None:
    found = await metered(np.concatenate([sounds.silence(10), sounds.sine(500, 10, dbfs=-6), sounds.silence(10)]))
    assert len(found.waveform) == 800
    assert set(found.waveform[:260]) == {0}
    assert set(found.waveform[540:]) == {0}
    assert {*found.waveform[270:530]} <= {127, 128}


async def test_a_short_sound_has_one_peak_per_10_ms() -> None:
    assert len((await metered(sounds.sine(500, 1.0))).waveform) == 100


async def test_silence_has_no_loudness_and_no_audible_level() -> None:
    found = await metered(sounds.silence(3))
    assert found.loudness_lufs is None
    assert found.audible_dbfs == -math.inf
    assert found.silence_ms == 3000


@pytest.mark.parametrize(
    ("sound", "audible"),
    [(sounds.direct(3, dbfs=0), False), (sounds.sine(20_000, 3, dbfs=0), False), (sounds.sine(40, 3, dbfs=0), False),
     (sounds.sine(1000, 3, dbfs=-40), True), (sounds.sine(300, 3, dbfs=-40), True)],
    ids=["dc", "20 kHz", "40 Hz", "1 kHz", "300 Hz"],
)  # fmt: skip
async def test_only_what_a_horn_can_give_is_audible(sound: sounds.Samples, *, audible: bool) -> None:
    assert ((await metered(sound)).audible_dbfs > -60) is audible


async def test_flat_tops_count_as_clipped_and_full_scale_peaks_do_not() -> None:
    honest, loud = sounds.sine(997, 4, dbfs=0), sounds.driven(sounds.speech(4), 15)
    assert (await metered(loud)).clipped
    assert not (await metered(honest)).clipped


@pytest.mark.parametrize("channels", [1, 2, 6])
async def test_mixing_down_equal_channels_changes_no_level(channels: int) -> None:
    found = await metered(sounds.sine(1000, 3, dbfs=-1), channels=channels)
    assert found.peak_dbfs == pytest.approx(-1, abs=0.1)
    assert found.loudness_lufs == pytest.approx(-4.0, abs=0.2)


async def test_sound_longer_than_allowed_is_stopped_not_decoded_to_its_end() -> None:
    heard: list[int] = []
    with pytest.raises(Rejected) as caught:
        await measure(
            sounds.wav(sounds.silence(60)),
            decoding("wav"),
            limits=LIMITS,
            max_samples=sounds.RATE,
            on_samples=heard.append,
        )
    assert caught.value.reason is Reason.TOO_LONG
    assert max(heard) < 4 * sounds.RATE


async def test_what_cannot_be_decoded_is_an_error_not_a_measurement() -> None:
    with pytest.raises(ToolFailedError):
        await measure(b"RIFF nothing", decoding("wav"), limits=LIMITS, max_samples=sounds.RATE)


def test_the_pieces_in_which_samples_arrive_do_not_matter() -> None:
    data = np.concatenate([sounds.speech(1.3), sounds.silence(0.8), sounds.speech(0.7)]).tobytes()
    whole, pieces = Levels(), Levels()
    whole.feed(data)
    cuts = [0, 1, 2, 4799, 4801, 9600, 50_001, 100_000, len(data)]
    for start, end in pairwise(cuts):
        pieces.feed(data[start:end])
    for figure in ("samples", "peak_dbfs", "audible_dbfs", "clipped"):
        assert getattr(whole, figure) == pytest.approx(getattr(pieces, figure), abs=1e-4)
    assert whole.waveform() == pieces.waveform()
    assert whole.silences(-20.0) == pieces.silences(-20.0)
