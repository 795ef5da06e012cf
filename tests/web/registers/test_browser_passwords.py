"""A password of one's own in Chromium: what is wrong stands at its field, which has the cursor."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.controller.factories import PASSWORD
from tests.web.browser import SMALL, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PAGES = (("/sign-in/password", "form[action='/sign-in/password']"), ("/settings#password", "#password form"))


async def choose(page: Page, form: str, *, old: str, new: str, again: str) -> None:
    for name, value in (("old", old), ("new", new), ("again", again)):
        await page.fill(f"{form} [name={name}]", value)
    await page.press(f"{form} [name=again]", "Enter")


@pytest.mark.parametrize(("path", "form"), PAGES)
async def test_two_that_differ_are_told_at_the_field_and_nothing_is_typed_again(
    site: Commune, browser: Browser, path: str, form: str
) -> None:
    async with page_of(browser, site.url, viewport=SMALL, expected=("status of 422",)) as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        await page.goto(path)
        again = page.locator(f"{form} [name=again]")
        for _ in range(2):  # told once, however often it is pressed
            await choose(page, form, old=PASSWORD, new="ba con vịt xanh", again="ba con vịt đỏ")
            await expect(page.locator(f"{form} .wrong")).to_have_text(
                "Hai lần gõ mật khẩu mới không giống nhau. Hãy gõ lại."
            )
            await expect(again).to_be_focused()
            await expect(again).to_have_attribute("aria-describedby", "wrong-again")
            assert await page.input_value(f"{form} [name=old]") == PASSWORD
        assert not sent
        await choose(page, form, old="sai hoàn toàn", new="ba con vịt xanh", again="ba con vịt xanh")
        await expect(page.locator(f"{form} [name=old]")).to_be_focused()
        await expect(page.locator(f"{form} .wrong")).to_have_text("Mật khẩu chưa đúng. Hãy gõ lại.")
        await choose(page, form, old=PASSWORD, new="ngắn", again="ngắn")
        await expect(page.locator(f"{form} [name=new]")).to_be_focused()
        assert len(sent) == 2
