"""The pages in Chromium: by keyboard and by screen reader, on any screen, live, and honest when the link is lost."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from edge_agent.protocol.states import PlayState
from tests.web.browser import AXE, PC, PHONE, SERIOUS, SMALL_TARGETS, UNNAMED, chromium, page_of
from tests.web.harness import NODES, Commune, commune
from tests.web.scenes import busy_day

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

STOP = ".stopbar button"


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path) -> AsyncIterator[Commune]:
    async with commune(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.mark.parametrize("size", [PC, PHONE], ids=["pc", "phone"])
async def test_every_page_can_be_used_by_everybody(site: Commune, browser: Browser, size: dict[str, int]) -> None:
    """No serious fault that axe knows, every control named and large enough to press."""
    scene = await busy_day(site)
    paths = ["/today", "/say", "/say?when=later", "/nodes", "/stop", *scene.addresses()]
    async with page_of(browser, site.url, viewport=size) as page:
        for path in paths:
            await page.goto(path)
            await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
            await page.evaluate(AXE)  # not as a script element: the page's own policy forbids what is inline
            assert await page.evaluate(SERIOUS) == [], path
            assert await page.evaluate(SMALL_TARGETS) == [], path
            assert await page.evaluate(UNNAMED) == [], path
        await page.click(STOP)
        await page.wait_for_url("**/stop?done=ordered")
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []
        assert await page.evaluate(SMALL_TARGETS) == []


@pytest.mark.parametrize(
    "size", [{"width": 360, "height": 640}, {"width": 683, "height": 384}], ids=["360px", "zoomed-200"]
)
async def test_nothing_is_cut_off_on_a_small_screen(site: Commune, browser: Browser, size: dict[str, int]) -> None:
    scene = await busy_day(site)
    await site.centre.node(await site.centre.area("Tổ_dân_phố_" + "rất_dài_" * 12, site.root), "x" * 120)
    async with page_of(browser, site.url, viewport=size) as page:
        for path in ["/today", "/say", "/nodes", "/stop", *scene.addresses()]:
            await page.goto(path)
            wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, path


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
    await context.close()


async def test_reduced_motion_stills_everything(site: Commune, browser: Browser) -> None:
    await busy_day(site)
    async with page_of(browser, site.url, reduced_motion="reduce") as page:
        await expect(page.locator("#strip .pulse").first).to_be_visible()
        assert await page.evaluate("document.getAnimations().length") == 0


async def test_stop_is_one_press_for_everything_and_its_release_another(site: Commune, browser: Browser) -> None:
    """By finger or by Enter; a second press in the same place, as of a shaking hand, orders silence again."""
    for size in (PC, PHONE):
        async with page_of(browser, site.url, viewport=size) as page:
            await page.locator(STOP).focus()
            await page.keyboard.press("Enter")
            await page.wait_for_url("**/stop?done=ordered")
            [hold] = await site.centre.services.holds.active(site.centre.actor)
            assert hold.scope == site.root.scope
            held = page.locator("#holds")
            await expect(page.locator("[role=status]")).to_contain_text("Bấm nhầm")
            await expect(held).to_contain_text("0/4 cụm đã im")
            await expect(held).to_contain_text("Cổng chợ Trại")
            await page.locator(STOP).click()
            await page.wait_for_load_state()
            assert [each.id for each in await site.centre.services.holds.active(site.centre.actor)] == [hold.id]
            for node in site.nodes.values():
                site.centre.hears(node.id, holds=[hold.id])
            await expect(held).to_contain_text("4/4 cụm đã im", timeout=20_000)
            await expect(held).not_to_contain_text("Cổng chợ Trại")
            await held.get_by_role("button", name="Bỏ lệnh dừng, cho phát lại").click()
            await expect(held).to_contain_text("Không có lệnh dừng nào")
            assert await site.centre.services.holds.active(site.centre.actor) == []
            for node in site.nodes.values():
                site.centre.hears(node.id, holds=[])


async def test_one_place_is_stopped_and_stands_until_released(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, viewport=PHONE) as page:
        await page.get_by_role("link", name="Dừng một nơi").click()
        await page.get_by_label("Thôn Trại").check()
        await page.get_by_role("button", name="DỪNG Ở NƠI NÀY").click()
        strip = page.locator("#strip")
        await expect(strip).to_contain_text("Đang tạm ngừng phát: Thôn Trại")
        await expect(strip).to_contain_text("0/2 cụm đã im")
        [hold] = await site.centre.services.holds.active(site.centre.actor)
        for name in ("Đầu làng Trại", "Cổng chợ Trại"):
            site.centre.hears(site.nodes[name].id, holds=[hold.id])
        await expect(strip).to_contain_text("2/2 cụm đã im", timeout=20_000)
        await page.goto("/today")
        await expect(page.get_by_text("người ra lệnh")).to_be_hidden()  # one line until somebody asks
        await page.get_by_text("Xem và bỏ lệnh dừng", exact=True).click()
        await expect(page.get_by_text("người ra lệnh")).to_be_visible()
        await page.get_by_role("button", name="Bỏ lệnh dừng, cho phát lại").click()
        await expect(strip).not_to_contain_text("Đang tạm ngừng")
    assert await site.centre.services.holds.active(site.centre.actor) == []


async def test_a_stop_whose_request_was_lost_is_sent_by_the_next_press(site: Commune, browser: Browser) -> None:
    lost: list[str] = []

    async def lose_the_first(route: Route) -> None:
        if lost:
            await route.continue_()
        else:
            lost.append(route.request.url)
            await route.abort("aborted")  # given up: the page stays as it is

    async with page_of(browser, site.url) as page:
        await page.route("**/holds", lose_the_first)
        for start in ("/today", "/stop"):
            lost.clear()
            await page.goto(start)
            button = page.locator(STOP if start == "/today" else "main form[action='/holds'] button")
            async with page.expect_event("requestfailed"):
                await button.click(no_wait_after=True)
            assert await site.centre.services.holds.active(site.centre.actor) == []
            await button.click()
            await page.wait_for_url("**/stop?done=ordered")
            [hold] = await site.centre.services.holds.active(site.centre.actor)
            await site.centre.services.holds.release(site.centre.actor, hold.id)


async def test_send_and_stop_are_never_neighbours(site: Commune, browser: Browser) -> None:
    """A thumb's width apart, wherever the page is scrolled to."""
    for size in (PC, PHONE):
        async with page_of(browser, site.url, viewport=size) as page:
            await page.goto("/say")
            await page.locator("#send").evaluate("each => scrollTo(0, document.body.scrollHeight)")
            send = await page.locator("#send").bounding_box()
            stop = await page.locator(STOP).bounding_box()
            assert send
            assert stop
            apart_x = max(stop["x"] - send["x"] - send["width"], send["x"] - stop["x"] - stop["width"])
            apart_y = max(stop["y"] - send["y"] - send["height"], send["y"] - stop["y"] - stop["height"])
            assert max(apart_x, apart_y) >= 72


