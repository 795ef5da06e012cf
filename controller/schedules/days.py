"""Days that are not as others: from what a calendar says to the dates of a year. Pure.

The lunar calendar is ``lunar-vn``'s (right on every day of 1990–2060 that was compared), national holidays come from
``holidays``. Of years that those do not know nothing is said: nobody plans beyond ``LAST_DAY``.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Literal

from holidays import HolidayBase
from holidays.countries.vietnam import Vietnam
from lunar_vn import LunarDate, lunar_to_solar, solar_to_lunar
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from controller.errors import InvalidError
from controller.validation import NO_BOOL

MAX_DAYS = 400
MAX_SPAN = 60
"""Days of one entry: longer than the longest Tết, shorter than a season."""
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2099, 12, 31)
"""Of what is planned: a slip of the keyboard beyond is refused where it is typed."""
_NATIONAL: type[HolidayBase] = Vietnam
LUNAR_YEARS = range(1900, 2100)
"""That ``lunar-vn`` knows to their end, which lies in the next year by the sun."""

Span = Annotated[int, Field(ge=1, le=MAX_SPAN), NO_BOOL]
Month = Annotated[int, Field(ge=1, le=12), NO_BOOL]
DayOfMonth = Annotated[int, Field(ge=1, le=31), NO_BOOL]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Span = 1
    """How many days from there on."""


class FixedDay(_Entry):
    """One date: a mourning day."""

    kind: Literal["date"]
    date: Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]


class YearlyDay(_Entry):
    """A day of every year by the sun: 2 September. 29 February comes in leap years only."""

    kind: Literal["yearly"]
    month: Month
    day: DayOfMonth


class LunarDay(_Entry):
    """A day of every year by the Vietnamese lunar calendar: 10th of the third month.

    Day 30 of a month with 29 days is its last. Leap months are not meant.
    """

    kind: Literal["lunar"]
    month: Month
    day: Annotated[int, Field(ge=1, le=30), NO_BOOL]
    before: Annotated[int, Field(ge=0, le=30), NO_BOOL] = 0
    """Days before it that belong to it: Tết begins on the eve."""


class NationalHolidays(_Entry):
    """The public holidays of Viet Nam, days in lieu included."""

    kind: Literal["national"]


CalendarDay = Annotated[FixedDay | YearlyDay | LunarDay | NationalHolidays, Field(discriminator="kind")]

_ENTRIES: TypeAdapter[list[FixedDay | YearlyDay | LunarDay | NationalHolidays]] = TypeAdapter(
    Annotated[list[CalendarDay], Field(max_length=MAX_DAYS)]
)


def read_days(raw: Sequence[object]) -> list[FixedDay | YearlyDay | LunarDay | NationalHolidays]:
    """Check what a calendar says.

    Raises:
        InvalidError: an entry is none of the four kinds, or is no day.
    """
    try:
        entries = _ENTRIES.validate_python(list(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidError(f"days.{where}: {first['msg']}", field="days", problem="not_a_day", where=where) from None
    for index, entry in enumerate(entries):
        if isinstance(entry, YearlyDay) and not _exists(2024, entry.month, entry.day):  # a leap year
            raise InvalidError(
                f"days.{index}: {entry.day}/{entry.month} is in no year",
                field="days",
                problem="not_a_day",
                where=str(index),
            )
    return entries


def dates_between(entries: Iterable[_Entry], first: date, last: date) -> frozenset[date]:
    """Give the dates in ``[first, last]`` that a calendar names."""
    return frozenset(
        day
        for entry in entries
        for start, count in _spans(entry, first, last)
        for day in (start + timedelta(days=step) for step in range(count))
        if first <= day <= last
    )


def _spans(entry: _Entry, first: date, last: date) -> Iterator[tuple[date, int]]:
    if isinstance(entry, FixedDay):
        yield entry.date, entry.days
        return
    # A span may begin in the year before; a lunar year reaches into the next.
    for year in range(first.year - 1, last.year + 2):
        yield from _spans_of_year(entry, year)


def _spans_of_year(entry: _Entry, year: int) -> Iterator[tuple[date, int]]:
    if isinstance(entry, YearlyDay):
        if _exists(year, entry.month, entry.day):
            yield date(year, entry.month, entry.day), entry.days
    elif isinstance(entry, LunarDay):
        if year in LUNAR_YEARS:
            yield _solar(year, entry.month, entry.day) - timedelta(days=entry.before), entry.before + entry.days
    elif isinstance(entry, NationalHolidays):
        for day in _holidays(year):
            yield day, 1


@lru_cache(maxsize=64)
def _holidays(year: int) -> tuple[date, ...]:
    """Give the holidays of a year. All calendars ask for the same few years."""
    return tuple(_NATIONAL(years=year))


@lru_cache(maxsize=64)
def _named(year: int) -> dict[date, tuple[str, str]]:
    local, english = (_NATIONAL(years=year, language=language) for language in ("vi", "en_US"))
    return {day: (str(name), str(english.get(day, name))) for day, name in local.items()}


def holiday_names(day: date) -> tuple[str, str] | None:
    """Name the public holiday of a day, in Vietnamese and in English; None: it is none."""
    return _named(day.year).get(day)


@lru_cache(maxsize=4096)
def _solar(year: int, month: int, day: int) -> date:
    found = lunar_to_solar(LunarDate(day, month, year))
    # The library counts a day 30 that a month does not have as the first of the next.
    return found if solar_to_lunar(found).day == day else found - timedelta(days=1)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
