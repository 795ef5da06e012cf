"""Days of a calendar in words: what airs, what a day is besides its date; the same for the script that draws. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from controller.schedules.feed_schemas import FeedDay, FeedEntry, FeedOut
from controller.schedules.walltime import instant
from web.formats import Formats
from web.views.schedules import against_said, date_mark
from web.views.waiting import waits_mark
from web.words import Mark

VIEWS = ("week", "month")
DRAWN_AT_LEAST = timedelta(minutes=30)
"""Shorter is too low to be read, or to be taken hold of."""
WEEK = timedelta(days=7)
FIRST_YEAR, LAST_YEAR = 1991, 2098
"""Days that calendars know, with room for a step back and ahead."""


@dataclass(frozen=True)
class Asked:
    """Which days are looked at."""

    view: str
    day: date
    place: str = ""

    @property
    def first(self) -> date:
        """Give the first day that is shown, a Monday."""
        first = self.day if self.view == "week" else self.day.replace(day=1)
        return first - timedelta(days=first.weekday())

    @property
    def until(self) -> date:
        """Give the day after the last that is shown."""
        if self.view == "week":
            return self.first + WEEK
        last = _month(self.day, 1) - timedelta(days=1)
        return last + timedelta(days=7 - last.weekday())

    def step(self, by: int) -> "Asked":
        """Give the week or month before or after."""
        day = self.day + by * WEEK if self.view == "week" else _month(self.day, by)
        return Asked(self.view, _known(day), self.place)

    def path(self, view: str = "", day: date | None = None) -> str:
        """Give the address of these days."""
        query = f"?view={view or self.view}&day={(day or self.day).isoformat()}"
        return f"/schedules{query}{f'&place={self.place}' if self.place else ''}"

    @property
    def query(self) -> str:
        """Give what follows the question mark."""
        return self.path().partition("?")[2]


def read_asked(view: str, day: str, place: str, today: date) -> Asked:
    """Understand an address, which may say anything."""
    try:
        wanted = _known(date.fromisoformat(day))
    except ValueError:
        wanted = today
    return Asked(view if view in VIEWS else VIEWS[0], wanted, place)


def _month(day: date, by: int) -> date:
    months = day.year * 12 + day.month - 1 + by
    return date(months // 12, months % 12 + 1, 1)


def _known(day: date) -> date:
    return min(max(day, date(FIRST_YEAR, 1, 1)), date(LAST_YEAR, 12, 31))


@dataclass(frozen=True)
class EntryLine:
    """What airs at one time of a day."""

    key: str
    hour: str
    title: str
    href: str
    places: str
    mark: Mark
    meets: str
    """What is in its way, in words; empty: nothing."""
    move: str
    """Where it is moved; empty: it is not."""
    instead: str = ""
    """What airs instead of the usual, in words; empty: the usual does."""


@dataclass(frozen=True)
class DayLines:
    """One day."""

    name: str
    """``2031-11-24``."""
    said: str
    number: int
    lunar: str
    lunar_short: str
    notes: tuple[str, ...]
    """Holidays, and what calendars say."""
    is_today: bool
    is_other: bool
    """Of another month than the one that is looked at."""
    entries: tuple[EntryLine, ...]


def lunar_said(day: FeedDay, form: Formats) -> str:
    """Say the lunar day: ``10/10 âm lịch``."""
    return form.text("plan.lunar_leap" if day.is_leap_month else "plan.lunar", day=day.lunar_day, month=day.lunar_month)


def _lunar_short(day: FeedDay) -> str:
    """Give the lunar day as wall calendars do: the month only on its first."""
    return f"{day.lunar_day}/{day.lunar_month}" if day.lunar_day == 1 else str(day.lunar_day)


def notes(day: FeedDay, form: Formats) -> tuple[str, ...]:
    """Say what a day is besides its date."""
    holiday = day.holiday if form.text.locale == "vi" else day.holiday_en
    calendars = (form.text(f"plan.calendar_{each.effect}", title=each.title) for each in day.calendars)
    return (*([holiday] if holiday else []), *calendars)


def days(found: FeedOut, asked: Asked, form: Formats, *, movable: Iterable[str]) -> list[DayLines]:
    """Put what airs under its days. ``movable``: ids of areas whose schedules this person may change."""
    by_day: dict[date, list[FeedEntry]] = defaultdict(list)
    for each in found.entries:
        by_day[each.starts_local.date()].append(each)
    areas: frozenset[str | None] = frozenset(movable)
    return [
        DayLines(
            name=day.date.isoformat(),
            said=form.day(day.date),
            number=day.date.day,
            lunar=lunar_said(day, form),
            lunar_short=_lunar_short(day),
            notes=notes(day, form),
            is_today=day.date == form.today(),
            is_other=asked.view == "month" and day.date.month != asked.day.month,
            entries=tuple(_line(each, form, areas) for each in by_day[day.date]),
        )
        for day in found.days
    ]


def can_move(each: FeedEntry, form: Formats, movable: Collection[str | None]) -> bool:
    """Tell whether an entry is one that this person may move: a date to come of a schedule of theirs."""
    aired = each.date is not None and each.date.verdict == "aired"
    return aired and each.area_id in movable and each.start_at > form.now


def mark_of(each: FeedEntry, form: Formats) -> Mark:
    """Say how an entry stands."""
    if each.date is not None:
        return date_mark(each.date, form, each.approval)
    if each.breaches:
        return against_said(each.breaches, form)
    if each.awaits_approval:
        asked = each.approval
        return Mark("part", "care", form.text("approval_state.open")) if asked is None else waits_mark(asked, form)
    return Mark("ready", "unsure", form.text("plan.single"))


def meets_said(each: FeedEntry, form: Formats) -> str:
    """Name what sounds there at the same time."""
    return form.text("plan.meets", titles=form.names([f"“{title}”" for title in each.meets])) if each.meets else ""


def instead_said(each: FeedEntry, form: Formats) -> str:
    """Name what airs on this date instead of the schedule's own programme."""
    return form.text("schedules.date_with", title=each.instead) if each.instead else ""


