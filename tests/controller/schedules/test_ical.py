"""Schedules as iCalendar files: what goes out comes back, and what others write is read."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

import contextlib
from datetime import UTC, datetime, time

import pytest

from controller.schedules.expand import Change, Series, expand
from controller.schedules.ical import NotACalendarError, Planned, read, write
from controller.schedules.states import DateChange

HANOI = "Asia/Ho_Chi_Minh"
OTHERS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//somebody//EN
BEGIN:VEVENT
UID:1
SUMMARY:Chiều
DTSTART;TZID=Asia/Ho_Chi_Minh:20260310T170000
DTEND;TZID=Asia/Ho_Chi_Minh:20260310T173000
RRULE:FREQ=DAILY;UNTIL=20260314T100000Z
EXDATE:20260311T100000Z
END:VEVENT
BEGIN:VEVENT
UID:1
SUMMARY:Chiều
RECURRENCE-ID;TZID=Asia/Ho_Chi_Minh:20260312T170000
DTSTART;TZID=Asia/Ho_Chi_Minh:20260312T160000
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Cả ngày
DTSTART;VALUE=DATE:20260312
END:VEVENT
END:VCALENDAR
"""
NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)


def planned(**given: object) -> Planned:
    said = {
        "uid": "morning@loa",
        "title": "Chương trình sáng; bản tin, thông báo",
        "zone": HANOI,
        "first": datetime(2026, 3, 10, 5),
        "rule": "FREQ=WEEKLY;BYDAY=MO,TU,WE",
        "last_date": None,
        "ends_at": time(5, 45),
        **given,
    }
    return Planned(**said)  # type: ignore[arg-type]  # by name


def starts(each: Planned) -> list[datetime]:
    series = Series("p", each.zone, each.first, each.rule, each.last_date, each.changes)
    until = datetime(2026, 6, 1, tzinfo=UTC)
    return [date.start_at for date in expand(series, NOW, until) if date.verdict == "aired"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"rule": None},
        {"rule": "FREQ=DAILY;COUNT=20"},
        {"rule": "FREQ=DAILY;UNTIL=20260401T050000"},
        {"rule": "FREQ=MONTHLY;BYMONTHDAY=-1"},
        {"last_date": datetime(2026, 4, 7).date()},
        {"zone": "Europe/Berlin", "rule": "FREQ=DAILY"},
        {
            "changes": {
                datetime(2026, 3, 16, 5): Change(DateChange.CANCELLED),
                datetime(2026, 3, 17, 5): Change(DateChange.MOVED, datetime(2026, 3, 17, 6, 30)),
                datetime(2026, 3, 18, 5): Change(DateChange.KEPT, None, "other"),
            },
            "reasons": {datetime(2026, 3, 17, 5): "Họp chợ"},
        },
    ],
)
def test_what_is_written_is_read_back_with_the_same_dates(given: dict[str, object]) -> None:
    out = planned(**given)
    [found], skipped = read(write([out], stamped_at=NOW), "UTC")
    assert skipped == []
    assert starts(found) == starts(out) != []
    assert (found.uid, found.title, found.zone, found.ends_at) == (out.uid, out.title, out.zone, out.ends_at)
    assert (found.changes, found.reasons) == (out.changes, out.reasons)


def test_a_file_of_another_program_is_read() -> None:
    raw = OTHERS.replace("\n", "\r\n")
    [found], skipped = read(raw.encode(), HANOI)
    assert [f"{each:%d %H}" for each in starts(found)] == ["10 10", "12 09", "13 10", "14 10"]
    assert len(skipped) == 1
    assert skipped[0].said.startswith("Cả ngày: ")
    assert skipped[0].why.fields == {"field": "event", "problem": "whole_day"}


@pytest.mark.parametrize("raw", [b"", b"BEGIN:VEVENT", b"\x00\xff", b"hello", b"BEGIN:VCALENDAR\r\nEND:X\r\n"])
def test_what_is_no_calendar_is_refused_or_empty(raw: bytes) -> None:
    with contextlib.suppress(NotACalendarError):
        assert read(raw, HANOI) == ([], [])
