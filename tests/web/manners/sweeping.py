"""What is looked for on every page, whoever made it. Pages are found by the addresses that the application answers.

A page that a new room adds is swept from the day on which it answers.
"""

from collections.abc import Iterable, Mapping, Sequence

from fastapi.routing import APIRoute
from playwright.async_api import Page, Request, ViewportSize
from starlette.routing import BaseRoute

from controller.people.schemas import PersonOut
from tests.web.browser import AXE, SERIOUS, SMALL_TARGETS, UNNAMED
from tests.web.harness import Commune, pages, visitor
from tests.web.scenes import Day

NO_SOUND = ("status of 404",)
"""What the browser says of recordings that a scene has without a file."""
VARIANTS = ("/say?when=later", "/emergencies/new?drill=marked")
"""States of a page that look like another one."""
OPEN_ALL = "() => document.querySelectorAll('main details').forEach((each) => { each.open = true; })"
WIDER = """() => {
  const screen = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= screen) return [];
  const turns = ["auto", "scroll"]; // what stands in there is reached by rolling it
  const rolls = (each) => each && (turns.includes(getComputedStyle(each).overflowX) || rolls(each.parentElement));
  const found = [...document.querySelectorAll("main *, header *, aside *, .strip *")]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > screen + 1)
    .filter((each) => !rolls(each.parentElement))
    .filter((each) => ![...each.children].some((child) => child.getBoundingClientRect().right > screen + 1));
  return [`${document.documentElement.scrollWidth} px`,
    ...found.map((each) => each.outerHTML.slice(0, 99)).slice(0, 3)];
}"""
TWELVE_HOURS = r"""() => document.body.innerText.match(/\b\d{1,2}(:\d\d)?\s?([AaPp]\.?[Mm]\b\.?|SA\b|CH\b)/g) ?? []"""
LOW_MAINS = """() => [...document.querySelectorAll("main button.main, main .button.main, .stopbar button.stop")]
  .filter((each) => each.checkVisibility())
  .map((each) => [each.outerHTML.slice(0, 80), Math.round(each.getBoundingClientRect().height)])
  .filter(([, height]) => height < 72).map(([html, height]) => `${html}: ${height} px`)"""
NOT_CONTRAST = SERIOUS.replace("preload: false", 'preload: false, rules: {"color-contrast": {enabled: false}}')
"""What axe finds besides colours, which cost it most and are the same on every screen."""
LARGER_TEXT = "() => { document.documentElement.style.fontSize = '200%'; }"


def flat(routes: Iterable[BaseRoute]) -> Iterable[BaseRoute]:
    for route in routes:
        yield route
        yield from flat(getattr(getattr(route, "original_router", route), "routes", None) or ())


async def all_paths(site: Commune, more: Iterable[str] = (), who: PersonOut | None = None) -> Sequence[str]:
    """Name every page that needs nothing in its address, ``VARIANTS`` and ``more``; that ``who`` sees, of those."""
    app = pages(site.centre.services)
    routes = [each for each in flat(app.routes) if isinstance(each, APIRoute) and "GET" in (each.methods or ())]
    asked = [each.path for each in routes if "{" not in each.path and not each.path.startswith("/api")]
    found = []
    others = [*VARIANTS, *more]
    async with visitor(site, who=who) as client:
        for path in dict.fromkeys([*asked, *(others if who else [])]):
            answer = await client.get(path)
            if answer.status_code == 200 and '<main id="main"' in answer.text:
                found.append(path)
    return list(dict.fromkeys([*found, *([] if who else others)]))


def strangers(page: Page, site: Commune) -> list[str]:
    """Note each request of a page that leaves our origin."""
    found: list[str] = []

    def noted(asked: Request) -> None:
        if not asked.url.startswith((site.url + "/", "data:", "blob:")):
            found.append(f"{page.url} asks {asked.url}")

    page.context.on("request", noted)
    return found


async def faults_of(page: Page, path: str, *sizes: ViewportSize) -> list[str]:
    """Name what is wrong with the page that is open, all of it unfolded, on screens of these sizes.

    Its colours are looked at on the first of them.
    """
    await page.evaluate(OPEN_ALL)
    await page.evaluate(AXE)  # not as a script element: the page's own policy forbids what is inline
    axe = [SERIOUS, *[NOT_CONTRAST] * (len(sizes) - 1)]
    found: list[str] = []
    for size, ask in zip(sizes, axe, strict=True):
        found += await shape_faults_of(page, path, size)
        found += [f"{path} at {size['width']}: {each}" for each in await page.evaluate(ask)]
    return found


async def shape_faults_of(page: Page, path: str, size: ViewportSize) -> list[str]:
    """Name what is wrong on a screen of this size, besides what axe finds, which takes far longer."""
    await page.set_viewport_size(size)
    looked = [*await page.evaluate(SMALL_TARGETS), *await page.evaluate(UNNAMED)]
    looked += [f"wider: {each}" for each in await page.evaluate(WIDER)]
    looked += [f"not of 24 hours: {each}" for each in await page.evaluate(TWELVE_HOURS)]
    looked += [f"low: {each}" for each in await page.evaluate(LOW_MAINS)]
    return [f"{path} at {size['width']}: {each}" for each in looked]


def deep_paths(day: Day, planned: Mapping[str, str]) -> list[str]:
    """Name the pages behind those of ``planned_week``: what is edited, sent again, ended, asked for help."""
    runs = [path for path in day.addresses() if path.startswith("/broadcasts/")]
    ends = [f"{path}/{end}" for path in runs for end in ("plays", "replay")]
    topics = [f"/help/{each}" for each in ("say", "today", "stop", "emergency")]
    own = [f"{planned['bulletin']}/edit", *topics, "/sign-in/password", "/setup/person", "/setup/node"]
    return [*day.addresses(), *ends, *planned.values(), *own]
