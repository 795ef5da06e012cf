"""Lịch phát thanh over HTTP: planning, single dates, and what waits for a yes."""

import re

import pytest

from controller.policies.schemas import PolicyIn
from tests.web.harness import Commune, visitor
from tests.web.pages import planned, programme, said


async def test_a_schedule_is_looked_at_saved_and_read_in_words(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        looked = await client.post("/schedules/new", data=planned(made, site, look="yes", confirm_unusual="yes"))
        assert "Mỗi lần 10 phút, tới 4 cụm." in said(looked)
        assert "17:30 Thứ Tư 26/11" in looked.text
        assert "những lần phát này sẽ khác" in looked.text
        assert await site.centre.services.schedules.list(site.centre.actor) == []
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        page = await client.get(saved.headers["location"])
    assert "Thứ Hai, Thứ Tư lúc 17:30" in page.text
    assert "Lần tới: 17:30 Thứ Tư 26/11" in page.text


async def test_what_begins_in_two_months_is_not_said_to_air_within_30_days(site: Commune) -> None:
    typed = planned(await programme(site), site, first_day="24/01/2032", weekday=["SA"])
    async with visitor(site) as client:
        looked = said(await client.post("/schedules/new/preview", data=typed))
    assert "tới 4 cụm. Lần đầu 17:30 Thứ Bảy 24/01/2032; trong 30 ngày kể từ đó: 5 lần." in looked


async def test_of_a_single_date_only_the_date_is_said(site: Commune) -> None:
    typed = planned(await programme(site), site, first_day="24/01/2032", repeat="once")
    async with visitor(site) as client:
        looked = said(await client.post("/schedules/new/preview", data=typed))
    assert "Một lần, 10 phút, tới 4 cụm: 17:30 Thứ Bảy 24/01/2032." in looked
    assert "30 ngày" not in looked
    assert looked.count("24/01/2032") == 1


async def test_while_a_schedule_is_typed_its_preview_says_what_to_mend_not_that_saving_failed(site: Commune) -> None:
    typed = planned(await programme(site), site, first_day="22/11/2026", repeat="once")
    async with visitor(site) as client:
        looked = said(await client.post("/schedules/new/preview", data=typed))
    assert "Trước khi lưu còn phải sửa:" in looked
    assert "Lần phát đầu đã qua" in looked
    assert "Chưa lưu được" not in looked


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"hour": "25"}, "hour"), ({"first_day": "31/02/2032"}, "first_day"), ({"target": []}, "targets")],
)
async def test_a_wrong_field_of_a_schedule_keeps_all_that_was_typed(
    site: Commune, wrong: dict[str, object], field: str
) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        page = await client.post("/schedules/new", data=planned(made, site, title="Buổi tối", **wrong))
    assert page.status_code == 422
    assert f'id="wrong-{field}"' in page.text
    assert 'value="Buổi tối"' in page.text
    assert re.findall(r'name="weekday" value="(\w\w)" checked', page.text) == ["MO", "WE"]


async def test_24_at_a_schedule_is_told_to_be_0_of_the_next_day(site: Commune) -> None:
    typed = planned(await programme(site), site, hour="24:00")
    async with visitor(site) as client:
        answer = await client.post("/schedules/new", data=typed)
    assert answer.status_code == 422
    assert "24:00 là 00:00 của ngày hôm sau" in answer.text


async def test_every_wrong_field_of_a_schedule_is_told_at_once(site: Commune) -> None:
    wrong = {"title": "", "hour": "25:00", "first_day": "mai", "last_day": "mốt", "repeat": "weekly"}
    async with visitor(site) as client:
        answer = await client.post("/schedules/new", data=wrong)
    for field in ("title", "hour", "first_day", "last_day", "weekday"):
        assert f'id="wrong-{field}"' in answer.text


