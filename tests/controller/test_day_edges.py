"""Edges of the calendar and of luck, from a schedule to what nodes are told and would play.

Dates alone are tested where they are expanded. Here they pass through the services, day by day, on a stepped clock.
"""

# ruff: noqa: DTZ001 - wall time is naive: the zone is the schedule's

import zoneinfo
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from controller.areas.move_schemas import MoveIn, MoveSeenIn
from controller.areas.schemas import AreaOut, QuietWindow
from controller.broadcasts.models import Broadcast
from controller.nodes.schemas import NodeOut
from controller.people.schemas import PersonOut
from controller.plans.repository import broadcasts_of
from controller.policies.errors import PolicyBreachError
from controller.policies.schemas import PolicyIn, PolicyRules
from controller.schedules.schemas import CalendarIn, DayOut, ExceptionIn, ScheduleOut
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.controller.factories import Centre, centre
from tests.controller.schedules.test_rolling import change, play
from tests.controller.schedules.village import broadcasts, dirty, programme, scheduled, wish

HANOI = "Asia/Ho_Chi_Minh"
BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)


def local(text: str, zone: str = HANOI) -> datetime:
    """An instant by its wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


async def listed(here: Centre, scope: str) -> list[str]:
    """Ids of what the plan of a scope tells its nodes now."""
    async with here.database.reading() as session:
        found = await broadcasts_of(session, scope, urgent=False, now=here.clock())
    return [each.broadcast_id for each in found]


async def day_of(here: Centre, node: NodeOut, day: str) -> DayOut:
    return await here.services.days.of(here.actor, node.id, date.fromisoformat(day))


def heard(day: DayOut) -> list[str]:
    """When sounds begin on a day, by its own wall clock."""
    zone = ZoneInfo(day.zone)
    found = sorted(sound.begins_at for entry in day.entries for sound in entry.sounds)
    return [f"{at.astimezone(zone):%d %H:%M}" for at in found]


async def rolled_through(here: Centre, made: ScheduleOut, days: int) -> list[str]:
    """Roll as the scheduler does, once a day; gives the local starts of all that was ever planned."""
    for _ in range(days):
        here.clock.step(days=1)
        await here.services.schedules.roll_due()
    zone = ZoneInfo(made.zone)
    return [f"{row.start_at.astimezone(zone):%Y-%m-%d %H:%M}" for row in await broadcasts(here, made.id)]


# Midnight.


async def test_a_session_over_midnight_is_one_broadcast_and_stands_in_both_days(lite: Centre) -> None:
    area = await lite.area(quiet_hours=[])
    node = await lite.node(area)
    made = await scheduled(lite, area, 20, 20, starts="2026-03-10T23:50:00", rule=None, confirm_unusual=True)
    [row] = await broadcasts(lite, made.id)
    assert (row.start_at, row.length_ms) == (local("2026-03-10T23:50"), 40 * 60_000)

    before, after = [await day_of(lite, node, day) for day in ("2026-03-10", "2026-03-11")]
    assert heard(before) == heard(after) == ["10 23:50", "11 00:10"]
    assert [entry.broadcast_id for entry in (*before.entries, *after.entries)] == [row.id, row.id]
    assert heard(await day_of(lite, node, "2026-03-12")) == []


async def test_what_would_run_into_quiet_hours_over_midnight_is_refused_before_it_is_saved(lite: Centre) -> None:
    area = await lite.area(quiet_hours=[QuietWindow(start="00:05", until="05:00")])
    await lite.node(area)
    with pytest.raises(PolicyBreachError) as refused:
        await scheduled(lite, area, 20, starts="2026-03-10T23:50:00", confirm_unusual=True)
    assert [breach["rule"] for breach in refused.value.fields["breaches"]] == ["quiet_hours"]


async def test_minutes_over_midnight_count_for_the_day_on_which_the_session_begins(lite: Centre) -> None:
    """Thirty minutes a day: twenty from 23:50 leave ten for that day, and nothing is taken from the next."""
    area = await lite.area(quiet_hours=[])
    await lite.node(area)
    rules = PolicyIn(version=0, rules=PolicyRules(minutes_a_day=30))
    await lite.services.policies.put(lite.actor, area.id, rules)
    once = {"rule": None, "confirm_unusual": True}
    await scheduled(lite, area, 20, starts="2026-03-10T23:50:00", **once)
    await scheduled(lite, area, 30, starts="2026-03-11T07:00:00", **once)
    with pytest.raises(PolicyBreachError) as refused:
        await scheduled(lite, area, 11, starts="2026-03-10T07:00:00", **once)
    assert [breach["rule"] for breach in refused.value.fields["breaches"]] == ["minutes_a_day"]


# Month ends and leap days.


async def test_the_31st_is_aired_in_months_that_have_one(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area, starts="2026-03-31T05:00:00", rule="FREQ=MONTHLY;BYMONTHDAY=31")
    starts = await rolled_through(lite, made, 150)
    assert starts == ["2026-03-31 05:00", "2026-05-31 05:00", "2026-07-31 05:00"]


@pytest.mark.parametrize(
    ("from_day", "starts"), [("2027-02-20", []), ("2028-02-20", ["2028-02-29 05:00"])], ids=["2027", "2028"]
)
async def test_the_29th_of_february_is_aired_when_there_is_one(lite: Centre, from_day: str, starts: list[str]) -> None:
    area = await lite.area()
    made = await scheduled(lite, area, starts="2024-02-29T05:00:00", rule="FREQ=YEARLY")
    lite.clock.now = local(f"{from_day}T09:00")
    assert await rolled_through(lite, made, 14) == starts


async def test_the_day_after_the_28th_of_february_is_the_29th_in_a_leap_year(lite: Centre) -> None:
    area = await lite.area()
    made = await scheduled(lite, area)
    lite.clock.now = local("2028-02-27T09:00")
    await lite.services.schedules.roll_due()
    rows = [row.start_at for row in await broadcasts(lite, made.id) if row.start_at > lite.clock()]
    assert rows[:3] == [local("2028-02-28T05:00"), local("2028-02-29T05:00"), local("2028-03-01T05:00")]


# The clocks change.


async def test_over_a_change_of_the_clocks_it_stays_at_its_wall_time(lite: Centre) -> None:
    """In the night to Sunday 29 March 2026 Berlin's clocks go an hour ahead: five o'clock comes an hour earlier."""
    area = await lite.area(zone=BERLIN, quiet_hours=[])
    node = await lite.node(area)
    lite.clock.now = local("2026-03-27T12:00", BERLIN)
    made = await scheduled(lite, area, starts="2026-03-28T05:00:00")
    starts = [row.start_at for row in await broadcasts(lite, made.id)][:3]
    assert starts == [datetime(2026, 3, day, hour, tzinfo=UTC) for day, hour in ((28, 4), (29, 3), (30, 3))]
    short = await day_of(lite, node, "2026-03-29")
    assert (heard(short), short.until_at - short.from_at) == (["29 05:00"], timedelta(hours=23))


@contextmanager
def new_law(folder: Path, zone: str, like: str) -> Iterator[None]:
    """The machine's time zones are brought up to date, and one of them has another rule."""
    path = folder / "zones" / zone
    path.parent.mkdir(parents=True)
    source = next(Path(root) / like for root in zoneinfo.TZPATH if (Path(root) / like).exists())
    path.write_bytes(source.read_bytes())
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(folder / "zones"), *before])
    ZoneInfo.clear_cache()
    try:
        yield
    finally:
        zoneinfo.reset_tzpath(before)
        ZoneInfo.clear_cache()


