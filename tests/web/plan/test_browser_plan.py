"""Lịch phát thanh in Chromium: tomorrow at five from a template in counted taps; a date dragged, looked at, moved."""

import asyncio
from datetime import datetime

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from controller.programmes.schemas import ProgrammeIn
from controller.schedules.schemas import CalendarIn, ScheduleIn
from tests.web.browser import AXE, PC, SERIOUS, SMALL, page_of, taps
from tests.web.harness import Commune
from tests.web.pages import module_site
from tests.web.scenes.plan import planned, schedule, template

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
WEEK = "/schedules?view=week&day=2031-11-25"


async def serious(page: Page) -> list[str]:
    await page.evaluate(AXE)
    found: list[str] = await page.evaluate(SERIOUS)
    return found


async def test_tomorrow_at_five_from_a_template_takes_four_taps_and_no_key(site: Commune, browser: Browser) -> None:
    await site.centre.somebody("hoa", "operator", site.root)
    await template(site, await site.centre.recording("Nhạc hiệu", length_ms=15_000), "Lịch tiêm chủng tháng 12")
    async with page_of(browser, site.url, viewport=SMALL, login="hoa") as page:
        async with taps(page) as counted:
            await page.get_by_role("link", name="Lên lịch").first.click()
            await page.get_by_role("link", name="Buổi sáng của xã").click()
            await page.get_by_text("Lịch tiêm chủng tháng 12").click()
            await expect(page.get_by_role("radio", name="05:00")).to_be_checked()
            await expect(page.locator("#preview")).to_contain_text("05:00 Thứ Ba 25/11")
            await page.get_by_role("button", name="LÊN LỊCH").click()
            await page.wait_for_url("**/schedules/*?done=saved")
            await counted.read()
        assert (counted.taps, counted.keys) == (4, 0)
        assert await serious(page) == []
        await page.get_by_role("link", name="Hôm nay").first.click()
        await page.get_by_role("link", name="Lên lịch").first.click()
        await page.get_by_role("link", name="Buổi sáng của xã").first.click()
        await page.get_by_text("Lịch tiêm chủng tháng 12").click()
        await page.get_by_role("button", name="Xem trước").click()
        await page.wait_for_url("**/schedules/new")
        await expect(page.locator("#preview")).to_be_focused()  # its answer is far below the top of a phone's page
        await expect(page.locator("#preview .sentence").first).to_be_in_viewport()
        assert await serious(page) == []
    [made] = await site.centre.services.schedules.list(site.centre.actor)
    assert (made.starts_at_local, made.rule) == (datetime(2031, 11, 25, 5, 0), None)  # noqa: DTZ001 - wall time
    assert made.targets == (site.root.scope,)


def drawn(page: Page, title: str) -> Locator:
    """The first box of a schedule in the calendar that is drawn."""
    return page.locator(".ec-event").filter(has=page.locator(".event-title", has_text=title)).first


async def drag(page: Page, title: str, by: float, *, edge: bool = False) -> None:
    await expect(drawn(page, title)).to_be_visible()
    await drawn(page, title).evaluate("(box) => box.scrollIntoView({block: 'center'})")
    box = await drawn(page, title).bounding_box()
    assert box is not None
    x, y = box["x"] + 20, box["y"] + (box["height"] - 2 if edge else 8)
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x, y + by / 2, steps=5)
    await page.mouse.move(x, y + by, steps=5)
    await page.mouse.up()


async def looked_at(page: Page) -> None:
    """Look at what copying a week would do: nothing was sent, and nothing says so."""
    await page.goto("/schedules/copy?day=2031-11-24")
    await page.fill("[name=into_week]", "08/12/2031")
    await page.click("button[name=look]")
    await page.wait_for_url("**/schedules/copy")
    await expect(page.locator("#copy [name=only]").first).to_be_attached()
    await expect(page.locator(".notice [data-of]")).to_have_count(0)
    await page.goto("/schedules/copy?day=2031-11-24")
    await expect(page.locator(".notice [data-state]")).to_have_attribute("data-state", "typed")


TOP = "(box) => box.offsetTop"
"""How late it stands in its day."""


