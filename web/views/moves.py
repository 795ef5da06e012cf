"""What moving places would change, in sentences. Pure."""

from collections.abc import Mapping
from typing import Any

from controller.areas.move_schemas import GrantChangeOut, HandedOut, HeardChangeOut, MovedOut, MoveOut, RuleChangeOut
from web.formats import Formats

MOST_LINES = 60
"""Of one kind; the others are counted."""


def sections(found: MoveOut, form: Formats) -> list[tuple[str, list[str]]]:
    """Say all that a move changes, under headings; what changes nothing has none."""
    said = [
        ("moved", [_moved(each, form) for each in found.moved]),
        ("rules", [_rule(each, form) for each in found.rules]),
        ("heard", [_heard(each, form) for each in found.heard]),
        ("handed", [_handed(each, form) for each in found.handed_over]),
        ("grants", [_grant(each, form) for each in found.grants]),
    ]
    return [(form.text(f"moves.{key}"), _cut(lines, form)) for key, lines in said if lines]


def _cut(lines: list[str], form: Formats) -> list[str]:
    left = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], form.text("moves.more", count=left)] if left > 0 else lines


def _moved(each: MovedOut, form: Formats) -> str:
    before, after = (" · ".join(path) for path in (each.path_before, each.path_after))
    nodes = form.text("count.nodes", count=each.node_count)
    nowhere = form.text("area.no_parent")
    return form.text("moves.moved_one", name=each.name, before=before or nowhere, after=after, nodes=nodes)


def _rule(each: RuleChangeOut, form: Formats) -> str:
    return form.text(
        "moves.rule_one",
        rule=form.text.word("rule", each.rule) if form.text.has(f"rule.{each.rule}") else each.rule,
        before=_value(each.before, form),
        after=_value(each.after, form),
        places=form.names(each.areas),
        nodes=form.text("count.nodes", count=each.node_count),
    )


def _value(value: Any, form: Formats) -> str:
    if value is None or value in ([], ()):
        return form.text("moves.nothing")
    if isinstance(value, list | tuple):
        return ", ".join(_part(each, form) for each in value)
    return _part(value, form)


def _part(value: Any, form: Formats) -> str:
    if isinstance(value, Mapping):
        if {"start", "until"} <= value.keys():
            return f"{value['start']}–{value['until']}"
        if "name" in value:
            return str(value["name"])
        return form.text("moves.own_rule")
    key = f"spoken.{value}"
    return form.text(key) if isinstance(value, str) and form.text.has(key) else str(value)


def _heard(each: HeardChangeOut, form: Formats) -> str:
    how = "stays" if each.stays else "comes" if each.reaches else "goes"
    when = form.long(each.at) if each.at is not None else ""
    nodes = form.text("count.nodes", count=each.node_count)
    return form.text(f"moves.{each.kind}_{how}", title=each.title, when=when, nodes=nodes)


def _handed(each: HandedOut, form: Formats) -> str:
    before = each.area_before or form.text("people.everywhere")
    what = form.text(f"moves.handed_{each.kind}")
    return form.text("moves.handed_one", what=what, title=each.title, before=before, after=each.area_after)


def _grant(each: GrantChangeOut, form: Formats) -> str:
    key = "moves.grant_gains" if each.gains else "moves.grant_loses"
    role = form.text.word("role", each.role)
    return form.text(key, name=each.name, role=role, place=each.area, places=form.names(each.areas))
