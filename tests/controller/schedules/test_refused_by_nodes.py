"""Rules of a place that change under what is planned: nodes refuse it, and somebody is told in time."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from controller.areas.schemas import AreaOut, QuietWindow
from controller.policies.schemas import PolicyIn, PolicyRules, Window
from controller.schedules.schemas import DateOut
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, scheduled

LATE = QuietWindow(start="22:00", until="06:00")


async def dates(here: Centre, schedule_id: str) -> Sequence[DateOut]:
    return await here.services.schedules.dates(here.actor, schedule_id, here.clock(), here.clock() + timedelta(days=20))


async def told(here: Centre) -> list[tuple[str, str, list[str]]]:
    found = await here.services.alarms.list(here.actor)
    return [(each.kind, each.detail["problem"], each.detail["rules"]) for each in found]


async def windows(here: Centre, area: AreaOut, *found: Window) -> None:
    wanted = PolicyIn(version=0, rules=PolicyRules(windows=found))
    await here.services.policies.put(here.actor, area.id, wanted)


@pytest.mark.parametrize("rule", ["quiet_hours", "windows"])
async def test_what_all_nodes_will_refuse_stands_marked_and_is_told_at_once(lite: Centre, rule: str) -> None:
    area = await lite.area(name="Xã Đông")
    made = await scheduled(lite, area)
    before = {row.id for row in await broadcasts(lite, made.id)}
    if rule == "quiet_hours":
        await lite.services.areas.change(lite.actor, area.id, quiet_hours=[LATE])
    else:
        await windows(lite, area, Window(start="06:00", until="08:00"))
    await lite.services.schedules.roll_due()
    found = await dates(lite, made.id)
    assert {tuple(breach.rule for breach in each.breaches) for each in found} == {(rule,)}
    assert {breach.everywhere for each in found for breach in each.breaches} == {True}
    assert {each.problem for each in found} == {None}, "what is planned stays planned, with its yes"
    assert {row.id for row in await broadcasts(lite, made.id)} == before
    assert await told(lite) == [("schedules.not_airable", "policy_breach", [rule])]


async def test_a_rule_of_one_hamlet_is_marked_and_no_alarm(lite: Centre) -> None:
    area = await lite.area(name="Xã Đông")
    quiet, other = await lite.area(name="Thôn Đông", parent=area), await lite.area(name="Thôn Tây", parent=area)
    for place in (quiet, other):
        await lite.node(place, f"Cụm {place.name}")
    made = await scheduled(lite, area)
    await lite.services.areas.change(lite.actor, quiet.id, quiet_hours=[LATE])
    await lite.services.schedules.roll_due()
    found = await dates(lite, made.id)
    assert {breach.area_names for each in found for breach in each.breaches} == {("Thôn Đông",)}
    assert {breach.everywhere for each in found for breach in each.breaches} == {False}
    assert await told(lite) == []


async def test_what_waits_to_be_rolled_anew_stands_once_in_a_day(lite: Centre) -> None:
    area = await lite.area(name="Xã Đông")
    node = await lite.node(area, "Nhà văn hóa")
    made = await scheduled(lite, area)
    tomorrow = (lite.clock() + timedelta(days=1)).date()
    await lite.services.areas.change(lite.actor, area.id, quiet_hours=[QuietWindow(start="22:00", until="04:30")])
    [entry] = (await lite.services.days.of(lite.actor, node.id, tomorrow)).entries
    assert (entry.schedule_id, entry.outcome) == (made.id, "played")
