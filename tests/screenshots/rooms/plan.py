"""Lịch."""

from playwright.async_api import FilePayload, Page, expect

from tests.screenshots.steps import refused, sent, waiting_for
from tests.screenshots.table import Shot, Stage


async def _ask(page: Page, stage: Stage) -> None:
    """Drag a date of the calendar, which a phone has not."""
    met = page.locator(".ec-event").filter(has=page.locator(".event-title", has_text="Họp dân thôn Đồng"))
    await met.evaluate("(box) => box.scrollIntoView({block: 'center'})")
    box = await met.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 8)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 20, box["y"] + 60, steps=8)
    await page.mouse.up()
    await expect(page.locator("#ask h2")).to_be_visible()


async def _look(page: Page, stage: Stage) -> None:
    await page.get_by_role("button", name="Xem trước").or_(page.get_by_role("button", name="Preview")).first.click()
    await expect(page.locator(".rows, [role=status]").first).to_be_visible()


async def _another(page: Page, stage: Stage) -> None:
    """Choose another programme for one date, and look what that changes."""
    await page.select_option("#instead", label="Họp dân")
    await page.click("#other button[name=look]")
    await expect(page.locator("#other [role=status]")).to_be_visible()


EVENTS = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1@elsewhere
DTSTAMP:20311101T000000Z
SUMMARY:Bản tin sáng thứ Bảy của Ủy ban nhân dân xã
DTSTART:20311129T053000
RRULE:FREQ=WEEKLY;BYDAY=SA
END:VEVENT
BEGIN:VEVENT
UID:2@elsewhere
DTSTAMP:20311101T000000Z
SUMMARY:Họp dân cuối năm
DTSTART:20311203T173500
END:VEVENT
BEGIN:VEVENT
UID:3@elsewhere
DTSTAMP:20311101T000000Z
SUMMARY:Ngày hội đại đoàn kết
DTSTART;VALUE=DATE:20311118
END:VEVENT
END:VCALENDAR
"""


async def _choose(page: Page, stage: Stage) -> None:
    """Choose a calendar file, and look what it becomes."""
    file = FilePayload(name="lich-xa.ics", mimeType="text/calendar", buffer=EVENTS.encode())
    await page.set_input_files("#calendar-file", files=file)
    await expect(page.locator("#calendar-file-chosen")).to_have_text("lich-xa.ics")
    await page.select_option("#programme", label="Họp dân")
    await page.click("#import button[name=look]")
    await expect(page.locator("#events li")).to_have_count(3)


week_waits = waiting_for("/event-calendar.min.js")
copy_nothing = refused("#copy")
no_file = refused("#import")
no_hour = refused("#move", day="ngày mai", hour="sớm")
plan_nothing = refused("#schedule", title="")
finer_wrong = refused("#schedule", late="nhiều", position="1,5", ends="25h")
plan_waits = sent("#schedule", "/schedules/new")
no_days = refused("#calendar-form", title="", days="không phải ngày nào")
days_wait = sent("#calendar-form", "/calendars/new", title="Ngày hội làng", days="30/11/2031")


WEEK = "/schedules?day=2031-11-25"
RETURNED = "/schedules?day=2031-12-20"
SHOTS = (
    Shot("schedules", "schedule", "schedule", scene="week"),
    Shot("feed", "schedules", WEEK, scene="week"),
    Shot("feed", "schedules-month", "/schedules?view=month&day=2031-11-25", scene="week"),
    Shot("feed", "schedules-asked", WEEK, scene="week", state="pending", steps=_ask, whole=False, sizes=("pc",)),
    Shot("feed", "schedules-empty", "/schedules", scene="empty", state="empty"),
    Shot("schedules", "schedules-all", "/schedules/all", scene="week"),
    Shot("schedules", "schedule-what", "/schedules/new", scene="week"),
    Shot("schedules", "schedule-new", "schedule-new", scene="week"),
    Shot("schedules", "schedule-edit", "schedule-edit", scene="week"),
    Shot("schedules", "schedule-move", "schedule-move", scene="week", state="pending"),
    Shot("schedules", "schedule-move-wrong", "schedule-move", scene="week", state="error", steps=no_hour),
    Shot("schedules", "schedule-abroad", "schedule-abroad", scene="province"),
    Shot("schedules", "schedule-of-abroad", "schedule-of-abroad", scene="province"),
    Shot("schedules", "schedule-other", "schedule-other", scene="week", state="pending", steps=_another),
    Shot("schedules", "schedule-finer", "schedule-edit", scene="week", state="error", steps=finer_wrong),
    Shot("feed", "schedules-copy", "/schedules/copy?view=week&day=2031-11-25", scene="week"),
    Shot("importing", "schedules-import", "/schedules/import", scene="week"),
    Shot("importing", "schedules-import-looked", "/schedules/import", scene="week", state="pending", steps=_choose),
    Shot("importing", "schedules-import-wrong", "/schedules/import", scene="week", state="error", steps=no_file),
    Shot("calendars", "calendars", "/calendars", scene="week"),
    Shot("calendars", "calendars-empty", "/calendars", scene="empty", state="empty"),
    Shot("calendars", "calendar", "calendar", scene="week", state="pending", steps=_look),
    Shot("day", "node-day", "node-day", scene="week"),
    Shot("feed", "schedules-coming", WEEK, scene="week", state="loading", steps=week_waits, sizes=("pc",)),
    Shot("feed", "schedules-copy-wrong", "/schedules/copy", scene="week", state="error", steps=copy_nothing),
    Shot("schedules", "schedule-wrong", "schedule-new", scene="week", state="error", steps=plan_nothing),
    Shot("schedules", "schedule-saving", "schedule-new", scene="week", state="loading", steps=plan_waits),
    Shot("calendars", "calendar-new", "/calendars/new", scene="week"),
    Shot("calendars", "calendar-wrong", "/calendars/new", scene="week", state="error", steps=no_days),
    Shot("calendars", "calendar-saving", "/calendars/new", scene="week", state="loading", steps=days_wait),
    Shot("feed", "schedules-operator", WEEK, scene="week", login="operator"),
    Shot("schedules", "schedule-operator", "schedule", scene="week", login="operator"),
    Shot("feed", "schedules-approver", WEEK, scene="week", login="approver"),
    Shot("feed", "schedules-technician", WEEK, scene="week", login="technician"),
    Shot("schedules", "schedule-one-returned", "one-date-returned", scene="answers", state="error", login="operator"),
    Shot("schedules", "schedule-returned", "returned-schedule", scene="answers", state="error", login="operator"),
    Shot("schedules", "schedule-withdrawn", "withdrawn-schedule", scene="answers", state="error", login="operator"),
    Shot("schedules", "schedules-all-answered", "/schedules/all", scene="answers", state="error", login="operator"),
    Shot("feed", "schedules-returned", RETURNED, scene="answers", state="error", login="operator"),
)
