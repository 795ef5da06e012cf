"""What nodes will refuse of what is planned: shown before a rule is saved, marked wherever a date is promised."""

import re
from datetime import datetime

import pytest

from tests.web.harness import Commune, visitor
from tests.web.pages import programme, said
from tests.web.scenes.plan import schedule

pytestmark = pytest.mark.asyncio

DAWN = datetime(2031, 11, 25, 5, 30)  # noqa: DTZ001 - wall time
AGAINST = "Trái quy định: cụm loa không phát trong giờ yên tĩnh 22:00–06:00, ở mọi nơi."


async def at_dawn(site: Commune) -> str:
    """Plan something for every day at 05:30; gives the id of the schedule."""
    made = await schedule(site, (await programme(site)).id, "Buổi sáng", DAWN, "FREQ=DAILY")
    await site.centre.services.schedules.roll_due()
    return made


async def quiet(site: Commune, hours: str, **typed: str) -> str:
    """Send the form of quiet hours; gives the page that answers, empty when it was saved."""
    async with visitor(site) as client:
        answer = await client.post(f"/policies/{site.root.id}/quiet-hours", data={"quiet": hours} | typed)
        return "" if answer.status_code == 303 else answer.text


async def hours_of(site: Commune) -> list[str]:
    area = await site.centre.services.areas.get(site.centre.actor, site.root.id)
    return [f"{each.start}–{each.until}" for each in area.quiet_hours or ()]


async def test_quiet_hours_show_what_they_silence_before_they_are_saved(site: Commune) -> None:
    await at_dawn(site)
    held = await quiet(site, "22:00–06:00")
    assert "Chưa lưu." in held
    assert re.search(r"Buổi sáng, 05:30.*sau khi đổi không phát", held)
    assert await hours_of(site) == ["22:00–05:00"]
    [mark] = re.findall(r'name="looked" value="(\w+)"', held)
    assert "Chưa lưu." in await quiet(site, "21:00–06:30", looked=mark), "other hours than those that were looked at"
    assert await quiet(site, "22:00–06:00", looked=mark) == ""
    assert await hours_of(site) == ["22:00–06:00"]


async def test_a_look_saves_nothing_and_what_harms_nothing_is_saved_at_once(site: Commune) -> None:
    await at_dawn(site)
    looked = await quiet(site, "21:00–05:00", look="yes")
    assert "không lần phát nào khác đi" in looked
    assert "Chưa lưu." not in looked
    assert await hours_of(site) == ["22:00–05:00"]
    assert await quiet(site, "21:00–05:00") == ""


async def test_no_quiet_hours_at_all_is_not_the_hours_of_the_place_above(site: Commune) -> None:
    assert await quiet(site, "22:00–05:00", quiet_none="yes") == "", "the hours of before, and the tick: none"
    areas = site.centre.services.areas
    assert (await areas.get(site.centre.actor, site.root.id)).quiet_hours == ()
    async with visitor(site) as client:
        assert 'name="quiet_none" value="yes" checked' in (await client.get(f"/policies/{site.root.id}")).text
    assert await quiet(site, "", quiet_none="yes") == "", "nothing was touched"
    assert (await areas.get(site.centre.actor, site.root.id)).quiet_hours == ()
    assert await quiet(site, "") == ""
    assert (await areas.get(site.centre.actor, site.root.id)).quiet_hours is None


async def test_more_hours_than_a_node_takes_are_refused(site: Commune) -> None:
    many = ", ".join(f"0{hour}:00–0{hour}:30" for hour in range(9))
    assert "Nhiều nhất 8 khoảng giờ." in await quiet(site, many)
    assert await hours_of(site) == ["22:00–05:00"]


