"""Schedules, their dates and calendars over HTTP."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from controller.broadcasts.schemas import When
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.http.description import ENDS_ONCE, NOT_FOUND, may_raise
from controller.http.session import Acting, AnyServices
from controller.policies.errors import PolicyBreachError, UnusualHourError
from controller.policies.schemas import WhatIfOut
from controller.programmes.layout import NotAirableError

from .conflicts import ScheduleConflictError
from .feed_schemas import FeedOut, WeekCopyIn, WeekCopyOut
from .ical import NotACalendarError
from .schemas import (
    CalendarChange,
    CalendarFile,
    CalendarFileIn,
    CalendarIn,
    CalendarOut,
    DateOut,
    Day,
    DayOut,
    ExceptionIn,
    ScheduleChange,
    ScheduleIn,
    ScheduleOut,
    SchedulePreview,
    TemplateScheduleIn,
    WallTime,
)
from .silence import DaySuspendedError
from .timing import OverrunError

router = APIRouter(prefix="/schedules", tags=["schedules"])
calendars = APIRouter(prefix="/calendars", tags=["schedules"])
days = APIRouter(prefix="/nodes", tags=["schedules"])

LONGEST_LOOK = timedelta(days=400)
WRITE_ERRORS = (
    ForbiddenError,
    ScheduleConflictError,
    NotAirableError,
    OverrunError,
    PolicyBreachError,
    UnusualHourError,
)
DATE_ERRORS = may_raise(ForbiddenError, NotFoundError, ConflictError, InvalidError)
MOVE_ERRORS = may_raise(
    ForbiddenError,
    NotFoundError,
    ConflictError,
    InvalidError,
    PolicyBreachError,
    UnusualHourError,
    ScheduleConflictError,
    DaySuspendedError,
)
RESTORE_ERRORS = may_raise(
    ForbiddenError, NotFoundError, ConflictError, InvalidError, PolicyBreachError, ScheduleConflictError
)


@router.get("", summary="Schedules", responses=may_raise(NotFoundError))
async def list_schedules(
    actor: Acting,
    services: AnyServices,
    area_id: Annotated[str | None, Query(max_length=64)] = None,
    ended: bool = False,  # noqa: FBT001, FBT002  a query parameter
) -> list[ScheduleOut]:
    """Give the schedules in sight; those of an area and below it when one is named; ended ones when asked for."""
    return await services.schedules.list(actor, area_id=area_id, ended=ended)


@router.post("", status_code=201, summary="Write a schedule", responses=may_raise(*WRITE_ERRORS))
async def create(wanted: ScheduleIn, actor: Acting, services: AnyServices) -> ScheduleOut:
    """Write a schedule and plan its first dates."""
    return await services.schedules.create(actor, wanted)


@router.post(
    "/from-template",
    status_code=201,
    summary="Write a schedule of a template",
    responses=may_raise(*WRITE_ERRORS, NotFoundError),
)
async def create_from_template(wanted: TemplateScheduleIn, actor: Acting, services: AnyServices) -> ScheduleOut:
    """Make a programme of a template, fill its slots, and plan it: all of it or nothing."""
    return await services.templates.create(actor, wanted)


@router.post(
    "/from-template/preview",
    summary="What saving a schedule of a template would do",
    responses=may_raise(ForbiddenError, NotFoundError),
)
async def preview_from_template(wanted: TemplateScheduleIn, actor: Acting, services: AnyServices) -> SchedulePreview:
    """Give its next dates and what it meets; saves nothing."""
    return await services.templates.preview(actor, wanted)


@router.get("/feed", summary="Days as a page shows them", responses=may_raise(InvalidError, NotFoundError))
async def feed(
    from_date: Day,
    until_date: Day,
    actor: Acting,
    services: AnyServices,
    area_id: Annotated[str | None, Query(max_length=64)] = None,
) -> FeedOut:
    """Give the dates of schedules and single broadcasts of some days, with holidays, lunar days and what meets what.

    From ``from_date`` to the day before ``until_date``, at most 62 days; of an area and below it when one is named.
    """
    return await services.feeds.of(actor, from_date, until_date, area_id)


@router.post("/copies", status_code=201, summary="Copy a week", responses=may_raise(*WRITE_ERRORS, NotFoundError))
async def copy_week(wanted: WeekCopyIn, actor: Acting, services: AnyServices) -> WeekCopyOut:
    """Plan a week as another was, each date by itself: all of it or nothing. What a rule gives anyway is left out."""
    return await services.week_copies.copy(actor, wanted)


@router.post(
    "/copies/preview", summary="What copying a week would do", responses=may_raise(ForbiddenError, NotFoundError)
)
async def preview_week(wanted: WeekCopyIn, actor: Acting, services: AnyServices) -> WeekCopyOut:
    """Say of each date of the week what would become of it; saves nothing."""
    return await services.week_copies.preview(actor, wanted)


@router.post("/preview", summary="What saving a schedule would do", responses=may_raise(ForbiddenError, NotFoundError))
async def preview(
    wanted: ScheduleIn,
    actor: Acting,
    services: AnyServices,
    schedule_id: Annotated[str | None, Query(max_length=64)] = None,
) -> SchedulePreview:
    """Give its next dates and what it meets; saves nothing. ``schedule_id``: the one that is being changed."""
    return await services.schedules.preview(actor, wanted, schedule_id)


@router.post(
    "/what-if",
    summary="What saving a schedule would change",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def what_if(
    wanted: ScheduleIn,
    actor: Acting,
    services: AnyServices,
    schedule_id: Annotated[str | None, Query(max_length=64)] = None,
) -> WhatIfOut:
    """Run the last and the next 30 days through the function that nodes play by, without it and with it; saves nothing.

    ``schedule_id``: the one that is being changed.
    """
    return await services.what_ifs.of(actor, wanted, schedule_id)


@router.get("/dates", summary="Dates of all schedules", responses=may_raise(InvalidError))
async def all_dates(from_at: When, until_at: When, actor: Acting, services: AnyServices) -> Sequence[DateOut]:
    """Give the dates in sight that start in a time, cancelled and suspended ones among them."""
    if not from_at < until_at <= from_at + LONGEST_LOOK:
        raise _too_long()
    return await services.schedules.all_dates(actor, from_at, until_at)


@router.get(
    "/calendar.ics",
    summary="Schedules as an iCalendar file",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}, **may_raise(NotFoundError)},
)
async def write_file(
    actor: Acting, services: AnyServices, area_id: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Give the schedules in sight for other calendars; those of an area and below it when one is named."""
    raw = await services.exchange.write(actor, area_id=area_id)
    named = {"Content-Disposition": 'attachment; filename="loa.ics"'}
    return Response(raw, media_type="text/calendar; charset=utf-8", headers=named)


