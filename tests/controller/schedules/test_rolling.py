"""From a schedule to broadcasts in plans: what is made, what is left, what is superseded."""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.broadcasts.models import Broadcast
from controller.errors import ConflictError
from controller.events import Event, Topic
from controller.plans.repository import broadcasts_of
from controller.plays import service as plays
from controller.programmes.changes import programme_changed
from controller.programmes.models import ItemKind, Programme
from controller.programmes.schemas import ItemIn, ProgrammeIn
from controller.recordings.models import Recording
from controller.scheduler import ROLL_SCHEDULES, Scheduler
from controller.schedules.roll_work import Fate
from controller.schedules.schemas import CalendarIn, ExceptionIn, ScheduleChange, ScheduleOut
from controller.schedules.states import DateChange, OnCalendarDay
from edge_agent.protocol.states import Outcome, PlayState
from tests.controller.factories import Centre, play_event
from tests.controller.schedules.village import broadcasts, clean, dirty, locals_of, programme, scheduled, wish


async def change(here: Centre, made: ScheduleOut, **said: Any) -> ScheduleOut:
    """Save a schedule again with some fields changed."""
    now = await here.services.schedules.get(here.actor, made.id)
    kept = {name: getattr(now, name) for name in ScheduleChange.model_fields if hasattr(now, name)}
    wanted = ScheduleChange(**{**kept, **said, "confirm_unusual": True})
    return await here.services.schedules.change(here.actor, made.id, wanted)


async def play(here: Centre, row: Broadcast, node_id: str, **said: Any) -> None:
    async with here.database.transaction() as tx:
        await plays.apply(tx, node_id, play_event(row.id, 1, here.clock(), **said), here.clock())


async def test_a_schedule_becomes_the_broadcasts_of_the_coming_days(here: Centre) -> None:
    area = await here.area()
    node = await here.node(area)
    made = await scheduled(here, area, 10, 5)

    rows = await broadcasts(here, made.id)
    assert locals_of(rows) == [f"{day} 05:00" for day in range(10, 18)]
    first = rows[0]
    assert first.start_at == datetime(2026, 3, 9, 22, tzinfo=UTC)
    assert (first.recurrence_local, first.length_ms) == ("2026-03-10T05:00:00", 900_000)
    assert first.latest_start_at == first.start_at + timedelta(minutes=5)
    assert made.next_at == first.start_at
    async with here.database.reading() as session:
        wire = await broadcasts_of(session, f"areas/{area.id}", urgent=False, now=here.clock())
    assert [each.broadcast_id for each in wire] == [row.id for row in rows]
    assert all(each.approved_for(frozenset([f"areas/{area.id}"])) for each in wire)
    assert [each.node_id for each in await here.services.broadcasts.plays(here.actor, first.id)] == [node.id]
    assert (f"areas/{area.id}", "plan") in await dirty(here)


