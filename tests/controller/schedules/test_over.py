"""Dates that the rule gives and that will not be: the preview says so, as every list of dates does."""

from datetime import UTC, datetime

from controller.schedules.schemas import DateOut, ScheduleChange
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, locals_of, programme, wish


def said(dates: list[DateOut]) -> list[tuple[str, str]]:
    return [(f"{each.local:%d %H:%M}", str(each.verdict)) for each in dates[:3]]


async def test_a_day_that_had_its_run_before_the_edit_is_said_to_be_over_before_it_is_saved(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    made = await programme(lite, area)
    schedules = lite.services.schedules
    schedule = await schedules.create(lite.actor, wish(area, made, "2026-03-09T11:00:00"))
    lite.clock.now = datetime(2026, 3, 9, 8, tzinfo=UTC)  # 15:00 in Hanoi
    twice = wish(area, made, "2026-03-09T17:00:00", rule="FREQ=DAILY;BYHOUR=17,19", confirm_unusual=True)
    expected = [("09 17:00", "taken_over"), ("09 19:00", "aired"), ("10 17:00", "aired")]
    assert said(list((await schedules.preview(lite.actor, twice, schedule.id)).dates)) == expected
    future = await lite.services.what_ifs.of(lite.actor, twice, schedule.id)
    starts = sorted(each.moved_to_at or each.start_at for each in future.changes if each.after is not None)
    assert [f"{each:%d %H}" for each in starts[:3]] == ["09 12", "10 10", "10 12"]

    await schedules.change(lite.actor, schedule.id, ScheduleChange(**twice.model_dump(), version=1))
    assert locals_of(await broadcasts(lite))[:3] == ["09 11:00", "09 19:00", "10 17:00"]
    until_at = datetime(2026, 3, 20, tzinfo=UTC)
    assert said(list(await schedules.dates(lite.actor, schedule.id, lite.clock(), until_at))) == expected
    lite.clock.step(hours=3)
    assert said(list(await schedules.all_dates(lite.actor, lite.clock(), until_at)))[:2] == expected[1:]


async def test_what_an_ended_schedule_would_have_brought_is_not_said_to_air(lite: Centre) -> None:
    area = await lite.area()
    schedules = lite.services.schedules
    schedule = await schedules.create(lite.actor, wish(area, await programme(lite, area), "2026-03-09T05:00:00"))
    await schedules.end(lite.actor, schedule.id)
    span = datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)
    found = said(list(await schedules.dates(lite.actor, schedule.id, *span)))
    assert {verdict for at, verdict in found if at > "09 12:00"} == {"ended"}
