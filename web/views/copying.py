"""A week that is copied, date by date: what becomes of it and why. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from controller.schedules.feed_schemas import WeekCopyLine
from web.formats import Formats
from web.views.dated import unusual_said
from web.words import Mark


@dataclass(frozen=True)
class CopyLine:
    """One date of the week."""

    key: str
    when: str
    title: str
    mark: Mark
    can: bool
    chosen: bool
    meets: str
    unusual_said: str


def copy_line(each: WeekCopyLine, form: Formats, *, chosen: Collection[str] | None) -> CopyLine:
    """Say what becomes of one date. ``chosen``: the keys that were ticked; None: all that can be copied are."""
    can = each.what == "new"
    titles = [f"“{title}”" if title else form.text("schedules.other_place") for title in each.meets]
    return CopyLine(
        key=each.key,
        when=form.text("time.on", hour=f"{each.into_local:%H:%M}", day=form.day(each.into_local.date())),
        title=each.title,
        mark=_mark(each, form),
        can=can,
        chosen=can and (chosen is None or each.key in chosen),
        meets=form.text("plan.meets", titles=form.names(titles)) if titles else "",
        unusual_said=unusual_said(each.unusual, form),
    )


def _mark(each: WeekCopyLine, form: Formats) -> Mark:
    text = form.text
    if each.what == "refused":
        return Mark("triangle", "care", text.word("date_problem", each.because or ""))
    if each.what == "suspended":
        return Mark("cut", "unsure", text("schedules.date_suspended", because=each.because or ""))
    icon, tone = ("ready", "good") if each.what == "new" else ("empty", "unsure")
    return Mark(icon, tone, text(f"copying.{each.what}"))
