"""Ways around a second person's yes: each is closed, and what ends a yes stands in the audit."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controller.approvals import listening
from controller.approvals.errors import OwnWorkError
from controller.audit.models import AuditEntry
from controller.people.actor import Actor
from controller.schedules.schemas import CalendarIn, ExceptionIn, ScheduleChange, ScheduleOut
from controller.schedules.states import DateChange
from tests.controller.approving import ANOTHER, Commune, commune
from tests.controller.factories import Centre
from tests.controller.schedules.village import programme, wish

TEN = datetime.fromisoformat("2026-03-10T05:00:00")
"""The first date."""


async def approved_daily(village: Commune) -> ScheduleOut:
    """A daily schedule of the operator's with the leader's yes."""
    wanted = wish(village.area, await programme(village.here, village.area))
    made = await village.here.services.schedules.create(village.operator, wanted)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    village.here.clock.step(minutes=1)
    return made


async def move(village: Commune, made: ScheduleOut, who: Actor, *, day: int = 12) -> None:
    moved = ExceptionIn(kind=DateChange.MOVED, moved_to_local=TEN.replace(day=day, hour=18), confirm_unusual=True)
    await village.here.services.single_dates.except_(who, made.id, TEN.replace(day=day), moved)


async def grant_leader(village: Commune) -> Actor:
    """Somebody who writes and approves there."""
    person = await village.here.somebody("both", "administrator", village.area)
    return Actor(person.id, "127.0.0.1")


async def test_who_moved_a_date_does_not_approve_it_and_a_later_one_of_anothers_they_do(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made, both = await approved_daily(village), await grant_leader(village)
    await move(village, made, both)
    (asked,) = await village.queue()
    with pytest.raises(OwnWorkError):
        await village.approve(asked.id, both)
    await village.approve(asked.id)
    lite.clock.step(minutes=1)
    await move(village, made, village.operator, day=13)
    (asked,) = await village.queue()
    await village.approve(asked.id, both)


async def test_who_has_a_calendar_replace_a_programme_does_not_approve_what_airs_instead(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await approved_daily(village)
    both, other = await grant_leader(village), await programme(lite, village.area, 3, title="Đại hội")
    days: list[dict[str, Any]] = [{"kind": "date", "date": "2026-03-12"}]
    said = {"area_id": village.area.id, "title": "Đại hội", "effect": "replace", "programme_id": other}
    await lite.services.calendars.create(both, CalendarIn.model_validate({**said, "days": days}))
    await lite.services.schedules.roll_due()
    (asked,) = await village.queue()
    with pytest.raises(OwnWorkError):
        await village.approve(asked.id, both)
    await village.approve(asked.id)


async def test_what_ends_a_yes_stands_in_the_audit_behind_the_edit(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    made = await approved_daily(village)
    wanted = wish(village.area, made.programme_id, rule="FREQ=WEEKLY").model_dump()
    await here.services.schedules.change(village.operator, made.id, ScheduleChange(version=1, **wanted))
    (asked,) = await village.queue()
    sent = await village.say()
    await here.services.broadcasts.change(village.operator, sent.id, village.wish(title="Sửa"))
    async with here.database.reading() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.seq))).all()
    ended = [each for each in entries if each.action == "approvals.void" and each.subject == f"schedules/{made.id}"]
    assert [(each.detail["yeses"], each.detail["requests"], each.area_id) for each in ended] == [
        (1, [], village.area.id)
    ]
    assert asked.id not in {key for each in ended for key in each.detail["requests"]}
    (of_broadcast,) = [
        each for each in entries if each.action == "approvals.void" and each.subject == f"broadcasts/{sent.id}"
    ]
    assert (of_broadcast.detail["yeses"], len(of_broadcast.detail["requests"])) == (0, 1)


async def test_nobody_heard_more_than_there_was_time_for(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    whole, hearings = [(0, 60_000)], here.services.hearings
    long = [await here.recording(f"Dài {number}", area_id=village.area.id, length_ms=60_000) for number in range(2)]

    async def told(recording_id: str) -> int:
        """Claim all of it; gives what is believed."""
        return (await hearings.note(village.leader, recording_id, whole)).heard_ms

    slack = listening.SLACK // timedelta(milliseconds=1)
    assert [await told(long[0]) for _ in range(3)] == [slack] * 3  # however often it is claimed
    assert await told(long[1]) == 0
    here.clock.step(seconds=20)
    assert await told(long[1]) == 20_000
    assert await told(long[0]) == slack  # nobody hears two at once
    here.clock.step(hours=3)
    assert await told(long[0]) == 2 * slack  # what passed elsewhere was no listening
    here.clock.step(seconds=60)
    assert (await hearings.note(village.leader, long[0], whole)).whole