async def test_a_report_appears_without_touching_the_page(site: Commune, browser: Browser) -> None:
    run = await site.broadcast("Bản tin", "Thôn Trại", start_at=site.centre.clock() + timedelta(hours=1))
    async with page_of(browser, site.url) as page:
        await page.goto(f"/broadcasts/{run.id}")
        await expect(page.locator("#broadcast")).to_contain_text("Đang gửi xuống cụm: 0/2")
        await page.click("#cancel summary")  # what a person opened stays open
        await site.reach(run, PlayState.CACHED, "Đầu làng Trại", "Cổng chợ Trại")
        await expect(page.locator("#broadcast")).to_contain_text("Đã sẵn sàng tại 2 cụm")
        await expect(page.locator("#cancel")).to_have_attribute("open", "")
        site.centre.clock.step(hours=1)
        await site.played(run, "Đầu làng Trại", "Cổng chợ Trại", simulated=True)
        await expect(page.locator("#broadcast")).to_contain_text("Thiết bị đã phát: 2/2 cụm")
        await expect(page.locator("#group-played")).to_contain_text("2")
        await expect(page.locator("#broadcast .simulated").first).to_be_visible()


async def test_a_person_on_the_send_button_stays_there_when_the_page_renews_itself(
    site: Commune, browser: Browser
) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await expect(page.locator("#preview")).to_contain_text("Chọn tệp âm thanh")
        await page.locator("#send").focus()
        async with page.expect_response("**/say/preview"):
            await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
        await expect(page.locator(".htmx-request")).to_have_count(0)
        await expect(page.locator("#send")).to_be_focused()


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


