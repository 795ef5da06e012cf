"""Cụm loa in Chromium: the map, the curves, a position, a scanned code, and whom to call in counted taps."""

import asyncio
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from controller.nodes.schemas import PositionIn
from controller.tiles import Tiles
from tests.controller.factories import PASSWORD
from tests.controller.test_tiles import mbtiles
from tests.sounds import png
from tests.web.browser import AXE, PC, SERIOUS, SMALL, SMALL_TARGETS, page_of, taps
from tests.web.harness import Commune, pages
from tests.web.pages import module_site
from tests.web.scenes.nodes import PLACES, tended
from tests.web.scenes.today import busy_day

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PHONE = SMALL
HELD_IN_HAND: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
GAPS = """() => [...document.querySelectorAll(".curve canvas")].map((canvas) => {
  const {width, height} = canvas, dots = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const blue = ([r, g, b, a]) => a > 200 && r < 40 && g > 60 && g < 130 && b > 90;
  const dot = (x, y) => dots.slice(4 * (y * width + x), 4 * (y * width + x) + 4);
  const filled = Array.from({length: width}, (_, x) => Array.from({length: height}, (_, y) => dot(x, y)).some(blue));
  const [first, last] = [filled.indexOf(true), filled.lastIndexOf(true)];
  let longest = 0, now = 0;
  for (let x = first; x <= last; x++) { now = filled[x] ? 0 : now + 1; longest = Math.max(longest, now); }
  return first < 0 ? -1 : longest / (last - first);
})"""
"""Of each curve, how long its longest part without a line is, as a share of the whole."""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Then a finger is met as the page now says: what may be moved by it counts from the next frame on."""
SPOKEN = """window.__written = []; const before = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
  window.__written.push(text);
  return before.call(this, text, ...rest);
};"""


async def nothing_serious(page: Page) -> None:
    await page.evaluate(AXE)
    assert await page.evaluate(SERIOUS) == []
    assert await page.evaluate(SMALL_TARGETS) == []


async def swipe(page: Page) -> None:
    """Move one finger upwards over the map, and lift it when it has stood still: a page in full swing takes no tap."""
    box = await page.locator("#map").bounding_box()
    assert box is not None
    touch, at = await page.context.new_cdp_session(page), {"x": box["x"] + 60, "y": box["y"] + 250}
    began = time.time() - 2  # by these instants the browser tells how fast a finger was, however late they reach it

    async def say(what: str, after_s: float, *points: dict[str, float]) -> None:
        said = {"type": what, "touchPoints": points, "timestamp": began + after_s}
        await touch.send("Input.dispatchTouchEvent", said)

    await say("touchStart", 0, at)
    for step in range(1, 11):
        await say("touchMove", 0.016 * step, at | {"y": at["y"] - 15 * step})
    await say("touchEnd", 1)


COVERED = """() => {
  const at = (each) => document.querySelector(each).getBoundingClientRect();
  const buttons = at(".leaflet-control-zoom"), map = at("#map");
  return [...document.querySelectorAll("#map [role=img]")].filter((each) => {
    const box = each.getBoundingClientRect();
    const below = box.left < buttons.right && box.top < buttons.bottom && box.right > buttons.left;
    return below || box.left < map.left || box.right > map.right || box.top < map.top || box.bottom > map.bottom;
  }).map((each) => each.getAttribute("aria-label"));
}"""
"""Nodes of a map whose shape is not whole, or below the buttons that come nearer."""


async def test_the_map_shows_shapes_and_one_finger_scrolls_the_page(site: Commune, browser: Browser) -> None:
    await busy_day(site)
    await tended(site)
    nodes, actor = site.centre.services.nodes, site.centre.actor
    first, last = [list(site.nodes.values())[at] for at in (0, 3)]
    await nodes.change(actor, last.id, position=PositionIn(latitude=21.4706, longitude=105.9231))
    held, said = asyncio.Event(), "#map-said"

    async def late(route: Route) -> None:
        """Hold what is asked, then fail it: the page's own look, and those of the stream, which opens when it can."""
        await held.wait()
        await route.fulfill(status=503)

    async with page_of(browser, site.url, expected=("status of 503",), **HELD_IN_HAND) as page:
        await page.route("**/nodes/map.json", late)
        await page.goto("/nodes/map")
        spots = page.locator("#map [role=img]")
        await expect(page.locator(said)).to_have_text("Đang tìm các cụm loa…")
        held.set()
        await expect(page.locator(said)).to_contain_text("Chưa tải được các cụm lên bản đồ.")
        await page.unroute("**/nodes/map.json")
        await page.locator("#map").dispatch_event("loa:look")
        await expect(spots).to_have_count(3)
        await expect(page.locator(said)).to_be_empty()
        assert await page.evaluate(COVERED) == []
        two = page.locator("#map [aria-label^='2 cụm ở gần nhau, cần xem nhất: Mất kết nối']")
        await expect(two.locator(".of")).to_have_text("2")
        assert await page.locator("#map .live use").first.get_attribute("href") is not None
        assert [await each.get_attribute("tabindex") for each in await spots.all()] == [None] * 3, "the list has them"
        await expect(page.locator("#map-list a").first).to_have_text(last.name)
        await nothing_serious(page)
        ground = page.locator("#map .leaflet-map-pane")
        before = await ground.get_attribute("style")
        await swipe(page)
        await page.wait_for_function("() => scrollY > 100")
        await expect(ground).to_have_attribute("style", before or "")
        asks = page.get_by_role("button", name="Di chuyển bản đồ")
        await asks.tap()
        await expect(asks).to_have_attribute("aria-pressed", "true")
        await page.evaluate(TWO_FRAMES)
        stood = await page.evaluate("scrollTo(0, 200), scrollY")
        await swipe(page)
        await expect(ground).not_to_have_attribute("style", before or "")
        assert await page.evaluate("scrollY") == stood
        await page.reload()
        await two.tap()
        await expect(page.locator(f"#map [aria-label^='{last.name}: Mất kết nối']")).to_be_visible()
        await page.locator(f"#map [aria-label^='{last.name}']").tap()
        await page.wait_for_url(f"**/nodes/{last.id}")
        await nodes.change(actor, last.id, position=PositionIn(latitude=PLACES[0][0], longitude=PLACES[0][1]))
        await page.goto("/nodes/map")
        for _ in range(2):  # nearer, and then there is no nearer
            await two.tap()
        await expect(page.locator("#map .leaflet-popup a")).to_have_count(2)
        await page.locator(f"#map .leaflet-popup a[href='/nodes/{first.id}']").tap()
        await page.wait_for_url(f"**/nodes/{first.id}")


