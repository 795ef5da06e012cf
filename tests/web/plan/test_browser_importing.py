"""Nạp lịch từ tệp in the browser: a file is chosen, looked at and saved, and the page is one that everybody can use."""

import pytest
from playwright.async_api import Browser, FilePayload, expect

from tests.web.browser import PC, SMALL, page_of
from tests.web.harness import Commune
from tests.web.manners.sweeping import faults_of
from tests.web.pages import module_site, programme
from tests.web.plan.test_importing import EVENING, PATH, calendar, event

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_file_is_chosen_looked_at_and_saved(site: Commune, browser: Browser) -> None:
    await programme(site)
    text = calendar(event("Buổi chiều", EVENING), event("Ngày hội", "DTSTART;VALUE=DATE:20311201"))
    file = FilePayload(name="lich.ics", mimeType="text/calendar", buffer=text.encode())
    async with page_of(browser, site.url, viewport=PC) as page:
        await page.goto(PATH)
        await page.set_input_files("#calendar-file", files=file)
        await expect(page.locator("#calendar-file-chosen")).to_have_text("lich.ics")
        await page.select_option("#programme", index=1)
        await page.click("#import button[name=look]")
        await expect(page.locator("#events li")).to_have_count(2)
        assert await faults_of(page, PATH, PC, SMALL) == []
        await page.click("#import .send button")
        await page.wait_for_url("**/schedules/all?done=calendar_taken")
    [made] = await site.centre.services.schedules.list(site.centre.actor)
    assert made.title == "Buổi chiều"


async def test_a_file_that_is_too_large_is_not_put_in(site: Commune, browser: Browser) -> None:
    await programme(site)
    file = FilePayload(name="lich.ics", mimeType="text/calendar", buffer=b"x" * 200_001)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto(PATH)
        await page.set_input_files("#calendar-file", files=file)
        await expect(page.locator("#calendar-file-chosen")).to_contain_text("lớn quá")
        await expect(page.locator("#ics")).to_have_value("")
