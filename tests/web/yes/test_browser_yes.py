"""Approving and emergencies in Chromium: heard to the end, and counted down."""

import asyncio
import re

import pytest
from playwright.async_api import Browser, FilePayload, Page, Route, ViewportSize, expect

from controller.approvals.papers import MOST_BYTES
from controller.broadcasts.schemas import BroadcastIn
from controller.emergencies.schemas import BreakGlassIn, EmergencyIn, MessageIn
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from tests.controller.factories import ADDRESS
from tests.controller.test_services_recordings import settled
from tests.sounds import spoken
from tests.web.browser import PC, PHONE, SMALL, page_of
from tests.web.harness import Commune, visitor
from tests.web.manners.sweeping import NO_SOUND
from tests.web.pages import module_site, placed

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
SOUND_S = 2.0
NARROW: ViewportSize = {"width": 900, "height": 768}
"""The narrowest at which words stand beside a name."""


async def test_listening_to_the_end_opens_the_yes(site: Commune, browser: Browser) -> None:
    centre, services = site.centre, site.centre.services
    hoa = await centre.somebody("hoa", "operator", site.root)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await services.policies.put(centre.actor, site.root.id, rules)
    async with visitor(site, who=hoa) as client:
        sent = await client.post("/api/v1/recordings?title=H%E1%BB%8Dp&language=vi", content=spoken("mp3", SOUND_S))
    recording = (await settled(centre, sent.json()["id"])).id
    wanted = BroadcastIn.checked(title="Họp", recordings=[recording], targets=[site.root.scope])
    run = await services.broadcasts.create(Actor(hoa.id, ADDRESS), wanted)
    assert run.approval is not None
    async with page_of(browser, site.url) as page:
        await page.goto(f"/approvals/{run.approval.id}")
        yes = page.get_by_role("button", name="DUYỆT CHO PHÁT")
        await expect(yes).to_be_disabled()
        await page.get_by_role("button", name="Nghe").click()
        await expect(page.locator("#decision")).to_contain_text("Đã nghe hết", timeout=20_000)
        await expect(yes).to_be_enabled()
        await yes.click()
        await page.wait_for_url("**/approvals?done=approved")


@pytest.mark.long
async def test_the_scan_of_a_paper_is_put_beside_a_request(site: Commune, browser: Browser) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    recording = await site.centre.recording("Họp", area_id=site.root.id)
    wanted = BroadcastIn.checked(title="Họp", recordings=[recording], targets=[site.root.scope])
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    run = await site.centre.services.broadcasts.create(Actor(hoa.id, ADDRESS), wanted)
    assert run.approval is not None
    seen, asked = asyncio.Event(), 0

    async def ended(route: Route) -> None:
        nonlocal asked
        asked += 1
        await seen.wait()
        await route.fulfill(status=401, json={"error": {"code": "not_signed_in"}})

    async with page_of(browser, site.url, expected=("401", "/scan")) as page:
        await page.goto(f"/approvals/{run.approval.id}")
        await page.click("#paper summary")
        scan, wrong, doing = page.locator("#scan"), page.locator("#scan-wrong"), page.locator("#scan-doing")
        scanned = FilePayload(name="a.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7 45/TB-UBND")
        await page.route("**/scan", ended)
        whole = b"%PDF-" + bytes(MOST_BYTES)
        await scan.set_input_files(FilePayload(name="a.pdf", mimeType="application/pdf", buffer=whole))
        await expect(wrong).to_have_text("Tệp lớn hơn 10 MB. Hãy chụp lại với cỡ nhỏ hơn.")
        assert asked == 0, "what is too large is not sent up a slow link first"
        await scan.set_input_files(scanned)
        await expect(doing).to_contain_text("Đang tải lên…")
        await expect(wrong).to_be_hidden()
        seen.set()
        await expect(wrong).to_have_text("Phiên làm việc đã hết. Hãy đăng nhập lại rồi chọn lại tệp.")
        await expect(doing).to_be_hidden()
        await page.unroute_all(behavior="wait")
        await scan.set_input_files(scanned)
        await expect(page.get_by_role("link", name="Mở bản chụp văn bản")).to_be_visible()


