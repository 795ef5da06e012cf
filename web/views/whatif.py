"""What a change of a rule or schedule would change, in words; what changes alike is said once. Pure."""

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from controller.policies.schemas import ChangeOut, EndOut
from web.formats import Formats
from web.forms import Form
from web.views.dated import Told, dates_said, grouped, span_said
from web.words import Mark

MOST_LINES = 12
UNHEARD = frozenset({"missed", "refused", "expired"})
"""Outcomes that are told alike: it is not played."""


def change_lines(changes: Sequence[ChangeOut], form: Formats) -> list[Told]:
    """Say which broadcasts would go differently; those to come first, for only they can still be mended."""
    told = sorted(changes, key=lambda each: each.is_past)
    alike = grouped((_way(each, form), each) for each in told)
    lines = [_line(those, form) for those in alike[:MOST_LINES]]
    if rest := sum(map(len, alike[MOST_LINES:])):
        lines.append(Told(Mark("triangle", "care", form.text("whatif.more", count=rest))))
    return lines


def ended_lines(changes: Sequence[ChangeOut], form: Formats) -> list[Told]:
    """Say what is not heard any more, or otherwise, once something ends: what was heard stays as it was."""
    return change_lines([each for each in changes if not each.is_past], form)


@dataclass(frozen=True)
class Looked:
    """What saving would change, shown before it is done."""

    lines: tuple[Told, ...]
    mark: str
    """Names what was looked at: whoever saves something else after a look is shown that first."""
    unasked: bool
    """Saving was pressed, and waits until this was read."""


def looked(typed: Form, wanted: object, changes: Sequence[ChangeOut], form: Formats) -> Looked | None:
    """Give what is to be shown before ``wanted`` is saved; None: it may be saved.

    Whoever asked for a look gets it. Whoever did not is held up once, if something to come would go worse.
    """
    asked, mark = bool(typed.one("look")), _mark_of(wanted)
    if not asked and (typed.one("looked") == mark or not any(map(_is_worse, changes))):
        return None
    return Looked(tuple(change_lines(changes, form)), mark, unasked=not asked)


def _is_worse(each: ChangeOut) -> bool:
    """Tell whether something that is to be played would not be any more, not whole, or against a rule."""
    is_worse = bool(each.rules or each.left_out) or not _is_played(each.after)
    return not each.is_past and _is_played(each.before) and is_worse


def _is_played(end: EndOut | None) -> bool:
    return end is not None and end.outcome == "played"


def _mark_of(wanted: object) -> str:
    said = json.dumps(wanted, default=str, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _way(each: ChangeOut, form: Formats) -> Hashable:
    """Tell alike what would be said in the same words but for the date."""
    moved = each.moved_to_at - each.start_at if each.moved_to_at else None
    ends = tuple(_end(end, form) for end in (each.before, each.after))
    other = _says_other(each)
    hour = form.hour(each.start_at)
    why = each.rules, each.unusual, each.left_out
    return each.is_past, each.title, hour, moved, ends, other, why, each.area_names


def _line(those: Sequence[ChangeOut], form: Formats) -> Told:
    text, each, starts = form.text, those[0], [change.start_at for change in those]
    when = form.long(each.start_at) if len(starts) == 1 else f"{form.hour(each.start_at)}, {span_said(starts, form)}"
    key = "whatif.would_have" if each.is_past else "whatif.would"
    if _end(each.before, form) == _end(each.after, form):
        key = "whatif.would_have_still" if each.is_past else "whatif.would_still"
    said = text(
        key,
        title=each.title,
        when=when.removesuffix("."),
        places=form.names(each.area_names),
        before=_end(each.before, form),
        after=_end(each.after, form),
    )
    if _says_other(each):
        said += " " + text("whatif.other_content")
    if each.left_out:
        what = form.names([f"“{title}”" for title in dict.fromkeys(each.left_out)])
        said += " " + text("whatif.left_out", what=what)
    if each.moved_to_at is not None:
        moved = form.long(each.moved_to_at) if len(starts) == 1 else form.hour(each.moved_to_at)
        said += " " + text("whatif.moved", when=moved)
    if each.rules:
        said += " " + text("whatif.rules", rules=form.names([text.word("rule", rule) for rule in each.rules]))
    if each.unusual is not None:
        said += " " + text("whatif.unusual", hour=each.unusual.hour)
    heard = _is_played(each.after) and not each.rules and not each.left_out and each.unusual is None
    mark = Mark("empty" if heard else "triangle", "unsure" if heard else "care", said)
    return Told(mark, dates_said(starts, form))


def _says_other(each: ChangeOut) -> bool:
    """Tell whether only what it plays is another: it is told of, though its hour and its end are as they were."""
    is_alike = each.before == each.after and each.moved_to_at is None
    return is_alike and _is_played(each.after) and not each.rules and not each.left_out


def _end(end: EndOut | None, form: Formats) -> str:
    text = form.text
    if end is None:
        return text("whatif.absent")
    if end.outcome == "played":
        return text("whatif.heard")
    said = text("whatif.unheard") if end.outcome in UNHEARD else _inside(text(f"outcome.{end.outcome}"))
    return f"{said} ({_inside(text.word('reason', end.reason)).rstrip('.')})" if end.reason else said


def _inside(said: str) -> str:
    """Write words that stand alone elsewhere as they stand inside a sentence."""
    return said[:1].lower() + said[1:]
