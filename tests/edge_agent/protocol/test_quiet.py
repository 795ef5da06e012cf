"""Wall-clock windows, over midnight and over changes of the clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from edge_agent.protocol.documents import QuietHours
from edge_agent.protocol.quiet import in_window, next_edge, touches
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
    assert next_edge(rules, before) == morning
    assert touches(rules, at("2027-03-28T03:30", "Europe/Berlin"), at("2027-03-28T03:31", "Europe/Berlin"))
    assert not touches(rules, morning, at("2027-03-28T06:00", "Europe/Berlin"))
