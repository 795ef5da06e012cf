"""From a schedule to broadcasts in plans: what is made, what is left, what is superseded."""

from datetime import UTC, datetime, timedelta

from controller.plans.repository import broadcasts_of
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, clean, dirty, locals_of, scheduled


async def test_a_schedule_becomes_the_broadcasts_of_the_coming_days(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area, 10, 5)

    rows = await broadcasts(lite, made.id)
    assert locals_of(rows) == [f"{day} 05:00" for day in range(10, 18)]
    first = rows[0]
    assert first.start_at == datetime(2026, 3, 9, 22, tzinfo=UTC)
    assert (first.recurrence_local, first.length_ms) == ("2026-03-10T05:00:00", 900_000)
    assert first.latest_start_at == first.start_at + timedelta(minutes=5)
    assert made.next_at == first.start_at
    async with lite.database.reading() as session:
        wire = await broadcasts_of(session, f"areas/{area.id}", urgent=False, now=lite.clock())
    assert [each.broadcast_id for each in wire] == [row.id for row in rows]
    assert all(each.approved_for(frozenset([f"areas/{area.id}"])) for each in wire)
    assert [play.node_id for play in await lite.services.broadcasts.plays(lite.actor, first.id)] == [node.id]
    assert (f"areas/{area.id}", "plan") in await dirty(lite)


async def test_what_is_the_same_is_left_alone_and_the_next_day_is_added(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    before = [row.id for row in await broadcasts(lite, made.id)]
    await clean(lite)

    assert await lite.services.schedules.roll_due() == {}
    lite.clock.step(days=1)
    assert await lite.services.schedules.roll_due() == {"left": 7, "made": 1}
    assert [row.id for row in await broadcasts(lite, made.id)][:8] == before
    assert await dirty(lite) == {(f"areas/{area.id}", "plan")}
