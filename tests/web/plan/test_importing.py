"""Nạp lịch từ tệp: each event is told before any is saved; then all that is chosen is, or nothing."""

import re
from datetime import datetime
from typing import Any

import httpx

from controller.schedules.schemas import ScheduleChange, ScheduleOut
from tests.web.harness import Commune, visitor
from tests.web.pages import HOSTILE, programme, said
from tests.web.scenes.plan import schedule

PATH = "/schedules/import"
EVENING = "DTSTART;TZID=Asia/Ho_Chi_Minh:20311126T173000\nRRULE:FREQ=WEEKLY;BYDAY=WE"
NIGHT = "DTSTART;TZID=Asia/Ho_Chi_Minh:20311126T023000"


def event(title: str, when: str, *more: str) -> str:
    lines = ["BEGIN:VEVENT", f"UID:{title}@elsewhere", "DTSTAMP:20311101T000000Z", f"SUMMARY:{title}", when, *more]
    return "\n".join([*lines, "END:VEVENT", ""])


def calendar(*events: str) -> str:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{''.join(events)}END:VCALENDAR\n"


def looked(page: httpx.Response) -> dict[str, Any]:
    """Give what a page that was looked at sends with its lines: all that are ticked."""
    [name] = re.findall(r'name="looked" value="(\w+)"', page.text)
    return {"looked": name, "only": re.findall(r'name="only" value="(\w+)" checked', page.text)}


async def asked(site: Commune, *events: str) -> dict[str, Any]:
    made = await programme(site)
    return {"programme": made.id, "area_id": site.root.id, "ics": calendar(*events)}


async def titles(site: Commune) -> list[str]:
    return sorted(each.title for each in await site.centre.services.schedules.list(site.centre.actor))


async def test_each_event_is_told_before_any_is_saved_and_then_it_is(site: Commune) -> None:
    whole_day = event("Ngày hội", "DTSTART;VALUE=DATE:20311201")
    mars = event("Sao Hỏa", "DTSTART;TZID=Mars:20311126T170000")
    dates = event("Rải rác", EVENING.partition("\n")[0], "RDATE:20311128T100000Z")
    typed = await asked(site, event("Buổi chiều", EVENING), event("Buổi đêm", NIGHT), whole_day, mars, dates)
    async with visitor(site) as client:
        assert f'href="{PATH}"' in (await client.get("/schedules")).text
        assert (await client.get(PATH)).status_code == 200
        page = await client.post(PATH, data=typed | {"look": "yes"})
        assert await titles(site) == []
        told = said(page)
        assert "Đã có nội dung tệp." in told
        where = "Chương trình chiều · tới Xã Nga My Những lần tới: 17:30 Thứ Tư 26/11, "
        assert f"Buổi chiều · Thứ Tư lúc 17:30 {where}" in told
        assert "Những lần tới: 17:30 Thứ Tư 26/11" in told
        assert "Ngày hội Không nạp được: dòng này cả ngày, không có giờ phát." in told
        assert "Sao Hỏa Không nạp được: múi giờ" in told
        assert "Rải rác Không nạp được: dòng này kể từng ngày rời." in told
        assert re.search(r"Buổi đêm · .* Không nạp được: Trái quy định", told)
        assert looked(page)["only"] == ["0"]
        saved = await client.post(PATH, data=typed | looked(page))
        assert saved.headers["location"] == "/schedules/all?done=calendar_taken"
        assert await titles(site) == ["Buổi chiều"]
    [made] = await site.centre.services.schedules.list(site.centre.actor)
    assert (made.rule, made.starts_at_local, made.targets) == (
        "FREQ=WEEKLY;BYDAY=WE",
        datetime(2031, 11, 26, 17, 30),  # noqa: DTZ001 - wall time
        (site.root.scope,),
    )


async def test_a_date_that_the_file_leaves_out_is_told_of_no_more(site: Commune) -> None:
    out = "EXDATE;TZID=Asia/Ho_Chi_Minh:20311126T173000"
    typed = await asked(site, event("Buổi chiều", EVENING, out))
    async with visitor(site) as client:
        told = said(await client.post(PATH, data=typed | {"look": "yes"}))
    assert "Những lần tới: 17:30 Thứ Tư 03/12" in told


async def test_what_is_left_unticked_is_not_taken_in(site: Commune) -> None:
    typed = await asked(site, event("Một", EVENING), event("Hai", EVENING.replace("T1730", "T1830")))
    async with visitor(site) as client:
        seen = looked(await client.post(PATH, data=typed | {"look": "yes"}))
        none = await client.post(PATH, data=typed | seen | {"only": []})
        assert (none.status_code, "Chưa chọn dòng nào" in said(none)) == (422, True)
        assert (await client.post(PATH, data=typed | seen | {"only": ["1"]})).status_code == 303
    assert await titles(site) == ["Hai"]


