"""What policies count was heard, or still may be: what nobody approved makes no habit and uses up no day."""

from datetime import timedelta

import pytest

from controller.approvals.schemas import ReturnIn
from controller.policies.errors import PolicyBreachError, UnusualHourError
from controller.schedules.schemas import ScheduleIn
from tests.controller.approving import ANOTHER, Commune, commune, local
from tests.controller.factories import Centre
from tests.controller.schedules.village import programme, sounded, wish


def daily(village: Commune, programme_id: str) -> ScheduleIn:
    return wish(village.area, programme_id, "2026-03-10T06:00:00")


async def test_what_nobody_approved_makes_no_hour_usual(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await lite.services.schedules.create(village.operator, daily(village, await programme(lite, village.area)))
    for asked in await village.queue():
        await village.approve(asked.id)
    lite.clock.step(days=5)
    await sounded(lite)
    await lite.services.schedules.roll_due()
    await village.say(start_at=local(lite, 14, days=1), confirm_unusual=True)
    lite.clock.step(days=2)
    await lite.services.approvals.expire()
    await sounded(lite)
    with pytest.raises(UnusualHourError):
        await village.say(start_at=local(lite, 14, days=1))


async def test_what_no_node_began_makes_no_hour_usual(lite: Centre) -> None:
    village = await commune(lite)
    for day in range(1, 5):
        await village.say(village.leader, start_at=local(lite, 6, days=day))
    lite.clock.step(days=5)
    await sounded(lite)
    await village.say(village.leader, start_at=local(lite, 14, days=1), confirm_unusual=True)
    lite.clock.step(days=2)  # and nobody was heard from
    with pytest.raises(UnusualHourError):
        await village.say(village.leader, start_at=local(lite, 14, days=1))


async def test_what_was_returned_or_expired_uses_up_no_day(lite: Centre) -> None:
    village = await commune(lite, sessions_a_day=1, **ANOTHER)
    await village.say(start_at=local(lite, 10))
    with pytest.raises(PolicyBreachError):  # somebody may still say yes to the first
        await village.say(start_at=local(lite, 15))
    (asked,) = await village.queue()
    await lite.services.approvals.return_(village.leader, asked.id, ReturnIn(reason="sai"))
    await village.say(start_at=local(lite, 12))
    lite.clock.now = local(lite, 12) + timedelta(hours=1)
    await lite.services.approvals.expire()
    await village.say(start_at=local(lite, 15))


async def test_a_schedule_whose_request_was_returned_uses_up_no_day(lite: Centre) -> None:
    village = await commune(lite, sessions_a_day=1, **ANOTHER)
    await lite.services.schedules.create(village.operator, daily(village, await programme(lite, village.area)))
    tomorrow = local(lite, 15, days=1)
    with pytest.raises(PolicyBreachError):
        await village.say(start_at=tomorrow)
    (asked,) = await village.queue()
    await lite.services.approvals.return_(village.leader, asked.id, ReturnIn(reason="sai"))
    await village.say(start_at=tomorrow)
