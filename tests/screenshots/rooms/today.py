"""Hôm nay, a broadcast, STOP, and why."""

from playwright.async_api import Page, expect

from tests.screenshots.steps import sent
from tests.screenshots.table import Shot, Stage


async def open_stop(page: Page, stage: Stage) -> None:
    """Look at where silence can be ordered."""
    await page.click(".stopbar a")


async def unfold_whys(page: Page, stage: Stage) -> None:
    """See in place where something did not sound."""
    for each in await page.locator(".whys > summary").all():
        await each.click()
    await page.locator(".asks summary").first.click()
    await expect(page.locator(".asks .mark").first).to_be_visible()


async def stop_everything(page: Page, stage: Stage) -> None:
    """Press STOP: who has not answered is named."""
    await page.click(".stopbar button")
    await page.wait_for_url("**/stop?done=ordered")


async def all_nodes(page: Page, stage: Stage) -> None:
    """See all nodes of a broadcast as a list."""
    await page.click("#broadcast > p a[href$='/plays']")


async def another_hour(page: Page, stage: Stage) -> None:
    """Change when and where it is heard: what is otherwise stands before the button."""
    await page.click("a[href$='/edit']")
    await page.fill("#hour", "19:30")
    await page.locator("input[name='target']:checked").first.uncheck()
    await expect(page.locator("#preview")).to_contain_text("19:30")
    await expect(page.locator("#preview")).not_to_contain_text("Thôn Đồng,")


async def no_hour(page: Page, stage: Stage) -> None:
    """Save a change without an hour."""
    await page.click("a[href$='/edit']")
    await page.fill("#hour", "")
    await page.click("#send")
    await expect(page.locator("#wrong-hour")).to_be_visible()


async def unfold_strip(page: Page, stage: Stage) -> None:
    """See all that needs a person."""
    await page.click("#problems > summary")


stop_waits = sent("form[action='/holds']", "/holds")
undo_waits = sent("form[action$='/cancel']", "/cancel")
replay_waits = sent("form[action$='/replay']", "/replay")


SHOTS = (
    Shot("today", "today", "/today"),
    Shot("today", "today-empty", "/today", scene="empty", state="empty"),
    Shot("today", "today-why", "/today", state="error", steps=unfold_whys),
    Shot("today", "today-doubtful", "/today", scene="sent", state="error"),
    Shot("broadcasts", "broadcast", "on_air"),
    Shot("broadcasts", "broadcast-coming", "coming"),
    Shot("broadcasts", "broadcast-nodes", "failed", steps=all_nodes),
    Shot("broadcasts", "broadcast-failed", "failed", state="error"),
    Shot("broadcasts", "broadcast-changing", "coming", steps=another_hour),
    Shot("broadcasts", "broadcast-changing-wrong", "coming", state="error", steps=no_hour),
    Shot("holds", "stop", "/today", steps=open_stop, whole=False),
    Shot("holds", "stop-pending", "/today", state="pending", steps=stop_everything),
    Shot("broadcasts", "why", "why", scene="week"),
    Shot("holds", "stop-waits", "/today", state="loading", steps=stop_waits, whole=False),
    Shot("broadcasts", "broadcast-cancelling", "coming", state="loading", steps=undo_waits),
    Shot("broadcasts", "replay", "failed_replay"),
    Shot("broadcasts", "replaying", "failed_replay", state="loading", steps=replay_waits),
    Shot("today", "today-operator", "/today", scene="week", login="operator"),
    Shot("today", "today-approver", "/today", scene="week", login="approver"),
    Shot("today", "today-technician", "/today", scene="week", login="technician"),
    Shot("today", "today-helper", "/today", scene="week", login="helper"),
    Shot("broadcasts", "broadcast-operator", "on_air", scene="week", login="operator"),
    Shot("broadcasts", "broadcast-technician", "failed", scene="week", login="technician"),
    Shot("holds", "stop-operator", "/stop", scene="week", login="operator"),
    Shot("today", "today-returned", "/today", scene="answers", state="error", steps=unfold_strip, login="operator"),
    Shot("broadcasts", "broadcast-taken-out", "taken-out", scene="answers", state="error", login="operator"),
)
