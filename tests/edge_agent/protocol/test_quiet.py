"""Wall-clock windows, over midnight and over changes of the clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as quickly
from hypothesis import strategies as st

from edge_agent.protocol.documents import QuietHours, Settings
from edge_agent.protocol.quiet import in_window, next_edge, touches, within
from tests.edge_agent.protocol.factories import settings

HANOI = "Asia/Ho_Chi_Minh"
NIGHT = QuietHours(start="22:00", until="05:00")
NOON = QuietHours(start="11:30", until="13:30")


def at(wall: str, zone: str = HANOI) -> datetime:
    """Give the instant of a wall-clock time; without a date on 22 November 2026."""
    date_and_time = wall if "T" in wall else f"2026-11-22T{wall}"
    return datetime.fromisoformat(date_and_time).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("wall", "night", "noon"),
    [
        ("00:00", True, False),
        ("04:59:59.999999", True, False),
        ("05:00", False, False),
        ("11:29:59", False, False),
        ("11:30", False, True),
        ("13:29:59", False, True),
        ("13:30", False, False),
        ("21:59:59", False, False),
        ("22:00", True, False),
        ("23:59:59", True, False),
    ],
)
def test_a_window_holds_its_begin_and_not_its_end(*, wall: str, night: bool, noon: bool) -> None:
    assert in_window(NIGHT, HANOI, at(wall)) is night
    assert in_window(NOON, HANOI, at(wall)) is noon


@pytest.mark.parametrize(
    ("begins", "ends", "verdict"),
    [
        ("21:00", "22:00", False),
        ("21:00", "22:00:00.000001", True),
        ("05:00", "11:30", False),
        ("04:59:59", "05:30", True),
        ("11:00", "14:00", True),
        ("13:30", "22:00", False),
        ("06:00", "2026-11-23T06:00", True),
    ],
)
def test_a_sound_that_meets_any_window_is_found(*, begins: str, ends: str, verdict: bool) -> None:
    rules = settings(quiet_hours=(NIGHT, NOON))

    assert touches(rules, at(begins), at(ends)) is verdict
    assert not touches(settings(), at(begins), at(ends))


@pytest.mark.parametrize(
    ("now", "edge"),
    [
        ("00:00", "05:00"),
        ("05:00", "11:30"),
        ("11:30", "13:30"),
        ("13:30", "22:00"),
        ("22:00", "2026-11-23T05:00"),
        ("23:59:59.999999", "2026-11-23T05:00"),
    ],
)
def test_the_next_edge_is_the_first_begin_or_end_to_come(now: str, edge: str) -> None:
    assert next_edge(settings(quiet_hours=(NIGHT, NOON)), at(now)) == at(edge)
    assert next_edge(settings(), at(now)) is None


def test_a_window_follows_the_wall_clock_through_summer_time() -> None:
    """Not in Vietnam; but the zone is a setting. In Berlin 2027-03-28 the clock jumps from 02:00 to 03:00."""
    rules = settings(quiet_hours=(NIGHT,), zone="Europe/Berlin")
    before, morning = at("2027-03-27T22:00", "Europe/Berlin"), at("2027-03-28T05:00", "Europe/Berlin")

    assert (morning - before).total_seconds() == 6 * 3600
    assert next_edge(rules, before) == (jump := at("2027-03-28T03:00", "Europe/Berlin"))
    assert next_edge(rules, jump) == morning
    assert touches(rules, at("2027-03-28T03:30", "Europe/Berlin"), at("2027-03-28T03:31", "Europe/Berlin"))
    assert not touches(rules, morning, at("2027-03-28T06:00", "Europe/Berlin"))


CHANGES = (
    datetime(2027, 3, 28, 1, tzinfo=UTC),  # Berlin, an hour forward
    datetime(2027, 10, 31, 1, tzinfo=UTC),  # Berlin, an hour back
    datetime(2027, 4, 3, 15, tzinfo=UTC),  # Lord Howe, half an hour back
    datetime(2027, 10, 2, 15, 30, tzinfo=UTC),  # Lord Howe, half an hour forward
    datetime(1975, 6, 12, 16, tzinfo=UTC),  # Saigon, by law an hour back for good
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia, a whole day left out
    datetime(2026, 12, 31, 17, tzinfo=UTC),  # Hanoi, only midnight and a new year
    datetime(2028, 2, 28, 17, tzinfo=UTC),  # Hanoi, only the begin of a leap day
)
ZONES = ("Europe/Berlin", "Australia/Lord_Howe", "Asia/Ho_Chi_Minh", "Pacific/Apia")
WALLS = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
WINDOWS = (
    st.tuples(WALLS, WALLS)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: QuietHours(start=pair[0], until=pair[1]))
)


@st.composite
def spans(draw: st.DrawFn) -> tuple[datetime, datetime]:
    """Give when a sound begins and ends, near a change of the clock."""
    begins_at = draw(st.sampled_from(CHANGES)) + timedelta(minutes=draw(st.integers(-300, 300)))
    return begins_at, begins_at + timedelta(seconds=draw(st.integers(1, 4 * 3600)))


def looks(begins_at: datetime, ends_at: datetime) -> Iterator[datetime]:
    """Give the begin and every full minute before the end: nothing changes between two of them."""
    yield begins_at
    at = begins_at.replace(second=0) + timedelta(minutes=1)
    while at < ends_at:
        yield at
        at += timedelta(minutes=1)


def rules_of(windows: list[QuietHours], zone: str) -> Settings:
    return settings(quiet_hours=tuple(windows), windows=tuple(windows), zone=zone)


@quickly(derandomize=True, database=None, deadline=None, max_examples=600)
@given(st.lists(WINDOWS, min_size=1, max_size=3), st.sampled_from(ZONES), spans())
def test_whatever_the_clock_does_a_window_is_what_the_wall_shows(
    windows: list[QuietHours], zone: str, span: tuple[datetime, datetime]
) -> None:
    """Wherever the law moves the clock: asked minute by minute, or at once."""
    rules = rules_of(windows, zone)
    inside = [any(in_window(window, zone, look) for window in windows) for look in looks(*span)]

    assert touches(rules, *span) is any(inside)
    assert within(rules, *span) is all(inside)


@quickly(derandomize=True, database=None, deadline=None, max_examples=600)
@given(st.lists(WINDOWS, min_size=1, max_size=3), st.sampled_from(ZONES), spans())
def test_nothing_changes_before_the_next_edge(
    windows: list[QuietHours], zone: str, span: tuple[datetime, datetime]
) -> None:
    """A node may sleep until then."""
    begins_at, _ = span
    edge = next_edge(rules_of(windows, zone), begins_at)
    assert edge is not None

    for window in windows:
        assert len({in_window(window, zone, look) for look in looks(begins_at, edge)}) == 1
