"""The pages of planning, approving and emergencies in Chromium: on a phone, by everybody, heard and counted down."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, expect

from controller.broadcasts.schemas import BroadcastIn
from controller.emergencies.schemas import BreakGlassIn, EmergencyIn, MessageIn
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from tests.controller.factories import ADDRESS
from tests.controller.test_services_recordings import settled
from tests.sounds import spoken
from tests.web.browser import AXE, PHONE, SERIOUS, SMALL_TARGETS, UNNAMED, chromium, page_of
from tests.web.harness import Commune, commune, visitor
from tests.web.scenes import planned_week

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

LISTS = [
    *("/schedules", "/programmes", "/bulletins", "/bulletins/new", "/approvals", "/people", "/alarms"),
    *("/emergencies", "/emergencies/new", "/emergencies/new?drill=marked", "/messages"),
]
SOUND_S = 2.0


@pytest_asyncio.fixture(loop_scope="module")
async def site(tmp_path: Path) -> AsyncIterator[Commune]:
    async with commune(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


async def test_every_page_of_the_desk_can_be_used_by_everybody(site: Commune, browser: Browser) -> None:
    """No serious fault that axe knows, every control named and large enough to press, nothing wider than the screen."""
    pages = await planned_week(site)
    async with page_of(browser, site.url, viewport=PHONE) as page:
        for path in [*LISTS, *pages.values()]:
            await page.goto(path)
            await page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
            await page.evaluate(AXE)
            assert await page.evaluate(SERIOUS) == [], path
            assert await page.evaluate(SMALL_TARGETS) == [], path
            assert await page.evaluate(UNNAMED) == [], path
            wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, path


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


async def test_the_scan_of_a_paper_is_put_beside_a_request(site: Commune, browser: Browser) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    recording = await site.centre.recording("Họp", area_id=site.root.id)
    wanted = BroadcastIn.checked(title="Họp", recordings=[recording], targets=[site.root.scope])
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    run = await site.centre.services.broadcasts.create(Actor(hoa.id, ADDRESS), wanted)
    assert run.approval is not None
    async with page_of(browser, site.url) as page:
        await page.goto(f"/approvals/{run.approval.id}")
        scanned = FilePayload(name="a.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7 45/TB-UBND")
        await page.locator("#scan").set_input_files(scanned)
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
        await expect(page.locator("[data-countdown]")).to_have_text("28", timeout=10_000)
        await page.get_by_role("button", name="Hủy, không phát").click()
        await expect(page.locator("#emergency")).to_contain_text("Đã hủy, không phát")
