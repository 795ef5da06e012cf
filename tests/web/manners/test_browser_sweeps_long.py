"""The same sweep of all pages with axe on a PC too, in English, in the large look, and with text of twice its size."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize

from tests.web.browser import PC, SMALL, page_of, speak, use_look
from tests.web.harness import Commune, commune
from tests.web.manners.sweeping import LARGER_TEXT, NO_SOUND, OPEN_ALL, WIDER, all_paths, faults_of
from tests.web.scenes import busy_day, planned_week

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(400),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Commune]:
    async with commune(tmp_path_factory.mktemp("pages")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paths(site: Commune) -> list[str]:
    day, planned = await busy_day(site), await planned_week(site)
    return list(await all_paths(site, [*day.addresses(), *planned.values()]))


async def test_every_page_on_a_pc(site: Commune, browser: Browser, paths: list[str]) -> None:
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        found = [each for path in paths for each in await swept(page, path, PC)]
    assert not found, "\n".join(found)


async def test_every_page_in_english(site: Commune, browser: Browser, paths: list[str]) -> None:
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        await speak(page, "en")
        found = [each for path in paths for each in await swept(page, path)]
    assert not found, "\n".join(found)


async def test_every_page_in_large_text_and_strong_colours(site: Commune, browser: Browser, paths: list[str]) -> None:
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        await use_look(page, "large")
        await page.goto("/today")
        assert await page.get_attribute("html", "data-look") == "large"
        found = [each for path in paths for each in await swept(page, path)]
    assert not found, "\n".join(found)


async def test_no_page_is_wider_than_a_screen_with_text_of_twice_its_size(
    site: Commune, browser: Browser, paths: list[str]
) -> None:
    found: list[str] = []
    async with page_of(browser, site.url, expected=NO_SOUND) as page:
        for path in paths:
            await page.goto(path)
            await page.evaluate(OPEN_ALL)
            await page.evaluate(LARGER_TEXT)
            for size in (PC, SMALL):
                await page.set_viewport_size(size)
                found += [f"{path} at {size['width']}: {each}" for each in await page.evaluate(WIDER)]
    assert not found, "\n".join(found)


async def swept(page: Page, path: str, *sizes: ViewportSize) -> list[str]:
    """Open a page and name what is wrong with it, on a phone and a PC unless said otherwise."""
    await page.goto(path)
    return await faults_of(page, path, *(sizes or (SMALL, PC)))
