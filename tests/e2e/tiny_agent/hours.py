"""Windows of the day, on the calendar of the node's zone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from .basics import DAY, EPOCH, Json


def meets(windows: list[Json], zone: str, begins_at: int, ends_at: int) -> bool:
    """Say whether a sound from begin to end touches one of the windows of every day."""
    return any(start < ends_at and begins_at < until for start, until in spans(windows, zone, begins_at, ends_at))


def leaves(windows: list[Json], zone: str, begins_at: int, ends_at: int) -> bool:
    """Say whether any of a sound from begin to end lies in none of the windows of every day."""
    at = begins_at
    for start, until in sorted(spans(windows, zone, begins_at, ends_at)):
        at = until if start <= at < until else at
    return bool(windows) and at < ends_at


def spans(windows: list[Json], zone: str, begins_at: int, ends_at: int) -> Iterator[tuple[int, int]]:
    """Give begin and end of the windows on every day around a sound."""
    tz, micro = ZoneInfo(zone), timedelta(microseconds=1)
    day: date = (EPOCH + timedelta(microseconds=begins_at)).astimezone(tz).date() - timedelta(days=1)
    for each in (day + timedelta(days=count) for count in range((ends_at - begins_at) // DAY + 4)):
        for window in windows:
            over = timedelta(days=int(window["until"] < window["start"]))
            start = datetime.combine(each, time_of_day.fromisoformat(window["start"]), tz)
            until = datetime.combine(each + over, time_of_day.fromisoformat(window["until"]), tz)
            yield (start - EPOCH) // micro, (until - EPOCH) // micro
