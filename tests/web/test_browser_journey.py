"""What an operator does, with everything real: a centre with its broker, agents as processes, an mp3, and Chromium."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from controller.demo.commune import THREE_HAMLETS, Commune
from tests.web.browser import PHONE, chromium, page_of

pytestmark = [pytest.mark.browser, pytest.mark.broker]

SECONDS = 3


@pytest.fixture
async def commune(tmp_path: Path) -> AsyncIterator[Commune]:
    async with Commune(tmp_path, THREE_HAMLETS) as opened:
        yield opened


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    """A file as a phone records it: a voice-like tone that comes and goes."""
    path = tmp_path / "Thông báo mất nước.mp3"
    sound = f"aevalsrc=0.4*sin(2*PI*440*t)*(0.6+0.4*sin(2*PI*3*t)):d={SECONDS}"
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", sound, "-b:a", "64k", str(path)]
    subprocess.run(command, check=True, timeout=30)
    return path


def opened(browser: Browser, commune: Commune) -> AbstractAsyncContextManager[Page]:
    wrong_password = ("401",)  # tried on purpose
    return page_of(browser, commune.url, password=commune.password, viewport=PHONE, expected=wrong_password)


async def sign_in_anew(page: Page, password: str) -> None:
    await page.click(".me summary")
    await page.get_by_role("button", name="Đăng xuất").click()
    await page.get_by_label("Tên đăng nhập").fill("lan")
    await page.get_by_label("Mật khẩu").fill("sai mật khẩu")
    await page.get_by_role("button", name="Đăng nhập").click()
    await expect(page.get_by_role("alert")).to_contain_text("chưa đúng")
    await expect(page.get_by_label("Tên đăng nhập")).to_have_value("lan")
    await page.get_by_label("Mật khẩu").fill(password)
    await page.get_by_role("button", name="Đăng nhập").click()
    await page.wait_for_url("**/today")


async def upload(page: Page, file: Path) -> None:
    await page.set_input_files("#file", file)
    await expect(page.locator("#recording [data-title]")).to_be_visible(timeout=30_000)
    await expect(page.locator("#title")).to_have_value(file.stem)
    await expect(page.locator("#recording")).to_contain_text(f"{SECONDS} giây")
    assert await page.locator("#recording .wave path").first.get_attribute("d")


@pytest.mark.timeout(180)
async def test_from_an_mp3_to_heard_at_two_hamlets(commune: Commune, mp3: Path) -> None:
    """Sign in, upload, choose two of three hamlets, say it now, and watch it become heard there and only there."""
    asked = [spec.hamlet for spec in THREE_HAMLETS[:2]]
    async with chromium() as browser, opened(browser, commune) as page:
        await sign_in_anew(page, commune.password)
        await expect(page.locator("#strip")).to_contain_text("Không có gì đang phát")
        await page.get_by_role("link", name="Phát ngay").click()
        await upload(page, mp3)
        await page.get_by_role("button", name="Nghe").click()
        await expect(page.locator(".player .at")).not_to_have_text("0:00", timeout=10_000)
        for hamlet in asked:
            await page.get_by_role("checkbox", name=hamlet).check()
        await expect(page.locator("#preview")).to_contain_text(f"Phát ngay {SECONDS} giây tới 2 cụm của 2 nơi")
        if await page.locator("[name=confirm_unusual]").count():  # by the real clock it may be night
            await page.locator("[name=confirm_unusual]").check()
        await page.get_by_role("button", name="PHÁT", exact=True).click()
        await page.wait_for_url("**/broadcasts/*")
        await expect(page.locator("h1")).to_have_text(mp3.stem)
        await expect(page.locator("#broadcast .mark").first).to_contain_text("Đang phát tại", timeout=20_000)
        await expect(page.locator("#broadcast .mark").first).to_contain_text(
            "Thiết bị đã phát: 2/2 cụm", timeout=30_000
        )
        await expect(page.locator("[data-play=played]")).to_have_count(2)
        await expect(page.locator("#group-played + .rows .simulated")).to_have_count(2)  # virtual outputs say so
        await page.goto("/today")
        await expect(page.locator("#today .run")).to_contain_text("Thiết bị đã phát: 2/2 cụm")
    broadcast_id = await only_broadcast(commune)
    plays = await commune.call("GET", f"/broadcasts/{broadcast_id}/plays")
    names = {node.spec.name for node in commune.nodes if node.spec.hamlet in asked}
    assert {play["node_name"] for play in plays if play["outcome"] == "played"} == names
    assert len(plays) == len(names)


async def only_broadcast(commune: Commune) -> str:
    runs = await commune.call("GET", "/broadcasts")
    assert len(runs) == 1
    return str(runs[0]["id"])
