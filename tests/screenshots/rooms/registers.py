"""Nhật ký, tài khoản, địa bàn, quy định, cảnh báo, cài đặt, bản cập nhật."""

from playwright.async_api import FilePayload, Page

from tests.screenshots.steps import hold_back, refused, sent
from tests.screenshots.table import Shot, Stage


async def filters(page: Page, stage: Stage) -> None:
    """See by what a list is narrowed."""
    await page.click("#filters > summary")


async def nothing_found(page: Page, stage: Stage) -> None:
    """Look for what is not there."""
    await page.fill("#q", "không có từ này")
    await page.click(".search button")
    await page.wait_for_url("**?q=*")


async def wrong_phone(page: Page, stage: Stage) -> None:
    """Save a telephone number that is none."""
    await page.fill("#phone", "hỏi chị Lan")
    await page.click("form:has(#phone) button")
    await page.wait_for_selector("#wrong-phone")


async def new_key(page: Page, stage: Stage) -> None:
    """Make a machine's key, which is shown this once."""
    await page.click("#new-key > summary")
    await page.fill("#name", "Bảng tin")
    await page.click("#new-key button")
    await page.wait_for_selector(".secret")


async def wrong_area(page: Page, stage: Stage) -> None:
    """Add a place whose name is taken."""
    await page.click("#add > summary")
    await page.fill("#add #name", "Thôn Trại")
    await page.click("#add form button")
    await page.wait_for_selector("#wrong-name")


async def looked(page: Page, stage: Stage) -> None:
    """See what merging would change."""
    await page.check("#areas input >> nth=0")
    await page.click("form.stack > p:last-child button")
    await page.wait_for_selector("#would")


async def rollout_looked(page: Page, stage: Stage) -> None:
    """See what a rollout would do."""
    await page.check(f"input[name=target][value='{stage.site.hamlets['Thôn Đồng'].scope}']")
    await page.click("#rollout .send button")
    await page.wait_for_selector("#would")


async def no_files(page: Page, stage: Stage) -> None:
    """Add a release without its files."""
    await page.click("#release button.main")
    await page.wait_for_selector("#bundle-wrong:not([hidden])")


async def release_on_its_way(page: Page, stage: Stage) -> None:
    """Add a release on a link that has not taken it yet."""
    await hold_back(page, "/api/v1/updates")
    bundle = FilePayload(name="loa-0.3.0-arm64.bundle", mimeType="application/x-xz", buffer=b"x" * 1000)
    signed = FilePayload(name="loa-0.3.0-arm64.bundle.release", mimeType="text/plain", buffer=b"a.b.c")
    await page.set_input_files("#bundle", files=bundle)
    await page.set_input_files("#signed", files=signed)
    await page.click("#release button.main")
    await page.wait_for_selector("#release .doing:not([hidden])")


add_nobody = refused("main form[method=post][action='/people']", name="", login="lan")
add_waits = sent("main form[method=post][action='/people']", "/people", name="Chị Mai", login="mai")
rollout_nowhere = refused("#rollout")
rollout_asked = sent("#rollout", "/updates/new")
removal_waits = sent("main form", "/remove")
merge_nothing = refused("form[action='/places/merge']:not([data-once])")
area_waits = sent("main form[method=post][action='/areas']", "/areas", name="Thôn Mới")
no_hours = refused("main form[action$='/quiet-hours']", quiet="mười giờ tối")
rules_wait = sent("main form[action^='/policies/']:not([action$='/quiet-hours'])", "/policies/")
wrong_password = refused("#password form", old="không phải mật khẩu này", new="ngắn", again="ngắn")
phone_waits = sent("form:has(#phone)", "/settings", phone="0912 345 679")


