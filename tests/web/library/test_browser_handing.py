"""What came from above in Chromium, on the narrowest phone: from the list of bulletins into a programme."""

import pytest
from playwright.async_api import Browser, expect

from tests.web.browser import SMALL, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site
from tests.web.scenes.offers import offered

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_bulletin_from_above_is_put_in_a_programme(site: Commune, browser: Browser) -> None:
    await offered(site)
    operator = await site.centre.somebody("hoa", "operator", site.root)
    session = await site.centre.session_of(operator)
    async with page_of(browser, site.url, session=session, viewport=SMALL, has_touch=True) as page:
        await page.goto("/bulletins")
        asked_for = page.locator("section[aria-labelledby=above] li").first
        await expect(asked_for).to_contain_text("Ưu tiên, chưa có trong chương trình nào có lịch phát")
        await asked_for.get_by_role("link", name="Xếp vào chương trình").tap()
        await page.get_by_role("link", name="Chương trình sáng 05:00").tap()  # unfolded by the link that led here
        await expect(page.locator("#airs")).to_contain_text("Chương trình này đang phát theo lịch")
        assert "bring=" in (await page.locator("main [hx-get*='/live']").first.get_attribute("hx-get") or "")
        async with page.expect_response(lambda answer: "/live?" in answer.url and "/programmes/" in answer.url):
            await page.evaluate("htmx.trigger(document.querySelector(\"main [hx-get*='/live']\"), 'loa:look')")
        await expect(page.locator(".htmx-request")).to_have_count(0)
        await page.get_by_role("button", name="Thêm vào chương trình").tap()
        await expect(page.locator("#items .item")).to_have_count(2)
        await expect(page.locator("#bring")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]
        await page.goto("/bulletins")
        await expect(page.locator("section[aria-labelledby=above]")).not_to_contain_text("chưa có trong chương trình")
