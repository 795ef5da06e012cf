"""What a sound file really holds, found by decoding all of it: length, loudness, silence, level over time.

Headers are only compared with what was decoded, never believed. The samples stream through; none are kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from audio import _tools
from audio._levels import RATE, Levels
from audio.errors import LimitReachedError, Reason, Rejected, ToolFailedError

BYTES_PER_SAMPLE = 2
_LOUDNESS = re.compile(r"I:\s+(\S+) LUFS")
_PEAK = re.compile(r"Peak:\s+(\S+) dBFS")
SLACK = RATE
"""Samples over the limit that are let pass: codecs pad."""
FLOOR_LUFS = -70.0
"""The absolute gate of EBU R128: what lies below has no loudness."""

Decoding = tuple[str, ...]
"""ffmpeg's arguments before ``-i`` and the input itself."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was decoded."""

    samples: int
    """Mono samples at 48 kHz."""
    length_ms: int
    """Rounded up."""
    loudness_lufs: float | None
    """Integrated loudness (EBU R128), one channel; None when nothing passes the gate of -70 LUFS."""
    true_peak_dbtp: float | None
    """Highest level between samples; None when it was not asked for, or for digital silence."""
    peak_dbfs: float
    """Highest sample; -inf for digital silence."""
    audible_dbfs: float
    """Level of the loudest second between 150 Hz and 8 kHz, what a horn can give; -inf for none."""
    silences_ms: tuple[tuple[int, int], ...]
    """Start and end of each silence of at least 300 ms."""
    silence_ms: int
    """Their sum."""
    longest_silence_ms: int
    waveform: tuple[int, ...]
    """At most 800 peaks, 0..255 of full scale, evenly spaced."""
    clipped: bool
    """Whether peaks are cut flat."""
    errors: int
    """Complaints of the decoder."""
    levels: Levels = field(repr=False, compare=False)
    """The finer figures."""


def decoding(demuxer: str, *, seekable: bool = False) -> Decoding:
    """Arguments that let ffmpeg read its standard input with one demuxer and nothing else."""
    protocols, source = ("pipe,cache", "cache:pipe:0") if seekable else ("pipe", "pipe:0")
    ahead = ("-read_ahead_limit", "-1") if seekable else ()
    return (
        *("-hide_banner", "-nostdin", "-nostats", "-v", "level+info", "-threads", "1", "-filter_threads", "1"),
        *("-protocol_whitelist", protocols, "-f", demuxer, *ahead, "-i", source),
    )


CANONICAL: Decoding = decoding("ogg")


def mixdown(channels: int, *, first_only: bool = False) -> str:
    """The filter that makes one channel at 48 kHz of ``channels``: their mean, which never clips, or the first."""
    inputs = [f"c{number}" for number in range(1 if first_only else channels)]
    return f"pan=mono|c0<{'+'.join(inputs)},aresample={RATE}"


MONO = mixdown(1)


async def measure(
    file: IO[bytes] | bytes,
    source: Decoding,
    *,
    limits: _tools.Limits,
    max_samples: int,
    mono: str = MONO,
    verify: bool = False,
    on_samples: Callable[[int], None] | None = None,
) -> Measurement:
    """Decode from where ``file`` stands to its end and measure.

    ``mono`` is the filter that mixes the channels down (``mixdown``).
    ``verify`` is for our own encoding: it looks for the true peak, not for silence, clipping or audibility.

    Raises:
        Rejected: longer than ``max_samples``, or the decoder used up its limits.
        ToolFailedError: the decoder could not read it.
    """
    levels = Levels(outline=verify)

    def take(piece: bytes) -> None:
        levels.feed(piece)
        if levels.samples > max_samples + SLACK:
            limit = max_samples / RATE
            raise Rejected(
                Reason.TOO_LONG, f"the sound is longer than {limit:g} s", found=levels.samples / RATE, limit=limit
            )
        if on_samples is not None:
            on_samples(levels.samples)

    meter = f"ebur128=framelog=verbose:peak={'true' if verify else 'none'}"
    filters = f"{mono},{meter},aformat=sample_fmts=s16"
    args = [*source, "-map", "0:a:0", "-vn", "-sn", "-dn", "-af", filters, "-f", "s16le", "pipe:1"]
    try:
        finished = await _tools.run("ffmpeg", args, limits=limits, source=file, sink=take)
    except LimitReachedError as error:
        raise Rejected(error.reason, str(error)) from error
    if finished.exit_code != 0:
        raise ToolFailedError("ffmpeg", finished.exit_code, finished.last_words)
    return _result(levels, finished, true_peak=verify)


def _result(levels: Levels, finished: _tools.Finished, *, true_peak: bool) -> Measurement:
    """Join our numbers with the meter's. The summary is the last thing printed: a title cannot forge it."""
    _, found, summary = finished.words.rpartition("Summary:")
    loudness, peak = _number(_LOUDNESS, summary), _number(_PEAK, summary)
    if not found and levels.samples:
        raise ToolFailedError("ffmpeg", finished.exit_code, "the loudness meter gave no summary")
    silences = levels.silences(loudness)
    lengths = [end - start for start, end in silences]
    return Measurement(
        samples=levels.samples,
        length_ms=math.ceil(levels.samples * 1000 / RATE),
        loudness_lufs=loudness if loudness is not None and loudness > FLOOR_LUFS else None,
        true_peak_dbtp=peak if true_peak else None,
        peak_dbfs=levels.peak_dbfs,
        audible_dbfs=levels.audible_dbfs,
        silences_ms=silences,
        silence_ms=sum(lengths),
        longest_silence_ms=max(lengths, default=0),
        waveform=levels.waveform(),
        clipped=levels.clipped,
        errors=finished.errors,
        levels=levels,
    )


def _number(pattern: re.Pattern[str], text: str) -> float | None:
    """A finite number or None: ffmpeg prints ``nan`` and ``-inf`` too."""
    match = pattern.search(text)
    value = float(match[1]) if match else math.nan
    return value if math.isfinite(value) else None
