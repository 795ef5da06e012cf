"""Drafts of two tabs at once, and of what was sent without an answer: each gets its own back, and nobody another's."""

import re

import pytest
from playwright.async_api import Browser, Page, Route, expect

from controller.schedules.schemas import ScheduleChange, ScheduleIn
from tests.controller.factories import PASSWORD
from tests.web.browser import carry, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site, programme
from tests.web.test_emergency_pages import message

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
BROKEN = ("Failed to load resource", "status of")
DRAFTS = "Object.keys(localStorage).filter((key) => key.startsWith('loa:draft:'))"
CHOSEN = """(name) => [...document.querySelectorAll(`[name=${name}]:checked`)].map((each) => each.value)"""
SEND = "form[data-draft=bulletin] button.main:not([type=button])"


async def write(page: Page, title: str) -> None:
    """Write a bulletin, and wait until that is kept."""
    await page.goto("/bulletins/new")
    await page.locator("#title").press_sequentially(title)
    await page.wait_for_function(f"() => {DRAFTS}.some((key) => localStorage.getItem(key).includes('{title}'))")


async def refuse(route: Route) -> None:
    if route.request.method == "POST":
        await route.fulfill(status=502, body="x")
    else:
        await route.continue_()


async def test_what_was_not_taken_comes_back_in_the_tab_where_it_was_written(site: Commune, browser: Browser) -> None:
    """Another tab writes the same kind of thing meanwhile."""
    async with page_of(browser, site.url, expected=BROKEN) as one:
        two = await one.context.new_page()
        await write(one, "Tiêm phòng")
        await one.route("**/bulletins/new", refuse)
        async with one.expect_event("framenavigated"):
            await one.locator(SEND).click()
        await one.wait_for_load_state()
        await write(two, "Cắt điện")
        await one.goto("/bulletins/new")
        await expect(one.locator("#title")).to_have_value("Tiêm phòng")
        await one.get_by_role("button", name="Bỏ bản nháp").click()
        await two.goto("/today")
        await two.goto("/bulletins/new")
        await expect(two.locator(".notice:has([data-of])")).to_contain_text("“Cắt điện”")


async def test_what_is_offered_stays_until_it_is_taken_or_dropped_whatever_is_written_meanwhile(
    site: Commune, browser: Browser
) -> None:
    async with page_of(browser, site.url) as page:
        offers = page.locator(".notice:has([data-of])")
        await write(page, "Tiêm phòng")
        await write(page, "Cắt điện")  # the first is offered there, and not looked at
        await page.goto("/bulletins/new")
        await expect(offers).to_have_count(2)
        await expect(offers.nth(0)).to_contain_text("“Cắt điện”")
        await offers.nth(0).get_by_role("button", name="Bỏ bản nháp").click()
        await expect(offers).to_have_count(1)
        await offers.get_by_role("button", name="Dùng bản nháp").click()
        await expect(page.locator("#title")).to_have_value("Tiêm phòng")
        await page.locator("#title").press_sequentially(" dại")
        await page.wait_for_function(f"() => {DRAFTS}.some((key) => localStorage.getItem(key).includes('dại'))")
        await page.goto("/bulletins/new")
        await expect(offers).to_have_count(1)
        await expect(offers).to_contain_text("“Tiêm phòng dại”")
        await offers.get_by_role("button", name="Bỏ bản nháp").click()
        assert await page.evaluate(DRAFTS) == []


async def test_a_refused_emergency_is_not_filled_in_with_that_of_another_tab(site: Commune, browser: Browser) -> None:
    flood, fire = await message(site), await message(site, title="Cháy rừng")
    async with page_of(browser, site.url, expected=("422",)) as one:
        await one.goto("/emergencies/new")
        await one.check(f"[name=message][value='{flood.id}']")
        two = await one.context.new_page()
        await two.goto("/emergencies/new")

        async def meanwhile(route: Route) -> None:
            await two.check(f"[name=message][value='{fire.id}']")
            await two.check(f"[name=target][value='{site.root.scope}']")
            await route.continue_()

        await one.route("**/emergencies/new", meanwhile)
        await one.evaluate("() => { const b = document.querySelector('[name=propose]'); b.form.requestSubmit(b); }")
        await expect(one.locator("#wrong-targets")).to_be_visible()
        await one.wait_for_load_state()
        assert await one.evaluate(CHOSEN, "message") == [flood.id]
        assert await one.evaluate(CHOSEN, "target") == []


SAVE_THEN_STOP = f"""() => {{
  const left = new Promise((done) => navigation.addEventListener("navigate", done, {{ once: true }}));
  document.querySelector("{SEND}").click();
  left.then(() => setTimeout(() => document.querySelector(".stopbar button.stop").click()));
}}"""


