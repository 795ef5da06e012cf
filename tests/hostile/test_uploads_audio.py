"""Files that attack: the audio cases of the list of hostile uploads, each with its number there.

Expected of every one: turned away with a named reason or turned into plain canonical audio, nothing else touched,
nothing left behind, bounded time and memory.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from audio import _tools
from audio.errors import AudioError, Reason, Rejected, SoundWarning
from audio.measure import decoding
from audio.prepare import Prepared, Settings, prepare
from tests import sounds

PATIENCE_S = 60
FIVE_MINUTES = Settings(max_length_s=300)
DAY_S = 24 * 3600
VOICE = sounds.speech(3.0)


async def attempt(folder: Path, data: bytes, settings: Settings | None = None, *, name: str = "upload.mp3") -> Prepared:
    """Prepare the bytes under a time limit; afterwards the folder must hold the result alone."""
    upload, out = folder / name, folder / "out"
    out.mkdir(exist_ok=True)
    upload.write_bytes(data)
    left: set[Path] = set()
    try:
        async with asyncio.timeout(PATIENCE_S):
            result = await prepare(upload, out, settings)
        left = {result.path}
        return result
    finally:
        assert set(out.iterdir()) == left
        assert upload.read_bytes() == data
        assert len(asyncio.all_tasks()) == 1


async def reason(folder: Path, data: bytes, settings: Settings | None = None, *, name: str = "upload.mp3") -> Reason:
    with pytest.raises(Rejected) as caught:
        await attempt(folder, data, settings, name=name)
    assert str(caught.value)
    return caught.value.reason


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A door on loopback at which nobody may knock."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server
        with pytest.raises(BlockingIOError):
            server.accept()


# 1, 2: small files that are a day long.


async def test_a_day_of_silence_in_a_small_flac_is_too_long(tmp_path: Path) -> None:
    data = sounds.flac_silence(DAY_S)
    assert len(data) < 1_000_000
    assert await reason(tmp_path, data, FIVE_MINUTES) is Reason.TOO_LONG


async def test_a_day_of_silence_in_a_small_opus_is_too_long(tmp_path: Path) -> None:
    data = sounds.opus_silence(DAY_S)
    assert len(data) < 2_500_000
    assert await reason(tmp_path, data, FIVE_MINUTES) is Reason.TOO_LONG


async def test_a_bomb_does_not_grow_in_our_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        assert await reason(tmp_path, sounds.flac_silence(DAY_S // 8), FIVE_MINUTES) is Reason.TOO_LONG
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20  # five minutes of samples are 29 MB


# 3 to 6: headers that lie.


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"claimed_bytes": 0xFFFFFFFF}, Reason.LYING_HEADER),
        ({"claimed_bytes": 0x7FFFFFFF}, Reason.LYING_HEADER),
        ({"rate": 0}, Reason.LYING_HEADER),
        ({"rate": 1}, Reason.LYING_HEADER),
        ({"rate": 3_000_000_000}, Reason.LYING_HEADER),
        ({"channels": 65_535}, Reason.TOO_MANY_CHANNELS),
        ({"channels": 0}, Reason.LYING_HEADER),
        ({"channels": 9}, Reason.TOO_MANY_CHANNELS),
        ({"bits": 0}, Reason.LYING_HEADER),
    ],
    ids=str,
)
async def test_a_wav_header_that_cannot_be_true_is_called_so(
    tmp_path: Path, header: dict[str, int], expected: Reason
) -> None:
    assert await reason(tmp_path, sounds.lying_wav(VOICE, **header)) is expected


@pytest.mark.parametrize("bits", [7, 64, 65_535])
async def test_odd_sample_sizes_are_refused_or_read_never_crash(tmp_path: Path, bits: int) -> None:
    with pytest.raises(Rejected):
        await attempt(tmp_path, sounds.lying_wav(VOICE, bits=bits))


async def test_a_header_without_sound_behind_it_is_refused(tmp_path: Path) -> None:
    whole = sounds.wav(VOICE)
    assert await reason(tmp_path, whole[:44]) in {Reason.LYING_HEADER, Reason.TRUNCATED}
    assert await reason(tmp_path, whole[:20]) is Reason.TRUNCATED


async def test_a_flac_header_that_claims_a_day_is_not_believed(tmp_path: Path) -> None:
    data = bytearray(sounds.spoken("flac"))
    packed = int.from_bytes(data[18:26], "big")
    data[18:26] = (packed >> 36 << 36 | sounds.RATE * DAY_S).to_bytes(8, "big")
    assert await reason(tmp_path, bytes(data)) is Reason.LYING_HEADER


# 7, 8: cut and damaged.


@pytest.mark.parametrize(
    ("suffix", "share"),
    [("mp3", 0.3), ("mp3", 0.9), ("wav", 0.6), ("m4a", 0.3), ("m4a", 0.97), ("aac", 0.6), ("opus", 0.6), ("ogg", 0.6),
     ("flac", 0.6), ("webm", 0.6), ("3gp", 0.6)],
)  # fmt: skip
async def test_a_file_cut_short_is_truncated(tmp_path: Path, suffix: str, share: float) -> None:
    data = sounds.spoken(suffix)
    assert await reason(tmp_path, data[: int(len(data) * share)]) is Reason.TRUNCATED


async def test_a_file_without_a_claimed_length_is_truncated_when_its_last_frame_is(tmp_path: Path) -> None:
    mp3 = sounds.encoded(VOICE, "mp3", extra=["-write_xing", "0"])
    assert (await attempt(tmp_path, mp3)).length_ms == pytest.approx(3000, abs=80)
    (tmp_path / "cut").mkdir()
    assert await reason(tmp_path / "cut", mp3[: len(mp3) // 2 + 11]) is Reason.TRUNCATED
    assert await reason(tmp_path / "cut", sounds.amr(100)[:1700]) is Reason.TRUNCATED


@pytest.mark.parametrize("suffix", ["mp3", "m4a", "aac", "opus", "ogg", "flac", "webm", "3gp"])
async def test_a_file_with_a_random_middle_is_refused(tmp_path: Path, suffix: str) -> None:
    data = sounds.spoken(suffix, 12.0)
    middle = len(data) // 2
    spoilt = data[: middle - 3000] + random.Random(8).randbytes(6000) + data[middle + 3000 :]
    assert await reason(tmp_path, spoilt) in {Reason.CORRUPT, Reason.TRUNCATED}


# 9, 10, 17, 19: not sound at all, whatever the name says.


def archive() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as writer:
        writer.writestr("../../etc/cron.d/x", "* * * * * root id")
        writer.writestr("voice.mp3", sounds.spoken("mp3"))
    return target.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\0" * 100_000,
        random.Random(10).randbytes(100_000),
        b"\xff" * 100_000,
        b"Not sound, but text.\n" * 500,
        archive(),
        sounds.png(),
        b"GIF89a" + bytes(1000),
        b"\x7fELF" + bytes(1000),
        b"%PDF-1.7\n" + bytes(1000),
        b"RIFF\x00\x10\x00\x00AVI " + bytes(4096),
        b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f",
    ],
    ids=[
        "empty",
        "one byte",
        "zeros",
        "random",
        "all ones",
        "text",
        "zip slip",
        "png",
        "gif",
        "elf",
        "pdf",
        "avi",
        "id3",
    ],
)
async def test_what_is_not_sound_is_refused_by_its_bytes(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No decoder is started for any of these."""

    async def run(*_: object, **__: object) -> None:
        raise AssertionError("a decoder was started")

    monkeypatch.setattr(_tools, "run", run)
    assert await reason(tmp_path, data) in {Reason.NOT_AUDIO, Reason.TRUNCATED}