async def test_what_is_the_same_is_left_alone_and_the_next_day_is_added(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    before = [row.id for row in await broadcasts(lite, made.id)]
    await clean(lite)

    assert await lite.services.schedules.roll_due() == {}
    lite.clock.step(days=1)
    assert await lite.services.schedules.roll_due() == {"left": 7, "made": 1}
    assert [row.id for row in await broadcasts(lite, made.id)][:8] == before
    assert await dirty(lite) == {(f"areas/{area.id}", "plan")}


async def test_an_edit_makes_what_differs_anew_and_the_old_leaves_the_plan(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    made = await scheduled(lite, area)
    before = {row.id for row in await broadcasts(lite, made.id)}

    assert (await change(lite, made, position=7)).version == 2
    after = await broadcasts(lite, made.id)
    assert {row.position for row in after} == {7}
    assert before.isdisjoint(row.id for row in after)
    async with lite.database.reading() as session:
        listed = await broadcasts_of(session, f"areas/{area.id}", urgent=False, now=lite.clock())
    assert {each.broadcast_id for each in listed} == {row.id for row in after}
    old = await lite.services.broadcasts.plays(lite.actor, min(before))
    assert [each.outcome for each in old] == [Outcome.CANCEL_UNCONFIRMED]  # the node may still have it


async def test_an_edit_that_somebody_elses_came_before_is_refused(lite: Centre) -> None:
    made = await scheduled(lite, await lite.area())
    await change(lite, made, position=1)
    with pytest.raises(ConflictError):
        await change(lite, made, position=2, version=1)


async def test_a_schedule_edited_while_it_plays_goes_on_and_is_not_heard_twice(lite: Centre) -> None:
    """At 5:05 the hour is changed to 5:30: today's session is on air, and is not said again at half past five."""
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area)
    today = (await broadcasts(lite, made.id))[0]
    lite.clock.now = today.start_at + timedelta(minutes=5)
    await play(lite, today, node.id, state=PlayState.PLAYING, item=0)

    await change(lite, made, starts_at_local=datetime(2026, 3, 10, 5, 30))
    assert locals_of(await broadcasts(lite, made.id))[:3] == ["10 05:00", "11 05:30", "12 05:30"]
    await change(lite, made, title="Chương trình mới")
    rows = await broadcasts(lite, made.id)
    assert rows[0].id == today.id
    assert [row.title for row in rows[:2]] == ["Chương trình sáng", "Chương trình mới"]


async def test_a_play_that_began_early_by_the_nodes_clock_is_not_touched(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area)
    today = (await broadcasts(lite, made.id))[0]
    lite.clock.now = today.start_at - timedelta(seconds=1)
    await play(lite, today, node.id, state=PlayState.PLAYING, item=0)
    await change(lite, made, title="Chương trình mới")
    assert (await broadcasts(lite, made.id))[0].id == today.id


async def test_an_ended_schedule_begins_nothing_more_and_what_sounds_goes_on(lite: Centre) -> None:
    made = await scheduled(lite, await lite.area())
    today = (await broadcasts(lite, made.id))[0]
    lite.clock.now = today.start_at + timedelta(minutes=1)
    await lite.services.schedules.end(lite.actor, made.id)
    assert [row.id for row in await broadcasts(lite, made.id)] == [today.id]
    with pytest.raises(ConflictError):
        await lite.services.schedules.end(lite.actor, made.id)
    lite.clock.step(days=1)
    assert await lite.services.schedules.roll_due() == {}


async def test_single_dates_survive_an_edit_of_the_series(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    say = lite.services.single_dates.except_
    await say(lite.actor, made.id, datetime(2026, 3, 11, 5), ExceptionIn(kind=DateChange.CANCELLED, reason="Lễ tang"))
    moved = ExceptionIn(kind=DateChange.MOVED, moved_to_local=datetime(2026, 3, 12, 6, 15))
    await say(lite.actor, made.id, datetime(2026, 3, 12, 5), moved)
    assert locals_of(await broadcasts(lite, made.id))[:3] == ["10 05:00", "12 06:15", "13 05:00"]

    await change(lite, made, title="Tên khác")
    assert locals_of(await broadcasts(lite, made.id))[:3] == ["10 05:00", "12 06:15", "13 05:00"]
    await change(lite, made, starts_at_local=datetime(2026, 3, 10, 5, 30))
    assert locals_of(await broadcasts(lite, made.id))[:3] == ["10 05:30", "12 06:15", "13 05:30"]
    found = await lite.services.schedules.dates(
        lite.actor, made.id, datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC)
    )
    assert [(each.verdict, each.reason) for each in found] == [("cancelled", "Lễ tang"), ("aired", None)]

    await lite.services.single_dates.restore(lite.actor, made.id, datetime(2026, 3, 11, 5, 30))
    assert locals_of(await broadcasts(lite, made.id))[:3] == ["10 05:30", "11 05:30", "12 06:15"]


async def test_a_date_may_have_another_programme(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    other = await programme(lite, area, 3, title="Đại hội")
    wanted = ExceptionIn(programme_id=other)
    date = await lite.services.single_dates.except_(lite.actor, made.id, datetime(2026, 3, 11, 5), wanted)
    assert (date.programme_id, date.changed) == (other, DateChange.KEPT)
    rows = await broadcasts(lite, made.id)
    assert [(row.title, row.length_ms) for row in rows[:3]] == [
        ("Chương trình sáng", 600_000),
        ("Đại hội", 180_000),
        ("Chương trình sáng", 600_000),
    ]


async def test_what_has_begun_cannot_be_changed_any_more(lite: Centre) -> None:
    made = await scheduled(lite, await lite.area())
    lite.clock.now = (await broadcasts(lite, made.id))[0].start_at
    with pytest.raises(ConflictError):
        await lite.services.single_dates.except_(
            lite.actor,
            made.id,
            datetime(2026, 3, 10, 5),
            ExceptionIn(kind=DateChange.CANCELLED),
        )


async def test_a_broadcast_that_a_person_cancelled_stays_cancelled_until_they_say_otherwise(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    made = await scheduled(lite, area)
    tomorrow = (await broadcasts(lite, made.id))[1]
    await lite.services.broadcasts.cancel(lite.actor, tomorrow.id)

    await change(lite, made, title="Tên khác")
    assert locals_of(await broadcasts(lite, made.id))[:2] == ["10 05:00", "12 05:00"]
    lite.clock.step(minutes=1)
    await lite.services.single_dates.except_(lite.actor, made.id, datetime(2026, 3, 11, 5), ExceptionIn())
    assert locals_of(await broadcasts(lite, made.id))[:2] == ["10 05:00", "11 05:00"]


async def test_a_programme_that_changed_is_rolled_anew(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area, 10)
    async with lite.database.transaction() as tx:
        row = await tx.session.get(Programme, made.programme_id)
        assert row is not None
        row.lead_in_ms = 3_000
        await programme_changed(tx, made.programme_id, lite.clock())
    assert await lite.services.schedules.roll_due() == {"superseded": 8, "made": 8}
    assert (await broadcasts(lite, made.id))[0].start_at == datetime(2026, 3, 9, 22, 0, 3, tzinfo=UTC)


async def test_the_scheduler_rolls_as_soon_as_a_programme_or_calendar_changes(lite: Centre) -> None:
    rolled: asyncio.Queue[None] = asyncio.Queue()

    async def roll() -> None:
        rolled.put_nowait(None)

    async def nothing() -> None:
        """Not asked about."""

    made = Scheduler(
        lite.database,
        lite.bus,
        lite.clock,
        renew_plans=nothing,
        renew_certificates=nothing,
        forget=nothing,
        more={ROLL_SCHEDULES: (roll, 3600)},
    )
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(20):
        await made.ready.wait()
        await rolled.get()  # at the start: what was missed while down
        for topic in (Topic.PROGRAMME, Topic.SCHEDULE):
            lite.bus.publish(Event(topic, "whatever"))
            await rolled.get()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_calendar_silences_every_schedule_below_and_one_below_it_replaces(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    commune = await lite.area("Xã", province, kind="commune")
    made = await scheduled(lite, commune)
    special = await programme(lite, commune, 2, title="Nhạc lễ")
    mourning = CalendarIn(
        area_id=province.id,
        title="Quốc tang",
        days=[{"kind": "date", "date": "2026-03-12", "days": 2}],  # type: ignore[list-item]  # as JSON
        effect=OnCalendarDay.SUSPEND,
    )
    festival = CalendarIn(
        area_id=commune.id,
        title="Hội làng",
        days=[{"kind": "date", "date": "2026-03-11", "days": 2}],  # type: ignore[list-item]  # as JSON
        effect=OnCalendarDay.REPLACE,
        programme_id=special,
    )
    ended = await lite.services.calendars.create(lite.actor, mourning)
    await lite.services.calendars.create(lite.actor, festival)
    await lite.services.schedules.roll_due()
    rows = await broadcasts(lite, made.id)
    assert locals_of(rows)[:4] == ["10 05:00", "11 05:00", "14 05:00", "15 05:00"]
    assert rows[1].title == "Nhạc lễ"
    found = await lite.services.schedules.all_dates(
        lite.actor, datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC)
    )
    assert [(each.verdict, each.because) for each in found] == [
        ("aired", "Hội làng"),
        ("suspended", "Quốc tang"),
        ("suspended", "Quốc tang"),
    ]

    await lite.services.calendars.end(lite.actor, ended.id)
    await lite.services.schedules.roll_due()
    assert [row.title for row in (await broadcasts(lite, made.id))[1:3]] == ["Nhạc lễ", "Nhạc lễ"]


async def test_a_centre_that_was_down_over_a_start_says_it_only_while_it_is_not_too_late(lite: Centre) -> None:
    """Down for nine days: nobody planned this morning. Two minutes late is in time, six are not."""
    made = await scheduled(lite, await lite.area())
    last = (await broadcasts(lite, made.id))[-1]
    lite.clock.now = last.start_at + timedelta(days=1, minutes=2)
    await lite.services.schedules.roll_due()
    assert locals_of(await broadcasts(lite, made.id))[8:10] == ["18 05:00", "19 05:00"]

    lite.clock.now = last.start_at + timedelta(days=20, minutes=6)
    await lite.services.schedules.roll_due()
    assert locals_of(await broadcasts(lite, made.id))[-8] == "07 05:00"  # 6 April is not said at 5:06


async def test_a_new_schedule_does_not_say_what_its_first_morning_would_have_said(lite: Centre) -> None:
    made = await scheduled(lite, await lite.area(), starts="2026-03-09T08:59:00")
    assert locals_of(await broadcasts(lite, made.id))[0] == "10 08:59"


async def test_a_programme_that_cannot_be_aired_leaves_the_plan_and_says_why(lite: Centre) -> None:
    area = await lite.area()
    recording = await lite.recording(area_id=area.id)
    wanted = ProgrammeIn(area_id=area.id, title="Sáng", items=[ItemIn(kind=ItemKind.RECORDING, recording_id=recording)])
    morning = (await lite.services.programmes.create(lite.actor, wanted)).id
    made = await lite.services.schedules.create(lite.actor, wish(area, morning))
    async with lite.database.transaction() as tx:
        row = await tx.session.get(Recording, recording)
        assert row is not None
        row.withdrawn_at = lite.clock()
    lite.clock.step(days=1)
    assert (await lite.services.schedules.roll_due())[Fate.BROKEN] == 8
    now = lite.clock()
    found = await lite.services.schedules.dates(lite.actor, made.id, now, now + timedelta(days=1))
    assert [each.problem for each in found] == ["not_airable"]
    [alarm] = await lite.services.alarms.list(lite.actor)
    assert (alarm.kind, alarm.area_id, alarm.subject) == ("schedules.not_airable", area.id, f"schedules/{made.id}")
    assert (alarm.detail["title"], alarm.detail["date"]) == (made.title, "11/03 05:00")
    assert [row.start_at < now for row in await broadcasts(lite, made.id)] == [True]


async def test_an_edit_keeps_the_zone_though_the_areas_has_changed(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    before = [row.start_at for row in await broadcasts(lite, made.id)]
    await lite.services.areas.change(lite.actor, area.id, zone="Asia/Tokyo")
    edited = await change(lite, made, title="Another name", zone=None)
    assert edited.zone == made.zone
    assert [row.start_at for row in await broadcasts(lite, made.id)] == before
    assert (await change(lite, edited, zone="Asia/Tokyo")).zone == "Asia/Tokyo"