async def test_a_broken_glass_counts_down_before_ones_eyes(site: Commune, browser: Browser) -> None:
    services, actor = site.centre.services, site.centre.actor
    recording = await site.centre.recording("Lũ quét", length_ms=9_000)
    voices = [{"language": "vi", "recording_id": recording}]
    ready = {"area_id": site.root.id, "kind": "alert", "title": "Lũ quét", "voices": voices}
    message = await services.messages.create(actor, MessageIn.model_validate(ready))
    wanted = EmergencyIn.model_validate({"message_id": message.id, "targets": [site.root.scope]})
    proposed = await services.emergencies.propose(actor, wanted)
    await services.emergencies.break_glass(actor, proposed.id, BreakGlassIn(reason="Lũ đang về"))
    async with page_of(browser, site.url, viewport=PHONE) as page:
        await page.goto(f"/emergencies/{proposed.id}")
        await expect(page.locator("[data-countdown]")).to_have_text(re.compile(r"^2[0-8]$"))
        await never_more_than_there_is(page, f"/emergencies/{proposed.id}")
        await page.get_by_role("button", name="Hủy, không phát").click()
        await expect(page.locator("#emergency")).to_contain_text("Đã hủy, không phát")


async def never_more_than_there_is(page: Page, path: str) -> None:
    """Let the page take 8 s to come, and then a look tell of less, and one of more: the centre always says 30."""
    left = page.locator("[data-countdown]")
    await page.add_init_script("const now = performance.now.bind(performance); performance.now = () => now() + 8000;")
    await page.goto(path)
    assert int(await left.inner_text()) <= 22
    tells = 30

    async def tell(route: Route) -> None:
        answer = await route.fetch()
        body = (await answer.text()).replace('data-countdown="30"', f'data-countdown="{tells}"')
        await route.fulfill(response=answer, body=body)

    await page.route("**/emergencies/*/live", tell)
    for tells in (9, 25):
        await page.evaluate("document.getElementById('emergency').dispatchEvent(new CustomEvent('loa:look'))")
        await expect(left).to_have_attribute("data-countdown", str(tells))
        await expect(left).to_have_text(re.compile(r"^[0-9]$"))
    await page.unroute_all(behavior="wait")


@pytest.mark.long
async def test_where_an_emergency_sounds_is_picked_on_a_map_too(site: Commune, browser: Browser) -> None:
    """The map opens when it is asked for; what is pressed there is what the page counts, in the colour of STOP."""
    await placed(site)
    recording = await site.centre.recording("Lũ quét", length_ms=9_000)
    voices = [{"language": "vi", "recording_id": recording}]
    ready = {"area_id": site.root.id, "kind": "alert", "title": "Lũ quét", "voices": voices}
    await site.centre.services.messages.create(site.centre.actor, MessageIn.model_validate(ready))
    async with page_of(browser, site.url, viewport=PHONE) as page:
        await page.goto("/emergencies/new")
        await page.locator(".message").first.click()
        await page.locator("#by-map summary").click()
        hamlet = page.locator("#by-map .area-spot")
        await hamlet.click()
        await expect(page.get_by_role("checkbox", name="Thôn Trại").first).to_be_checked()
        await expect(page.locator("#preview .count")).to_have_text("2 cụm")
        await expect(hamlet).to_have_css("background-color", "rgb(176, 18, 27)")


async def test_what_an_emergency_says_is_read_beside_a_long_name_on_any_screen(site: Commune, browser: Browser) -> None:
    words = "Nước sông dâng cao, bà con Thôn Đồng lên chỗ cao ngay."
    recording = await site.centre.recording(words, area_id=site.root.id)
    ready = {"area_id": site.root.id, "kind": "alert", "title": words}
    voices = [{"language": "vi", "text": words, "recording_id": recording}]
    services, actor = site.centre.services, site.centre.actor
    message = await services.messages.create(actor, MessageIn.model_validate(ready | {"voices": voices}))
    wanted = EmergencyIn.model_validate({"message_id": message.id, "targets": [site.root.scope]})
    made = await services.emergencies.propose(actor, wanted)
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        for size in (PC, NARROW, SMALL):
            await page.set_viewport_size(size)
            await page.goto(f"/emergencies/{made.id}")
            said, whole = [await page.locator(where).bounding_box() for where in (".sounds .words", ".sounds")]
            assert said is not None
            assert whole is not None
            assert said["width"] >= min(whole["width"], 240), size
            assert said["x"] + said["width"] <= whole["x"] + whole["width"] + 1, size