async def test_what_nodes_will_refuse_is_marked_wherever_it_is_promised(site: Commune) -> None:
    planned = await at_dawn(site)
    by_hand = await site.broadcast("Họp sớm", start_at="2031-11-24T22:40:00Z", confirm_unusual=True)
    node = site.nodes["Đầu làng Trại"]
    async with visitor(site) as client:
        assert "Trái quy định" not in said(await client.get("/schedules?day=2031-11-25"))
        held = await quiet(site, "22:00–06:00")
        [mark] = re.findall(r'name="looked" value="(\w+)"', held)
        assert await quiet(site, "22:00–06:00", looked=mark) == ""
        month = await client.get("/schedules?view=month&day=2031-11-26")
        assert month.text.count('<i class="care"></i>') >= 6
        week = await client.get("/schedules?day=2031-11-25")
        assert said(week).count(AGAINST) == 7, "six mornings, and the one by hand"
        one = week.text[week.text.index("Họp sớm") :]
        assert "Trái quy định" in one[: one.index("</li>")]
        dates = said(await client.get(f"/schedules/{planned}"))
        assert dates.count(AGAINST) == 30, "those that are planned, and those that are not yet"
        day = said(await client.get(f"/nodes/{node.id}/day?date=2031-11-25"))
        assert day.count("Sẽ không phát. Đang giờ yên tĩnh.") == 2
        assert by_hand.title in day


async def test_only_places_where_it_is_quiet_are_named(site: Commune) -> None:
    planned = await at_dawn(site)
    hamlet = site.hamlets["Thôn Đồng"]
    async with visitor(site) as client:
        path = f"/policies/{hamlet.id}/quiet-hours"
        held = await client.post(path, data={"quiet": "22:00–06:00"})
        [mark] = re.findall(r'name="looked" value="(\w+)"', held.text)
        assert (await client.post(path, data={"quiet": "22:00–06:00", "looked": mark})).status_code == 303
        assert "giờ yên tĩnh 22:00–06:00, ở Thôn Đồng." in said(await client.get(f"/schedules/{planned}"))


async def test_what_has_passed_is_judged_by_what_came_of_it_not_by_the_rules_of_today(site: Commune) -> None:
    await at_dawn(site)
    site.centre.clock.step(hours=14)
    held = await quiet(site, "22:00–06:00")
    [mark] = re.findall(r'name="looked" value="(\w+)"', held)
    assert await quiet(site, "22:00–06:00", looked=mark) == ""
    async with visitor(site) as client:
        week = (await client.get("/schedules?day=2031-11-25")).text
    today = week[week.index('id="d-2031-11-25"') : week.index('id="d-2031-11-26"')]
    assert "Trái quy định" not in today


async def test_another_zone_shows_what_it_moves_into_quiet_hours_before_it_is_saved(site: Commune) -> None:
    planned, path = await at_dawn(site), f"/places/{site.root.id}"
    typed = {"name": site.root.name, "kind": "commune", "zone": "Asia/Bangkok"}
    async with visitor(site) as client:
        same = await client.post(path, data=typed)
        assert same.status_code == 303, "the same hours: nothing goes differently"
        held = await client.post(path, data=typed | {"zone": "Asia/Dhaka"})
        assert "Chưa lưu." in held.text
        assert re.search(r"Buổi sáng, 05:30.*sau khi đổi không phát", held.text)
        assert 'value="Asia/Dhaka"' in held.text, "what was typed stands there"
        areas = site.centre.services.areas
        assert (await areas.get(site.centre.actor, site.root.id)).zone == "Asia/Bangkok"
        [mark] = re.findall(r'name="looked" value="(\w+)"', held.text)
        assert (await client.post(path, data=typed | {"zone": "Asia/Dhaka", "looked": mark})).status_code == 303
        assert "Trái quy định" in said(await client.get(f"/schedules/{planned}"))


async def test_a_look_at_a_place_of_which_no_rule_changes_saves_nothing(site: Commune) -> None:
    path = f"/places/{site.root.id}"
    typed = {"name": "Xã khác", "kind": "commune", "zone": "", "look": "yes"}
    async with visitor(site) as client:
        assert "không lần phát nào khác đi" in (await client.post(path, data=typed)).text
    assert (await site.centre.services.areas.get(site.centre.actor, site.root.id)).name == "Xã Nga My"
