"""What nodes are like after some weeks: where they stand, how they were, who looks after them, a setting that waits."""

import math
from datetime import UTC, timedelta
from typing import Any

from controller.faults.keeping import FaultKeeper
from controller.nodes.models import NodeHealthDay
from controller.nodes.rules import NodeStatus
from controller.nodes.schemas import PositionIn
from controller.people.models import Person
from tests.web.harness import Commune

PLACES = ((21.4702, 105.9231), (21.4751, 105.9304), (21.4688, 105.9388))
"""Of the first nodes; the last one has none yet."""
PHONE = "0912 345 678"
STEPS_A_DAY = 144


async def tended(site: Commune) -> dict[str, str]:
    """Give nodes places, weeks behind them and somebody to call; gives pages by name."""
    centre, names = site.centre, list(site.nodes)
    services, first, lost = centre.services, site.nodes[names[0]], site.nodes[names[3]]
    for name, (latitude, longitude) in zip(names, PLACES, strict=False):
        where = PositionIn(latitude=latitude, longitude=longitude, accuracy_m=12)
        await services.nodes.change(centre.actor, site.nodes[name].id, position=where)
    for hamlet, login, name in (("Thôn Đồng", "bactu", "Bác Tư"), (list(site.hamlets)[2], "cohai", "Cô Hai")):
        person = await centre.somebody(login, "helper", site.hamlets[hamlet])
        async with centre.database.transaction() as tx:
            row = await tx.session.get_one(Person, person.id)
            row.name, row.phone = name, PHONE
    await _remember(site, first.id, days=30)
    able = {"commands": ["self_test", "identify", "reference", "restart", "send_log"], "best_grade": 1}
    services.live.note(first.id, abilities=able | {"output": "virtual"})
    await services.nodes.change(centre.actor, first.id, volume_mb=-600)
    keeper = FaultKeeper(centre.database, centre.clock)
    keeper.note_status(lost.id, NodeStatus.OFFLINE)
    await keeper.look()
    pages = {"node": f"/nodes/{first.id}", "lost_node_health": f"/nodes/{lost.id}/health"}
    return pages | {f"node_{word}": f"/nodes/{first.id}/{word}" for word in ("health", "plays", "settings", "now")}


async def _remember(site: Commune, node_id: str, *, days: int) -> None:
    """Let a node have told of itself for so long, with a night and two days of which nothing is known."""
    now = site.centre.clock().astimezone(UTC)
    async with site.centre.database.transaction() as tx:
        for back in range(days, -1, -1):
            if back in {12, 13}:
                continue
            until = STEPS_A_DAY if back else (now.hour * 60 + now.minute) // 10
            silent = range(6, 33) if back == 0 else range(0)
            samples = [_sample(back, step) for step in range(until) if step not in silent]
            tx.session.add(NodeHealthDay(node_id=node_id, day=(now - timedelta(days=back)).date(), samples=samples))


def _sample(back: int, step: int) -> list[Any]:
    noon = math.cos((step - 42) / STEPS_A_DAY * 2 * math.pi)  # warmest at 14:00 there
    faults = ["too_hot"] if back == 5 and 40 < step < 50 else []
    figures = [round(47 + 12 * noon + back % 4, 1), round(90 + 30 * abs(noon) + step % 7, 1), 72 - step % 9]
    return [step * 10, 1023, *figures, round(4 * noon, 1), False, 2_000_000_000, faults]
