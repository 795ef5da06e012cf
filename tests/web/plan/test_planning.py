"""Lịch phát thanh as pages: week and month, a template planned in one act, a copied week, days off, a node's day."""

import json
import re
from datetime import date, datetime

import pytest

from tests.web.harness import Commune, visitor
from tests.web.pages import HOSTILE, programme, said
from tests.web.scenes.plan import planned, schedule, template
from web.views.calendars import _read
from web.views.planning import Asked, read_asked

MORNING = datetime(2031, 11, 25, 5, 0)  # noqa: DTZ001 - wall time


async def tune(site: Commune) -> str:
    return await site.centre.recording("Nhạc hiệu", length_ms=15_000)


async def test_a_week_says_each_day_with_its_lunar_day_holiday_and_what_meets(site: Commune) -> None:
    await planned(site, await tune(site))
    async with visitor(site) as client:
        page = said(await client.get("/schedules?day=2031-11-25"))
        empty = said(await client.get("/schedules?day=2031-11-10"))
        month = said(await client.get("/schedules?view=month&day=2031-11-25"))
        live = said(await client.get("/schedules/live?view=week&day=2031-11-25"))
        feed = json.loads((await client.get("/schedules/feed.json?day=2031-11-25")).text)
    for text in ("Tuần 24/11 – 30/11/2031", "10/10 âm lịch", "Ngày Văn hóa Việt Nam", "Nghỉ: Ngày tưởng niệm"):
        assert text in page
    assert "Cùng giờ với “Buổi chiều”" in page
    assert "Cùng giờ với “Họp dân thôn Đồng”" in live
    assert "Tuần này chưa có lịch phát nào." in empty
    assert "Tháng 11/2031" in month
    [met] = [each for each in feed["events"] if each["title"] == "Họp dân thôn Đồng"]
    assert (met["start"], met["end"], met["durationEditable"]) == ("2031-11-27 17:20", "2031-11-27 17:50", False)
    assert feed["days"]["2031-11-29"]["notes"] == ["Nghỉ: Ngày tưởng niệm"]


