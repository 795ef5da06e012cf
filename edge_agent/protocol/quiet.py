"""Wall-clock windows: quiet hours, hours of routine and night cap, in a node's zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from .documents import QuietHours, Settings

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def in_window(window: QuietHours, zone: str, at: datetime) -> bool:
    """Say whether ``at`` lies in the window; its end is outside."""
    now, start, until = at.astimezone(ZoneInfo(zone)).time(), *_times(window)
    if start < until:
        return start <= now < until
    return now >= start or now < until


def touches(settings: Settings, begins_at: datetime, ends_at: datetime) -> bool:
    """Say whether any instant of ``[begins_at, ends_at)`` is quiet."""
    quiet, zone = settings.quiet_hours, settings.zone
    return any(_inside(quiet, zone, at) for at in _turns(quiet, zone, begins_at, ends_at))


def within(settings: Settings, begins_at: datetime, ends_at: datetime) -> bool:
    """Say whether every instant of ``[begins_at, ends_at)`` lies in a window, if there are any."""
    hours, zone = settings.windows, settings.zone
    if not hours:
        return True
    return all(_inside(hours, zone, at) for at in _turns(hours, zone, begins_at, ends_at))


def next_edge(settings: Settings, at: datetime) -> datetime | None:
    """Give the instant after ``at`` at which quiet hours or a window may next begin or end; None when there are none.

    It is also one at which the law moves the clock, whatever the wall shows then.
    """
    windows = (*settings.quiet_hours, *settings.windows)
    return _next_turn(windows, settings.zone, at) if windows else None


def _inside(windows: tuple[QuietHours, ...], zone: str, at: datetime) -> bool:
    return any(in_window(window, zone, at) for window in windows)


def _turns(windows: tuple[QuietHours, ...], zone: str, begins_at: datetime, ends_at: datetime) -> Iterator[datetime]:
    """Give the begin, and every instant before the end at which the answer may be another."""
    at = begins_at
    yield at
    while windows and (at := _next_turn(windows, zone, at)) < ends_at:
        yield at


@lru_cache(maxsize=4096)
def _next_turn(windows: tuple[QuietHours, ...], zone: str, after: datetime) -> datetime:
    """Look through today and what follows: each edge comes once a day at least, even where a law leaves out a day."""
    today = after.astimezone(ZoneInfo(zone)).date()
    walls = {wall for window in windows for wall in (window.start, window.until)}
    days = (today, today + _DAY, today + 2 * _DAY)
    edges = [at for wall in walls for day in days for at in _instants(wall, zone, day)]
    changes = [at for day in days if (at := _clock_change(zone, day)) is not None]
    return min(at for at in (*edges, *changes) if at > after)


@lru_cache(maxsize=4096)
def _instants(wall: str, zone: str, day: date) -> frozenset[datetime]:
    """Give when the wall clock shows it: twice where the law turns it back."""
    shown = datetime.combine(day, time.fromisoformat(wall), ZoneInfo(zone))
    return frozenset(shown.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


@lru_cache(maxsize=256)
def _clock_change(zone: str, day: date) -> datetime | None:
    """Give the minute of a UTC day at which the zone's law moves the clock; None on nearly all days."""
    here = ZoneInfo(zone)
    before_at = datetime.combine(day, time(), UTC)
    after_at = before_at + _DAY
    old = before_at.astimezone(here).utcoffset()
    if after_at.astimezone(here).utcoffset() == old:
        return None
    while after_at - before_at > _MINUTE:
        middle_at = before_at + (after_at - before_at) // 2 // _MINUTE * _MINUTE
        if middle_at.astimezone(here).utcoffset() == old:
            before_at = middle_at
        else:
            after_at = middle_at
    return after_at


@lru_cache(maxsize=256)
def _times(window: QuietHours) -> tuple[time, time]:
    return time.fromisoformat(window.start), time.fromisoformat(window.until)
