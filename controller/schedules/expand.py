"""From a rule to dates: recurrence, exceptions and calendars of one schedule. Pure; no clock, no database.

Recurrence is RFC 5545's, in wall-clock time, by ``dateutil``. Exceptions are keyed by the wall time that the rule
gives (RECURRENCE-ID), so they survive an edit of anything but the rule's own times.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from controller.errors import InvalidError

from .rrules import parsed, parts_of, walk
from .states import DateChange
from .walltime import instant, wall_time

NAMES_HOURS = ("BYHOUR", "BYMINUTE", "BYSETPOS", "UNTIL")
"""Parts of a rule by which the hour of a date may differ from that of the first, or decides whether it comes."""
DAY = timedelta(days=1)
COMES_WITHIN = 28 * 366 * DAY
"""The 29th of February comes on a Sunday once in so many years; what does not come by then never does."""


class Verdict(StrEnum):
    """What becomes of a date."""

    AIRED = "aired"
    CANCELLED = "cancelled"
    SUSPENDED = "suspended"
    """By a calendar."""
    TAKEN_OVER = "taken_over"
    """One of that day that the rule gave before an edit had begun: nothing is heard twice."""
    ENDED = "ended"
    """The schedule was ended before."""


class Change(NamedTuple):
    """An exception: what one date is instead."""

    kind: DateChange
    moved_to: datetime | None = None
    """Naive wall time."""
    programme_id: str | None = None
    in_spite_of: frozenset[str] = frozenset()
    """Calendars that silence the day, by id, against which it is kept."""


class DayRule(NamedTuple):
    """What a calendar says of a day."""

    title: str
    programme_id: str | None = None
    """What airs instead; None: nothing airs."""
    calendar_id: str = ""

    def holds(self, change: Change | None) -> bool:
        """Say whether it counts for a date that a person changed.

        What they want on this date goes before what airs instead; silence they must have known, and named.
        """
        if change is None:
            return True
        return self.programme_id is None and self.calendar_id not in change.in_spite_of


Days = Mapping[date, Sequence[DayRule]]
"""What calendars say of days, the one that goes first first."""


@dataclass(frozen=True)
class Series:
    """The rule of one schedule."""

    programme_id: str
    zone: str
    first: datetime
    """Naive wall time: DTSTART."""
    rule: str | None = None
    """RRULE without its name; None: once."""
    last_date: date | None = None
    changes: Mapping[datetime, Change] = field(default_factory=dict)
    """By the naive wall time that the rule gives."""


class Occurrence(NamedTuple):
    """One date of a series."""

    recurrence: datetime
    """Naive wall time that the rule gives; names the date for ever."""
    local: datetime
    """Naive wall time at which it is to start."""
    start_at: datetime
    programme_id: str
    verdict: Verdict
    because: str = ""
    """Title of the calendar that suspended or replaced it."""


def expand(series: Series, from_at: datetime, until_at: datetime, days: Days | None = None) -> Iterator[Occurrence]:
    """Give the dates that start in ``[from_at, until_at)``, in the order of their starts.

    Cancelled and suspended ones are among them, so that a calendar of the page can show them.

    Raises:
        InvalidError: the rule is none, or gives too many dates.
    """
    found = [_occurrence(series, each, days or {}) for each in _candidates(series, from_at, until_at)]
    found.sort(key=lambda each: (each.start_at, each.recurrence))
    return (each for each in found if from_at <= each.start_at < until_at)


def check_rule(rule: str | None, first: datetime) -> None:
    """Refuse a recurrence rule that cannot be followed.

    Raises:
        InvalidError: it is not RFC 5545, more often than a commune broadcasts, or never comes.
    """
    if rule is None:
        return
    if next(walk(rule, first, first, first + COMES_WITHIN), None) is None:
        raise InvalidError("rule: it names no date", field="rule", problem="empty")


def has_date(series: Series, local: datetime) -> bool:
    """Tell whether the rule, as it is now, gives this date.

    Raises:
        InvalidError: the rule is none.
    """
    return _in_time(series, local) and local in _dates(series.rule, series.first, local, local)


def ahead(series: Series, now: datetime, span: timedelta) -> list[tuple[datetime, datetime]]:
    """Give the times at which to look for what a series brings: the span from now, and that from its next date.

    They are one where they meet. Nothing of the rule lies between them.

    Raises:
        InvalidError: the rule is none.
    """
    until_at = now + span
    next_at = _next_at(series, now)
    if next_at is None:
        return [(now, until_at)]
    return [(now, next_at + span)] if next_at <= until_at else [(now, until_at), (next_at, next_at + span)]


def _next_at(series: Series, now: datetime) -> datetime | None:
    """Give the next start that the rule names, at ``now`` at the earliest."""
    local = wall_time(now, series.zone).replace(microsecond=0)
    if series.rule is None:
        found: datetime | None = series.first
    else:
        parsed(series.rule, series.first)  # refused as it was written
        near, since = _nearer(series.rule, series.first, local), max(local, series.first)
        found = next(walk(series.rule, near, since, since + COMES_WITHIN), None)
    if found is None or not _in_time(series, found):
        return None
    return max(now, instant(found, series.zone))


def renamed(keys: Iterable[datetime], before: Series, after: Series) -> dict[datetime, datetime]:
    """Say under which name dates go on when a rule was edited: those of the same day, in the same order.

    Those that the new rule does not give, and has no like of on that day, keep their old name and wait.
    """
    found: dict[datetime, datetime] = {}
    for key in keys:
        old, new = _day_of(before, key), _day_of(after, key)
        if key not in new and key in old and len(old) == len(new):
            found[key] = new[old.index(key)]
    return found


def _day_of(series: Series, key: datetime) -> tuple[datetime, ...]:
    midnight = datetime.combine(key.date(), time())
    found = _dates(series.rule, series.first, midnight, midnight + DAY - timedelta(seconds=1))
    return tuple(each for each in found if _in_time(series, each))


def _candidates(series: Series, from_at: datetime, until_at: datetime) -> Iterable[datetime]:
    """Give the wall times of the rule that may start in the window, and those that were moved into it."""
    # A day more at both ends: wall time and UTC differ by up to 14 hours, a gap adds some.
    first, last = wall_time(from_at, series.zone) - DAY, wall_time(until_at, series.zone) + DAY
    regular = {each for each in _dates(series.rule, series.first, first, last) if _in_time(series, each)}
    moved = {
        key
        for key, change in series.changes.items()
        if change.moved_to is not None and first <= change.moved_to <= last and has_date(series, key)
    }
    return regular | moved


def _in_time(series: Series, local: datetime) -> bool:
    return series.last_date is None or local.date() <= series.last_date


def _occurrence(series: Series, recurrence: datetime, days: Days) -> Occurrence:
    change = series.changes.get(recurrence)
    local = change.moved_to if change is not None and change.moved_to is not None else recurrence
    programme_id, verdict, because = series.programme_id, Verdict.AIRED, ""
    if change is not None and change.kind is DateChange.CANCELLED:
        verdict = Verdict.CANCELLED
    elif (day := next((each for each in days.get(local.date(), ()) if each.holds(change)), None)) is not None:
        because, programme_id = day.title, day.programme_id or programme_id
        verdict = Verdict.AIRED if day.programme_id else Verdict.SUSPENDED
    if change is not None and change.programme_id is not None:
        programme_id = change.programme_id
    return Occurrence(recurrence, local, instant(local, series.zone), programme_id, verdict, because)


@lru_cache(maxsize=4096)
def _dates(rule: str | None, first: datetime, from_local: datetime, until_local: datetime) -> tuple[datetime, ...]:
    """Give the wall times of a rule in a span, both ends in it."""
    if rule is None:
        return (first,) if from_local <= first <= until_local else ()
    parsed(rule, first)  # refused as it was written
    near = _nearer(rule, first, from_local)
    if any(part in rule.upper() for part in NAMES_HOURS):
        return tuple(walk(rule, near, from_local, until_local))
    hour = first.time()
    days = (datetime.combine(day, hour) for day in _days(rule, near.date(), from_local.date(), until_local.date()))
    return tuple(each for each in days if from_local <= each <= until_local)


@lru_cache(maxsize=4096)
def _days(rule: str, first: date, from_day: date, until_day: date) -> tuple[date, ...]:
    """Give the days of a rule whose hour is that of its start. Hundreds of communes share few, each at its own hour."""
    span = (datetime.combine(each, time()) for each in (first, from_day, until_day))
    return tuple(each.date() for each in walk(rule, *span))


def _nearer(rule: str, first: datetime, from_local: datetime) -> datetime:
    """Give a start by which a rule gives the same dates from ``from_local`` on: years of old ones take their time.

    Whole periods on, days and weeks keep step; months, years and counts do not.
    """
    period = _period(rule)
    return first if period is None else first + max(0, (from_local - first) // period - 1) * period


def begun_by(rule: str | None, first: datetime, by: datetime) -> datetime:
    """Give a start at or before ``by`` with which a rule gives the same dates from ``first`` on.

    ``first`` itself where there is none: the rule counts, goes by months, or comes once.
    """
    period = None if rule is None else _period(rule)
    return first if period is None or first <= by else first + (by - first) // period * period


def _period(rule: str) -> timedelta | None:
    """Give after how long a rule begins anew; None when it does not, or counts."""
    parts = parts_of(rule)
    days = {"DAILY": 1, "WEEKLY": 7}.get(parts.get("FREQ", ""))
    if days is None or "COUNT" in parts:
        return None
    return timedelta(days=days * int(parts.get("INTERVAL", "1")))
