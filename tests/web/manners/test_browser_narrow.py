"""What has to fit the narrowest screen, in both languages, whoever looks."""

import pytest
from playwright.async_api import Browser, ViewportSize

from controller.people.rights import Role
from tests.web.browser import SMALL, page_of, speak
from tests.web.harness import Commune
from tests.web.manners.sweeping import LARGER_TEXT, NO_SOUND, OPEN_ALL, WIDER, faults_of
from tests.web.pages import module_site
from tests.web.scenes import busy_day
from tests.web.scenes.registers import kept
from tests.web.scenes.yes import to_confirm

site = module_site
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
CUT = """() => [...document.querySelectorAll(".ways a")]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.innerText, each.getBoundingClientRect()])
  .filter(([, box]) => box.left < 0 || box.right > document.documentElement.clientWidth || box.height < 44)
  .map(([word, box]) => `${word}: from ${Math.round(box.left)} to ${Math.round(box.right)} px`)"""
ONE_LINE = 48
"""Pixels that the row of ways is high, with nothing of it in a second line."""
ZOOMED: ViewportSize = {"width": 683, "height": 384}
IN_LARGE = "() => { document.documentElement.dataset.look = 'large'; }"
"""As the page comes to whoever chose large letters."""
IN_LINES = """() => [...document.querySelectorAll(".doings .button:not(.alert)")].map((each) => {
  const words = document.createRange();
  words.selectNodeContents(each);
  return [each.innerText, new Set([...words.getClientRects()].map((box) => Math.round(box.top / 12))).size,
    Math.round(each.getBoundingClientRect().height), Math.round(each.getBoundingClientRect().top)];
})"""


@pytest.mark.long
@pytest.mark.parametrize("locale", ["vi", "en"])
async def test_a_role_s_day_and_the_ways_from_it_fit_a_narrow_phone(
    site: Commune, browser: Browser, locale: str
) -> None:
    """The row of ways ends with Thêm, none cut off, nor in large letters.

    The great buttons stand beside each other, each in one line.
    """
    await busy_day(site)
    for role in Role:
        who = await site.centre.somebody(f"one.{role}", role, site.root)
        session = await site.centre.session_of(who)
        async with page_of(browser, site.url, session=session, viewport=SMALL) as page:
            await speak(page, locale)
            await page.goto("/today")
            assert await page.evaluate(CUT) == [], role
            assert await page.evaluate("document.querySelector('.ways ul').offsetHeight") <= ONE_LINE, role
            doings = await page.evaluate(IN_LINES)
            assert [each for each in doings if each[1] != 1 or each[2] < 72] == [], role
            assert len({top for *_, top in doings}) == 1, (role, doings)
            await page.evaluate(IN_LARGE)
            for size in (SMALL, ZOOMED):
                await page.set_viewport_size(size)
                assert await page.evaluate(CUT) == [], (role, "large", size)
                assert await page.evaluate(WIDER) == [], (role, "large", size)


async def test_places_are_merged_in_large_letters_too(site: Commune, browser: Browser) -> None:
    paths = ["/places/merge", (await kept(site))["merge"]]
    async with page_of(browser, site.url, viewport=SMALL) as page:
        await speak(page, "en")
        for path in [*paths, f"{paths[1]}&nodes_of={site.hamlets['Thôn Trại'].id}"]:
            await page.goto(path)
            await page.evaluate(OPEN_ALL)
            await page.evaluate(LARGER_TEXT)
            assert await page.evaluate(WIDER) == [], path


@pytest.mark.long
@pytest.mark.parametrize("locale", ["vi", "en"])
async def test_who_says_yes_to_an_emergency_reads_all_of_it_in_any_language_and_size(
    site: Commune, browser: Browser, locale: str
) -> None:
    """Both pages of the second person and the form of the first; unfolded, in large letters, in twice as large."""
    paths = [await to_confirm(site), "/emergencies", "/emergencies/new"]
    found = []
    async with page_of(browser, site.url, viewport=SMALL, expected=NO_SOUND) as page:
        await speak(page, locale)
        for path in paths:
            await page.goto(path)
            found += await faults_of(page, path, SMALL)
            for larger in (IN_LARGE, LARGER_TEXT):
                await page.evaluate(larger)
                found += await page.evaluate(WIDER)
    assert found == []


async def test_help_leaves_all_its_width_to_a_title_of_many_lines(site: Commune, browser: Browser) -> None:
    """Beside a short one it stays."""
    long = "Thông báo của Ủy ban nhân dân xã về việc phun thuốc phòng dịch tại Tổ dân phố số 12, thị trấn Hương Sơn"
    pages = [f"/recordings/{await site.centre.recording(title, area_id=site.root.id)}" for title in ("Họp", long)]
    where = """() => {
      const box = (each) => document.querySelector(each).getBoundingClientRect();
      const [title, help, main] = [box(".top h1"), box(".top .help"), box(".top")];
      return [help.top >= title.bottom, title.width / main.width > 0.95, help.width / main.width < 0.5];
    }"""
    async with page_of(browser, site.url, viewport=SMALL) as page:
        found = []
        for path in pages:
            await page.goto(path)
            found.append(await page.evaluate(where))
            assert await page.evaluate(WIDER) == [], path
        assert found == [[False, False, True], [True, True, True]]
