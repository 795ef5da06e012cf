"""Phát ngay in Chromium: by keyboard, with files of all kinds, and what it warns of."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.web.browser import PHONE, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site, placed
from tests.web.scenes import busy_day
from web.pages import targets

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_person_on_the_send_button_stays_there_when_the_page_renews_itself(
    site: Commune, browser: Browser
) -> None:
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await expect(page.locator("#preview")).to_contain_text("dùng nội dung đã có")
        await page.locator("#send").focus()
        async with page.expect_response("**/say/preview"):
            await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
        await expect(page.locator(".htmx-request")).to_have_count(0)
        await expect(page.locator("#send")).to_be_focused()


async def test_a_chosen_place_covers_its_parts_and_is_sent_alone(site: Commune, browser: Browser) -> None:
    recording = await site.centre.recording("Mất nước")
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await choose(page, "Mất nước")
        await elsewhere(page)
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


async def test_what_is_typed_and_chosen_before_the_later_scripts_are_here_is_kept_and_covered(
    site: Commune, browser: Browser
) -> None:
    """On a slow link the page stands before them."""
    arrived = asyncio.Event()

    async def hold(route: Route) -> None:
        await arrived.wait()
        await route.continue_()

    async with page_of(browser, site.url) as page:
        for name in ("speak", "then"):
            await page.route(f"**/static/js/{name}.js?*", hold)
        await page.goto("/say", wait_until="domcontentloaded")
        await expect(page.locator("#record .start")).to_be_visible()
        await page.locator("#named summary").click()
        await page.locator("#title").fill("Cắt nước")
        await elsewhere(page)
        await page.get_by_role("checkbox", name="Xã Nga My").check()
        arrived.set()
        await expect(page.get_by_role("checkbox", name="Thôn Đồng")).to_be_disabled()
        await page.wait_for_function("() => Object.values(localStorage).some((each) => each.includes('Cắt nước'))")


async def test_places_and_nodes_are_picked_on_a_map_without_tiles(
    site: Commune, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is pressed is chosen in the tree, or listed where the tree is not open; pressed again, it is not."""
    monkeypatch.setattr(targets, "MOST_NODES", 3)  # nodes are read when their place is opened
    await site.centre.recording("Mất nước")
    await placed(site)
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/say")
        await choose(page, "Mất nước")
        await elsewhere(page)
        await page.locator("#by-map summary").tap()
        market = page.locator("#by-map [title^='Cổng chợ Trại']")
        await market.tap()
        preview, picked = page.locator("#preview"), page.locator(".picked")
        await expect(preview).to_contain_text("tới 1 cụm của 1 nơi: Thôn Trại")
        await expect(picked).to_contain_text("Cổng chợ Trại · Thôn Trại")
        await page.locator("#by-map .area-spot").tap()
        await expect(page.get_by_role("checkbox", name="Thôn Trại", exact=False).first).to_be_checked()
        await expect(preview).to_contain_text("tới 2 cụm của 1 nơi: Thôn Trại")
        await market.tap()
        await expect(page.locator("#by-map .note")).to_contain_text("Nơi này đã nằm trong Thôn Trại")
        await page.locator("#by-map .area-spot").tap()
        await page.get_by_text("Chọn từng cụm ở Thôn Trại").tap()
        inside = page.get_by_role("checkbox", name="Cổng chợ Trại")
        await expect(inside).to_be_checked()  # what was picked moved into the open part of the tree
        await expect(picked).to_be_empty()
        await market.tap()
        await expect(inside).not_to_be_checked()
        await expect(preview).to_contain_text("Chọn nơi nghe ở bước 2")


async def test_a_map_whose_script_did_not_come_says_so_and_comes_when_it_is_opened_again(
    site: Commune, browser: Browser
) -> None:
    await placed(site)
    async with page_of(browser, site.url, expected=("ERR_FAILED",)) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/say")
        await elsewhere(page)
        assert not any("pick.js" in url or "leaflet" in url for url in asked)
        await page.route("**/js/pick.js*", lambda route: route.abort(), times=1)
        await page.locator("#by-map summary").press("Enter")
        await expect(page.locator("#by-map .note")).to_contain_text("mở lần nữa")
        await page.locator("#by-map summary").press("Enter")
        await page.locator("#by-map summary").press("Enter")
        await expect(page.locator("#by-map [title^='Cổng chợ Trại']")).to_be_visible()
        await expect(page.locator("#by-map .note")).to_be_empty()


@pytest.mark.long
async def test_planning_by_keyboard_alone(site: Commune, browser: Browser) -> None:
    await site.centre.recording("Họp thôn")
    async with page_of(browser, site.url) as page:
        await page.goto("/say?when=later")
        await page.locator("#recent summary").press("Enter")
        await page.get_by_role("button", name="Họp thôn").press("Enter")
        await expect(page.locator("#recording [data-title]")).to_be_visible()
        await page.get_by_role("radio", name="Chọn nơi khác").press("Space")
        await page.get_by_role("checkbox", name="Thôn Trại").press("Space")
        await page.locator("#hour").fill("19h30")
        await expect(page.locator("#preview")).to_contain_text("lúc 19:30, tới 2 cụm")
        await page.locator("#send").press("Enter")
        await page.wait_for_url("**/broadcasts/*")
        await expect(page.locator("#broadcast")).to_contain_text("Bắt đầu 19:30.")


