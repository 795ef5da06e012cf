"""One yes to a schedule: for weeks ahead, for one content, until somebody edits what is heard."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controller.approvals.errors import OwnWorkError
from controller.approvals.models import Approval
from controller.approvals.needs import Need
from controller.approvals.schemas import ReturnIn
from controller.approvals.states import RequestState
from controller.broadcasts.rules import Phase
from controller.bulletins.schemas import OfferIn
from controller.people.actor import Actor
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeChange, ProgrammeIn
from controller.schedules.schemas import ExceptionIn, ScheduleChange, ScheduleOut
from controller.schedules.states import DateChange
from tests.controller.approving import ANOTHER, Commune, commune, told
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, locals_of, programme, wish
from tests.controller.words import approved

TEN = datetime.fromisoformat("2026-03-10T05:00:00")
"""The first date."""


async def planned(village: Commune, who: Actor | None = None, **given: Any) -> ScheduleOut:
    """A daily schedule with a programme of ten minutes, written by the operator unless somebody else is named."""
    made = await programme(village.here, village.area)
    return await village.here.services.schedules.create(who or village.operator, wish(village.area, made, **given))


async def edit(village: Commune, schedule: ScheduleOut, who: Actor | None = None, **given: Any) -> ScheduleOut:
    """Write it again, with this changed."""
    schedules = village.here.services.schedules
    now = await schedules.get(village.here.actor, schedule.id)
    said = {
        "version": now.version,
        "title": now.title,
        "programme_id": now.programme_id,
        "targets": now.targets,
        "starts_at_local": now.starts_at_local,
        "rule": now.rule,
        "confirm_unusual": True,
    }
    return await schedules.change(who or village.operator, schedule.id, ScheduleChange(**{**said, **given}))


async def starts(village: Commune) -> list[str]:
    """What nodes are told to sound, by the clock of Hanoi."""
    return sorted(f"{each.start_at + timedelta(hours=7):%d %H:%M}" for each in await told(village.here))


async def test_one_yes_lets_in_what_is_planned_and_what_the_next_weeks_bring(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    made = await planned(village)
    assert len(await broadcasts(here, made.id)) == 8
    assert await starts(village) == []

    (asked,) = await village.queue()
    assert (asked.subject, asked.not_after_at - here.clock() >= timedelta(days=92)) == (f"schedules/{made.id}", True)
    await village.approve(asked.id)
    assert await starts(village) == [f"{day} 05:00" for day in range(10, 17)]
    for _ in range(4):
        here.clock.step(days=5)
        await here.services.schedules.roll_due()
    assert await starts(village) == [f"{day:02} 05:00" for day in (1, 2, 3, 4, 5, 30, 31)]
    assert await village.queue() == []


async def test_what_lies_weeks_ahead_is_asked_for_as_soon_as_it_is_saved(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    first = TEN + timedelta(days=38)
    made = await planned(village, starts_at_local=first)
    assert await broadcasts(here, made.id) == []
    (asked,) = await village.queue()
    assert (asked.subject, asked.not_before_at) == (f"schedules/{made.id}", here.clock())
    assert asked.not_after_at == first.replace(tzinfo=UTC) + timedelta(days=92) - timedelta(hours=7)
    here.clock.step(days=1)
    await here.services.schedules.roll_due()
    assert [each.id for each in await village.queue()] == [asked.id]

    await village.approve(asked.id)
    here.clock.step(days=35)
    await here.services.schedules.roll_due()
    assert await village.queue() == []
    assert await starts(village) == [f"{day} 05:00" for day in range(17, 22)]


async def test_what_is_borrowed_from_above_can_be_heard_by_who_is_asked_weeks_ahead(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    village = await commune(lite, parent=province, **ANOTHER)
    storm = await approved(lite, province, "Bão số 3")
    await lite.services.bulletins.offer(lite.actor, storm.id, OfferIn(version=1))
    items = [ItemIn(kind=ItemKind.BULLETIN, bulletin_id=storm.id)]
    wanted = ProgrammeIn(area_id=village.area.id, title="Sáng", items=items)
    made = await lite.services.programmes.create(lite.actor, wanted)
    far = wish(village.area, made.id, starts_at_local=TEN + timedelta(days=38))
    await lite.services.schedules.create(village.operator, far)
    (asked,) = await village.queue()
    shown = await lite.services.approvals.get(village.leader, asked.id)
    assert [each.recording_id for each in shown.files] == [storm.voices[0].recording_id]
    await village.approve(asked.id)


async def test_another_programme_on_a_far_date_is_asked_for_at_once_and_a_changed_one_anew(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    other = await programme(lite, village.area, 3, title="Đại hội")
    await lite.services.single_dates.except_(
        village.operator, made.id, TEN.replace(month=4), ExceptionIn(programme_id=other)
    )
    contents = {each.content_sha256 for each in await village.queue()}
    assert (len(contents), asked.content_sha256 in contents) == (2, True)
    assert len(await starts(village)) == 7  # those that stand keep their own yes

    for each in await village.queue():
        await village.approve(each.id)
    change = ProgrammeChange(version=1, gap_ms=500, lead_in_ms=1_000)
    await lite.services.programmes.change(lite.actor, other, change)
    await lite.services.schedules.roll_due()
    assert await village.queue() == []  # the same recordings in the same order, for all that is heard
    more = await programme(lite, village.area, 4, title="Khác")
    await lite.services.single_dates.except_(
        village.operator, made.id, TEN.replace(month=4), ExceptionIn(programme_id=more)
    )
    anew = {each.content_sha256 for each in await village.queue()}
    assert len(anew - contents) == 1


async def test_the_preview_says_whose_yes_it_takes(lite: Centre) -> None:
    village = await commune(lite)
    schedules = lite.services.schedules
    wanted = wish(village.area, await programme(lite, village.area), starts_at_local=TEN + timedelta(days=38))
    assert (await schedules.preview(village.operator, wanted)).approval is Need.ANOTHER
    assert (await schedules.preview(village.leader, wanted)).approval is Need.AUTHOR
    made = await schedules.create(village.operator, wanted)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    later = wanted.model_copy(update={"title": "Tên mới"})
    assert (await schedules.preview(village.operator, later, made.id)).approval is Need.AUTHOR
    later = wanted.model_copy(update={"rule": "FREQ=WEEKLY"})
    assert (await schedules.preview(village.operator, later, made.id)).approval is Need.ANOTHER
    await village.rule(second_person=[])
    assert (await schedules.preview(village.operator, later, made.id)).approval is Need.AUTHOR


async def test_the_author_who_may_approve_says_yes_with_the_schedule(lite: Centre) -> None:
    village = await commune(lite)
    await planned(village, village.leader)
    assert len(await starts(village)) == 7
    assert await village.queue() == []


async def test_a_changed_programme_waits_and_is_asked_for_once(here: Centre) -> None:
    village = await commune(here, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    await starts(village)

    await change_programme(village, made)
    for _ in range(3):
        here.clock.step(hours=2)
        await here.services.schedules.roll_due()
    assert await starts(village) == []
    (anew,) = await village.queue()
    assert anew.content_sha256 != asked.content_sha256
    shown = await here.services.approvals.get(village.leader, anew.id)
    assert [each.news for each in shown.files] == ["known", "changed"]
    await village.approve(anew.id)
    assert len(await starts(village)) == 7


async def test_a_date_of_another_content_than_the_returned_one_still_waits(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made, other = await planned(village), await programme(lite, village.area, 4)
    await lite.services.single_dates.except_(
        village.operator, made.id, TEN.replace(day=12), ExceptionIn(programme_id=other)
    )
    asked = {each.length_ms: each for each in await village.queue()}
    assert len(asked) == 2
    await lite.services.approvals.return_(village.leader, asked[240_000].id, ReturnIn(reason="Sai ngày"))
    shown = [await lite.services.broadcasts.get(village.operator, row.id) for row in await broadcasts(lite, made.id)]
    assert {(each.length_ms, each.phase) for each in shown} == {
        (240_000, Phase.RETURNED),
        (600_000, Phase.AWAITING_APPROVAL),
    }


async def change_programme(village: Commune, made: ScheduleOut, who: Actor | None = None) -> None:
    """Put another recording at the end."""
    programmes, who = village.here.services.programmes, who or village.here.actor
    now = await programmes.get(village.here.actor, made.programme_id)
    more = await village.here.recording("Thêm", area_id=village.area.id)
    items = [ItemIn(kind=ItemKind.RECORDING, recording_id=each.recording_id) for each in now.items]
    change = ProgrammeChange(version=now.version, items=[*items, ItemIn(kind=ItemKind.RECORDING, recording_id=more)])
    await programmes.change(who, made.programme_id, change)
    await village.here.services.schedules.roll_due()


async def test_who_changed_the_programme_does_not_approve_it_where_a_second_person_is_asked(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    change = ProgrammeChange(version=1, gap_ms=500, lead_in_ms=1_000)
    await lite.services.programmes.change(village.leader, made.programme_id, change)
    await change_programme(village, made, village.leader)
    (anew,) = await village.queue()
    with pytest.raises(OwnWorkError):
        await village.approve(anew.id)
    assert await starts(village) == []
    await village.approve(anew.id, lite.actor)
    assert len(await starts(village)) == 7


async def test_what_was_approved_before_a_change_is_not_approved_by_changing_it_back(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    programmes = lite.services.programmes
    before = await programmes.get(lite.actor, made.programme_id)
    items = [ItemIn(kind=ItemKind.RECORDING, recording_id=each.recording_id) for each in before.items]
    await change_programme(village, made)
    now = await programmes.get(lite.actor, made.programme_id)
    await programmes.change(lite.actor, made.programme_id, ProgrammeChange(version=now.version, items=items))
    await lite.services.schedules.roll_due()
    assert await starts(village) == []
    (anew,) = await village.queue()
    assert anew.content_sha256 == asked.content_sha256


async def test_an_edit_of_what_is_heard_ends_the_yes_and_one_of_its_name_does_not(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)

    await edit(village, made, title="Tên mới", position=3)
    assert len(await starts(village)) == 7
    assert await village.queue() == []

    await edit(village, made, title="Tên mới", position=3, last_date=TEN.date() + timedelta(days=60))
    assert await starts(village) == []
    (anew,) = await village.queue()
    assert anew.state is RequestState.OPEN
    await village.approve(anew.id)
    assert len(await starts(village)) == 7


async def test_an_edit_by_who_needs_nobody_keeps_it_on_air(lite: Centre) -> None:
    village = await commune(lite)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    await edit(village, made, village.leader, starts_at_local=TEN.replace(hour=6))
    assert await starts(village) == [f"{day} 06:00" for day in range(10, 17)]
    async with lite.database.reading() as session:
        standing = (await session.scalars(select(Approval).where(Approval.voided_at.is_(None)))).all()
    assert {row.person_id for row in standing} == {village.leader.person_id}


async def test_a_moved_date_waits_while_the_others_stand(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    moved = ExceptionIn(kind=DateChange.MOVED, moved_to_local=TEN.replace(day=12, hour=18), confirm_unusual=True)
    await lite.services.single_dates.except_(village.operator, made.id, TEN.replace(day=12), moved)
    assert await starts(village) == [f"{day} 05:00" for day in (10, 11, 13, 14, 15, 16)]
    (anew,) = await village.queue()
    await village.approve(anew.id)
    assert await starts(village) == ["10 05:00", "11 05:00", "12 18:00", *(f"{day} 05:00" for day in range(13, 17))]


async def test_a_cancelled_date_ends_no_yes(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    off = ExceptionIn(kind=DateChange.CANCELLED)
    await lite.services.single_dates.except_(village.operator, made.id, TEN.replace(day=12), off)
    assert await starts(village) == [f"{day} 05:00" for day in (10, 11, 13, 14, 15, 16)]
    await lite.services.single_dates.restore(village.operator, made.id, TEN.replace(day=12))
    assert len(await starts(village)) == 7
    assert await village.queue() == []


async def test_a_returned_schedule_is_asked_for_again_only_when_it_is_edited(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    await lite.services.approvals.return_(village.leader, asked.id, ReturnIn(reason="Dài quá"))
    lite.clock.step(days=1)
    await lite.services.schedules.roll_due()
    assert await village.queue() == []
    await edit(village, made, starts_at_local=TEN.replace(minute=30))
    assert len(await village.queue()) == 1


async def test_a_withdrawn_request_stays_withdrawn_until_the_schedule_is_edited(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    (asked,) = await village.queue()
    withdrawn = await lite.services.approvals.withdraw(village.operator, asked.id)
    assert withdrawn.state is RequestState.WITHDRAWN
    for _ in range(2):
        lite.clock.step(days=1)
        await lite.services.schedules.roll_due()
        assert await village.queue() == []
    await edit(village, made, starts_at_local=TEN.replace(minute=30))
    assert [each.state for each in await village.queue()] == [RequestState.OPEN]


async def test_an_ended_schedule_asks_for_nothing(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    await lite.services.schedules.end(village.operator, made.id)
    assert await village.queue() == []
    assert await broadcasts(lite, made.id) == []


async def test_after_its_quarter_a_yes_is_asked_for_anew_in_time(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    await planned(village)
    (asked,) = await village.queue()
    await village.approve(asked.id)
    lite.clock.step(days=88)
    await lite.services.schedules.roll_due()
    sounding = await starts(village)
    (anew,) = await village.queue()
    assert anew.not_after_at > asked.not_after_at
    assert 0 < len(sounding) < 7  # what the old yes still covers goes on meanwhile
    await village.approve(anew.id)
    assert len(await starts(village)) == 7


async def test_a_date_nobody_approved_in_time_says_so_and_later_ones_can_still_be(lite: Centre) -> None:
    village = await commune(lite, **ANOTHER)
    made = await planned(village)
    lite.clock.now = (await broadcasts(lite, made.id))[0].start_at + timedelta(hours=1)
    assert await lite.services.approvals.expire() == 1
    first = (
        await lite.services.broadcasts.list(
            village.operator, from_at=lite.clock() - timedelta(hours=2), to_at=lite.clock()
        )
    )[0]
    assert first.phase is Phase.NOT_APPROVED
    (asked,) = await village.queue()
    await village.approve(asked.id)
    assert locals_of(await broadcasts(lite, made.id))[0] == "10 05:00"
    assert (await starts(village))[0] == "11 05:00"
