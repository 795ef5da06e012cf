"""One date put elsewhere over HTTP: all that cannot be read is told at once, and what a person chose goes along."""

import re

import pytest

from controller.schedules.schemas import CalendarIn
from tests.web.harness import Commune, visitor
from tests.web.pages import planned, programme, said
from tests.web.plan.test_finer import FINER, OF_END
from tests.web.plan.test_other_programme import NAME, begun, chosen, date, other


async def test_a_day_and_an_hour_that_cannot_be_read_are_both_told_each_at_its_field(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        path = await begun(site, client, made)
        typed = {"act": "move", "day": "mai", "hour": "sớm"}
        for look in ({}, {"look": "yes"}):
            page = await client.post(f"{path}/dates/{NAME}", data=typed | look)
            told = dict(re.findall(r'id="wrong-(\w+)">([^<]*)', page.text))
            assert page.status_code == 422
            assert ("Không hiểu ngày này" in told["day"], "Không hiểu giờ này" in told["hour"]) == (True, True)
            assert len(re.findall(r'name="(?:day|hour)" value="(?:mai|sớm)"[^>]*aria-invalid="true"', page.text)) == 2
        dragged = await client.post(f"{path}/dates/{NAME}/look", data={"local": "mai"})
    assert ("Không hiểu ngày này" in dragged.text, '<button class="main">' in dragged.text) == (True, False)


@pytest.mark.parametrize("effect", ["replace", "suspend"])
async def test_a_programme_chosen_by_hand_goes_along_from_a_day_of_a_calendar(site: Commune, effect: str) -> None:
    made, special, of_the_day = await programme(site), await other(site), await other(site, "Ngày hội")
    days = [{"kind": "date", "date": "2031-11-26"}]
    wanted = {"area_id": site.root.id, "title": "Ngày hội", "days": days, "effect": effect}
    wanted |= {"programme_id": of_the_day.id} if effect == "replace" else {}
    async with visitor(site) as client:
        path = await begun(site, client, made)
        assert (await chosen(client, path, special.id)).status_code == 303
        await site.centre.services.calendars.create(site.centre.actor, CalendarIn.model_validate(wanted))
        to = {"act": "move", "day": "27/11/2031", "hour": "17:30", "confirm_unusual": "yes"}
        moved = await client.post(f"{path}/dates/{NAME}", data=to)
        assert moved.status_code == 303, said(moved)
    there = await date(site, path)
    assert (f"{there.local:%d}", there.verdict, there.programme_id) == ("27", "aired", special.id)


async def test_a_date_that_is_reckoned_back_is_dragged_to_another_day_and_keeps_its_end(site: Commune) -> None:
    """It is drawn at 17:35, where it begins; its hour is 17:30."""
    async with visitor(site) as client:
        typed = planned(await programme(site), site) | FINER | OF_END
        path = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        drawn = {"drawn": "2031-11-26T17:35", "to": "/schedules"}
        looked = await client.post(f"{path}/dates/{NAME}/look", data=drawn | {"local": "2031-11-27T19:35"})
        later = await client.post(f"{path}/dates/{NAME}/look", data=drawn | {"local": "2031-11-26T19:35"})
        unread = await client.post(f"{path}/dates/{NAME}/look", data={"local": "2031-11-27T19:35"})
        by_keys = said(await client.get(f"{path}?move={NAME}"))
        sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', looked.text))
        moved = await client.post(f"{path}/dates/{NAME}", data=sent | {"confirm_unusual": "yes"})
        week = said(await client.get("/schedules?day=2031-11-26"))
    assert "Dời “Buổi chiều” từ Thứ Tư 26/11 sang Thứ Năm 27/11?" in said(looked)
    assert "lần này vẫn hết lúc 17:45" in said(looked)
    assert (sent["day"], sent["hour"]) == ("27/11/2031", "17:30")
    assert "kéo sang giờ khác thì lần này không đổi" in said(later)
    assert ['<button class="main">' in page.text for page in (looked, later, unread)] == [True, False, False]
    assert "Giờ bắt đầu được lùi lại để hết lúc 17:45: các giờ dưới đây là sớm nhất." in by_keys
    assert moved.status_code == 303
    assert (await date(site, path)).local.isoformat() == "2031-11-27T17:30:00"
    assert "17:35–17:45 Buổi chiều" in week[week.index("Thứ Năm 27/11") :]


@pytest.mark.parametrize(("hour", "sounds"), [("20:00", "20:05–20:15"), ("08:00", "08:05–08:15")])
async def test_a_date_that_was_moved_out_of_its_time_is_not_said_to_keep_its_end(
    site: Commune, hour: str, sounds: str
) -> None:
    """It takes its length along."""
    async with visitor(site) as client:
        typed = planned(await programme(site), site) | FINER | OF_END
        path = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        place = f"{path}/dates/{NAME}"
        later = {"act": "move", "day": "26/11/2031", "hour": hour, "confirm_unusual": "yes"}
        assert (await client.post(place, data=later)).status_code == 303
        week = said(await client.get("/schedules?day=2031-11-26"))
        by_keys = said(await client.get(f"{path}?move={NAME}"))
        drawn = {"drawn": f"2031-11-26T{sounds[:5]}", "to": "/schedules"}
        dragged = [
            await client.post(f"{place}/look", data=drawn | {"local": f"2031-11-{day}T21:05"}) for day in (26, 27)
        ]
    assert f"{sounds} Buổi chiều" in week
    assert "Dời ra ngoài khung giờ thường lệ thì giờ kết thúc của lần này dời theo" in by_keys
    for looked in map(said, dragged):
        assert "kéo chỉ đổi được ngày của lần này" in looked
        assert "17:45" not in looked


@pytest.mark.parametrize(
    ("overrun", "words"),
    [("refuse", "không lưu được"), ("drop", "bỏ các mục cuối"), ("finish", "phát hết mục đang phát")],
)
async def test_another_end_says_what_becomes_of_a_programme_that_is_too_long(
    site: Commune, overrun: str, words: str
) -> None:
    async with visitor(site) as client:
        typed = planned(await programme(site), site) | FINER | OF_END | {"overrun": overrun}
        done = await client.post("/schedules/new", data=typed)
        path = done.headers["location"].partition("?")[0]
        looked = said(await client.post(f"{path}/length/look", data={"ends": "17:50", "to": "/schedules"}))
    assert f"Chương trình ngắn hơn thì bắt đầu muộn hơn, để hết đúng lúc đó. Dài hơn thì {words}" in looked


async def test_another_end_says_that_a_shorter_programme_is_filled_up_where_it_is(site: Commune) -> None:
    filler = await site.centre.recording("Dân ca", area_id=site.root.id)
    async with visitor(site) as client:
        typed = planned(await programme(site), site) | FINER | OF_END | {"filler": filler}
        path = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        looked = said(await client.post(f"{path}/length/look", data={"ends": "17:50", "to": "/schedules"}))
    assert "Chương trình ngắn hơn thì phát thêm tệp đã chọn cho kín thời gian. Dài hơn thì" in looked