async def test_a_file_that_is_not_sound_is_turned_away_with_what_to_do(
    site: Commune, browser: Browser, tmp_path: Path
) -> None:
    picture = tmp_path / "loa.mp3"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await page.set_input_files("#file", picture)
        await expect(page.locator("#recording .notice")).to_contain_text("Tệp này không phải âm thanh", timeout=60_000)
        await expect(page.locator("#title")).to_have_value("loa")
        await expect(page.locator("#preview")).to_contain_text("dùng nội dung đã có ở bước 1")


async def test_what_became_of_a_file_or_of_words_is_in_sight_on_a_phone(
    site: Commune, browser: Browser, tmp_path: Path
) -> None:
    """Neither behind the bar of STOP nor above the screen; and a file's fault does not stay beside the next one's."""
    picture, empty = tmp_path / "loa.mp3", tmp_path / "rỗng.mp3"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    empty.write_bytes(b"")
    small = {"width": 360, "height": 640}
    async with page_of(browser, site.url, viewport=small, has_touch=True, expected=("Failed to load",)) as page:
        await page.goto("/say")
        verdict = page.locator("#recording .notice")
        await page.set_input_files("#file", picture)
        await expect(verdict).to_contain_text("không phải âm thanh", timeout=60_000)
        await page.wait_for_function(IN_SIGHT, arg="#recording .notice")
        await page.set_input_files("#file", empty)
        await expect(page.locator("#upload-wrong")).to_contain_text("Tệp này rỗng")
        await page.wait_for_function(IN_SIGHT, arg="#upload-wrong")
        await expect(verdict).to_have_count(0)
        await page.tap("#typed summary")
        await page.fill("#text", "Chiều nay cắt nước.")
        await page.evaluate("() => document.getElementById('speak').scrollIntoView({block: 'start'})")
        await page.tap("#speak")
        await expect(page.locator("#recording [data-title] .player")).to_be_visible(timeout=60_000)
        await page.wait_for_function(IN_SIGHT, arg="#recording .player")


IN_SIGHT = """(selector) => {
  const {top, bottom} = document.querySelector(selector).getBoundingClientRect();
  return top >= 0 && bottom <= document.querySelector(".stopbar").getBoundingClientRect().top;
}"""


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
            await expect(page.locator("#recording .notice")).to_contain_text(name, timeout=60_000)
            await expect(title).to_have_value(name)
        await page.click("#named summary")
        await title.fill("Cắt nước chiều nay")
        await page.set_input_files("#file", files["văn bản"])
        await expect(page.locator("#recording .notice")).to_contain_text("Cắt nước chiều nay", timeout=60_000)
        await expect(title).to_have_value("Cắt nước chiều nay")


async def test_an_upload_that_fails_says_why_and_one_whose_link_breaks_goes_on(
    site: Commune, browser: Browser, tmp_path: Path
) -> None:
    """Too large is known before a byte goes; a full disk comes in words; a proxy's page and no link make it wait."""
    sound = tmp_path / "bản tin.mp3"
    sound.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(4000))
    full = {"error": {"code": "no_space", "message": "full", "fields": {}}}
    async with page_of(browser, site.url, expected=("Failed to load resource", "ERR_FAILED")) as page:
        await page.goto("/say")
        wrong, said = page.locator("#upload-wrong"), page.locator("#upload .said")
        await page.locator("#upload").evaluate("box => { box.dataset.most = 3999; }")
        await page.set_input_files("#file", sound)
        await expect(wrong).to_contain_text("Tệp lớn quá. Tối đa 200 MB")
        await page.locator("#upload").evaluate("box => { box.dataset.most = 5000; }")
        await page.route("**/api/v1/uploads", lambda route: route.fulfill(status=422, json=full))
        await page.set_input_files("#file", sound)
        await expect(wrong).to_contain_text("sắp hết chỗ trống")
        await page.unroute_all()
        await page.route("**/api/v1/uploads", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
        await page.set_input_files("#file", sound)
        await expect(said).to_contain_text("sẽ tự gửi tiếp")
        await page.unroute_all()
        await page.route("**/api/v1/uploads", lambda route: route.abort())
        await expect(said).to_contain_text("sẽ tự gửi tiếp")
        await page.unroute_all()
        await expect(page.locator("#recording .notice")).to_contain_text("bản tin", timeout=60_000)
        await expect(page.locator("#title")).to_have_value("bản tin")


async def test_while_something_long_sounds_saying_now_warns_that_nobody_would_hear(
    site: Commune, browser: Browser
) -> None:
    await busy_day(site)
    async with page_of(browser, site.url) as page:
        await page.goto("/say")
        await choose(page, "Họp thôn tối nay")
        await elsewhere(page)
        await page.get_by_role("checkbox", name="Thôn Trại").check()
        preview = page.locator("#preview")
        await expect(preview).to_contain_text("Gửi như vậy thì không cụm nào phát")
        await expect(preview).to_contain_text("Trùng giờ với “Bản tin chiều”")
        await page.get_by_label("Vào giờ khác").check()
        await page.fill("#hour", "18:00")
        await expect(preview).to_contain_text("lúc 18:00, tới 2 cụm của 1 nơi: Thôn Trại")
        await expect(page.locator("#send")).to_have_text("LÊN LỊCH · 2 cụm")


async def choose(page: Page, title: str) -> None:
    await page.click("#recent summary")
    await page.get_by_role("button", name=title).click()
    await expect(page.locator("#recording [data-title]")).to_be_visible()


async def elsewhere(page: Page) -> None:
    await page.locator(".whom .chip.other").click()
