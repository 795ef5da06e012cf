"""What an operator does, with everything real: a centre with its broker, agents as processes, a microphone."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from audio import correlate
from controller.demo.check import MAX_HZ, MIN_CORRELATION, VirtualRecording
from controller.demo.commune import THREE_HAMLETS
from tests import sounds
from tests.e2e.beside import plays
from tests.e2e.journeys.conftest import Note
from tests.e2e.journeys.stage import PATIENT_MS, Stage, last_start
from tests.e2e.journeys.steps import id_in, say_now
from tests.e2e.people import OWN
from tests.web.browser import PHONE, page_of

pytestmark = [
    pytest.mark.browser,
    pytest.mark.broker,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
]
SECONDS = 3
LOOSE_S = 10
"""That it sounds at all after Send, on a machine that does much else. The issue's 3 s are measured, not asserted."""


@plays
async def test_said_now_in_four_taps_and_heard_at_every_hamlet(folder: Path, stage: Stage, note: Note) -> None:
    """From Hôm nay on a phone: record, done, send. What left each output is what the microphone heard."""
    before = [len(VirtualRecording(node.folder).samples) for node in stage.commune.nodes]
    async with stage.way("operator") as way:
        sent_at = await say_now(way)
        broadcast_id = id_in(way.page)
        row = await way.done(4)
        sound_s = last_start(await stage.sounded(broadcast_id)) - sent_at
        note("say now", "phone-vi", row | {"sound_s": round(sound_s, 2), "issue": "4 taps, 15 s, sound 3 s"})
        assert sound_s <= LOOSE_S
        await expect(way.page.locator("#broadcast .mark").first).to_contain_text(
            "Thiết bị đã phát: 3/3 cụm", timeout=PATIENT_MS
        )
    plays = await stage.over(broadcast_id)
    assert [play["outcome"] for play in plays] == ["played"] * 3
    run = await stage.commune.call("GET", f"/broadcasts/{broadcast_id}")
    recording = await stage.commune.call("GET", f"/recordings/{run['items'][0]['recording_id']}")
    assert recording["origin"] == "recorded"
    for node, begun in zip(stage.commune.nodes, before, strict=True):
        reference = await correlate.load(node.folder / "media" / f"{recording['sha256']}.opus")
        found = correlate.compare(reference, VirtualRecording(node.folder).samples[begun:], max_hz=MAX_HZ)
        assert [match.correlation >= MIN_CORRELATION for match in found.matches] == [True]


def mp3(folder: Path) -> Path:
    """Make a file as a phone records it: a voice-like tone that comes and goes."""
    path = folder / "Thông báo mất nước.mp3"
    path.write_bytes(sounds.encoded(sounds.speech(SECONDS), "mp3"))
    return path


async def sign_in_anew(page: Page) -> None:
    await page.click(".me summary")
    await page.get_by_role("button", name="Đăng xuất").click()
    await page.get_by_label("Tên đăng nhập").fill("hoa")
    await page.get_by_label("Mật khẩu").fill("sai mật khẩu")
    await page.get_by_role("button", name="Đăng nhập").click()
    await expect(page.get_by_role("alert")).to_contain_text("chưa đúng")
    await expect(page.get_by_label("Tên đăng nhập")).to_have_value("hoa")
    await page.get_by_label("Mật khẩu").fill(OWN)
    await page.get_by_role("button", name="Đăng nhập").click()
    await page.wait_for_url("**/today")


async def upload(page: Page, file: Path) -> None:
    await page.set_input_files("#file", file)
    await expect(page.locator("#recording [data-title]")).to_be_visible(timeout=30_000)
    await expect(page.locator("#title")).to_have_value(file.stem)
    await expect(page.locator("#recording")).to_contain_text(f"{SECONDS} giây")
    assert await page.locator("#recording .wave path").first.get_attribute("d")


@pytest.mark.long
async def test_an_mp3_sounds_at_two_of_three_hamlets_and_only_there(stage: Stage, tmp_path: Path) -> None:
    """Sign in, upload, choose two of three hamlets, say it now, and watch it become heard there and only there."""
    asked, file = [spec.hamlet for spec in THREE_HAMLETS[:2]], mp3(tmp_path)
    wrong_password = ("401",)  # tried on purpose
    await stage.person("operator")
    opened = page_of(
        stage.browser, stage.commune.url, login="hoa", password=OWN, viewport=PHONE, expected=wrong_password
    )
    async with opened as page:
        await sign_in_anew(page)
        await expect(page.locator("#strip")).to_contain_text("Không có gì đang phát", timeout=30_000)
        await page.get_by_role("link", name="Phát ngay").first.click()
        await upload(page, file)
        await page.get_by_role("button", name="Nghe").click()
        await expect(page.locator(".player .at")).not_to_have_text("0:00", timeout=10_000)
        await page.locator(".whom .chip.other").click()  # all of one's own commune is chosen otherwise
        for hamlet in asked:
            await page.get_by_role("checkbox", name=hamlet).check()
        await expect(page.locator("#preview")).to_contain_text(f"Phát ngay {SECONDS} giây tới 2 cụm của 2 nơi")
        if await page.locator("[name=confirm_unusual]").count():  # by the real clock it may be night
            await page.locator("[name=confirm_unusual]").check()
        await page.get_by_role("button", name="PHÁT tới 2 cụm").click()
        await page.wait_for_url("**/broadcasts/*")
        await expect(page.locator("h1")).to_have_text(file.stem)
        await expect(page.locator("#broadcast .mark").first).to_contain_text("Đang phát tại", timeout=20_000)
        await expect(page.locator("#broadcast .mark").first).to_contain_text(
            "Thiết bị đã phát: 2/2 cụm", timeout=30_000
        )
        await expect(page.locator("[data-play=played]")).to_have_count(2)
        await expect(page.locator("#group-played + .rows .simulated")).to_have_count(2)  # virtual outputs say so
        broadcast_id = id_in(page)
        await page.goto("/today")
        await expect(page.locator(f"#run-{broadcast_id}")).to_contain_text("Thiết bị đã phát: 2/2 cụm")
    plays = await stage.plays(broadcast_id)
    names = {node.spec.name for node in stage.commune.nodes if node.spec.hamlet in asked}
    assert {play["node_name"] for play in plays if play["outcome"] == "played"} == names
    assert len(plays) == len(names)
