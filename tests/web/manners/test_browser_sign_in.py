"""Signing in, in Chromium: what was pressed says so, is sent once, and may be pressed again when nothing came back."""

import pytest
from playwright.async_api import Browser, expect

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
