"""Joins short clips with pauses between: the only user of pydub, which keeps whole clips in memory.

Decoding and encoding go through our own cells, never through pydub's ffmpeg.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

with warnings.catch_warnings():
    # pydub 0.25 has regular expressions that Python 3.12 calls doubtful, and audioop, which 3.11 calls old.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

from audio import _tools
from audio._levels import RATE
from audio.errors import AudioError, ToolFailedError
from audio.measure import decoding, measure

MAX_CLIP_S = 1800
LOUDNESS_LUFS = -20.0
"""What each clip is brought to before joining, so that none shouts down its neighbour."""
MAX_GAIN_DB = 20.0
HEADROOM_DBFS = -0.5
FADE_MS = 5
"""Against clicks at the seams."""
_MONO = f"aformat=channel_layouts=mono,aresample={RATE}"
_LIMITS = _tools.Limits(cpu_s=120, wall_s=240, output_bytes=MAX_CLIP_S * RATE * 2)


async def join(clips: Sequence[bytes], *, pause_ms: int = 600) -> bytes:
    """WAV files one after another, evened out in loudness, as one WAV: mono, 48 kHz.

    Raises:
        AudioError: no clips.
        Rejected: a clip is longer than half an hour.
        ToolFailedError: a clip is not WAV.
    """
    if not clips:
        raise AudioError("there is nothing to join: give at least one clip")
    joined = AudioSegment.empty()
    for number, clip in enumerate(clips):
        if number:
            joined += AudioSegment.silent(duration=pause_ms, frame_rate=RATE)
        joined += await _even(clip)
    target = io.BytesIO()
    joined.export(target, format="wav")
    return target.getvalue()


async def to_mp3(wav: bytes, *, kbits: int = 64) -> bytes:
    """A WAV file as mp3, constant bit rate, without tags.

    Raises:
        ToolFailedError: it is not WAV.
    """
    bare = ("-map", "0:a:0", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact")
    args = [*decoding("wav"), *bare, "-c:a", "libmp3lame", "-b:a", f"{kbits}k", "-f", "mp3", "pipe:1"]
    return await _convert(args, wav)


async def _even(clip: bytes) -> AudioSegment:
    measured = await measure(clip, decoding("wav"), limits=_LIMITS, max_samples=MAX_CLIP_S * RATE, mono=_MONO)
    args = [*decoding("wav"), "-map", "0:a:0", "-af", f"{_MONO},aformat=sample_fmts=s16", "-f", "s16le", "pipe:1"]
    pcm = await _convert(args, clip)
    segment = AudioSegment(data=pcm, sample_width=2, frame_rate=RATE, channels=1)
    if measured.loudness_lufs is not None:
        wanted = min(LOUDNESS_LUFS - measured.loudness_lufs, MAX_GAIN_DB, HEADROOM_DBFS - measured.peak_dbfs)
        segment = segment.apply_gain(wanted)
    return segment.fade_in(FADE_MS).fade_out(FADE_MS)


async def _convert(args: list[str], data: bytes) -> bytes:
    printed = bytearray()
    finished = await _tools.run("ffmpeg", args, limits=_LIMITS, source=data, sink=printed.extend)
    if finished.exit_code != 0:
        raise ToolFailedError("ffmpeg", finished.exit_code, finished.last_words)
    return bytes(printed)
