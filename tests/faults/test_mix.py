"""A few random histories with real processes: seven broadcasts on three nodes, and five kinds of fault among them."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.demo.commune import DemoNode
from tests.faults.checker import violations
from tests.faults.proxy import Way
from tests.faults.rig import Rig, running_rig

pytestmark = [pytest.mark.broker, pytest.mark.long]

BROADCASTS = 7
APART_S = 7.0
Act = Callable[[Rig, DemoNode, random.Random], Awaitable[None]]


async def _kill_node(rig: Rig, node: DemoNode, rng: random.Random) -> None:
    await rig.kill_node(node)
    await asyncio.sleep(rng.uniform(0, 2))
    await rig.start_node(node)


async def _cut(rig: Rig, node: DemoNode, rng: random.Random) -> None:
    rig.cut(node)
    await asyncio.sleep(rng.uniform(0.5, 6))
    rig.heal(node)


async def _half_open(rig: Rig, node: DemoNode, rng: random.Random) -> None:
    rig.cut(node, Way.HALF_OPEN)
    await asyncio.sleep(rng.uniform(0.5, 6))
    rig.heal(node)


async def _reset(rig: Rig, node: DemoNode, _rng: random.Random) -> None:
    rig.links[node.node_id].broker.reset()
    rig.links[node.node_id].media.reset()


async def _stand_still(rig: Rig, node: DemoNode, rng: random.Random) -> None:
    """The agent hangs for a while, its output with it."""
    with rig.excused(node):
        assert node.program is not None
        node.program.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(0.5, 3))
        node.program.process.send_signal(signal.SIGCONT)


async def _kill_broker(rig: Rig, _node: DemoNode, _rng: random.Random) -> None:
    await rig.kill_broker()


async def _kill_centre(rig: Rig, _node: DemoNode, _rng: random.Random) -> None:
    await rig.kill_centre()
    await rig.bring_centre_back()


ACTS: dict[str, Act] = {
    "kill_node": _kill_node,
    "cut": _cut,
    "half_open": _half_open,
    "reset": _reset,
    "stand_still": _stand_still,
    "kill_broker": _kill_broker,
    "kill_centre": _kill_centre,
}


@pytest.mark.fault("histories", "F28", "F32")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2])
async def test_c42_no_random_history_of_real_processes_breaks_an_invariant(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    async with running_rig(tmp_path) as rig:
        await rig.record(BROADCASTS)
        rows = [await rig.send(25 + APART_S * number) for number in range(BROADCASTS)]
        await rig.until_cached(*rows[:1])
        kinds = rng.sample(sorted(ACTS), len(ACTS))
        for order, kind in zip(rig.orders, kinds, strict=True):
            await rig.until(order.start_at, plus_s=rng.uniform(-1.5, 0.8))
            await ACTS[kind](rig, rng.choice(rig.nodes), rng)
        await rig.until_all_over(within_s=180)
        history = rig.history()
    assert sum(sound.whole for sound in history.sounds) >= len(rig.nodes) * BROADCASTS / 2, "too much was excused"
    assert [str(one) for one in violations(history)] == []