SHOTS = (
    Shot("history", "history", "/history", scene="week"),
    Shot("history", "history-filters", "/history", scene="week", steps=filters),
    Shot("history", "history-nothing", "/history", scene="week", state="empty", steps=nothing_found),
    Shot("history", "history-empty", "/history", scene="empty", state="empty"),
    Shot("activity", "activity", "/activity", scene="week"),
    Shot("accounts", "people", "/people", scene="week", state="long"),
    Shot("accounts", "person", "person", scene="week"),
    Shot("places", "places", "/places", scene="week"),
    Shot("places", "places-error", "/places", scene="week", state="error", steps=wrong_area),
    Shot("places", "place", "place", scene="week"),
    Shot("places", "merge", "merge", scene="week"),
    Shot("removing", "place-remove", "remove", scene="week"),
    Shot("removing", "place-removing", "remove", scene="week", state="loading", steps=removal_waits),
    Shot("removing", "place-in-use", "in-use", scene="week", state="error"),
    Shot("places", "merge-looked", "merge", scene="week", state="pending", steps=looked),
    Shot("policies", "policies", "/policies", scene="week"),
    Shot("policies", "policy", "policy", scene="week"),
    Shot("alarms", "alarms", "/alarms", scene="week"),
    Shot("settings", "settings", "/settings", scene="week"),
    Shot("settings", "settings-error", "/settings", scene="week", state="error", steps=wrong_phone),
    Shot("settings", "settings-password", "/settings", scene="week", state="error", steps=wrong_password),
    Shot("settings", "settings-key", "/settings", scene="week", state="pending", steps=new_key),
    Shot("updates", "updates", "/updates", scene="week"),
    Shot("updates", "updates-empty", "/updates", scene="empty", state="empty"),
    Shot("updates", "update", "rollout", scene="week", state="error"),
    Shot("rollouts", "rollout-new", "/updates/new", scene="week"),
    Shot("rollouts", "rollout-new-empty", "/updates/new", scene="empty", state="empty"),
    Shot("rollouts", "rollout-new-looked", "/updates/new", scene="week", state="pending", steps=rollout_looked),
    Shot("rollouts", "rollout-new-wrong", "/updates/new", scene="week", state="error", steps=rollout_nowhere),
    Shot("rollouts", "rollout-new-looking", "/updates/new", scene="week", state="loading", steps=rollout_asked),
    Shot("releases", "releases", "/updates/releases", scene="week"),
    Shot("releases", "release-new", "/updates/releases/new", scene="week"),
    Shot("releases", "release-new-wrong", "/updates/releases/new", scene="week", state="error", steps=no_files),
    Shot(
        "releases",
        "release-uploading",
        "/updates/releases/new",
        scene="week",
        state="loading",
        steps=release_on_its_way,
    ),
    Shot("accounts", "people-wrong", "/people", scene="week", state="error", steps=add_nobody),
    Shot("accounts", "people-adding", "/people", scene="week", state="loading", steps=add_waits),
    Shot("places", "merge-wrong", "merge", scene="week", state="error", steps=merge_nothing),
    Shot("places", "places-adding", "/places", scene="week", state="loading", steps=area_waits),
    Shot("policies", "policy-wrong", "policy", scene="week", state="error", steps=no_hours),
    Shot("policies", "policy-saving", "policy", scene="week", state="loading", steps=rules_wait),
    Shot("settings", "settings-saving", "/settings", scene="week", state="loading", steps=phone_waits),
    Shot("history", "history-wrong", "/history?result=missed", scene="week", state="error"),
    Shot("activity", "activity-empty", "/activity?q=khong+co+tu+nay", scene="week", state="empty"),
    Shot("alarms", "alarms-empty", "/alarms", scene="empty", state="empty"),
    Shot("history", "history-operator", "/history", scene="week", login="operator"),
    Shot("settings", "settings-operator", "/settings", scene="week", login="operator"),
    Shot("places", "places-operator", "/places", scene="week", login="operator"),
    Shot("history", "history-approver", "/history", scene="week", login="approver"),
    Shot("policies", "policy-approver", "policy", scene="week", login="approver"),
    Shot("updates", "updates-technician", "/updates", scene="week", login="technician"),
    Shot("alarms", "alarms-technician", "/alarms", scene="week", login="technician"),
)
