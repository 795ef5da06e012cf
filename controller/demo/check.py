"""Compares what left each node's output with what was uploaded, and what the node reported. One verdict.

It hears: what a node says of itself is only compared with what was heard. Where the recording comes from is for
whoever calls; ``VirtualRecording`` reads what a virtual output leaves behind.
"""

import asyncio
import bisect
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio import correlate

RATE = 48_000
HEADER_BYTES = 44

MIN_CORRELATION = 0.95
"""Over the whole length, below ``MAX_HZ``; the codec leaves 0.96 to 0.98 of speech and tunes (decision 0002)."""
MAX_HZ = 4_000
"""Both signals are compared below this: above it the codec keeps the sound, not the waveform."""
MAX_START_ERROR_MS = 50.0
"""A demonstration on a busy machine must stay below; measured figures are in docs/benchmarks.md."""
MAX_RESIDUAL_DBFS = -60.0
"""Any 50 ms outside of the plays that are louder are somebody else speaking."""
MAX_LENGTH_ERROR = 0.01
"""DESIGN section 6: expected frames ± 1 %."""


class Recorded(Protocol):
    """What left an output."""

    @property
    def samples(self) -> correlate.Samples:
        """All of it, mono, 48 kHz."""

    def at(self, frame: int) -> float:
        """Give the instant at which a frame left the output, in seconds since 1970."""


@dataclass(frozen=True)
class PlayVerdict:
    """One play of one node: what was found in its output beside what it reported."""

    kind: str
    """``scheduled`` or ``now``."""
    correlation: float
    """Over the whole length; 0 when the sound was not found."""
    start_error_ms: float | None
    """Found in the output, not as reported; None when the sound was not found."""
    played_ms: int
    requested_ms: int
    evidence: str
    """``E0`` to ``E3``, as reported."""
    simulated: bool
    """The evidence rests on a virtual output."""
    outcome: str
    """As reported; ``none`` when the node reported none."""


@dataclass
class NodeVerdict:
    """All plays of a node, and what is not good about them."""

    node: str
    plays: list[PlayVerdict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expected:
    """One broadcast that was sent."""

    kind: str
    start_at: datetime
    plays: dict[str, dict[str, Any]]
    """What each node reported, by node id (``PlayOut``)."""


async def judge_node(
    name: str, node_id: str, recorded: Recorded, reference: correlate.Samples, expected: Sequence[Expected]
) -> NodeVerdict:
    """Find every expected play in what a node's output gave, once, on time, and nothing else."""
    verdict = NodeVerdict(name)
    found = await asyncio.to_thread(correlate.compare, reference, recorded.samples, max_hz=MAX_HZ)
    if len(found.matches) != len(expected):
        verdict.problems.append(f"sounded {len(found.matches)} times instead of {len(expected)}")
    if found.residual_peak_dbfs > MAX_RESIDUAL_DBFS:
        verdict.problems.append(f"something else sounded: {found.residual_peak_dbfs:.0f} dBFS")
    for one in expected:
        match = _match_of(one, expected, found.matches, recorded)
        verdict.plays.append(_judge_play(one, node_id, match, recorded))
    if any(match.ambiguous for match in found.matches):
        verdict.problems.append("the sound repeats itself, and its ends do not tell when it began")
    verdict.problems += [problem for play in verdict.plays for problem in _problems(play)]
    return verdict


def _match_of(
    one: Expected, expected: Sequence[Expected], matches: Sequence[correlate.Match], recorded: Recorded
) -> correlate.Match | None:
    """Give the occurrence that began nearest to a start, unless another start was nearer."""

    def apart(match: correlate.Match, other: Expected) -> float:
        return abs(recorded.at(match.start) - other.start_at.timestamp())

    own = [match for match in matches if min(expected, key=lambda other: apart(match, other)) is one]
    return min(own, key=lambda match: apart(match, one), default=None)


def _judge_play(expected: Expected, node_id: str, match: correlate.Match | None, recorded: Recorded) -> PlayVerdict:
    said = expected.plays.get(node_id, {})
    error_ms = None
    if match is not None:
        error_ms = round((recorded.at(match.start) - expected.start_at.timestamp()) * 1000, 3)
    return PlayVerdict(
        kind=expected.kind,
        correlation=round(match.correlation, 4) if match else 0.0,
        start_error_ms=error_ms,
        played_ms=said.get("played_ms") or 0,
        requested_ms=said.get("requested_ms") or 0,
        evidence=f"E{said.get('grade') or 0}",
        simulated=bool(said.get("simulated")),
        outcome=said.get("outcome") or "none",
    )


def _problems(play: PlayVerdict) -> list[str]:
    error_ms = play.start_error_ms
    length_error_ms = abs(play.played_ms - play.requested_ms)
    checks = {
        f"outcome {play.outcome}": play.outcome == "played",
        f"evidence {play.evidence}": play.evidence in {"E1", "E2", "E3"},
        f"correlation {play.correlation}": play.correlation >= MIN_CORRELATION,
        f"start error {error_ms} ms": error_ms is not None and abs(error_ms) <= MAX_START_ERROR_MS,
        f"{play.played_ms} of {play.requested_ms} ms": play.requested_ms > 0
        and length_error_ms <= play.requested_ms * MAX_LENGTH_ERROR,
    }
    return [f"{play.kind}: {problem}" for problem, good in checks.items() if not good]


def report(verdicts: Sequence[NodeVerdict]) -> dict[str, Any]:
    """Give the one JSON object of DESIGN section 10; nothing that was checked is nothing that passed."""
    passed = bool(verdicts) and all(not verdict.problems for verdict in verdicts)
    return {"pass": passed, "nodes": [asdict(one) for one in verdicts]}


class Instants:
    """When the frames of a virtual output were consumed.

    Its file holds lines of ``{"frame", "at_ns"}``: the UTC instant, in nanoseconds since 1970, at which that frame was.
    """

    def __init__(self, path: Path) -> None:
        whole, _, _ = path.read_text().rpartition("\n")  # the last line may just be being written
        marks = [json.loads(line) for line in whole.splitlines()]
        self._frames: list[int] = [mark["frame"] for mark in marks]
        self._seconds: list[float] = [mark["at_ns"] / 1e9 for mark in marks]

    def at(self, frame: int) -> float:
        """Give the instant of a frame, in seconds since 1970, counted from the last mark at or before it."""
        index = max(0, bisect.bisect_right(self._frames, frame) - 1)
        return self._seconds[index] + (frame - self._frames[index]) / RATE


class VirtualRecording:
    """What a virtual output leaves behind: ``output.wav`` (16 bit mono) and ``output.instants.jsonl``."""

    def __init__(self, folder: Path) -> None:
        self.samples: correlate.Samples = np.fromfile(folder / "output.wav", dtype="<i2", offset=HEADER_BYTES)
        self.at = Instants(folder / "output.instants.jsonl").at
