"""STOP and the main act of a page pass each other at a thumb's width, however the page is rolled."""

import re
from collections.abc import Iterable, Sequence

import pytest
from playwright.async_api import Browser, Page, ViewportSize

from tests.web.browser import PC, SMALL, page_of, use_look
from tests.web.harness import Commune, visitor
from tests.web.manners.sweeping import NO_SOUND, OPEN_ALL, all_paths
from tests.web.pages import module_site
from tests.web.scenes import busy_day, planned_week
from tests.web.scenes.yes import asked, emergencies, to_confirm

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
LEAST_PX = 72
ACTS = 'main form:not([action="/holds"]) button:is(.main, .tall, .stop)'
"""What does something that another hand undoes, if at all: all but STOP itself."""
NEAREST = """(acts) => {
  const stop = document.querySelector(".stopbar button.stop"), bar = document.querySelector(".stopbar");
  if (!stop) return [];
  const seen = [...document.querySelectorAll(acts)].filter((each) => each.checkVisibility());
  const found = seen.map((act) => ({ act, px: 9999, y: 0 }));
  for (let y = 0; y <= document.documentElement.scrollHeight; y += 8) {
    scrollTo(0, y);
    const there = stop.getBoundingClientRect(), edge = bar.getBoundingClientRect().top;
    for (const each of found) {
      const box = each.act.getBoundingClientRect(), bottom = Math.min(box.bottom, edge);
      if (box.bottom <= 0 || box.top >= bottom) continue; // above the screen, or all of it behind the bar
      const px = Math.max(there.left - box.right, box.left - there.right, there.top - bottom, box.top - there.bottom);
      if (px < each.px) Object.assign(each, { px, y });
    }
  }
  return found.map(({ act, px, y }) => [act.textContent.trim(), px, y]);
}"""
HAS_ONE = re.compile(r'<button[^>]* class="(?:main|tall|stop)\b')
ALL_QUESTIONS = "() => { for (const each of document.querySelectorAll('.asking')) each.classList.add('all'); }"
TABLET: ViewportSize = {"width": 768, "height": 1024}
ZOOMED: ViewportSize = {"width": 683, "height": 384}
"""A PC at 200 %, or a phone held sideways."""


async def near(page: Page, path: str, sizes: Iterable[ViewportSize] = (SMALL, PC, ZOOMED)) -> list[str]:
    """Name the main acts of a page that come too near to STOP, all of it unfolded."""
    await page.goto(path)
    await page.evaluate(OPEN_ALL)
    await page.evaluate(ALL_QUESTIONS)
    found: list[str] = []
    for size in sizes:
        await page.set_viewport_size(size)
        for act, px, y in await page.evaluate(NEAREST, ACTS):
            if px < LEAST_PX:
                found.append(f"{path} at {size['width']}, rolled to {y}: {act} stands {px:.0f} px from STOP")
    return found


async def test_whoever_sends_or_says_yes_never_has_stop_below_the_thumb(site: Commune, browser: Browser) -> None:
    waiting = await asked(site, await site.centre.somebody("hoa", "operator", site.root))
    alarming = await emergencies(site, await site.centre.recording("Lũ quét"))
    second = await to_confirm(site)
    paths = ["/say", "/emergencies/new", waiting["approval"], alarming["emergency"], second]
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        found: list[str] = []
        for path in paths:
            found += await near(page, path)
            assert await page.evaluate(NEAREST, ACTS), f"{path}: no act was measured"
        assert "XÁC NHẬN, PHÁT NGAY" in [act for act, *_ in await page.evaluate(NEAREST, ACTS)]
    assert not found, "\n".join(found)


async def test_an_act_that_stands_too_near_is_seen(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/today")
        await page.set_viewport_size(SMALL)
        planted = "<form><button class='main'>Gửi</button></form><p class='planted'></p>"
        await page.evaluate("(html) => document.getElementById('main').insertAdjacentHTML('beforeend', html)", planted)
        assert min(px for _, px, _ in await page.evaluate(NEAREST, ACTS)) >= LEAST_PX
        await page.evaluate("document.querySelector('.stopbar a').remove()")
        assert min(px for _, px, _ in await page.evaluate(NEAREST, ACTS)) < LEAST_PX


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_no_main_act_of_any_page_has_stop_below_the_thumb(site: Commune, browser: Browser) -> None:
    """As it is, on a tablet held upright, and in large text."""
    day, planned = await busy_day(site), await planned_week(site)
    more = [*day.addresses(), *planned.values(), await to_confirm(site)]
    paths = await with_an_act(site, await all_paths(site, more))
    assert len(paths) >= 10
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        found = [each for path in paths for each in await near(page, path, (SMALL, PC, TABLET, ZOOMED))]
        await use_look(page, "large")
        found += [each for path in paths for each in await near(page, path, (SMALL,))]
    assert not found, "\n".join(found)


async def with_an_act(site: Commune, paths: Sequence[str]) -> list[str]:
    """Keep the pages that have a main act of their own."""
    found: list[str] = []
    async with visitor(site) as client:
        for path in paths:
            body = (await client.get(path)).text.partition('<main id="main"')[2].partition("</main>")[0]
            if path.split("?")[0] != "/stop" and HAS_ONE.search(body):
                found.append(path)
    return found
