"""Makes the one canonical format: Ogg Opus, mono, 48 kHz, without tags or pictures, bit-exact.

Gain is linear, measured beforehand; a limiter takes what then stands above the ceiling. Which gain, and whether the
result is good, is decided in ``prepare``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import IO

from audio import _tools
from audio.errors import CorruptAudioError, LimitReachedError, Rejected, ToolFailedError
from audio.measure import Decoding

THOROUGH, FAST = 10, 5
"""libopus complexity. From 7 on it keeps 4 dB more of the waveform and takes three times as long (decision 0002).
Below 7 unconstrained variable bit rate doubles the size, so it is constrained."""
THOROUGH_UP_TO_S = 180
"""Announcements are short and get the better encoding; a long programme is ready sixty times faster than it plays."""
ATTACK_MS, RELEASE_MS = 1, 8
"""The limiter lets go within one swing of the voice; slower ones bend more of the waveform for the same loudness
(decision 0002)."""


def chain(gain_db: float, ceiling_db: float | None) -> str:
    """The filters that raise a sound by ``gain_db`` and hold its samples below ``ceiling_db`` (None: no limiter)."""
    gain = f"volume={gain_db:.2f}dB"
    if ceiling_db is None:
        return gain
    return f"{gain},alimiter=limit={ceiling_db:.2f}dB:attack={ATTACK_MS}:release={RELEASE_MS}:level=0:latency=1"


def trim(head: bytes, gain_db: float) -> bytes:
    """The first page of an Ogg Opus file with its output gain set, which every decoder applies (RFC 7845, 5.1).

    Rounded towards silence, to 1/256 dB. Costs no second encoding and bends no waveform.

    Raises:
        CorruptAudioError: ``head`` is not such a page.
    """
    segments = head[26] if len(head) > 27 else 0
    length = 27 + segments + sum(head[27 : 27 + segments])
    body = 27 + segments
    if head[:4] != b"OggS" or head[body : body + 8] != b"OpusHead" or len(head) < length:
        raise CorruptAudioError("not the first page of an Ogg Opus file")
    page = bytearray(head[:length])
    struct.pack_into("<h", page, body + 16, math.floor(gain_db * 256))
    struct.pack_into("<I", page, 22, 0)
    struct.pack_into("<I", page, 22, _ogg_crc(page))
    return bytes(page)


def _ogg_crc(page: bytes | bytearray) -> int:
    """The checksum of RFC 3533: polynomial 0x04C11DB7, neither reflected nor inverted."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


async def transcode(
    file: IO[bytes],
    source: Decoding,
    sink: Callable[[bytes], object],
    *,
    filters: str,
    kbits: int,
    thorough: bool,
    limits: _tools.Limits,
) -> None:
    """Encode from where ``file`` stands and hand the Ogg pages to ``sink``; ``filters`` gives mono at 48 kHz.

    Raises:
        Rejected: the encoder used up its limits.
        ToolFailedError: it could not finish.
    """
    bare = ("-vn", "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1")
    opus = (
        "-c:a",
        "libopus",
        "-b:a",
        f"{kbits}k",
        "-vbr",
        "constrained",
        "-application",
        "audio",
        "-frame_duration",
        "20",
    )
    # The flags fix the stream's serial number and keep version strings out.
    exact = ("-compression_level", str(THOROUGH if thorough else FAST), "-fflags", "+bitexact", "-flags:a", "+bitexact")
    args = [*source, "-map", "0:a:0", *bare, "-af", filters, *opus, *exact, "-f", "ogg", "pipe:1"]
    try:
        finished = await _tools.run("ffmpeg", args, limits=limits, source=file, sink=sink)
    except LimitReachedError as error:
        raise Rejected(error.reason, str(error)) from error
    if finished.exit_code != 0:
        raise ToolFailedError("ffmpeg", finished.exit_code, finished.last_words)
