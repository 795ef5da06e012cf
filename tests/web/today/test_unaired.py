"""A morning that was never made is in the day, in the strip, in the lists and in the record, with the reason."""

import re
from datetime import timedelta

from controller.schedules.schemas import ExceptionIn
from controller.schedules.states import DateChange
from controller.schedules.walltime import instant
from edge_agent.protocol.states import Grade, PlayState
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.scenes.broken import AT_FIVE, approved, broken, morning

A_MINUTE = timedelta(minutes=1)
WHY = "“Tin sáng” chưa được duyệt."


def main(page: str) -> str:
    """What a page says besides its frame."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("</main>")[0]))


async def test_a_date_that_was_never_made_is_told_first_and_stands_at_its_hour(site: Commune) -> None:
    there = await morning(site)
    noon = await site.broadcast(
        "Trưa nay", start_at="2031-11-24T22:30:00Z", confirm_unusual=True, confirm_conflicts=True
    )
    await broken(site, there)
    operator = await site.centre.somebody("hoa", "operator", site.root)
    site.centre.clock.step(hours=13)  # 06:03 of the next day
    await site.centre.services.schedules.roll_due()
    await site.played(noon, *site.nodes, grade=Grade.E2)
    async with visitor(site, who=operator) as client:
        page = await client.get("/today")
    assert f"05:00 Buổi sáng: Không phát. {WHY} 1 lần khác phát đủ các cụm." in said(page)
    rows = re.findall(r'<li class="run (\w+)" id="run-[^"]+">(.*?)</li>', page.text, re.DOTALL)
    (stands, row) = rows[0]
    assert (stands, len(rows)) == ("past", 2)
    assert all(word in said_in(row) for word in ("05:00", "Buổi sáng", "tới Xã Nga My", "Không phát", WHY))
    assert 'class="mark care"' in row
    assert f'href="/schedules/{there.schedule_id}"' in row
    assert page.text.index("Buổi sáng</a>") < page.text.index("Trưa nay</a>") < page.text.index('id="present"')


def said_in(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


async def test_what_is_to_come_is_told_to_who_can_mend_it_and_goes_when_it_is_mended(site: Commune) -> None:
    there = await morning(site)
    changed = await broken(site, there)
    people = {
        role: await site.centre.somebody(role, role, site.root) for role in ("operator", "approver", "technician")
    }
    line = f"“Buổi sáng” (05:00 ngày mai) không phát. {WHY} Còn 1 lần nữa không phát."
    for role, is_told in (("operator", True), ("approver", True), ("technician", False)):
        async with visitor(site, who=people[role]) as client:
            strip = await client.get("/strip")
            assert (line in said(strip)) is is_told, role
            assert (f'href="/schedules/{there.schedule_id}"' in strip.text) is is_told
            assert "cảnh báo" not in said(strip)  # it is told by its own line
    async with visitor(site, who=people["operator"]) as client:
        assert "sẽ không phát" in said(await client.get("/alarms")).lower()
        listed = await client.get("/schedules/all")
        assert f"Không phát 05:00 ngày mai. {WHY}" in said(listed)
        assert "Buổi sáng" in main((await client.get("/schedules/all?state=unaired")).text)
    await approved(site, changed)
    await site.centre.services.schedules.roll_due()
    async with visitor(site, who=people["operator"]) as client:
        mended = said(await client.get("/strip"))
        assert "không phát" not in mended
        assert "cảnh báo" not in mended
        listed = await client.get("/alarms")
        assert "Đã hết lúc" in said(listed)
        assert "/acknowledgement" not in listed.text
        assert "Lần tới: 05:00 ngày mai" in said(await client.get("/schedules/all"))
        assert "Buổi sáng" not in main((await client.get("/schedules/all?state=unaired")).text)
    site.centre.clock.step(hours=13)
    async with visitor(site, who=people["operator"]) as client:
        assert WHY not in main((await client.get("/today")).text)


async def test_the_record_keeps_what_never_became_a_broadcast(site: Commune) -> None:
    there = await morning(site)
    changed = await broken(site, there)
    site.centre.clock.step(hours=13)
    await approved(site, changed)
    await site.centre.services.schedules.roll_due()  # the days to come are planned, this one is over
    run = await site.broadcast("Mất nước")
    async with visitor(site) as client:
        page, table = await client.get("/history"), (await client.get("/history.csv")).text
        found = (await client.get("/history?q=buoi sang")).text
        alone = main((await client.get("/history?result=unaired")).text)
        whole = main((await client.get("/history?result=whole")).text)
    assert f"05:00 Thứ Ba 25/11 Buổi sáng Xã Nga My Không phát {WHY}" in re.sub(r" +", " ", said(page))
    assert page.text.index(f"/broadcasts/{run.id}") < page.text.index(f"/schedules/{there.schedule_id}")
    assert "Buổi sáng" in alone
    assert "Mất nước" not in alone
    assert "Buổi sáng" not in whole
    assert "Buổi sáng" in main(found)
    [line] = [each for each in table.splitlines() if "Buổi sáng" in each]
    assert line == f"2031-11-25 05:00:00;;Buổi sáng;Thường;;Xã Nga My;;;0;;Không phát. {WHY}"


async def test_a_node_that_is_away_may_have_it_yet_and_that_stands_in_the_same_line(site: Commune) -> None:
    there = await morning(site)
    at_five = instant(AT_FIVE, "Asia/Ho_Chi_Minh")
    runs = await site.centre.services.broadcasts.list(site.centre.actor, from_at=at_five, to_at=at_five + A_MINUTE)
    await site.reach(runs[0], PlayState.CACHED, *site.nodes)
    site.centre.clock.step(hours=8)  # 01:03: the nodes have it, and were not heard of for hours
    await broken(site, there)
    async with visitor(site) as client:
        page = await client.get("/today")
    rows = [said_in(row) for row in re.findall(r'<li class="run .*?</li>', page.text, re.DOTALL)]
    assert len(rows) == 1
    assert "Sẽ không phát" in rows[0]
    assert "vẫn phát 05:00 nếu chưa có mạng lại" in rows[0]
    assert "Đã thay bằng bản sửa" not in rows[0]
    assert "Đã bỏ khỏi lịch" not in rows[0]


async def test_below_it_stands_once_too_though_nothing_is_told_of_its_schedule(site: Commune) -> None:
    there = await morning(site)
    helper = await site.centre.somebody("tam", "helper", site.hamlets["Thôn Đồng"])
    at_five = instant(AT_FIVE, "Asia/Ho_Chi_Minh")
    runs = await site.centre.services.broadcasts.list(site.centre.actor, from_at=at_five, to_at=at_five + A_MINUTE)
    await site.reach(runs[0], PlayState.CACHED, *site.nodes)
    site.centre.clock.step(hours=8)
    await broken(site, there)
    async with visitor(site, who=helper) as client:
        page = await client.get("/today")
    [row] = [said_in(row) for row in re.findall(r'<li class="run .*?</li>', page.text, re.DOTALL)]
    assert "Sẽ không phát" in row
    assert "vẫn phát 05:00 nếu chưa có mạng lại" in row
    assert there.schedule_id not in page.text


async def test_who_heard_of_it_below_is_told_too_and_sees_nothing_of_the_schedule(site: Commune) -> None:
    there = await morning(site)
    await broken(site, there)
    site.centre.clock.step(hours=13)
    helper = await site.centre.somebody("tam", "helper", site.hamlets["Thôn Đồng"])
    stranger = await site.centre.somebody("thanh", "operator", await site.centre.area("Xã Kha Sơn", kind="commune"))
    async with visitor(site, who=helper) as client:
        page = await client.get("/today")
        assert "05:00 Buổi sáng: Không phát." in said(page)
        assert "Tin sáng" not in page.text
        assert there.schedule_id not in page.text
    async with visitor(site, who=stranger) as client:
        for path in ("/today", "/history", "/history.csv", "/schedules/all"):
            assert "Buổi sáng" not in (await client.get(path)).text


async def test_what_passed_while_the_centre_was_down_stands_in_the_day_with_that_reason(site: Commune) -> None:
    there = await morning(site)
    operator = await site.centre.somebody("hoa", "operator", site.root)
    site.centre.clock.step(days=12, hours=13)  # past all that was planned, at 06:03
    await site.centre.services.schedules.roll_due()
    async with visitor(site, who=operator) as client:
        page = await client.get("/today")
    assert "Trung tâm không hoạt động hoặc gặp lỗi nên chưa kịp lên lịch." in said(page)
    assert "Các lần sau vẫn theo lịch; cần nói hôm nay thì dùng “Phát ngay”." in said(page)
    assert f'href="/schedules/{there.schedule_id}"' in page.text


async def test_a_date_that_was_taken_out_is_not_said_to_have_another_version(site: Commune) -> None:
    there = await morning(site)
    at_five = instant(AT_FIVE, "Asia/Ho_Chi_Minh")
    broadcasts, actor = site.centre.services.broadcasts, site.centre.actor
    [run] = await broadcasts.list(actor, from_at=at_five, to_at=at_five + A_MINUTE)
    await site.reach(run, PlayState.CACHED, *site.nodes)
    site.centre.clock.step(hours=8)  # 01:03: the nodes have it, and were not heard of for hours
    cancelled = ExceptionIn(kind=DateChange.CANCELLED)
    await site.centre.services.single_dates.except_(actor, there.schedule_id, AT_FIVE, cancelled)
    node_id = site.nodes["Đầu làng Trại"].id
    async with visitor(site) as client:
        for path in ("/today", f"/broadcasts/{run.id}", f"/nodes/{node_id}/broadcasts/{run.id}/why"):
            page = said_in((await client.get(path)).text)
            assert "Đã bỏ khỏi lịch" in page, path
            assert "bản sửa" not in page.replace("Chưa bị bản sửa nào thay thế", ""), path
    assert (await broadcasts.get(actor, run.id)).phase == "taken_out"
    await site.centre.services.single_dates.restore(actor, there.schedule_id, AT_FIVE)
    found = await broadcasts.get(actor, run.id)
    assert found.phase == "replaced"
    assert found.replaced_by is not None
