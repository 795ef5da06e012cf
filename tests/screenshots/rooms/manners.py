"""What every page stands in, first start, help, offline."""

from playwright.async_api import Page

from controller.people import totp
from tests.controller.factories import PASSWORD
from tests.screenshots.steps import refused, sent
from tests.screenshots.table import Shot, Stage


async def name_nothing(page: Page, stage: Stage) -> None:
    """Send the first step without a name."""
    await page.click("form[action='/setup/places'] button.main")
    await page.wait_for_selector("#wrong-name")


async def factor_key(page: Page, stage: Stage) -> None:
    """Ask for the key of a second factor."""
    if await page.locator("#password").count():
        await page.fill("#password", PASSWORD)
    await page.click("form[action='/sign-in/factor'] button.main")
    await page.wait_for_selector("#code")


async def factor_wrong(page: Page, stage: Stage) -> None:
    """Type a code that the telephone does not show."""
    await factor_key(page, stage)
    await page.fill("#code", "000000")
    await page.click("form[action$='/confirmation'] button.main")
    await page.wait_for_selector("main [role=alert]")


async def factor_codes(page: Page, stage: Stage) -> None:
    """Type the code that it shows."""
    await factor_key(page, stage)
    secret = "".join((await page.inner_text("#key")).split())
    await page.fill("#code", totp.code_at(secret, stage.site.centre.clock()))
    await page.click("form[action$='/confirmation'] button.main")
    await page.wait_for_selector("main [role=status]")


name_waits = sent("form[action='/setup/places']", "/setup/places", **{"place-name": "Xã Nga My"})
sign_in_wrong = refused("form[action='/sign-in']", login="khong.co.ai", password="không phải mật khẩu này")
sign_in_empty = refused("form[action='/sign-in']", login="", password="")
sign_in_waits = sent("form[action='/sign-in']", "/sign-in", login="lan", password="không phải mật khẩu này")
password_wrong = refused("form[action='/sign-in/password']", old="sai", new="ngắn", again="ngắn")


SHOTS = (
    Shot("setup", "setup", "/setup", scene="bare", state="empty"),
    Shot("setup", "setup-wrong", "/setup", scene="bare", state="error", steps=name_nothing),
    Shot("setup", "setup-say", "/setup", scene="empty"),
    Shot("help_pages", "help", "/help"),
    Shot("help_pages", "help-topic", "/help/say"),
    Shot("shell", "offline", "/offline"),
    Shot("shell", "offline-unsent", "/offline?unsent=1", state="error"),
    Shot("shell", "past", "/past"),
    Shot("people", "sign-in", "/sign-in"),
    Shot("setup", "setup-naming", "/setup", scene="bare", state="loading", steps=name_waits),
    Shot("setup", "setup-people", "/setup/person", scene="empty"),
    Shot("setup", "setup-node", "/setup/node", scene="empty"),
    Shot("people", "sign-in-wrong", "/sign-in", state="error", steps=sign_in_wrong),
    Shot("people", "sign-in-nothing", "/sign-in", state="error", steps=sign_in_empty),
    Shot("people", "sign-in-waits", "/sign-in", state="loading", steps=sign_in_waits),
    Shot("people", "own-password", "/sign-in/password"),
    Shot("people", "own-password-wrong", "/sign-in/password", state="error", steps=password_wrong),
    Shot("people", "factor", "/sign-in/factor", scene="empty", login="helper"),
    Shot("people", "factor-key", "/sign-in/factor", scene="empty", steps=factor_key, login="helper"),
    Shot("people", "factor-wrong", "/sign-in/factor", scene="empty", state="error", steps=factor_wrong, login="helper"),
    Shot("people", "factor-codes", "/sign-in/factor", scene="empty", steps=factor_codes, login="technician"),
    Shot("help_pages", "help-operator", "/help", login="operator"),
    Shot("frame", "not-found", "/nothing-here", state="error"),
    Shot("frame", "forbidden", "/people", state="error", login="operator"),
)
