"""Chờ duyệt, Khẩn cấp, and what lies ready for it."""

from playwright.async_api import Page

from tests.screenshots.steps import refused, sent
from tests.screenshots.table import Shot, Stage


async def return_it(page: Page, stage: Stage) -> None:
    """Open the reasons for which a request is returned."""
    await page.click("#return > summary")


async def choose(page: Page, stage: Stage) -> None:
    """Answer both questions of an emergency."""
    await page.locator(".message input").first.check()
    await page.locator(".tree input").first.check()
    await page.wait_for_selector("#preview .count")


async def alone(page: Page, stage: Stage) -> None:
    """Open the reasons of whoever finds nobody to confirm."""
    await page.click("#break-glass > summary")


async def nothing_chosen(page: Page, stage: Stage) -> None:
    """Send a form that says nothing."""
    await page.evaluate("document.getElementById('emergency-form').submit()")
    await page.wait_for_selector(".notice.care")


async def propose_waits(page: Page, stage: Stage) -> None:
    """Propose it, once both questions are answered."""
    await choose(page, stage)
    await sent("#emergency-form", "/emergencies/new")(page, stage)


return_nothing = refused("#return form.stack")
yes_waits = sent("form[action^='/approvals/']", "/approvals/")
no_words = refused("form[action^='/messages/new']", title="")
words_wait = sent("form[action^='/messages/']", "/messages/")


SHOTS = (
    Shot("approvals", "approvals", "/approvals", scene="week"),
    Shot("approvals", "approvals-empty", "/approvals", scene="empty", state="empty"),
    Shot("approvals", "approvals-return", "/approvals", scene="week", steps=return_it),
    Shot("approvals", "approvals-all", "/approvals/all-requests", scene="week"),
    Shot("approvals", "approvals-all-empty", "/approvals/all-requests", scene="empty", state="empty"),
    Shot("approvals", "approval", "approval", scene="week"),
    Shot("emergencies", "emergencies", "/emergencies", scene="week"),
    Shot("emergencies", "emergencies-empty", "/emergencies", scene="empty", state="empty"),
    Shot("emergencies", "emergency-new", "/emergencies/new", scene="week"),
    Shot("emergencies", "emergency-chosen", "/emergencies/new", scene="week", steps=choose),
    Shot("emergencies", "emergency-wrong", "/emergencies/new", scene="week", state="error", steps=nothing_chosen),
    Shot("emergencies", "emergency", "emergency", scene="week"),
    Shot("emergencies", "emergency-alone", "emergency", scene="week", state="pending", steps=alone),
    Shot("emergencies", "drill", "drill", scene="week", state="pending"),
    Shot("emergencies", "drill-chosen", "/emergencies/new?drill=marked", scene="week", steps=choose),
    Shot("emergencies", "emergency-cut", "emergency-cut", scene="sent", state="error"),
    Shot("emergencies", "emergency-missed", "emergency-missed", scene="sent", state="error"),
    Shot("messages", "messages", "/messages", scene="week"),
    Shot("messages", "messages-empty", "/messages", scene="empty", state="empty"),
    Shot("messages", "message", "message", scene="week"),
    Shot("approvals", "approval-wrong", "approval", scene="week", state="error", steps=return_nothing),
    Shot("approvals", "approval-saying", "approval", scene="week", state="loading", steps=yes_waits),
    Shot("emergencies", "emergency-proposing", "/emergencies/new", scene="week", state="loading", steps=propose_waits),
    Shot("messages", "message-new", "/messages/new", scene="week"),
    Shot("messages", "message-wrong", "/messages/new", scene="week", state="error", steps=no_words),
    Shot("messages", "message-saving", "message", scene="week", state="loading", steps=words_wait),
    Shot("approvals", "approval-meets", "meets", scene="answers", login="approver"),
    Shot("approvals", "approval-withdrawn", "withdrawn-request", scene="answers", login="approver"),
    Shot("approvals", "approvals-all-answered", "/approvals/all-requests", scene="answers", login="approver"),
    Shot("approvals", "approvals-approver", "/approvals", scene="week", login="approver"),
    Shot("approvals", "approval-approver", "approval", scene="week", login="approver"),
    Shot("approvals", "approvals-operator", "/approvals", scene="week", login="operator"),
    Shot("emergencies", "emergency-new-operator", "/emergencies/new", scene="week", login="operator"),
    Shot("emergencies", "emergency-operator", "emergency", scene="week", login="operator"),
    Shot("emergencies", "emergencies-approver", "/emergencies", scene="week", login="approver"),
    Shot("emergencies", "emergency-approver", "emergency", scene="week", login="approver"),
    Shot(
        "emergencies", "emergency-new-technician", "/emergencies/new", scene="week", state="error", login="technician"
    ),
)
