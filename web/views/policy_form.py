"""The form that changes the rules of an area. Pure.

A rule whose fields stand as they were given is asked for as the row keeps it, whatever the form could show of it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from controller.policies.schemas import PolicyOut, PolicyRules
from controller.search import folded
from web.formats import Formats
from web.forms import MOST_VERSION, Form, Unclear, each_of, number_of
from web.views.hours import hour_said, spans, spans_said
from web.views.kinds import kept_names
from web.views.policies import decibels, windows_said

NUMBERS = ("sessions_a_day", "minutes_a_session", "minutes_a_day", "lease_hours", "download_kbit_s")
MOST_NUMBER, MOST_OF = 1440, {"download_kbit_s": 100_000}
"""Of what is counted in minutes or times, and of what is not."""
SECOND: Mapping[str, tuple[dict[str, str], ...]] = {"none": (), "priority": ({"level": "priority"},), "all": ({},)}
"""What the form says of the second person in one word."""
SOME = "some"
"""The second person is said category by category."""
EVERY = "*"
MOST_ROWS = 60
"""Categories are 50 at most; below them is room for new ones."""
_DECIBELS = re.compile(r"\s*(\d{1,2})(?:[.,](\d{1,2}))?\s*\Z")

Named = tuple[tuple[str, str], ...]
"""Codes of categories, each with a word."""


class Category(NamedTuple):
    """A category of bulletins in the form."""

    code: str
    """Empty: it is new."""
    name: str
    """Empty: it is taken out."""
    was: str
    """Its name when the form was given."""


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed. Empty: as the area above says."""

    version: int
    windows: str = ""
    any_hour: bool = False
    """Windows are said, and there is none: every hour that is not quiet."""
    earliest: str = ""
    numbers: Named = ()
    night_hours: str = ""
    night_cap: str = ""
    second_person: str = ""
    seconds: Named = ()
    """With ``SOME``: categories, each with the level at which it takes a second person."""
    alone_categories: tuple[str, ...] = ()
    alone_minutes: str = ""
    alone_a_day: str = ""
    alone_priority: bool = False
    categories: tuple["Category", ...] = ()
    """What bulletins may be about."""
    categories_typed: bool = False
    """One of them was changed, added or taken out."""
    categories_above: bool = False
    """The list of its own is given up."""
    locked: tuple[str, ...] = ()


def draft_of(policy: PolicyOut, offered: Named, form: Formats) -> Draft:
    """Begin a change of what an area says itself. ``offered``: the categories that hold there, with their words."""
    rules, alone = policy.rules, policy.rules.self_approval
    second, seconds = _second_of(rules)
    return Draft(
        version=policy.version,
        windows=windows_said(rules.windows),
        any_hour=rules.windows == (),
        earliest=rules.earliest or "",
        numbers=tuple((name, _typed(getattr(rules, name))) for name in NUMBERS),
        night_hours=f"{rules.night.start}–{rules.night.until}" if rules.night else "",
        night_cap=decibels(rules.night.cap_mb, form) if rules.night else "",
        second_person=second,
        seconds=seconds,
        alone_categories=tuple(sorted(alone.categories)) if alone else (),
        alone_minutes=_typed(alone.minutes if alone else None),
        alone_a_day=_typed(alone.a_day if alone else None),
        alone_priority=alone is not None and alone.level == "priority",
        categories=tuple(Category(code, name, name) for code, name in offered),
        locked=policy.locked,
    )


def _typed(number: int | None) -> str:
    return "" if number is None else str(number)


def _second_of(rules: PolicyRules) -> tuple[str, Named]:
    if rules.second_person is None:
        return "", ()
    said = tuple(each.model_dump(exclude_defaults=True) for each in rules.second_person)
    plain = next((name for name, meant in SECOND.items() if said == meant), None)
    if plain is not None:
        return plain, ()
    levels: dict[str, set[str]] = {}
    for each in rules.second_person:
        levels.setdefault(each.category, set()).add(each.level)
    return SOME, tuple((code, found.pop() if len(found) == 1 else EVERY) for code, found in sorted(levels.items()))


def read_draft(typed: Form) -> Draft:
    """Take what was typed."""
    categories = _categories_in(typed)
    return Draft(
        version=number_of(typed.one("version"), most=MOST_VERSION) or 0,
        windows=typed.one("windows").strip(),
        any_hour=typed.one("any_hour") == "yes",
        earliest=typed.one("earliest").strip(),
        numbers=tuple((name, typed.one(name).strip()) for name in NUMBERS),
        night_hours=typed.one("night_hours").strip(),
        night_cap=typed.one("night_cap").strip(),
        second_person=typed.one("second_person"),
        seconds=_seconds_in(typed),
        alone_categories=tuple(sorted(typed.many("alone_category"))),
        alone_minutes=typed.one("alone_minutes").strip(),
        alone_a_day=typed.one("alone_a_day").strip(),
        alone_priority=typed.one("alone_priority") == "yes",
        categories=categories,
        categories_typed=any(each.name != each.was for each in categories),
        categories_above=typed.one("categories_above") == "yes",
        locked=tuple(typed.many("locked")),
    )


def _seconds_in(typed: Form) -> Named:
    rows = ((typed.one(f"second_of-{at}"), typed.one(f"second-{at}")) for at in range(MOST_ROWS))
    return tuple(sorted(row for row in rows if row[1]))


def _categories_in(typed: Form) -> tuple[Category, ...]:
    rows = (
        Category(
            typed.one(f"category_code-{at}"),
            " ".join(typed.one(f"category-{at}").split()),
            typed.one(f"category_was-{at}"),
        )
        for at in range(MOST_ROWS)
    )
    return tuple(row for row in rows if row.name or row.was)