@router.post("/import", summary="Take in an iCalendar file", responses=may_raise(ForbiddenError, NotACalendarError))
async def read_file(wanted: CalendarFileIn, actor: Acting, services: AnyServices) -> CalendarFile:
    """Write a schedule for each event, each by itself; what cannot be taken is named with the reason."""
    return await services.exchange.read(actor, wanted)


@router.get("/{schedule_id}", summary="One schedule", responses=NOT_FOUND)
async def get(schedule_id: str, actor: Acting, services: AnyServices) -> ScheduleOut:
    """Give one schedule."""
    return await services.schedules.get(actor, schedule_id)


@router.put(
    "/{schedule_id}", summary="Change a schedule", responses=may_raise(*WRITE_ERRORS, NotFoundError, ConflictError)
)
async def change(schedule_id: str, wanted: ScheduleChange, actor: Acting, services: AnyServices) -> ScheduleOut:
    """Say what it is to be from now on. What began is not touched; exceptions keep their dates."""
    return await services.schedules.change(actor, schedule_id, wanted)


@router.post("/{schedule_id}/end", summary="End a schedule", responses=ENDS_ONCE)
async def end(schedule_id: str, actor: Acting, services: AnyServices) -> ScheduleOut:
    """Take it out: nothing of it begins any more; what sounds goes on."""
    return await services.schedules.end(actor, schedule_id)


@router.post(
    "/{schedule_id}/end/what-if",
    summary="What ending a schedule would change",
    responses=may_raise(ForbiddenError, NotFoundError, ConflictError),
)
async def what_if_ended(schedule_id: str, actor: Acting, services: AnyServices) -> WhatIfOut:
    """Run the last and the next 30 days without it; saves nothing."""
    return await services.what_ifs.of_end(actor, schedule_id)


@router.get("/{schedule_id}/dates", summary="Dates of a schedule", responses=may_raise(NotFoundError, InvalidError))
async def dates(
    schedule_id: str, from_at: When, until_at: When, actor: Acting, services: AnyServices
) -> Sequence[DateOut]:
    """Give the dates that start in a time, with what keeps them from being aired."""
    if not from_at < until_at <= from_at + LONGEST_LOOK:
        raise _too_long()
    return await services.schedules.dates(actor, schedule_id, from_at, until_at)


