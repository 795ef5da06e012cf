"""STOP and the main act of a page pass each other at a thumb's width, however the page is rolled."""

import re
from collections.abc import Iterable, Sequence

import pytest
from playwright.async_api import Browser, Page, ViewportSize

from tests.web.browser import PC, SMALL, page_of, use_look
from tests.web.harness import Commune, visitor
from tests.web.manners.sweeping import LARGER_TEXT, NO_SOUND, OPEN_ALL, all_paths
from tests.web.pages import module_site
from tests.web.scenes import busy_day, planned_week
from tests.web.scenes.yes import asked, emergencies, to_confirm

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
LEAST_PX = 72
ACTS = 'main form:not([action="/holds"]) button:is(.main, .tall, .stop)'
"""What does something that another hand undoes, if at all: all but STOP itself."""
NEAREST = """([acts, least]) => {
  const stop = document.querySelector(".stopbar button.stop"), bar = document.querySelector(".stopbar");
  if (!stop) return [];
  const seen = [...document.querySelectorAll(acts)].filter((each) => each.checkVisibility());
  const meets = (act, box, y) => [box.left + 6, (box.left + box.right) / 2, box.right - 6]
    .some((x) => act.contains(document.elementFromPoint(x, y)));
  const end = (act, box, bottom) => { // of what a finger meets of it: below that something else stands over it
    for (let y = bottom - 1; y >= Math.max(box.top + 1, 0); y -= 1) if (meets(act, box, y)) return y + 1;
    return null;
  };
  const found = seen.map((act) => ({ act, px: 9999, y: 0, whole: false }));
  for (let y = 0; y <= document.documentElement.scrollHeight; y += 8) {
    scrollTo(0, y);
    const there = stop.getBoundingClientRect(), edge = bar.getBoundingClientRect().top;
    for (const each of found) {
      const box = each.act.getBoundingClientRect(), aside = Math.max(there.left - box.right, box.left - there.right);
      let bottom = Math.min(box.bottom, edge);
      if (box.bottom <= 0 || box.top + 1 >= bottom) continue; // above the screen, or all of it behind the bar
      if (Math.max(aside, there.top - bottom, box.top - there.bottom) < least) bottom = end(each.act, box, bottom);
      if (bottom === null) continue;
      const px = Math.max(aside, there.top - bottom, box.top - there.bottom);
      if (px < each.px) Object.assign(each, { px, y });
    }
  }
  for (const each of found) {
    each.act.scrollIntoView({ block: "center" });
    const box = each.act.getBoundingClientRect();
    each.whole = [box.top + 4, (box.top + box.bottom) / 2, box.bottom - 4].every((y) => meets(each.act, box, y));
  }
  return found.map(({ act, px, y, whole }) => [act.textContent.trim(), px, y, whole]);
}"""
"""Of each act: how near what is seen of it comes to STOP, rolled to where, and whether it can be seen whole."""
WITHOUT_CURTAIN = "() => document.styleSheets[0].insertRule('main ::after { display: none !important; }')"
HAS_ONE = re.compile(r'<button[^>]* class="(?:main|tall|stop)\b')
ALL_QUESTIONS = "() => { for (const each of document.querySelectorAll('.asking')) each.classList.add('all'); }"
TABLET: ViewportSize = {"width": 768, "height": 1024}
ZOOMED: ViewportSize = {"width": 683, "height": 384}
"""A PC at 200 %, or a phone held sideways."""


async def near(
    page: Page, path: str, sizes: Iterable[ViewportSize] = (SMALL, PC, ZOOMED), larger: str = ""
) -> list[str]:
    """Name the main acts of a page that come too near to STOP, all of it unfolded; ``larger``: done to its text."""
    await page.goto(path)
    await page.evaluate(larger or "null")
    await page.evaluate(OPEN_ALL)
    await page.evaluate(ALL_QUESTIONS)
    found: list[str] = []
    for size in sizes:
        await page.set_viewport_size(size)
        for act, px, y, is_whole in await page.evaluate(NEAREST, [ACTS, LEAST_PX]):
            if px < LEAST_PX:
                found.append(f"{path} at {size['width']}, rolled to {y}: {act} stands {px:.0f} px from STOP")
            if not is_whole:
                found.append(f"{path} at {size['width']}: {act} is nowhere seen whole")
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
            assert await page.evaluate(NEAREST, [ACTS, LEAST_PX]), f"{path}: no act was measured"
        assert "XÁC NHẬN, PHÁT NGAY" in [act for act, *_ in await page.evaluate(NEAREST, [ACTS, LEAST_PX])]
    assert not found, "\n".join(found)


async def test_an_act_that_stands_too_near_is_seen(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/today")
        await page.set_viewport_size(SMALL)
        planted = "<form><button class='main'>Gửi</button></form><p class='planted'></p>"
        await page.evaluate("(html) => document.getElementById('main').insertAdjacentHTML('beforeend', html)", planted)
        assert min(px for _, px, *_ in await page.evaluate(NEAREST, [ACTS, LEAST_PX])) >= LEAST_PX
        await page.evaluate(WITHOUT_CURTAIN)
        assert min(px for _, px, *_ in await page.evaluate(NEAREST, [ACTS, LEAST_PX])) < LEAST_PX


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_no_main_act_of_any_page_has_stop_below_the_thumb(site: Commune, browser: Browser) -> None:
    """As it is, on a tablet held upright, in large letters, and in twice as large ones."""
    day, planned = await busy_day(site), await planned_week(site)
    more = [*day.addresses(), *planned.values(), await to_confirm(site)]
    paths = await with_an_act(site, await all_paths(site, more))
    assert len(paths) >= 10
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        found = [each for path in paths for each in await near(page, path, (SMALL, PC, TABLET, ZOOMED))]
        await use_look(page, "large")
        for larger in ("", LARGER_TEXT):
            found += [each for path in paths for each in await near(page, path, (SMALL,), larger)]
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