async def test_a_law_that_moves_the_clocks_moves_what_is_planned(lite: Centre, tmp_path: Path) -> None:
    """From one day to the next Hanoi keeps Tokyo's time: five o'clock is two hours earlier, and what was planned by
    the old rule leaves the plan."""
    area = await lite.area()
    made = await scheduled(lite, area)
    old = await broadcasts(lite, made.id)
    lite.clock.now = local("2026-03-11T06:00")
    with new_law(tmp_path, HANOI, "Asia/Tokyo"):
        assert await lite.services.schedules.roll_due() == {"superseded": 6, "made": 8}
        rows = await broadcasts(lite, made.id)
        coming = [row for row in rows if row.start_at > lite.clock()]
        assert [row.start_at for row in coming[:2]] == [local("2026-03-12T05:00"), local("2026-03-13T05:00")]
    assert coming[0].start_at == datetime(2026, 3, 11, 20, tzinfo=UTC)
    assert await listed(lite, area.scope) == [row.id for row in coming]
    assert {row.id for row in rows} & {row.id for row in old} == {row.id for row in old[:2]}, "what has been said"


# Tết.


async def test_tet_suspends_over_the_turn_of_either_year(lite: Centre) -> None:
    """Tết 2027 is 6 February: silence from its eve through the third day, and on New Year's Eve by the sun not."""
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area)
    tet = {"kind": "lunar", "month": 1, "day": 1, "before": 1, "days": 3}
    wanted = {"area_id": area.id, "title": "Tết Nguyên đán", "days": [tet], "effect": "suspend"}
    await lite.services.calendars.create(lite.actor, CalendarIn.model_validate(wanted))

    lite.clock.now = local("2026-12-29T09:00")
    assert "2027-01-01 05:00" in await rolled_through(lite, made, 3)
    lite.clock.now = local("2027-02-01T09:00")
    planned = await rolled_through(lite, made, 3)
    assert [each for each in planned if each > "2027-02"][:5] == [
        f"2027-02-{day} 05:00" for day in ("03", "04", "09", "10", "11")
    ]
    assert heard(await day_of(lite, node, "2027-02-06")) == []
    far = await lite.services.schedules.dates(lite.actor, made.id, local("2028-01-24T00:00"), local("2028-01-30T00:00"))
    assert [each.local.day for each in far if each.verdict == "suspended"] == [25, 26, 27, 28]  # Tết 2028: 26 January


