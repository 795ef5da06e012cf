"""One date of a schedule, to be heard at another time: what was typed, and what has to be confirmed. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from controller.errors import LoaError
from controller.policies.errors import UnusualHourError
from controller.policies.schemas import UnusualOut
from controller.schedules.conflicts import ScheduleConflictError
from controller.schedules.schemas import DateOut, ExceptionIn
from web.formats import Formats
from web.forms import Form, Unclear, day_of, hour_of
from web.problems import problem_text
from web.views.dated import Told, unusual_said

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


def begun(date: DateOut, form: Formats) -> Moving:
    """Begin with the time at which it would be."""
    return Moving(date.recurrence_local.isoformat(), form.written(date.local.date()), f"{date.local:%H:%M}")


def read(typed: Form, recurrence: datetime) -> Moving:
    """Take what was typed."""
    ticked = tuple(tick for tick in TICKS if typed.one(tick) == "yes")
    return Moving(recurrence.isoformat(), typed.one("day").strip(), typed.one("hour").strip(), ticked)


@dataclass(frozen=True)
class Looked:
    """What moving would change; ``changes`` None: that cannot be said."""

    moving: Moving
    changes: list[Told] | None = None

    @property
    def can(self) -> bool:
        """Tell whether it may be done: nothing is in the way, or what is may be confirmed."""
        return not self.moving.problem or any(tick not in self.moving.ticked for tick, _ in self.moving.asked)


def from_calendar(typed: Form, recurrence: datetime, form: Formats) -> Moving:
    """Take where a date was dragged to: a wall time of the place."""
    try:
        local = datetime.fromisoformat(typed.one("local"))
    except ValueError:
        return Moving(recurrence.isoformat(), typed.one("local")[:20], "")
    return Moving(recurrence.isoformat(), form.written(local.date()), f"{local:%H:%M}")


def sentence(title: str, recurrence: datetime, moving: Moving, form: Formats) -> str:
    """Say what is about to be moved, and where to."""
    before = form.text("time.on", hour=f"{recurrence:%H:%M}", day=form.day(recurrence.date()))
    day = day_of(moving.day, form.today())
    after = form.text("time.on", hour=moving.hour, day=form.day(day)) if day else moving.day
    return form.text("plan.move_said", title=title, before=before, after=after)


def wanted(moving: Moving, form: Formats) -> ExceptionIn:
    """Give what the service is to be asked for.

    Raises:
        Unclear: day or hour cannot be understood.
    """
    day, hour = day_of(moving.day, form.today()), hour_of(moving.hour)
    if day is None:
        raise Unclear({"day": form.text("wrong.day_written")})
    if hour is None:
        raise Unclear({"hour": form.text("wrong.hour")})
    local = datetime(day.year, day.month, day.day, *hour)  # noqa: DTZ001 - wall time of the place
    return ExceptionIn.model_validate({"kind": "moved", "moved_to_local": local} | dict.fromkeys(moving.ticked, True))


def refused(moving: Moving, error: LoaError, form: Formats) -> Moving:
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