async def test_a_chosen_place_covers_its_parts_and_is_sent_alone(site: Commune, browser: Browser) -> None:
    recording = await site.centre.recording("Mất nước")
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await choose(page, "Mất nước")
        await page.get_by_role("checkbox", name="Xã Nga My").check()
        await expect(page.get_by_role("checkbox", name="Thôn Đồng")).to_be_checked()
        await expect(page.get_by_role("checkbox", name="Thôn Đồng")).to_be_disabled()
        await expect(page.locator("#preview")).to_contain_text("tới 4 cụm của 3 nơi")
        await page.get_by_role("checkbox", name="Xã Nga My").uncheck()
        await page.get_by_role("checkbox", name="Thôn Đồng").check()
        await expect(page.locator("#preview")).to_contain_text("tới 1 cụm của 1 nơi: Thôn Đồng")
        await page.locator("#send").dblclick()
        await page.wait_for_url("**/broadcasts/*")
    [run] = await site.centre.services.broadcasts.today(site.centre.actor)
    assert [target.name for target in run.targets] == ["Thôn Đồng"]
    assert [item.recording_id for item in run.items] == [recording]


async def test_planning_by_keyboard_alone(site: Commune, browser: Browser) -> None:
    await site.centre.recording("Họp thôn")
    async with page_of(browser, site.url) as page:
        await page.goto("/say?when=later")
        await page.locator("#recent summary").press("Enter")
        await page.get_by_role("button", name="Họp thôn").press("Enter")
        await expect(page.locator("#recording [data-title]")).to_be_visible()
        await page.get_by_role("checkbox", name="Thôn Trại").press("Space")
        await page.locator("#hour").fill("19h30")
        await expect(page.locator("#preview")).to_contain_text("lúc 19:30, tới 2 cụm")
        await page.locator("#send").press("Enter")
        await page.wait_for_url("**/broadcasts/*")
        await expect(page.locator("#broadcast")).to_contain_text("Bắt đầu 19:30.")


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
        await page.get_by_role("checkbox", name="Xã Nga My").check()
        await expect(page.locator("#preview")).to_contain_text("cụm của")
        await page.click(".stopbar a")
        assert await page.evaluate("window.pwned") is None


async def test_a_file_that_is_not_sound_is_turned_away_with_what_to_do(
    site: Commune, browser: Browser, tmp_path: Path
) -> None:
    picture = tmp_path / "loa.mp3"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await page.set_input_files("#file", picture)
        await expect(page.locator("#recording .notice")).to_contain_text("Tệp này không phải âm thanh", timeout=20_000)
        await expect(page.locator("#title")).to_have_value("loa")
        await expect(page.locator("#preview")).to_contain_text("Chọn tệp âm thanh ở bước 1")


async def test_an_empty_file_is_said_to_be_empty_and_the_next_one_brings_its_own_title(
    site: Commune, browser: Browser, tmp_path: Path
) -> None:
    files = {name: tmp_path / f"{name}.mp3" for name in ("rỗng", "văn bản", "cắt nước")}
    for name, file in files.items():
        file.write_bytes(b"" if name == "rỗng" else b"\x89PNG\r\n\x1a\n" + bytes(2000))
    async with page_of(browser, site.url, expected=("Failed to load resource",)) as page:
        await page.goto("/say")
        title = page.locator("#title")
        await page.set_input_files("#file", files["rỗng"])
        await expect(page.locator("#upload-wrong")).to_contain_text("Tệp này rỗng")
        for name in ("văn bản", "cắt nước"):
            await page.set_input_files("#file", files[name])
            await expect(page.locator("#recording .notice")).to_contain_text(name, timeout=20_000)
            await expect(title).to_have_value(name)
        await title.fill("Cắt nước chiều nay")
        await page.set_input_files("#file", files["văn bản"])
        await expect(page.locator("#recording .notice")).to_contain_text("Cắt nước chiều nay", timeout=20_000)
        await expect(title).to_have_value("Cắt nước chiều nay")


