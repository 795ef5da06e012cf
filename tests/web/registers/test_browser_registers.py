"""The registers in Chromium: on a small phone and a PC, by keyboard, in large letters, in English."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.web.browser import PC, SMALL, chromium, page_of, speak
from tests.web.harness import commune
from tests.web.manners.sweeping import faults_of
from tests.web.scenes.registers import kept

pytestmark = [pytest.mark.browser, pytest.mark.long]
LISTS = ("/history", "/activity", "/people", "/places", "/settings", "/updates", "/alarms")


async def copies_the_key(page: Page) -> None:
    """One press, without the blanks it is shown with; on a phone the tap stands there, on a PC the picture."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    key = await page.locator("#key").inner_text()
    await page.click("[data-copy]")
    await expect(page.locator("[data-copied]")).to_have_text("Copied. Paste it into the authenticator.")
    assert await page.evaluate("navigator.clipboard.readText()") == key.replace(" ", "")
    tap, picture = page.locator("a.main[href^='otpauth://totp/']"), page.get_by_role("img")
    for size, shown, other in ((SMALL, tap, picture), (PC, picture, tap)):
        await page.set_viewport_size(size)
        await expect(shown).to_be_visible()
        await expect(other).to_be_hidden()


async def test_places_are_merged_and_letters_grow_by_keyboard_and_everybody_can_read_all(tmp_path: Path) -> None:
    async with commune(tmp_path) as site, chromium() as browser:
        paths = await kept(site)
        policy = f"/policies/{site.root.id}"
        async with page_of(browser, site.url, viewport=SMALL) as page:
            await page.goto(paths["merge"])
            await page.locator("#areas input").first.focus()
            await page.keyboard.press("Space")
            await page.get_by_role("button", name="Xem trước điều gì sẽ khác").focus()
            await page.keyboard.press("Enter")
            await expect(page.locator("#would")).to_be_visible()
            found = await faults_of(page, "merge looked", SMALL, PC)
            await page.get_by_role("button", name="Đồng ý, chuyển vào Thôn Trại").focus()
            await page.keyboard.press("Enter")
            await page.wait_for_url("**?done=moved")
            await page.goto("/settings")
            await page.get_by_label("Chữ lớn, màu đậm").focus()
            await page.keyboard.press("Space")
            await page.get_by_role("button", name="Đổi cách hiện").focus()
            await page.keyboard.press("Enter")
            await expect(page.locator("html[data-look=large]")).to_have_count(1)
            await speak(page, "en")
            for path in (*LISTS, policy, *paths.values()):
                await page.goto(path)
                found += await faults_of(page, path, SMALL, PC)
            await page.goto("/sign-in/factor")
            await page.click("button.main")
            found += await faults_of(page, "the second step", SMALL, PC)
            await copies_the_key(page)
        assert not found, "\n".join(found)
