"""A calendar that is taken in, event by event: what would become of it, when, and why not. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from controller.broadcasts.schemas import ConflictOut
from controller.schedules.exchange import FileLine
from controller.schedules.schemas import ScheduleIn
from web.formats import Formats
from web.problems import problem_text
from web.views.dated import unusual_said
from web.views.schedules import when_said
from web.words import Mark

TOLD = 3


@dataclass(frozen=True)
class EventLine:
    """One event of the file."""

    key: str
    title: str
    when: str
    """When it would air; empty: it cannot be said."""
    said: str
    """What, and where."""
    dates: str
    """The next ones."""
    mark: Mark
    can: bool
    chosen: bool
    meets: str
    unusual_said: str


def event_line(
    each: FileLine,
    form: Formats,
    *,
    chosen: Collection[str] | None,
    names: Mapping[str, str],
    programmes: Mapping[str, str],
) -> EventLine:
    """Say what becomes of one event. ``chosen``: the keys that were ticked; None: all that can be taken in are."""
    can, found = each.what in {"new", "changed"}, each.found
    titles = [f"“{other.title}”" if other.title else form.text("schedules.other_place") for other in _met(each)]
    aired = [date for date in found.dates if date.verdict == "aired"] if can and found else []
    return EventLine(
        key=each.key,
        title=each.title,
        when=when_said(each.asked, form) if each.asked else "",
        said=_said(each.asked, form, names, programmes) if each.asked else "",
        dates=form.text("importing.next", dates=_few([form.long(date.start_at) for date in aired])) if aired else "",
        mark=_mark(each, form),
        can=can,
        chosen=can and (chosen is None or each.key in chosen),
        meets=form.text("plan.meets", titles=_few(list(dict.fromkeys(titles)))) if can and titles else "",
        unusual_said=unusual_said(found.unusual, form) if can and found else "",
    )


def _few(said: Sequence[str]) -> str:
    return ", ".join(said[:TOLD]) + ("…" if len(said) > TOLD else "")


def _met(each: FileLine) -> Collection[ConflictOut]:
    return each.found.conflicts if each.found else ()


def _said(asked: ScheduleIn, form: Formats, names: Mapping[str, str], programmes: Mapping[str, str]) -> str:
    places = form.names([names.get(scope, form.text("schedules.elsewhere")) for scope in asked.targets])
    programme = programmes.get(asked.programme_id, form.text("schedules.programme_gone"))
    return form.text("schedules.said", programme=programme, targets=places)


def _mark(each: FileLine, form: Formats) -> Mark:
    text = form.text
    if each.why is not None:
        return Mark("triangle", "care", text("importing.refused", why=problem_text(each.why, form)))
    if each.what == "refused" and each.found is not None:
        return Mark(
            "triangle", "care", text("importing.refused", why=text.word("date_problem", each.found.refusal or ""))
        )
    if each.what == "same":
        return Mark("empty", "unsure", text("importing.same"))
    return Mark("ready", "good", text("importing.new" if each.what == "new" else "importing.changed"))
