"""Keeps pieces of a canonical recording: cut to the sample, with a short fade at each seam, as FLAC.

Which pieces is the caller's business. The sound streams through; a recording of an hour takes no more memory than a
short one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO

from audio import _tools
from audio._levels import RATE
from audio.errors import AudioError, ToolFailedError
from audio.measure import CANONICAL, MONO

FADE_MS = 5
"""Against clicks at the seams; as ``audio.mix`` does."""
LEAST_MS = 2 * FADE_MS
BYTES_PER_MS = 2 * RATE // 1000
"""At most, of what is kept: FLAC is smaller than the samples."""
_LIMITS = _tools.Limits()
_PER_MS = RATE // 1000

Span = tuple[int, int]
"""From and until, in ms of the recording."""


async def cut(file: IO[bytes], spans: Sequence[Span], sink: Callable[[bytes], object]) -> None:
    """Hand these pieces of an Ogg Opus file, one after another, as one FLAC file to ``sink``.

    ``spans`` ascend and do not overlap: so nothing has to be kept until its turn comes.

    Raises:
        AudioError: no pieces, or not so.
        LimitReachedError: it took too long.
        ToolFailedError: the file could not be decoded.
    """
    graph = graph_of(spans)
    bare = ("-vn", "-sn", "-dn", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact")
    args = [*CANONICAL, "-filter_complex", graph, "-map", "[kept]", *bare, "-c:a", "flac", "-f", "flac", "pipe:1"]
    finished = await _tools.run("ffmpeg", args, limits=_LIMITS, source=file, sink=sink)
    if finished.exit_code != 0:
        raise ToolFailedError("ffmpeg", finished.exit_code, finished.last_words)


def graph_of(spans: Sequence[Span]) -> str:
    """Give the filters that keep these pieces.

    Raises:
        AudioError: there are none, one is too short for its fades, or they do not ascend.
    """
    ends = [-1, *(until for _, until in spans)]
    ascend = all(before < 0 or before <= start for before, (start, _) in zip(ends, spans, strict=False))
    if not spans or not ascend or any(start < 0 or until - start < LEAST_MS for start, until in spans):
        raise AudioError(f"pieces to keep: at least one, each {LEAST_MS} ms or more, one after another")
    ways = "".join(f"[whole{number}]" for number in range(len(spans)))
    pieces = [f"[0:a:0]{MONO},aformat=sample_fmts=s16,asplit={len(spans)}{ways}"]
    pieces += [f"[whole{number}]{_piece(*span)}[piece{number}]" for number, span in enumerate(spans)]
    kept = "".join(f"[piece{number}]" for number in range(len(spans)))
    return ";".join([*pieces, f"{kept}concat=n={len(spans)}:v=0:a=1[kept]"])


def _piece(start_ms: int, until_ms: int) -> str:
    samples, fade = (until_ms - start_ms) * _PER_MS, FADE_MS * _PER_MS
    ends = f"afade=t=in:ss=0:ns={fade},afade=t=out:ss={samples - fade}:ns={fade}"
    return f"atrim=start_sample={start_ms * _PER_MS}:end_sample={until_ms * _PER_MS},asetpts=PTS-STARTPTS,{ends}"
