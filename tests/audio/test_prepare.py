"""From what people bring to the one canonical format, judged by ffmpeg itself rather than by our own words."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from audio import _tools
from audio.errors import Reason, Rejected, SoundWarning
from audio.prepare import MUSIC_KBITS, Prepared, Settings, prepare
from audio.transcode import trim
from tests import sounds

SPEECH_S = 3.0


async def prepared(folder: Path, data: bytes, settings: Settings | None = None, name: str = "upload.bin") -> Prepared:
    """Put the bytes into a file, prepare it into ``folder/out``."""
    upload, out = folder / name, folder / "out"
    out.mkdir(exist_ok=True)
    upload.write_bytes(data)
    return await prepare(upload, out, settings)


async def rejected(folder: Path, data: bytes, settings: Settings | None = None) -> Reason:
    with pytest.raises(Rejected) as caught:
        await prepared(folder, data, settings)
    assert not list((folder / "out").iterdir())
    return caught.value.reason


def asked(path: Path) -> dict[str, object]:
    """What ffprobe says of a file, by itself."""
    entries = "stream=codec_name,channels,sample_rate:stream_tags:format_tags:format=format_name,nb_streams"
    answer = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(path)],
        capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    found: dict[str, object] = json.loads(answer.stdout)
    return found


def metered(path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak by ffmpeg's own meter, of the file as any player decodes it."""
    meter = ["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), *meter]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=60)
    summary = answer.stderr.decode().rpartition("Summary:")[2]
    loudness, peak = re.search(r"I:\s+(\S+) LUFS", summary), re.search(r"Peak:\s+(\S+) dBFS", summary)
    assert loudness
    assert peak
    return float(loudness[1]), float(peak[1])


@pytest.mark.parametrize("suffix", sounds.ENCODINGS)
async def test_what_people_bring_is_accepted(tmp_path: Path, suffix: str) -> None:
    """Length within 60 ms: mp3 and aac add silence of their own."""
    result = await prepared(tmp_path, sounds.spoken(suffix, SPEECH_S))
    assert result.length_ms == pytest.approx(SPEECH_S * 1000, abs=60)
    assert result.loudness_lufs == pytest.approx(-16, abs=1)
    assert result.warnings == ()


@pytest.mark.parametrize("make", [sounds.amr, sounds.three_gp_amr])
async def test_recordings_of_old_phones_are_accepted(tmp_path: Path, make: Callable[[int], bytes]) -> None:
    result = await prepared(tmp_path, make(150))
    assert result.source.codec == "amr_nb"
    assert result.length_ms == pytest.approx(3000, abs=25)


@pytest.mark.parametrize("flags", [(), ("-movflags", "+faststart"), ("-movflags", "+frag_keyframe+empty_moov")])
async def test_an_index_at_the_end_of_a_phone_recording_is_found(tmp_path: Path, flags: tuple[str, ...]) -> None:
    data = sounds.encoded(sounds.speech(12.0), "m4a", extra=flags)
    result = await prepared(tmp_path, data)
    assert (data.rfind(b"moov") > len(data) // 2) is (not flags)
    assert result.length_ms == pytest.approx(12_000, abs=60)


async def test_the_result_is_in_the_canonical_format_and_bare(tmp_path: Path) -> None:
    upload = sounds.id3(sounds.id3_title("<script>alert(1)</script>"), sounds.id3_cover(1000))
    result = await prepared(tmp_path, upload + sounds.spoken("mp3", SPEECH_S))
    found = asked(result.path)
    plain = {"codec_name": "opus", "sample_rate": "48000", "channels": 1}
    assert found["streams"] == [plain | {"tags": {"encoder": "Lavc libopus"}}]  # no version, nothing of the upload
    assert "tags" not in found["format"]  # type: ignore[operator]  # a dict, by ffprobe's format
    assert b"script" not in result.path.read_bytes()


async def test_the_file_is_named_by_its_hash_and_alone_in_its_folder(tmp_path: Path) -> None:
    result = await prepared(tmp_path, sounds.wav(sounds.speech(SPEECH_S)))
    data = result.path.read_bytes()
    assert result.sha256 == hashlib.sha256(data).hexdigest()
    assert result.path.name == f"{result.sha256}.opus"
    assert result.size == len(data)
    assert list((tmp_path / "out").iterdir()) == [result.path]
    assert result.path.stat().st_mode & 0o777 == 0o644


async def test_the_same_input_and_settings_give_the_same_bytes(tmp_path: Path) -> None:
    data = sounds.spoken("mp3", SPEECH_S)
    first = await prepared(tmp_path, data, name="one.mp3")
    second = await prepared(tmp_path, data, name="quite another name.wav")
    assert first.sha256 == second.sha256
    assert replace(first, path=second.path) == second


async def test_other_settings_give_other_bytes(tmp_path: Path) -> None:
    data = sounds.wav(sounds.speech(SPEECH_S))
    speech = await prepared(tmp_path, data)
    music = await prepared(tmp_path, data, Settings(kbits=MUSIC_KBITS))
    assert music.sha256 != speech.sha256
    assert 1.3 < music.size / speech.size < 1.7


@pytest.mark.parametrize(
    ("make", "dbfs"),
    [
        (sounds.speech, -34.0),
        (sounds.speech, -24.0),
        (sounds.speech, -14.0),
        (sounds.noise, -34.0),
        (sounds.noise, -8.0),
        (sounds.sweep, -24.0),
    ],
)
async def test_loudness_and_true_peak_are_right_in_the_ears_of_another_meter(
    tmp_path: Path, make: Callable[..., sounds.Samples], dbfs: float
) -> None:
    sound = make(6.0, dbfs=dbfs)
    result = await prepared(tmp_path, sounds.wav(sound))
    loudness, peak = metered(result.path)
    assert loudness == pytest.approx(-16, abs=1.05)
    assert peak <= -1.0
    assert (result.loudness_lufs, result.true_peak_dbtp) == pytest.approx((loudness, peak), abs=0.15)


def peaky(seconds: float) -> sounds.Samples:
    """A quiet voice with a loud knock each half second: nothing but a limiter brings it to -16 LUFS."""
    signal = sounds.speech(seconds, dbfs=-30) / 32_768.0
    knock = 0.9 * np.exp(-np.arange(480) / 60) * np.sin(2 * np.pi * 900 * np.arange(480) / sounds.RATE)
    for at in range(0, len(signal) - 480, sounds.RATE // 2):
        signal[at : at + 480] += knock
    return sounds.int16(signal)


@pytest.mark.parametrize("thorough_s", [180, 1], ids=["thorough", "fast"])
async def test_no_true_peak_passes_the_limiter_and_the_codec(
    tmp_path: Path, thorough_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audio.prepare.THOROUGH_UP_TO_S", thorough_s)
    result = await prepared(tmp_path, sounds.wav(peaky(5.0)))
    _, peak = metered(result.path)
    assert peak <= -1.0
    assert result.loudness_lufs > -20


async def test_a_gain_in_the_header_is_obeyed_by_a_player(tmp_path: Path) -> None:
    result = await prepared(tmp_path, sounds.wav(sounds.sine(1000, 3)))
    data = result.path.read_bytes()
    page = trim(data[:4096], -6.0)
    quieter = tmp_path / "quieter.opus"
    quieter.write_bytes(page + data[len(page) :])
    assert metered(quieter)[0] == pytest.approx(metered(result.path)[0] - 6.0, abs=0.1)


async def test_the_length_is_exact_to_the_sample(tmp_path: Path) -> None:
    samples = 3 * sounds.RATE + 17
    result = await prepared(tmp_path, sounds.wav(sounds.speech(4.0)[:samples]))
    assert (result.samples, result.length_ms) == (samples, 3001)


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
async def test_any_sample_rate_is_brought_to_48_khz(tmp_path: Path, rate: int) -> None:
    result = await prepared(tmp_path, sounds.wav(sounds.sine(1000, 3, rate=rate), rate=rate))
    assert result.length_ms == pytest.approx(3000, abs=2)
    assert result.loudness_lufs == pytest.approx(-16, abs=0.5)


async def test_channels_wired_against_each_other_do_not_cancel(tmp_path: Path) -> None:
    voice = sounds.speech(SPEECH_S)
    stereo = np.stack([voice, -voice], axis=1).reshape(-1)
    data = bytearray(sounds.wav(stereo, rate=sounds.RATE))
    data[22:24], data[28:34] = b"\2\0", (sounds.RATE * 4).to_bytes(4, "little") + b"\4\0"
    result = await prepared(tmp_path, bytes(data))
    assert result.loudness_lufs == pytest.approx(-16, abs=1)
    assert result.length_ms == SPEECH_S * 1000


async def test_progress_rises_from_nothing_to_one(tmp_path: Path) -> None:
    upload, out, shares = tmp_path / "upload", tmp_path / "out", list[float]()
    upload.write_bytes(sounds.spoken("mp3", 8.0))
    out.mkdir()
    await prepare(upload, out, None, shares.append)
    assert shares == sorted(set(shares))
    assert shares[0] < 0.5
    assert shares[-1] == 1.0
    assert len(shares) > 5


async def test_quiet_sound_is_raised_by_no_more_than_the_cap_and_said_to_be_quiet(tmp_path: Path) -> None:
    result = await prepared(tmp_path, sounds.wav(sounds.speech(SPEECH_S, dbfs=-50)))
    assert result.gain_db == 20
    assert result.loudness_lufs == pytest.approx(result.source_loudness_lufs + 20, abs=0.5)
    assert SoundWarning.VERY_QUIET in result.warnings


async def test_clipped_sound_is_said_to_be_clipped(tmp_path: Path) -> None:
    result = await prepared(tmp_path, sounds.wav(sounds.driven(sounds.speech(SPEECH_S), 15)))
    assert result.warnings == (SoundWarning.CLIPPED,)


async def test_loud_peaks_over_a_quiet_rest_are_said_to_be_too_loud_and_not_too_quiet_as_well(tmp_path: Path) -> None:
    beep = sounds.driven(sounds.speech(SPEECH_S, dbfs=-3), 30)[:2400]
    quiet = sounds.speech(SPEECH_S, dbfs=-50)
    data = np.concatenate([quiet, beep, quiet, quiet, beep, quiet])
    result = await prepared(tmp_path, sounds.wav(data))
    assert SoundWarning.CLIPPED in result.warnings
    assert SoundWarning.VERY_QUIET not in result.warnings


async def test_a_long_silence_is_said(tmp_path: Path) -> None:
    voice = sounds.speech(SPEECH_S)
    gap = np.concatenate([voice, sounds.silence(11), voice, voice, voice])
    result = await prepared(tmp_path, sounds.wav(gap))
    assert result.warnings == (SoundWarning.LONG_SILENCE,)
    assert result.silence_ms >= 11_000


async def test_a_file_too_large_is_not_even_opened_by_a_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(*_: object, **__: object) -> None:
        raise AssertionError("a decoder was started")

    monkeypatch.setattr(_tools, "run", run)
    data = sounds.wav(sounds.speech(1.0))
    assert await rejected(tmp_path, data, Settings(max_bytes=len(data) - 1)) is Reason.TOO_LARGE


async def test_sound_up_to_the_limit_is_taken_and_longer_is_not(tmp_path: Path) -> None:
    settings = Settings(max_length_s=2)
    assert (await prepared(tmp_path, sounds.wav(sounds.speech(2.0)), settings)).length_ms == 2000
    (tmp_path / "second").mkdir()
    assert await rejected(tmp_path / "second", sounds.wav(sounds.speech(3.1)), settings) is Reason.TOO_LONG


async def test_what_is_too_long_is_told_with_the_limit_and_the_length_that_its_header_claims(tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        await prepared(tmp_path, sounds.wav(sounds.silence(9)), Settings(max_length_s=2))
    assert (caught.value.reason, caught.value.found, caught.value.limit) == (Reason.TOO_LONG, 9.0, 2.0)


async def test_a_decoder_without_memory_is_a_reason_not_a_crash(tmp_path: Path) -> None:
    reason = await rejected(tmp_path, sounds.wav(sounds.speech(1.0)), Settings(max_memory=48 * _tools.MIB))
    assert reason is Reason.OUT_OF_MEMORY


async def test_cancelling_leaves_neither_a_file_nor_a_process(tmp_path: Path) -> None:
    upload, out = tmp_path / "upload", tmp_path / "out"
    upload.write_bytes(sounds.wav(sounds.speech(30.0)))
    out.mkdir()
    encoding = asyncio.Event()

    def watch(share: float) -> None:
        if share > 0.4:
            encoding.set()

    task = asyncio.create_task(prepare(upload, out, None, watch), name="to-be-cancelled")
    async with asyncio.timeout(30):
        await encoding.wait()
    assert len(list(out.iterdir())) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list(out.iterdir())
    assert not children()


def children() -> list[str]:
    """Names of processes that we started and that still live."""
    return [child.name() for child in psutil.Process().children(recursive=True)]
