"""Rules of an area: what holds there in words, the form that changes them, as people read and type them. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.areas.schemas import QuietWindow
from controller.policies.schemas import PolicyOut, PolicyRules, RuleOut, Window
from web.formats import Formats
from web.forms import MOST_VERSION, Form, Unclear, hour_of, number_of

NUMBERS = ("sessions_a_day", "minutes_a_session", "minutes_a_day", "lease_hours", "download_kbit_s")
MOST_NUMBER, MOST_OF = 1440, {"download_kbit_s": 100_000}
"""Of what is counted in minutes or times, and of what is not."""
SECOND = {"none": (), "priority": ({"level": "priority"},), "all": ({},)}
"""What the form can say of the second person."""
KEPT = "kept"
"""The rule is finer than the form can say; it stays as it is."""
_WINDOW = re.compile(r"\s*([^-–]+)[-–]([^-–]+)\Z")


@dataclass(frozen=True)
class Line:
    """One rule as it holds."""

    rule: str
    name: str
    value: str
    origin: str
    is_set: bool = True
    """Somebody says so; else it is as it is everywhere."""


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed. Empty: as the area above says."""

    version: int
    windows: str = ""
    earliest: str = ""
    numbers: tuple[tuple[str, str], ...] = ()
    night_hours: str = ""
    night_cap: str = ""
    second_person: str = ""
    alone_categories: tuple[str, ...] = ()
    alone_minutes: str = ""
    alone_a_day: str = ""
    locked: tuple[str, ...] = ()


def lines(policy: PolicyOut, form: Formats) -> list[Line]:
    """Say what holds in an area, and who says so."""
    return [_line(each, policy.area_id, form) for each in policy.effective]


def _line(each: RuleOut, area_id: str, form: Formats) -> Line:
    name = form.text(f"rule.{each.rule}")
    is_set = each.from_id is not None or bool(each.locked_by_id)
    return Line(each.rule, name[:1].upper() + name[1:], _value(each, form), _origin(each, area_id, form), is_set)


def _origin(each: RuleOut, area_id: str, form: Formats) -> str:
    text = form.text
    if each.locked_by_name and each.locked_by_id != area_id:
        return text("policies.locked_by", place=each.locked_by_name)
    if each.from_id is None:
        return text("policies.by_default")
    return text("policies.own") if each.from_id == area_id else text("policies.from", place=each.from_name or "")


def _value(each: RuleOut, form: Formats) -> str:
    text, value = form.text, each.value
    if value is None or value == ():
        key = f"policies.no_{each.rule}"
        return text(key if text.has(key) else "policies.no_limit")
    said = _SAID.get(each.rule)
    return said(value, form) if said else str(value)


def _night_said(value: Any, form: Formats) -> str:
    return form.text("policies.night_said", hours=f"{value.start}–{value.until}", cap=f"{value.cap_mb / 100:+.0f}")


def _alone_said(value: Any, form: Formats) -> str:
    names = ", ".join(form.text.word("category", code) for code in value.categories)
    return form.text("policies.alone_said", categories=names, minutes=value.minutes, count=value.a_day)


def _second_said(value: Any, form: Formats) -> str:
    text = form.text
    kinds = [
        text(
            "policies.second_one",
            category=text("policies.any_category") if each.category == "*" else text.word("category", each.category),
            level=text("policies.any_level") if each.level == "*" else text(f"level.{each.level}"),
        )
        for each in value
    ]
    return "; ".join(kinds)


_SAID: Mapping[str, Callable[[Any, Formats], str]] = {
    "quiet_hours": lambda value, _: windows_said(value),
    "windows": lambda value, _: windows_said(value),
    "languages": lambda value, form: ", ".join(form.text.word("spoken", code) for code in value),
    "night": _night_said,
    "self_approval": _alone_said,
    "second_person": _second_said,
    "categories": lambda value, _: ", ".join(each.name for each in value),
}


