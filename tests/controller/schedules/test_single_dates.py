"""Single dates, changed by hand: against calendars that silence their day, policies, others, and their own series."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.areas.schemas import AreaOut
from controller.errors import ForbiddenError
from controller.people.actor import Actor
from controller.policies.errors import PolicyBreachError
from controller.schedules.conflicts import ScheduleConflictError
from controller.schedules.schemas import CalendarChange, CalendarIn, CalendarOut, DateOut, ExceptionIn, ScheduleOut
from controller.schedules.silence import DaySuspendedError
from controller.schedules.states import DateChange
from tests.controller.approving import ANOTHER, Commune, commune
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, locals_of, programme, scheduled, wish

TWELFTH = datetime(2026, 3, 12, 17)
EVENING = "2026-03-10T17:00:00"
KEPT = ExceptionIn(kind=DateChange.KEPT)


def moved(at: datetime, **said: Any) -> ExceptionIn:
    return ExceptionIn(kind=DateChange.MOVED, moved_to_local=at, confirm_unusual=True, **said)


def mourning(area: AreaOut, *days: str) -> dict[str, Any]:
    """A calendar that silences days, the twelfth where none is named."""
    named = [{"kind": "date", "date": each} for each in days or ("2026-03-12",)]
    return {"area_id": area.id, "title": "Quốc tang", "effect": "suspend", "days": named}


async def declare(here: Centre, who: Actor, area: AreaOut, *days: str) -> CalendarOut:
    made = await here.services.calendars.create(who, CalendarIn.model_validate(mourning(area, *days)))
    await here.services.schedules.roll_due()
    return made


async def say(here: Centre, made: ScheduleOut, wanted: ExceptionIn, at: datetime = TWELFTH, *, who: Actor) -> DateOut:
    return await here.services.single_dates.except_(who, made.id, at, wanted)


async def on_the_12th(here: Centre) -> list[str]:
    return [each for each in locals_of(await broadcasts(here)) if each.startswith("12")]


@pytest.mark.parametrize("kind", ["moved", "programme", "kept"])
async def test_mourning_silences_what_was_changed_by_hand_before_it_was_declared(lite: Centre, kind: str) -> None:
    province = await lite.area("Tỉnh", kind="province")
    area = await lite.area("Xã", province, kind="commune")
    made = await scheduled(lite, area, starts=EVENING)
    song = await programme(lite, area, 5, title="Ca nhạc")
    wanted = {"moved": moved(TWELFTH.replace(minute=15)), "programme": ExceptionIn(programme_id=song), "kept": KEPT}
    await say(lite, made, wanted[kind], who=lite.actor)
    assert len(await on_the_12th(lite)) == 1
    calendar = await declare(lite, lite.actor, province)
    assert await on_the_12th(lite) == []

    found = await say(lite, made, ExceptionIn(programme_id=song), who=lite.actor)
    assert (found.verdict, found.programme_id) == ("aired", song)
    assert await on_the_12th(lite) == ["12 17:00"]
    await declare(lite, lite.actor, area)
    assert await on_the_12th(lite) == []  # kept in spite of the one that stood, not of what comes
    await lite.services.calendars.end(lite.actor, calendar.id)
    await lite.services.schedules.roll_due()
    assert await on_the_12th(lite) == []


async def test_nothing_is_moved_onto_a_day_of_silence(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area, starts=EVENING)
    await declare(lite, lite.actor, area)
    with pytest.raises(DaySuspendedError) as refused:
        await say(lite, made, moved(TWELFTH.replace(hour=18)), TWELFTH.replace(day=11), who=lite.actor)
    assert refused.value.fields["calendars"] == ["Quốc tang"]
    assert await on_the_12th(lite) == []
    assert (await say(lite, made, moved(TWELFTH.replace(day=13, hour=19)), who=lite.actor)).verdict == "aired"


async def test_a_morning_moved_to_the_evening_is_over_that_evening(lite: Centre) -> None:
    """Else what a STOP cut could go on in the night, and filler play until the next morning."""
    area = await lite.area()
    filler = await lite.recording(length_ms=60_000, area_id=area.id)
    made = await scheduled(lite, area, 10, ends_at_local="05:30", filler_recording_id=filler)
    at = datetime(2026, 3, 12, 5)
    await say(lite, made, moved(TWELFTH), at, who=lite.actor)
    (run,) = [each for each in await broadcasts(lite) if each.recurrence_local == at.isoformat()]
    assert locals_of([run]) == ["12 17:00"]
    assert (run.length_ms, run.latest_end_at - run.start_at) == (1_800_000, timedelta(minutes=30))


async def evening(village: Commune) -> ScheduleOut:
    """A schedule of the operator's, to which the leader said yes."""
    wanted = wish(village.area, await programme(village.here, village.area), EVENING)
    made = await village.here.services.schedules.create(village.operator, wanted)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    return made


