"""Sửa lần phát in Chromium, on the narrowest phone: what stays, what is said instead, what is told before."""

import pytest
from playwright.async_api import Browser, expect

from tests.web.browser import SMALL, page_of
from tests.web.harness import MONDAY, Commune
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

EVENING = MONDAY.replace(hour=12, minute=0)


async def test_a_broadcast_is_changed_on_a_phone(site: Commune, browser: Browser) -> None:
    run = await site.broadcast("Họp thôn", "Thôn Đồng", "Thôn Trại", start_at=EVENING)
    other = await site.centre.recording("Họp thôn, dời giờ")
    async with page_of(browser, site.url, viewport=SMALL, has_touch=True) as page:
        await page.goto(f"/broadcasts/{run.id}")
        await page.get_by_role("link", name="Sửa", exact=True).tap()
        told, card = page.locator("#preview"), page.locator("#recording")
        await expect(card).to_contain_text("Nội dung giữ nguyên")
        await expect(told).to_contain_text("tới 3 cụm")
        await page.fill("#hour", "19:30")
        await page.get_by_role("checkbox", name="Thôn Đồng").uncheck()
        await expect(told).to_contain_text("Đổi giờ: từ 19:00 sang 19:30.")
        await expect(told).to_contain_text("Nhà văn hóa thôn Đồng không phát nữa.")
        await page.locator("#otherwise > summary").tap()
        await page.locator("#recent > summary").tap()
        await page.get_by_role("button", name="Họp thôn, dời giờ").tap()
        await expect(card).to_contain_text("Đã chọn: Họp thôn, dời giờ")
        await page.get_by_role("button", name="Giữ nguyên nội dung cũ").tap()
        await expect(card).to_contain_text("Nội dung giữ nguyên")
        await page.get_by_role("button", name="Họp thôn, dời giờ").tap()
        await expect(card).to_contain_text("Đã chọn: Họp thôn, dời giờ")
        assert await page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]
        await expect(page.locator(".htmx-request")).to_have_count(0)
        await page.locator("#send").tap()
        await expect(page.locator("h1")).to_have_text("Họp thôn")
        await expect(page.locator("main")).to_contain_text("Bắt đầu 19:30.")
    [changed] = [each for each in await site.centre.services.broadcasts.today(site.centre.actor) if each.run_id]
    assert (changed.run_id, [item.recording_id for item in changed.items]) == (run.id, [other])
    assert [target.name for target in changed.targets] == ["Thôn Trại"]


async def test_keeping_what_it_says_drops_the_words_typed_instead(site: Commune, browser: Browser) -> None:
    run = await site.broadcast("Họp tổ", "Thôn Đồng", start_at=EVENING)
    async with page_of(browser, site.url, viewport=SMALL, has_touch=True) as page:
        await page.goto(f"/broadcasts/{run.id}/edit")
        await page.locator("#otherwise > summary").tap()
        await page.locator("#typed > summary").tap()
        await page.fill("#text", "Tối nay họp tổ")
        await page.get_by_role("button", name="Giữ nguyên nội dung cũ").tap()
        await expect(page.locator("#text")).to_have_value("")
        await expect(page.locator("#recording")).to_contain_text("Nội dung giữ nguyên")
        await expect(page.locator(".htmx-request")).to_have_count(0)
        await page.locator("#send").tap()
        await expect(page.locator("h1")).to_have_text("Họp tổ")
    [kept] = [each for each in await site.centre.services.broadcasts.today(site.centre.actor) if each.run_id == run.id]
    assert [item.recording_id for item in kept.items] == [item.recording_id for item in run.items]
