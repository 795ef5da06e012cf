"""Whatever is wrong with a node is said within 100 s of when it could first know, and its end as fast (promise P6)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from edge_agent.checks.base import SHOWN_S
from edge_agent.faults import Fault
from tests.faults.looking import AT_ONCE, CASES, Act, Bench, Case, SteppedLoop

ROOT = Path(__file__).parents[2]
PHASES = 5
"""Breaks at so many moments of a period."""
TO_THE_SCREEN_S = 3.5
"""Two seconds in which the node gathers changes, and what comes after it."""


def test_every_fault_that_a_node_can_have_is_tried_here_or_where_it_is_told() -> None:
    tried = {Fault(name.partition(" ")[0]) for name in CASES}
    assert tried | set(AT_ONCE) == set(Fault)
    for fault, file in AT_ONCE.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        assert fault.name in text or fault.value in text, f"{file} tries nothing of {fault}"


@pytest.mark.fault("seen")
@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said_within_100_s_and_its_end_as_fast(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    case = CASES[name]
    with asyncio.Runner(loop_factory=SteppedLoop) as runner:
        shown_s, cleared_s = runner.run(_worst(tmp_path, monkeypatch, case, Fault(name.partition(" ")[0])))
    assert shown_s + TO_THE_SCREEN_S < SHOWN_S
    assert cleared_s - case.kept_s + TO_THE_SCREEN_S < SHOWN_S
    record_property("seen", f"{name} | {case.every} | {shown_s:.1f} | {cleared_s:.1f}")


async def _worst(root: Path, patch: pytest.MonkeyPatch, case: Case, fault: Fault) -> tuple[float, float]:
    """Break and mend it at several moments of its period; give the longest that it took to be said, each."""
    bench = Bench(root, cast("SteppedLoop", asyncio.get_running_loop()), patch)
    run, break_it, mend_it = case.make(bench)
    faults, loop = bench.desk.faults, bench.loop

    async def took(act: Act, *, stands: bool) -> float:
        since_s = loop.time()
        act()
        while faults.stands(fault) != stands:
            assert loop.time() - since_s < SHOWN_S + case.kept_s, f"not {'shown' if stands else 'cleared'}"
            await asyncio.sleep(0.1)
        return loop.time() - since_s

    task = asyncio.ensure_future(run())
    shown, cleared = list[float](), list[float]()
    await asyncio.sleep(5)
    assert not faults.stands(fault)
    for phase in range(PHASES):
        await asyncio.sleep(case.period_s * (2 + phase / PHASES))
        shown.append(await took(break_it, stands=True))
        if not case.is_act:
            await asyncio.sleep(case.period_s * (1 + phase / PHASES))
            assert faults.stands(fault), "it still is so"
        cleared.append(await took(mend_it, stands=False))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    bench.desk.close()
    return max(shown), max(cleared)
