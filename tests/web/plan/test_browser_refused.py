"""A form of a schedule that was refused, in Chromium: it says what is wrong, and nothing besides."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.browser import SMALL, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site, programme
from tests.web.plan.test_planning import MORNING
from tests.web.scenes.plan import schedule

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
DRAFTS = "Object.keys(localStorage).filter((key) => key.startsWith('loa:draft:')).length"
NOTICES = ".notice:has([data-of])"


async def refused(page: Page, field: str) -> None:
    """Send it; what is wrong is said at one field, and nobody speaks of a draft."""
    await page.locator("#schedule button.main").click()
    await expect(page.locator(f"#wrong-{field}")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await expect(page.locator(NOTICES)).to_have_count(0)
    await expect(page.locator("main [role=alert]:visible")).to_have_count(1)


async def test_a_refused_form_says_what_is_wrong_and_of_no_draft(site: Commune, browser: Browser) -> None:
    made = await programme(site)
    await schedule(site, made.id, "Buổi sáng", MORNING, "FREQ=DAILY")
    async with page_of(browser, site.url, viewport=SMALL, expected=("422",)) as page:
        await page.goto(f"/schedules/new?programme={made.id}")
        await page.locator("#title").fill("Buổi chiều ")
        await page.locator("[name=repeat][value=weekly]").check()
        await page.locator("[name=hour_usual][value='']").check()
        await page.locator("#hour").press_sequentially("05:00")  # one of those to press: so it stands in the answer
        await page.locator("[name=whole][value='']").check()
        await page.locator(".tree [name=target]").nth(1).check()
        await refused(page, "weekday")
        assert await page.evaluate(DRAFTS) == 1, "it is kept all the same, for whoever leaves now"
        await expect(page.get_by_role("radio", name="05:00")).to_be_checked()
        await page.locator("[name=weekday][value=WE]").check()
        await page.locator("#more-when > summary").click()
        await page.locator("#late").fill("lâu")
        await refused(page, "late")
        await page.locator("#late").fill("7")
        await page.goto(f"/schedules/new?programme={made.id}")
        await expect(page.locator(NOTICES)).to_have_count(1)
        await page.get_by_role("button", name="Dùng bản nháp").click()
        await expect(page.locator("#title")).to_have_value("Buổi chiều")
