"""Dates of schedules: a province's year expanded."""

import time
from datetime import UTC, datetime, timedelta

from controller.areas.rules import Place, Tree
from controller.schedules import days, rrules
from controller.schedules import expand as expanding
from controller.schedules.expand import Change, Series, expand
from controller.schedules.models import Calendar
from controller.schedules.repository import Calendars
from controller.schedules.states import DateChange, OnCalendarDay
from tests.bench.figures import Result, spread

COMMUNES = 100
SESSIONS = (5, 11, 17)
YEAR = (datetime(2026, 12, 31, 17, tzinfo=UTC), datetime(2027, 12, 31, 17, tzinfo=UTC))
"""2027 by the clock of Hanoi."""
YEAR_S = 1.0


async def run(*, quick: bool) -> Result:
    """Measure."""
    result = Result(
        "schedules",
        "A year of schedules expanded",
        f"{COMMUNES} communes with {len(SESSIONS)} daily sessions each, every one at its own minute with a moved and a"
        " cancelled date, under a calendar of the province (Tết) and two of each commune (Tết and national holidays, a"
        " day of its own); caches empty before each run",
    )
    seconds = [_year() for _ in range(2 if quick else 10)]
    result.add(
        "a province's year expanded",
        spread(seconds, "s", 2, (0.5,)),
        samples=len(seconds),
        target="≤ 1 s",
        good=max(seconds) <= YEAR_S,
    )
    result.raw = {"year_s": seconds}
    return result


def _year() -> float:
    expanding._dates.cache_clear()
    expanding._days.cache_clear()
    rrules._parsed.cache_clear()
    days._holidays.cache_clear()
    days._solar.cache_clear()
    series = [(f"{commune}", _series(commune, hour)) for commune in range(COMMUNES) for hour in SESSIONS]
    tree, rows = _places(), _calendars()
    first, last = (each.date() for each in YEAR)
    begun = time.perf_counter()
    calendars = Calendars(tree, rows)
    dates = sum(len(list(expand(each, *YEAR, calendars.of(area_id, first, last)))) for area_id, each in series)
    taken = time.perf_counter() - begun
    if dates != len(series) * 365:
        raise AssertionError(f"{dates} dates instead of {len(series) * 365}")
    return taken


def _places() -> Tree:
    communes = [_place(f"{number}", "province") for number in range(COMMUNES)]
    return Tree([_place("province", None), *communes])


def _place(area_id: str, parent_id: str | None) -> Place:
    return Place(area_id, parent_id, "commune", area_id, zone=None, quiet_hours=None, languages=None)


def _calendars() -> list[Calendar]:
    tet = {"kind": "lunar", "month": 1, "day": 1, "before": 1, "days": 3}
    found = [_calendar("province", tet)]
    for number in range(COMMUNES):
        found.append(_calendar(f"{number}", tet, {"kind": "national"}))
        fair = {"kind": "yearly", "month": 1 + number % 12, "day": 15}
        found.append(_calendar(f"{number}", fair, programme_id="festival"))
    return found


def _calendar(area_id: str, *said: dict[str, object], programme_id: str | None = None) -> Calendar:
    return Calendar(
        id=f"{area_id}-{programme_id}",
        area_id=area_id,
        title="Nghỉ lễ",
        days=[*said],
        effect=OnCalendarDay.REPLACE if programme_id else OnCalendarDay.SUSPEND,
        programme_id=programme_id,
        created_at=YEAR[0],
    )


def _series(commune: int, hour: int) -> Series:
    start = datetime(2026, 1, 5, hour, commune % 60, commune // 60)  # noqa: DTZ001 - wall time
    moved, cancelled = (start.replace(year=2027, month=month) for month in (3, 8))
    changes = {
        moved: Change(DateChange.MOVED, moved + timedelta(minutes=20)),
        cancelled: Change(DateChange.CANCELLED),
    }
    return Series("programme", "Asia/Ho_Chi_Minh", start, "FREQ=DAILY", None, changes)
