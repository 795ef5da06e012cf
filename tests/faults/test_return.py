"""Hundreds of real connections that lose their broker at once, beside nodes that play: case F20 with a real broker.

How thousands come back is reckoned in ``test_crowd``, by the same rule of the agent.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.link import BACKOFF_S
from tests.bench.crowd import crowd
from tests.bench.fleet import LightFleet, add_to_centre
from tests.faults.checker import violations
from tests.faults.rig import Rig, Row, running

pytestmark = [pytest.mark.broker, pytest.mark.long]

LIGHT = 300
PROGRAM = "tests.faults.returning"
LONG_S, SHARE = 10, 0.3
"""Gone for so long, waits have grown to 8 s and more: of those that come back no more than this part tries in the same
second."""
STORMS = ("its broker killed", "its centre killed with it")


class CrowdedRig(Rig):
    """A rig whose centre knows a place with many more nodes, which nothing is ordered for."""

    fleet: LightFleet
    crowded: str

    async def _settle(self) -> None:
        await super()._settle()
        body = {"name": "Xóm đông", "kind": "hamlet", "parent_id": self.areas["commune"]}
        self.crowded = (await self.call("POST", "/areas", json=body))["id"]
        assert self.centre is not None
        await self.centre.stop()
        self.fleet = await add_to_centre(self.centre_state, self.folder / "fleet", self.crowded, LIGHT)
        await self.start_centre()

    def order_of_the_crowd(self) -> Path:
        """Write what the process of the light nodes is to be."""
        return self.fleet.write_order(int(self.env["LOA_BROKER_PORT"]), [self.areas["commune"], self.crowded])

    async def send_here(self, in_s: float) -> Row:
        """Order a broadcast where the real nodes are."""
        return await self.send(in_s, targets=[f"areas/{node.area_id}" for node in self.nodes])


@pytest.mark.fault("F20")
@pytest.mark.timeout(500)
async def test_f20_hundreds_of_real_connections_come_back_spread_out_and_no_play_is_touched(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Twice: the broker alone, which is there again at once; and the centre, which stays away for a while."""
    storms: list[dict[str, Any]] = []
    async with running(CrowdedRig(tmp_path, nodes=2)) as rig, crowd(rig.order_of_the_crowd(), PROGRAM) as people:
        await rig.record(len(STORMS))
        await people.ask("connect", introduce=True)
        await people.ask("health", on=True)
        for name in STORMS:
            await people.ask("storm")
            await rig.until_cached(await rig.send_here(20))
            await rig.until(rig.orders[-1].start_at, plus_s=-1.5)
            if name == STORMS[0]:
                await rig.kill_broker()
            else:
                await rig.kill_centre()
                await rig.until(rig.orders[-1].start_at, plus_s=LONG_S)
                await rig.bring_centre_back()
            storms.append(await people.ask("back", wait_s=100))
            await rig.until_online(100)
        await rig.until_all_over(within_s=120)
        history = rig.history()
    assert [storm["there"] for storm in storms] == [LIGHT] * len(STORMS)
    assert min(storms[1]["back_at"]) - min(storms[1]["lost_at"]) >= LONG_S
    assert [len(storm["lost_at"]) >= LIGHT for storm in storms] == [True] * len(STORMS)
    counts = [[len(history.heard(name, one.recordings[0])) for name in history.nodes] for one in rig.orders]
    assert counts == [[1, 1]] * len(STORMS)
    assert [str(one) for one in violations(history)] == []
    for name, storm in zip(STORMS, storms, strict=True):
        back_at = storm["back_at"]
        gone_s, took_s = min(back_at) - min(storm["lost_at"]), max(back_at) - min(back_at)
        most = max(Counter(int(at) for at in storm["due_at"]).values())
        assert took_s <= 1.5 * BACKOFF_S[1] + 5
        assert gone_s < LONG_S or most <= LIGHT * SHARE
        record_property(
            "figure",
            f"{LIGHT} real connections, {name}: the first back after {gone_s:.1f} s, all {took_s:.1f} s later, "
            f"at most {most} due in a second, {storm['tries']} tries",
        )
