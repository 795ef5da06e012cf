"""What a file says about itself, before it is decoded: container, codec, channels, rate, claimed length.

All of it is hearsay. It decides who may decode the file, never how long the sound is.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import IO, Any

from audio import _sniff, _tools
from audio.errors import LimitReachedError, Reason, Rejected
from audio.measure import decoding

_FILES = {"mp3", "mp2", "mp1", "aac", "opus", "vorbis", "flac", "alac", "amr_nb", "amr_wb"}
_PCM = {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"}
CODECS = frozenset(_FILES | _PCM | {"adpcm_ms", "adpcm_ima_wav"})
"""Decoders that may run: what people have, and small enough a surface."""
_CLAIMING = frozenset({"mov", "matroska", "flac"})
"""Demuxers whose length stands in the file; the others guess it from the bit rate."""
_PROBE_LIMITS = _tools.Limits(cpu_s=20, wall_s=60, output_bytes=_tools.MIB)


@dataclass(frozen=True, slots=True)
class Source:
    """An uploaded file as its own header describes it."""

    container: str
    """The demuxer that reads it: wav, mp3, mov (m4a, mp4, 3gp), ogg, flac, amr, matroska (webm), aac."""
    codec: str
    channels: int
    sample_rate: int
    """Hertz."""
    size: int
    """Bytes."""
    claimed_ms: int | None
    """Length by the header; None when it claims none. Of an Ogg file at most a page less."""
    ends_early: bool
    """The file ends in the middle of a frame or page."""
    start: int
    """Byte at which sound begins, behind tags."""
    seekable: bool
    """Needs to be read out of order."""


async def probe(file: IO[bytes], *, max_channels: int) -> Source:
    """Describe a file, opened unbuffered or not; where it stands is of no matter.

    Raises:
        Rejected: not audio, unsupported, too many channels, truncated before any sound, lying header.
    """
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise Rejected(Reason.NOT_AUDIO, "the file is empty")
    sniffed = _sniff.sniff(file, size)
    found = await _ask(file, sniffed, size)
    track = _sound_track(found)
    channels, rate = int(track.get("channels", 0)), int(track.get("sample_rate", 0))
    if channels > max_channels:
        message = f"the file has {channels} channels, at most {max_channels} are taken: mix it down first"
        raise Rejected(Reason.TOO_MANY_CHANNELS, message, found=channels, limit=max_channels)
    if channels == 0 or not _sniff.RATES[0] <= rate <= _sniff.RATES[1]:
        message = f"the header claims {channels} channels at {rate} Hz, which no recorder makes"
        raise Rejected(Reason.LYING_HEADER, message, found=rate)
    claimed = sniffed.claimed_s if sniffed.claimed_s is not None else _claimed_s(found, track, sniffed.demuxer)
    return Source(
        container=sniffed.demuxer,
        codec=track["codec_name"],
        channels=channels,
        sample_rate=rate,
        size=size,
        claimed_ms=None if claimed is None else round(claimed * 1000),
        ends_early=sniffed.ends_early,
        start=sniffed.start,
        seekable=sniffed.seekable,
    )


async def _ask(file: IO[bytes], sniffed: _sniff.Sniffed, size: int) -> dict[str, Any]:
    entries = "stream=codec_type,codec_name,channels,sample_rate,duration:format=duration"
    reading = decoding(sniffed.demuxer, seekable=sniffed.seekable)
    args = [*_without_ffmpeg_only(reading), "-show_entries", entries, "-of", "json"]
    os.lseek(file.fileno(), sniffed.start, os.SEEK_SET)
    limits = _tools.with_file_room(_PROBE_LIMITS, size)
    printed = bytearray()
    try:
        finished = await _tools.run("ffprobe", args, limits=limits, source=file, sink=printed.extend)
    except LimitReachedError as error:
        # What prints a megabyte about itself has thousands of tracks: no recording.
        reason = Reason.UNSUPPORTED if error.reason is Reason.TOO_LONG else error.reason
        raise Rejected(reason, str(error)) from error
    if finished.exit_code == 0:
        answer: dict[str, Any] = json.loads(printed)
        return answer
    if sniffed.ends_early or "moov atom not found" in finished.words:
        raise Rejected(Reason.TRUNCATED, "the file ends too early to be read: record or send it again")
    raise Rejected(Reason.CORRUPT, f"the {sniffed.demuxer} file cannot be read: {finished.last_words}")


def _without_ffmpeg_only(arguments: tuple[str, ...]) -> list[str]:
    """Leave out what ffprobe does not know."""
    left = [argument for argument in arguments if argument not in {"-nostdin", "-nostats"}]
    at = left.index("-filter_threads")
    return left[:at] + left[at + 2 :]


def _sound_track(found: dict[str, Any]) -> dict[str, Any]:
    """The first sound track; later ones are not listened to."""
    tracks: list[dict[str, Any]] = [t for t in found.get("streams", []) if t.get("codec_type") == "audio"]
    if not tracks:
        raise Rejected(Reason.NOT_AUDIO, "the file holds no sound track")
    codec = tracks[0].get("codec_name", "unknown")
    if codec not in CODECS:
        raise Rejected(Reason.UNSUPPORTED, f"sound coded as {codec} is not supported: save it as mp3, wav or m4a")
    return tracks[0]


def _claimed_s(found: dict[str, Any], track: dict[str, Any], demuxer: str) -> float | None:
    """Seconds by the sound track, or by the file when it holds nothing but sound."""
    if demuxer not in _CLAIMING:
        return None
    alone = len(found.get("streams", [])) == 1
    claim = track.get("duration") or (found.get("format", {}).get("duration") if alone else None)
    return None if claim is None else float(claim)
