"""Schedules as an iCalendar file (RFC 5545) and back: RRULE, EXDATE, RECURRENCE-ID and TZID. Pure.

What only we know of (programme, targets, level, what happens on overrun) travels in ``X-LOA-…`` properties, which
other programs keep or drop. A file of another program's becomes schedules of a programme that whoever imports names.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import icalendar

from controller.errors import InvalidError

from .expand import Change
from .rrules import check_parts
from .states import DateChange
from .walltime import instant, wall_time

PRODUCT = "-//Loa//schedules//VI"
MAX_BYTES = 1024 * 1024
MAX_EVENTS = 1000
OURS = "X-LOA-"


class NotACalendarError(InvalidError):
    """The file is no iCalendar file that can be read."""

    code = "not_a_calendar"


class NotAScheduleError(InvalidError):
    """An event that is no schedule of ours. ``problem`` says why."""

    code = "not_a_schedule"


class Skipped(NamedTuple):
    """An event that is no schedule."""

    title: str
    why: InvalidError

    @property
    def said(self) -> str:
        """Give its title with the reason."""
        return f"{self.title}: {self.why}"[:200]


@dataclass(frozen=True)
class Planned:
    """A schedule as a file says it."""

    uid: str
    title: str
    zone: str
    first: datetime
    """Naive wall time."""
    rule: str | None
    last_date: date | None
    ends_at: time | None
    """Wall time of the end, when the file names one."""
    changes: Mapping[datetime, Change] = field(default_factory=dict)
    reasons: Mapping[datetime, str] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)
    """Ours, by name without ``X-LOA-``."""
    sequence: int = field(default=0, compare=False)
    """Which revision it is (RFC 5545, 3.8.7.4); says nothing of what is planned."""


def write(planned: Iterable[Planned], *, stamped_at: datetime) -> bytes:
    """Write a file that other calendars read."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    for each in planned:
        for event in _events(each, stamped_at):
            calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _events(planned: Planned, stamped_at: datetime) -> Iterator[icalendar.Event]:
    zone = ZoneInfo(planned.zone)
    event = _event(planned, planned.first, stamped_at)
    if planned.rule is not None:
        event.add("rrule", icalendar.vRecur.from_ical(_with_until(planned)))
    for key, change in sorted(planned.changes.items()):
        if change.kind is DateChange.CANCELLED:
            event.add("exdate", key.replace(tzinfo=zone))
    for name, value in sorted(planned.extras.items()):
        event.add(f"{OURS}{name}", value)
    yield event
    for key, change in sorted(planned.changes.items()):
        if change.kind is DateChange.CANCELLED:
            continue
        single = _event(planned, change.moved_to or key, stamped_at)
        single.add("recurrence-id", key.replace(tzinfo=zone))
        if change.programme_id is not None:
            single.add(f"{OURS}PROGRAMME", change.programme_id)
        if reason := planned.reasons.get(key):
            single.add("comment", reason)
        yield single


def _event(planned: Planned, local: datetime, stamped_at: datetime) -> icalendar.Event:
    zone = ZoneInfo(planned.zone)
    event = icalendar.Event()
    event.add("uid", planned.uid)
    event.add("dtstamp", stamped_at)
    event.add("sequence", planned.sequence)
    event.add("summary", planned.title)
    event.add("dtstart", local.replace(tzinfo=zone))
    if planned.ends_at is not None:
        end = datetime.combine(local.date(), planned.ends_at)
        event.add("dtend", (end if end > local else end + timedelta(days=1)).replace(tzinfo=zone))
    return event


def _with_until(planned: Planned) -> str:
    """Say the last date within the rule, where other programs look for it: as an instant in UTC."""
    rule = planned.rule or ""
    if planned.last_date is None or "UNTIL=" in rule or "COUNT=" in rule:
        return _utc_until(rule, planned.zone)
    last = instant(datetime.combine(planned.last_date, time(23, 59, 59)), planned.zone)
    return f"{rule};UNTIL={last:%Y%m%dT%H%M%SZ}"


def _utc_until(rule: str, zone: str) -> str:
    parts = [part for part in rule.split(";") if part]
    return ";".join(
        f"UNTIL={instant(datetime.strptime(part[6:], '%Y%m%dT%H%M%S'), zone):%Y%m%dT%H%M%SZ}"  # noqa: DTZ007 - wall time
        if part.startswith("UNTIL=") and len(part) == len("UNTIL=20261130T235959")
        else part
        for part in parts
    )