async def test_of_all_nodes_only_those_are_read_at_which_a_schedule_is_aimed(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page is read anew whenever something changes: what that costs may not grow with the nodes of a province."""
    made, node = await programme(site), site.nodes["Cổng chợ Trại"]
    known = await schedule(site, made.id, "Chợ phiên", MORNING, None, node.scope)

    async def never(*_: object) -> None:
        raise AssertionError("all nodes are read")

    monkeypatch.setattr(type(site.centre.services.nodes), "all", never)
    async with visitor(site) as client:
        for path in (f"/schedules/{known}", f"/schedules/{known}/live", "/schedules/all"):
            assert "Cổng chợ Trại" in said(await client.get(path)), path
        assert "25/11" in said(await client.get(f"/schedules/{known}/live/dates"))


async def test_who_looks_at_another_place_stays_in_the_month_that_is_open(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Đồng"]
    await site.centre.node(await site.centre.area("Xóm Giữa", hamlet), "Cuối xóm")
    async with visitor(site) as client:
        page = (await client.get(f"/schedules?view=month&day=2031-12-02&place={site.root.id}")).text
        led = f"?view=month&amp;day=2031-12-02&amp;place={hamlet.id}"
        assert f'<a href="{led}">Xã Nga My · Thôn Đồng</a>' in page
        there = said(await client.get(f"/schedules{led.replace('&amp;', '&')}"))
    assert "Tháng 12/2031" in there


async def test_who_may_not_plan_reads_the_calendar_and_is_offered_nothing(site: Commune) -> None:
    pages = await planned(site, await tune(site))
    observer = await site.centre.somebody("nga", "observer", site.root)
    async with visitor(site, who=observer) as client:
        page = await client.get("/schedules?day=2031-11-25")
        feed = json.loads((await client.get("/schedules/feed.json?day=2031-11-25")).text)
        assert (await client.get("/schedules/copy")).status_code == 403
        moved = (await client.get(pages["schedule-move"])).text
    assert '<form method="post" action="/schedules/' not in moved
    assert "?move=" not in page.text
    assert 'href="/schedules/new"' not in page.text
    assert not any(each["startEditable"] or each["durationEditable"] for each in feed["events"])


async def test_who_has_nothing_to_schedule_is_told_both_ways(site: Commune) -> None:
    async with visitor(site) as client:
        page = await client.get("/schedules/new")
    assert "soạn bản tin, chờ duyệt, rồi ghép thành chương trình" in said(page)
    main = page.text.partition("<main")[2]
    assert 'href="/programmes"' in main
    assert 'href="/say?when=later"' in main


async def test_names_are_text_wherever_the_calendar_says_them(site: Commune) -> None:
    await planned(site, await tune(site))
    [programme, *_] = await site.centre.services.programmes.list(site.centre.actor, templates=False)
    for title in HOSTILE:
        await schedule(site, programme.id, title, MORNING)
    async with visitor(site) as client:
        for path in ("/schedules?day=2031-11-25", "/schedules?view=month&day=2031-11-25", "/schedules/all"):
            page = (await client.get(path)).text
            assert "<script>window" not in page
            assert "<img src=x" not in page
            assert "49007" not in page


async def test_a_template_is_filled_and_planned_in_one_act_or_not_at_all(site: Commune) -> None:
    made = await template(site, await tune(site), "Lịch tiêm chủng", "Vệ sinh đường làng")
    services, actor = site.centre.services, site.centre.actor
    async with visitor(site) as client:
        what = said(await client.get("/schedules/new"))
        form = await client.get(f"/schedules/new?template={made}")
        [slot] = await services.programmes.slots(actor, made)
        typed = {"template": made, "title": "Buổi sáng của xã", "whole": site.root.scope, "repeat": "once"}
        typed |= {"first_day_usual": "25/11/2031", "hour_usual": "05:00"}
        lacking = await client.post("/schedules/new", data=typed)
        chosen = typed | {f"slot-{slot.position}": slot.candidates[0].bulletin_id}
        looked = await client.post("/schedules/new/preview", data=chosen)
        assert await services.schedules.list(actor) == []
        assert await services.programmes.list(actor, templates=False) == []
        wrong = await client.post("/schedules/new", data=chosen | {"first_day_usual": "01/11/2031"})
        nameless = said(await client.post("/schedules/new", data=chosen | {"title": ""}))
        saved = await client.post("/schedules/new", data=chosen)
    assert "Buổi sáng của xã" in what
    assert "Nói gì Buổi sáng của xã" in nameless
    assert "Chưa có tên. Gõ một tên ngắn" in nameless
    assert "Vệ sinh đường làng" in form.text
    assert (lacking.status_code, wrong.status_code, saved.status_code) == (422, 422, 303)
    assert "Chưa chọn bản tin cho mục" in lacking.text
    assert "05:00 Thứ Ba 25/11" in said(looked)
    [known] = await services.schedules.list(actor)
    [programme] = await services.programmes.list(actor, templates=False)
    assert (known.starts_at_local, known.programme_id) == (MORNING, programme.id)
    assert [each.kind for each in (await services.programmes.get(actor, programme.id)).items] == ["tune", "bulletin"]


async def test_a_template_shows_all_it_says_and_begins_at_the_hour_it_had_before(site: Commune) -> None:
    """Nothing was planned from it: at five, which is said above the button. Then as it was planned last."""
    made = await template(site, await tune(site), "Lịch tiêm chủng")
    services, actor = site.centre.services, site.centre.actor
    [slot] = await services.programmes.slots(actor, made)
    typed = {"template": made, "title": "Buổi sáng của xã", "whole": site.root.scope, "repeat": "once"}
    typed |= {"first_day_usual": "25/11/2031", "hour": "06:10", f"slot-{slot.position}": ""}
    async with visitor(site) as client:
        first = await client.get(f"/schedules/new?template={made}")
        looked = await client.post("/schedules/new", data=typed | {"look": "yes"})
        await client.post("/schedules/new", data=typed)
        second = await client.get(f"/schedules/new?template={made}")
    assert re.search(r"Nhạc hiệu.*Thông báo.*Lịch tiêm chủng", said(first))
    assert 'name="hour_usual" value="05:00" checked' in first.text
    assert "Chưa chọn bản tin cho mục" in said(first)  # where the sentence will stand, before anything is pressed
    assert re.search(r'id="preview"[^>]* autofocus', looked.text)
    assert not re.search(r'id="preview"[^>]* autofocus', second.text)
    assert re.search(r'id="hour"[^>]* value="06:10"', second.text)


async def test_a_date_is_looked_at_before_it_is_moved_and_leads_back(site: Commune) -> None:
    pages = await planned(site, await tune(site))
    path = f"{pages['schedule']}/dates/2031-11-26T17:30:00"
    async with visitor(site) as client:
        looked = said(
            await client.post(f"{path}/look", data={"local": "2031-11-26T18:30", "to": "/schedules?view=week"})
        )
        quiet = await client.post(f"{path}/look", data={"local": "2031-11-26T23:30", "to": "/schedules"})
        unread = await client.post(f"{path}/look", data={"local": "tomorrow"})
        by_keys = said(
            await client.post(path, data={"act": "move", "day": "26/11/2031", "hour": "18:30", "look": "yes"})
        )
        before = said(await client.get("/schedules?day=2031-11-26"))
        away = {"act": "move", "day": "26/11/2031", "hour": "18:30", "to": "//evil.example"}
        moved = await client.post(path, data=away)
        after = said(await client.get("/schedules?day=2031-11-26"))
    assert "Dời “Buổi chiều” từ 17:30 Thứ Tư 26/11 sang 18:30 Thứ Tư 26/11?" in looked
    assert "Chỉ dời lần này" in looked
    assert "những lần phát này sẽ khác" in by_keys
    assert '<button class="main">' not in quiet.text  # no node would play it: there is nothing to agree to
    assert unread.status_code == 200
    assert "18:30" not in before
    assert moved.headers["location"] == "/schedules?done=date"
    assert "Đã dời" in after


async def test_a_fixed_end_is_looked_at_and_a_programme_that_is_longer_is_refused(site: Commune) -> None:
    await planned(site, await tune(site))
    services, actor = site.centre.services, site.centre.actor
    known = next(each for each in await services.schedules.list(actor) if each.title == "Buổi sáng")
    path = f"/schedules/{known.id}/length"
    async with visitor(site) as client:
        looked = await client.post(f"{path}/look", data={"ends": "05:45", "to": "/schedules"})
        short = await client.post(f"{path}/look", data={"ends": "05:10", "to": "/schedules"})
        saved = await client.post(path, data={"ends": "05:45", "version": str(known.version), "to": "/schedules"})
        stale = await client.post(path, data={"ends": "05:50", "version": str(known.version), "to": "/schedules"})
    assert "“Buổi sáng” kết thúc cố định lúc 05:45?" in said(looked)
    assert "Chương trình dài hơn thời gian đã định" in said(short)
    assert (saved.headers["location"], stale.status_code) == ("/schedules?done=saved", 422)
    assert (await services.schedules.get(actor, known.id)).ends_at_local == "05:45:00"


async def test_a_week_is_copied_without_what_a_rule_gives_and_names_what_is_silent(site: Commune) -> None:
    await planned(site, await tune(site))
    services, actor = site.centre.services, site.centre.actor
    typed = {"area_id": site.root.id, "from_week": "25/11/2031", "into_week": "02/12/2031"}
    async with visitor(site) as client:
        looked = await client.post("/schedules/copy", data=typed | {"look": "yes"})
        same = await client.post("/schedules/copy", data=typed | {"into_week": "24/11/2031"})
        unread = await client.post("/schedules/copy", data=typed | {"into_week": "mai"})
        none = await client.post("/schedules/copy", data=typed | {"looked": "yes"})
        met = await client.post("/schedules/copy", data=typed)
        done = await client.post("/schedules/copy", data=typed | {"confirm_conflicts": "yes"})
        again = said(await client.post("/schedules/copy", data=typed | {"look": "yes"}))
    assert looked.text.count('name="only"') == 1
    assert "Nghỉ: Ngày tưởng niệm" in said(looked)
    beside = "Tôi biết có chương trình khác cùng giờ và vẫn muốn lưu. Muốn lưu thì đánh dấu vào ô trên."
    assert (beside in said(looked), beside in said(met)) == (False, True)
    assert [each.status_code for each in (same, unread, none, met)] == [422] * 4
    assert done.headers["location"].startswith("/schedules?view=week&day=2031-12-01")
    assert "Không có gì cần chép." in again
    titles = [each.title for each in await services.schedules.list(actor)]
    assert titles.count("Họp dân thôn Đồng") == 2


async def test_days_off_are_written_as_people_write_them_and_ended_after_a_look(site: Commune) -> None:
    await planned(site, await tune(site))
    days = "22/12\r\n10/3 âm lịch\r\n1/1 âm lịch, 5 ngày, trước 1 ngày"
    typed = {"title": "Nghỉ Tết", "area_id": site.root.id, "days": days, "effect": "suspend", "national": "yes"}
    services, actor = site.centre.services, site.centre.actor
    async with visitor(site) as client:
        wrong = await client.post("/calendars/new", data=typed | {"days": "ngày rằm"})
        nothing = await client.post("/calendars/new", data=typed | {"days": "", "national": ""})
        looked = said(await client.post("/calendars/new", data=typed | {"days": "26/11/2031", "look": "yes"}))
        saved = await client.post("/calendars/new", data=typed)
        known = next(each for each in await services.calendars.list(actor) if each.title == "Nghỉ Tết")
        page = await client.get(f"/calendars/{known.id}")
        ending = said(await client.post(f"/calendars/{known.id}/end"))
        assert len(await services.calendars.list(actor)) == 2
        ended = await client.post(f"/calendars/{known.id}/end", data={"sure": "yes"})
        gone = await client.get(f"/calendars/{known.id}")
        listed = said(await client.get("/calendars"))
    assert "Không hiểu dòng “ngày rằm”" in wrong.text
    assert (nothing.status_code, saved.status_code, ended.status_code, gone.status_code) == (422, 303, 303, 404)
    assert "17:30 Thứ Tư 26/11" in looked
    assert "1/1 âm lịch, 5 ngày, trước 1 ngày" in page.text
    assert "Từ nay các ngày này như ngày thường" in ending
    assert "Ngày tưởng niệm" in listed


async def test_a_nodes_day_names_what_it_plays_and_why_not(site: Commune) -> None:
    pages = await planned(site, await tune(site))
    node = site.nodes["Nhà văn hóa thôn Đồng"].id
    async with visitor(site) as client:
        page = said(await client.get(pages["node-day"]))
        silent = said(await client.get(f"/nodes/{node}/day?date=2031-11-29"))
        odd = await client.get(f"/nodes/{node}/day?date=0001-01-01")
        tabs = (await client.get(f"/nodes/{node}")).text
    assert "17:20" in page
    assert "Họp dân thôn Đồng" in page
    assert "Sẽ không phát. Cụm phát nội dung khác vào giờ đó." in page  # it is still to come
    assert "Ngày này cụm không phát gì." in silent
    assert odd.status_code == 200
    assert f'href="/nodes/{node}/day"' in tabs


async def test_on_weekdays_without_a_day_is_asked_about_and_not_taken_for_once(site: Commune) -> None:
    await planned(site, await tune(site))
    [programme, *_] = await site.centre.services.programmes.list(site.centre.actor, templates=False)
    typed = {"programme": programme.id, "title": "Tối", "whole": site.root.scope, "hour": "19:00", "repeat": "weekly"}
    async with visitor(site) as client:
        refused = await client.post("/schedules/new", data=typed | {"first_day": "26/11/2031"})
        once = await client.post(
            "/schedules/new", data=typed | {"repeat": "once", "first_day": "26/11/2031", "weekday": "MO"}
        )
    assert 'id="wrong-weekday"' in refused.text
    assert once.status_code == 303
    made = next(each for each in await site.centre.services.schedules.list(site.centre.actor) if each.title == "Tối")
    assert made.rule is None


async def test_schedules_are_found_by_words_without_accents_and_taken_along(site: Commune) -> None:
    await planned(site, await tune(site))
    async with visitor(site) as client:
        found = said(await client.get("/schedules/all?q=hop+dan"))
        none = said(await client.get("/schedules/all?q=xyz"))
        ended = said(await client.get("/schedules/all?state=ended"))
        table = (await client.get("/schedules/all.csv?sort=-title")).text
    assert "Họp dân thôn Đồng" in found
    assert "Buổi chiều" not in found
    assert "Buổi chiều" not in none
    assert "Họp dân thôn Đồng" not in ended
    assert [line.split(";")[0] for line in table.splitlines()[1:]] == ["Họp dân thôn Đồng", "Buổi sáng", "Buổi chiều"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("24/11/2031", {"kind": "date", "date": "2031-11-24", "days": 1}),
        ("2-9", {"kind": "yearly", "month": 9, "day": 2, "days": 1}),
        ("10/3 âm lịch", {"kind": "lunar", "month": 3, "day": 10, "days": 1, "before": 0}),
        ("1/1 lunar, 5 days, from 1 days before", {"kind": "lunar", "month": 1, "day": 1, "days": 5, "before": 1}),
        ("2/9, 2 ngày", {"kind": "yearly", "month": 9, "day": 2, "days": 2}),
        ("32/1", None),
        ("31/1 âm lịch", None),
        ("1/1/2031 âm lịch", None),
        ("2/9, 61 ngày", None),
        ("rằm", None),
    ],
)
def test_a_line_of_days_is_read_as_written(line: str, found: dict[str, object] | None) -> None:
    assert _read(line) == found


@pytest.mark.parametrize(
    ("view", "day", "span"),
    [
        ("week", "2031-11-30", (date(2031, 11, 24), date(2031, 12, 1))),
        ("month", "2031-12-31", (date(2031, 12, 1), date(2032, 1, 5))),
        ("month", "2031-09-01", (date(2031, 9, 1), date(2031, 10, 6))),
        ("year", "never", (date(2031, 11, 24), date(2031, 12, 1))),
        ("week", "9999-12-31", (date(2098, 12, 29), date(2099, 1, 5))),
    ],
)
def test_an_address_names_whole_weeks_whatever_it_says(view: str, day: str, span: tuple[date, date]) -> None:
    asked = read_asked(view, day, "", date(2031, 11, 24))
    assert (asked.first, asked.until) == span
    assert Asked("month", date(2031, 12, 31)).step(1).day == date(2032, 1, 1)
