"""Days as a page shows them, and a week that is copied: of whom, how far, and what is named."""

from datetime import date, datetime
from typing import Any

import pytest

from controller.errors import InvalidError, NotFoundError
from controller.people.actor import Actor
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeIn
from controller.schedules.feed_schemas import FeedOut, WeekCopyIn
from controller.schedules.schemas import ExceptionIn, ScheduleOut
from controller.schedules.states import DateChange
from tests.controller.factories import ADDRESS, Centre
from tests.controller.schedules.village import scheduled, trung_loc, wish
from tests.controller.test_around import Cost
from tests.controller.words import approved

MONDAY, NEXT = date(2026, 4, 13), date(2026, 4, 20)
DAY = datetime(2026, 4, 14, 5)  # noqa: DTZ001 - wall time


async def test_a_place_sees_its_own_days_and_hears_no_name_of_another(lite: Centre) -> None:
    commune, relay = await trung_loc(lite, quiet_hours=[])
    elsewhere = await lite.area("Xã Bên", kind="commune", quiet_hours=[])
    await lite.node(elsewhere)
    theirs = await scheduled(lite, elsewhere, 8, title="Của xã bên", starts="2026-04-14T05:05:00")
    hoa = await lite.somebody("hoa", "operator", commune)
    feeds = lite.services.feeds
    found = await feeds.of(Actor(hoa.id, ADDRESS), MONDAY, NEXT)
    whole = await feeds.of(lite.actor, MONDAY, NEXT)
    narrowed = await feeds.of(lite.actor, MONDAY, NEXT, elsewhere.id)
    assert {each.schedule_id for each in found.entries} == {relay.id}
    assert not any(each.meets for each in whole.entries), "they sound at the same hour, and at no node in common"
    assert {each.schedule_id for each in narrowed.entries} == {theirs.id}
    with pytest.raises(NotFoundError):
        await feeds.of(Actor(hoa.id, ADDRESS), MONDAY, NEXT, elsewhere.id)
    with pytest.raises(InvalidError):
        await feeds.of(lite.actor, MONDAY, date(2026, 7, 1))


async def test_days_know_the_moon_and_the_holidays(lite: Centre) -> None:
    await trung_loc(lite, quiet_hours=[])
    found = {each.date: each for each in (await lite.services.feeds.of(lite.actor, MONDAY, date(2026, 5, 4))).days}
    kings = found[date(2026, 4, 26)]
    assert (kings.lunar_day, kings.lunar_month, kings.is_leap_month) == (10, 3, False)
    assert (kings.holiday, kings.holiday_en) == ("Ngày Giỗ Tổ Hùng Vương", "Hung Kings' Commemoration Day")
    assert found[MONDAY].holiday is None


async def test_what_meets_at_one_node_is_named_on_both_sides(lite: Centre) -> None:
    commune, relay = await trung_loc(lite, quiet_hours=[])
    mine = await scheduled(lite, commune, 8, title="Bản tin", starts="2026-04-14T05:05:00", confirm_conflicts=True)
    met = {
        each.schedule_id: each.meets
        for each in (await lite.services.feeds.of(lite.actor, date(2026, 4, 14), date(2026, 4, 15))).entries
    }
    assert met == {relay.id: (mine.title,), mine.id: (relay.title,)}


async def test_a_copied_week_has_dates_where_they_were_in_the_end(lite: Centre) -> None:
    commune, _ = await trung_loc(lite, quiet_hours=[])
    given = {
        "title": "Bản tin",
        "starts": "2026-04-14T12:00:00",
        "rule": "FREQ=DAILY;COUNT=2",
        "confirm_conflicts": True,
        "confirm_unusual": True,
    }
    made = await scheduled(lite, commune, 8, **given)
    for day, change in (
        (14, ExceptionIn(kind=DateChange.MOVED, moved_to_local=datetime(2026, 4, 15, 13), confirm_unusual=True)),  # noqa: DTZ001
        (15, ExceptionIn(kind=DateChange.CANCELLED)),
    ):
        await lite.services.single_dates.except_(lite.actor, made.id, datetime(2026, 4, day, 12), change)  # noqa: DTZ001
    wanted = WeekCopyIn(area_id=commune.id, from_week=DAY.date(), into_week=date(2026, 4, 23), confirm_unusual=True)
    seen = await lite.services.week_copies.preview(lite.actor, wanted)
    done = await lite.services.week_copies.copy(lite.actor, wanted)
    new = [each for each in seen.lines if each.what == "new"]
    assert [(each.title, each.into_local) for each in new] == [("Bản tin", datetime(2026, 4, 22, 13))]  # noqa: DTZ001
    assert {each.what for each in seen.lines} == {"new", "there"}
    [copy] = [await lite.services.schedules.get(lite.actor, each) for each in done.made]
    assert (copy.starts_at_local, copy.rule) == (datetime(2026, 4, 22, 13), None)  # noqa: DTZ001
    again = await lite.services.week_copies.copy(lite.actor, wanted)
    assert again.made == ()


async def test_days_of_more_schedules_take_no_more_statements(lite: Centre) -> None:
    """Each has a programme of its own, with a bulletin; one is filled up, one airs another on a date."""
    commune, _ = await trung_loc(lite, quiet_hours=[])

    async def planned(hour: int) -> ScheduleOut:
        bulletin = await approved(lite, commune, f"Tin {hour}")
        items = [ItemIn(kind=ItemKind.BULLETIN, bulletin_id=bulletin.id)]
        wanted = ProgrammeIn(area_id=commune.id, title=f"Chương trình {hour}", items=items)
        made = await lite.services.programmes.create(lite.actor, wanted)
        given: dict[str, Any] = {
            "starts": f"2026-04-14T{hour:02}:00:00",
            "confirm_unusual": True,
            "title": f"Lịch {hour}",
        }
        if hour % 2:
            given |= {"ends_at_local": f"{hour:02}:30", "filler_recording_id": await lite.recording(length_ms=60_000)}
        return await lite.services.schedules.create(lite.actor, wish(commune, made.id, **given))

    async def looked_at() -> tuple[int, FeedOut]:
        cost = Cost(lite)
        found = await lite.services.feeds.of(lite.actor, MONDAY, NEXT)
        return cost.statements, found

    first, other = [await planned(hour) for hour in (8, 9)]
    change = ExceptionIn(programme_id=other.programme_id, confirm_conflicts=True)
    await lite.services.single_dates.except_(lite.actor, first.id, datetime(2026, 4, 15, 8), change)  # noqa: DTZ001
    few, _ = await looked_at()
    for hour in range(10, 18):
        await planned(hour)
    many, found = await looked_at()
    assert len({each.schedule_id for each in found.entries}) == 11
    assert all(each.ends_at > each.start_at for each in found.entries), "all are laid out"
    assert many == few
