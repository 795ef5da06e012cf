"""What ending a schedule, or a change of one date, of a calendar or of a programme would change, before it is done."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from controller.people.actor import Actor
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeChange
from controller.schedules.schemas import CalendarIn, ExceptionIn
from controller.schedules.states import DateChange, OnCalendarDay, Overrun
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, programme, scheduled, trung_loc

DAY = datetime(2026, 4, 14, 5)  # noqa: DTZ001 - wall time
AT_FIVE = "2026-04-13T22:00:00Z"
"""Of that day."""


async def ask(client: httpx.AsyncClient, path: str, wanted: Any = None, **query: str) -> list[dict[str, Any]]:
    answer = await client.post(f"/api/v1{path}", json=wanted, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["changes"]
    return found


def starts(changes: list[dict[str, Any]]) -> list[tuple[str, str | None, bool, bool]]:
    """When, where to, and whether it is heard before and after."""
    return [
        (each["start_at"], each["moved_to_at"], *(each[when] is not None for when in ("before", "after")))
        for each in changes
    ]


async def test_what_gave_way_to_an_ended_schedule_would_be_heard_in_time(here: Centre) -> None:
    commune, relay = await trung_loc(here, quiet_hours=[])
    mine = await scheduled(here, commune, 8, title="Bản tin", starts="2026-04-14T05:05:00", confirm_conflicts=True)
    async with here.client() as client:
        found = await ask(client, f"/schedules/{relay.id}/end/what-if")
    gone = [each for each in found if each["schedule_id"] == relay.id]
    freed = [each for each in found if each["schedule_id"] == mine.id]
    assert {each["after"] is None for each in gone} == {True}
    assert {each["is_past"] for each in gone} == {True, False}
    assert {(each["before"]["late_ms"], each["after"]["late_ms"]) for each in freed} == {(300_000, 0)}
    assert await broadcasts(here, relay.id)  # nothing was ended


async def test_of_one_date_only_that_date_changes(lite: Centre) -> None:
    commune, relay = await trung_loc(lite, quiet_hours=[])
    path = f"/schedules/{relay.id}/dates/2026-04-14T05:00:00"
    async with lite.client() as client:
        off = await ask(client, f"{path}/what-if", {"kind": "cancelled"})
        [moved] = await ask(client, f"{path}/what-if", {"kind": "moved", "moved_to_local": "2026-04-14T03:15:00"})
        other = await programme(lite, commune, 4, title="Khác")
        [instead] = await ask(client, f"{path}/what-if", {"programme_id": other})
        assert await ask(client, f"{path}/what-if", {}) == []  # kept where no calendar takes it away
        await lite.services.single_dates.except_(lite.actor, relay.id, DAY, ExceptionIn(kind=DateChange.CANCELLED))
        back = await ask(client, f"{path}/what-if")
    assert starts(off) == [(AT_FIVE, None, True, False)]
    assert starts(back) == [(AT_FIVE, None, False, True)]
    assert (moved["moved_to_at"], moved["unusual"]) == ("2026-04-13T20:15:00Z", {"reason": "night", "hour": "03:15"})
    assert (instead["start_at"], instead["title"], instead["moved_to_at"]) == (AT_FIVE, "Khác", None)


async def test_a_calendar_shows_the_days_that_it_takes_behind_and_ahead_and_gives_them_back(lite: Centre) -> None:
    commune, _ = await trung_loc(lite, quiet_hours=[])
    days = [{"kind": "date", "date": day} for day in ("2026-03-20", "2026-04-14")]
    said = {"area_id": commune.id, "title": "Tang lễ", "days": days, "effect": "suspend"}
    async with lite.client() as client:
        taken = await ask(client, "/calendars/what-if", said)
        made = await lite.services.calendars.create(lite.actor, CalendarIn.model_validate(said))
        await lite.services.schedules.roll_due()
        assert await ask(client, "/calendars/what-if", said, calendar_id=made.id) == []
        later = {**said, "days": [days[0], {"kind": "date", "date": "2026-04-16"}]}
        changed = await ask(client, "/calendars/what-if", later, calendar_id=made.id)
        given_back = await ask(client, f"/calendars/{made.id}/end/what-if")
    assert starts(taken) == [("2026-03-19T22:00:00Z", None, True, False), (AT_FIVE, None, True, False)]
    assert starts(changed) == [(AT_FIVE, None, False, True), ("2026-04-15T22:00:00Z", None, True, False)]
    assert (AT_FIVE, None, False, True) in starts(given_back)


async def test_what_replaces_on_a_day_stands_in_the_place_of_the_usual(lite: Centre) -> None:
    commune, _ = await trung_loc(lite, quiet_hours=[])
    feast = await programme(lite, commune, 30, title="Ngày lễ")
    wanted = CalendarIn.model_validate(
        {
            "area_id": commune.id,
            "title": "Lễ",
            "days": [{"kind": "date", "date": "2026-04-14"}],
            "effect": OnCalendarDay.REPLACE,
            "programme_id": feast,
        }
    )
    async with lite.client() as client:
        [found] = await ask(client, "/calendars/what-if", wanted.model_dump(mode="json"))
    assert (found["start_at"], found["title"], found["node_count"]) == (AT_FIVE, "Ngày lễ", 3)


async def test_a_programme_that_grows_beyond_its_end_is_heard_no_more(lite: Centre) -> None:
    commune, _ = await trung_loc(lite, quiet_hours=[])
    fixed = {"ends_at_local": "17:45", "overrun": Overrun.REFUSE, "confirm_unusual": True}
    made = await scheduled(lite, commune, 20, title="Chiều", starts="2026-04-10T17:00:00", **fixed)
    known = await lite.services.programmes.get(lite.actor, made.programme_id)
    long = await lite.recording(length_ms=30 * 60_000, area_id=commune.id)
    items = [{"kind": "recording", "recording_id": each} for each in (known.items[0].recording_id, long)]
    path = f"/programmes/{made.programme_id}/what-if"
    async with lite.client() as client:
        found = await ask(client, path, {"version": known.version, "items": items})
        other = await ask(client, path, {"version": known.version, "items": items[1:]})
        assert await ask(client, path, {"version": known.version, "title": "Tên khác"}) == []
    assert {each["title"] for each in found} == {"Chiều"}
    assert {(each["before"]["outcome"], each["after"]) for each in found} == {("played", None)}
    assert len(found) == len(other) == 28  # every day from the first on
    assert {each["after"]["outcome"] for each in other} == {"played"}
    assert (await lite.services.programmes.get(lite.actor, made.programme_id)).version == known.version


async def test_days_at_which_the_schedule_was_otherwise_are_not_told_of(lite: Centre) -> None:
    """What was heard then was another version of it: no edit of today would have changed that."""
    _, relay = await trung_loc(lite, quiet_hours=[])
    known = await lite.services.programmes.get(lite.actor, relay.programme_id)
    short = await lite.recording(length_ms=60_000)
    wanted = ProgrammeChange(version=known.version, items=[ItemIn(kind=ItemKind.RECORDING, recording_id=short)])
    await lite.services.programmes.change(lite.actor, relay.programme_id, wanted)
    await lite.services.schedules.roll_due()
    async with lite.client() as client:
        off = await ask(client, f"/schedules/{relay.id}/dates/2026-04-14T05:00:00/what-if", {"kind": "cancelled"})
    assert starts(off) == [(AT_FIVE, None, True, False)]


async def test_nodes_of_a_neighbour_that_hear_the_same_are_not_told_of(here: Centre) -> None:
    """A programme of one commune in a schedule of the district sounds in both; each sees its own."""
    district = await here.area("Huyện", kind="district", quiet_hours=[])
    east, west = [await here.area(name, district, kind="commune") for name in ("Xã Đông", "Xã Tây")]
    for area in (east, west):
        await here.node(area, f"Cụm {area.name}")
    shared = await programme(here, east, 5)
    made = await scheduled(here, district, 1, starts="2026-03-10T06:00:00")
    day = datetime(2026, 3, 12, 6)  # noqa: DTZ001 - wall time
    await here.services.single_dates.except_(here.actor, made.id, day, ExceptionIn(programme_id=shared))
    operator = Actor((await here.somebody("hoa", "operator", east)).id, "tests")
    found = await here.services.what_ifs.of_programme(operator, shared, ProgrammeChange(version=1, lead_in_ms=5_000))
    assert [(each.area_names, each.node_count) for each in found.changes] == [(("Xã Đông",), 1)]
    assert found.until_at - found.from_at == timedelta(days=60)