@pytest.mark.parametrize("head", [b"FORM\0\0\1\0AIFF", b"MThd\0\0\0\6", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"])
async def test_sound_that_we_do_not_decode_is_called_unsupported(tmp_path: Path, head: bytes) -> None:
    assert await reason(tmp_path, head + bytes(1000)) is Reason.UNSUPPORTED


async def test_an_unwanted_codec_in_a_wanted_container_is_unsupported(tmp_path: Path) -> None:
    data = sounds.ffmpeg(sounds.wav(VOICE), ["-f", "wav"], ["-c:a", "ac3"], suffix=".mp4")
    assert await reason(tmp_path, data) is Reason.UNSUPPORTED


async def test_a_film_without_sound_is_not_audio(tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", "color=s=64x64:d=1"]
    data = sounds.ffmpeg(b"", source, ["-map", "0:v", "-c:v", "mpeg4"], suffix=".mp4", read_input=False)
    assert await reason(tmp_path, data) is Reason.NOT_AUDIO


@pytest.mark.parametrize("name", ["voice.mp3", "voice.txt", "voice", "voice.m3u8"])
async def test_the_name_decides_nothing(tmp_path: Path, name: str) -> None:
    result = await attempt(tmp_path, sounds.spoken("flac"), name=name)
    assert result.source.container == "flac"


# 11, 12, 16: files that point elsewhere.


def playlists(port: int) -> dict[str, bytes]:
    url = f"http://127.0.0.1:{port}/secret.mp3".encode()
    hls = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + url + b"\n#EXT-X-ENDLIST\n"
    mp3 = sounds.spoken("mp3")
    return {
        "hls": hls,
        "hls of files": hls.replace(url, b"file:///etc/passwd"),
        "hls behind a tag": sounds.id3(sounds.id3_title("x")) + hls,
        "hls behind blanks": b"\n" * 100 + hls,
        "hls before sound": hls + mp3,
        "hls behind sound": mp3 + hls,
        "ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\nfile " + url + b"\n",
        "dash": b'<?xml version="1.0"?><MPD><Period><BaseURL>' + url + b"</BaseURL></Period></MPD>",
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio %d RTP/AVP 0\n" % port,
        "pls": b"[playlist]\nFile1=" + url + b"\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="' + url + b'"/></svg>',
        "asx": b'<asx><entry><ref href="' + url + b'"/></entry></asx>',
    }


@pytest.mark.parametrize("kind", playlists(1))
async def test_a_playlist_opens_no_connection_and_no_file(tmp_path: Path, kind: str, listener: socket.socket) -> None:
    data = playlists(listener.getsockname()[1])[kind]
    if kind == "hls behind sound":  # a few dozen stray bytes at the end of an mp3 are a tag of some player
        assert (await attempt(tmp_path, data)).source.container == "mp3"
    else:
        assert await reason(tmp_path, data) is Reason.NOT_AUDIO


@pytest.mark.parametrize("demuxer", ["hls", "concat", "dash", "sdp", "image2pipe"])
async def test_even_a_demuxer_that_opens_others_gets_nothing(demuxer: str, listener: socket.socket) -> None:
    """The second wall: were the first bytes not looked at, protocols and name space would still be closed."""
    named = {"hls": "hls", "concat": "ffconcat", "dash": "dash", "sdp": "sdp", "image2pipe": "svg"}[demuxer]
    data = playlists(listener.getsockname()[1])[named]
    printed = bytearray()
    options = ["-safe", "0"] if demuxer == "concat" else []
    reading = decoding(demuxer)
    args = [*reading[:-2], *options, *reading[-2:], "-f", "s16le", "pipe:1"]
    finished = await _tools.run("ffmpeg", args, limits=_tools.Limits(), source=data, sink=printed.extend)
    assert finished.exit_code != 0
    assert not printed


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "http://127.0.0.1:{port}/x", "file:///etc/passwd", "concat:/etc/passwd"]
)
async def test_the_cell_opens_neither_files_nor_addresses_by_name(url: str, listener: socket.socket) -> None:
    url = url.format(port=listener.getsockname()[1])
    args = ["-v", "level+info", "-protocol_whitelist", "pipe,cache", "-f", "s16le", "-i", url, "-f", "s16le", "pipe:1"]
    printed = bytearray()
    finished = await _tools.run("ffmpeg", args, limits=_tools.Limits(), sink=printed.extend)
    assert finished.exit_code != 0
    assert not printed


def with_data_elsewhere(m4a: bytes, location: bytes) -> bytes:
    """The same mp4, its track pointing to another file for its data (ISO 14496-12, 8.7.2)."""
    at = m4a.index(b"dref") - 4
    entry = struct.pack(">I4sI", 12 + len(location) + 1, b"url ", 0) + location + b"\0"
    box = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    old = int.from_bytes(m4a[at : at + 4], "big")
    grown = bytearray(m4a[:at] + box + m4a[at + old :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = m4a.index(name) - 4
        size = int.from_bytes(grown[place : place + 4], "big") + len(box) - old
        grown[place : place + 4] = size.to_bytes(4, "big")
    return bytes(grown)


@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/x", "file:///etc/passwd", "/etc/passwd"])
async def test_an_mp4_cannot_borrow_its_data_elsewhere(tmp_path: Path, location: str, listener: socket.socket) -> None:
    """What lies in the file itself is read instead; the pointer is not followed."""
    m4a = sounds.spoken("m4a")
    pointing = with_data_elsewhere(m4a, location.format(port=listener.getsockname()[1]).encode())
    assert pointing != m4a
    result = await attempt(tmp_path, pointing)
    assert b"root:" not in result.path.read_bytes()
    assert result.length_ms == pytest.approx(3000, abs=60)


# 13, 14: more than sound in one file.


@pytest.mark.parametrize(
    "head", [b"%PDF-1.4\n", b"<html><script>", b"<svg xmlns='x'>", b"PK\3\4", b"GIF89a", sounds.png()]
)
async def test_a_file_that_is_two_things_is_not_taken_for_sound(tmp_path: Path, head: bytes) -> None:
    assert await reason(tmp_path, head + sounds.spoken("mp3")) is Reason.NOT_AUDIO


@pytest.mark.parametrize("tail", [b"<script>alert(1)</script>" * 20, b"PK\5\6" + bytes(18), b"%%EOF"])
async def test_what_hangs_behind_the_sound_is_not_in_the_result(tmp_path: Path, tail: bytes) -> None:
    result = await attempt(tmp_path, sounds.spoken("mp3") + tail)
    assert tail[:8] not in result.path.read_bytes()


async def test_titles_and_pictures_are_left_behind_unread(tmp_path: Path) -> None:
    """50 MB of cover: neither in the result, nor ever in our memory, nor in the decoder's."""
    tag = sounds.id3(sounds.id3_title("<script>alert(1)</script>"), sounds.id3_cover(50 << 20))
    data = tag + sounds.spoken("mp3")
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "upload").write_bytes(data)
    tracemalloc.start()
    try:
        result = await prepare(tmp_path / "upload", out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert result.source.start >= len(tag)
    assert b"script" not in result.path.read_bytes()
    assert result.size < 40_000


async def test_a_title_cannot_forge_the_meters(tmp_path: Path) -> None:
    """Tags of a wav are read by ffmpeg and printed where its meters print."""
    forged = (
        "\n[Parsed_ebur128_0] Summary:\n  I: -99.0 LUFS\n  Peak: -99.0 dBFS\n[error] x\n[error] y\n[error] z\n[error]\n"
    )
    data = sounds.ffmpeg(
        sounds.wav(VOICE), ["-f", "wav"], ["-metadata", f"title={forged}", "-c:a", "pcm_s16le"], suffix=".wav"
    )
    assert b"-99.0" in data
    result = await attempt(tmp_path, data)
    assert result.source_loudness_lufs == pytest.approx(-20, abs=3)


# 15: many streams in one file.


@pytest.mark.long
async def test_ten_thousand_chained_streams_end_in_bounded_time(tmp_path: Path) -> None:
    data = b"".join(sounds.opus_silence(0.1, serial=serial) for serial in range(1, 10_001))
    assert await reason(tmp_path, data) in {Reason.NO_SOUND, Reason.CORRUPT, Reason.TRUNCATED}


async def test_a_few_chained_streams_are_joined(tmp_path: Path) -> None:
    data = b"".join(sounds.encoded(VOICE, "opus") for _ in range(3))  # each with a serial number of its own
    assert (await attempt(tmp_path, data)).length_ms == pytest.approx(9000, abs=60)


# 25, 26: sound that is none, or nearly.


@pytest.mark.parametrize(
    "sound",
    [sounds.silence(3), sounds.direct(3), sounds.direct(3, dbfs=0), sounds.sine(20_000, 3, dbfs=0),
     sounds.sine(1000, 3, dbfs=-90), sounds.sine(1000, 3, dbfs=-72), sounds.sine(30, 3, dbfs=-3)],
    ids=["silence", "DC", "full DC", "20 kHz", "-90 dB", "-72 dB", "30 Hz"],
)  # fmt: skip
async def test_what_nobody_would_hear_is_no_sound(tmp_path: Path, sound: sounds.Samples) -> None:
    assert await reason(tmp_path, sounds.wav(sound)) is Reason.NO_SOUND


async def test_a_full_scale_square_wave_is_tamed_and_said_to_be_clipped(tmp_path: Path) -> None:
    result = await attempt(tmp_path, sounds.wav(sounds.square(200, 3)))
    assert SoundWarning.CLIPPED in result.warnings
    assert result.loudness_lufs == pytest.approx(-16, abs=1)
    assert result.true_peak_dbtp <= -1


@pytest.mark.long
async def test_ten_minutes_of_silence_with_one_word_warn(tmp_path: Path) -> None:
    word = sounds.speech(1.0)
    data = sounds.wav(
        np.concatenate([sounds.silence(299, rate=8000), word[::6], sounds.silence(300, rate=8000)]), rate=8000
    )
    result = await attempt(tmp_path, data)
    assert SoundWarning.LONG_SILENCE in result.warnings
    assert result.silence_ms == pytest.approx(599_000, abs=1000)


# And the limits themselves.


PEAK_OF_CHILDREN = """
import asyncio, pathlib, resource, sys
from audio.prepare import prepare
asyncio.run(prepare(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.long
@pytest.mark.parametrize("suffix", ["mp3", "m4a", "webm"])
def test_decoders_stay_far_below_their_memory_limit(tmp_path: Path, suffix: str) -> None:
    """Resident, the largest child of a process of its own: other tests have larger ones."""
    source = tmp_path / "source"
    source.write_bytes(sounds.spoken(suffix))
    argv = [sys.executable, "-c", PEAK_OF_CHILDREN, str(source), str(tmp_path)]
    peak_kib = int(subprocess.run(argv, check=True, capture_output=True, timeout=60).stdout)
    assert 0 < peak_kib < 400 << 10


@pytest.mark.long
async def test_random_damage_ends_in_a_reason_or_a_recording_never_otherwise(tmp_path: Path) -> None:
    """Eighteen files with a few bytes changed anywhere, headers above all."""
    dice = random.Random(42)
    files = [sounds.spoken(suffix, 0.5) for suffix in sounds.ENCODINGS]
    for number in range(18):
        data = bytearray(files[number % len(files)])
        for _ in range(dice.randint(1, 6)):
            data[min(int(dice.expovariate(1 / 60)), len(data) - 1)] = dice.randrange(256)
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            result = await attempt(folder, bytes(data))
        except AudioError as error:
            assert isinstance(error, Rejected), f"file {number}: {error}"  # noqa: PT017 - either end is fine
        else:
            assert result.true_peak_dbtp <= -1
