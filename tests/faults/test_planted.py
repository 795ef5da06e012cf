"""The suite must see bugs: each of these is put into the product, and a history must break the right invariant."""

from pathlib import Path

import pytest

from tests.faults.checker import violations
from tests.faults.histories import run_seed
from tests.faults.planted import BUGS

HISTORIES = 12
"""Played at most until a bug shows; most show in the first."""


@pytest.mark.fault("planted", "F34")
@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.timeout(120)
async def test_a_planted_bug_is_seen(bug: str, ram: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = BUGS[bug]
    planted.plant(monkeypatch)
    seen: set[int] = set()
    for seed in (planted.seed, *range(100, 100 + HISTORIES)):
        history, _ = await run_seed(ram / str(seed), seed)
        seen |= {one.invariant for one in violations(history)}
        if planted.invariant in seen:
            return
    pytest.fail(f"{bug}: invariant {planted.invariant} has seen nothing; seen: {sorted(seen)}")
