"""A tick stands for what it was put beside: a preview that is made anew never moves it to another box."""

import re

import pytest
from playwright.async_api import Browser, Page

from tests.web.browser import page_of
from tests.web.harness import Commune
from tests.web.manners.test_double_tap import TEMPLATES
from tests.web.pages import module_site
from tests.web.test_emergency_pages import message

site = module_site
PREVIEWS = sorted(path.name for path in TEMPLATES.glob("_*preview.html"))
"""What is put over what stood there, part by part."""
ASKED = """() => document.querySelector("#preview") && [...document.querySelectorAll("#preview [type=checkbox]")]
  .map((each) => [each.name, each.value, each.checked])"""
SHOWS = f"""(boxes) => !document.querySelector("#preview[aria-busy]")
  && JSON.stringify(({ASKED})()) === JSON.stringify(boxes)"""
CHOOSE_OTHER = """(scopes) => scopes.forEach((scope) => document.querySelector(`[value="${scope}"]`).click())"""


@pytest.mark.parametrize("preview", PREVIEWS)
def test_every_box_of_a_preview_is_told_from_others(preview: str) -> None:
    text = (TEMPLATES / preview).read_text("utf-8")
    assert len(re.findall(r'<input type="checkbox"', text)) == len(re.findall(r'<label class="choice" id="tick-', text))


async def renewed(page: Page, act: str, given: object = None, *, boxes: list[list[object]]) -> None:
    """Do something that makes the preview anew, and wait for these boxes.

    The first answer may be to what was asked before: of a choice just made, or by the stream, which opens when it can.
    """
    async with page.expect_response("**/emergencies/preview"):
        await page.evaluate(act, given)
    await page.wait_for_function(SHOWS, arg=boxes)


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_a_tick_for_lifting_one_stop_does_not_move_to_another(site: Commune, browser: Browser) -> None:
    said, near, far = await message(site), site.hamlets["Thôn Trại"].scope, site.hamlets["Thôn Đồng"].scope
    order, actor = site.centre.services.holds.order, site.centre.actor
    [here], [there] = await order(actor, [near]), await order(actor, [far])
    async with page_of(browser, site.url) as page:
        await page.goto("/emergencies/new")
        await page.check(f"[name=message][value='{said.id}']")
        choose, tick = "(scope) => document.querySelector(`[value='${scope}']`).click()", "#preview [name=release]"
        await renewed(page, choose, near, boxes=[["release", here.id, False]])
        await renewed(page, f"() => document.querySelector('{tick}').click()", boxes=[["release", here.id, True]])
        await renewed(page, CHOOSE_OTHER, [near, far], boxes=[["release", there.id, False]])
