"""Lists that stand open say what others do meanwhile; what is typed stays, and the keyboard stays at its row."""

import pytest
from playwright.async_api import Browser, expect

from controller.approvals.schemas import ReturnIn
from controller.programmes.schemas import ProgrammeChange
from tests.controller.factories import PASSWORD
from tests.web.browser import AXE, SERIOUS, SMALL, page_of
from tests.web.harness import Commune
from tests.web.pages import in_need_of_a_yes, module_site, programme

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
HREF = "document.activeElement.getAttribute('href')"


async def test_a_programme_comes_in_above_the_one_at_which_the_keyboard_stands(site: Commune, browser: Browser) -> None:
    programmes, actor = site.centre.services.programmes, site.centre.actor
    first = await programme(site)
    site.centre.clock.step(minutes=1)
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto("/programmes?q=chuong+trinh")
        rows = page.locator("#programmes tbody tr")
        await expect(rows).to_have_count(1)
        await page.fill("#title", "Chương trình tối")
        await rows.get_by_role("link").focus()
        second = await programme(site)
        await expect(rows).to_have_count(2)
        await expect(rows.first.get_by_role("link")).to_have_attribute("href", f"/programmes/{second.id}")
        assert await page.evaluate(HREF) == f"/programmes/{first.id}"
        site.centre.clock.step(minutes=1)
        renamed = ProgrammeChange(version=first.version, title="Chương trình sáng")
        await programmes.change(actor, first.id, renamed)
        await expect(rows.first).to_contain_text("Chương trình sáng")
        assert await page.evaluate(HREF) == f"/programmes/{first.id}", "it went up, and the keyboard with it"
        await expect(page.locator("#title")).to_have_value("Chương trình tối")
        await expect(page.locator("#q")).to_have_value("chuong trinh")
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []


async def test_schedules_and_requests_say_what_a_leader_decides(site: Commune, browser: Browser) -> None:
    services, actor = site.centre.services, site.centre.actor
    hoa, wanted = await in_need_of_a_yes(site)
    async with (
        page_of(browser, site.url, viewport=SMALL, login="hoa") as plans,
        page_of(browser, site.url, viewport=SMALL, login="hoa") as asked,
    ):
        await plans.goto("/schedules/all?sort=-next")
        await asked.goto("/approvals/all-requests?state=returned")
        plan, request = plans.locator("#all-schedules tbody tr"), asked.locator("#all-requests tbody tr")
        await expect(plans.locator("#all-schedules .empty")).to_be_visible()
        known = await services.schedules.create(hoa, wanted)
        assert known.approval is not None
        await expect(plan).to_contain_text("Chờ duyệt")
        await expect(request).to_have_count(0)
        await plan.get_by_role("link").focus()
        await services.approvals.return_(actor, known.approval.id, ReturnIn(reason="Trùng giờ họp thôn"))
        await expect(plan).to_contain_text("Bị trả lại")
        await expect(request).to_contain_text("Trùng giờ họp thôn")
        assert await plans.evaluate(HREF) == f"/schedules/{known.id}"
        for page in (plans, asked):
            await page.evaluate(AXE)
            assert await page.evaluate(SERIOUS) == []


async def test_the_history_takes_in_what_begins_and_what_became_of_it(site: Commune, browser: Browser) -> None:
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await page.goto("/history?q=mat+nuoc")
        rows = page.locator("#history tbody tr")
        await expect(rows).to_have_count(0)
        run = await site.broadcast("Mất nước", start_at=site.centre.clock(), confirm_unusual=True)
        await expect(rows).to_contain_text("Mất nước")
        site.centre.clock.step(minutes=10)
        await site.played(run, *site.nodes)
        await expect(rows).to_contain_text("4/4")
        site.centre.clock.step(minutes=1)
        await site.broadcast("Mất nước lần hai", start_at=site.centre.clock(), confirm_unusual=True)
        await expect(rows).to_have_count(2)
        await expect(rows.first).to_contain_text("Mất nước lần hai")
        await expect(page.locator("#q")).to_have_value("mat nuoc")
        await page.evaluate(AXE)
        assert await page.evaluate(SERIOUS) == []


async def test_an_account_comes_in_and_who_did_it_stands_in_the_log(site: Commune, browser: Browser) -> None:
    services, actor = site.centre.services, site.centre.actor
    known = await site.centre.somebody("nam", "approver", site.root)
    async with page_of(browser, site.url, viewport=SMALL) as people, page_of(browser, site.url, viewport=SMALL) as log:
        await people.goto("/people?sort=login")
        await log.goto("/activity?kind=people")
        rows, deeds = people.locator("#people tbody tr"), log.locator("#activity tbody tr")
        await expect(rows).to_have_count(2)
        await people.locator("#add > summary").click()
        await people.fill("#login", "dung")
        await rows.locator(f"a[href='/people/{known.id}']").focus()
        await log.fill("#q", "nam")
        made = await services.people.add(
            actor, login="hoa", name="Lê Thị Hòa", password=PASSWORD, role="operator", area_id=site.root.id
        )
        await expect(rows.first.get_by_role("link")).to_have_attribute("href", f"/people/{made.id}")
        await expect(deeds.first).to_contain_text("hoa")
        assert await people.evaluate(HREF) == f"/people/{known.id}", "and the keyboard at its row"
        await expect(people.locator("#login")).to_have_value("dung")
        await expect(log.locator("#q")).to_have_value("nam")
        for page in (people, log):
            await page.evaluate(AXE)
            assert await page.evaluate(SERIOUS) == []
