"""How many wait stands over its word in the menu: said while a page stands open, over no other word, moving none."""

from typing import Literal

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from tests.web.browser import PC, SMALL, page_of, speak, use_look
from tests.web.harness import Commune
from tests.web.pages import module_site
from tests.web.scenes.yes import asked, to_confirm

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
WORDS = """() => [...document.querySelectorAll(".ways a")].filter((each) => each.checkVisibility()).map((each) => {
  const words = document.createRange();
  words.selectNode(each.firstChild);
  const {left, right, top, bottom} = words.getBoundingClientRect();
  return [each.firstChild.textContent.trim(), Math.round(left), Math.round(right), Math.round(top), Math.round(bottom)];
})"""
BADGES = """() => [...document.querySelectorAll(".ways .waits")].filter((one) => one.checkVisibility()).map((each) => {
  const {left, right, top, bottom} = each.getBoundingClientRect(), way = each.closest("a").getBoundingClientRect();
  return [each.dataset.waits, Math.round(left), Math.round(right), left >= way.left && right <= way.right
    && top >= way.top && bottom <= way.bottom && right <= document.documentElement.clientWidth];
})"""


@pytest.mark.parametrize(
    ("locale", "size", "look"),
    [
        ("vi", SMALL, "large"),
        ("en", PC, None),
        *(
            pytest.param(*row, marks=pytest.mark.long)
            for row in [
                *(("vi", SMALL, None), ("vi", PC, None), ("vi", PC, "large")),
                *(("en", SMALL, None), ("en", SMALL, "large"), ("en", PC, "large")),
            ]
        ),
    ],
)
async def test_a_number_comes_over_its_word_while_the_page_stands_open(
    site: Commune, browser: Browser, locale: str, size: ViewportSize, look: Literal["large"] | None
) -> None:
    session = await site.centre.session_of(await site.centre.somebody("nam", "approver", site.root))
    author = await site.centre.somebody("hoa", "operator", site.root)
    async with page_of(browser, site.url, viewport=size, session=session) as page:
        await speak(page, locale)
        await use_look(page, look)
        await page.goto("/history")
        assert await page.evaluate(BADGES) == []
        words = await page.evaluate(WORDS)
        await asked(site, author)
        way = page.locator(".ways a[href='/approvals']")
        await expect(way.locator(".waits [aria-hidden]")).to_have_text("1")
        await to_confirm(site)
        await expect(page.locator(".ways a[href='/emergencies'] .waits [aria-hidden]")).to_have_text("1")
        await expect(way.locator(".waits .unseen")).not_to_be_empty()
        assert await page.evaluate(WORDS) == words, "no word moved"
        found = await page.evaluate(BADGES)
        assert [path for path, *_ in found] == ["/approvals", "/emergencies"]
        assert all(is_within for *_, is_within in found), found
        for path, left, right, _ in found:
            over = [word for word, start, end, *_ in words if left < end and start < right]
            assert len(over) <= 1, (path, over)
        (request,) = await site.centre.services.approvals.list(site.centre.actor)
        await site.centre.services.broadcasts.cancel(site.centre.actor, request.subject.partition("/")[2])
        await expect(way.locator(".waits")).to_be_hidden()
