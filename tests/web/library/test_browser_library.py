"""The library in Chromium: a recording cut and heard, a programme put together by hand and by keyboard."""

import asyncio

import pytest
from playwright.async_api import Browser, Page, Route, expect

from controller.programmes.schemas import ItemIn, ProgrammeIn, ProgrammeOut
from tests.controller.test_services_recordings import settled
from tests.sounds import spoken
from tests.web.browser import AXE, PHONE, SERIOUS, SMALL, SMALL_TARGETS, UNNAMED, page_of, taps
from tests.web.harness import Commune, visitor
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def anybody_can_use(page: Page) -> None:
    await page.evaluate(AXE)
    assert await page.evaluate(SERIOUS) == [], page.url
    assert await page.evaluate(SMALL_TARGETS) == [], page.url
    assert await page.evaluate(UNNAMED) == [], page.url
    wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, page.url


async def titles(page: Page) -> list[str]:
    return [str(await each.get_attribute("data-title")) for each in await page.locator("#items > .item").all()]


async def starts(page: Page) -> list[str]:
    texts = await page.locator("#items .start").all_inner_texts()
    return [text.split()[-1] for text in texts]


async def test_a_cough_is_cut_out_by_ear_and_keyboard(site: Commune, browser: Browser) -> None:
    """The wave is drawn within the page's own policy: the browser complains of nothing (``page_of``)."""
    async with visitor(site) as client:
        sent = await client.post("/api/v1/recordings?title=H%E1%BB%8Dp&language=vi", content=spoken("mp3", 4.0))
    whole = await settled(site.centre, sent.json()["id"])
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto(f"/recordings/{whole.id}/cut")
        await expect(page.locator("#cut[data-ready]")).to_be_attached()
        heights = "document.querySelector('#wave > div').shadowRoot.querySelector('.scroll').offsetHeight"
        assert await page.evaluate(heights) == 80
        await anybody_can_use(page)
        regions = "[...document.querySelector('#wave > div').shadowRoot.querySelectorAll('[part~=region]')]"
        assert await page.evaluate(
            f"{regions}.map((each) => Math.round(each.offsetWidth / each.offsetParent.offsetWidth * 100))"
        ) == [100]
        await expect(page.get_by_role("button", name="Bỏ đoạn này")).to_be_hidden()
        await page.evaluate("document.querySelector('#cut audio').currentTime = 1.5")
        await page.wait_for_function("() => document.querySelector('#cut audio').currentTime === 1.5")
        await page.get_by_role("button", name="Cắt đôi").click()
        await expect(page.locator("#pieces > li")).to_have_count(2)
        await expect(page.locator("#until-0")).to_have_value("0:01.50")
        await page.fill("#from-1", "2")
        await page.keyboard.press("Tab")
        assert await page.evaluate(f"{regions}.length") == 2
        await expect(page.locator("#kept")).to_contain_text("Giữ lại 0:03.5")
        await page.goto("/today")
        await page.goto(f"/recordings/{whole.id}/cut")  # a draft of more rows than stand there
        await expect(page.locator("#cut[data-ready]")).to_be_attached()
        await page.get_by_role("button", name="Dùng bản nháp").click()
        await expect(page.locator("#pieces > li")).to_have_count(2)
        await expect(page.locator("#until-0")).to_have_value("0:01.50")
        assert await page.evaluate(f"{regions}.length") == 2
        await expect(page.locator("#kept")).to_contain_text("Giữ lại 0:03.5")
        await page.click("#cut button.main")
        await page.wait_for_url("**/recordings/*?done=recording_cut")
        made = await settled(site.centre, page.url.rpartition("/")[2].partition("?")[0])
    assert made.cut_ms is not None
    assert [start for start, _ in made.cut_ms] == [0, 2000]
    assert (made.origin, made.derived_from, made.cut_ms[0][1]) == ("cut", whole.id, 1500)
    assert made.length_ms == pytest.approx((whole.length_ms or 0) - 500, abs=60)


async def three_items(site: Commune) -> ProgrammeOut:
    lengths = {"Nhạc hiệu": 15_000, "Tin xã": 60_000, "Thời tiết": 30_000}
    made = [await site.centre.recording(name, length_ms=ms) for name, ms in lengths.items()]
    items = [ItemIn.model_validate({"kind": "recording", "recording_id": each}) for each in made]
    wanted = ProgrammeIn(area_id=site.root.id, title="Sáng", items=items)
    return await site.centre.services.programmes.create(site.centre.actor, wanted)


