"""Pages of a bulletin and of a schedule say how it stands while they are open; a yes stays to what was heard."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from controller.approvals.schemas import ReturnIn
from controller.bulletins.schemas import BulletinChange, BulletinIn, VersionSeen
from controller.bulletins.schemas import ReturnIn as SentBack
from controller.schedules.schemas import ExceptionIn
from tests.web.browser import AXE, SERIOUS, SMALL, page_of
from tests.web.harness import Commune
from tests.web.pages import in_need_of_a_yes, module_site

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_bulletin_that_others_change_says_so_and_the_yes_stays_to_what_was_read(
    site: Commune, browser: Browser
) -> None:
    bulletins, actor = site.centre.services.bulletins, site.centre.actor
    wanted = {
        "area_id": site.root.id,
        "title": "Mất nước",
        "voices": [{"language": "vi", "text": "Mất nước lúc 8 giờ"}],
    }
    made = await bulletins.create(actor, BulletinIn.model_validate(wanted))
    sent = await bulletins.submit(actor, made.id, VersionSeen(version=made.version))
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto(f"/bulletins/{made.id}")
        state, older = page.locator("#bulletin-state"), page.get_by_role("link", name="Mở lại trang")
        version = page.locator("form:has([name=act][value=approve]) [name=version]")
        await expect(version).to_have_value(str(sent.version))
        await expect(older).to_have_count(0)
        voices = [{"language": "vi", "text": "Mất điện cả tuần"}]
        changed = BulletinChange.model_validate({"version": sent.version, "title": "Mất điện", "voices": voices})
        await bulletins.change(actor, made.id, changed)
        await expect(older).to_be_visible()
        await expect(version).to_have_value(str(sent.version))
        await expect(page.locator("main")).to_contain_text("Mất nước lúc 8 giờ")
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []
        await older.click()
        await expect(page.locator("main")).to_contain_text("Mất điện cả tuần")
        again = await bulletins.get(actor, made.id)
        await bulletins.submit(actor, made.id, VersionSeen(version=again.version))
        await bulletins.approve(actor, made.id, VersionSeen(version=again.version))
        await expect(state.locator(".sentence")).to_contain_text("Đã duyệt")
        await page.goto("/bulletins?q=mat+dien&sort=title")
        row = page.locator("#bulletins tr", has_text="Mất điện")
        await expect(row).to_contain_text("Đã duyệt")
        await bulletins.return_(actor, made.id, SentBack(version=again.version, reason="Chưa đúng giờ"))
        await expect(row).to_contain_text("Bị trả lại")
        await expect(page.locator("#q")).to_have_value("mat dien")


async def test_a_schedule_says_without_being_opened_anew_what_others_decide(site: Commune, browser: Browser) -> None:
    services, actor = site.centre.services, site.centre.actor
    hoa, wanted = await in_need_of_a_yes(site)
    at = wanted.starts_at_local
    known = await services.schedules.create(hoa, wanted)
    assert known.approval is not None
    async with page_of(browser, site.url, viewport=SMALL, login="hoa") as page:
        await page.goto(f"/schedules/{known.id}?move={at.isoformat()}#move")
        state, dates = page.locator("#schedule-state"), page.locator("#schedule-dates")
        await expect(state).to_contain_text("Chờ duyệt")
        await page.fill("#move [name=hour]", "18:15")
        await services.approvals.return_(actor, known.approval.id, ReturnIn(reason="Trùng giờ họp thôn"))
        await expect(state).to_contain_text("Bị trả lại: Trùng giờ họp thôn")
        await expect(dates).to_contain_text("Bị trả lại")
        again = dates.get_by_role("button", name="Phát như thường")
        await expect(again).to_have_count(0)
        later = at + timedelta(days=1)
        await services.single_dates.except_(actor, known.id, later, ExceptionIn.model_validate({"kind": "cancelled"}))
        await expect(again).to_have_count(1)
        await expect(page.locator("#move [name=hour]")).to_have_value("18:15")
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []
