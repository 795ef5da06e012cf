"""Signing in, in Chromium: what was pressed says so, is sent once, and may be pressed again when nothing came back."""

import pytest
from playwright.async_api import Browser, expect

from controller.http.middleware import COOKIE
from tests.controller.factories import PASSWORD
from tests.web.browser import page_of
from tests.web.harness import Commune
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
KEEP_IN = """() => {
  window.sent = 0;
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) window.sent += 1;
    event.preventDefault();
  });
  const { setTimeout } = window;
  window.setTimeout = (act, ms) => (ms === 20000 ? ((window.atLast = act), 0) : setTimeout(act, ms));
}"""
"""Counts what would be sent, and lets none of it out; ``atLast()`` is the end of patience."""


@pytest.mark.parametrize("end", ["atLast()", "dispatchEvent(new Event('pageshow'))"])
async def test_signing_in_says_that_it_is_under_way_and_is_sent_once(site: Commune, browser: Browser, end: str) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/sign-in")
        await page.evaluate(KEEP_IN)
        await page.fill("#login", "lan")
        button = page.locator("form[action='/sign-in'] button.main")
        await button.click()
        await expect(button).to_have_text("Đang gửi…")
        await page.press("#password", "Enter")
        assert await page.evaluate("sent") == 1
        await page.evaluate(end)
        await expect(button).to_have_text("Đăng nhập")
        await button.click()
        assert await page.evaluate("sent") == 2


async def test_a_browser_that_has_dropped_its_session_says_so_and_leads_back(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("about:blank")  # no look of a page finds it at the same moment
        await page.context.clear_cookies(name=COOKIE)
        await page.goto("/schedules/all?sort=when")
        await expect(page.locator("[role=alert]")).to_contain_text("Phiên làm việc đã hết")
        await page.fill("#login", "lan")
        await page.fill("#password", PASSWORD)
        await page.click("form[action='/sign-in'] button.main")
        await page.wait_for_url("**/schedules/all?sort=when")
        await page.click(".me summary")
        await page.click("form[data-sign-out] button")
        await page.wait_for_url("**/sign-in")
        await page.goto("/schedules/all")
        await expect(page.locator("#login")).to_be_visible()
        await expect(page.locator("[role=alert]")).to_have_count(0)