async def test_an_upload_that_fails_says_why_and_can_be_tried_again(
    site: Commune, browser: Browser, tmp_path: Path
) -> None:
    """Too large is known before a byte is sent; a broken link, a full disk and a proxy's page come back in words."""
    sound = tmp_path / "bản tin.mp3"
    sound.write_bytes(bytes(4000))
    full = {"error": {"code": "no_space", "message": "full", "fields": {}}}
    async with page_of(browser, site.url, expected=("Failed to load resource", "ERR_FAILED")) as page:
        await page.goto("/say")
        wrong = page.locator("#upload-wrong")
        await page.locator("#upload").evaluate("box => { box.dataset.most = 3999; }")
        await page.set_input_files("#file", sound)
        await expect(wrong).to_contain_text("Tệp lớn quá. Tối đa 200 MB")
        await page.locator("#upload").evaluate("box => { box.dataset.most = 4000; }")
        await page.route("**/api/v1/recordings?**", lambda route: route.abort())
        await page.set_input_files("#file", sound)
        await expect(wrong).to_contain_text("Mất mạng khi đang tải lên")
        await page.unroute_all()
        await page.route("**/api/v1/recordings?**", lambda route: route.fulfill(status=507, json=full))
        await page.set_input_files("#file", sound)
        await expect(wrong).to_contain_text("sắp hết chỗ trống")
        await page.unroute_all()
        await page.route(
            "**/api/v1/recordings?**", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>")
        )
        await page.set_input_files("#file", sound)
        await expect(wrong).to_contain_text("Chưa tải lên được")
        await expect(page.locator("#title")).to_have_value("bản tin")


async def test_while_something_long_sounds_saying_now_warns_that_nobody_would_hear(
    site: Commune, browser: Browser
) -> None:
    await busy_day(site)
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await choose(page, "Họp thôn tối nay")
        await page.get_by_role("checkbox", name="Thôn Trại").check()
        preview = page.locator("#preview")
        await expect(preview).to_contain_text("Gửi như vậy thì không cụm nào phát")
        await expect(preview).to_contain_text("Trùng giờ với “Bản tin chiều”")
        await page.get_by_label("Vào giờ khác").check()
        await page.fill("#hour", "18:00")
        await expect(preview).to_contain_text("lúc 18:00, tới 2 cụm của 1 nơi: Thôn Trại")
        await expect(page.locator("#send")).to_have_text("LÊN LỊCH")


async def choose(page: Page, title: str) -> None:
    await page.click("#recent summary")
    await page.get_by_role("button", name=title).click()
    await expect(page.locator("#recording [data-title]")).to_be_visible()


async def test_the_commune_has_a_place_with_two_nodes() -> None:
    """Several tests above count on it."""
    assert sorted(NODES.values()).count("Thôn Trại") == 2


async def test_who_scanned_a_nodes_code_finds_it_in_the_form_and_nowhere_else(site: Commune, browser: Browser) -> None:
    asked: list[str] = []
    async with page_of(browser, site.url) as page:
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/nodes#code=ABCD-2345")
        await expect(page.locator("#code")).to_have_value("ABCD-2345")
        await expect(page.locator("#code")).to_be_visible()
        assert page.url.endswith("/nodes")
        await page.goto("/today")
        await page.goto("/nodes#code=<img src=x onerror=alert(1)>")
        await expect(page.locator("#code")).to_have_value("")
    assert not any("ABCD" in url.split("#", 1)[0] for url in asked)
