"""Days as the calendar shows them, and copies of a week, as the API takes and shows them."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.broadcasts.schemas import AskedOut
from controller.policies.schemas import BreachOut, UnusualOut
from edge_agent.protocol.states import Level

from .expand import Verdict
from .schemas import DateOut, Day, Key, LocalTime
from .states import OnCalendarDay

MAX_COPIES = 100
"""Dates of one week that are copied at once: each is a schedule, asked about by itself."""


class FeedCalendar(BaseModel):
    """What a calendar says of a day."""

    model_config = ConfigDict(frozen=True)

    title: str
    effect: OnCalendarDay
    area_name: str


class FeedDay(BaseModel):
    """A day with what is known of it besides its date."""

    model_config = ConfigDict(frozen=True)

    date: date
    lunar_day: int
    lunar_month: int
    is_leap_month: bool
    """Of the lunar year."""
    holiday: str | None
    """Public holiday of Viet Nam, in Vietnamese; None: none."""
    holiday_en: str | None
    calendars: tuple[FeedCalendar, ...]


class FeedEntry(BaseModel):
    """A date of a schedule, or a broadcast that was planned by hand for one time."""

    model_config = ConfigDict(frozen=True)

    key: str
    """Of a date ``{schedule_id}@{recurrence_local}``, else the id of the broadcast."""
    title: str
    area_id: str | None
    schedule_id: str | None = None
    date: DateOut | None = None
    """With a schedule: what is known of the date."""
    instead: str | None = None
    """Title of the programme that airs on this date instead of the schedule's own; None: that does."""
    broadcast_id: str | None = None
    is_series: bool = False
    version: int = 0
    """Of the schedule."""
    level: Level
    start_at: AwareDatetime
    ends_at: AwareDatetime
    """As the start when nothing of it can be aired as it is."""
    starts_local: LocalTime
    """Wall time in the zone of the answer."""
    ends_local: LocalTime
    places: tuple[str, ...]
    """Names of the places in sight at which it is aimed."""
    awaits_approval: bool = False
    approval: AskedOut | None = None
    """The request on which it waits, or by which it was refused; of a date that of its schedule for its programme."""
    meets: tuple[str, ...] = ()
    """Titles of what sounds at the same time at one of its nodes."""
    breaches: tuple[BreachOut, ...] = ()
    """Of what was planned by hand: rules by which nodes refuse it or a part of it; a date has its own."""

    @property
    def sounds(self) -> bool:
        """Say whether anything of it is to be heard."""
        return self.ends_at > self.start_at and (self.date is None or self.date.verdict is Verdict.AIRED)


class FeedOut(BaseModel):
    """Some days as a page shows them."""

    model_config = ConfigDict(frozen=True)

    zone: str
    days: tuple[FeedDay, ...]
    entries: tuple[FeedEntry, ...]
    """By start."""
    is_cut: bool
    """There are more schedules than fit: name an area."""


class WeekCopyIn(BaseModel):
    """A week of single dates is to be planned as another week was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    area_id: Key
    from_week: Day
    """Any day of the week, Monday to Sunday, that is copied."""
    into_week: Day
    only: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MAX_COPIES)] | None = None
    """Keys of what is to be copied, as the preview gave them; None: all that can be."""
    confirm_conflicts: bool = False
    confirm_unusual: bool = False


class WeekCopyLine(BaseModel):
    """One date of the week that is copied."""

    model_config = ConfigDict(frozen=True)

    key: str
    title: str
    from_local: LocalTime
    into_local: LocalTime
    what: Literal["new", "there", "past", "suspended", "refused"]
    """``there``: the same is planned already."""
    because: str | None = None
    """With ``suspended`` the title of the calendar, with ``refused`` the code of the error."""
    rules: tuple[str, ...] = ()
    """With ``refused``: the rules of policies against which it is."""
    meets: tuple[str, ...] = ()
    """Titles of what is planned there at the same time; empty: of another place."""
    unusual: UnusualOut | None = None


class WeekCopyOut(BaseModel):
    """What copying a week would do, or did."""

    model_config = ConfigDict(frozen=True)

    from_monday: date
    into_monday: date
    lines: tuple[WeekCopyLine, ...]
    """By time; nothing is dropped without a line."""
    made: tuple[str, ...] = ()
    """Ids of the schedules that were written."""