@router.put("/{schedule_id}/dates/{recurrence_local}", summary="Change one date", responses=MOVE_ERRORS)
async def except_date(
    schedule_id: str, recurrence_local: WallTime, wanted: ExceptionIn, actor: Acting, services: AnyServices
) -> DateOut:
    """Cancel or move one date, keep it on a holiday, or give it another programme; edits of the series leave it so."""
    return await services.single_dates.except_(actor, schedule_id, recurrence_local, wanted)


@router.post(
    "/{schedule_id}/dates/{recurrence_local}/what-if",
    summary="What changing one date would change",
    responses=DATE_ERRORS,
)
async def what_if_date(
    schedule_id: str,
    recurrence_local: WallTime,
    actor: Acting,
    services: AnyServices,
    wanted: ExceptionIn | None = None,
) -> WhatIfOut:
    """Run the next 30 days with the date as it is wanted; without a body as the rule says. Saves nothing."""
    return await services.what_ifs.of_date(actor, schedule_id, recurrence_local, wanted)


@router.delete(
    "/{schedule_id}/dates/{recurrence_local}", summary="Let a date be as the rule says", responses=RESTORE_ERRORS
)
async def restore_date(
    schedule_id: str,
    recurrence_local: WallTime,
    actor: Acting,
    services: AnyServices,
    confirm_conflicts: bool = False,  # noqa: FBT001, FBT002  a query parameter
) -> DateOut:
    """Forget what was said of one date. ``confirm_conflicts``: though others are planned for the same nodes then."""
    return await services.single_dates.restore(
        actor, schedule_id, recurrence_local, confirm_conflicts=confirm_conflicts
    )


@calendars.get("", summary="Calendars")
async def list_calendars(actor: Acting, services: AnyServices) -> list[CalendarOut]:
    """Give the calendars in sight, and those of the areas above, which hold here too."""
    return await services.calendars.list(actor)


@calendars.post("", status_code=201, summary="Write a calendar", responses=may_raise(ForbiddenError))
async def create_calendar(wanted: CalendarIn, actor: Acting, services: AnyServices) -> CalendarOut:
    """Name days on which schedules here and below are silent, or air something else."""
    return await services.calendars.create(actor, wanted)


@calendars.put(
    "/{calendar_id}", summary="Change a calendar", responses=may_raise(ForbiddenError, NotFoundError, ConflictError)
)
async def change_calendar(
    calendar_id: str, wanted: CalendarChange, actor: Acting, services: AnyServices
) -> CalendarOut:
    """Say what it is to be from now on."""
    return await services.calendars.change(actor, calendar_id, wanted)


@calendars.post(
    "/what-if", summary="What saving a calendar would change", responses=may_raise(ForbiddenError, NotFoundError)
)
async def what_if_calendar(
    wanted: CalendarIn,
    actor: Acting,
    services: AnyServices,
    calendar_id: Annotated[str | None, Query(max_length=64)] = None,
) -> WhatIfOut:
    """Run the last and the next 30 days with it; saves nothing. ``calendar_id``: the one that is being changed."""
    return await services.what_ifs.of_calendar(actor, wanted, calendar_id)


@calendars.post(
    "/{calendar_id}/end/what-if",
    summary="What ending a calendar would change",
    responses=may_raise(ForbiddenError, NotFoundError),
)
async def what_if_calendar_ended(calendar_id: str, actor: Acting, services: AnyServices) -> WhatIfOut:
    """Run the last and the next 30 days without it; saves nothing."""
    return await services.what_ifs.of_calendar_end(actor, calendar_id)


@calendars.post("/{calendar_id}/end", summary="End a calendar", responses=may_raise(ForbiddenError, NotFoundError))
async def end_calendar(calendar_id: str, actor: Acting, services: AnyServices) -> CalendarOut:
    """Take it out: its days are as others again."""
    return await services.calendars.end(actor, calendar_id)


@days.get("/{node_id}/day", summary="A node's day, resolved", responses=may_raise(NotFoundError))
async def day(
    node_id: str, actor: Acting, services: AnyServices, date: Annotated[Day | None, Query()] = None
) -> DayOut:
    """Say what the node will play on a day, by the function that it plays by; today when none is named."""
    return await services.days.of(actor, node_id, date)


def _too_long() -> InvalidError:
    return InvalidError(f"from_at, until_at: at most {LONGEST_LOOK.days} days apart", field="until_at", problem="range")
