"""Schedules, their dates, and calendars as the API takes and shows them."""

from datetime import date, datetime, time
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from controller.approvals.needs import Need
from controller.broadcasts.schemas import AskedOut, ConflictOut, Scopes, TargetOut, Title
from controller.plays.schemas import MayPlayOut, UnconfirmedOut
from controller.policies.schemas import BreachOut, UnusualOut
from controller.programmes.schemas import MAX_ITEMS, BulletinRef, FillIn
from controller.validation import NO_BOOL, problem_of
from edge_agent.protocol.states import Level, Outcome, Reason, StartMode

from .days import FIRST_DAY, LAST_DAY, MAX_DAYS, CalendarDay
from .expand import Verdict
from .rrules import MAX_RULE
from .states import DateChange, OnCalendarDay, Overrun


def _naive_second(local: datetime) -> datetime:
    if local.tzinfo is not None:
        raise ValueError("wall-clock time has no zone: the zone is the schedule's")
    if local.microsecond:
        raise ValueError("whole seconds")
    return local


_WITHOUT_ZONE = WithJsonSchema({"type": "string", "format": "date-time-local"})
"""As OpenAPI's registry of formats calls it; pydantic would promise a date-time, which has a zone."""
LocalTime = Annotated[datetime, _WITHOUT_ZONE]
WallTime = Annotated[
    datetime,
    _WITHOUT_ZONE,
    AfterValidator(_naive_second),
    Field(ge=datetime(1970, 1, 1), le=datetime.combine(LAST_DAY, time(23, 59, 59))),  # noqa: DTZ001 - wall time is naive
]
"""Local date and time without zone, ``2026-11-23T05:00:00``."""
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
LateMs = Annotated[int, Field(ge=0, le=3_600_000), NO_BOOL]
Key = Annotated[str, Field(max_length=64)]
Reasoning = Annotated[str, Field(max_length=200)]


class ScheduleRule(BaseModel):
    """When, where and how something airs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Title
    targets: Scopes
    """``areas/{id}`` and ``nodes/{id}``."""
    starts_at_local: WallTime
    """First date and its time: DTSTART."""
    rule: Annotated[str, Field(max_length=MAX_RULE)] | None = None
    """RRULE of RFC 5545 without its name, daily or rarer; None: once."""
    last_date: Day | None = None
    zone: Annotated[str, Field(max_length=64)] | None = None
    """None: that of the area above all targets when the schedule is made, or comes there; kept by every later edit."""
    level: Literal["normal", "priority"] = "normal"
    start_mode: StartMode = StartMode.SOFT
    late_ms: LateMs = 300_000
    ends_at_local: TimeOfDay | None = None
    """Fixed end: the next such time after the start."""
    back_timed: bool = False
    """Begin so late that it ends at the fixed end."""
    overrun: Overrun = Overrun.REFUSE
    filler_recording_id: Key | None = None
    position: Annotated[int, Field(ge=-1_000_000, le=1_000_000), NO_BOOL] = 0
    """The operator's order among broadcasts of one time; lower first."""
    confirm_conflicts: bool = False
    """Save though others are planned at the same time."""
    confirm_unusual: bool = False
    """Save though nothing sounds there at such an hour."""

    @classmethod
    def checked(cls, **given: Any) -> Self:
        """Take what was asked elsewhere than over HTTP.

        Raises:
            InvalidError: a field is wrong by itself.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            raise problem_of(error.errors()) from None


class ScheduleIn(ScheduleRule):
    """A new schedule, or what an old one is to be from now on."""

    programme_id: Key


class ScheduleChange(ScheduleIn):
    """What a schedule is to be; ``version`` is the one that was seen."""

    version: Annotated[int, NO_BOOL]


class TemplateScheduleIn(ScheduleRule):
    """A new schedule of a programme that is made from a template in the same act."""

    template_id: Key
    fill: Annotated[list[FillIn], Field(max_length=MAX_ITEMS)] = []
    """What goes into its slots; those not named are left out."""

    def of_programme(self, programme_id: str) -> ScheduleIn:
        """Give the schedule of the programme that was made."""
        return ScheduleIn(programme_id=programme_id, **self.model_dump(exclude={"template_id", "fill"}))


class UnairedOut(BaseModel):
    """A date of a schedule that cannot be aired as it is, or could not: no broadcast came to be of it."""

    model_config = ConfigDict(frozen=True)

    id: str
    phase: Literal["unaired"] = "unaired"
    """Beside the phases of broadcasts."""
    schedule_id: str | None
    """None: not in sight, as one of an area above; nor is then said what is the matter with its programme."""
    recurrence_local: LocalTime
    """Wall time that the rule gives: names the date."""
    start_at: AwareDatetime
    title: str
    level: Level
    targets: tuple[TargetOut, ...]
    """Those in sight, as they were aimed at."""
    problem: str
    """Why: code of the error."""
    problem_message: str
    cause: str | None
    """With ``not_airable`` what is the matter: ``not_approved``, ``archived``, ``withdrawn``…"""
    item: str | None
    """Title of the bulletin or recording that it is about."""
    rules: tuple[str, ...]
    """With ``policy_breach``: the rules of policies against which it is."""
    noted_at: AwareDatetime
    """Since when it is so."""
    replaced_ids: tuple[str, ...] = ()
    """Broadcasts in sight that stood for this date, and were taken out of the plan: nodes may have them yet."""


class DatesAskedOut(AskedOut):
    """Another person's yes to dates of a schedule, asked for."""

    programme_id: str | None = None
    """The dates with this programme; None: all that wait."""
    start_at: AwareDatetime | None = None
    """Of the first of them; None: it is not known."""

    def is_about(self, programme_id: str) -> bool:
        """Tell whether dates with a programme wait on it."""
        return self.programme_id in {None, programme_id}


