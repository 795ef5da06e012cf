"""What a change of a rule or schedule would change, in words; what changes alike is said once. Pure."""

from collections.abc import Hashable, Sequence

from controller.policies.schemas import ChangeOut, EndOut
from web.formats import Formats
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


def _way(each: ChangeOut, form: Formats) -> Hashable:
    """Tell alike what would be said in the same words but for the date."""
    moved = each.moved_to_at - each.start_at if each.moved_to_at else None
    ends = tuple(_end(end, form) for end in (each.before, each.after))
    return each.is_past, each.title, form.hour(each.start_at), moved, ends, each.rules, each.unusual, each.area_names


def _line(those: Sequence[ChangeOut], form: Formats) -> Told:
    text, each, starts = form.text, those[0], [change.start_at for change in those]
    when = form.long(each.start_at) if len(starts) == 1 else f"{form.hour(each.start_at)}, {span_said(starts, form)}"
    said = text(
        "whatif.would_have" if each.is_past else "whatif.would",
        title=each.title,
        when=when.removesuffix("."),
        places=form.names(each.area_names),
        before=_end(each.before, form),
        after=_end(each.after, form),
    )
    if each.moved_to_at is not None:
        moved = form.long(each.moved_to_at) if len(starts) == 1 else form.hour(each.moved_to_at)
        said += " " + text("whatif.moved", when=moved)
    if each.rules:
        said += " " + text("whatif.rules", rules=form.names([text.word("rule", rule) for rule in each.rules]))
    if each.unusual is not None:
        said += " " + text("whatif.unusual", hour=each.unusual.hour)
    heard = each.after is not None and each.after.outcome == "played" and not each.rules and each.unusual is None
    mark = Mark("empty" if heard else "triangle", "unsure" if heard else "care", said)
    return Told(mark, dates_said(starts, form))


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
