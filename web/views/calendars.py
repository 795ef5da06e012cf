"""Calendars: days that are not as others, written as people write them. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.names import in_reading_order
from controller.schedules.days import MAX_DAYS, MAX_SPAN, CalendarDay, FixedDay, LunarDay, NationalHolidays
from controller.schedules.schemas import CalendarOut
from controller.schedules.states import OnCalendarDay
from web.formats import Formats
from web.forms import MOST_VERSION as MOST
from web.forms import Form, number_of
from web.listing import Column, Filter
from web.problems import Problems

DATES_TOLD = 8
MOST_TYPED = 4000
COLUMNS = (
    Column("title", "calendars.name"),
    Column("place", "calendars.place"),
    Column("effect", "calendars.effect", sort=False),
    Column("next", "calendars.next"),
)
_LINE = re.compile(
    r"\s*(?P<day>\d{1,2})\s*[/.-]\s*(?P<month>\d{1,2})(?:\s*[/.-]\s*(?P<year>\d{4}))?"
    r"(?P<lunar>\s*(?:âm lịch|âm|al|lunar))?"
    r"(?:\s*,\s*(?P<count>\d{1,2})\s*(?:ngày|days?))?"
    r"(?:\s*,\s*(?:từ trước|trước|from)\s*(?P<before>\d{1,2})\s*(?:ngày|days? before))?\s*\Z",
    re.IGNORECASE,
)
"""``24/11/2031``, ``2/9``, ``10/3 âm lịch``, ``1/1 âm lịch, 5 ngày, trước 1 ngày``."""


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    title: str = ""
    area_id: str = ""
    days: str = ""
    national: bool = False
    effect: str = "suspend"
    programme: str = ""
    version: int = 0


@dataclass(frozen=True)
class Line:
    """A calendar in the list."""

    id: str
    title: str
    place: str
    effect: str
    dates: tuple[str, ...]
    more: int
    """Dates beyond those that are named."""
    mine: bool
    """Whether this person may change it."""


def read_draft(typed: Form) -> Draft:
    """Take what was typed."""
    return Draft(
        title=typed.one("title").strip(),
        area_id=typed.one("area_id")[:64],
        days=typed.one("days")[:MOST_TYPED].replace("\r\n", "\n"),
        national=typed.one("national") == "yes",
        effect="replace" if typed.one("effect") == "replace" else "suspend",
        programme=typed.one("programme")[:64],
        version=number_of(typed.one("version"), most=MOST) or 0,
    )


def draft_of(known: CalendarOut, form: Formats) -> Draft:
    """Begin a change of a calendar."""
    return Draft(
        title=known.title,
        area_id=known.area_id,
        days="\n".join(_written(each, form) for each in known.days if not isinstance(each, NationalHolidays)),
        national=any(isinstance(each, NationalHolidays) for each in known.days),
        effect=str(known.effect),
        programme=known.programme_id or "",
        version=known.version,
    )


def _written(each: CalendarDay, form: Formats) -> str:
    if isinstance(each, FixedDay):
        said = form.written(each.date)
    elif isinstance(each, LunarDay):
        said = form.text("calendars.lunar_line", day=each.day, month=each.month)
    elif isinstance(each, NationalHolidays):
        return form.text("calendars.national")
    else:
        said = f"{each.day}/{each.month}"
    if each.days > 1:
        said += form.text("calendars.count_line", count=each.days)
    if isinstance(each, LunarDay) and each.before:
        said += form.text("calendars.before_line", count=each.before)
    return said


def read_days(draft: Draft, form: Formats) -> tuple[list[dict[str, Any]], Problems]:
    """Read the days that a draft names; what cannot be read is named with its line."""
    found: list[dict[str, Any]] = [{"kind": "national"}] if draft.national else []
    for line in filter(str.strip, draft.days.split("\n")):
        entry = _read(line)
        if entry is None:
            return [], {"days": form.text("wrong.days_line", line=line.strip()[:60])}
        found.append(entry)
    if not found:
        return [], {"days": form.text("wrong.days_empty")}
    if len(found) > MAX_DAYS:
        return [], {"days": form.text("wrong.days_too_many", most=MAX_DAYS)}
    return found, {}


def _read(line: str) -> dict[str, Any] | None:
    said = _LINE.match(line)
    if said is None:
        return None
    day, month, count = int(said["day"]), int(said["month"]), int(said["count"] or 1)
    if not (1 <= month <= 12 and 1 <= day <= 31 and 1 <= count <= MAX_SPAN):
        return None
    if said["lunar"]:
        is_one = said["year"] is None and day <= 30
        before = int(said["before"] or 0)
        return {"kind": "lunar", "month": month, "day": day, "days": count, "before": before} if is_one else None
    if said["before"]:
        return None
    if said["year"] is None:
        return {"kind": "yearly", "month": month, "day": day, "days": count}
    return {"kind": "date", "date": f"{said['year']}-{month:02}-{day:02}", "days": count}


def line(known: CalendarOut, names: Mapping[str, str], *, mine: bool, form: Formats) -> Line:
    """Show a calendar in the list."""
    dates = [form.short_day(day) for day in known.next_dates]
    return Line(
        id=known.id,
        title=known.title,
        place=names.get(known.area_id, form.text("calendars.above")),
        effect=form.text(f"calendars.{known.effect}s"),
        dates=tuple(dates[:DATES_TOLD]),
        more=max(0, len(dates) - DATES_TOLD),
        mine=mine,
    )


def filters(form: Formats) -> tuple[Filter, ...]:
    """Say by what calendars are narrowed."""
    return (Filter("effect", "calendars.effect", tuple(effects(form))),)


def sorts(names: Mapping[str, str]) -> Mapping[str, Callable[[CalendarOut], Any]]:
    """Give by what they are put in order; those of which nothing comes are last."""
    return {
        "title": lambda each: in_reading_order(each.title),
        "place": lambda each: (in_reading_order(names.get(each.area_id, "")), in_reading_order(each.title)),
        "next": lambda each: (not each.next_dates, each.next_dates[:1], in_reading_order(each.title)),
    }


def effects(form: Formats) -> Sequence[tuple[str, str]]:
    """List what a calendar may do."""
    return [(str(each), form.text(f"calendars.{each}s")) for each in OnCalendarDay]


def examples(form: Formats) -> Iterator[str]:
    """Give lines as they may be written."""
    for key in ("once", "yearly", "lunar", "tet"):
        yield form.text(f"calendars.example_{key}")
