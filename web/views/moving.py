"""One date of a schedule, at another time or with another programme: what was typed, what is to be confirmed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import TypeVar

from controller.errors import LoaError
from controller.policies.errors import UnusualHourError
from controller.policies.schemas import UnusualOut
from controller.schedules.conflicts import ScheduleConflictError
from controller.schedules.schemas import DateOut, ExceptionIn, ScheduleOut
from controller.schedules.states import DateChange
from web.formats import Formats
from web.forms import Form, Unclear, day_of, each_of, hour_of
from web.problems import problem_text
from web.views.dated import Told, unusual_said
from web.views.hours import hour_wrong
from web.views.schedules import date_mark

TICKS = ("confirm_unusual", "confirm_conflicts")
"""As ``ExceptionIn``."""


@dataclass(frozen=True)
class Moving:
    """What was typed, as it was typed."""

    name: str
    """Wall time that the rule gives: names the date in addresses."""
    day: str
    hour: str
    ticked: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()
    """What has to be confirmed, with its words."""
    problem: str = ""
    """What stands against it as it was typed."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Field → what cannot be understood of it."""
    stood: str = ""
    """How the date stood when the form was shown, as ``standing`` says; empty: that was not said."""


@dataclass(frozen=True)
class Replacing:
    """What was chosen to be heard on one date instead."""

    name: str
    """As that of ``Moving``."""
    programme: str
    """Its id; that of the schedule's own: as on other days."""
    ticked: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    stood: str = ""


_OneT = TypeVar("_OneT", Moving, Replacing)


def standing(date: DateOut) -> str:
    """Say how a date stands, to tell whether somebody else changed it while a form was open."""
    return " ".join([date.local.isoformat(), date.verdict, date.changed or "-", date.programme_id])


def check_standing(typed: Moving | Replacing, date: DateOut, form: Formats) -> None:
    """See that the date stands as it did when the form was shown: what was cancelled meanwhile is not revived unseen.

    Raises:
        Unclear: somebody changed it.
    """
    if typed.stood and typed.stood != standing(date):
        state = date_mark(date, form).word
        raise Unclear({"form": form.text("schedules.date_meanwhile", when=form.long(date.start_at), state=state)})


def begun(date: DateOut, form: Formats) -> Moving:
    """Begin with the time at which it would be."""
    return Moving(date.recurrence_local.isoformat(), form.written(date.local.date()), f"{date.local:%H:%M}")


def read(typed: Form, recurrence: datetime) -> Moving:
    """Take what was typed."""
    ticked = tuple(tick for tick in TICKS if typed.one(tick) == "yes")
    day, hour = typed.one("day").strip(), typed.one("hour").strip()
    return Moving(recurrence.isoformat(), day, hour, ticked, stood=typed.one("stood"))


def to_replace(date: DateOut) -> Replacing:
    """Begin with what would be heard."""
    return Replacing(date.recurrence_local.isoformat(), date.programme_id)


def read_replacing(typed: Form, recurrence: datetime) -> Replacing:
    """Take what was chosen."""
    ticked = tuple(tick for tick in TICKS if typed.one(tick) == "yes")
    return Replacing(recurrence.isoformat(), typed.one("instead"), ticked, stood=typed.one("stood"))


def by_hand(date: DateOut, programme_id: str) -> str | None:
    """Give the programme that a person chose for this date; None: that of the schedule, or of a calendar.

    No calendar puts another into a date that a person changed: what it is because of can only be silence.
    """
    return date.programme_id if date.changed is not None and date.programme_id != programme_id else None


@dataclass(frozen=True)
class Looked:
    """What moving would change; ``changes`` None: that cannot be said."""

    moving: Moving
    changes: list[Told] | None = None

    @property
    def can(self) -> bool:
        """Tell whether it may be done: nothing is in the way, or what is may be confirmed."""
        moving = self.moving
        can_be_confirmed = any(tick not in moving.ticked for tick, _ in moving.asked)
        return not moving.problems and (not moving.problem or can_be_confirmed)


def from_calendar(typed: Form, known: ScheduleOut, date: DateOut, form: Formats) -> Moving:
    """Take where a date was dragged to: a wall time of the place.

    One whose start is reckoned back is not drawn at its hour: it goes as many days on as it was dragged, and keeps
    that, as the end from which it is reckoned belongs to the whole schedule.
    """
    name = date.recurrence_local.isoformat()
    try:
        local = datetime.fromisoformat(typed.one("local"))
        if known.back_timed:
            drawn = datetime.fromisoformat(typed.one("drawn"))
            local = date.local + (local.date() - drawn.date())
    except (ValueError, OverflowError):
        return Moving(name, typed.one("local")[:20], "")
    return Moving(name, form.written(local.date()), f"{local:%H:%M}")


