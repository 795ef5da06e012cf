"""Dates of schedules: a province's year expanded, and a node's day resolved by its own function."""

import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from controller.schedules import expand as expanding
from controller.schedules.days import dates_between, read_days
from controller.schedules.expand import Change, DayRule, Series, expand
from controller.schedules.models import DateChange
from tests.bench.figures import Result, quantile, spread
from tests.controller.factories import Centre, centre
from tests.controller.schedules.village import programme, wish

COMMUNES = 100
SESSIONS = (5, 11, 17)
YEAR = (datetime(2026, 12, 31, 17, tzinfo=UTC), datetime(2027, 12, 31, 17, tzinfo=UTC))
"""2027 by the clock of Hanoi."""
YEAR_S, DAY_MS = 1.0, 50.0


async def run(*, quick: bool) -> Result:
    """Measure both."""
    result = Result(
        "schedules",
        "A year of schedules expanded; the preview of a day",
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
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
        async with centre(Path(folder)) as here:
            days_ms = await _days(here, 5 if quick else 50)
    result.add(
        "a node's day resolved, rows read and all",
        spread(days_ms, "ms", shares=(0.5, 0.95)),
        samples=len(days_ms),
        target="≤ 50 ms",
        good=quantile(days_ms, 0.95) <= DAY_MS,
    )
    result.raw = {"year_s": seconds, "day_ms": days_ms}
    return result


def _year() -> float:
    expanding._dates.cache_clear()
    expanding._days.cache_clear()
    expanding._parsed.cache_clear()
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


async def _days(here: Centre, samples: int) -> list[float]:
    """A commune with three sessions of ten items, looked at by one of its nodes, today and far ahead."""
    area = await here.area(quiet_hours=[])
    node = await here.node(area)
    for hour in SESSIONS:
        plays = await programme(here, area, *[1.0] * 10)
        wanted = wish(area, plays, f"2026-03-10T{hour:02}:00:00", confirm_unusual=True)
        await here.services.schedules.create(here.actor, wanted)
    found = []
    for number in range(samples):
        day = date(2026, 3, 11) if number % 2 else date(2026, 6, 11)
        begun = time.perf_counter()
        seen = await here.services.days.of(here.actor, node.id, day)
        found.append((time.perf_counter() - begun) * 1000)
        if len(seen.entries) != len(SESSIONS):
            raise AssertionError(f"{len(seen.entries)} sessions on {day}")
    return found
