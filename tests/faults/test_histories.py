"""Random histories: whatever goes wrong in whatever order, no invariant breaks. Seeds that once failed stay."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.checker import violations
from tests.faults.histories import KINDS_AT_LEAST, PLAYS, kinds_of, run_seed

SEEDS = int(os.environ.get("LOA_FAULTS_SEEDS", "20"))
"""``make faults SEEDS=1000`` plays more."""
PIECE = 25
"""Seeds in one test."""
FAILED = Path(__file__).with_name("seeds")


def _saved() -> list[int]:
    return sorted(int(file.stem) for file in FAILED.glob("*.txt"))


def _pieces() -> list[list[int]]:
    pieces = [list(range(first, min(first + PIECE, SEEDS))) for first in range(0, SEEDS, PIECE)]
    return [piece for piece in [*pieces, _saved()] if piece]


@pytest.mark.fault("histories")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", _pieces(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_c42_no_random_history_breaks_an_invariant(
    seeds: list[int], ram: Path, record_property: Callable[[str, object], None]
) -> None:
    broken = []
    record_property("count", f"{len(seeds)} histories")
    for seed in seeds:
        history, script = await run_seed(ram / str(seed), seed)
        found = [str(one) for one in violations(history)]
        if found:
            broken.append(seed)
            (FAILED / f"{seed}.txt").write_text("\n".join([*found, "", *script.happened, ""]))
        assert sum(order.routine for order in history.orders) >= PLAYS
        assert len(kinds_of(seed)) >= KINDS_AT_LEAST
    assert broken == [], f"see {FAILED}"
