"""The finer fields of a schedule, and another programme for one date, by keyboard alone on the narrowest phone."""

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.web.browser import AXE, SERIOUS, SMALL, SMALL_TARGETS, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site, programme
from tests.web.plan.test_other_programme import other

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
MOST_STEPS = 150
FITS = "document.documentElement.scrollWidth <= innerWidth"


async def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(MOST_STEPS):
        if await wanted.evaluate("(each) => each === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab leads past {wanted}")


async def typed(page: Page, field: Locator, text: str) -> None:
    await reach(page, field)
    await page.keyboard.press("Control+A")
    await page.keyboard.type(text)


async def choose(page: Page, field: Locator, value: str) -> None:
    """Go down a list from its beginning until a line is chosen."""
    await page.keyboard.press("Home")
    for _ in range(MOST_STEPS):
        if await field.input_value() == value:
            return
        await page.keyboard.press("ArrowDown")
    raise AssertionError(f"{value} is not in the list")


async def flawless(page: Page) -> None:
    await page.evaluate(AXE)
    assert await page.evaluate(SERIOUS) == []
    assert await page.evaluate(SMALL_TARGETS) == []
    assert await page.evaluate(FITS)


async def test_all_of_a_schedule_is_said_by_keyboard_on_a_narrow_phone(site: Commune, browser: Browser) -> None:
    made = await programme(site)
    filler = await site.centre.recording("Nhạc dân ca quan họ", length_ms=60_000)
    special = await other(site, "Đặc biệt")
    refused = ("422",)
    async with page_of(browser, site.url, viewport=SMALL, expected=refused) as page:
        await page.goto(f"/schedules/new?programme={made.id}")
        await typed(page, page.locator("#hour"), "17:30")
        more = page.locator("#more-when > summary")
        await expect(page.locator("#late")).to_be_hidden()
        await reach(page, more)
        await page.keyboard.press("Enter")
        await reach(page, page.locator("[name=start_mode][value=soft]"))
        await page.keyboard.press("ArrowDown")
        await typed(page, page.locator("#late"), "nhiều")
        await typed(page, page.locator("#ends"), "17:45")
        await reach(page, page.locator("[name=back_timed]"))
        await page.keyboard.press("Space")
        await typed(page, page.locator("#find-filler"), "quan ho")
        await expect(page.locator("#filler option")).to_have_count(2)
        await reach(page, page.locator("#filler"))
        await page.keyboard.press("ArrowDown")
        await expect(page.locator("#preview")).to_contain_text("Không hiểu số phút này")
        await flawless(page)
        await reach(page, page.locator("button[name=save]"))
        await page.keyboard.press("Enter")
        late = page.locator("#late")
        await expect(late).to_have_attribute("aria-invalid", "true")
        await expect(late).to_be_visible()
        await expect(page.locator("#filler")).to_have_value(filler)
        await typed(page, late, "10")
        await page.keyboard.press("Tab")
        await expect(page.locator("#preview")).to_contain_text("để hết lúc 17:45")
        await reach(page, page.locator("button[name=save]"))
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/schedules/*?done=saved")
        await expect(page.get_by_text("Phát thêm “Nhạc dân ca quan họ”")).to_be_visible()
        await reach(page, page.get_by_role("link", name="Đổi chương trình…").first)
        await page.keyboard.press("Enter")
        await reach(page, page.locator("#instead"))
        await choose(page, page.locator("#instead"), special.id)
        await reach(page, page.locator("#other button[name=look]"))
        await page.keyboard.press("Enter")
        await expect(page.locator("#other [role=status]")).to_be_visible()
        await flawless(page)
        await reach(page, page.get_by_role("button", name="Đổi chương trình lần này"))
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/schedules/*?done=date")
        await expect(page.get_by_text("Chương trình khác: Đặc biệt")).to_be_visible()
        await flawless(page)
    [known] = await site.centre.services.schedules.list(site.centre.actor)
    assert (known.start_mode, known.late_ms, known.ends_at_local) == ("hard", 600_000, "17:45:00")
    assert (known.back_timed, known.filler_recording_id) == (True, filler)
