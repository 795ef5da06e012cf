"""A policy that becomes stricter after a schedule was saved: what is rolled, what people see of it and are told."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.areas.schemas import AreaOut
from controller.policies.errors import PolicyBreachError
from controller.policies.schemas import PolicyIn, PolicyRules
from controller.schedules.schemas import ExceptionIn
from controller.schedules.states import DateChange
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, locals_of, scheduled

NOT_AIRABLE = "schedules.not_airable"


async def rule(here: Centre, area: AreaOut, **rules: Any) -> None:
    """Give an area these rules."""
    version = (await here.services.policies.get(here.actor, area.id)).version
    await here.services.policies.put(here.actor, area.id, PolicyIn(version=version, rules=PolicyRules(**rules)))


async def problems(here: Centre, schedule_id: str) -> dict[str, tuple[str | None, str | None]]:
    """What keeps the dates of the coming ten days from being aired, and why, by day."""
    found = await here.services.schedules.dates(here.actor, schedule_id, here.clock(), here.clock() + timedelta(days=9))
    return {f"{each.local:%d %H:%M}": (each.problem, each.problem_message) for each in found if each.problem}


async def test_a_date_against_a_stricter_policy_is_not_made_and_somebody_is_told_in_time(lite: Centre) -> None:
    area = await lite.area(name="Xã Đông")
    made = await scheduled(lite, area)
    await rule(lite, area, earliest="05:30")
    lite.clock.step(days=1)
    assert await lite.services.schedules.roll_due() == {"left": 7, "broken": 1}
    (problem, why) = (await problems(lite, made.id))["18 05:00"]
    assert (problem, why) == ("policy_breach", "against the policy of Xã Đông: earliest")
    assert await lite.services.alarms.list(lite.actor) == []

    told = []
    for _ in range(7):
        lite.clock.step(days=1)
        await lite.services.schedules.roll_due()
        told.append([each.detail["date"] for each in await lite.services.alarms.list(lite.actor)])
    assert told == [[]] * 5 + [["18/03 05:00"]] * 2
    assert await broadcasts(lite, made.id) != []
    assert locals_of(await broadcasts(lite, made.id))[-1] == "17 05:00"

    await rule(lite, area)
    lite.clock.step(days=1)
    await lite.services.schedules.roll_due()
    assert locals_of(await broadcasts(lite, made.id))[-2:] == ["25 05:00", "26 05:00"]
    assert await problems(lite, made.id) == {}


async def test_what_stands_is_counted_and_the_later_sessions_of_a_day_are_left_out(lite: Centre) -> None:
    """Three a day, then two are allowed: planned days stay, on new ones one too many is silent, whosever it is."""
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area, rule="FREQ=DAILY;BYHOUR=5,11,17")
    await rule(lite, area, sessions_a_day=2)
    lite.clock.step(days=1)
    assert await lite.services.schedules.roll_due() == {"left": 21, "made": 2, "broken": 1}
    assert list(await problems(lite, made.id)) == ["17 17:00", "18 17:00"]
    await scheduled(lite, area, targets=(f"nodes/{node.id}",), starts="2026-03-18T14:00:00", rule=None)
    lite.clock.step(days=1)
    await lite.services.schedules.roll_due()
    days = Counter(each[:2] for each in locals_of(await broadcasts(lite)))
    assert list(days.values()) == [*[3] * 7, 2, 2, 1]


async def test_an_edit_plans_anew_under_the_policy_of_now(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    await rule(lite, area, minutes_a_session=5)
    dates, on = lite.services.single_dates, datetime(2026, 3, 11, 5)
    await dates.except_(lite.actor, made.id, on, ExceptionIn(kind=DateChange.CANCELLED))
    for act in (
        dates.restore(lite.actor, made.id, on),
        dates.except_(lite.actor, made.id, on, ExceptionIn(confirm_conflicts=True)),
    ):
        with pytest.raises(PolicyBreachError, match="minutes_a_session"):
            await act
    assert locals_of(await broadcasts(lite, made.id))[:2] == ["10 05:00", "12 05:00"]
