"""Rules of an area: what holds there in words, and who says so. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.areas.schemas import QuietWindow
from controller.policies.schemas import PolicyOut, RuleOut, Window
from web.formats import Formats
from web.views.kinds import kind_said


@dataclass(frozen=True)
class Line:
    """One rule as it holds."""

    rule: str
    name: str
    value: str
    origin: str
    is_set: bool = True
    """Somebody says so; else it is as it is everywhere."""


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
    return form.text(
        "policies.night_said", hours=f"{value.start}–{value.until}", cap=f"−{decibels(value.cap_mb, form)}"
    )


def _alone_said(value: Any, form: Formats) -> str:
    names = ", ".join(form.kind(code) for code in value.categories)
    return form.text("policies.alone_said", categories=names, minutes=value.minutes, count=value.a_day)


def _second_said(value: Any, form: Formats) -> str:
    text = form.text
    kinds = [
        text(
            "policies.second_one",
            category=text("policies.any_category") if each.category == "*" else form.kind(each.category),
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
    "categories": lambda value, form: ", ".join(kind_said(each, form.text) for each in value),
}


def windows_said(found: Sequence[QuietWindow | Window] | None) -> str:
    """Write hours as ``policy_form.windows`` reads them."""
    return ", ".join(f"{each.start}–{each.until}" for each in found or ())


def decibels(cap_mb: int, form: Formats) -> str:
    """Write how far down a ceiling lies, in decibels, to the hundredth: ``6,5``."""
    said = f"{-cap_mb / 100:g}"
    return said.replace(".", ",") if form.text.locale == "vi" else said
