"""How a node was over time: one sentence, and lines of a table that is drawn as curves. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from controller.nodes.history import STEP
from controller.nodes.schemas import HealthOut, HealthStepOut
from web.formats import Formats

SPANS = {1: timedelta(minutes=10), 7: timedelta(hours=1), 30: timedelta(hours=6)}
"""Days that are shown → what one line of the table stands for: never more than 168 lines."""
FIGURES = ("heard", "temperature", "rtt", "signal", "offset")
"""Columns that are drawn."""
MINUTE = timedelta(minutes=1) / STEP
"""Of a step: what is heard is counted by the minute."""
A_PART_H = 3
"""Hours that are opened at once of a single day; of more days, each is."""


@dataclass(frozen=True)
class Line:
    """A part of the time. Figures that are not known are None, and "–" in words."""

    at: int
    """Seconds since 1970."""
    when: str
    values: tuple[float | None, ...]
    """As ``FIGURES``."""
    words: tuple[str, ...]
    wrong: str
    """Its faults, and a weak supply."""

    @property
    def is_known(self) -> bool:
        """Tell whether anything was heard then."""
        return any(value is not None for value in self.values)


@dataclass(frozen=True)
class Part:
    """A day's figures, or those of some hours, opened by themselves: a month of them is no page to read."""

    name: str
    """Of an anchor: the same at the next look."""
    said: str
    """Which part, and whether something was wrong, or nothing is known."""
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Curves:
    """What the page of a node's health says."""

    said: str
    parts: tuple[Part, ...]
    """The latest first; their lines by time."""

    @property
    def is_known(self) -> bool:
        """Tell whether anything was heard in all the time."""
        return any(line.is_known for part in self.parts for line in part.lines)


def curves(found: HealthOut, days: int, since: datetime, form: Formats) -> Curves:
    """Sum up steps into the lines of a table; a time without a word has its line, and nothing in it.

    ``since``: when the node was adopted; nothing could be heard of it before.
    """
    width = SPANS[days]
    by_line: dict[int, list[HealthStepOut]] = defaultdict(list)
    first = _begin(found.from_at, width)
    for step in found.steps:
        by_line[int((step.at - first) / width)].append(step)
    count = int((found.until_at - first) / width) + 1
    lines = tuple(_line(first + width * index, by_line.get(index, []), width, form) for index in range(count))
    said = _said(found, lines, since, form) if found.steps else form.text("health.nothing")
    return Curves(said, _parts(lines, days, form))


def _parts(lines: Iterable[Line], days: int, form: Formats) -> tuple[Part, ...]:
    """Put together what is opened at once, by the clock of the place."""
    by_part: dict[tuple[date, int], list[Line]] = defaultdict(list)
    for line in lines:
        at = datetime.fromtimestamp(line.at, form.zone)
        by_part[at.date(), at.hour // A_PART_H * A_PART_H if days == 1 else 0].append(line)
    return tuple(
        Part(f"{day:%Y%m%d}-{hour:02}", _part_said(day, hour, those, days, form), tuple(those))
        for (day, hour), those in sorted(by_part.items(), reverse=True)
    )


def _part_said(day: date, hour: int, lines: Iterable[Line], days: int, form: Formats) -> str:
    """Say which part it is and what is in it in short, so that nobody has to open all of them."""
    said = form.day(day)
    if days == 1:
        said = form.text("health.hours", first=f"{hour:02}:00", last=f"{hour + A_PART_H:02}:00", day=said)
    known = [line for line in lines if line.is_known]
    if not known:
        return form.text("health.part_nothing", part=said)
    return form.text("health.part_wrong", part=said) if any(line.wrong for line in known) else said


def _begin(at: datetime, width: timedelta) -> datetime:
    seconds = int(width.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, at.tzinfo)


def _line(at: datetime, steps: list[HealthStepOut], width: timedelta, form: Formats) -> Line:
    values = (
        round(100 * sum(step.heard for step in steps) / (width / STEP), 1) if steps else None,
        max(_known(step.temperature_c for step in steps), default=None),
        _middle(step.link_rtt_ms for step in steps),
        _middle(step.link_signal for step in steps),
        max(_known(step.clock_offset_ms for step in steps), default=None, key=abs),
    )
    words = tuple(
        "–" if value is None else form.text(f"health.{name}_is", value=f"{value:.0f}")
        for name, value in zip(FIGURES, values, strict=True)
    )
    codes = dict.fromkeys(code for step in steps for code in step.faults)
    told = [form.text.word("fault_short", code) for code in codes]
    if any(step.supply_low for step in steps) and "under_voltage" not in codes:
        told.append(form.text.word("fault_short", "under_voltage"))
    return Line(int(at.timestamp()), form.hour(at), values, words, form.names(told, 2) if told else "")


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _middle(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return round(median(known), 1) if known else None


def _said(found: HealthOut, lines: Iterable[Line], since: datetime, form: Formats) -> str:
    """Say the whole time in words, before anything is drawn."""
    is_new = since > found.from_at
    heard = sum(step.heard for step in found.steps) / max(MINUTE, (found.until_at - max(since, found.from_at)) / STEP)
    percent = round(100 * min(1.0, heard))
    parts = [
        form.text("health.said_heard_since", since=form.when(since), percent=percent)
        if is_new
        else form.text("health.said_heard", percent=percent)
    ]
    hottest = max(_known(step.temperature_c for step in found.steps), default=None)
    if hottest is not None:
        parts.append(form.text("health.said_hot", count=round(hottest)))
    answers = _middle(step.link_rtt_ms for step in found.steps)
    if answers is not None:
        parts.append(form.text("health.said_answers", ms=round(answers)))
    if any(line.wrong for line in lines):
        parts.append(form.text("health.said_wrong"))
    return " ".join(parts)
