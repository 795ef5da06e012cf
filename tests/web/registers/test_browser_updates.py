"""Adding a release and beginning a rollout in Chromium: two files, what is wrong with them, and how far they are."""

from pathlib import Path
from random import Random

import pytest
from playwright.async_api import Page, Route, expect

from tests.controller.updates.shop import Shop, new_update_key, packed, signed
from tests.web.browser import PC, SMALL, chromium, page_of
from tests.web.harness import commune
from tests.web.manners.sweeping import faults_of

pytestmark = pytest.mark.browser
PIECE = 4 * 2**20
"""More than a socket holds: a refusal comes while the browser still sends."""


async def choose(page: Page, bundle: Path, token: Path) -> None:
    await page.set_input_files("#bundle", bundle)
    await page.set_input_files("#signed", token)
    await page.get_by_role("button", name="Đưa vào trung tâm").click()


async def never(_route: Route) -> None:
    """Let no answer come."""


async def broken(route: Route) -> None:
    await route.abort()


async def test_a_release_is_added_and_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    async with commune(tmp_path) as site, chromium() as browser:
        shop = Shop(site.centre)
        content = packed(files={"noise": Random(1).randbytes(PIECE)})
        bundle, token, foreign, none = (
            tmp_path / name for name in ("loa.bundle", "a.release", "b.release", "c.release")
        )
        bundle.write_bytes(content)
        token.write_text(signed(shop.key, site.centre.clock(), bundle=content) + "\n")
        foreign.write_text(signed(new_update_key(), site.centre.clock(), bundle=content))
        none.write_bytes(b"\0" * 5000)
        async with page_of(browser, site.url, viewport=SMALL, expected=("status of 422",)) as page:
            await page.goto("/updates/releases/new")
            wrong = page.locator("#release-wrong")
            await page.get_by_role("button", name="Đưa vào trung tâm").click()
            await expect(page.locator("#bundle-wrong")).to_have_text("Chưa chọn gói phần mềm.")
            await expect(page.locator("#bundle")).to_be_focused()
            await expect(wrong).to_be_hidden()
            await choose(page, bundle, none)
            await expect(page.locator("#bundle-chosen")).to_have_text("loa.bundle")
            await expect(page.locator("#signed-chosen")).to_have_text("c.release")
            await expect(page.locator("#signed-wrong")).to_contain_text("không phải tệp chữ ký")
            await expect(page.locator("#bundle-wrong")).to_be_hidden()
            await choose(page, bundle, foreign)
            await expect(wrong).to_contain_text("không mang chữ ký của khóa cập nhật nào")
            await expect(page.locator("#signed-wrong")).to_be_hidden()
            found = await faults_of(page, "a release refused", SMALL, PC)
            await page.set_viewport_size(SMALL)
            await choose(page, bundle, token)
            await page.wait_for_url("**/updates?done=release")
            await expect(page.get_by_role("status").first).to_contain_text("Đã đưa bản mới vào")
            assert [each.release for each in await site.centre.services.releases.list(site.centre.actor)] == [7]
            await page.get_by_role("link", name="Bắt đầu đợt cập nhật").click()
            await page.check("input[name=target] >> nth=0")
            await page.get_by_role("button", name="Xem trước điều gì sẽ khác").click()
            await expect(page.locator("#would")).to_be_visible()
            found += await faults_of(page, "a rollout looked at", SMALL, PC)
            await page.get_by_role("button", name="Bắt đầu cập nhật").click()
            await page.wait_for_url("**?done=rollout_start")
        assert not found, "\n".join(found)


async def test_an_upload_of_a_release_that_breaks_off_is_given_up_or_said(tmp_path: Path) -> None:
    async with commune(tmp_path) as site, chromium() as browser:
        bundle, token = tmp_path / "loa.bundle", tmp_path / "loa.release"
        bundle.write_bytes(b"x" * 1000)
        token.write_text(signed(new_update_key(), site.centre.clock()))
        async with page_of(browser, site.url, expected=("net::ERR_FAILED",)) as page:
            await page.route("**/api/v1/updates?*", never)
            await page.goto("/updates/releases/new")
            await choose(page, bundle, token)
            await expect(page.locator(".doing")).to_be_visible()
            await page.get_by_role("button", name="Thôi, không tải nữa").click()
            await expect(page.locator(".doing")).to_be_hidden()
            await expect(page.locator("#release-wrong")).to_be_hidden()
            await page.unroute("**/api/v1/updates?*", never)
            await page.route("**/api/v1/updates?*", broken)
            await choose(page, bundle, token)
            await expect(page.locator("#release-wrong")).to_contain_text("Mất kết nối trong lúc tải lên")
            assert await page.locator("#bundle").evaluate("each => each.files.length") == 1
