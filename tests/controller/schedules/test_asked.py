"""A schedule says what it waits for: the yes that is asked for, or the no and its reason, until somebody edits it."""

from datetime import datetime, timedelta

from controller.approvals.schemas import ReturnIn
from controller.approvals.states import RequestState
from controller.programmes.schemas import ProgrammeChange
from controller.schedules.schemas import ExceptionIn, ScheduleChange
from controller.schedules.states import DateChange
from tests.controller.approving import ANOTHER, Commune, commune
from tests.controller.factories import Centre
from tests.controller.schedules.village import programme, wish

TEN = datetime.fromisoformat("2026-03-10T05:00:00")
"""The first date."""


async def state(village: Commune, schedule_id: str) -> tuple[RequestState, str | None] | None:
    """What a schedule is said to wait for, alike by itself and in the list."""
    schedules = village.here.services.schedules
    known = (await schedules.get(village.operator, schedule_id)).approval
    (listed,) = await schedules.list(village.operator)
    assert listed.approval == known
    return None if known is None else (known.state, known.returned_reason)


async def test_a_returned_schedule_says_why_until_it_is_edited(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    wanted = wish(village.area, await programme(lite, village.area))
    made = await lite.services.schedules.create(village.operator, wanted)
    assert await state(village, made.id) == (RequestState.OPEN, None)
    (asked,) = await village.queue()
    await lite.services.approvals.return_(village.leader, asked.id, ReturnIn(reason="Dài quá"))
    assert await state(village, made.id) == (RequestState.RETURNED, "Dài quá")

    lite.clock.step(minutes=1)
    change = wanted.model_dump() | {"starts_at_local": TEN.replace(hour=6), "confirm_unusual": True}
    await lite.services.schedules.change(village.operator, made.id, ScheduleChange(version=1, **change))
    assert await state(village, made.id) == (RequestState.OPEN, None)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    assert await state(village, made.id) is None


async def test_another_programme_in_the_place_of_the_refused_one_waits_and_is_refused_no_more(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    programme_id = await programme(lite, village.area, 5, 3)
    made = await lite.services.schedules.create(village.operator, wish(village.area, programme_id))
    (asked,) = await village.queue()
    await lite.services.approvals.return_(village.leader, asked.id, ReturnIn(reason="Dài quá"))
    shorter = (await lite.services.programmes.get(lite.actor, programme_id)).items[:1]
    items = [{"kind": each.kind, "recording_id": each.recording_id} for each in shorter]
    change = ProgrammeChange.model_validate({"version": 1, "items": items})
    await lite.services.programmes.change(lite.actor, programme_id, change)
    await lite.services.schedules.roll_due()
    assert await state(village, made.id) == (RequestState.OPEN, None)


async def test_of_its_dates_only_those_wait_that_nobody_approved(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await lite.services.schedules.create(
        village.operator, wish(village.area, await programme(lite, village.area))
    )
    (asked,) = await village.queue()
    await village.approve(asked.id)
    moved = ExceptionIn(kind=DateChange.MOVED, moved_to_local=TEN.replace(hour=9), confirm_unusual=True)
    await lite.services.single_dates.except_(village.operator, made.id, TEN, moved)
    dates = await lite.services.schedules.dates(
        village.operator, made.id, lite.clock(), lite.clock() + timedelta(days=3)
    )
    assert [each.awaits_approval for each in dates] == [True, False, False]