class ReturnedOut(BaseModel):
    """A schedule to which somebody said no, or to a date of it that is not planned yet."""

    model_config = ConfigDict(frozen=True)

    schedule_id: str
    title: str
    start_at: AwareDatetime
    """Of its next date, which stays silent."""
    reason: str


class AiringOut(BaseModel):
    """A schedule that airs something in the coming 30 days."""

    model_config = ConfigDict(frozen=True)

    schedule_id: str
    area_id: str
    """The area above all its targets."""
    title: str
    next_at: AwareDatetime
    times: int
    """In those days."""


class ScheduleOut(BaseModel):
    """When a programme airs."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str
    title: str
    programme_id: str
    targets: tuple[str, ...]
    level: Level
    zone: str
    starts_at_local: LocalTime
    rule: str | None
    last_date: date | None
    start_mode: StartMode
    late_ms: int
    ends_at_local: str | None
    back_timed: bool
    overrun: Overrun
    filler_recording_id: str | None
    position: int
    version: int
    created_at: AwareDatetime
    changed_at: AwareDatetime
    ended_at: AwareDatetime | None
    next_at: AwareDatetime | None
    """Start of the next date that is planned; with ``approval``, it sounds only when somebody says yes."""
    approval: DatesAskedOut | None = None
    """The first of ``approvals``. ``returned``: what it is about sounds only once it is edited, and asked for anew."""
    approvals: tuple[DatesAskedOut, ...] = ()
    """All requests on which dates of it wait, refused ones first."""
    unaired: UnairedOut | None = None
    """The next date that cannot be aired as it is."""
    owed: tuple[BulletinRef, ...] | None = None
    """Priority bulletins that areas above offer now and that its programme lacks; None in lists."""


class ExceptionIn(BaseModel):
    """What one date is instead. ``kept``: at its time, in spite of the calendars that silence the day by now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: DateChange = DateChange.KEPT
    moved_to_local: WallTime | None = None
    """With ``moved``: when instead."""
    programme_id: Key | None = None
    """Another programme for this date; None: the schedule's."""
    reason: Reasoning | None = None
    confirm_unusual: bool = False
    """With ``moved``: though nothing sounds there at such an hour."""
    confirm_conflicts: bool = False
    """Though others are planned for the same nodes at its time."""


class DateOut(BaseModel):
    """One date of a schedule."""

    model_config = ConfigDict(frozen=True)

    schedule_id: str
    recurrence_local: LocalTime
    """Wall time that the rule gives: names the date in exceptions."""
    local: LocalTime
    """Wall time at which it is to start."""
    start_at: AwareDatetime
    """With back-timing this is not yet reckoned in."""
    programme_id: str
    verdict: Verdict
    because: str | None
    """Title of the calendar that suspended or replaced it."""
    changed: DateChange | None
    """By hand, for this date."""
    reason: str | None
    """Of that change."""
    broadcast_id: str | None
    """Once the date is planned."""
    awaits_approval: bool = False
    """It is planned, and sounds only when somebody says yes."""
    problem: str | None = None
    """Why it cannot be aired as it is: code of the error."""
    problem_message: str | None = None
    breaches: tuple[BreachOut, ...] = ()
    """Rules by which nodes refuse it or a part of it, as the rules are now; asked of what is to come."""
    unconfirmed: UnconfirmedOut | None = None
    """What stood for this date before was taken back where nobody can confirm it."""


