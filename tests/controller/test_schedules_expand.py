"""Dates of a schedule: RFC 5545 in wall-clock time, exceptions, calendars, and the clock's own traps."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import InvalidError
from controller.schedules.days import dates_between, read_days
from controller.schedules.expand import Change, DayRule, Days, Occurrence, Series, Verdict, check_rule, expand
from controller.schedules.states import DateChange

HANOI = "Asia/Ho_Chi_Minh"
BERLIN = "Europe/Berlin"
MOURNING = DayRule("Quốc tang", calendar_id="mourning")
FEAST = DayRule("Ngày hội", "feast", "feast")


def series(
    first: str, rule: str | None = "FREQ=DAILY", zone: str = HANOI, *, last: date | None = None, **changes: Change
) -> Series:
    by_date = {datetime.fromisoformat(key.removeprefix("on_").replace("_", "-")): each for key, each in changes.items()}
    times = {key + (datetime.fromisoformat(first) - _midnight(first)): each for key, each in by_date.items()}
    return Series("morning", zone, datetime.fromisoformat(first), rule, last, times)


def _midnight(first: str) -> datetime:
    return datetime.fromisoformat(first[:10])


def between(found: Series, from_day: str, until_day: str, days: Days | None = None) -> list[Occurrence]:
    from_at = datetime.fromisoformat(from_day).replace(tzinfo=UTC)
    return list(expand(found, from_at, datetime.fromisoformat(until_day).replace(tzinfo=UTC), days))


def starts(found: list[Occurrence]) -> list[str]:
    return [each.start_at.strftime("%Y-%m-%d %H:%M") for each in found]


def test_five_in_the_morning_is_ten_in_the_evening_before_in_utc() -> None:
    found = between(series("2026-11-23T05:00:00"), "2026-11-22", "2026-11-24")

    assert starts(found) == ["2026-11-22 22:00", "2026-11-23 22:00"]
    assert found[0].local == datetime(2026, 11, 23, 5)


def test_what_airs_once_airs_on_its_date_and_no_other() -> None:
    found = between(series("2026-11-23T17:00:00", None), "2026-01-01", "2028-01-01")

    assert [each.local for each in found] == [datetime(2026, 11, 23, 17)]


def test_the_last_date_is_aired_and_the_one_after_it_is_not() -> None:
    found = between(series("2026-11-23T05:00:00", last=date(2026, 11, 25)), "2026-11-01", "2026-12-31")

    assert [each.local.day for each in found] == [23, 24, 25]


def test_the_last_day_of_each_month_is_found_in_leap_years_too() -> None:
    found = between(series("2028-01-31T05:00:00", "FREQ=MONTHLY;BYMONTHDAY=-1"), "2028-01-01", "2028-04-15")

    assert [each.local.date() for each in found] == [date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31)]


def test_the_29th_of_february_comes_every_fourth_year() -> None:
    found = between(series("2024-02-29T05:00:00", "FREQ=YEARLY"), "2024-01-01", "2033-01-01")

    assert [each.local.year for each in found] == [2024, 2028, 2032]


def test_the_third_thursday_is_the_third_thursday() -> None:
    found = between(series("2026-11-19T17:00:00", "FREQ=MONTHLY;BYDAY=3TH"), "2026-11-01", "2027-02-01")

    assert [each.local.date() for each in found] == [date(2026, 11, 19), date(2026, 12, 17), date(2027, 1, 21)]


def test_a_time_that_the_clocks_leave_out_comes_after_the_gap_and_the_next_day_is_on_time() -> None:
    found = between(series("2026-03-28T02:30:00", zone=BERLIN), "2026-03-27", "2026-03-31")

    assert starts(found) == ["2026-03-28 01:30", "2026-03-29 01:30", "2026-03-30 00:30"]


def test_a_time_that_comes_twice_is_aired_once_at_the_first() -> None:
    found = between(series("2026-10-24T02:30:00", zone=BERLIN), "2026-10-23", "2026-10-26")

    assert starts(found) == ["2026-10-24 00:30", "2026-10-25 00:30"]


def test_midnight_belongs_to_the_day_that_begins() -> None:
    found = between(series("2026-12-31T00:00:00"), "2026-12-30", "2027-01-02")

    assert [each.local for each in found] == [
        datetime(2026, 12, 31),
        datetime(2027, 1, 1),
        datetime(2027, 1, 2),
    ]


def test_a_cancelled_date_is_shown_as_cancelled() -> None:
    found = between(
        series("2026-11-23T05:00:00", on_2026_11_24=Change(DateChange.CANCELLED)), "2026-11-22", "2026-11-25"
    )

    assert [each.verdict for each in found] == [Verdict.AIRED, Verdict.CANCELLED, Verdict.AIRED]


def test_a_date_moved_to_another_day_leaves_its_own_and_keeps_its_name() -> None:
    moved = Change(DateChange.MOVED, datetime(2026, 11, 29, 6, 15))
    found = between(series("2026-11-23T05:00:00", "FREQ=WEEKLY", on_2026_11_30=moved), "2026-11-22", "2026-12-10")

    assert [each.local for each in found] == [
        datetime(2026, 11, 23, 5),
        datetime(2026, 11, 29, 6, 15),
        datetime(2026, 12, 7, 5),
    ]
    assert found[1].recurrence == datetime(2026, 11, 30, 5)


def test_a_date_moved_far_away_is_found_where_it_went() -> None:
    moved = Change(DateChange.MOVED, datetime(2027, 3, 1, 6))
    found = between(series("2026-11-23T05:00:00", on_2026_11_24=moved), "2027-02-28T22:30", "2027-03-01T12:00")

    assert datetime(2027, 3, 1, 6) in [each.local for each in found]


def test_an_exception_of_a_date_that_the_rule_no_longer_gives_airs_nothing() -> None:
    moved = Change(DateChange.MOVED, datetime(2026, 11, 25, 6))
    found = between(series("2026-11-23T05:00:00", "FREQ=WEEKLY", on_2026_11_24=moved), "2026-11-22", "2026-11-29")

    assert [each.local for each in found] == [datetime(2026, 11, 23, 5)]


def test_a_mourning_day_suspends_and_names_its_calendar() -> None:
    days = {date(2026, 11, 24): [MOURNING]}
    found = between(series("2026-11-23T05:00:00"), "2026-11-22", "2026-11-25", days)

    assert [(each.verdict, each.because) for each in found] == [
        (Verdict.AIRED, ""),
        (Verdict.SUSPENDED, "Quốc tang"),
        (Verdict.AIRED, ""),
    ]


def test_a_calendar_may_air_another_programme_instead() -> None:
    days = {date(2026, 11, 24): [FEAST]}
    found = between(series("2026-11-23T05:00:00"), "2026-11-22", "2026-11-25", days)

    assert [each.programme_id for each in found] == ["morning", "feast", "morning"]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (Change(DateChange.MOVED, datetime(2026, 11, 24, 6)), Verdict.SUSPENDED),
        (Change(DateChange.MOVED, datetime(2026, 11, 25, 6)), Verdict.AIRED),
        (Change(DateChange.KEPT, None, "other"), Verdict.SUSPENDED),
        (Change(DateChange.KEPT), Verdict.SUSPENDED),
        (Change(DateChange.KEPT, in_spite_of=frozenset({"flood"})), Verdict.SUSPENDED),
        (Change(DateChange.KEPT, None, "other", frozenset({"mourning"})), Verdict.AIRED),
        (Change(DateChange.CANCELLED), Verdict.CANCELLED),
    ],
)
def test_mourning_silences_what_was_changed_by_hand_unless_it_is_kept_against_that_very_calendar(
    change: Change, verdict: Verdict
) -> None:
    days = {date(2026, 11, 24): [MOURNING, FEAST]}
    found = between(series("2026-11-24T05:00:00", None, on_2026_11_24=change), "2026-11-22", "2026-11-27", days)

    assert [(each.verdict, each.because) for each in found] == [
        (verdict, "Quốc tang" if verdict is Verdict.SUSPENDED else "")
    ]


def test_two_calendars_silence_a_day_until_both_are_passed_over() -> None:
    days = {date(2026, 11, 24): [MOURNING, DayRule("Bão", calendar_id="flood")]}
    kept = Change(DateChange.KEPT, in_spite_of=frozenset({"mourning"}))
    [found] = between(series("2026-11-24T05:00:00", None, on_2026_11_24=kept), "2026-11-22", "2026-11-27", days)

    assert (found.verdict, found.because) == (Verdict.SUSPENDED, "Bão")


def test_what_a_person_changed_goes_before_what_a_calendar_airs_instead() -> None:
    days = {date(2026, 11, 24): [FEAST]}
    moved = Change(DateChange.MOVED, datetime(2026, 11, 24, 6))
    [found] = between(series("2026-11-23T05:00:00", None, on_2026_11_23=moved), "2026-11-22", "2026-11-25", days)

    assert (found.verdict, found.programme_id, found.because) == (Verdict.AIRED, "morning", "")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("FREQ=HOURLY", "too_often"),
        ("FREQ=MINUTELY", "too_often"),
        ("FREQ=NEVER", "not_a_rule"),
        ("FREQ=DAILY;BYDAY=XX", "not_a_rule"),
        ("garbage", "not_a_rule"),
        ("", "not_a_rule"),
        ("FREQ=DAILY;UNTIL=soon", "not_a_rule"),
        ("FREQ=DAILY;INTERVAL=" + "9" * 400, "too_long"),
        ("RRULE:FREQ=DAILY\nEXDATE:20261124T050000", "not_a_rule"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "empty"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_by_name(rule: str, problem: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_rule(rule, datetime(2026, 11, 23, 5))

    assert refused.value.fields["problem"] == problem


def test_the_day_before_tet_is_found_whether_the_month_has_29_or_30_days() -> None:
    eve = read_days([{"kind": "lunar", "month": 12, "day": 30}])

    found = dates_between(eve, date(2024, 1, 1), date(2028, 12, 31))

    # From the published dates of Tết: 10 Feb 2024, 29 Jan 2025, 17 Feb 2026, 6 Feb 2027, 26 Jan 2028.
    assert sorted(found) == [
        date(2024, 2, 9),
        date(2025, 1, 28),
        date(2026, 2, 16),
        date(2027, 2, 5),
        date(2028, 1, 25),
    ]


def test_tet_reaches_over_the_years_end_of_the_moon_not_of_the_sun() -> None:
    tet = read_days([{"kind": "lunar", "month": 1, "day": 1, "before": 2, "days": 3}])

    assert sorted(dates_between(tet, date(2027, 1, 1), date(2027, 12, 31))) == [
        date(2027, 2, 4) + timedelta(days=step) for step in range(5)
    ]


def test_a_span_that_began_last_year_reaches_into_this_one() -> None:
    entry = read_days([{"kind": "yearly", "month": 12, "day": 30, "days": 5}])

    assert sorted(dates_between(entry, date(2027, 1, 1), date(2027, 1, 31))) == [
        date(2027, 1, 1),
        date(2027, 1, 2),
        date(2027, 1, 3),
    ]


def test_national_day_is_a_national_holiday() -> None:
    found = dates_between(read_days([{"kind": "national"}]), date(2026, 9, 1), date(2026, 9, 30))

    assert date(2026, 9, 2) in found


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "yearly", "month": 2, "day": 30},
        {"kind": "lunar", "month": 13, "day": 1},
        {"kind": "date", "date": "2026-02-30"},
        {"kind": "full moon"},
        {"kind": "date", "date": "2026-02-03", "days": 0},
        "tomorrow",
    ],
)
def test_a_calendar_entry_that_is_no_day_is_refused(entry: object) -> None:
    with pytest.raises(InvalidError) as refused:
        read_days([entry])

    assert refused.value.fields["field"] == "days"


_RULES = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;BYDAY=MO,TH",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=YEARLY",
        None,
    ]
)


@given(
    rule=_RULES,
    zone=st.sampled_from([HANOI, BERLIN, "America/Sao_Paulo", "Pacific/Apia"]),
    first=st.datetimes(datetime(2010, 1, 1), datetime(2012, 6, 1)).map(lambda at: at.replace(microsecond=0)),
    cut=st.integers(1, 700),
)
def test_two_looks_side_by_side_see_what_one_long_look_sees(
    rule: str | None, zone: str, first: datetime, cut: int
) -> None:
    whole = Series("p", zone, first, rule)
    start, end = datetime(2010, 1, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC)
    middle = start + timedelta(days=cut)

    together = list(expand(whole, start, end))

    assert list(expand(whole, start, middle)) + list(expand(whole, middle, end)) == together
    assert all(one.start_at <= other.start_at for one, other in pairwise(together))