def read(raw: bytes, default_zone: str) -> tuple[list[Planned], list[Skipped]]:
    """Read a file: what it plans, and the events that are no schedule, each with the reason.

    Raises:
        NotACalendarError: it cannot be read, or is too large.
    """
    if len(raw) > MAX_BYTES:
        raise NotACalendarError(f"the file has more than {MAX_BYTES} bytes", field="file", problem="too_large")
    try:
        calendar = icalendar.Calendar.from_ical(raw)
        events = [each for each in calendar.walk("VEVENT") if isinstance(each, icalendar.Event)]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise NotACalendarError(
            f"the file is no iCalendar file: {error}"[:200], field="file", problem="format"
        ) from None
    if len(events) > MAX_EVENTS:
        raise NotACalendarError(f"the file has more than {MAX_EVENTS} events", field="file", problem="too_many")
    series: dict[str, icalendar.Event] = {}
    singles: dict[str, list[icalendar.Event]] = defaultdict(list)
    found: list[Planned] = []
    skipped: list[Skipped] = []
    for number, event in enumerate(events):
        uid = str(event.get("uid", f"without-uid-{number}"))
        if "recurrence-id" in event:
            singles[uid].append(event)
        else:
            series[uid] = event
    for uid, event in series.items():
        try:
            found.append(_planned(uid, event, singles.pop(uid, []), default_zone))
        except InvalidError as error:
            skipped.append(Skipped(_title(event), error))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            skipped.append(Skipped(_title(event), _no_schedule(str(error), "unreadable")))
    alone = _no_schedule("its series is not in the file", "no_series")
    skipped += [Skipped(_title(each), alone) for rest in singles.values() for each in rest]
    return found, skipped


def _no_schedule(message: str, problem: str) -> NotAScheduleError:
    return NotAScheduleError(message, field="event", problem=problem)


def _planned(uid: str, event: icalendar.Event, singles: Sequence[icalendar.Event], default_zone: str) -> Planned:
    start = event["dtstart"]
    zone, first = _wall(start, default_zone)
    changes = {key: Change(DateChange.CANCELLED) for key in _exdates(event, zone)}
    reasons: dict[datetime, str] = {}
    for single in singles:
        _, key = _wall(single["recurrence-id"], zone, into=zone)
        _, local = _wall(single["dtstart"], zone, into=zone)
        programme = single.get(f"{OURS}PROGRAMME")
        kind = DateChange.MOVED if local != key else DateChange.KEPT
        if str(single.get("status", "")).upper() == "CANCELLED":
            changes[key] = Change(DateChange.CANCELLED)
        else:
            moved_to = local if kind is DateChange.MOVED else None
            changes[key] = Change(kind, moved_to, str(programme) if programme else None)
        if comment := single.get("comment"):
            reasons[key] = str(comment)
    return Planned(
        uid=uid,
        title=_title(event),
        zone=zone,
        first=first,
        rule=_rule(event, zone),
        last_date=None,
        ends_at=_wall(event["dtend"], zone, into=zone)[1].time() if "dtend" in event else None,
        changes=changes,
        reasons=reasons,
        sequence=int(event.get("sequence", 0)),
        extras={
            str(name).upper().removeprefix(OURS): str(value)
            for name, value in event.items()
            if str(name).upper().startswith(OURS)
        },
    )


def _wall(value: Any, default_zone: str, *, into: str | None = None) -> tuple[str, datetime]:
    """Read a time as wall time: in its own zone, the given one, or the default when it floats."""
    at = value.dt
    if not isinstance(at, datetime):
        raise _no_schedule("an event of whole days has no time at which it airs", "whole_day")
    named = str(value.params.get("TZID", ""))
    if at.tzinfo is None:
        if named:
            raise _no_schedule(f"there is no time zone {named[:60]!r}, and the file does not say what it is", "zone")
        return into or default_zone, at.replace(microsecond=0)
    own = named or default_zone
    zone = into or (own if _is_zone(own) else default_zone)
    return zone, wall_time(at.astimezone(UTC), zone).replace(microsecond=0)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _exdates(event: icalendar.Event, zone: str) -> Iterator[datetime]:
    found = event.get("exdate", [])
    for each in found if isinstance(found, list) else [found]:
        for one in each.dts:
            yield _wall(one, zone, into=zone)[1]


def _rule(event: icalendar.Event, zone: str) -> str | None:
    """Read the rule in wall-clock time, as ours are."""
    found = event.get("rrule")
    if found is None:
        if "rdate" in event:
            raise _no_schedule("dates one by one (RDATE) are several schedules", "dates")
        return None
    if isinstance(found, list):
        raise _no_schedule("more than one rule", "rules")
    parts = []
    for part in found.to_ical().decode().split(";"):
        name, _, value = part.partition("=")
        if name == "UNTIL" and value.endswith("Z"):
            until = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            value = f"{wall_time(until, zone):%Y%m%dT%H%M%S}"
        parts.append(f"{name}={value}")
    rule = ";".join(parts)
    check_parts(rule)
    return rule


def _title(event: icalendar.Event) -> str:
    return str(event.get("summary", "")).strip()[:200] or "…"
