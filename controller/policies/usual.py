"""The quiet hours that a place has if nobody says anything, and whether it is less quiet by others. Pure."""

from collections.abc import Iterable

from edge_agent.protocol.documents import QuietHours

from .rules import DEFAULT_QUIET_HOURS, DEFAULT_ZONE

USUAL = tuple(QuietHours(start=each.start, until=each.until) for each in DEFAULT_QUIET_HOURS)
DAY = frozenset(range(24 * 60))
"""Minutes of a day."""


def is_loosened(zone: str, quiet_hours: Iterable[QuietHours]) -> bool:
    """Say whether something sounds by these that does not by the usual ones."""
    return zone != DEFAULT_ZONE or not minutes_of(USUAL) <= minutes_of(quiet_hours)


def minutes_of(windows: Iterable[QuietHours]) -> frozenset[int]:
    """Give the minutes of the day within some windows."""
    found: set[int] = set()
    for window in windows:
        first, last = _minute(window.start), _minute(window.until)
        found |= set(range(first, last)) if first < last else {*range(first, len(DAY)), *range(last)}
    return frozenset(found)


def _minute(said: str) -> int:
    hours, minutes = said.split(":")
    return int(hours) * 60 + int(minutes)
