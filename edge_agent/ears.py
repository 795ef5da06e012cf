"""The node's ears: a small process of its own that judges pieces of sound, so that the agent never loads numpy.

It lives while something sounds, asks nobody for anything, and ends with its standard input. Requests are a line of JSON
and, behind it, the bytes that it announces; answers are a line each. Started by ``edge_agent.judge``.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from audio.correlate import samples
from audio.hearing import Verdict, listen
from audio.reference import Transfer, compare, measure
from edge_agent.heard import Compare, Compared, Piece, PieceHeard, Request, Way

NICE = 10
"""Sound goes before what is thought of it."""
OUT_OF_MEMORY = Path("/proc/self/oom_score_adj")
"""And when memory runs out, this process goes first."""


def main() -> None:
    """Answer until nobody asks."""
    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with contextlib.suppress(OSError), OUT_OF_MEMORY.open("w") as score:
        score.write("500")
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        target.write(msgspec.json.encode(answer(msgspec.json.decode(line, type=Request), source)) + b"\n")
        target.flush()


def answer(request: Piece | Compare, source: BinaryIO) -> PieceHeard | Compared:
    """Judge one thing; a piece's samples are read from ``source``."""
    if isinstance(request, Piece):
        sent = source.read(request.sent_bytes)
        return _judge(sent, source.read(request.captured_bytes))
    now, reference = (_together(one) for one in (request.now, request.reference))
    found = compare(reference, now)
    level_db = max(found.level_db, -200.0)  # JSON knows no infinity
    return Compared(change=found.change.value, level_db=level_db, colour_db=found.colour_db, moved=found.moved)


def _judge(sent: bytes, captured: bytes) -> PieceHeard:
    x, y = samples(sent), samples(captured)
    found = listen(x, y)
    way = measure(x, y, found.delay_ms) if found.verdict is Verdict.HEARD else None
    return PieceHeard(
        verdict=found.verdict.value,
        clarity=found.clarity,
        score=found.score,
        delay_ms=found.delay_ms,
        captured_dbfs=max(found.captured_dbfs, -200.0),
        way=None if way is None else Way(way.sent, way.heard, way.chance, way.arrivals),
    )


def _together(ways: tuple[Way, ...]) -> Transfer:
    first, *others = (Transfer(one.sent, one.heard, one.chance, one.arrivals) for one in ways)
    for other in others:
        first += other
    return first


if __name__ == "__main__":
    main()