@pytest.mark.long
async def test_the_ground_is_drawn_from_our_own_file(site: Commune, browser: Browser, tmp_path: Path) -> None:
    await tended(site)
    at = {(zoom, x, y): png(256, 256) for zoom in (0, 1) for x in range(2**zoom) for y in range(2**zoom)}
    said = {"minzoom": "0", "maxzoom": "1", "attribution": "© Xã Nga My"}
    pages(replace(site.centre.services, tiles=Tiles(mbtiles(tmp_path / "x.mbtiles", at, said))))
    asked: list[str] = []
    async with page_of(browser, site.url) as page:
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/nodes/map")
        await expect(page.locator("#map .leaflet-tile-loaded").first).to_be_visible()
        await expect(page.get_by_text("© Xã Nga My")).to_be_visible()
        names = await page.locator("#map .leaflet-tooltip").all_text_contents()
        assert sorted(name.partition(":")[0] for name in names) == sorted(list(site.nodes)[:3])
        for tooltip in await page.locator("#map .leaflet-tooltip").all():
            box, whole = await tooltip.bounding_box(), await page.locator("#map").bounding_box()
            assert box is not None
            assert whole is not None
            assert whole["x"] <= box["x"]
            assert box["x"] + box["width"] <= whole["x"] + whole["width"] + 1
        await nothing_serious(page)
    assert [url for url in asked if "/tiles/" in url]
    assert not [url for url in asked if not url.startswith(site.url)]


