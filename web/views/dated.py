"""What is true of many dates, said once: the mark in one line, and the dates for who wants to see each. Pure."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from controller.policies.schemas import BreachOut, UnusualOut
from web.formats import Formats
from web.words import Mark

_EachT = TypeVar("_EachT")


@dataclass(frozen=True)
class Told:
    """One line; below it its dates, when there is more than one."""

    mark: Mark
    dates: tuple[str, ...] = ()


def grouped(those: Iterable[tuple[Hashable, _EachT]]) -> list[list[_EachT]]:
    """Put together what has one key, in the order in which each key came first."""
    found: dict[Hashable, list[_EachT]] = {}
    for key, each in those:
        found.setdefault(key, []).append(each)
    return list(found.values())


def span_said(starts: Sequence[datetime], form: Formats) -> str:
    """Say how many dates, from when to when: ``28 ngày, từ … đến …``."""
    first, last = (form.day(at.astimezone(form.zone).date()) for at in (min(starts), max(starts)))
    return form.text("dates.span", count=len(starts), first=first, last=last)


def dates_said(starts: Sequence[datetime], form: Formats) -> tuple[str, ...]:
    """Name each date; none when there is one alone, for that stands in the line."""
    return tuple(form.long(at) for at in sorted(starts)) if len(starts) > 1 else ()


def breaches(found: Sequence[BreachOut], form: Formats) -> tuple[Told, ...]:
    """Name the rules that are broken, each once for the places where it is."""
    return tuple(
        _breach(those, form) for those in grouped(((each.rule, each.limit, each.area_names), each) for each in found)
    )


def _breach(those: Sequence[BreachOut], form: Formats) -> Told:
    first, starts = those[0], sorted({each.at for each in those})
    said = form.text(
        "say.breach_quiet_hours" if first.rule == "quiet_hours" else "say.breach",
        names=form.names(first.area_names),
        rule=form.text.word("rule", first.rule),
        limit=first.limit,
        found=form.names(list(dict.fromkeys(each.found for each in those))),
    )
    if len(starts) > 1:
        said = f"{said} {span_said(starts, form)}"
    return Told(Mark("triangle", "care", said), dates_said(starts, form))


def unusual_said(unusual: UnusualOut | None, form: Formats) -> str:
    """Say what is to be confirmed of an unusual hour; empty for none."""
    return form.text(f"say.unusual_{unusual.reason}", hour=unusual.hour) if unusual else ""