# Bad luck.


async def test_of_a_session_edited_while_it_plays_the_plan_keeps_what_sounds_and_nothing_beside(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    made = await scheduled(lite, area, 10, 10)
    today = (await broadcasts(lite, made.id))[0]
    lite.clock.now = today.start_at + 5 * MINUTE
    await play(lite, today, node.id, state=PlayState.PLAYING, item=0)

    other = await programme(lite, area, 3, title="Khác")
    await change(lite, made, programme_id=other, starts_at_local=datetime(2026, 3, 10, 5, 20))
    [entry] = (await day_of(lite, node, "2026-03-10")).entries
    assert (entry.broadcast_id, entry.outcome, len(entry.sounds)) == (today.id, Outcome.PLAYED, 2)
    assert (await listed(lite, area.scope))[0] == today.id
    starts = [row.start_at for row in await broadcasts(lite, made.id)][:2]
    assert starts == [today.start_at, local("2026-03-11T05:20")]


async def test_every_edit_of_a_date_is_a_version_of_one_run(lite: Centre) -> None:
    """A node that is away may have begun the first: whatever comes in its place on that day says so, time after time.

    What is on another day is another run, and so is what comes beside it.
    """
    area = await lite.area()
    made = await scheduled(lite, area)
    first = await broadcasts(lite, made.id)
    assert {row.run_id for row in first} == {None}
    await change(lite, made, title="Tên khác")
    await change(lite, made, starts_at_local=datetime(2026, 3, 10, 5, 30))
    await change(lite, made, starts_at_local=datetime(2026, 3, 10, 6), rule="FREQ=DAILY;BYHOUR=6,18")
    rows = await broadcasts(lite, made.id)
    assert [row.run_id for row in rows[:4]] == [first[0].id, None, first[1].id, None], "one of two"
    async with lite.database.reading() as session:
        wire = await broadcasts_of(session, area.scope, urgent=False, now=lite.clock())
    assert [each.run_id for each in wire[:2]] == [first[0].id, rows[1].id]

    today = local("2026-03-10T12:00")
    lite.clock.now = today
    await change(lite, made, starts_at_local=datetime(2026, 3, 10, 6), rule="FREQ=DAILY;BYHOUR=6,19")
    evening = next(row for row in await broadcasts(lite, made.id) if row.start_at > today)
    assert evening.run_id == rows[1].id


async def test_a_cancelled_date_that_is_wanted_after_all_is_a_version_of_the_cancelled_one(lite: Centre) -> None:
    """A node that did not hear of the cancelling plays it, and is not to play it twice."""
    area = await lite.area()
    await lite.node(area)
    made = await scheduled(lite, area)
    cancelled = (await broadcasts(lite, made.id))[1]
    await lite.services.broadcasts.cancel(lite.actor, cancelled.id)
    lite.clock.step(minutes=1)
    await lite.services.single_dates.except_(lite.actor, made.id, datetime(2026, 3, 11, 5), ExceptionIn())
    again = (await broadcasts(lite, made.id))[1]
    assert (again.start_at, again.run_id) == (cancelled.start_at, cancelled.id)


@asynccontextmanager
async def next_life(folder: Path, known: PersonOut, at: datetime) -> AsyncIterator[Centre]:
    """The centre as it comes up again on its old database."""
    async with centre(folder, known=known) as again:
        again.clock.now = at
        await again.services.schedules.roll_due()
        yield again


@pytest.mark.parametrize(("late", "said"), [(3, True), (6, False)], ids=["in time", "too late"])
async def test_a_centre_that_was_down_over_a_start_orders_nothing_after_its_latest_start(
    tmp_path: Path, late: int, *, said: bool
) -> None:
    """Down for ten days: nobody had planned this morning. Up again minutes after five, latest start five past."""
    async with centre(tmp_path) as first:
        area = await first.area()
        node = await first.node(area)
        made = await scheduled(first, area)
        known = first.person
    at = local("2026-03-20T05:00") + late * MINUTE
    async with next_life(tmp_path, known, at) as again:
        today = [row for row in await broadcasts(again, made.id) if row.start_at <= at < row.latest_end_at]
        assert [row.start_at for row in today] == [local("2026-03-20T05:00")] * said
        assert (await listed(again, area.scope))[: len(today)] == [row.id for row in today]
        assert heard(await day_of(again, node, "2026-03-20")) == ["20 05:03"] * said


async def test_what_was_planned_before_the_centre_went_down_is_not_made_again_when_it_comes_back(
    tmp_path: Path,
) -> None:
    """The node has it and may have said it: its word is awaited, and nothing is ordered in its place."""
    async with centre(tmp_path) as first:
        area = await first.area()
        node = await first.node(area)
        made = await scheduled(first, area)
        before, known = await broadcasts(first, made.id), first.person
    at = before[0].start_at + 6 * MINUTE
    async with next_life(tmp_path, known, at) as again:
        after = await broadcasts(again, made.id)
        assert [row.id for row in after[:8]] == [row.id for row in before]
        [entry] = (await day_of(again, node, "2026-03-10")).entries
        # Had the node slept as well, this is what it would say by its own rules.
        assert (entry.outcome, entry.reason, entry.sounds) == (Outcome.MISSED, Reason.LATE, ())


# A hamlet changes hands.


async def move(here: Centre, into: AreaOut, hamlet: AreaOut) -> None:
    wanted = MoveIn(areas=(hamlet.id,))
    seen = await here.services.moves.preview(here.actor, into.id, wanted)
    asked = MoveSeenIn(**wanted.model_dump(), seen_sha256=seen.sha256)
    await here.services.moves.move(here.actor, into.id, asked)


async def outcomes(here: Centre, row: Broadcast) -> dict[str, str | None]:
    found = await here.services.broadcasts.plays(here.actor, row.id)
    return {each.node_name: each.outcome for each in found}


async def test_a_hamlet_that_moves_hears_the_new_commune_and_no_more_the_old(lite: Centre) -> None:
    """Also on days that were planned before it moved, and on those that are planned afterwards."""
    province = await lite.area("Tỉnh", kind="province")
    east, west = [await lite.area(name, province, kind="commune") for name in ("Xã Đông", "Xã Đoài")]
    hamlet = await lite.area("Thôn Bến", east)
    node = await lite.node(hamlet, "Cụm Bến")
    said = {"confirm_unusual": True, "confirm_conflicts": True}
    old = await scheduled(lite, east, **said)
    new = await scheduled(lite, west, starts="2026-03-10T06:00:00", **said)
    assert heard(await day_of(lite, node, "2026-03-10")) == ["10 05:00"]

    await move(lite, west, hamlet)
    for day in ("2026-03-10", "2026-03-17", "2026-05-01"):
        assert [each[3:] for each in heard(await day_of(lite, node, day))] == ["06:00"], day
    assert (await outcomes(lite, (await broadcasts(lite, old.id))[0])) == {"Cụm Bến": "cancel_unconfirmed"}
    assert (await outcomes(lite, (await broadcasts(lite, new.id))[0])) == {"Cụm Bến": None}
    assert (node.scope, "settings") in await dirty(lite)

    lite.clock.step(days=2)
    await lite.services.schedules.roll_due()
    assert [await outcomes(lite, rows[-1]) for rows in [await broadcasts(lite, each.id) for each in (old, new)]] == [
        {},
        {"Cụm Bến": None},
    ]


async def test_what_a_moved_node_was_to_say_at_its_own_name_goes_with_it(lite: Centre) -> None:
    """A schedule aimed at the node itself is not the old commune's."""
    province = await lite.area("Tỉnh", kind="province")
    east, west = [await lite.area(name, province, kind="commune") for name in ("Xã Đông", "Xã Đoài")]
    hamlet = await lite.area("Thôn Bến", east)
    node = await lite.node(hamlet)
    wanted = wish(east, await programme(lite, hamlet), targets=(node.scope,))
    made = await lite.services.schedules.create(lite.actor, wanted)
    await move(lite, west, hamlet)
    lite.clock.step(days=1)
    await lite.services.schedules.roll_due()
    async with lite.database.reading() as session:
        gone = await session.scalars(select(Broadcast.id).where(Broadcast.superseded_at.is_not(None)))
    assert gone.all() == []
    assert heard(await day_of(lite, node, "2026-03-11")) == ["11 05:00"]
    assert len(await listed(lite, node.scope)) == 8
    assert made.area_id == hamlet.id
