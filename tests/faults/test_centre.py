"""Faults of the centre and its broker, with real processes: killed in the middle of what they do."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.checker import violations
from tests.faults.history import History
from tests.faults.rig import running_rig

pytestmark = pytest.mark.broker

KILLS = int(os.environ.get("LOA_FAULTS_KILLS", "3"))
"""``make faults`` kills a hundred times."""
PER_ORDER = 5


def begins(history: History) -> list[list[int]]:
    """Count how often each broadcast began, node by node."""
    nodes = list(history.nodes)
    return [[len(history.heard(name, order.recordings[0])) for name in nodes] for order in history.orders]


@pytest.mark.fault("F1")
@pytest.mark.timeout(240 + 12 * KILLS)
async def test_f01_a_broker_killed_during_dispatch_loses_and_doubles_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Killed as soon as it is there again, while orders come in and everything is published anew."""
    orders = max(2, KILLS // PER_ORDER)
    record_property("figure", f"{KILLS} kills, {orders} broadcasts on 3 nodes")
    async with running_rig(tmp_path) as rig:
        await rig.record(orders)
        for number in range(orders):
            await rig.send(15 + 6 * KILLS / orders)
            for _ in range(KILLS * (number + 1) // orders - KILLS * number // orders):
                await rig.kill_broker()
        await rig.until_all_over(within_s=240)
        history = rig.history()
    assert begins(history) == [[1, 1, 1]] * orders
    assert violations(history) == []