@pytest.mark.long
async def test_curves_leave_gaps_open_and_tell_hours_as_people_here_do(site: Commune, browser: Browser) -> None:
    where = (await tended(site))["node_health"]
    async with page_of(browser, site.url, timezone_id="America/New_York") as page:
        await page.add_init_script(SPOKEN)
        await page.goto(where)
        await expect(page.locator(".curve canvas")).to_have_count(5)
        assert all(0.1 < gap < 0.4 for gap in await page.evaluate(GAPS)), "of the day 19% is not known"
        written = await page.evaluate("window.__written")
        hours = {text for text in written if ":" in text}
        assert {"00:00", "12:00"} <= hours
        assert all(re.fullmatch(r"[012]\d:00", hour) for hour in hours)
        assert await page.locator("#curves").get_attribute("aria-hidden") == "true"
        parts = page.locator("details[id^=figures-]")
        assert 8 <= await parts.count() <= 9, "three hours each"
        await parts.first.locator("summary").click()
        await expect(page.locator("table.figures tbody tr").first).to_be_visible()
        await nothing_serious(page)
        await page.get_by_role("link", name="30 ngày").click()
        await expect(page.locator(".curve canvas")).to_have_count(5)
        assert all(0.03 < gap < 0.15 for gap in await page.evaluate(GAPS)), "of the month, two days"
        assert 30 <= await parts.count() <= 31, "days, the latest first"
        await parts.nth(1).locator("summary").click()
        assert await parts.nth(1).locator("tbody tr").count() == 4
        assert await page.evaluate(BROAD) <= 0, "no figure lies out of sight beside the table"
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollHeight") < 6_000


@pytest.mark.long
async def test_a_position_is_taken_from_the_phone_when_it_is_sure_enough(site: Commune, browser: Browser) -> None:
    node = next(iter(site.nodes.values()))
    where = {"latitude": 21.4702, "longitude": 105.9231, "accuracy": 900}
    given: dict[str, Any] = {"geolocation": where, "permissions": ["geolocation"], "viewport": PHONE}
    async with page_of(browser, site.url, **given) as page:
        await page.goto(f"/nodes/{node.id}/settings")
        await page.get_by_role("button", name="Lấy vị trí của điện thoại này").click()
        await expect(page.locator("#position-said")).to_contain_text("còn sai tới 900 m")
        await expect(page.locator("#latitude")).to_have_value("")
        await page.context.set_geolocation({"latitude": 21.4702, "longitude": 105.9231, "accuracy": 9.5})
        await page.get_by_role("button", name="Lấy vị trí của điện thoại này").click()
        await expect(page.locator("#position-said")).to_contain_text("sai số khoảng 10 m")
        await nothing_serious(page)
        await page.get_by_role("button", name="Lưu vị trí").click()
        await page.wait_for_url("**/settings?done=position")
    found = (await site.centre.services.nodes.get(site.centre.actor, node.id)).position
    assert found is not None
    assert (found.latitude, found.longitude, found.accuracy_m) == (21.4702, 105.9231, 10)


@pytest.mark.long
async def test_a_sick_node_leads_to_a_call_in_three_taps(site: Commune, browser: Browser) -> None:
    await busy_day(site)
    await tended(site)
    async with page_of(browser, site.url, viewport=PHONE) as page, taps(page) as counted:
        await page.locator("#strip").get_by_role("link", name="Xóm Mới").first.click()
        await expect(page.get_by_role("heading", name="Xóm Mới, gần trạm y tế")).to_be_visible()
        call = page.get_by_role("link", name="Gọi Cô Hai")
        assert await call.get_attribute("href") == "tel:0912345678"
        box = await call.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        await counted.read()
        assert (counted.taps + 1, counted.keys) <= (3, 0)


async def test_who_scanned_a_nodes_code_finds_it_in_the_form_and_nowhere_else(site: Commune, browser: Browser) -> None:
    asked: list[str] = []
    async with page_of(browser, site.url, viewport=PC) as page:
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/nodes#code=ABCD-2345")
        await expect(page.locator("#code")).to_have_value("ABCD-2345")
        await expect(page.locator("#code")).to_be_visible()
        assert page.url.endswith("/nodes")
        await page.goto("/today")
        await page.goto("/nodes#code=<img src=x onerror=alert(1)>")
        await expect(page.locator("#code")).to_have_value("")
        await page.context.clear_cookies()
        await page.goto("about:blank")
        await page.goto("/nodes#code=EFGH-6789")
        await page.wait_for_url("**/sign-in**")
        await page.fill("input[name=login]", "lan")
        await page.fill("input[name=password]", PASSWORD)
        await page.locator("form button.main").click()
        await page.wait_for_url(re.compile(r"/nodes$"))
        await expect(page.locator("#code")).to_have_value("EFGH-6789")
    assert not any(code in url.split("#", 1)[0] for url in asked for code in ("ABCD", "EFGH"))


BROAD = """Math.max(...[...document.querySelectorAll("details[open] .rolls")]
  .map((each) => each.scrollWidth - each.clientWidth))"""
