"""Schedules: a line in the list, the dates of one, and what saving one would do. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controller.broadcasts.schemas import AskedOut, ConflictOut
from controller.bulletins.schemas import BulletinOut
from controller.policies.errors import PolicyBreachError
from controller.policies.schemas import BreachOut
from controller.programmes.schemas import BulletinRef
from controller.schedules.schemas import (
    DateOut,
    DatesAskedOut,
    ScheduleIn,
    ScheduleOut,
    SchedulePreview,
    UnairedOut,
    UnheededOut,
)
from web.formats import Formats
from web.views import unaired, waiting
from web.views.dated import Told, breaches, dates_said, grouped, span_said, unusual_said
from web.views.schedule_finer import zone_name
from web.views.schedule_form import WEEKDAYS, days_of
from web.words import Mark, doubt_said

LOOK_AHEAD = timedelta(days=30)
DATES_TOLD = 6


@dataclass(frozen=True)
class Line:
    """A schedule in the list."""

    id: str
    title: str
    when: str
    said: str
    mark: Mark
    to_do: str = ""
    """With a refusal: what now."""
    request_id: str = ""
    """The request that was refused."""


@dataclass(frozen=True)
class DateLine:
    """One date of a schedule."""

    name: str
    """Wall time that the rule gives: names the date in addresses."""
    when: str
    mark: Mark
    act: str
    """``cancel`` or ``restore``; empty: nothing to do."""
    broadcast_id: str | None
    other: str = ""
    """What airs instead of the schedule's own programme; empty: that does."""


@dataclass(frozen=True)
class Preview:
    """What saving would do, or what is still missing."""

    sentence: str = ""
    missing: str = ""
    notes: tuple[str, ...] = ()
    """What is to be known of the dates."""
    dates: tuple[str, ...] = ()
    warnings: tuple[Told, ...] = ()
    unusual: str = ""
    """What is to be confirmed once more; empty when nothing is, or when that would not help."""
    conflicts: bool = False
    """Others at the same time: to be confirmed; not where that would not help."""


def when_said(known: ScheduleOut | ScheduleIn, form: Formats) -> str:
    """Say when a schedule airs: ``Thứ Hai, Thứ Tư lúc 17:00``; by whose hours, where they are not those of here."""
    said = _when_said(known, form)
    if known.zone is None or known.zone == str(form.zone):
        return said
    return form.text("schedules.in_zone", when=said, zone=zone_name(known.zone, form))


def _when_said(known: ScheduleOut | ScheduleIn, form: Formats) -> str:
    text, hour, days = form.text, f"{known.starts_at_local:%H:%M}", days_of(known.rule)
    if days is None:
        return text("schedules.own_rule", hour=hour)
    if not days:
        return text("schedules.once", day=form.day(known.starts_at_local.date()), hour=hour)
    if days == WEEKDAYS:
        return text("schedules.daily", hour=hour)
    names = ", ".join(text(f"weekday.{WEEKDAYS.index(day) + 1}") for day in days)
    return text("schedules.weekly", days=names, hour=hour)


def is_in(known: ScheduleOut, state: str) -> bool:
    """Tell whether a schedule is in a state that a list can be narrowed to; empty: any."""
    asked = known.approval.state if known.approval else ""
    found = {
        "coming": known.ended_at is None and known.next_at is not None and not asked,
        "waits": asked == "open",
        "returned": asked not in {"", "open"},
        "unaired": known.unaired is not None,
        "ended": known.ended_at is not None,
    }
    return found.get(state, True)


def sorting(known: ScheduleOut, by: str) -> tuple[Any, ...]:
    """Give by what schedules are put in order; those of which nothing comes are last."""
    last = (known.title.casefold(), known.id)
    if by == "when":
        return known.starts_at_local.time(), *last
    if by == "next":
        return known.next_at is None, known.next_at or known.created_at, *last
    return last


def line(known: ScheduleOut, names: Mapping[str, str], programmes: Mapping[str, str], form: Formats) -> Line:
    """Show a schedule in the list."""
    text = form.text
    places = form.names([names.get(scope, text("schedules.elsewhere")) for scope in known.targets])
    programme = programmes.get(known.programme_id, text("schedules.programme_gone"))
    if known.ended_at is not None:
        mark = Mark("cut", "unsure", text("schedules.ended", at=form.when(known.ended_at)))
    elif known.approval is not None:
        mark = waiting.waits_of(known, known.approval, form)
    elif known.unaired is not None:
        mark = _silent(known.unaired, known.next_at, form)
    elif known.next_at is not None:
        mark = Mark("ready", "good", text("schedules.next", when=form.when(known.next_at)))
    else:
        mark = Mark("unknown", "unsure", text("schedules.none_next"))
    said = text("schedules.said", programme=programme, targets=places)
    return Line(known.id, known.title, when_said(known, form), said, mark, *waiting.to_do(known, form))


def _silent(each: UnairedOut, next_at: datetime | None, form: Formats) -> Mark:
    """Say which date stays silent, and why; before it what sounds earlier."""
    said = form.text("schedules.unaired", when=form.when(each.start_at), why=unaired.why_said(each, form))
    if next_at is not None and next_at < each.start_at:
        said = f"{form.text('schedules.next', when=form.when(next_at))} · {said}"
    return Mark("triangle", "care", said)


def date_line(each: DateOut, form: Formats, those: Sequence[DatesAskedOut] = (), other: str = "") -> DateLine:
    """Show one date, and what can be done about it; ``those``: on which dates wait; ``other``: see ``other_said``."""
    asked = next((one for one in those if one.is_about(each.programme_id)), None)
    acts = {"cancelled": "restore", "aired": "cancel", "suspended": "keep"}
    act = "" if each.start_at <= form.now else acts.get(each.verdict, "")
    name = each.recurrence_local.isoformat()
    mark = date_mark(each, form, asked)
    if doubt := doubt_said(each.unconfirmed, form):
        mark = Mark("triangle", "care", f"{mark.word}. {' '.join(doubt)}")
    return DateLine(name, form.long(each.start_at), mark, act, each.broadcast_id, other)