async def two_at_once(page: Page) -> None:
    """Drag another one while it is on its way what the first would change: one is asked, and the other goes back."""
    go_on = asyncio.Event()

    async def slow(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await page.goto(WEEK)
    await page.route("**/look", slow)
    await expect(drawn(page, "Buổi sáng")).to_be_visible()
    stood = [await drawn(page, title).evaluate(TOP) for title in ("Họp dân thôn Đồng", "Buổi sáng")]
    await drag(page, "Họp dân thôn Đồng", -96)
    await drag(page, "Buổi sáng", 48)
    assert [await drawn(page, "Buổi sáng").evaluate(TOP)] == stood[1:]
    go_on.set()
    await expect(page.locator("#ask h2")).to_contain_text("sang 17:20 Thứ Năm 27/11")
    await page.get_by_role("button", name="Giữ như cũ").click()
    assert [await drawn(page, title).evaluate(TOP) for title in ("Họp dân thôn Đồng", "Buổi sáng")] == stood
    await page.unroute_all(behavior="wait")


async def test_a_date_that_is_reckoned_back_from_its_end_is_not_dragged_to_another_hour(
    site: Commune, browser: Browser
) -> None:
    items = [{"kind": "tune", "recording_id": await site.centre.recording("Kinh Phật", length_ms=20 * 60_000)}]
    wanted = ProgrammeIn.model_validate({"area_id": site.root.id, "title": "Đầu xuân", "items": items})
    programme = await site.centre.services.programmes.create(site.centre.actor, wanted)
    given = {"title": "Đầu xuân", "programme_id": programme.id, "targets": [site.root.scope], "confirm_unusual": True}
    given |= {"starts_at_local": "2032-01-14T08:00", "ends_at_local": "09:00", "back_timed": True}
    await site.centre.services.schedules.create(site.centre.actor, ScheduleIn.checked(**given))
    async with page_of(browser, site.url, viewport=PC) as page:
        await page.goto("/schedules?view=week&day=2032-01-14")
        await expect(drawn(page, "Đầu xuân")).to_contain_text("08:40")
        await drag(page, "Đầu xuân", 96)
        await expect(page.locator("#ask")).to_contain_text("kéo sang giờ khác thì lần này không đổi")
        await expect(page.locator("#ask button.main")).to_have_count(0)
        assert await serious(page) == []
        await page.get_by_role("button", name="Giữ như cũ").click()
        await expect(drawn(page, "Đầu xuân")).to_contain_text("08:40")


async def test_what_others_plan_late_in_the_evening_comes_into_sight(site: Commune, browser: Browser) -> None:
    """The hours that are drawn were those of the week as it was when the page was opened."""
    items = [{"kind": "tune", "recording_id": await site.centre.recording("Kinh Phật", length_ms=20 * 60_000)}]
    wanted = ProgrammeIn.model_validate({"area_id": site.root.id, "title": "Giao thừa", "items": items})
    programme = await site.centre.services.programmes.create(site.centre.actor, wanted)
    morning, late = datetime(2031, 12, 30, 6, 0), datetime(2031, 12, 31, 21, 15)  # noqa: DTZ001 - wall time
    await schedule(site, programme.id, "Tất niên", morning)
    async with page_of(browser, site.url, viewport=PC) as page:
        await page.goto("/schedules?view=week&day=2031-12-30")
        await expect(drawn(page, "Tất niên")).to_be_visible()
        await expect(page.locator(".calendar")).not_to_contain_text("21:00")
        days = [{"kind": "date", "date": "2032-01-01"}]
        said = {"area_id": site.root.id, "title": "Nghỉ đầu năm", "days": days, "effect": "suspend"}
        await site.centre.services.calendars.create(site.centre.actor, CalendarIn.model_validate(said))
        await schedule(site, programme.id, "Giao thừa", late)
        await expect(drawn(page, "Giao thừa")).to_be_visible()
        await expect(page.locator(".calendar")).to_contain_text("21:00")
        await expect(page.locator(".calendar .day-head", has_text="T5 01/01")).to_contain_text("Nghỉ đầu năm")


async def test_a_date_is_moved_by_dragging_only_after_what_that_changes_was_seen(
    site: Commune, browser: Browser
) -> None:
    await planned(site, await site.centre.recording("Nhạc hiệu", length_ms=15_000))
    services, actor = site.centre.services, site.centre.actor
    async with page_of(browser, site.url, viewport=PC) as page:
        await page.goto(WEEK)
        met = drawn(page, "Họp dân thôn Đồng")
        await expect(met).to_contain_text("Cùng giờ với “Buổi chiều”")
        await expect(page.locator(".calendar .day-head", has_text="T7 29/11")).to_contain_text("Ngày tưởng niệm")
        assert await serious(page) == []
        await drag(page, "Họp dân thôn Đồng", 96)
        await expect(page.locator("#ask h2")).to_contain_text("sang 19:20 Thứ Năm 27/11")
        await page.locator("#ask a[href='/stop']").click(trial=True)  # that of the page lies below the shade
        assert await serious(page) == []
        await page.get_by_role("button", name="Giữ như cũ").click()
        await expect(met).to_contain_text("17:20")  # it is where it was
        await drag(page, "Họp dân thôn Đồng", 96)
        await page.get_by_role("button", name="Dời lần này").click()
        await page.wait_for_url("**done=date")
        await expect(drawn(page, "Họp dân thôn Đồng")).to_contain_text("19:20")
        await drag(page, "Buổi sáng", 48, edge=True)
        await expect(page.locator("#ask h2")).to_contain_text("“Buổi sáng” kết thúc cố định lúc 06:30")
        await page.get_by_role("button", name="LƯU LỊCH").click()
        await page.wait_for_url("**done=saved")
        await two_at_once(page)
        await page.goto("/schedules?view=month&day=2031-11-25")
        await expect(page.locator(".ec-event").first).to_be_visible()
        assert await serious(page) == []
        await looked_at(page)
        await page.set_viewport_size(SMALL)
        await page.goto("/schedules?view=month&day=2031-11-25")
        await expect(page.locator("#calendar")).to_be_hidden()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await serious(page) == []
    found = {each.title: each for each in await services.schedules.list(actor)}
    assert found["Buổi sáng"].ends_at_local == "06:30:00"
