"""Compares what left each node's output with what was uploaded, and what the node reported. One verdict.

Reads only what a virtual output leaves behind: ``output.wav`` (s16 mono, 48 kHz) and ``output.instants.jsonl``, lines
of ``{"frame", "at_ns"}``: the UTC instant, in nanoseconds since 1970, at which that frame was consumed.
"""

import asyncio
import bisect
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from audio import correlate

RATE = 48_000
HEADER_BYTES = 44

MIN_CORRELATION = 0.95
"""Over the whole length; what the 32 kbit/s codec leaves of speech is above 0.97 (docs/decisions)."""
MAX_HZ = 4_000
"""Both signals are compared below this: above it the codec keeps the sound, not the waveform."""
MAX_START_ERROR_MS = 50.0
"""A demonstration on a busy machine must stay below; measured figures are in docs/benchmarks.md."""
MAX_RESIDUAL_DBFS = -60.0
"""Louder than this outside of the plays is somebody else speaking."""


@dataclass(frozen=True)
class PlayVerdict:
    """One play of one node: what was found in its output beside what it reported."""

    kind: str
    """``scheduled`` or ``now``."""
    correlation: float
    start_error_ms: float | None
    """Found in the output, not as reported; None when the sound was not found."""
    played_ms: int
    requested_ms: int
    evidence: str
    simulated: bool
    outcome: str


@dataclass
class NodeVerdict:
    """All plays of a node."""

    node: str
    plays: list[PlayVerdict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expected:
    """One broadcast that the check made."""

    kind: str
    start_at: datetime
    plays: dict[str, dict[str, Any]]
    """What each node reported, by node id (``PlayOut``)."""


async def judge_node(
    name: str, node_id: str, folder: Path, reference: correlate.Samples, expected: list[Expected]
) -> NodeVerdict:
    """Find every expected play in a node's output, once, and nothing else."""
    verdict = NodeVerdict(name)
    output = np.fromfile(folder / "output.wav", dtype=np.int16, offset=HEADER_BYTES)
    found = await asyncio.to_thread(correlate.compare, reference, output, max_hz=MAX_HZ)
    instants = Instants(folder / "output.instants.jsonl")
    if len(found.matches) != len(expected):
        verdict.problems.append(f"sounded {len(found.matches)} times instead of {len(expected)}")
    if found.residual_dbfs > MAX_RESIDUAL_DBFS:
        verdict.problems.append(f"something else sounded: {found.residual_dbfs:.0f} dBFS")
    for index, one in enumerate(expected):
        match = found.matches[index] if index < len(found.matches) else None
        verdict.plays.append(_judge_play(one, node_id, match, instants))
    verdict.problems += [problem for play in verdict.plays for problem in _problems(play)]
    return verdict


def _judge_play(expected: Expected, node_id: str, match: correlate.Match | None, instants: "Instants") -> PlayVerdict:
    report = expected.plays[node_id]
    error_ms = None
    if match is not None:
        error_ms = round((instants.at(match.start) - expected.start_at.timestamp()) * 1000, 3)
    grade = report["grade"]
    return PlayVerdict(
        kind=expected.kind,
        correlation=round(match.correlation, 4) if match else 0.0,
        start_error_ms=error_ms,
        played_ms=report["played_ms"] or 0,
        requested_ms=report["requested_ms"] or 0,
        evidence="E0" if grade is None else f"E{grade}",
        simulated=report["simulated"],
        outcome=report["outcome"],
    )


def _problems(play: PlayVerdict) -> list[str]:
    checks = {
        f"{play.kind}: outcome {play.outcome}": play.outcome == "played",
        f"{play.kind}: evidence {play.evidence}": play.evidence in {"E1", "E2", "E3"},
        f"{play.kind}: correlation {play.correlation}": play.correlation >= MIN_CORRELATION,
        f"{play.kind}: start error {play.start_error_ms} ms": play.start_error_ms is not None
        and abs(play.start_error_ms) <= MAX_START_ERROR_MS,
        f"{play.kind}: {play.played_ms} of {play.requested_ms} ms": abs(play.played_ms - play.requested_ms)
        <= play.requested_ms / 100,
    }
    return [problem for problem, good in checks.items() if not good]


def report(verdicts: list[NodeVerdict]) -> dict[str, Any]:
    """Give the one JSON object of DESIGN section 10."""
    return {"pass": all(not verdict.problems for verdict in verdicts), "nodes": [asdict(one) for one in verdicts]}


class Instants:
    """When each frame of a virtual output was consumed."""

    def __init__(self, path: Path) -> None:
        marks = [json.loads(line) for line in path.read_text().splitlines()]
        self._frames: list[int] = [mark["frame"] for mark in marks]
        self._seconds: list[float] = [mark["at_ns"] / 1e9 for mark in marks]

    def at(self, frame: int) -> float:
        """Give the instant of a frame, in seconds since 1970, from the last mark at or before it."""
        index = max(0, bisect.bisect_right(self._frames, frame) - 1)
        return self._seconds[index] + (frame - self._frames[index]) / RATE
