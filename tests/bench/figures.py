"""What a benchmark gives: rows of figures with their targets. Kept as JSON; knows nothing of how they were measured."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REACHED, MISSED, UNMEASURED = "reached", "not reached", "not measured"


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    value: str
    """As it is printed, with its unit."""
    samples: int = 0
    """How many measurements stand behind it; 0 when it is one number by nature."""
    target: str = ""
    """From DESIGN section 9; empty when that sets none."""
    verdict: str = ""
    """``reached``, ``not reached``, ``not measured``; empty without a target."""


@dataclass
class Result:
    """Everything that one benchmark found."""

    name: str
    title: str
    payload: str
    """What was sent or processed, in words."""
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    """The measurements themselves, for whoever wants to look closer."""
    quick: bool = False
    at: str = ""
    busy_before: float = 0.0
    """Per cent of all cores that others used in the seconds before it began."""
    seconds: float = 0.0

    def add(self, what: str, value: str, *, samples: int = 0, target: str = "", good: bool | None = None) -> None:
        """Add a figure; ``good`` says whether it meets ``target``, None that it could not be told."""
        verdict = {True: REACHED, False: MISSED, None: UNMEASURED}[good] if target else ""
        self.rows.append(Row(what, value, samples, target, verdict))

    def save(self, folder: Path, measurements: Path) -> None:
        """Keep it as JSON: the figures in ``folder``, what they were made from in ``measurements``."""
        self.at = datetime.now(UTC).isoformat(timespec="seconds")
        found = asdict(self)
        _write(measurements / f"{self.name}-raw.json", found.pop("raw"))
        _write(folder / f"{self.name}.json", found)

    @classmethod
    def load(cls, path: Path) -> "Result":
        """Read one back."""
        found = json.loads(path.read_text("utf-8"))
        return cls(**{**found, "rows": [Row(**row) for row in found["rows"]]})


def _write(path: Path, found: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


def quantile(values: Sequence[float], share: float) -> float:
    """Give the nearest-rank quantile: always one of the values, never better than what was seen."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no measurement: nothing to take a quantile of")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], unit: str, digits: int = 1, shares: Sequence[float] = (0.5, 0.95, 0.99)) -> str:
    """Print quantiles and the largest value."""
    parts = [f"p{round(share * 100)} {quantile(values, share):.{digits}f}" for share in shares]
    return f"{', '.join(parts)}, max {max(values):.{digits}f} {unit}"


def median_of(values: Sequence[float], unit: str, digits: int = 1) -> str:
    """Print a median with the range around it."""
    return f"{statistics.median(values):.{digits}f} {unit} ({min(values):.{digits}f}–{max(values):.{digits}f})"
