"""The frame in Chromium: one stream for all tabs, looks at what changed and at nothing else, and room for the page."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.web.browser import AXE, SERIOUS, SMALL_TARGETS, UNNAMED, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site
from tests.web.scenes import busy_day

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SMALL = {"width": 360, "height": 780}
TABS = 8
"""Two more than the connections that a browser opens to one origin."""
FIRST_LINE = 240
"""Pixels from the top at which a phone shows the page's own first line, on a calm day."""


async def stop_in(page: Page) -> None:
    await page.click(".stopbar button")
    await page.wait_for_url("**/stop?done=ordered")


@pytest.mark.long
async def test_a_stop_goes_out_from_the_eighth_tab_and_all_the_others_hear_of_it(
    site: Commune, browser: Browser
) -> None:
    """As from the first one, after the tab that held the stream for all of them was closed."""
    holds, streams = site.centre.services.holds, list[str]()
    async with page_of(browser, site.url) as first:

        def of_another(asked: Request) -> bool:
            return asked.url.endswith("/events") and asked.frame.page != first

        tabs = [first]
        first.context.on("request", lambda asked: streams.append(asked.url) if of_another(asked) else None)
        for _ in range(TABS - 1):
            tabs.append(await first.context.new_page())
            await tabs[-1].goto("/today")
        assert streams == [], "the first tab's is everybody's"
        for presses, hears in ((tabs[-1], tabs[2:5]), (tabs[1], [tabs[2], tabs[6]])):
            await stop_in(presses)
            for tab in hears:
                await tab.bring_to_front()
                await expect(tab.locator("#strip")).to_contain_text("Đang tạm ngừng phát: Xã Nga My")
            [hold] = await holds.active(site.centre.actor)
            await holds.release(site.centre.actor, hold.id)
            for tab in hears:
                await tab.bring_to_front()
                await expect(tab.locator("#strip")).not_to_contain_text("Đang tạm ngừng")
            await tabs[0].close()  # it came first and held the stream
        assert len(streams) <= 2, "that of the tab that came after it"


@pytest.mark.long
async def test_a_part_looks_when_its_own_topic_came_and_else_not(site: Commune, browser: Browser) -> None:
    run = await site.broadcast("Bản tin", "Thôn Trại", start_at=site.centre.clock() + timedelta(hours=1))
    async with page_of(browser, site.url) as page:
        await page.goto(f"/broadcasts/{run.id}")
        looks = """async (said) => {
          const heard = [];
          for (const part of document.querySelectorAll("[data-live]")) {
            part.addEventListener("loa:look", () => heard.push(part.id));
          }
          const other = new BroadcastChannel(`loa:${document.body.dataset.person}`);
          await new Promise((done) => setTimeout(done, 2600));  // after the first looks
          heard.length = 0;
          other.postMessage(said);
          await new Promise((done) => setTimeout(done, 2600));
          return heard;
        }"""
        assert await page.evaluate(looks, {"topic": "recording", "key": "x"}) == []
        assert await page.evaluate(looks, {"topic": "broadcast", "key": "another"}) == ["strip"]
        assert await page.evaluate(looks, {"topic": "broadcast", "key": run.id}) == ["strip", "broadcast"]
        assert await page.evaluate(looks, {"topic": "missed"}) == ["strip", "broadcast"]


async def test_a_phone_shows_the_page_and_not_its_frame(site: Commune, browser: Browser) -> None:
    measure = """() => ({
      first: document.querySelector("main h1").getBoundingClientRect().top,
      row: document.querySelector(".ways ul").scrollWidth - document.querySelector(".ways ul").clientWidth,
      stop: document.querySelector(".stopbar").offsetHeight,
      word: document.querySelector(".stopbar [data-word]").offsetHeight,
    })"""
    async with page_of(browser, site.url, viewport=SMALL) as page:
        calm = await page.evaluate(measure)
        assert calm["first"] <= FIRST_LINE
        assert calm["row"] <= 0
        assert calm["stop"] <= 81  # STOP is a primary target: 72 px
        assert calm["word"] <= 30
        await busy_day(site)
        await page.goto("/today")
        assert (await page.evaluate(measure))["first"] < SMALL["height"] / 2


async def test_what_begins_something_is_opened_with_the_cursor_in_its_first_field(
    site: Commune, browser: Browser
) -> None:
    await site.centre.recording("Nhạc hiệu", area_id=site.root.id)
    begins = {"/people": "name", "/places": "name", "/recordings": "title"}
    async with page_of(browser, site.url, viewport=SMALL) as page:
        for path, first in begins.items():
            await page.goto(path)
            link, field = page.locator("a.button[href^='#add']"), page.locator(f"main #{first}")
            await link.click()
            await expect(field).to_be_focused()
            await expect(field).to_be_in_viewport()
        await page.goto("/people")
        await page.locator("a.button[href='#add']").click()
        await page.click("#add > summary")
        await expect(page.locator("#name")).to_be_hidden()
        await page.locator("a.button[href='#add']").click()
        await expect(page.locator("#name")).to_be_focused()
        await page.goto("/today")
        await page.goto("/people#add")
        await expect(page.locator("#name")).to_be_in_viewport()


async def test_after_a_mistake_the_cursor_is_in_the_first_field_that_is_wrong(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, viewport=SMALL, expected=("422",)) as page:
        await page.goto("/people")
        await page.locator("a.button[href='#add']").click()
        await page.fill("#name", "Trần Thị Hoa")
        await page.fill("#login", "A B")
        await page.get_by_role("button", name="Thêm người này").click()
        await expect(page.locator("#wrong-login")).to_be_in_viewport()
        await expect(page.locator("#login")).to_be_focused()
        await page.goto("/bulletins/new")  # its list of what is missing stands on top, what is missing far below
        await page.fill("#title", "Tiêm phòng")
        await page.locator("form[data-draft] button.main:not([type=button])").click()
        await expect(page.locator("#wrong-voices")).to_be_in_viewport()
        await page.goto("/say")
        await page.locator("#say").evaluate("(form) => form.requestSubmit()")
        await expect(page.locator("#say .wrong").first).to_be_focused()


async def test_the_menu_of_a_phone_holds_all_and_closes(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, viewport=SMALL) as page:
        more, menu = page.locator(".ways a[href='#more']"), page.locator(".me .choices")
        await expect(menu).to_be_hidden()
        await more.click()
        await expect(menu).to_be_visible()
        assert await page.evaluate("document.activeElement.closest('.me') !== null")
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []
        assert await page.evaluate(SMALL_TARGETS) == []
        assert await page.evaluate(UNNAMED) == []
        await page.keyboard.press("Escape")
        await expect(menu).to_be_hidden()
        await more.press("Enter")
        await menu.get_by_role("link", name="Chương trình").click()
        await page.wait_for_url("**/programmes")


async def test_the_large_look_cuts_nothing_off(site: Commune, browser: Browser) -> None:
    """Nor do letters of twice the size."""
    await busy_day(site)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.evaluate("document.cookie = '__Host-loa-look=large; path=/; secure'")
        for letters in ("", "200%"):
            for path in ("/today", "/stop"):
                await page.goto(path)
                await expect(page.locator("html[data-look=large]")).to_be_visible()
                await page.evaluate("(size) => { if (size) document.documentElement.style.fontSize = size; }", letters)
                wider = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wider <= 0, (path, letters)
                await page.evaluate(AXE)
                assert await page.evaluate(SERIOUS) == [], (path, letters)
