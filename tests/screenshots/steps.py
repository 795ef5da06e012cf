"""What is done before a picture: a form that is refused, and an answer that is held back until the picture is taken."""

import asyncio
from contextlib import suppress

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Request, Route

from tests.screenshots.table import Stage, Steps

PRESS = """form => {
  form.closest("details")?.setAttribute("open", "");
  form.noValidate = true;
  const sends = "button:not([type=button], [formmethod])";
  const button = form.querySelector(`${sends}.main`) ?? form.querySelector(sends);
  form.requestSubmit(button);
}"""
"""Sends a form as its main button does, whatever the browser itself would say of its fields."""


def refused(form: str, **typed: str) -> Steps:
    """Send a form with these fields (by their ids), and see what is wrong with it."""

    async def steps(page: Page, stage: Stage) -> None:
        found = page.locator(form).first
        await found.evaluate("each => each.closest('details')?.setAttribute('open', '')")
        for name, value in typed.items():  # whether it is folded or not
            await found.locator(f"#{name}").evaluate("(field, text) => { field.value = text; }", value)
        async with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status >= 400):
            await found.evaluate(PRESS)
        await page.wait_for_load_state()
        await page.wait_for_selector("main .notice, main [role=alert], main .wrong")

    return steps


async def hold_back(page: Page, part: str, method: str = "POST") -> asyncio.Event:
    """Let no answer come to requests with this part in their address; gives what tells that one is waiting."""
    asked = asyncio.Event()

    async def wait(route: Route, request: Request) -> None:
        if request.method != method:
            await route.fallback()
            return
        asked.set()
        with suppress(PlaywrightError):
            await page.wait_for_event("close", timeout=0)
            await route.abort()

    await page.route(lambda address: part in address, wait)
    return asked


def sent(form: str, part: str, **typed: str) -> Steps:
    """Press a form's button, and see what it says until there is an answer: the form itself stays where it is."""

    async def steps(page: Page, stage: Stage) -> None:
        found = page.locator(form).first
        await found.evaluate("each => each.closest('details')?.setAttribute('open', '')")
        for name, value in typed.items():  # whether it is folded or not
            await found.locator(f"#{name}").evaluate("(field, text) => { field.value = text; }", value)
        assert part in await found.evaluate("each => each.action")
        await page.evaluate("addEventListener('submit', (event) => event.preventDefault())")  # after the page's own
        await found.evaluate(PRESS)

    return steps


def waiting_for(part: str) -> Steps:
    """Open the page once more, and see it as long as a part of it has not come."""

    async def steps(page: Page, stage: Stage) -> None:
        asked = await hold_back(page, part, "GET")
        await page.reload(wait_until="commit")
        await asyncio.wait_for(asked.wait(), 10)
        await page.wait_for_load_state("domcontentloaded")

    return steps
