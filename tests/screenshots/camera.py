"""Takes the pictures of one scene.

The pages, the services and the database are real; what the nodes say is told by ``tests.web.scenes``, so that one
picture can hold all that may happen in a day.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import run

from playwright.async_api import Browser, Page, ViewportSize, expect
from playwright.async_api import Error as PlaywrightError

from tests.screenshots.table import ROLES, SIZES, Scene, Shot, Stage
from tests.web.browser import page_of, speak
from tests.web.harness import Commune, commune, first_day
from tests.web.scenes import busy_day, planned_week
from tests.web.scenes.answers import answered
from tests.web.scenes.offers import offered
from tests.web.scenes.sent import sent

SECONDS = 24
MOST_S = 45
"""For one picture."""
REFUSED = tuple(f"status of {code}" for code in (401, 403, 404, 409, 422))
"""A form that is shown with its mistakes; the sound of recordings that a scene has without a file."""
HELD_BACK = ("ERR_", "htmx", "Failed to fetch", "died: ")
"""Said where an answer was held back until the picture was taken, and then never came."""
FORGET = """async () => {
  localStorage.clear();
  for (const each of await indexedDB.databases()) indexedDB.deleteDatabase(each.name);
}"""
GUIDE_BYTES = 60_000
"""A picture that is committed is not larger."""
GUIDE_HEIGHT = 1200
"""Pixels of a page that the guide shows, from its top: what stands below is told by the text."""


def _ffmpeg(*arguments: str) -> None:
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", *arguments]
    run(command, check=True, timeout=60)


def speech_like(folder: Path) -> Path:
    """Make a recording with the ups and downs of a voice."""
    path = folder / "Thông báo lịch tiêm chủng.mp3"
    sound = f"aevalsrc=0.5*sin(2*PI*220*t)*abs(sin(2*PI*0.31*t)*sin(2*PI*2.3*t)):d={SECONDS}"
    _ffmpeg("-f", "lavfi", "-i", sound, str(path))
    return path


@asynccontextmanager
async def stage_of(scene: Scene, folder: Path, sound: Path) -> AsyncIterator[Stage]:
    """Open a commune and let happen in it what the scene says."""
    async with first_day(folder) if scene == "bare" else commune(folder) as site:
        paths: dict[str, str] = {}
        if scene not in {"bare", "empty"}:
            day = await busy_day(site)
            runs = {"on_air": day.on_air, "failed": day.failed, "coming": day.coming, "heard": day.heard}
            paths |= {name: f"/broadcasts/{each.id}" for name, each in runs.items()}
            paths["failed_replay"] = f"{paths['failed']}/replay"
            paths["lost_node"] = f"/nodes/{day.lost_node}"
        if scene in {"calm", "week"}:
            paths |= await planned_week(site, alarmed=scene == "week")
        if scene == "sent":
            paths |= await sent(site)
        if scene == "province":
            paths |= await offered(site)
        if scene == "answers":
            paths |= await answered(site)
        yield Stage(site, paths, {} if scene == "bare" else await _sessions(site), sound)


async def _sessions(site: Commune) -> dict[str, str]:
    """Let somebody in each role work here, and sign them in."""
    centre = site.centre
    return {
        role: await centre.session_of(await centre.somebody(role, role, site.root, name=name))
        for role, name in ROLES.items()
    }


async def take(stage: Stage, browser: Browser, shots: Sequence[Shot], folder: Path) -> list[str]:
    """Take the pictures, those of one person, size and language in one tab; says which could not be taken, and why."""
    failed: list[str] = []
    wanted = {(shot.login, held(shot), size, locale) for shot in shots for size, locale in shot.each()}
    for login, waits, size, locale in sorted(wanted):
        same = [shot for shot in shots if (shot.login, held(shot)) == (login, waits) and (size, locale) in shot.each()]
        session, expected = stage.sessions.get(login), REFUSED + HELD_BACK if waits else REFUSED
        opened = page_of(browser, stage.site.url, session=session, viewport=SIZES[size], expected=expected)
        try:
            async with opened as page:
                await speak(page, locale)
                failed += await _take_each(page, stage, same, folder, size, locale)
        except (PlaywrightError, AssertionError) as error:  # what the browser complained of in this tab
            failed.append(f"as {login}, {size}, {locale}: {error}")
    return failed


async def _take_each(
    page: Page, stage: Stage, shots: Sequence[Shot], folder: Path, size: str, locale: str
) -> list[str]:
    failed: list[str] = []
    for shot in shots:
        try:
            async with asyncio.timeout(MOST_S):
                await _take(page, stage, shot, folder / shot.file(size, locale))
                await _as_before(page, stage, shot)
        except (PlaywrightError, AssertionError, KeyError, TimeoutError) as error:
            failed.append(f"{shot.file(size, locale)}: {type(error).__name__} {str(error).splitlines()[:1]}")
    return failed


def held(shot: Shot) -> bool:
    """Say whether it shows a page that waits for an answer."""
    return shot.state == "loading"


async def _as_before(page: Page, stage: Stage, shot: Shot) -> None:
    """Take back what was done for one picture: the next one is of the day as it was."""
    if held(shot):
        await page.unroute_all(behavior="ignoreErrors")
        await page.goto("/offline")  # what was held back is given up
    await page.evaluate(FORGET)  # drafts, and what was not sent to its end
    holds, actor = stage.site.centre.services.holds, stage.site.centre.actor
    for hold in await holds.active(actor):
        await holds.release(actor, hold.id)


async def _take(page: Page, stage: Stage, shot: Shot, path: Path) -> None:
    await page.goto(shot.path if shot.path.startswith("/") else stage.paths[shot.path])
    if shot.steps is not None:
        await shot.steps(page, stage)
    await page.evaluate("document.fonts.ready")
    if not held(shot):
        await expect(page.locator(".htmx-request")).to_have_count(0)
    size = page.viewport_size
    assert size is not None
    if shot.whole:  # STOP is stuck to the window: it stands where it belongs when that is as high as the page
        for _ in range(2):  # what is drawn by the height of the window may make the page another one higher
            height = await page.evaluate("document.documentElement.scrollHeight")
            await page.set_viewport_size(ViewportSize(width=size["width"], height=height))
            await page.evaluate("scrollTo(0, 0)")
    await page.screenshot(path=path, animations="disabled")
    await page.set_viewport_size(size)


def keep_small(taken: Path, kept: Path) -> bool:
    """Write a picture for the guide, in few colours; says whether that made it small enough."""
    cut = f"crop=iw:min(ih\\,{GUIDE_HEIGHT}):0:0"
    colours = f"{cut},split[a][b];[a]palettegen=max_colors=64[p];[b][p]paletteuse=dither=none"
    _ffmpeg("-i", str(taken), "-vf", colours, "-pix_fmt", "pal8", str(kept))
    return kept.stat().st_size <= GUIDE_BYTES