def draft_of(policy: PolicyOut) -> Draft:
    """Begin a change of what an area says itself."""
    rules = policy.rules
    return Draft(
        version=policy.version,
        windows=", ".join(map(str, rules.windows or ())),
        earliest=rules.earliest or "",
        numbers=tuple((name, str(getattr(rules, name) or "")) for name in NUMBERS),
        night_hours=f"{rules.night.start}–{rules.night.until}" if rules.night else "",
        night_cap=str(-rules.night.cap_mb // 100) if rules.night else "",
        second_person=_second_of(rules),
        alone_categories=rules.self_approval.categories if rules.self_approval else (),
        alone_minutes=str(rules.self_approval.minutes) if rules.self_approval else "",
        alone_a_day=str(rules.self_approval.a_day) if rules.self_approval else "",
        locked=policy.locked,
    )


def _second_of(rules: PolicyRules) -> str:
    if rules.second_person is None:
        return ""
    said = tuple(each.model_dump(exclude_defaults=True) for each in rules.second_person)
    return next((name for name, meant in SECOND.items() if said == meant), KEPT)


def read_draft(typed: Form) -> Draft:
    """Take what was typed."""
    return Draft(
        version=number_of(typed.one("version"), most=MOST_VERSION) or 0,
        windows=typed.one("windows").strip(),
        earliest=typed.one("earliest").strip(),
        numbers=tuple((name, typed.one(name).strip()) for name in NUMBERS),
        night_hours=typed.one("night_hours").strip(),
        night_cap=typed.one("night_cap").strip(),
        second_person=typed.one("second_person"),
        alone_categories=tuple(typed.many("alone_category")),
        alone_minutes=typed.one("alone_minutes").strip(),
        alone_a_day=typed.one("alone_a_day").strip(),
        locked=tuple(typed.many("locked")),
    )


def wanted(draft: Draft, known: PolicyOut, form: Formats) -> dict[str, Any]:
    """Give what the service is to be asked for.

    Raises:
        Unclear: a field cannot be understood.
    """
    rules: dict[str, Any] = {name: _number(value, name, form) for name, value in draft.numbers if value}
    if draft.windows:
        rules["windows"] = windows(draft.windows, "windows", form)
    if draft.earliest:
        rules["earliest"] = _hour(draft.earliest, "earliest", form)
    if draft.night_hours:
        [hours] = windows(draft.night_hours, "night_hours", form)[:1]
        rules["night"] = hours | {"cap_mb": -100 * _number(draft.night_cap or "0", "night_cap", form)}
    if draft.second_person == KEPT:
        rules["second_person"] = known.rules.second_person
    elif draft.second_person in SECOND:
        rules["second_person"] = SECOND[draft.second_person]
    if draft.alone_minutes or draft.alone_a_day:
        rules["self_approval"] = {
            "categories": draft.alone_categories,
            "minutes": _number(draft.alone_minutes, "alone_minutes", form),
            "a_day": _number(draft.alone_a_day, "alone_a_day", form),
            "level": known.rules.self_approval.level
            if known.rules.self_approval
            else "normal",  # no field of this form
        }
    rules["categories"] = known.rules.categories  # no field of this form
    return {"version": draft.version, "rules": rules, "locked": draft.locked}


def windows(typed: str, field: str, form: Formats) -> list[dict[str, str]]:
    """Read hours as people write them: ``05:00–06:30, 17:00–18:30``.

    Raises:
        Unclear: they cannot be understood.
    """
    found = [_WINDOW.match(part) for part in re.split(r"[,;]", typed)]
    if not all(found):
        raise Unclear({field: form.text("wrong.windows")})
    return [{"start": _hour(each[1], field, form), "until": _hour(each[2], field, form)} for each in found if each]


def quiet_windows(typed: str, form: Formats) -> list[QuietWindow] | None:
    """Read quiet hours; None when nothing was typed.

    Raises:
        Unclear: they cannot be understood.
    """
    return [QuietWindow(**each) for each in windows(typed, "quiet", form)] if typed.strip() else None


def windows_said(found: Sequence[QuietWindow | Window] | None) -> str:
    """Write hours as ``windows`` reads them."""
    return ", ".join(f"{each.start}–{each.until}" for each in found or ())


def _hour(typed: str, field: str, form: Formats) -> str:
    found = hour_of(typed)
    if found is None:
        raise Unclear({field: form.text("wrong.hour")})
    return f"{found[0]:02}:{found[1]:02}"


def _number(typed: str, field: str, form: Formats) -> int:
    most = MOST_OF.get(field, MOST_NUMBER)
    found = number_of(typed, most=most)
    if found is None:
        raise Unclear({field: form.text("wrong.number", most=most)})
    return found