def _line(each: FeedEntry, form: Formats, movable: frozenset[str | None]) -> EntryLine:
    return EntryLine(
        key=each.key,
        hour=_span(each),
        title=each.title,
        href=href_of(each),
        places=form.names(each.places) or form.text("schedules.elsewhere"),
        mark=mark_of(each, form),
        meets=meets_said(each, form),
        move=_move(each) if can_move(each, form, movable) else "",
        instead=instead_said(each, form),
    )


def _span(each: FeedEntry) -> str:
    start = f"{each.starts_local:%H:%M}"
    return f"{start}–{each.ends_local:%H:%M}" if each.ends_at - each.start_at >= timedelta(minutes=1) else start


def href_of(each: FeedEntry) -> str:
    """Give the page of an entry: the run itself once it is planned and over, else its schedule."""
    return f"/schedules/{each.schedule_id}" if each.schedule_id else f"/broadcasts/{each.broadcast_id}"


def _move(each: FeedEntry) -> str:
    recurrence = each.date.recurrence_local.isoformat() if each.date else ""
    return f"/schedules/{each.schedule_id}?move={recurrence}#move"


def drawn(found: FeedOut, form: Formats, *, movable: Iterable[str]) -> dict[str, Any]:
    """Give the days to the script that draws them. Hours are wall times of the place, never of the PC that shows it."""
    areas: frozenset[str | None] = frozenset(movable)
    return {
        "days": {
            day.date.isoformat(): {
                "said": f"{form.text(f'weekday_short.{day.date.isoweekday()}')} {day.date:%d/%m}",
                "lunar": _lunar_short(day),
                "lunar_said": lunar_said(day, form),
                "notes": notes(day, form),
                "today": day.date == form.today(),
            }
            for day in found.days
        },
        "events": [_event(each, form, areas, found.zone) for each in found.entries],
    }


def _keeps_time_here(each: FeedEntry, zone: str) -> bool:
    """Tell whether a date is written by the hours by which it is drawn: by those it would be dragged."""
    return each.date is None or instant(each.date.local, zone) == each.date.start_at


def _event(each: FeedEntry, form: Formats, movable: frozenset[str | None], zone: str) -> dict[str, Any]:
    start, end = each.starts_local, max(each.ends_local, each.starts_local + DRAWN_AT_LEAST)
    moves, mark = can_move(each, form, movable) and _keeps_time_here(each, zone), mark_of(each, form)
    wrong = mark.tone == "care" or bool(each.meets)
    said = " · ".join(filter(None, (mark.word if mark.tone == "care" else "", meets_said(each, form))))
    tone = "care" if wrong else mark.tone
    silent = each.date is not None and each.date.verdict != "aired"
    return {
        "id": each.key,
        "start": _local(start),
        "end": _local(min(end, _midnight(start))),
        "title": each.title,
        "startEditable": moves,
        "durationEditable": moves and each.is_series and each.date is not None and each.date.changed is None,
        "classNames": [f"is-{tone}", *(["is-silent"] if silent else []), f"level-{each.level}"],
        "extendedProps": {
            "hour": _span(each),
            "said": said,
            "instead": instead_said(each, form),
            "href": href_of(each),
            "schedule": each.schedule_id or "",
            "recurrence": each.date.recurrence_local.isoformat() if each.date else "",
        },
    }


def _midnight(start: datetime) -> datetime:
    """Give the last moment of a day: what goes on after midnight is drawn to there."""
    return start.replace(hour=23, minute=59, second=0)


def _local(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes")


def title_of(asked: Asked, form: Formats) -> str:
    """Name the days that are looked at."""
    if asked.view == "month":
        return form.text("plan.month", month=asked.day.month, year=asked.day.year)
    first, last = asked.first, asked.until - timedelta(days=1)
    begins = f"{first:%d/%m}" if first.year == last.year else form.written(first)
    return form.text("plan.week", first=begins, last=form.written(last))


def weekdays(form: Formats) -> Sequence[str]:
    """Name the columns of a month."""
    return [form.text(f"weekday_short.{day}") for day in range(1, 8)]
