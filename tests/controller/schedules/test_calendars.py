"""Calendars: which days they name in the years that are known, and that one costs nobody else anything."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from controller.areas.rules import Place, Tree
from controller.errors import InvalidError
from controller.schedules.days import dates_between, read_days
from controller.schedules.models import Calendar
from controller.schedules.repository import Calendars
from tests.controller.factories import Centre
from tests.controller.schedules.village import programme, scheduled


def test_of_years_that_nobody_knows_nothing_is_said() -> None:
    kitchen_gods, holidays = (
        read_days([each]) for each in ({"kind": "lunar", "month": 12, "day": 23}, {"kind": "national"})
    )
    assert dates_between(kitchen_gods, date(2099, 12, 1), date(2101, 3, 1)) == {date(2100, 2, 1)}
    assert dates_between(kitchen_gods, date(1890, 1, 1), date(1899, 1, 1)) == frozenset()
    assert dates_between(holidays, date(2199, 1, 1), date(2199, 12, 31)) == frozenset()


def _calendar(area_id: str, *days: dict[str, str]) -> Calendar:
    made_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Calendar(id=area_id, area_id=area_id, title="Tết", effect="suspend", days=[*days], created_at=made_at)


def test_a_calendar_of_another_commune_is_not_even_read_here() -> None:
    tree = Tree(Place(each, None, "commune", each, None, None, None) for each in ("here", "there"))
    ours = _calendar("here", {"kind": "date", "date": "2026-03-12"})
    calendars = Calendars(tree, [_calendar("there", {"kind": "none that we know"}), ours])
    march = date(2026, 3, 1), date(2026, 3, 31)
    assert list(calendars.of("here", *march)) == [date(2026, 3, 12)]
    with pytest.raises(InvalidError):
        calendars.of("there", *march)


@pytest.mark.parametrize(
    ("path", "said", "field"),
    [
        ("schedules", {"starts_at_local": "2100-01-01T05:00:00"}, "starts_at_local"),
        ("schedules", {"last_date": "9999-12-31"}, "last_date"),
        ("schedules/preview", {"last_date": "9999-12-31"}, "last_date"),
        ("calendars", {"days": [{"kind": "date", "date": "9999-12-31", "days": 2}]}, "days.0.date.date"),
    ],
)
async def test_a_day_beyond_the_known_years_is_refused_by_name(
    lite: Centre, path: str, said: dict[str, Any], field: str
) -> None:
    area = await lite.area()
    wanted: dict[str, Any] = {"title": "Sáng", "rule": "FREQ=DAILY", "starts_at_local": "2026-03-10T05:00:00"}
    if path == "calendars":
        wanted = {"title": "Tết", "area_id": area.id, "effect": "suspend"}
    else:
        wanted |= {"programme_id": await programme(lite, area), "targets": [area.scope]}
    async with lite.client() as client:
        answer = await client.post(f"/api/v1/{path}", json=wanted | said)
    assert (answer.status_code, answer.json()["error"]["fields"]) == (
        422,
        {"field": field, "problem": "less_than_equal"},
    )


async def test_the_days_around_the_last_known_year_can_be_looked_at(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area)
    tet = {"area_id": area.id, "title": "Tết", "effect": "suspend", "days": [{"kind": "lunar", "month": 12, "day": 23}]}
    span = {"from_at": "2099-12-01T00:00:00Z", "until_at": "2100-01-31T00:00:00Z"}
    async with lite.client() as client:
        await client.post("/api/v1/calendars", json=tet)
        for path in (f"schedules/{made.id}/dates", "schedules/dates"):
            assert len((await client.get(f"/api/v1/{path}", params=span)).json()) == 61
        assert (await client.get(f"/api/v1/nodes/{node.id}/day", params={"date": "2099-12-31"})).status_code == 200
