"""Chromium for tests: Debian's own, one page at a time, and nothing it complains of is overlooked.

Besides: a slow link, a microphone that plays a file, the look of large text, and a count of what a person does.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, async_playwright, expect

from controller.http.middleware import COOKIE
from tests.controller.factories import PASSWORD

_log = logging.getLogger(__name__)
CHROMIUM = "/usr/bin/chromium"
OFF = [
    # Pages of the address line itself, which every new window would load, in a process and for a second of their own.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
    # What Playwright turns off: of two such lists Chromium reads the last.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay"),
    *("HttpsFirstBalancedModeAutoEnable", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled"),
    "PreconnectToSearch",
]
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", f"--disable-features={','.join(OFF)}"),
]
PC: ViewportSize = {"width": 1366, "height": 768}
PHONE: ViewportSize = {"width": 390, "height": 844}
CLOSED_WITHIN_S = 15.0
PATIENCE_MS = 30_000
"""For what a page does and what is expected of it, of which Playwright itself would wait for 5 s."""
NO_WORKER = "Service Worker registration blocked by Playwright"
"""Said on each page: most tests are not about the service worker, and its visits would be counted as theirs."""
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
SERIOUS = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"], preload: false});
  return found.violations.filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => `${each.id}: ${each.nodes.map((node) => node.html + " " + node.failureSummary).join(" | ")}`);
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll("button, .button, nav a, summary, label.choice, select, input")]
  .filter((each) => !["hidden", "radio", "checkbox"].includes(each.type))
  .filter((each) => each.checkVisibility({visibilityProperty: true}))
  .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
  .filter(([, box]) => box.height && Math.round(box.height) < 44)
  .map(([html, box]) => `${html}: ${Math.round(box.height)} px`)"""
UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, button, a")]
  .filter((each) => each.checkVisibility())
  .filter((each) => !(each.labels?.length || each.textContent.trim() || each.getAttribute("aria-label")))
  .map((each) => each.outerHTML)"""


SMALL: ViewportSize = {"width": 360, "height": 780}
"""The narrowest that has to do."""
LOOK_COOKIE = "__Host-loa-look"
"""Of the device: large text."""
KBIT = 1000 / 8
"""Bytes a second."""
COUNT = """() => {
  if (window.__counting) return;
  window.__counting = true;
  const note = (what) => (event) => {
    if (!event.isTrusted || (event.type === "keydown" && event.repeat)) return;
    const counted = JSON.parse(sessionStorage.getItem("__counted") ?? '{"taps": 0, "keys": 0}');
    sessionStorage.setItem("__counted", JSON.stringify({...counted, [what]: counted[what] + 1}));
  };
  addEventListener("pointerdown", note("taps"), {capture: true});
  addEventListener("keydown", note("keys"), {capture: true});
}"""
"""Counts what the browser itself says came from a person's hand; goes on over pages of the same tab."""


@dataclass(frozen=True)
class Link:
    """A connection as bad as a commune's."""

    down: float
    """Bytes a second."""
    up: float
    latency_ms: float


SLOW = Link(400 * KBIT, 200 * KBIT, 400)
"""What the first page has to be usable on within 2 s."""


@dataclass
class Taps:
    """What a person did: touches or clicks, and keys. A system's own dialogue (files, permissions) is not seen."""

    page: Page
    taps: int = 0
    keys: int = 0

    async def read(self) -> "Taps":
        """Count up to now."""
        found = await self.page.evaluate("JSON.parse(sessionStorage.getItem('__counted') ?? '{}')")
        self.taps, self.keys = found.get("taps", 0), found.get("keys", 0)
        return self


@dataclass
class Complaints:
    """What the browser wrote to its console, and scripts that died."""

    said: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of messages that a test provokes on purpose; from a stroke on, of the address that they are about."""

    def note(self, message: ConsoleMessage) -> None:
        expected, about = (*self.expected, NO_WORKER), message.location.get("url", "")
        is_expected = any(part in (about if part.startswith("/") else message.text) for part in expected)
        if message.type in {"error", "warning"} and not is_expected:
            self.said.append(f"{message.type}: {message.text} ({about})")


@asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """Open the browser; ``more``: its arguments, as ``hearing``."""
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_of(
    browser: Browser,
    url: str,
    *,
    expected: tuple[str, ...] = (),
    login: str = "lan",
    password: str = PASSWORD,
    session: str | None = None,
    **given: Any,
) -> AsyncIterator[Page]:
    """Open Hôm nay, signed in, in a browser of its own; any complaint of the browser fails the test.

    ``session``: of somebody who has signed in already, with whatever that took.
    """
    ground = {"viewport": PC, "base_url": url, "service_workers": "block"}
    context: BrowserContext = await browser.new_context(**ground | given)
    complaints = Complaints(expected=expected)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", complaints.note)
    page.on("pageerror", lambda error: complaints.said.append(f"died: {error}"))
    try:
        if session is None:
            answer = await context.request.post("/sign-in", form={"login": login, "password": password})
            assert answer.ok  # it followed to Hôm nay
        else:
            await carry(context, url, session)
        await page.goto("/today")
        yield page
        assert not complaints.said, complaints.said
    finally:
        await close(context)


async def close(context: BrowserContext) -> None:
    """Close what a test opened and has judged.

    Where a page of it is just being led elsewhere, Chromium may never answer: that is not waited for.
    """
    try:
        async with asyncio.timeout(CLOSED_WITHIN_S):
            await context.close()
    except TimeoutError:
        _log.warning("Chromium does not say that it closed %d pages", len(context.pages))


async def carry(context: BrowserContext, url: str, session: str) -> None:
    """Let a browser hold the cookie of a session; its name asks for https, which loopback counts as."""
    where = url.replace("http://", "https://")
    await context.add_cookies([{"name": COOKIE, "value": session, "url": where, "secure": True, "httpOnly": True}])


def hearing(sound: Path) -> Sequence[str]:
    """Give the arguments for a microphone that hears a WAV file, over and over, and that nobody has to allow."""
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}",
    )


async def slow_down(page: Page, link: Link = SLOW, *, caching: bool = False) -> None:
    """Put a page on a slow link, with nothing in its cache; ``caching``: but for what it fetches from now on."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.clearBrowserCache")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": not caching})
    speed = {"offline": False, "latency": link.latency_ms, "downloadThroughput": link.down, "uploadThroughput": link.up}
    await session.send("Network.emulateNetworkConditions", speed)


async def use_look(page: Page, look: Literal["large"] | None) -> None:
    """Choose how large and dark things are on this device; counts from the next page on."""
    await page.context.clear_cookies(name=LOOK_COOKIE)
    if look is not None:
        url = page.url.split("/", 3)
        where = "/".join(url[:3]).replace("http://", "https://")
        await page.context.add_cookies([{"name": LOOK_COOKIE, "value": look, "url": where, "secure": True}])


async def speak(page: Page, locale: str) -> None:
    """Choose the language in the menu of the person; the page comes again in it."""
    if await page.get_attribute("html", "lang") == locale:
        return
    await page.click(".me summary")
    await page.click(f".me button[value={locale}]")
    await page.wait_for_selector(f"html[lang={locale}]")


@asynccontextmanager
async def taps(page: Page) -> AsyncIterator[Taps]:
    """Count what a person does in this block, from the page that is open now on."""
    await page.context.add_init_script(f"({COUNT})()")
    await page.evaluate("sessionStorage.removeItem('__counted')")
    await page.evaluate(COUNT)
    counted = Taps(page)
    yield counted
    await counted.read()