async def test_a_stop_does_not_take_a_draft_along_whose_sending_had_no_answer(site: Commune, browser: Browser) -> None:
    async def never(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()

    async with page_of(browser, site.url) as page:
        await write(page, "Tiêm phòng")
        await page.route("**/bulletins/new", never)
        await page.evaluate(SAVE_THEN_STOP)
        await expect(page).to_have_url(f"{site.url}/stop?done=ordered")
        assert len(await page.evaluate(DRAFTS)) == 1
        await page.goto("/bulletins/new")
        await expect(page.locator(".notice:has([data-of])")).to_contain_text("“Tiêm phòng”. Đã bấm gửi nhưng chưa thấy")
    assert await site.centre.services.bulletins.list(site.centre.actor) == []


async def back_after_sign_in(site: Commune, page: Page) -> None:
    """Let the session end, and the same person sign in; the page that was open comes again."""
    path = page.url.removeprefix(site.url)
    await page.goto("about:blank")  # no look of the page finds it at the same moment, and goes another way
    await carry(page.context, site.url, "x" * 43)
    await page.goto(path)
    await page.wait_for_url(re.compile("ended=1"))
    await page.fill("#login", "lan")
    await page.fill("#password", PASSWORD)
    await page.click("button.main")
    await page.wait_for_url(f"**{path}")


@pytest.mark.parametrize("refused", [False, True])
async def test_only_what_was_changed_comes_back_after_a_sign_in_and_undoes_nothing_of_others(
    site: Commune, browser: Browser, *, refused: bool
) -> None:
    """``refused``: what was typed had come back once already, in an answer in which it stands like what is so."""
    node, services, actor = site.nodes["Cổng chợ Trại"], site.centre.services, site.centre.actor
    await services.nodes.change(actor, node.id, name=node.name, volume_mb=0, trim_mb=0)
    path, send = f"/nodes/{node.id}/settings", "form[data-draft^=node-settings] button"
    async with page_of(browser, site.url, expected=("401", "422")) as page:
        await page.goto(path)
        await page.check("[name=trim][value='300']", force=True)
        if refused:
            await page.fill("#name", "")
            await page.click(send)
            await expect(page.locator("#wrong-name")).to_be_visible()
        await page.fill("#name", "")
        await page.locator("#name").press_sequentially("Cổng chợ mới")
        await page.wait_for_function(f"() => {DRAFTS}.some((key) => localStorage.getItem(key).includes('chợ mới'))")
        await services.nodes.change(actor, node.id, volume_mb=-1200)
        if refused:
            await page.goto(path)  # a page that was sent is not asked for again unasked
            await page.get_by_role("button", name="Dùng bản nháp").click()
        else:
            await back_after_sign_in(site, page)
        await expect(page.locator("#name")).to_have_value("Cổng chợ mới")
        assert await page.evaluate(CHOSEN, "trim") == ["300"]
        assert await page.evaluate(CHOSEN, "volume") == ["-1200"]
        await page.click(send)
        await page.wait_for_url(re.compile(r"\?done="))
        found = await services.nodes.get(actor, node.id)
        assert (found.name, found.volume_mb, found.trim_mb) == ("Cổng chợ mới", -1200, 300)


async def test_days_and_hours_that_others_chose_meanwhile_stay_beside_the_day_that_was_ticked(
    site: Commune, browser: Browser
) -> None:
    """An hour is pressed or typed: it is one thing, and whoever left it alone meant none of it."""
    services, actor = site.centre.services, site.centre.actor
    made = await programme(site)
    wanted = {"title": "Buổi chiều", "programme_id": made.id, "targets": [site.root.scope], "confirm_unusual": True}
    wanted |= {"starts_at_local": "2031-11-26T17:30", "rule": "FREQ=WEEKLY;BYDAY=WE"}
    known = await services.schedules.create(actor, ScheduleIn.checked(**wanted))
    async with page_of(browser, site.url, expected=("401",)) as page:
        await page.goto(f"/schedules/{known.id}/edit")
        await page.check("[name=weekday][value=TH]", force=True)
        await page.wait_for_function(f"() => {DRAFTS}.length === 1")
        wanted |= {"title": "Buổi tối", "starts_at_local": "2031-11-28T05:00", "rule": "FREQ=WEEKLY;BYDAY=WE,FR"}
        await services.schedules.change(actor, known.id, ScheduleChange.checked(**wanted, version=known.version))
        await back_after_sign_in(site, page)
        await expect(page.locator(".notice:has([data-of])")).to_contain_text("được điền lại ở đây")
        assert await page.evaluate(CHOSEN, "weekday") == ["WE", "TH", "FR"]
        assert await page.evaluate(CHOSEN, "hour_usual") == ["05:00"]
        await expect(page.locator("#title")).to_have_value("Buổi tối")