def other_said(each: DateOut, known: ScheduleOut, programmes: Mapping[str, str], form: Formats) -> str:
    """Say what airs on a date instead of the schedule's own programme; empty: that does."""
    if each.programme_id == known.programme_id:
        return ""
    title = programmes.get(each.programme_id)  # one of a place above is not in sight
    said = form.text("schedules.date_with", title=title) if title else form.text("schedules.date_with_another")
    return f"{said} ({each.because})" if each.because else said


def moved_said(each: DateOut, form: Formats) -> str:
    """Mark a date that was moved by hand."""
    return f" ({form.text('schedules.date_moved')})" if each.changed == "moved" else ""


def date_mark(each: DateOut, form: Formats, asked: AskedOut | None = None) -> Mark:
    """Say how one date stands."""
    text = form.text
    if each.verdict != "aired":
        return Mark("cut", "unsure", text(f"schedules.date_{each.verdict}", because=each.because or ""))
    if each.problem:
        return Mark("triangle", "care", text.word("date_problem", each.problem))
    if each.breaches:
        return against_said(each.breaches, form)
    if each.changed == "moved":
        return Mark("empty", "unsure", text("schedules.date_moved"))
    if asked is not None and (each.awaits_approval or each.broadcast_id is None):
        return waiting.waits_mark(asked, form)
    planned = each.broadcast_id is not None
    return Mark("ready" if planned else "empty", "unsure", text(f"schedules.date_{'planned' if planned else 'later'}"))


def against_said(found: Sequence[BreachOut], form: Formats) -> Mark:
    """Say that nodes will refuse what is planned, or a part of it, by which of their rules and where."""
    said = "; ".join(
        form.text(
            f"schedules.against_{each.rule}",
            limit=each.limit,
            where=form.text("schedules.against_all") if each.everywhere else form.names(each.area_names),
        )
        for each in found
    )
    return Mark("triangle", "care", form.text("schedules.against", why=said))


def _unheeded(each: UnheededOut, form: Formats) -> Told:
    days = ", ".join(map(form.written, each.dates))
    return _care(form.text("schedules.unheeded", title=each.title, place=each.area_name, days=days))


def preview(found: SchedulePreview, form: Formats, *, once: bool = False) -> Preview:
    """Say in one sentence what saving would do, and below it what stands against it; ``once``: it has but one date."""
    text, aired = form.text, [each for each in found.dates if each.verdict == "aired"]
    key = "schedules.sentence_once" if once else "schedules.sentence"
    sentence = text(
        key if aired else "schedules.sentence_none",
        length=form.length(found.length_ms),
        nodes=text("count.nodes", count=found.node_count),
        count=len(aired),
        first=form.long(aired[0].start_at) if aired else "",
    )
    is_vain = found.refusal == PolicyBreachError.code
    return Preview(
        sentence=sentence,
        dates=() if once else tuple(form.long(each.start_at) for each in aired[:DATES_TOLD]),
        warnings=(
            *([] if found.refusal is None else [_care(text.word("date_problem", found.refusal))]),
            *breaches(found.breaches, form),
            *conflicts(found.conflicts, form),
            *(Told(each) for each in owed(found.owed, form)),
            *_suspended(found.dates, form),
            *(_unheeded(each, form) for each in found.unheeded),
        ),
        unusual=unusual_said(None if is_vain else found.unusual, form),
        conflicts=bool(found.conflicts) and not is_vain,
    )


def owed(bulletins: Sequence[BulletinRef], form: Formats) -> tuple[Mark, ...]:
    """Name the priority bulletins from above that the programme lacks."""
    return tuple(Mark("triangle", "care", form.text("programmes.owed", title=each.title)) for each in bulletins)


def owed_below(bulletins: Sequence[BulletinOut], form: Formats) -> tuple[Mark, ...]:
    """Name the priority bulletins from above that places have not put into any programme that they air."""
    return tuple(
        Mark(
            "triangle",
            "care",
            form.text("schedules.owed", title=each.title, names=form.names([place.name for place in each.owed_in])),
        )
        for each in bulletins
    )


def _care(said: str) -> Told:
    return Told(Mark("triangle", "care", said))


def _suspended(dates: Sequence[DateOut], form: Formats) -> list[Told]:
    """Say on which dates calendars silence it, each calendar once."""
    silent = grouped((each.because, each) for each in dates if each.verdict == "suspended")
    return [_silent_by_one(those, form) for those in silent]


def _silent_by_one(those: Sequence[DateOut], form: Formats) -> Told:
    starts = [each.start_at for each in those]
    said = f"{date_mark(those[0], form).word}: {span_said(starts, form)}"
    return Told(Mark("cut", "unsure", said), dates_said(starts, form))


def conflicts(found: Sequence[ConflictOut], form: Formats) -> tuple[Told, ...]:
    """Say what a schedule meets, and which of the two is heard first, or is cut."""
    return tuple(_conflict(each, form) for each in found)


def _conflict(each: ConflictOut, form: Formats) -> Told:
    title = each.title or form.text("schedules.other_place")
    key = f"schedules.cut_{each.cut}" if each.cut else f"schedules.conflict_{each.first}"
    times = form.text("schedules.conflict_times", count=each.times)
    nodes = form.text("count.nodes", count=each.node_count)
    said = form.text(key, title=title, when=form.long(each.start_at), times=times, nodes=nodes)
    return _care(said)
