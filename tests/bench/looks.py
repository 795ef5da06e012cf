"""Looks at what is planned, by the node's own function: one node's day, and what a change would change."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path

from controller.areas.schemas import AreaOut
from controller.ids import new_id
from controller.nodes.models import Node
from controller.schedules.schemas import CalendarIn, ScheduleIn, ScheduleOut
from tests.bench.figures import Result, quantile, spread
from tests.controller.factories import Centre, centre
from tests.controller.schedules.village import programme, wish

SESSIONS = (5, 11, 17)
ITEMS = 10
DAY_MS, WHAT_IF_S, STILL_MS = 50.0, 2.0, 50.0
COMMUNES = 100
NODES, HAMLETS, OWN = 120, 35, 5
"""Of the largest commune (DESIGN section 8); so many of its hamlets have a session of their own."""
WEEKS = 5


async def day(*, quick: bool) -> Result:
    """Measure the preview of a day."""
    result = Result(
        "day",
        "The preview of a day",
        f"a commune with {len(SESSIONS)} daily sessions of {ITEMS} items, looked at by one of its nodes, tomorrow and"
        f" three months ahead; rows read and all, among {COMMUNES} communes with a calendar each (Tết, national"
        " holidays)",
    )
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
        async with centre(Path(folder)) as here:
            area = await _communes(here, 10 if quick else COMMUNES)
            node = await here.node(area)
            await _sessions(here, area)
            found = [await _day_ms(here, node.id, number) for number in range(5 if quick else 50)]
            rolled = [await _roll_ms(here) for _ in range(2 if quick else 10)]
            still = [await _still_ms(here, area) for _ in range(2 if quick else 10)]
    result.add(
        "a node's day resolved",
        spread(found, "ms", shares=(0.5, 0.95)),
        samples=len(found),
        target="≤ 50 ms",
        good=quantile(found, 0.95) <= DAY_MS,
    )
    result.add("processor time of a schedule rolled", spread(rolled, "ms", shares=(0.5,)), samples=len(rolled))
    result.add(
        "the event loop, on which STOP waits, held by a preview",
        spread(still, "ms", shares=(0.5,)),
        samples=len(still),
        target="≤ 50 ms",
        good=max(still) <= STILL_MS,
    )
    result.raw = {"day_ms": found, "rolled_ms": rolled, "still_ms": still}
    return result


async def _communes(here: Centre, count: int) -> AreaOut:
    """Make a province of communes that each have a calendar; give the first."""
    province = await here.area("Tỉnh", None, kind="province", quiet_hours=[])
    communes = [await here.area(f"Xã {number}", province, kind="commune") for number in range(count)]
    tet = {"kind": "lunar", "month": 2, "day": 1, "before": 1, "days": 3}
    for each in communes:
        said = {"area_id": each.id, "title": "Nghỉ", "effect": "suspend", "days": [tet, {"kind": "national"}]}
        await here.services.calendars.create(here.actor, CalendarIn.model_validate(said))
    return communes[0]


async def _roll_ms(here: Centre) -> float:
    """Let a day pass and roll what is due; gives the processor time of one schedule."""
    here.clock.step(days=1)
    used = time.process_time()
    await here.services.schedules.roll_due()
    return (time.process_time() - used) * 1000 / len(SESSIONS)


async def _still_ms(here: Centre, area: AreaOut) -> float:
    """Preview a schedule; gives the longest time that nothing else could be done."""
    looks = [time.perf_counter()]
    wanted = wish(area, await programme(here, area, 1.0), "2026-06-10T12:00:00")

    async def beat() -> None:
        while True:
            await asyncio.sleep(0)
            looks.append(time.perf_counter())

    beating = asyncio.create_task(beat())
    await here.services.schedules.preview(here.actor, wanted)
    beating.cancel()
    return max(after - before for before, after in pairwise(looks[1:])) * 1000


async def _day_ms(here: Centre, node_id: str, number: int) -> float:
    wanted = date(2026, 3, 11) if number % 2 else date(2026, 6, 11)
    begun = time.perf_counter()
    seen = await here.services.days.of(here.actor, node_id, wanted)
    taken = (time.perf_counter() - begun) * 1000
    if len(seen.entries) != len(SESSIONS):
        raise AssertionError(f"{len(seen.entries)} sessions on {wanted}")
    return taken


async def what_if(*, quick: bool) -> Result:
    """Measure what a change of schedule would change, thirty days behind and ahead."""
    result = Result(
        "whatif",
        "What a change of schedule would change",
        f"{NODES} nodes in {HAMLETS} hamlets of a commune with {len(SESSIONS)} daily sessions of {ITEMS} items and"
        f" {OWN} hamlets with one of their own, for {WEEKS} weeks; the session of 05:00 moved to 03:15",
    )
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
        async with centre(Path(folder)) as here:
            moved, schedule_id = await _commune(here)
            wall, busy = [], []
            for _ in range(2 if quick else 10):
                begun, used = time.perf_counter(), time.process_time()
                found = await here.services.what_ifs.of(here.actor, moved, schedule_id)
                wall.append(time.perf_counter() - begun)
                busy.append(time.process_time() - used)
            if found.node_count != NODES or len(found.changes) < 55:
                raise AssertionError(f"{len(found.changes)} changes at {found.node_count} nodes")
    result.add(
        f"what if, {NODES} nodes, 60 days",
        spread(wall, "s", 2, (0.5,)),
        samples=len(wall),
        target="≤ 2 s",
        good=max(wall) <= WHAT_IF_S,
    )
    result.add("processor time of it", spread(busy, "s", 2, (0.5,)), samples=len(busy))
    result.raw = {"wall_s": wall, "busy_s": busy}
    return result


async def _commune(here: Centre) -> tuple[ScheduleIn, str]:
    """Make the commune, let five weeks pass, and say what is to be changed."""
    commune = await here.area("Trung Lộc", kind="commune", quiet_hours=[])
    hamlets = [await here.area(f"Thôn {number}", commune) for number in range(HAMLETS)]
    await _add_nodes(here, [hamlets[number % HAMLETS] for number in range(NODES)])
    first, *_ = await _sessions(here, commune)
    for number, hamlet in enumerate(hamlets[:OWN]):
        own = wish(hamlet, await programme(here, hamlet, 5), f"2026-03-10T19:{number:02}:00")
        await here.services.schedules.create(here.actor, own)
    for _ in range(WEEKS):
        here.clock.step(days=7)
        await here.services.schedules.roll_due()
    moved = wish(commune, first.programme_id, "2026-03-10T03:15:00", title=first.title)
    return moved, first.id


async def _sessions(here: Centre, area: AreaOut) -> list[ScheduleOut]:
    made = []
    for hour in SESSIONS:
        wanted = wish(
            area, await programme(here, area, *[1.0] * ITEMS), f"2026-03-10T{hour:02}:00:00", confirm_unusual=True
        )
        made.append(await here.services.schedules.create(here.actor, wanted))
    return made


async def _add_nodes(here: Centre, hamlets: Sequence[AreaOut]) -> None:
    """Add nodes as adopting them one by one would, which nobody may do that fast."""
    async with here.database.transaction() as tx:
        for number, hamlet in enumerate(hamlets):
            tx.session.add(
                Node(
                    id=new_id(),
                    area_id=hamlet.id,
                    name=f"Cụm {number}",
                    public_key="",
                    certificate_serial="",
                    enrolled_at=here.clock(),
                )
            )
