"""The form of an emergency that is left open: what it says of nodes is of now, not of when it was opened."""

import pytest
from playwright.async_api import Browser, expect

from tests.web.browser import PHONE, page_of
from tests.web.harness import Commune
from tests.web.pages import module_site
from tests.web.test_emergency_pages import message

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_node_that_is_lost_or_held_meanwhile_is_told_before_it_is_proposed(
    site: Commune, browser: Browser
) -> None:
    said = await message(site)
    services, node = site.centre.services, site.nodes["Đầu làng Trại"]
    async with page_of(browser, site.url, viewport=PHONE, has_touch=True) as page:
        await page.goto("/emergencies/new")
        await page.check(f"[name=message][value='{said.id}']")
        await page.check(f"[name=target][value='{site.root.scope}']")
        preview = page.locator("#preview")
        await expect(preview.locator(".count")).to_have_text("4 cụm")
        await expect(preview).not_to_contain_text(node.name)
        services.live.note(node.id, presence="lost", presence_at=site.centre.clock())
        [hold] = await services.holds.order(site.centre.actor, [site.hamlets["Thôn Đồng"].scope])  # the page is told
        await expect(preview.locator(".mark", has_text=node.name)).to_be_visible()
        lift = preview.locator(f"[name=release][value='{hold.id}']")
        await lift.check()
        await expect(page.locator(".htmx-request")).to_have_count(0)
        await preview.evaluate("part => part.dispatchEvent(new CustomEvent('loa:look'))")
        await expect(page.locator(".htmx-request")).to_have_count(0)
        await expect(lift).to_be_checked()