class UnheededOut(BaseModel):
    """A calendar of a place that hears a schedule and is not followed by it: the schedule belongs to an area above."""

    model_config = ConfigDict(frozen=True)

    title: str
    area_id: str
    area_name: str
    dates: tuple[date, ...]
    """Days that it silences, on which the schedule sounds there all the same."""


class SchedulePreview(BaseModel):
    """What saving would do; nothing is saved."""

    model_config = ConfigDict(frozen=True)

    area_id: str
    zone: str
    node_count: int
    length_ms: int
    """Of the programme as it is now, fillers not counted."""
    dates: tuple[DateOut, ...]
    """Of the next 30 days, and of the 30 days from its first date on; at most 100."""
    conflicts: tuple[ConflictOut, ...]
    breaches: tuple[BreachOut, ...]
    """What the policies of its places do not allow."""
    unusual: UnusualOut | None
    """Why saving takes ``confirm_unusual``; None when it does not."""
    refusal: str | None
    """Code of the error with which saving would be refused, or a date could not be aired."""
    refusal_message: str | None
    approval: Need | None = None
    """Whose yes it takes when the person who asks saves it; None where nothing of it can be aired as it is."""
    owed: tuple[BulletinRef, ...] = ()
    """Priority bulletins that areas above offer now and that its programme lacks: nothing is put in by itself."""
    unheeded: tuple[UnheededOut, ...] = ()
    """Days of silence of single places that hear it."""


class CalendarIn(BaseModel):
    """Days that are not as others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    area_id: Key
    title: Title
    days: Annotated[list[CalendarDay], Field(min_length=1, max_length=MAX_DAYS)]
    effect: OnCalendarDay
    programme_id: Key | None = None
    """With ``replace``: what airs instead."""


class CalendarChange(CalendarIn):
    """What a calendar is to be; ``version`` is the one that was seen."""

    version: Annotated[int, NO_BOOL]


class CalendarOut(BaseModel):
    """Days that are not as others, here and below."""

    model_config = ConfigDict(frozen=True)

    id: str
    area_id: str
    title: str
    days: list[CalendarDay]
    effect: OnCalendarDay
    programme_id: str | None
    version: int
    created_at: AwareDatetime
    next_dates: tuple[date, ...]
    """Of the next 400 days, at most 60."""


class SoundOut(BaseModel):
    """What a node will play, by its own function."""

    model_config = ConfigDict(frozen=True)

    begins_at: AwareDatetime
    ends_at: AwareDatetime
    item: int
    language: str
    sha256: str


class DayEntryOut(BaseModel):
    """One broadcast in a node's day."""

    model_config = ConfigDict(frozen=True)

    broadcast_id: str | None
    """None: its date is not planned yet, being too far ahead."""
    schedule_id: str | None
    title: str
    level: Level
    start_at: AwareDatetime
    latest_start_at: AwareDatetime
    latest_end_at: AwareDatetime
    awaits_approval: bool
    """It stands in no plan until somebody approves it; shown as if it had been."""
    outcome: Outcome | None
    """What will become of it, or what did."""
    reason: Reason | None
    by: str | None
    """Broadcast or hold behind the reason."""
    is_past: bool
    """Outcome and reason are the node's own word."""
    grade: int | None = None
    """Grade of evidence, 0 to 3, of what it played."""
    simulated: bool = False
    """The grade rests on a virtual output or a simulated microphone."""
    sounds: tuple[SoundOut, ...]


class DayOut(BaseModel):
    """A node's day as it will be, by the function that the node plays by."""

    model_config = ConfigDict(frozen=True)

    node_id: str
    date: date
    zone: str
    from_at: AwareDatetime
    until_at: AwareDatetime
    entries: tuple[DayEntryOut, ...]
    """By start."""
    unconfirmed: tuple[MayPlayOut, ...]
    """What was taken back and stands in no plan, and may be heard all the same: the node is out of reach."""


class CalendarFileIn(BaseModel):
    """An iCalendar file to take in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ics: Annotated[str, Field(max_length=200_000)]
    """The file's text."""
    programme_id: Key
    """What airs where an event does not say."""
    targets: Scopes
    """Where, when an event does not say."""
    zone: Annotated[str, Field(max_length=64)] = "Asia/Ho_Chi_Minh"
    """Of times that name none."""
    confirm_conflicts: bool = False
    confirm_unusual: bool = False


class CalendarFile(BaseModel):
    """What an iCalendar file became."""

    model_config = ConfigDict(frozen=True)

    schedules: tuple[ScheduleOut, ...]
    skipped: tuple[str, ...]
    """Titles of events that are no schedule, each with the reason."""
