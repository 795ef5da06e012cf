"""Phát ngay."""

import re
from asyncio import wait_for

from playwright.async_api import Page, expect

from tests.screenshots.steps import hold_back
from tests.screenshots.table import Shot, Stage


async def announce(page: Page, stage: Stage) -> None:
    """Fill in the three steps as an operator does."""
    await page.set_input_files("#file", stage.sound)
    await expect(page.locator("#recording .wave")).to_be_visible(timeout=30_000)
    await page.locator(".whom .chip.other").click()
    for hamlet in ("Thôn Đồng", "Thôn Trại"):
        await page.get_by_role("checkbox", name=hamlet).check()
    await page.check("input[value=later]")
    await page.fill("#hour", "18:00")
    await expect(page.locator("#preview .sentence")).to_contain_text(re.compile(r"\b3\b"))  # nodes, whoever looks


async def type_it(page: Page, stage: Stage) -> None:
    """Let a machine read what was typed."""
    await page.locator("#typed summary").click()
    await page.fill("#text", "Mời bà con họp lúc 19h30 ngày 24/11 tại UBND xã.")
    await expect(page.locator("#reading p")).to_be_visible()
    await page.click("#speak")
    await expect(page.locator("#recording .wave")).to_be_visible(timeout=30_000)
    await expect(page.locator("#preview .sentence")).to_be_visible()


async def pick(page: Page, stage: Stage) -> None:
    """Choose a node and a place on the map."""
    await page.locator(".whom .chip.other").click()
    await page.click("#by-map summary")
    await page.locator("#by-map [title^='Cổng chợ Trại']").click()
    await expect(page.locator("#by-map .chosen")).not_to_have_count(0)


async def refuse(page: Page, stage: Stage) -> None:
    """Send nothing, in another place."""
    await page.locator(".whom .chip.other").click()
    await page.click("#send")
    await expect(page.locator("#problems")).to_be_visible()


async def uploading(page: Page, stage: Stage) -> None:
    """Choose a file on a link that takes none of it."""
    await hold_back(page, "/api/v1/uploads/", "PATCH")
    await page.set_input_files("#file", stage.sound)
    await expect(page.locator("#upload .doing")).to_be_visible()


async def previewing(page: Page, stage: Stage) -> None:
    """Choose places, and wait for the sentence that says what will happen."""
    asked = await hold_back(page, "/say/preview")
    await page.locator(".whom .chip.other").click()
    await page.get_by_role("checkbox", name="Thôn Đồng").check()
    await wait_for(asked.wait(), 10)


async def speaking(page: Page, stage: Stage) -> None:
    """Type, and wait for the machine's voice."""
    await page.locator("#typed summary").click()
    await page.fill("#text", "Mời bà con họp lúc 19h30 ngày 24/11 tại UBND xã.")
    await expect(page.locator("#reading p")).to_be_visible()
    asked = await hold_back(page, "/say/speech")
    await page.click("#speak")
    await wait_for(asked.wait(), 10)


SHOTS = (
    Shot("say", "say", "/say", steps=announce),
    Shot("say", "say-empty", "/say", state="empty"),
    Shot("say", "say-typed", "/say", steps=type_it),
    Shot("say", "say-map", "/say", scene="week", steps=pick),
    Shot("say", "say-wrong", "/say", state="error", steps=refuse),
    Shot("say", "say-uploading", "/say", state="loading", steps=uploading),
    Shot("say", "say-previewing", "/say", state="loading", steps=previewing),
    Shot("say", "say-speaking", "/say", state="loading", steps=speaking),
    Shot("say", "say-operator", "/say", scene="week", login="operator"),
    Shot("say", "say-approver", "/say", scene="week", login="approver"),
    Shot("say", "say-technician", "/say", scene="week", state="error", login="technician"),
)
