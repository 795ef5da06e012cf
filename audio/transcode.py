"""Makes the one canonical format: Ogg Opus, mono, 48 kHz, without tags or pictures, bit-exact.

Gain is linear, measured beforehand; a limiter takes what then stands above the ceiling. Which gain, and whether the
result is good, is decided in ``prepare``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from audio import _tools
from audio.errors import LimitReachedError, Rejected, ToolFailedError
from audio.measure import MONO, Decoding

COMPRESSION = 5
"""libopus complexity: from 7 on it takes three times as long (decision 0002). Below 7, unconstrained variable bit
rate doubles the size, so it is constrained."""
ATTACK_MS, RELEASE_MS = 2, 20
"""The limiter lets go within a syllable; slower ones bend the waveform more for the same loudness (decision 0002)."""


def chain(gain_db: float, ceiling_db: float | None) -> str:
    """The filters that raise a sound by ``gain_db`` and hold its samples below ``ceiling_db`` (None: no limiter)."""
    gain = f"volume={gain_db:.2f}dB"
    if ceiling_db is None:
        return gain
    return f"{gain},alimiter=limit={ceiling_db:.2f}dB:attack={ATTACK_MS}:release={RELEASE_MS}:level=0:latency=1"


async def transcode(
    file: IO[bytes],
    source: Decoding,
    sink: Callable[[bytes], object],
    *,
    filters: str,
    kbits: int,
    limits: _tools.Limits,
) -> None:
    """Encode from where ``file`` stands and hand the Ogg pages to ``sink``.

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
    exact = ("-compression_level", str(COMPRESSION), "-fflags", "+bitexact", "-flags:a", "+bitexact")
    args = [*source, "-map", "0:a:0", *bare, "-af", f"{MONO},{filters}", *opus, *exact, "-f", "ogg", "pipe:1"]
    try:
        finished = await _tools.run("ffmpeg", args, limits=limits, source=file, sink=sink)
    except LimitReachedError as error:
        raise Rejected(error.reason, str(error)) from error
    if finished.exit_code != 0:
        raise ToolFailedError("ffmpeg", finished.exit_code, finished.last_words)
