"""The same search in Chromium over the pages of every role, and over forms with their mistakes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.screenshots.steps import PRESS
from tests.web.browser import PC, SMALL, page_of
from tests.web.harness import Commune, commune, first_day
from tests.web.manners.sweeping import NO_SOUND, all_paths, deep_paths, faults_of
from tests.web.manners.test_roles import ROLES
from tests.web.scenes import busy_day, planned_week
from tests.web.scenes.yes import to_confirm

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(400),
]
REFUSED = (*NO_SOUND, *(f"status of {code}" for code in (400, 401, 403, 409, 422)))
SHARED_WITH_NOBODY = "/say?shared=1"
"""Where what a phone shares is opened, by itself: told in words to who may not speak (``test_rights``)."""
FORMS = {
    "/bulletins/new": "#bulletin",
    "/calendars/new": "#calendar-form",
    "/emergencies/new": "#emergency-form",
    "/messages/new": "main form",
    "/nodes": "form[method=post][action='/nodes']",
    "/people": "form[method=post][action='/people']",
    "/places": "form[method=post][action='/areas']",
    "/places/merge": "form[method=post][action='/places/merge']",
    "/programmes": "form[method=post][action='/programmes']",
    "/say": "#say",
    "/schedules/copy": "#copy",
    "/schedules/import": "#import",
    "/settings": "form:has(#old)",
    "/sign-in": "form[method=post][action='/sign-in']",
    "/sign-in/password": "form[method=post][action='/sign-in/password']",
}
"""Forms that are refused when nothing is typed, by their pages; those of the first steps: ``FIRST_STEPS``."""
FIRST_STEPS = ("places", "person", "node")
PLANNED_FORMS = {
    "schedule-new": "#schedule",
    "policy": "form[method=post][action$='/quiet-hours']",
    "recording-cut": "#cut",
}


UNDONE = """(form) => {
  for (const field of form.querySelectorAll("input:not([type]), input[type=text], input[type=password], textarea"))
    field.value = field.name === "quiet" ? "chiều" : "";
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Commune]:
    async with commune(tmp_path_factory.mktemp("pages")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planned(site: Commune) -> dict[str, str]:
    return await planned_week(site)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paths(site: Commune, planned: dict[str, str]) -> list[str]:
    return [*deep_paths(await busy_day(site), planned), await to_confirm(site)]


@pytest.mark.parametrize("role", ROLES)
async def test_every_page_of(role: str, site: Commune, browser: Browser, paths: list[str]) -> None:
    person = await site.centre.somebody(role, role, site.root)
    session, found = await site.centre.session_of(person), []
    expected = (*NO_SOUND, SHARED_WITH_NOBODY)
    async with page_of(browser, site.url, session=session, expected=expected) as page:
        for path in await all_paths(site, paths, person):
            await page.goto(path)
            found += await faults_of(page, f"{role}: {path}", SMALL)
    assert not found, "\n".join(found)


async def test_the_pages_behind_the_others(site: Commune, browser: Browser, paths: list[str]) -> None:
    found = []
    async with page_of(browser, site.url, expected=REFUSED) as page:
        for path in paths:
            await page.goto(path)
            found += await faults_of(page, path, SMALL, PC)
    assert not found, "\n".join(found)


@pytest.mark.timeout(900)
async def test_every_form_with_its_mistakes(site: Commune, browser: Browser, planned: dict[str, str]) -> None:
    found = []
    async with page_of(browser, site.url, expected=REFUSED) as page:
        for path, form in [*FORMS.items(), *((planned[name], form) for name, form in PLANNED_FORMS.items())]:
            await page.goto(path)
            if await page.locator(form).count() == 0:
                found.append(f"{path}: no {form}")
                continue
            found += await _refused(page, path, form)
    assert not found, "\n".join(found)


async def test_the_first_steps_with_their_mistakes(tmp_path: Path, browser: Browser) -> None:
    found = []
    async with first_day(tmp_path) as empty, page_of(browser, empty.url, expected=REFUSED) as page:
        for step in FIRST_STEPS:
            await page.goto("/setup")
            found += await _refused(page, "/setup", f"form[action='/setup/{step}']")
            if step == "places":
                await page.fill("#place-name", "Xã Nga My")
                async with page.expect_navigation():
                    await page.locator("form[action='/setup/places']").evaluate(PRESS)
    assert not found, "\n".join(found)


async def _refused(page: Page, path: str, form: str) -> list[str]:
    """Send a form with nothing typed; no quiet hours are those of the place above, so there a mistake is."""
    await page.locator(form).first.evaluate(UNDONE)
    async with page.expect_navigation() as waited:
        await page.locator(form).first.evaluate(PRESS)
    answer = await waited.value
    assert answer is not None
    status = answer.status
    unrefused = [] if status >= 400 else [f"{path}: answered {status}"]
    return [*unrefused, *await faults_of(page, f"{path} refused", SMALL, PC)]
