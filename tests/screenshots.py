"""Takes the pages' pictures anew into docs/screenshots: ``make screenshots``.

The pages, the services and the database are real; what the nodes say is told by ``tests.web.scenes``, so that one
picture can hold all that may happen in a day.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from subprocess import run

from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.web.browser import PHONE, chromium, page_of
from tests.web.harness import Commune, commune
from tests.web.scenes import Day, busy_day, planned_week

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
PC: ViewportSize = {"width": 1280, "height": 800}
SECONDS = 24


def speech_like(folder: Path) -> Path:
    """A recording with the ups and downs of a voice."""
    path = folder / "Thông báo lịch tiêm chủng.mp3"
    sound = f"aevalsrc=0.5*sin(2*PI*220*t)*abs(sin(2*PI*0.31*t)*sin(2*PI*2.3*t)):d={SECONDS}"
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", sound, str(path)]
    run(command, check=True, timeout=60)
    return path


async def settled(page: Page) -> None:
    """Wait until fonts are there and nothing is being fetched."""
    await page.evaluate("document.fonts.ready")
    await expect(page.locator(".htmx-request")).to_have_count(0)


async def write_announcement(page: Page, sound: Path) -> None:
    """Fill in the three steps as an operator does."""
    await page.goto("/say")
    await page.set_input_files("#file", sound)
    await expect(page.locator("#recording .wave")).to_be_visible(timeout=30_000)
    for hamlet in ("Thôn Đồng", "Thôn Trại"):
        await page.get_by_role("checkbox", name=hamlet).check()
    await page.check("input[value=later]")
    await page.fill("#hour", "18:00")
    await expect(page.locator("#preview .sentence")).to_contain_text("18:00")


SHOWN = ("schedule", "approval", "emergency", "drill", "why", "policy")
"""Of the planned week."""


async def keep(page: Page, what: str, size: ViewportSize, locale: str = "vi", *, whole: bool = False) -> None:
    """Take one picture; ``whole``: of all of the page, with STOP where it belongs, which is stuck to the window."""
    await settled(page)
    if whole:
        height = await page.evaluate("document.documentElement.scrollHeight")
        await page.set_viewport_size({"width": size["width"], "height": height})
    name = "phone" if size is PHONE else "pc"
    await page.screenshot(path=FOLDER / f"{what}-{name}-{locale}.png", animations="disabled")
    await page.set_viewport_size(size)


async def speak(page: Page, locale: str) -> None:
    """Choose the language."""
    await page.click(".me summary")
    await page.click(f".me button[value={locale}]")
    await expect(page.locator(f"html[lang={locale}]")).to_be_visible()


async def take(site: Commune, browser: Browser, day: Day, sound: Path, *, size: ViewportSize, locale: str) -> None:
    """Take the pictures of one language on one screen."""
    async with page_of(browser, site.url, viewport=size) as page:
        await speak(page, locale)
        await keep(page, "today", size, locale, whole=True)
        if locale != "vi":  # one page shows how the other language looks
            return
        await write_announcement(page, sound)
        await keep(page, "say", size, whole=True)
        await page.goto(f"/broadcasts/{day.on_air.id}")
        await keep(page, "broadcast", size)
        await page.goto("/today")
        await page.click(".stopbar a")
        await keep(page, "stop", size)


async def take_week(site: Commune, browser: Browser, week: dict[str, str], *, size: ViewportSize) -> None:
    """Take the pictures of a planned week on one screen."""
    async with page_of(browser, site.url, viewport=size) as page:
        await speak(page, "vi")
        for what in SHOWN:
            await page.goto(week[what])
            await keep(page, what, size, whole=True)


async def main() -> None:
    """Take all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        sound = speech_like(Path(folder))
        async with commune(Path(folder)) as site, chromium() as browser:
            day = await busy_day(site)
            for locale in ("vi", "en"):
                for size in (PC, PHONE):
                    await take(site, browser, day, sound, size=size, locale=locale)
            week = await planned_week(site)
            for size in (PC, PHONE):
                await take_week(site, browser, week, size=size)
    sys.stdout.write(f"pictures are in {FOLDER}\n")


if __name__ == "__main__":
    asyncio.run(main())
