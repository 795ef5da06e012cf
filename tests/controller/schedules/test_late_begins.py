"""Sessions that begin long after their time: back-timed, after a lead-in. What rolls in between takes none of them."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from controller.areas.schemas import AreaOut
from controller.schedules.days import CalendarDay, FixedDay
from controller.schedules.schemas import CalendarIn, ExceptionIn, ScheduleChange, ScheduleOut
from controller.schedules.states import DateChange, OnCalendarDay
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, locals_of, programme, wish

BACK_TIMED: dict[str, Any] = {"ends_at_local": "17:45:00", "back_timed": True}
"""With ten minutes from 17:00 on it begins at 17:35."""
AT_TEN_PAST = datetime(2026, 3, 10, 10, 10, tzinfo=UTC)
"""17:10 by the clock of Hanoi."""


async def _afternoon(here: Centre, area: AreaOut, **given: Any) -> ScheduleOut:
    morning = await programme(here, area, 10)
    return await here.services.schedules.create(here.actor, wish(area, morning, "2026-03-09T17:00:00", **given))


async def _edit(here: Centre, made: ScheduleOut, **said: Any) -> None:
    kept = {name: getattr(made, name) for name in ScheduleChange.model_fields if hasattr(made, name)}
    await here.services.schedules.change(
        here.actor, made.id, ScheduleChange(**{**kept, **said, "confirm_unusual": True})
    )


async def _daily(here: Centre, made: ScheduleOut) -> None:
    await here.services.schedules.roll_due()


async def _position(here: Centre, made: ScheduleOut) -> None:
    await _edit(here, made, position=1)


async def _another_date(here: Centre, made: ScheduleOut) -> None:
    cancelled = ExceptionIn(kind=DateChange.CANCELLED)
    await here.services.single_dates.except_(here.actor, made.id, datetime(2026, 3, 14, 17), cancelled)


async def _calendar(here: Centre, made: ScheduleOut, day: date = date(2026, 9, 2)) -> None:
    days: list[CalendarDay] = [FixedDay(kind="date", date=day)]
    wanted = CalendarIn(area_id=made.area_id, title="Nghỉ", days=days, effect=OnCalendarDay.SUSPEND)
    await here.services.calendars.create(here.actor, wanted)
    await here.services.schedules.roll_due()


@pytest.mark.parametrize("happens", [_daily, _position, _another_date, _calendar])
async def test_what_rolls_between_the_time_and_the_begin_takes_no_session_away(
    lite: Centre, happens: Callable[[Centre, ScheduleOut], Awaitable[None]]
) -> None:
    made = await _afternoon(lite, await lite.area(), **BACK_TIMED)
    lite.clock.now = AT_TEN_PAST
    await happens(lite, made)
    assert "10 17:35" in locals_of(await broadcasts(lite, made.id))


async def test_what_rolls_in_the_lead_in_takes_no_session_away(lite: Centre) -> None:
    area = await lite.area()
    opening = await programme(lite, area, 10, lead_in_ms=10_000)
    made = await lite.services.schedules.create(lite.actor, wish(area, opening, "2026-03-09T17:00:00"))
    lite.clock.now = datetime(2026, 3, 9, 10, 0, 5, tzinfo=UTC)
    await _another_date(lite, made)
    assert (await broadcasts(lite, made.id))[0].start_at == datetime(2026, 3, 9, 10, 0, 10, tzinfo=UTC)


async def test_a_calendar_still_silences_a_session_that_has_not_begun(lite: Centre) -> None:
    made = await _afternoon(lite, await lite.area(), **BACK_TIMED)
    lite.clock.now = AT_TEN_PAST
    await _calendar(lite, made, date(2026, 3, 10))
    assert locals_of(await broadcasts(lite, made.id))[:2] == ["09 17:35", "11 17:35"]


async def test_an_edit_by_which_a_session_would_have_begun_says_that_it_stays_silent(lite: Centre) -> None:
    area = await lite.area()
    made = await _afternoon(lite, area, **BACK_TIMED)
    lite.clock.now = AT_TEN_PAST
    await _edit(lite, made, programme_id=await programme(lite, area, 44), late_ms=60_000)
    assert locals_of(await broadcasts(lite, made.id))[:2] == ["09 17:35", "11 17:01"]
    [alarm] = await lite.services.alarms.list(lite.actor)
    assert (alarm.kind, alarm.detail["problem"]) == ("schedules.not_airable", "start_passed")
