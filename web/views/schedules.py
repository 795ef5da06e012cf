"""Schedules: a line in the list, the dates of one, and the form that writes one. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from controller.broadcasts.schemas import AskedOut, ConflictOut
from controller.bulletins.schemas import BulletinOut
from controller.policies.errors import PolicyBreachError
from controller.programmes.schemas import BulletinRef
from controller.schedules.schemas import DateOut, ScheduleOut, SchedulePreview, UnheededOut
from web.formats import Formats
from web.forms import MOST_VERSION, Form, Unclear, day_of, hour_of, number_of
from web.problems import Problems
from web.views.dated import Told, breaches, dates_said, grouped, span_said, unusual_said
from web.words import Mark, doubt_said

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
"""As RFC 5545 writes them."""
LOOK_AHEAD = timedelta(days=30)
DATES_TOLD = 6
KEPT = (
    *("start_mode", "late_ms", "ends_at_local", "back_timed", "overrun"),
    *("filler_recording_id", "position", "zone"),
)
"""What the form does not show stays as it was."""


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    title: str = ""
    programme: str = ""
    targets: tuple[str, ...] = ()
    days: tuple[str, ...] = WEEKDAYS
    """None: once, on the first day."""
    hour: str = ""
    first_day: str = ""
    last_day: str = ""
    level: str = "normal"
    own_rule: str = ""
    """A rule that the form cannot write; it stays as long as ``keep_rule``."""
    keep_rule: bool = False
    version: int = 0
    confirm_conflicts: bool = False
    confirm_unusual: bool = False


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


@dataclass(frozen=True)
class Preview:
    """What saving would do, or what is still missing."""

    sentence: str = ""
    missing: str = ""
    dates: tuple[str, ...] = ()
    warnings: tuple[Told, ...] = ()
    unusual: str = ""
    """What is to be confirmed once more; empty when nothing is, or when that would not help."""
    conflicts: bool = False
    """Others at the same time: to be confirmed; not where that would not help."""


def read_draft(typed: Form) -> Draft:
    """Take what was typed."""
    return Draft(
        title=typed.one("title").strip(),
        programme=typed.one("programme"),
        targets=tuple(typed.many("target")),
        days=tuple(day for day in WEEKDAYS if day in typed.many("weekday")),
        hour=typed.one("hour").strip(),
        first_day=typed.one("first_day").strip(),
        last_day=typed.one("last_day").strip(),
        level="priority" if typed.one("level") == "priority" else "normal",
        own_rule=typed.one("own_rule"),
        keep_rule=typed.one("keep_rule") == "yes",
        version=number_of(typed.one("version"), most=MOST_VERSION) or 0,
        confirm_conflicts=typed.one("confirm_conflicts") == "yes",
        confirm_unusual=typed.one("confirm_unusual") == "yes",
    )


def draft_of(known: ScheduleOut, form: Formats) -> Draft:
    """Begin a change of a schedule."""
    days = days_of(known.rule)
    return Draft(
        title=known.title,
        programme=known.programme_id,
        targets=known.targets,
        days=days or (),
        hour=f"{known.starts_at_local:%H:%M}",
        first_day=form.written(known.starts_at_local.date()),
        last_day=form.written(known.last_date) if known.last_date else "",
        level=str(known.level),
        own_rule=known.rule or "" if days is None else "",
        keep_rule=days is None,
        version=known.version,
    )


def days_of(rule: str | None) -> tuple[str, ...] | None:
    """Read the weekdays of a plain rule: none when it is once; None when it is more than weekdays."""
    if rule is None:
        return ()
    parts = dict(part.partition("=")[::2] for part in rule.upper().split(";"))
    frequency, days = parts.pop("FREQ", ""), parts.pop("BYDAY", "")
    if parts.pop("INTERVAL", "1") != "1" or parts.keys() - {"WKST"}:
        return None
    if frequency == "DAILY" and not days:
        return WEEKDAYS
    found = tuple(day for day in WEEKDAYS if day in days.split(","))
    return found if frequency == "WEEKLY" and found and ",".join(found).count(",") == days.count(",") else None


def missing(draft: Draft, form: Formats) -> Problems:
    """Name all that was left out at once."""
    text = form.text
    lacks = {
        "title": "" if draft.title else text("wrong.title_empty"),
        "programme": "" if draft.programme else text("schedules.programme_empty"),
        "hour": "" if hour_of(draft.hour) else text("wrong.hour"),
        "targets": "" if draft.targets else text("wrong.targets"),
    }
    return {field: said for field, said in lacks.items() if said}


def wanted(draft: Draft, targets: Sequence[str], form: Formats, known: ScheduleOut | None) -> dict[str, Any]:
    """Give what the service is to be asked for.

    Raises:
        Unclear: day or hour cannot be understood.
    """
    hour = hour_of(draft.hour)
    if hour is None:
        raise Unclear({"hour": form.text("wrong.hour")})
    first, last = _day(draft.first_day, "first_day", form), _day(draft.last_day, "last_day", form)
    first = first or form.today()
    return {name: getattr(known, name) for name in KEPT if known is not None} | {
        "title": draft.title,
        "programme_id": draft.programme,
        "targets": tuple(targets),
        "starts_at_local": datetime(first.year, first.month, first.day, *hour),  # noqa: DTZ001 - wall time of the place
        "rule": _rule(draft),
        "last_date": last,
        "level": draft.level,
        "confirm_conflicts": draft.confirm_conflicts,
        "confirm_unusual": draft.confirm_unusual,
    }


def _rule(draft: Draft) -> str | None:
    if draft.keep_rule and draft.own_rule:
        return draft.own_rule
    if draft.days == WEEKDAYS:
        return "FREQ=DAILY"
    return f"FREQ=WEEKLY;BYDAY={','.join(draft.days)}" if draft.days else None


def _day(typed: str, field: str, form: Formats) -> date | None:
    day = day_of(typed, form.today())
    if typed and day is None:
        raise Unclear({field: form.text("wrong.day_written")})
    return day


def when_said(known: ScheduleOut, form: Formats) -> str:
    """Say when a schedule airs: ``Thứ Hai, Thứ Tư lúc 17:00``."""
    text, hour, days = form.text, f"{known.starts_at_local:%H:%M}", days_of(known.rule)
    if days is None:
        return text("schedules.own_rule", hour=hour)
    if not days:
        return text("schedules.once", day=form.day(known.starts_at_local.date()), hour=hour)
    if days == WEEKDAYS:
        return text("schedules.daily", hour=hour)
    names = ", ".join(text(f"weekday.{WEEKDAYS.index(day) + 1}") for day in days)
    return text("schedules.weekly", days=names, hour=hour)


def line(known: ScheduleOut, names: Mapping[str, str], programmes: Mapping[str, str], form: Formats) -> Line:
    """Show a schedule in the list."""
    text = form.text
    places = form.names([names.get(scope, text("schedules.elsewhere")) for scope in known.targets])
    programme = programmes.get(known.programme_id, text("schedules.programme_gone"))
    if known.ended_at is not None:
        mark = Mark("cut", "unsure", text("schedules.ended", at=form.when(known.ended_at)))
    elif known.approval is not None:
        mark = _waits(known.approval, known.next_at, form)
    elif known.next_at is not None:
        mark = Mark("ready", "good", text("schedules.next", when=form.when(known.next_at)))
    else:
        mark = Mark("unknown", "unsure", text("schedules.none_next"))
    said = text("schedules.said", programme=programme, targets=places)
    return Line(known.id, known.title, when_said(known, form), said, mark, *_to_do(known.approval, form))


def _waits(asked: AskedOut, next_at: datetime | None, form: Formats) -> Mark:
    """Say that it sounds only with a yes, or not at all as it is."""
    word = form.text(f"approval_state.{asked.state}")
    if asked.returned_reason:
        word = f"{word}: {asked.returned_reason}"
    elif next_at is not None:
        word = f"{word} · {form.text('schedules.next', when=form.when(next_at))}"
    return Mark("part" if asked.state == "open" else "triangle", "care", word)


def _to_do(asked: AskedOut | None, form: Formats) -> tuple[str, str]:
    """Say what is to be done about a refusal, and name the request; of what nobody refused, neither."""
    if asked is None or asked.state == "open":
        return "", ""
    return form.text("schedules.to_do"), asked.id


def date_line(each: DateOut, form: Formats, asked: AskedOut | None = None) -> DateLine:
    """Show one date, and what can be done about it."""
    acts = {"cancelled": "restore", "aired": "cancel", "suspended": "keep"}
    act = "" if each.start_at <= form.now else acts.get(each.verdict, "")
    name = each.recurrence_local.isoformat()
    mark = _date_mark(each, form, asked)
    if doubt := doubt_said(each.unconfirmed, form):
        mark = Mark("triangle", "care", f"{mark.word}. {' '.join(doubt)}")
    return DateLine(name, form.long(each.start_at), mark, act, each.broadcast_id)


def moved_said(each: DateOut, form: Formats) -> str:
    """Mark a date that was moved by hand."""
    return f" ({form.text('schedules.date_moved')})" if each.changed == "moved" else ""


def _date_mark(each: DateOut, form: Formats, asked: AskedOut | None = None) -> Mark:
    text = form.text
    if each.verdict != "aired":
        return Mark("cut", "unsure", text(f"schedules.date_{each.verdict}", because=each.because or ""))
    if each.problem:
        return Mark("triangle", "care", text.word("date_problem", each.problem))
    if each.changed == "moved":
        return Mark("empty", "unsure", text("schedules.date_moved"))
    if asked is not None and (each.awaits_approval or each.broadcast_id is None):
        return _waits(asked.model_copy(update={"returned_reason": None}), None, form)
    planned = each.broadcast_id is not None
    return Mark("ready" if planned else "empty", "unsure", text(f"schedules.date_{'planned' if planned else 'later'}"))


def _unheeded(each: UnheededOut, form: Formats) -> Told:
    days = ", ".join(map(form.written, each.dates))
    return _care(form.text("schedules.unheeded", title=each.title, place=each.area_name, days=days))


def preview(found: SchedulePreview, form: Formats) -> Preview:
    """Say in one sentence what saving would do, and below it what stands against it."""
    text, aired = form.text, [each for each in found.dates if each.verdict == "aired"]
    sentence = text(
        "schedules.sentence" if aired else "schedules.sentence_none",
        length=form.length(found.length_ms),
        nodes=text("count.nodes", count=found.node_count),
        count=len(aired),
        first=form.long(aired[0].start_at) if aired else "",
    )
    is_vain = found.refusal == PolicyBreachError.code
    return Preview(
        sentence=sentence,
        dates=tuple(form.long(each.start_at) for each in aired[:DATES_TOLD]),
        warnings=(
            *([] if found.refusal is None else [_care(text.word("date_problem", found.refusal))]),
            *breaches(found.breaches, form),
            *(_conflict(each, form) for each in found.conflicts),
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
    said = f"{_date_mark(those[0], form).word}: {span_said(starts, form)}"
    return Told(Mark("cut", "unsure", said), dates_said(starts, form))


def _conflict(each: ConflictOut, form: Formats) -> Told:
    title = each.title or form.text("schedules.other_place")
    key = "schedules.conflict_ours" if each.first == "ours" else "schedules.conflict_other"
    said = form.text(key, title=title, when=form.long(each.start_at), count=each.times, nodes=each.node_count)
    return _care(said)
