"""Wall-clock windows: quiet hours, hours of routine and night cap, in a node's zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from .documents import QuietHours, Settings

_DAY = timedelta(days=1)
_CLOCK_CHANGE = timedelta(minutes=15)
"""Shorter than any jump of summer time: no window that such a jump shuts early is taken for open."""


def in_window(window: QuietHours, zone: str, at: datetime) -> bool:
    """Say whether ``at`` lies in the window; its end is outside."""
    now, start, until = at.astimezone(ZoneInfo(zone)).time(), *_times(window)
    if start < until:
        return start <= now < until
    return now >= start or now < until


def touches(settings: Settings, begins_at: datetime, ends_at: datetime) -> bool:
    """Say whether any instant of ``[begins_at, ends_at)`` is quiet."""
    for window in settings.quiet_hours:
        if in_window(window, settings.zone, begins_at):
            return True
        if any(edge < ends_at for edge in _edges(window.start, settings.zone, begins_at)):
            return True
    return False


def within(settings: Settings, begins_at: datetime, ends_at: datetime) -> bool:
    """Say whether every instant of ``[begins_at, ends_at)`` lies in a window, if there are any."""
    if not settings.windows:
        return True
    at = begins_at
    while at < ends_at:
        here = [window for window in settings.windows if in_window(window, settings.zone, at)]
        if not here:
            return False
        at = min(at + _CLOCK_CHANGE, max(_edge(window.until, settings.zone, at) for window in here))
    return True


def next_edge(settings: Settings, at: datetime) -> datetime | None:
    """Give the next begin or end of quiet hours or of a window after ``at``."""
    return min(
        (
            edge
            for window in (*settings.quiet_hours, *settings.windows)
            for wall in (window.start, window.until)
            for edge in _edges(wall, settings.zone, at)
        ),
        default=None,
    )


def _edges(wall: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Give the UTC instants at which the wall clock shows ``wall``, today and tomorrow, after ``after``."""
    today = after.astimezone(ZoneInfo(zone)).date()
    for days in range(2):
        edge = _instant(wall, zone, today + days * _DAY)
        if edge > after:
            yield edge


@lru_cache(maxsize=4096)
def _instant(wall: str, zone: str, day: date) -> datetime:
    return datetime.combine(day, time.fromisoformat(wall), ZoneInfo(zone)).astimezone(UTC)


def _edge(wall: str, zone: str, after: datetime) -> datetime:
    return next(_edges(wall, zone, after))


@lru_cache(maxsize=256)
def _times(window: QuietHours) -> tuple[time, time]:
    return time.fromisoformat(window.start), time.fromisoformat(window.until)
