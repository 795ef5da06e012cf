"""What is kept of dates of which no broadcast came to be: until they are mended, moved or ended, else for good."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from datetime import datetime, timedelta

import pytest

from controller.errors import ForbiddenError
from controller.paging import Wanted
from controller.people.actor import Actor
from controller.schedules.schemas import ExceptionIn, UnairedOut
from controller.schedules.states import NOT_AIRABLE, DateChange
from tests.controller.factories import Centre
from tests.controller.schedules.test_stricter import rule
from tests.controller.schedules.village import broadcasts, locals_of, scheduled

A_DAY = timedelta(days=1)


async def unaired(here: Centre) -> list[UnairedOut]:
    """What the record has of them, those to come among it, by start."""
    until = (here.clock() + timedelta(days=30)).isoformat()
    wanted = Wanted(sort="start", limit=100, having={"until": until, "result": "unaired"})
    found = await here.services.history.find(here.actor, wanted)
    assert found.total == len(found.rows)
    return [each for each in found.rows if isinstance(each, UnairedOut)]


async def days(here: Centre) -> list[str]:
    return [f"{each.recurrence_local:%d %H:%M}" for each in await unaired(here)]


async def test_what_has_passed_stays_and_what_is_mended_goes(here: Centre) -> None:
    area = await here.area()
    made = await scheduled(here, area)
    await rule(here, area, minutes_a_session=5)
    here.clock.step(days=1)
    await here.services.schedules.roll_due()
    assert await days(here) == ["18 05:00"]  # what stands in plans stays
    [known] = await unaired(here)
    assert (known.problem, known.rules, known.title) == ("policy_breach", ("minutes_a_session",), "Chương trình sáng")
    assert [target.name for target in known.targets] == [area.name]
    for _ in range(3):
        here.clock.step(days=1)
        await here.services.schedules.roll_due()
    first = (await unaired(here))[0]
    assert first == known  # nothing new is said of it
    assert (await here.services.schedules.get(here.actor, made.id)).unaired == first
    here.clock.step(days=6)  # the 18th has passed
    await rule(here, area)
    await here.services.schedules.roll_due()
    assert (await days(here))[0] == "18 05:00"
    assert all(each.start_at < here.clock() for each in await unaired(here))
    assert (await here.services.schedules.get(here.actor, made.id)).unaired is None


async def test_a_date_that_is_moved_after_its_time_had_its_run(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    await rule(lite, area, earliest="05:30")
    lite.clock.step(days=2)
    await lite.services.schedules.roll_due()
    assert await days(lite) == ["18 05:00", "19 05:00"]
    moved = ExceptionIn(kind=DateChange.MOVED, moved_to_local=datetime(2026, 3, 18, 9), confirm_unusual=True)
    await lite.services.single_dates.except_(lite.actor, made.id, datetime(2026, 3, 18, 5), moved)
    assert await days(lite) == ["19 05:00"]
    assert "18 09:00" in locals_of(await broadcasts(lite, made.id))


async def test_an_ended_schedule_leaves_only_what_has_passed(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    await rule(lite, area, earliest="05:30")
    for _ in range(10):
        lite.clock.step(days=1)
        await lite.services.schedules.roll_due()
    assert (await days(lite))[:2] == ["18 05:00", "19 05:00"]
    assert len(await days(lite)) > 2
    await lite.services.schedules.end(lite.actor, made.id)
    assert [each for each in await unaired(lite) if each.start_at > lite.clock()] == []
    assert (await days(lite))[0] == "18 05:00"


async def test_a_cancelled_date_is_not_told_as_one_that_could_not_be_aired(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    await rule(lite, area, earliest="05:30")
    lite.clock.step(days=1)
    await lite.services.schedules.roll_due()
    gone = ExceptionIn(kind=DateChange.CANCELLED)
    await lite.services.single_dates.except_(lite.actor, made.id, datetime(2026, 3, 18, 5), gone)
    assert await days(lite) == []


async def test_whoever_plans_there_is_told_and_says_that_they_look_after_it(lite: Centre) -> None:
    area, other = await lite.area(), await lite.area("Xã khác")
    await scheduled(lite, area)
    await rule(lite, area, earliest="05:30")
    async with lite.database.transaction() as tx:
        await lite.services.alarms.raise_(tx, "people.locked", area.id, "people/x", {})
    for _ in range(7):
        lite.clock.step(days=1)
        await lite.services.schedules.roll_due()
    here = Actor((await lite.somebody("hoa", "operator", area)).id, "test")
    there = Actor((await lite.somebody("tam", "operator", other)).id, "test")
    [told] = await lite.services.alarms.list(here)
    assert (told.kind, told.may_acknowledge) == (NOT_AIRABLE, True)
    assert await lite.services.alarms.list(there) == []
    assert (await lite.services.alarms.acknowledge(here, told.id)).acknowledged_by_name is not None
    observer = Actor((await lite.somebody("nhin", "observer", area)).id, "test")
    with pytest.raises(ForbiddenError):
        await lite.services.alarms.list(observer)
    assert [len(await lite.services.unaired.soon(who, passed_for=A_DAY)) > 0 for who in (here, there, observer)] == [
        True,
        False,
        False,
    ]


async def waiting(here: Centre) -> list[str]:
    return [each.detail["date"] for each in await here.services.alarms.list(here.actor, waiting=True)]


async def test_an_alarm_is_over_when_its_date_is_to_sound_after_all_and_the_next_one_has_its_own(here: Centre) -> None:
    area = await here.area()
    made = await scheduled(here, area)
    await rule(here, area, earliest="05:30")
    for _ in range(7):
        here.clock.step(days=1)
        await here.services.schedules.roll_due()
    assert await waiting(here) == ["18/03 05:00"]
    moved = ExceptionIn(kind=DateChange.MOVED, moved_to_local=datetime(2026, 3, 18, 9), confirm_unusual=True)
    await here.services.single_dates.except_(here.actor, made.id, datetime(2026, 3, 18, 5), moved)
    here.clock.step(days=1)
    await here.services.schedules.roll_due()
    assert await waiting(here) == ["19/03 05:00"], "the first can sound, the second cannot"
    [first] = await here.services.alarms.list(here.actor, waiting=False)
    assert (first.detail["date"], first.detail["over"], first.acknowledged_by) == ("18/03 05:00", True, None)
    await rule(here, area)
    await here.services.schedules.roll_due()
    assert await waiting(here) == []


async def test_an_alarm_about_a_date_that_passed_in_silence_waits_for_a_person(lite: Centre) -> None:
    area = await lite.area()
    await scheduled(lite, area)
    await rule(lite, area, earliest="05:30")
    for _ in range(9):
        lite.clock.step(days=1)
        await lite.services.schedules.roll_due()
    await rule(lite, area)
    await lite.services.schedules.roll_due()
    assert await days(lite) == ["18 05:00"]
    assert await waiting(lite) == ["18/03 05:00"]