async def drag_last_to_the_top(page: Page) -> None:
    """Leaves the button down."""
    handle, first = page.locator("#items .handle").last, page.locator("#items > .item").first
    start, end = await handle.bounding_box(), await first.bounding_box()
    assert start
    assert end
    await page.mouse.move(start["x"] + 8, start["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(end["x"] + 20, end["y"] + 40, steps=5)
    await page.mouse.move(end["x"] + 20, end["y"] + 4, steps=5)


@pytest.mark.parametrize("moment", ["while it is dragged", "before the centre has answered"])
async def test_an_old_order_that_comes_late_is_not_put_back(site: Commune, browser: Browser, moment: str) -> None:
    """What others change is asked for all the time: here the answer was written before somebody's hand moved."""
    known = await three_items(site)
    asked, arrive, arrived = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        asked.set()
        await arrive.wait()
        await route.fulfill(response=answer)
        arrived.set()

    async def unhurried(route: Route) -> None:
        if route.request.method == "POST" and moment == "before the centre has answered":
            arrive.set()
            await arrived.wait()
        await route.continue_()

    async with page_of(browser, site.url) as page:
        await page.route(f"**/programmes/{known.id}", unhurried)
        await page.goto(f"/programmes/{known.id}")
        await page.route(f"**/programmes/{known.id}/live", late, times=1)
        await page.evaluate("document.getElementById('programme').dispatchEvent(new CustomEvent('loa:look'))")
        await asked.wait()
        await drag_last_to_the_top(page)
        if moment == "while it is dragged":
            arrive.set()
            await arrived.wait()
        assert await titles(page) == ["Thời tiết", "Nhạc hiệu", "Tin xã"]
        await page.mouse.up()
        await expect(page.locator("#items .start").nth(1)).to_contain_text("0:30")
        assert await titles(page) == ["Thời tiết", "Nhạc hiệu", "Tin xã"]
    shown = await site.centre.services.programmes.get(site.centre.actor, known.id)
    assert [each.title for each in shown.items] == ["Thời tiết", "Nhạc hiệu", "Tin xã"]


async def test_a_programme_is_ordered_by_hand_by_keyboard_and_by_buttons(site: Commune, browser: Browser) -> None:
    known = await three_items(site)
    async with page_of(browser, site.url) as page:
        await page.goto(f"/programmes/{known.id}")
        await anybody_can_use(page)
        await drag_last_to_the_top(page)
        await page.mouse.up()
        await expect(page.locator("#items .start").nth(1)).to_contain_text("0:30")
        assert await titles(page) == ["Thời tiết", "Nhạc hiệu", "Tin xã"]
        assert await starts(page) == ["0:00", "0:30", "0:45"]

        await page.locator("#items > .item").nth(0).get_by_role("button", name="Xuống").focus()
        await page.keyboard.press("Alt+ArrowDown")
        await expect(page.locator("#items .start").nth(1)).to_contain_text("0:15")
        assert await titles(page) == ["Nhạc hiệu", "Thời tiết", "Tin xã"]
        await expect(page.locator("#said")).to_contain_text("Thời tiết: vị trí 2 trên 3")
        assert await page.evaluate("document.activeElement.closest('.item').dataset.title") == "Thời tiết"

        await page.get_by_role("button", name="Bỏ ra Nhạc hiệu").click()
        await expect(page.locator(".total")).to_contain_text("Tổng cộng 1 phút 30 giây")
        assert await starts(page) == ["0:00", "0:30"]

        await page.locator(".chip input[value=recordings]").click()
        await page.fill("#q", "nhac hieu")
        await expect(page.locator(".choosable")).to_have_count(1)
        await page.get_by_role("button", name="Làm nhạc hiệu Nhạc hiệu").click()
        await expect(page.locator("#items > .item")).to_have_count(3)
        handle, first = page.locator(".choosable .handle"), page.locator("#items > .item").first
        start, end = await handle.bounding_box(), await first.bounding_box()
        assert start
        assert end
        await page.mouse.move(start["x"] + 8, start["y"] + 8)
        await page.mouse.down()
        await page.mouse.move(end["x"] + 40, end["y"] + 10, steps=8)
        await page.mouse.up()
        await expect(page.locator("#items > .item")).to_have_count(4)
        assert await titles(page) == ["Nhạc hiệu", "Thời tiết", "Tin xã", "Nhạc hiệu"]
    shown = await site.centre.services.programmes.get(site.centre.actor, known.id)
    assert [each.title for each in shown.items] == ["Nhạc hiệu", "Thời tiết", "Tin xã", "Nhạc hiệu"]


@pytest.mark.long
async def test_on_a_phone_a_programme_takes_one_tap_for_each_item(site: Commune, browser: Browser) -> None:
    await site.centre.recording("Nhạc hiệu", length_ms=15_000)
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/programmes")
        await page.fill("#title", "Sáng")
        await page.click("button:has-text('Tạo chương trình')")
        await page.wait_for_url("**/programmes/*?done=saved")
        async with taps(page) as counted:
            await page.locator(".chip input[value=recordings]").tap()
            await page.get_by_role("button", name="Thêm Nhạc hiệu").tap()
            await expect(page.locator("#items > .item")).to_have_count(1)
        assert counted.taps == 2
        await anybody_can_use(page)
        await page.set_viewport_size(SMALL)
        for path in ("/bulletins", "/recordings", "/programmes", "/bulletins/new"):
            await page.goto(path)
            await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
            await anybody_can_use(page)


async def test_a_bulletin_is_written_and_read_aloud_by_the_machine(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/bulletins/new")
        await page.fill("#title", "Họp thôn")
        await page.fill("#text-vi", "Mời bà con họp lúc 19h30 ngày 24/11.")
        await expect(page.locator("#reading")).to_contain_text("19 giờ 30 ngày 24 tháng 11")
        await page.locator("#aloud summary").click()
        await page.click("#speak")
        await expect(page.locator("#recording .wave")).to_be_visible(timeout=30_000)
        await expect(page.locator("#recording")).to_contain_text("Giọng máy đọc")
        await page.click("#bulletin .send .main")
        await page.wait_for_url("**/bulletins/*?done=saved")
        await expect(page.locator("main")).to_contain_text("Giọng máy đọc")
