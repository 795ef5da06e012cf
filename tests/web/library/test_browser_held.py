"""A change of what is on air that waits for a yes, in Chromium: the question stays until somebody answers it."""

import pytest
from playwright.async_api import Browser, expect

from tests.web.browser import SMALL, page_of
from tests.web.harness import Commune
from tests.web.library.test_on_air import filled, programme, recorded
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
LOOK = "document.getElementById('programme').dispatchEvent(new CustomEvent('loa:look'))"


async def test_what_there_is_no_time_left_for_stays_in_sight_while_the_page_is_brought_up_to_date(
    site: Commune, browser: Browser
) -> None:
    made = await programme(site, *[await recorded(site, title, 90) for title in ("Tin một", "Tin hai", "Tin ba")])
    await filled(site, made.id)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto(f"/programmes/{made.id}?change=yes")
        await page.locator("#items > .item").nth(2).get_by_role("button", name="Lên").click()
        asked = page.locator("#programme form[role=alert]")
        await expect(asked).to_contain_text("Không đủ giờ nên không phát: “Tin hai”.")
        await page.evaluate(LOOK)
        await page.wait_for_load_state("networkidle")
        await expect(asked).to_be_visible()
        await asked.get_by_role("button", name="Vẫn đổi").click()
        await expect(page.locator("#items > .item .what > :first-child")).to_have_text(["Tin một", "Tin ba", "Tin hai"])
        await expect(asked).to_have_count(0)