def sentence(known: ScheduleOut, date: DateOut, moving: Moving, form: Formats) -> str:
    """Say what is about to be moved, and where to; of one whose start is reckoned back only the days."""
    day, before, after = day_of(moving.day, form.today()), form.day(date.local.date()), moving.day
    if day:
        after = form.day(day)
    if not known.back_timed:
        before = form.text("time.on", hour=f"{date.local:%H:%M}", day=before)
        after = form.text("time.on", hour=moving.hour, day=after) if day else after
    return form.text("plan.move_said", title=known.title, before=before, after=after)


def stays(known: ScheduleOut, date: DateOut, moving: Moving, form: Formats) -> bool:
    """Tell whether a date whose start is reckoned back was dragged to another hour alone: nothing comes of that."""
    return known.back_timed and day_of(moving.day, form.today()) == date.local.date()


def back_said(known: ScheduleOut, date: DateOut, *, is_moved: bool, form: Formats) -> str:
    """Say what dragging does to a date whose start is reckoned back from its end; empty: its start is not.

    One that was moved may have taken its end along.
    """
    if not known.back_timed or known.ends_at_local is None:
        return ""
    if date.changed is DateChange.MOVED:
        return form.text("plan.move_back_again")
    return form.text("plan.move_back" if is_moved else "plan.move_back_only", hour=known.ends_at_local[:5])


def replacing_wanted(replacing: Replacing, date: DateOut, programme_id: str, form: Formats) -> ExceptionIn:
    """Give what the service is to be asked for: the date stays at the time to which it was moved.

    Raises:
        Unclear: no programme is chosen.
    """
    if not replacing.programme:
        raise Unclear({"instead": form.text("schedules.programme_empty")})
    is_moved = date.changed is DateChange.MOVED
    said = {
        "kind": DateChange.MOVED if is_moved else DateChange.KEPT,
        "moved_to_local": date.local if is_moved else None,
        "programme_id": None if replacing.programme == programme_id else replacing.programme,
        "reason": date.reason,
    }
    return ExceptionIn.model_validate(said | dict.fromkeys(replacing.ticked, True))


def wanted(moving: Moving, form: Formats, date: DateOut, programme_id: str) -> ExceptionIn:
    """Give what the service is to be asked for: what was chosen for the ``date`` goes with it.

    Raises:
        Unclear: day or hour cannot be understood, or both.
    """
    read = each_of({"day": lambda: _day(moving.day, form), "hour": lambda: _hour(moving.hour, form)})
    local = datetime.combine(read["day"], read["hour"])
    said = {"kind": DateChange.MOVED, "moved_to_local": local, "reason": date.reason}
    said |= {"programme_id": by_hand(date, programme_id)}
    return ExceptionIn.model_validate(said | dict.fromkeys(moving.ticked, True))


def unclear(moving: Moving, said: Unclear) -> Moving:
    """Say of each field what cannot be understood of it; what is of no field stands above them."""
    problems = dict(said.problems)
    return replace(moving, problem=problems.pop("form", ""), problems=problems)


def _day(typed: str, form: Formats) -> date:
    if (day := day_of(typed, form.today())) is None:
        raise Unclear({"day": form.text("wrong.day_written")})
    return day


def _hour(typed: str, form: Formats) -> time:
    if (hour := hour_of(typed)) is None:
        raise Unclear({"hour": hour_wrong(typed, form)})
    return time(*hour)


def refused(moving: _OneT, error: LoaError, form: Formats) -> _OneT:
    """Say why it was not done, and ask for what would let it be done; what was ticked stays asked."""
    ticks = [tick for tick in TICKS if tick in moving.ticked or tick == _tick_of(error)]
    asked = tuple((tick, _said(tick, error, form)) for tick in ticks)
    return replace(moving, problem=problem_text(error, form), asked=asked)


def _tick_of(error: LoaError) -> str:
    return {UnusualHourError.code: TICKS[0], ScheduleConflictError.code: TICKS[1]}.get(error.code, "")


def _said(tick: str, error: LoaError, form: Formats) -> str:
    if tick == TICKS[1]:
        return form.text("schedules.confirm_conflicts")
    if error.code == UnusualHourError.code:
        return unusual_said(UnusualOut(reason=error.fields["reason"], hour=error.fields["hour"]), form)
    return form.text("schedules.confirm_unusual")
