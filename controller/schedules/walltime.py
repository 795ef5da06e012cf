"""Wall-clock time and instants, by the rules of RFC 5545. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def instant(local: datetime, zone: str) -> datetime:
    """Turn a wall time into UTC.

    A time that the clocks leave out counts by the offset before the gap, so it comes later by the gap's length; of a
    time that comes twice, the first counts (RFC 5545, 3.3.5).
    """
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def wall_time(at: datetime, zone: str) -> datetime:
    """Turn an instant into naive wall time."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
