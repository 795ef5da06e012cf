"""The centre acts and its answer is lost: who presses again makes nothing twice and is led to what is there."""

import re
from urllib.parse import parse_qs

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.web.browser import SMALL, page_of
from tests.web.harness import OWN, Commune
from tests.web.manners.test_browser_pressed import HANG
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
LOST = ("ERR_", "Failed to load resource", "status of")
FORM = "form[action='/areas']"
BEFORE = "Lần gửi trước đã tới trung tâm"


class Lost:
    """What was sent to one address, whose first answer never comes."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.keys: list[str] = []
        self._hangs = hangs

    async def __call__(self, route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        self.keys += parse_qs(route.request.post_data or "")["once"]
        if len(self.keys) > 1:
            await route.continue_()
            return
        headers = await route.request.all_headers() | OWN
        assert (await route.fetch(headers=headers, max_redirects=0)).status == 303  # done, and nobody is told
        if not self._hangs:
            await route.abort("connectionreset")


async def write(page: Page, name: str) -> None:
    await page.evaluate("document.getElementById('add').open = true")
    await page.fill(f"{FORM} [name=name]", name)


async def names(site: Commune) -> list[str]:
    return [area.name for area in await site.centre.services.areas.tree(site.centre.actor)]


async def test_after_a_page_without_a_link_the_same_is_sent_again_and_made_once(
    site: Commune, browser: Browser
) -> None:
    """What is sent after that is a new act, whatever it is called."""
    lost = Lost()
    async with page_of(browser, site.url, viewport=SMALL, expected=LOST) as page:
        await page.route("**/areas", lost)
        await page.goto("/places")
        await write(page, "Thôn Mới")
        await page.click(f"{FORM} button")
        await page.wait_for_url("chrome-error://**")
        assert (await names(site)).count("Thôn Mới") == 1
        await page.go_back()
        await expect(page.locator(".notice:has([data-of])")).to_contain_text("chưa thấy trả lời")
        await write(page, "Thôn Mới")
        await page.click(f"{FORM} button")
        await page.wait_for_url("**/places?done=area&before=yes")
        await expect(page.locator("main .notice")).to_contain_text(BEFORE)
        assert (await names(site)).count("Thôn Mới") == 1
        await page.goto("/today")
        await page.goto("/places")
        await write(page, "Thôn Mới Hai")
        await page.click(f"{FORM} button")
        await page.wait_for_url(re.compile(r"/places\?done=area$"))
    assert {"Thôn Mới", "Thôn Mới Hai"} <= set(await names(site))
    assert (len(lost.keys), lost.keys[0] == lost.keys[1] != lost.keys[2]) == (3, True)


AGAIN = f"""async () => {{
  const button = document.querySelector("{FORM} button");
  const left = new Promise((done) => navigation.addEventListener("navigate", done, {{ once: true }}));
  button.click();
  await left;
  while (!(await (await fetch("/places.csv")).text()).includes("Thôn Mới")); // until it is done at the centre
  atLast();
  console.log("told", document.querySelector("[data-note]").textContent);
  if (window.renamed) document.querySelector("{FORM} [name=name]").value = window.renamed;
  button.click();
}}"""
"""By the page's own scripts: while a page is on its way to another one, nobody else reaches into it."""


@pytest.mark.parametrize("renamed", ["", "Thôn Mới Hai"])
async def test_without_an_answer_the_page_says_that_twice_is_once_and_it_is(
    site: Commune, browser: Browser, renamed: str
) -> None:
    """What was changed before the second press is told as not taken, and still there as a draft."""
    lost = Lost(hangs=True)
    async with page_of(browser, site.url, viewport=SMALL, expected=LOST) as page:
        await page.route("**/areas", lost)
        await page.goto("/places")
        await page.evaluate(HANG, False)
        await page.evaluate("(name) => { window.renamed = name; }", renamed)
        await write(page, "Thôn Mới")
        async with page.expect_console_message(lambda said: said.text.startswith("told")) as told:
            await page.evaluate(f"void ({AGAIN})()")
        assert "gửi hai lần cũng chỉ tính một lần" in (await told.value).text
        if renamed:
            await expect(page.locator("h1")).to_have_text("Việc này đã gửi trước đó")
            await expect(page.locator("main")).to_contain_text("CHƯA được ghi nhận")
            await page.get_by_role("link", name="Xem kết quả lần gửi trước").click()
        await expect(page).to_have_url(f"{site.url}/places?done=area" + ("" if renamed else "&before=yes"))
        if renamed:
            await expect(page.locator(".notice:has([data-of])")).to_contain_text("chưa gửi được")
    assert [name for name in await names(site) if name.startswith("Thôn Mới")] == ["Thôn Mới"]
    assert (len(lost.keys), len(set(lost.keys))) == (2, 1)