async def test_who_keeps_a_date_in_spite_of_a_calendar_asks_as_who_moves_one(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await evening(village)
    before = await village.told()
    await declare(lite, village.leader, village.area)
    assert len(await village.told()) == len(before) - 1

    assert (await say(lite, made, KEPT, who=village.operator)).awaits_approval
    assert len(await village.told()) == len(before) - 1
    (asked,) = await village.queue()
    await village.approve(asked.id)
    assert len(await village.told()) == len(before)


async def test_a_calendar_from_above_is_passed_over_only_by_who_may_end_it_there(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    village = await commune(lite, "Xã", province)
    made = await evening(village)
    await declare(lite, lite.actor, province)
    for who in (village.operator, village.leader):
        with pytest.raises(ForbiddenError):
            await say(lite, made, KEPT, who=who)
        with pytest.raises(ForbiddenError):
            await lite.services.what_ifs.of_date(who, made.id, TWELFTH, KEPT)
    assert await on_the_12th(lite) == []
    assert (await say(lite, made, KEPT, who=lite.actor)).verdict == "aired"


async def test_days_of_silence_are_ended_by_who_may_approve_there(lite: Centre) -> None:
    village = await commune(lite)
    calendars = lite.services.calendars
    made = await declare(lite, village.operator, village.area)

    def change(version: int, **said: Any) -> CalendarChange:
        return CalendarChange.model_validate({**mourning(village.area, "2026-03-12"), **said, "version": version})

    more = mourning(village.area, "2026-03-12", "2026-03-13")["days"]
    await calendars.change(village.operator, made.id, change(1, title="Tang lễ", days=more))
    song = await programme(lite, village.area, title="Nhạc")
    less = [{"days": more[1:]}, {"effect": "replace", "programme_id": song}]
    for said in less:
        with pytest.raises(ForbiddenError):
            await calendars.change(village.operator, made.id, change(2, **{"days": more, **said}))
    for act in (calendars.end, lite.services.what_ifs.of_calendar_end):
        with pytest.raises(ForbiddenError):
            await act(village.operator, made.id)
    await village.rule(second_person=[])
    await calendars.end(village.operator, made.id)


async def test_a_date_is_held_against_the_others_of_its_own_series(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area, 10, starts=EVENING)
    next_day = TWELFTH.replace(day=13)
    for at in (next_day, next_day.replace(month=4)):  # planned already, and not yet
        source = at.replace(day=12)
        with pytest.raises(ScheduleConflictError) as refused:
            await say(lite, made, moved(at), source, who=lite.actor)
        assert [each["schedule_id"] for each in refused.value.fields["conflicts"]] == [made.id]
    assert len(await on_the_12th(lite)) == 1
    twice = wish(area, await programme(lite, area, 10), rule="FREQ=DAILY;BYHOUR=5;BYMINUTE=0,5")
    seen = await lite.services.schedules.preview(lite.actor, twice)
    assert [each.title for each in seen.conflicts] == ["Chương trình sáng"]
    with pytest.raises(ScheduleConflictError):
        await lite.services.schedules.create(lite.actor, twice)
    assert node.id


async def test_single_dates_are_held_against_the_policy_with_all_that_is_planned(lite: Centre) -> None:
    village = await commune(lite, sessions_a_day=1, minutes_a_session=45, second_person=[])
    made = await scheduled(lite, village.area, 10, starts=EVENING)
    long = await programme(lite, village.area, 100)
    for at in (TWELFTH, TWELFTH.replace(month=4)):
        with pytest.raises(PolicyBreachError, match="sessions_a_day"):
            await say(lite, made, moved(at.replace(day=13, hour=6)), at, who=village.operator)
        for wanted in (ExceptionIn(programme_id=long), moved(at.replace(hour=18), programme_id=long)):
            with pytest.raises(PolicyBreachError, match="minutes_a_session"):
                await say(lite, made, wanted, at, who=village.operator)
    await say(lite, made, moved(TWELFTH.replace(hour=18)), who=village.operator)
    assert await on_the_12th(lite) == ["12 18:00"]


async def test_a_date_is_restored_onto_others_only_when_that_is_meant(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    made = await scheduled(lite, area, 10, starts=EVENING)
    await say(lite, made, ExceptionIn(kind=DateChange.CANCELLED), who=lite.actor)
    await scheduled(lite, area, 10, starts="2026-03-12T17:05:00", rule=None, title="Họp")
    async with lite.client() as client:
        path = f"/api/v1/schedules/{made.id}/dates/2026-03-12T17:00:00"
        answer = await client.delete(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "schedule_conflicts")
        assert await on_the_12th(lite) == ["12 17:05"]
        assert (await client.delete(path, params={"confirm_conflicts": True})).status_code == 200
    assert await on_the_12th(lite) == ["12 17:00", "12 17:05"]


async def test_a_schedule_of_several_communes_names_the_silence_that_it_does_not_follow(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    west, east = [await lite.area(name, province, kind="commune") for name in ("Xã Tây", "Xã Đông")]
    for each in (west, east):
        await lite.node(each, f"Cụm {each.name}")
    made = await programme(lite, province)
    await declare(lite, lite.actor, west, "2026-03-12", "2026-03-09")
    both = wish(west, made, EVENING, targets=(west.scope, east.scope))
    [found] = (await lite.services.schedules.preview(lite.actor, both)).unheeded
    assert (found.title, found.area_name, found.dates) == ("Quốc tang", "Xã Tây", (TWELFTH.date(),))
    assert (await lite.services.schedules.preview(lite.actor, wish(west, made, EVENING))).unheeded == ()