async def test_one_date_is_left_out_and_comes_back(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        path = saved.headers["location"].partition("?")[0]
        for act, word in [("cancel", "Phát như thường"), ("restore", "")]:
            answer = await client.post(f"{path}/dates/2031-11-26T17:30:00", data={"act": act})
            page = await client.get(answer.headers["location"])
            assert ("Phát như thường" in page.text) == bool(word)
            unsaid = await client.post(f"{path}/dates/2031-11-26T17:30:00", data={})
            assert unsaid.status_code == 422, "no act was named: none is done"
        nowhere = await client.post(f"{path}/dates/2031-11-27T17:30:00", data={"act": "cancel"})
        assert "Không tìm thấy" in nowhere.text


async def test_a_date_that_would_come_back_onto_another_is_asked_about_once_more(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        path = saved.headers["location"].partition("?")[0]
        date = f"{path}/dates/2031-11-26T17:30:00"
        await client.post(date, data={"act": "cancel"})
        once = {"weekday": ["WE"], "first_day": "26/11/2031", "last_day": "26/11/2031"}
        other = planned(made, site, title="Họp dân", confirm_unusual="yes", **once)
        assert (await client.post("/schedules/new", data=other)).status_code == 303
        asked = await client.post(date, data={"act": "restore"})
        assert (asked.status_code, asked.text.count('name="confirm_conflicts"')) == (422, 1)
        done = await client.post(date, data={"act": "restore", "confirm_conflicts": "yes"})
        assert done.status_code == 303


async def test_one_date_is_moved_and_an_hour_at_night_is_asked_about_once_more(site: Commune) -> None:
    await site.centre.services.areas.change(site.centre.actor, site.root.id, quiet_hours=[])
    typed = planned(await programme(site), site, confirm_unusual="yes")
    async with visitor(site) as client:
        path = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        [date] = re.findall(r'\?move=(2031-11-26T[^#"]*)#', (await client.get(path)).text)
        form = (await client.get(f"{path}?move={date}")).text
        assert "Dời lần 17:30 Thứ Tư 26/11" in form
        assert 'name="confirm_unusual"' not in form
        to = {"act": "move", "day": "27/11/2031", "hour": "23h15"}
        unclear = await client.post(f"{path}/dates/{date}", data=to | {"hour": "25h"})
        assert "Không hiểu giờ này" in unclear.text
        midnight = await client.post(f"{path}/dates/{date}", data=to | {"hour": "24:00"})
        assert "24:00 là 00:00 của ngày hôm sau" in midnight.text
        asked = await client.post(f"{path}/dates/{date}", data=to)
        assert asked.status_code == 422
        assert "Tôi biết 23:15 là giờ khuya" in asked.text
        assert 'value="23h15"' in asked.text
        moved = await client.post(f"{path}/dates/{date}", data=to | {"confirm_unusual": "yes"})
        assert moved.status_code == 303
        assert "23:15 Thứ Năm 27/11" in (await client.get(path)).text


async def test_schedules_are_taken_along_as_a_calendar(site: Commune) -> None:
    typed = planned(await programme(site), site, confirm_unusual="yes")
    async with visitor(site) as client:
        await client.post("/schedules/new", data=typed)
        [link] = re.findall(r'href="([^"]*\.ics)"', (await client.get("/schedules")).text)
        assert "BEGIN:VEVENT" in (await client.get(link)).text


async def test_an_edit_keeps_what_the_form_does_not_show(site: Commune) -> None:
    made, services, actor = await programme(site), site.centre.services, site.centre.actor
    async with visitor(site) as client:
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        path = saved.headers["location"].partition("?")[0]
        [known] = await services.schedules.list(actor)
        typed = planned(made, site, version=known.version, weekday=["FR"], confirm_unusual="yes")
        assert (await client.post(f"{path}/edit", data=typed)).status_code == 303
        stale = await client.post(f"{path}/edit", data=typed)
    [changed] = await services.schedules.list(actor)
    assert (changed.rule, changed.late_ms, changed.zone) == ("FREQ=WEEKLY;BYDAY=FR", known.late_ms, known.zone)
    assert stale.status_code == 422


async def test_a_schedule_without_a_yes_waits_and_its_request_says_when_it_sounds(site: Commune) -> None:
    hoa, made = await site.centre.somebody("hoa", "operator", site.root), await programme(site)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    async with visitor(site, who=hoa) as author, visitor(site) as leader:
        saved = await author.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        for path in ("/schedules", saved.headers["location"]):
            page = said(await author.get(path))
            assert "Chờ duyệt" in page
            assert "Đã lên kế hoạch" not in page
        [path] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        page = said(await leader.get(path))
    assert "Thứ Hai, Thứ Tư lúc 17:30" in page
    assert "Những lần tới: 17:30 Thứ Tư 26/11" in page


async def test_a_returned_schedule_does_not_look_ready_anywhere(site: Commune) -> None:
    hoa, made = await site.centre.somebody("hoa", "operator", site.root), await programme(site)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    async with visitor(site, who=hoa) as author, visitor(site) as leader:
        typed = planned(made, site, confirm_unusual="yes", weekday=["MO"], first_day="24/11/2031")
        saved = await author.post("/schedules/new", data=typed)
        [path] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        await leader.post(path, data={"act": "return", "reason": "Dài quá"})
        assert "Bị trả lại" in said(await author.get("/schedules?day=2031-12-01"))
        for where in ("/schedules/all", saved.headers["location"]):
            page = said(await author.get(where))
            assert "Bị trả lại: Dài quá" in page
            assert "Hãy sửa lịch rồi lưu" in page
            assert "Đã lên kế hoạch" not in page
            assert "Lần tới" not in page
        assert "bị trả lại, sẽ không phát: Dài quá" in said(await author.get("/today"))
