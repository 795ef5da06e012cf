"""Faults of the centre and its broker, with real processes: killed in the middle of what they do."""

import os
from pathlib import Path

import pytest

from tests.faults.checker import violations
from tests.faults.history import History
from tests.faults.rig import running_rig

pytestmark = pytest.mark.broker

KILLS = int(os.environ.get("LOA_FAULTS_KILLS", "3"))
"""``make faults`` kills a hundred times."""


def begins(history: History) -> list[list[int]]:
    """Count how often each broadcast began, node by node."""
    nodes = list(history.nodes)
    return [[len(history.heard(name, order.recordings[0])) for name in nodes] for order in history.orders]


@pytest.mark.fault("F1")
@pytest.mark.timeout(120 + 10 * KILLS)
async def test_f01_a_broker_killed_during_dispatch_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Killed right after each order was acknowledged, again and again, faster than nodes come back."""
    async with running_rig(tmp_path) as rig:
        await rig.record(KILLS)
        for _ in range(KILLS):
            await rig.send(20 if KILLS < 10 else 90)
            await rig.kill_broker()
        await rig.until_all_over(within_s=180)
        history = rig.history()
    assert begins(history) == [[1, 1, 1]] * KILLS
    assert violations(history) == []
