"""A schedule that raises what nobody foresaw: told where it belongs, and nobody else's morning is silent for it."""

from sqlalchemy import update

from controller.schedules.models import Schedule
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, programme, scheduled, wish


async def _lose_zone(here: Centre, schedule_id: str, zone: str = "Asia/Gone") -> None:
    """As after an update of the tables of zones."""
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Schedule).where(Schedule.id == schedule_id).values(zone=zone))


async def test_a_schedule_that_cannot_be_rolled_keeps_no_other_from_it(lite: Centre) -> None:
    area = await lite.area()
    morning = await programme(lite, area)
    wanted = (wish(area, morning, f"2026-03-10T{hour}:00:00", confirm_unusual=True) for hour in ("05", "11", "17"))
    made = sorted([(await lite.services.schedules.create(lite.actor, each)).id for each in wanted])
    before, broken = [len(await broadcasts(lite, each)) for each in made], made[1]
    await _lose_zone(lite, broken)
    lite.clock.step(days=1)
    for _ in range(2):
        await lite.services.schedules.roll_due()
    after = [len(await broadcasts(lite, each)) for each in made]
    assert after == [before[0] + 1, before[1], before[2] + 1]
    assert lite.services.failures.names == {f"schedules/{broken}"}
    [alarm] = await lite.services.alarms.list(lite.actor)
    assert (alarm.kind, alarm.area_id, alarm.subject) == ("schedules.not_rolled", area.id, f"schedules/{broken}")

    await _lose_zone(lite, broken, "Asia/Ho_Chi_Minh")
    await lite.services.schedules.roll_due()
    assert (len(await broadcasts(lite, broken)), lite.services.failures.names) == (before[1] + 1, set())


async def test_a_broken_schedule_that_is_ended_is_no_failure_any_more(lite: Centre) -> None:
    made = await scheduled(lite, await lite.area())
    await _lose_zone(lite, made.id)
    lite.clock.step(days=1)
    await lite.services.schedules.roll_due()
    await lite.services.schedules.end(lite.actor, made.id)
    await lite.services.schedules.roll_due()
    assert lite.services.failures.names == set()