async def test_two_lines_that_clash_are_saved_both_or_neither(site: Commune) -> None:
    typed = await asked(site, event("Một", EVENING), event("Hai", EVENING))
    async with visitor(site) as client:
        seen = looked(await client.post(PATH, data=typed | {"look": "yes"}))
        refused = await client.post(PATH, data=typed | seen)
        assert refused.status_code == 422
        assert "Chưa lưu dòng nào, vì “Hai”" in said(refused)
        assert 'name="confirm_conflicts"' in refused.text
        assert await titles(site) == []
        done = await client.post(PATH, data=typed | looked(refused) | {"confirm_conflicts": "yes"})
        assert done.status_code == 303
    assert await titles(site) == ["Hai", "Một"]


async def test_what_was_not_looked_at_is_shown_and_not_saved(site: Commune) -> None:
    typed = await asked(site, event("Một", EVENING))
    async with visitor(site) as client:
        seen = looked(await client.post(PATH, data=typed | {"look": "yes"}))
        other = await client.post(PATH, data=typed | seen | {"ics": calendar(event("Khác", EVENING))})
        assert other.status_code == 422
        assert "Khác ·" in said(other)
        assert "Xem lại các dòng dưới đây" in said(other)
        unlooked = await client.post(PATH, data=typed)
        assert unlooked.status_code == 422
    assert await titles(site) == []


async def changed_since(site: Commune, known: ScheduleOut) -> None:
    said_now: dict[str, Any] = {"title": "Buổi mai", "programme_id": known.programme_id, "targets": known.targets}
    said_now |= {"starts_at_local": known.starts_at_local, "rule": known.rule, "version": known.version}
    wanted = ScheduleChange.model_validate(said_now | {"confirm_unusual": True})
    await site.centre.services.schedules.change(site.centre.actor, known.id, wanted)


async def test_a_file_of_ours_changes_what_it_came_from_and_an_old_one_nothing(site: Commune) -> None:
    services, actor = site.centre.services, site.centre.actor
    made = await programme(site)
    first = datetime(2031, 11, 26, 17, 30)  # noqa: DTZ001 - wall time
    key = await schedule(site, made.id, "Buổi chiều", first, "FREQ=DAILY")
    file = (await services.exchange.write(actor)).decode()
    typed = {"programme": made.id, "area_id": site.root.id, "ics": file}
    async with visitor(site) as client:
        assert "Đã có sẵn, không đổi" in said(await client.post(PATH, data=typed | {"look": "yes"}))
        other = typed | {"ics": file.replace("Buổi chiều", "Buổi tối")}
        page = await client.post(PATH, data=other | {"look": "yes"})
        assert "Sửa lịch đang có" in said(page)
        assert (await client.post(PATH, data=other | looked(page))).status_code == 303
        assert await titles(site) == ["Buổi tối"]
        await changed_since(site, await services.schedules.get(actor, key))
        assert "tệp cũ hơn lịch đang có" in said(await client.post(PATH, data=other | {"look": "yes"}))
    assert await titles(site) == ["Buổi mai"]


async def test_what_is_no_calendar_or_too_much_is_said_at_its_field(site: Commune) -> None:
    typed = await asked(site)
    many = calendar(*(event(f"Buổi {number}", EVENING) for number in range(101)))
    async with visitor(site) as client:
        for ics, words in (
            ("hello", "Tệp này không đọc được như lịch iCalendar"),
            ("", "Chưa có tệp lịch. Bấm “Chọn tệp…”"),
            (many, "quá nhiều sự kiện"),
            (calendar(event("x" * 200_000, EVENING)), "Tệp lịch lớn quá"),
        ):
            answer = await client.post(PATH, data=typed | {"ics": ics, "look": "yes"})
            assert (answer.status_code, words in said(answer)) == (422, True), words
            assert 'id="wrong-ics"' in answer.text
        nothing = await client.post(PATH, data=typed | {"look": "yes"})
        assert "Tệp này không có dòng lịch nào." in said(nothing)
        missing = await client.post(PATH, data=typed | {"programme": "", "look": "yes"})
        assert 'id="wrong-programme"' in missing.text


async def test_names_in_a_file_are_text(site: Commune) -> None:
    typed = await asked(site, *(event(title, EVENING) for title in HOSTILE))
    async with visitor(site) as client:
        page = (await client.post(PATH, data=typed | {"look": "yes"})).text
    assert "<script>window" not in page
    assert "<img src=x" not in page


async def test_who_may_not_plan_is_not_led_there_and_saves_nothing(site: Commune) -> None:
    typed = await asked(site, event("Một", EVENING))
    observer = await site.centre.somebody("nga", "observer", site.root)
    async with visitor(site, who=observer) as client:
        assert PATH not in (await client.get("/schedules")).text
        assert [(await client.get(PATH)).status_code, (await client.post(PATH, data=typed)).status_code] == [403, 403]
    hamlet = await site.centre.somebody("hoa", "operator", site.hamlets["Thôn Đồng"])
    async with visitor(site, who=hamlet) as client:
        above = await client.post(PATH, data=typed | {"look": "yes"})
        assert above.status_code == 422
    assert await titles(site) == []
