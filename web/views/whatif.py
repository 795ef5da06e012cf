"""What a change of a rule or schedule would change, broadcast by broadcast, in words. Pure."""

from collections.abc import Sequence

from controller.policies.schemas import ChangeOut, EndOut
from web.formats import Formats
from web.words import Mark

MOST_CHANGES = 12


def change_marks(changes: Sequence[ChangeOut], form: Formats) -> list[Mark]:
    """Say which broadcasts would go differently; those to come first, for only they can still be mended."""
    told = sorted(changes, key=lambda each: each.is_past)
    marks = [_mark(each, form) for each in told[:MOST_CHANGES]]
    if rest := len(told) - len(marks):
        marks.append(Mark("triangle", "care", form.text("whatif.more", count=rest)))
    return marks


def _mark(each: ChangeOut, form: Formats) -> Mark:
    text = form.text
    said = text(
        "whatif.would_have" if each.is_past else "whatif.would",
        title=each.title,
        when=form.long(each.start_at),
        places=form.names(each.area_names),
        before=_end(each.before, form),
        after=_end(each.after, form),
    )
    if each.moved_to_at is not None:
        said += " " + text("whatif.moved", when=form.long(each.moved_to_at))
    if each.rules:
        said += " " + text("whatif.rules", rules=form.names([text.word("rule", rule) for rule in each.rules]))
    if each.unusual is not None:
        said += " " + text("whatif.unusual", hour=each.unusual.hour)
    heard = each.after is not None and each.after.outcome == "played" and not each.rules and each.unusual is None
    return Mark("empty" if heard else "triangle", "unsure" if heard else "care", said)


def _end(end: EndOut | None, form: Formats) -> str:
    text = form.text
    if end is None:
        return text("whatif.absent")
    if end.outcome == "played":
        return text("whatif.heard")
    said = text(f"outcome.{end.outcome}")
    return f"{said} ({text.word('reason', end.reason).rstrip('.')})" if end.reason else said
