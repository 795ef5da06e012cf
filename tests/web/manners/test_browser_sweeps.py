"""All pages in Chromium: for everybody, on any screen, honest when the link is lost."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from tests.web.browser import AXE, PC, SERIOUS, SMALL, SMALL_TARGETS, UNNAMED, close, page_of
from tests.web.harness import Commune
from tests.web.manners.sweeping import NO_SOUND, WIDER, all_paths, faults_of, shape_faults_of, strangers
from tests.web.pages import module_site
from tests.web.scenes import busy_day, planned_week
from tests.web.scenes.yes import to_confirm

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
STOP = ".stopbar button"
ZOOMED: ViewportSize = {"width": 683, "height": 384}
"""What is left of 1366 × 768 at 200 %."""
SIDEWAYS: ViewportSize = {"width": 640, "height": 360}
FOURFOLD: ViewportSize = {"width": 341, "height": 240}
OUT_OF_SIGHT = """() => {
  const bar = document.querySelector(".stopbar"), stop = bar.querySelector("button.stop"), found = [];
  const shows = (where) => {
    const box = stop.getBoundingClientRect();
    const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const [width, height] = [document.documentElement.clientWidth, innerHeight];
    if (!stop.contains(at) || box.top < 0 || box.bottom > height || box.left < 0 || box.right > width
        || box.height < 44)
      found.push(`STOP is not whole, ${where}`);
  };
  for (const part of [0, 0.5, 1]) {
    scrollTo(0, part * document.documentElement.scrollHeight);
    shows(`rolled to ${part}`);
  }
  const chosen = ["radio", "checkbox", "hidden"];
  for (const each of document.querySelectorAll("main :is(a[href], button, summary, select, textarea, input)")) {
    if (chosen.includes(each.type) || !each.checkVisibility({visibilityProperty: true}) || each.disabled) continue;
    each.focus();
    if (document.activeElement !== each) continue;
    const box = each.getBoundingClientRect();
    const at = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height, 48) / 2);
    if (bar.contains(at)) found.push(`STOP stands over ${each.outerHTML.slice(0, 80)}`);
  }
  return found;
}"""


@pytest.mark.long
async def test_every_page_can_be_used_by_everybody_on_a_pc_and_on_a_phone(site: Commune, browser: Browser) -> None:
    """No serious fault that axe knows; every control named and large enough; nothing wider than the screen; 24 hours.

    And nothing is asked of anybody but our own origin. What axe says on a PC is among what takes long.
    """
    day = await busy_day(site)
    planned = await planned_week(site)
    await site.centre.node(await site.centre.area("Tổ_dân_phố_" + "rất_dài_" * 12, site.root), "x" * 120)
    found: list[str] = []
    async with page_of(browser, site.url, expected=NO_SOUND, viewport=SMALL) as page:
        asked = strangers(page, site)
        for path in await all_paths(site, [*day.addresses(), *planned.values(), await to_confirm(site)]):
            await page.goto(path)
            found += await faults_of(page, path, SMALL)
            found += await shape_faults_of(page, path, PC)
            await page.set_viewport_size(SMALL)
    assert not found, "\n".join(found)
    assert asked == []


async def test_stop_is_read_by_everybody_too(site: Commune, browser: Browser) -> None:
    await busy_day(site)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.click(STOP)
        await page.wait_for_url("**/stop?done=ordered")
        assert await faults_of(page, "stop ordered", SMALL) == []


async def test_nothing_is_cut_off_and_stop_is_in_sight_where_the_page_is_zoomed_to_twice_its_size(
    site: Commune, browser: Browser
) -> None:
    """On a phone held sideways too, wherever the page is rolled; what has the focus is never behind the bar."""
    day, found = await busy_day(site), []
    async with page_of(browser, site.url, viewport=ZOOMED, expected=NO_SOUND) as page:
        for path in ["/today", "/say", "/nodes", "/stop", "/emergencies/new", *day.addresses()]:
            await page.goto(path)
            for size in (ZOOMED, SIDEWAYS, FOURFOLD):
                await page.set_viewport_size(size)
                found += [f"{path} at {size['width']}: {each}" for each in await page.evaluate(OUT_OF_SIGHT)]
                found += [f"{path} at {size['width']}: {each}" for each in await page.evaluate(WIDER)]
        await page.set_viewport_size(ZOOMED)
        await page.evaluate("document.querySelector('.stopbar').style.position = 'static'")
        assert await page.evaluate(OUT_OF_SIGHT), "a bar that rolls away is seen"
    assert not found, "\n".join(found)


async def test_a_planted_fault_is_seen(site: Commune, browser: Browser) -> None:
    """The three searches above find what they search for."""
    planted = '<button style="height:20px">&nbsp;</button><img src="x"><p style="color:#ccc;background:#fff">pale</p>'
    context = await browser.new_context()
    page = await context.new_page()
    await page.set_content(f'<html lang="vi"><title>x</title><main>{planted}</main></html>')
    await page.evaluate(AXE)
    assert {each.split(":")[0] for each in await page.evaluate(SERIOUS)} >= {
        "button-name",
        "color-contrast",
        "image-alt",
    }
    assert len(await page.evaluate(SMALL_TARGETS)) == len(await page.evaluate(UNNAMED)) == 1
    await close(context)


async def test_reduced_motion_stills_everything(site: Commune, browser: Browser) -> None:
    await busy_day(site)
    async with page_of(browser, site.url, reduced_motion="reduce") as page:
        await expect(page.locator("#strip .pulse").first).to_be_visible()
        assert await page.evaluate("document.getAnimations().length") == 0


async def test_a_lost_link_is_told_with_its_hour_and_heals(site: Commune, browser: Browser) -> None:
    lost = ("ERR_", "Failed to load resource", "Failed to fetch", "htmx")
    async with page_of(browser, site.url, expected=lost) as page:
        await expect(page.locator("#link-lost")).to_be_hidden()
        await site.stop_serving()
        await expect(page.locator("#link-lost")).to_be_visible()
        await expect(page.locator("#link-lost")).to_contain_text("từ 17:03")
        await expect(page.locator("#today")).to_be_visible()
        await site.start_serving()
        await expect(page.locator("#link-lost")).to_be_hidden()


async def test_an_ended_session_leads_to_sign_in_and_back(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, expected=("401",)) as page:
        await page.goto("/nodes")
        site.centre.clock.step(hours=13)
        await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(minutes=5))
        await page.wait_for_url("**/sign-in?next=/nodes&ended=1")
        await expect(page.get_by_role("alert")).to_contain_text("Phiên làm việc đã hết")
        await page.fill("#login", "lan")
        await page.fill("#password", "đồng bằng sông Hồng")
        await page.click("button.main")
        await page.wait_for_url("**/nodes")


@pytest.mark.long
async def test_hostile_names_never_run(site: Commune, browser: Browser) -> None:
    texts = [
        "<script>window.pwned=1</script>",
        '"><img src=x onerror=window.pwned=1>',
        "' autofocus onfocus=window.pwned=1 x='",
        "<svg onload=window.pwned=1>",
        "javascript:window.pwned=1",
    ]
    for text in texts:
        area = await site.centre.area(text, site.root)
        await site.centre.node(area, text)
        await site.centre.recording(text, file_name=text)
    run = await site.broadcast(texts[0])
    node = await site.centre.node(site.root, texts[1])
    site.centre.hears(node.id, faults=[{"code": "output_lost", "since_at": "2031-11-24T10:00:00Z", "detail": texts[1]}])
    async with page_of(browser, site.url) as page:
        for path in ["/today", "/nodes", "/say", f"/broadcasts/{run.id}", f"/nodes/{node.id}"]:
            await page.goto(path)
            assert await page.evaluate("window.pwned") is None, path
        await page.goto("/say")
        await page.click("#recent summary")
        for text in texts:
            await page.get_by_role("button", name=text).first.click()
            await expect(page.locator("#recording [data-title]")).to_have_attribute("data-title", text)
        await page.locator(".whom .chip.other").click()
        await page.get_by_role("checkbox", name="Xã Nga My").check()
        await expect(page.locator("#preview")).to_contain_text("cụm của")
        await page.click(".stopbar a")
        assert await page.evaluate("window.pwned") is None
