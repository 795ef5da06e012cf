"""The line of what sounds now, on the narrowest phone."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from edge_agent.protocol.states import PlayState
from tests.web.browser import SMALL, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
TITLE = "Bản tin chiều về phòng chống rét cho trâu bò và lịch cắt điện của các thôn trong tuần tới"
CUT_OFF = """() => {
  const time = document.querySelector("#strip .now > span:last-of-type").getBoundingClientRect();
  const line = document.querySelector("#strip .now").getBoundingClientRect();
  return time.width === 0 || time.bottom > line.bottom + 1 || time.right > line.right + 1;
}"""


async def test_however_long_its_title_the_time_that_is_left_is_read(site: Commune, browser: Browser) -> None:
    names = [*site.nodes]
    for name in names:
        site.centre.hears(site.nodes[name].id)
    run = await site.broadcast(TITLE, length_ms=600_000)
    await site.reach(run, PlayState.PLAYING, *names)
    site.centre.clock.step(seconds=70)
    site.plays_now(run, *names)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto("/nodes")
        await expect(page.locator("#strip .now")).to_contain_text("4/4 cụm")
        assert not await page.evaluate(CUT_OFF)
        assert await page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]


async def test_however_long_the_title_of_what_comes_next_the_page_is_no_wider(site: Commune, browser: Browser) -> None:
    await site.broadcast(TITLE, start_at=site.centre.clock() + timedelta(hours=2))
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto("/nodes")
        await expect(page.locator("#strip .now")).to_contain_text("Tiếp theo")
        assert not await page.evaluate(CUT_OFF)
        assert await page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"]