def wanted(draft: Draft, known: PolicyOut, form: Formats) -> dict[str, Any]:
    """Give what the service is to be asked for.

    Raises:
        Unclear: a field cannot be understood.
    """
    holding = next((each.value for each in known.effective if each.rule == "categories"), None)
    begun = draft_of(known, tuple(kept_names(holding or ()).items()), form)
    reads: dict[str, Callable[[], Any]] = {}
    kept: dict[str, Any] = {}
    for name, was, typed in zip(NUMBERS, begun.numbers, draft.numbers, strict=True):
        if was == typed:
            kept[name] = getattr(known.rules, name)
        else:
            reads[name] = partial(_number, typed[1], name, form) if typed[1] else _nothing
    for rule, (fields, read) in _READ.items():
        if all(getattr(begun, field) == getattr(draft, field) for field in fields):
            kept[rule] = getattr(known.rules, rule)
        else:
            reads[rule] = partial(read, draft, begun, form)
    return {"version": draft.version, "rules": kept | each_of(reads), "locked": draft.locked}


def _nothing() -> None:
    """A number that was taken out: the place above says it."""


def _windows(draft: Draft, begun: Draft, form: Formats) -> list[dict[str, str]] | None:
    return spans_said((draft.windows, draft.any_hour), (begun.windows, begun.any_hour), "windows", form)


def _earliest(draft: Draft, _: Draft, form: Formats) -> str | None:
    return hour_said(draft.earliest, "earliest", form) if draft.earliest else None


def _night(draft: Draft, _: Draft, form: Formats) -> dict[str, Any] | None:
    if not draft.night_hours and not draft.night_cap:
        return None
    found = each_of({"hours": lambda: _one_night(draft, form), "cap_mb": lambda: _night_cap(draft, form)})
    return {**found["hours"], "cap_mb": found["cap_mb"]}


def _one_night(draft: Draft, form: Formats) -> dict[str, str]:
    hours = spans(draft.night_hours, "night_hours", form)
    if len(hours) > 1:
        raise Unclear({"night_hours": form.text("policies.one_night")})
    return hours[0]


def _night_cap(draft: Draft, form: Formats) -> int:
    found = _DECIBELS.match(draft.night_cap)
    if found is None or int(found[1]) > 96:
        raise Unclear({"night_cap": form.text("policies.wrong_decibels")})
    return -100 * int(found[1]) - int((found[2] or "0").ljust(2, "0"))


def _alone(draft: Draft, _: Draft, form: Formats) -> dict[str, Any] | None:
    if not (draft.alone_categories or draft.alone_minutes or draft.alone_a_day or draft.alone_priority):
        return None
    # Nothing a day is nothing however long: a length need not be thought of.
    is_none = not draft.alone_minutes and number_of(draft.alone_a_day, most=0) == 0
    numbers = each_of(
        {
            "minutes": lambda: _number("1" if is_none else draft.alone_minutes, "alone_minutes", form),
            "a_day": lambda: _number(draft.alone_a_day, "alone_a_day", form),
        }
    )
    level = "priority" if draft.alone_priority else "normal"
    return {"categories": draft.alone_categories, "level": level} | numbers


def _second_person(draft: Draft, begun: Draft, form: Formats) -> Sequence[Mapping[str, str]] | None:
    if draft.second_person != SOME:
        if draft.seconds != begun.seconds:
            raise Unclear({"second_person": form.text("policies.second_choose_some")})
        return SECOND.get(draft.second_person)
    if not draft.seconds:
        raise Unclear({"second_person": form.text("policies.second_some_empty")})
    return [{"category": code, "level": level} for code, level in draft.seconds]


def _categories(draft: Draft, begun: Draft, form: Formats) -> list[dict[str, str]] | None:
    if draft.categories_above:
        return None
    kept = [each for each in draft.categories if each.name]
    names = [each.name.casefold() for each in kept]
    if not names or len(set(names)) < len(names):
        raise Unclear({"categories": form.text("policies.categories_twice" if names else "policies.categories_empty")})
    taken, as_kept = {each.code for each in kept}, {each.code: each.name for each in begun.categories}
    found = []
    for each in kept:
        code = each.code or _code(each.name, taken)
        taken.add(code)
        name = as_kept.get(code, each.name) if each.name == each.was else each.name
        found.append({"code": code, "name": name})
    return found


def _code(name: str, taken: set[str]) -> str:
    """Make what rules will know a category by; it stays when the name is mended."""
    plain = re.sub(r"[^a-z0-9]+", "_", folded(name)).strip("_")[:30]
    plain = plain if plain[:1].isalpha() else f"loai_{plain}".rstrip("_")
    return next(code for code in (plain, *(f"{plain}_{n}" for n in range(2, 99))) if code not in taken)


_Read = Callable[[Draft, Draft, Formats], Any]
_READ: Mapping[str, tuple[tuple[str, ...], _Read]] = {
    "windows": (("windows", "any_hour"), _windows),
    "earliest": (("earliest",), _earliest),
    "night": (("night_hours", "night_cap"), _night),
    "self_approval": (("alone_categories", "alone_minutes", "alone_a_day", "alone_priority"), _alone),
    "second_person": (("second_person", "seconds"), _second_person),
    "categories": (("categories_typed", "categories_above"), _categories),
}
"""Rule → the fields that say it, and what reads them."""


def _number(typed: str, field: str, form: Formats) -> int:
    most = MOST_OF.get(field, MOST_NUMBER)
    found = number_of(typed, most=most)
    if found is None:
        raise Unclear({field: form.text("wrong.number", most=most)})
    return found
