"""Recorded where it is written: bulletins in each of their languages, ready messages, the list of recordings."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from controller.bulletins.schemas import BulletinIn, VersionSeen
from tests import sounds
from tests.web.browser import AXE, PHONE, SERIOUS, SMALL_TARGETS, UNNAMED, chromium, hearing, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
PATIENT_MS = 60_000
"""On a machine that does much else, processing takes its time."""
HMONG = "Thu âm hoặc tải tệp (tiếng H'Mông)"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    voice = tmp_path_factory.mktemp("voice") / "voice.wav"
    voice.write_bytes(sounds.encoded(sounds.speech(5), "wav"))
    async with chromium(*hearing(voice)) as opened:
        yield opened


async def record(page: Page, place: str) -> None:
    await page.locator("#record .start").tap()
    await expect(page.locator("#record .length")).to_have_text("0:01", timeout=PATIENT_MS)
    await page.get_by_role("button", name="Xong").tap()
    await expect(page.locator(f"{place} [data-title]")).to_be_visible(timeout=PATIENT_MS)


async def anybody_can_use(page: Page) -> None:
    await page.evaluate(AXE)
    assert await page.evaluate(SERIOUS) == [], page.url
    assert await page.evaluate(SMALL_TARGETS) == [], page.url
    assert await page.evaluate(UNNAMED) == [], page.url


async def test_a_bulletin_is_recorded_in_each_language_and_its_draft_has_both(site: Commune, browser: Browser) -> None:
    services, actor = site.centre.services, site.centre.actor
    await services.areas.change(actor, site.root.id, languages=["vi", "hmn"])
    old = await site.centre.recording("Lịch cũ")
    site.centre.clock.step(seconds=60)
    for number in range(12):
        await site.centre.recording(f"Tin {number}")
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/bulletins/new")
        await page.fill("#title", "Phòng rét")
        await record(page, "#recording")
        await expect(page.locator("#title")).to_have_value("Phòng rét")
        await page.get_by_role("button", name=HMONG).tap()
        await expect(page.get_by_role("button", name=HMONG)).to_be_hidden()
        await record(page, "#recording-hmn")
        await anybody_can_use(page)
        first, second = page.locator("[name=recording]"), page.locator("[name=recording-hmn]")
        spoken = [await first.input_value(), await second.input_value()]
        await page.goto("/bulletins/new")
        await page.get_by_role("button", name="Dùng bản nháp").tap()
        await expect(first).to_have_value(spoken[0])
        await expect(second).to_have_value(spoken[1])
        await page.locator("#recent-hmn summary").tap()
        await expect(page.locator("#recent-hmn")).not_to_contain_text("Lịch cũ")
        await page.locator("#recent-hmn-find").fill("lich cu")
        await page.locator("#recent-hmn").get_by_role("button", name="Lịch cũ").tap()
        await expect(second).to_have_value(old)
        await page.locator("#bulletin .send .main").tap()
        await page.wait_for_url("**/bulletins/*?done=saved")
    [made] = await services.bulletins.list(actor)
    assert [(each.language, each.recording_id) for each in made.voices] == [("vi", spoken[0]), ("hmn", old)]
    found = [await services.recordings.get(actor, each) for each in spoken]
    assert [(each.origin, each.language) for each in found] == [("recorded", "vi"), ("recorded", "hmn")]


async def test_ready_messages_and_recordings_are_recorded_where_they_stand(site: Commune, browser: Browser) -> None:
    services, actor = site.centre.services, site.centre.actor
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/messages/new?kind=alert")
        await page.fill("#title", "Lũ quét")
        await record(page, "#recording")
        await page.locator("form.card .send .main").tap()
        await page.wait_for_url("**/messages?done=saved")
        await page.goto("/recordings")
        await page.fill("#title", "Nhạc hiệu xã")
        await record(page, "#recording")
        await expect(page.locator("#recordings")).to_contain_text("Nhạc hiệu xã")
        await anybody_can_use(page)
        await page.set_input_files(
            "#file", {"name": "cũ.wav", "mimeType": "audio/wav", "buffer": sounds.encoded(sounds.speech(2), "wav")}
        )
        await expect(page.locator("#recordings tbody tr")).to_have_count(3, timeout=PATIENT_MS)
    [message] = await services.messages.list(actor)
    assert message.voices[0].recording_id
    assert "Nhạc hiệu xã" in {each.title for each in await services.recordings.list(actor)}


async def test_a_bulletin_is_found_on_phat_ngay_and_said(site: Commune, browser: Browser) -> None:
    services, actor = site.centre.services, site.centre.actor
    sound = await site.centre.recording("Tin sáng", length_ms=20_000)
    voices = [{"language": "vi", "text": "Tin sáng", "recording_id": sound}]
    wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Phòng rét", "voices": voices})
    made = await services.bulletins.create(actor, wanted)
    await services.bulletins.submit(actor, made.id, VersionSeen(version=1))
    await services.bulletins.approve(actor, made.id, VersionSeen(version=1))
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/say")
        await page.locator("#recent summary").tap()
        await page.locator("#recent-find").fill("phong ret")
        await page.locator("#recent").get_by_role("button", name="Phòng rét").tap()
        await expect(page.locator("#title")).to_have_value("Phòng rét")
        await expect(page.locator("#preview .sentence")).to_contain_text("20 giây")
        await page.goto("/say")
        await page.get_by_role("button", name="Dùng bản nháp").tap()
        await expect(page.locator("[name=bulletin]")).to_have_value(made.id)
        await page.goto(f"/say?bulletin={made.id}")
        await anybody_can_use(page)
        await page.locator("#otherwise > summary").tap()
        await expect(page.get_by_role("button", name="Thu âm")).to_be_visible()
        await page.locator("#send").tap()
        await page.wait_for_url("**/broadcasts/*")
    [run] = await services.broadcasts.today(actor)
    assert (run.title, run.length_ms) == ("Phòng rét", 20_000)


async def test_a_recording_that_was_chosen_by_mistake_is_taken_out_in_any_language(
    site: Commune, browser: Browser
) -> None:
    services, actor = site.centre.services, site.centre.actor
    await services.areas.change(actor, site.root.id, languages=["vi", "hmn"])
    chosen = [await site.centre.recording(title) for title in ("Đúng", "Nhầm")]
    both = zip(("vi", "hmn"), chosen, strict=True)
    voices = [{"language": language, "text": "Tin", "recording_id": each} for language, each in both]
    wanted = {"area_id": site.root.id, "title": "Phòng rét", "voices": voices}
    made = await services.bulletins.create(actor, BulletinIn.model_validate(wanted))
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto(f"/bulletins/{made.id}/edit")
        for place in ("#recording-hmn", "#recording"):
            await page.locator(place).get_by_role("button", name="Bỏ tệp này").tap()
            await expect(page.locator(place)).to_be_empty()
            assert await page.evaluate("document.activeElement.matches('summary')")
        await page.locator("#recent summary").tap()
        await page.locator("#recent").get_by_role("button", name="Đúng").tap()
        await expect(page.locator("[name=recording]")).to_have_value(chosen[0])
        await anybody_can_use(page)
        await page.fill("#text-hmn", "")
        await page.locator("#bulletin .send .main").tap()
        await page.wait_for_url("**/bulletins/*?done=saved")
    known = await services.bulletins.get(actor, made.id)
    assert [(each.language, each.recording_id) for each in known.voices] == [("vi", chosen[0])]
