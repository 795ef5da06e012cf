"""The suite must see bugs: each of these is put into the product, and a history must break the right invariant."""

from pathlib import Path

import pytest
from sqlalchemy import select

from controller.holds.models import Hold
from tests.controller.factories import SYSTEM, centre
from tests.faults.checker import violations
from tests.faults.histories import run_seed
from tests.faults.history import History
from tests.faults.planted import BUGS, answers_before_it_commits

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


@pytest.mark.fault("planted")
@pytest.mark.parametrize("planted", [False, True])
async def test_a_centre_that_answers_before_it_commits_is_seen(
    planted: bool,  # noqa: FBT001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it answered is asked of its rows, as after a crash: by somebody else, of the file."""
    async with centre(tmp_path) as here:
        area = await here.area("Xã An Hòa")
        if planted:
            answers_before_it_commits(monkeypatch)
        holds = await here.services.holds.order(SYSTEM, (f"areas/{area.id}",))
        monkeypatch.undo()
        async with here.database.reading() as session:
            rows = frozenset(await session.scalars(select(Hold.id)))
    found = violations(History({}, rows=rows, promised=frozenset(hold.id for hold in holds)))
    assert {one.invariant for one in found} == ({9} if planted else set())
