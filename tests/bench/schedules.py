"""Dates of schedules: a province's year expanded."""

import time
from datetime import UTC, date, datetime, timedelta

from controller.schedules import expand as expanding
from controller.schedules import rrules
from controller.schedules.days import dates_between, read_days
from controller.schedules.expand import Change, DayRule, Series, expand
from controller.schedules.models import DateChange
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
        " cancelled date, under Tết, national holidays and a day of each commune; caches empty before each run",
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
    series = [_series(commune, hour) for commune in range(COMMUNES) for hour in SESSIONS]
    begun = time.perf_counter()
    shared = read_days([{"kind": "national"}, {"kind": "lunar", "month": 1, "day": 1, "before": 1, "days": 3}])
    first, last = (each.date() for each in YEAR)
    common = dict.fromkeys(dates_between(shared, first, last), DayRule("Nghỉ lễ"))
    dates = sum(len(list(expand(each, *YEAR, {**common, **_own(number)}))) for number, each in enumerate(series))
    taken = time.perf_counter() - begun
    if dates != len(series) * 365:
        raise AssertionError(f"{dates} dates instead of {len(series) * 365}")
    return taken


def _series(commune: int, hour: int) -> Series:
    start = datetime(2026, 1, 5, hour, commune % 60, commune // 60)  # noqa: DTZ001 - wall time
    moved, cancelled = (start.replace(year=2027, month=month) for month in (3, 8))
    changes = {
        moved: Change(DateChange.MOVED, moved + timedelta(minutes=20)),
        cancelled: Change(DateChange.CANCELLED),
    }
    return Series("programme", "Asia/Ho_Chi_Minh", start, "FREQ=DAILY", None, changes)


def _own(number: int) -> dict[date, DayRule]:
    return {date(2027, 1 + number % 12, 15): DayRule("Hội làng", "festival")}
