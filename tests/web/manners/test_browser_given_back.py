"""A page that the browser gives back whole, as it was left, is opened anew: the same act is a new one there.

Playwright keeps Chromium from giving back any, and Chromium keeps none that is not to be stored. What it would tell the
page is told by hand, with what the page of the answer left behind in the tab.
"""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.browser import SMALL, page_of
from tests.web.harness import Commune
from tests.web.manners.test_browser_pressed import HANG
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
FORM = "form[action='/areas']"
KEY = f"new FormData(document.querySelector(\"{FORM}\")).get('once')"
ANSWERED = """() => {
  sessionStorage.setItem("loa:unanswered", "{}");
  sessionStorage.removeItem("loa:sent-last");
}"""
GIVEN_BACK = """() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))"""


async def pressed(page: Page) -> str:
    """Send the form as far as the edge of the page; gives the key that goes with it."""
    await page.evaluate(HANG, True)
    await page.evaluate("document.getElementById('add').open = true")
    await page.fill(f"{FORM} [name=name]", "Thôn Mới")
    await page.click(f"{FORM} button")
    await expect(page.locator(f"{FORM} button")).to_have_text("Đang gửi…")
    key = await page.evaluate(KEY)
    assert isinstance(key, str)
    return key


@pytest.mark.parametrize("answer", ["seen", ""])
async def test_the_same_act_is_a_new_one_once_its_answer_was_seen(site: Commune, browser: Browser, answer: str) -> None:
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto("/places")
        first = await pressed(page)
        if answer:
            await page.evaluate(ANSWERED)
        async with page.expect_event("load"):
            await page.evaluate(GIVEN_BACK)
        await expect(page.locator(f"{FORM} button")).not_to_have_attribute("aria-disabled", "true")
        assert (await pressed(page) == first) is not bool(answer)
