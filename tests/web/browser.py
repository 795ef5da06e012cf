"""Chromium for tests: Debian's own, one page at a time, and nothing it complains of is overlooked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, async_playwright

from tests.controller.factories import PASSWORD

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PC: ViewportSize = {"width": 1366, "height": 768}
PHONE: ViewportSize = {"width": 390, "height": 844}
PATIENCE_MS = 15_000
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
SERIOUS = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
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


@dataclass
class Complaints:
    """What the browser wrote to its console, and scripts that died."""

    said: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """Parts of messages that a test provokes on purpose."""

    def note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(part in message.text for part in self.expected):
            self.said.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_of(
    browser: Browser, url: str, *, expected: tuple[str, ...] = (), password: str = PASSWORD, **given: Any
) -> AsyncIterator[Page]:
    """Open Hôm nay, signed in, in a browser of its own; any complaint of the browser fails the test."""
    context: BrowserContext = await browser.new_context(**{"viewport": PC, "base_url": url} | given)
    complaints = Complaints(expected=expected)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", complaints.note)
    page.on("pageerror", lambda error: complaints.said.append(f"died: {error}"))
    try:
        answer = await context.request.post("/sign-in", form={"login": "lan", "password": password})
        assert answer.ok  # it followed to Hôm nay
        await page.goto("/today")
        yield page
        assert complaints.said == []
    finally:
        await context.close()
