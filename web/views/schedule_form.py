"""The form that writes a schedule: what was typed, what is missing, what is wanted by it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from controller.programmes.schemas import MAX_ITEMS, ProgrammeRow, SlotOut
from controller.schedules.schemas import ScheduleOut
from web.formats import Formats
from web.forms import MOST_VERSION, Form, Unclear, day_of, hour_of, number_of
from web.problems import Problems
from web.views import schedule_finer as finer
from web.views.hours import hour_wrong
from web.views.programmes import Item
from web.views.schedule_finer import COLUMNS, Finer

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
"""As RFC 5545 writes them."""
REPEATS = ("once", "daily", "weekly")
DAYS_NEAR = 8
KEPT = (*COLUMNS, "zone")
"""What the form does not show stays as it was."""


@dataclass(frozen=True)
class Draft:
    """What was typed, as it was typed."""

    title: str = ""
    programme: str = ""
    template: str = ""
    """Instead of a programme: one is made from it."""
    fill: tuple[tuple[int, str], ...] = ()
    """Which bulletin goes into which slot of the template; empty: the slot is left out."""
    targets: tuple[str, ...] = ()
    """With ``whole``, that alone."""
    whole: str = ""
    """The place that was chosen as one; empty: what is chosen in the tree."""
    repeat: str = ""
    """``once``, ``daily``, ``weekly``; empty: as ``days`` says."""
    days: tuple[str, ...] = WEEKDAYS
    """None: once, on the first day."""
    hour: str = ""
    first_day: str = ""
    last_day: str = ""
    finer: Finer | None = None
    """None: as it was."""
    level: str = "normal"
    own_rule: str = ""
    """A rule that the form cannot write; it stays as long as ``keep_rule``."""
    keep_rule: bool = False
    version: int = 0
    confirm_conflicts: bool = False
    confirm_unusual: bool = False


def read_draft(typed: Form) -> Draft:
    """Take what was typed."""
    whole, repeat = typed.one("whole"), typed.one("repeat")
    ticked = tuple(day for day in WEEKDAYS if day in typed.many("weekday"))
    slots = ((position, typed.many(f"slot-{position}")) for position in range(MAX_ITEMS))
    return Draft(
        title=typed.one("title").strip(),
        programme=typed.one("programme"),
        template=typed.one("template"),
        fill=tuple((position, those[-1]) for position, those in slots if those),
        targets=(whole,) if whole else tuple(typed.many("target")),
        whole=whole,
        repeat=repeat if repeat in REPEATS else "",
        days={"once": (), "daily": WEEKDAYS}.get(repeat, ticked),
        finer=finer.read(typed),
        hour=typed.hour("hour").strip(),
        first_day=typed.one("first_day_usual") or typed.one("first_day").strip(),
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
        repeat=_repeat(days),
        finer=finer.finer_of(known, form),
        hour=f"{known.starts_at_local:%H:%M}",
        first_day=form.written(known.starts_at_local.date()),
        last_day=form.written(known.last_date) if known.last_date else "",
        level=str(known.level),
        own_rule=known.rule or "" if days is None else "",
        keep_rule=days is None,
        version=known.version,
    )


def _repeat(days: tuple[str, ...] | None) -> str:
    if days is None:
        return ""
    return "once" if not days else "daily" if days == WEEKDAYS else "weekly"


def begun(
    form: Formats, *, template: str = "", programme: str = "", title: str = "", whole: str = "", hour: str = ""
) -> Draft:
    """Begin a new one: once, tomorrow; without an hour that is still to be chosen."""
    return Draft(
        template=template,
        programme=programme,
        title=title,
        whole=whole,
        hour=hour,
        targets=(whole,) if whole else (),
        repeat="once",
        days=(),
        first_day=form.written(form.today() + timedelta(days=1)),
        finer=Finer(),
    )


def hour_before(known: Sequence[ScheduleOut], *, title: str = "", programme: str = "") -> str:
    """Give the hour at which this was planned last; empty: it never was. A template leaves its title alone behind."""
    those = [each for each in known if each.programme_id == programme or (title and each.title == title)]
    last = max(those, key=lambda each: each.created_at, default=None)
    return f"{last.starts_at_local:%H:%M}" if last else ""


def day_chips(form: Formats) -> list[tuple[str, str]]:
    """List the days that are one tap away, as they are written and in words."""
    words = {0: "plan.today", 1: "plan.tomorrow"}
    days = [form.today() + timedelta(days=ahead) for ahead in range(DAYS_NEAR)]
    said = ((day, words.get((day - form.today()).days)) for day in days)
    return [(form.written(day), form.text(word) if word else form.short_day(day)) for day, word in said]


@dataclass(frozen=True)
class Slot:
    """A slot of a template, and what could fill it."""

    position: int
    name: str
    candidates: tuple[tuple[str, str], ...]
    """Ids and titles, priority first, then the newest."""
    chosen: str | None
    """None: nothing was chosen yet; empty: it is left out."""


def slot_line(each: SlotOut, names: Mapping[str, str], fill: Sequence[tuple[int, str]]) -> Slot:
    """Show a slot."""
    candidates = tuple((one.bulletin_id, one.title) for one in each.candidates)
    return Slot(each.position, names.get(each.category, each.category), candidates, dict(fill).get(each.position))


def in_order(items: Sequence[Item], slots: Sequence[Slot]) -> list[Item | Slot]:
    """Put slots among what always sounds in the template: all that it was announced to have, as it is heard."""
    open_at = {each.position: each for each in slots}
    return [open_at.get(each.position, each) for each in items]


@dataclass(frozen=True)
class What:
    """Something that could be planned."""

    id: str
    title: str
    said: str


def what_row(each: ProgrammeRow, place: str, form: Formats) -> What:
    """Show a template or programme to choose."""
    items = form.text("plan.items", count=each.item_count)
    return What(each.id, each.title, f"{items} · {place}" if place else items)


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
        "programme": "" if draft.programme or draft.template else text("schedules.programme_empty"),
        "hour": "" if hour_of(draft.hour) else hour_wrong(draft.hour, form),
        "targets": "" if draft.targets else text("wrong.targets"),
        "weekday": text("wrong.weekday_none") if draft.repeat == "weekly" and not _repeats(draft) else "",
        "first_day": _wrong_day(draft.first_day, form),
        "last_day": _wrong_day(draft.last_day, form),
    }
    return {field: said for field, said in lacks.items() if said} | finer.wrong(draft.finer, form)


def _wrong_day(typed: str, form: Formats) -> str:
    return form.text("wrong.day_written") if typed and day_of(typed, form.today()) is None else ""


def _repeats(draft: Draft) -> bool:
    return bool(draft.days) or bool(draft.keep_rule and draft.own_rule)


def wanted(draft: Draft, targets: Sequence[str], form: Formats, known: ScheduleOut | None) -> dict[str, Any]:
    """Give what the service is to be asked for.

    Raises:
        Unclear: day or hour cannot be understood.
    """
    hour = hour_of(draft.hour)
    if hour is None:
        raise Unclear({"hour": hour_wrong(draft.hour, form)})
    first, last = _day(draft.first_day, "first_day", form), _day(draft.last_day, "last_day", form)
    first = first or form.today()
    kept = {name: getattr(known, name) for name in KEPT if known is not None}
    return (
        kept
        | _what(draft)
        | (finer.wanted(draft.finer, form, known) if draft.finer is not None else {})
        | {
            "title": draft.title,
            "targets": tuple(targets),
            "starts_at_local": datetime(first.year, first.month, first.day, *hour),  # noqa: DTZ001 - wall time of the place
            "rule": _rule(draft),
            "last_date": None if draft.repeat == "once" else last,
            "level": draft.level,
            "confirm_conflicts": draft.confirm_conflicts,
            "confirm_unusual": draft.confirm_unusual,
        }
    )


def _what(draft: Draft) -> dict[str, Any]:
    if not draft.template:
        return {"programme_id": draft.programme}
    fill = [{"position": position, "bulletins": [bulletin]} for position, bulletin in draft.fill if bulletin]
    return {"template_id": draft.template, "fill": fill}


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
