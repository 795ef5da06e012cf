"""The book of faults, with a stepped clock: each begins and ends once and in time; people look after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from controller.db import Transaction
from controller.errors import BusyError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.faults.keeping import NEW_ROWS, FaultKeeper
from controller.faults.models import Fault
from controller.faults.rules import FaultState, state_of
from controller.faults.schemas import FaultEntryOut
from controller.http import audience
from controller.nodes.rules import OFFLINE_AFTER
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Role
from controller.retention import Forgetting
from controller.wire.presence import PresenceWatch
from edge_agent.protocol.reports import FaultReport, Lost, Online
from tests.controller.factories import ADDRESS, MORNING, Centre, abilities
from tests.controller.wire.test_dispatcher import health

HEALTH_EVERY_S = 30
"""``edge_agent``'s default interval."""
HELLO = msgspec.json.encode(Online(boot_id="boot-1", connected_at=MORNING, abilities=abilities()))
LOST = msgspec.json.encode(Lost(boot_id="boot-1"))


@dataclass
class Watched:
    """A centre that listens, and one node that speaks."""

    here: Centre
    node_id: str
    keeper: FaultKeeper
    watch: PresenceWatch

    async def says(self, *codes: str, detail: str = "") -> None:
        """The node sends its health."""
        faults = tuple(FaultReport(code=code, since_at=MORNING, detail=detail) for code in codes)
        report = msgspec.structs.replace(health({}), faults=faults)
        self.watch.note_health(self.node_id, msgspec.json.encode(report), False)

    async def second(self) -> int:
        """A second passes, as in ``run``."""
        self.here.clock.step(seconds=1)
        self.watch.sweep()
        return await self.keeper.look()

    async def book(self, **given: Any) -> list[FaultEntryOut]:
        return await self.here.services.faults.list(self.here.actor, **given)

    async def standing(self) -> list[str]:
        return sorted(each.code for each in await self.book(standing=True))


async def watched(here: Centre, node_id: str | None = None) -> Watched:
    """The parts as ``main`` puts them together, past the patience of the start."""
    if node_id is None:
        node_id = (await here.node(await here.area(), online=False)).id
    keeper = FaultKeeper(here.database, here.clock)
    watch = PresenceWatch(
        here.database,
        here.bus,
        here.clock,
        here.services.live,
        on_health=keeper.note_health,
        on_status=keeper.note_status,
        steady=lambda: here.clock().timestamp(),
    )
    await keeper.load()
    await watch._load()
    watch.sweep()
    return Watched(here, node_id, keeper, watch)


async def speaking(here: Centre) -> Watched:
    """A node that said that all is well, long after the start."""
    made = await watched(here)
    here.clock.now += OFFLINE_AFTER
    made.watch.note_presence(made.node_id, HELLO, False)
    await made.says()
    await made.second()
    assert await made.book() == []
    return made


@pytest.mark.parametrize(
    ("acknowledged_at", "cleared_at", "state"),
    [(None, None, "new"), (MORNING, None, "acknowledged"), (None, MORNING, "cleared"), (MORNING, MORNING, "cleared")],
)
def test_a_fault_is_new_then_acknowledged_then_cleared(
    acknowledged_at: datetime | None, cleared_at: datetime | None, state: str
) -> None:
    assert state_of(acknowledged_at, cleared_at) is FaultState(state)


async def test_what_a_node_reports_stands_within_a_second_and_ends_as_fast(here: Centre) -> None:
    node = await speaking(here)
    await node.says("output_lost", detail="no card")
    assert await node.second() == 1
    [fault] = await node.book()
    assert (fault.code, fault.detail, fault.state, fault.since_at) == ("output_lost", "no card", "new", here.clock())
    await node.says()
    assert await node.second() == 1
    [fault] = await node.book()
    assert (fault.state, fault.cleared_at) == ("cleared", here.clock())


async def test_a_silent_node_is_in_the_book_within_45_seconds(here: Centre) -> None:
    node = await speaking(here)
    await node.says()
    spoke_at = here.clock()
    while not await node.standing():
        await node.second()
    assert await node.standing() == ["offline"]
    assert here.clock() - spoke_at <= timedelta(seconds=45)
    await node.says()
    await node.second()
    assert await node.standing() == []


async def test_any_other_fault_is_in_the_book_within_100_seconds_though_a_report_was_lost(here: Centre) -> None:
    """A check of the node looks at least every 30 s, its word goes at once; here that word and the next are lost."""
    node = await speaking(here)
    began_at = here.clock()
    for second in range(1, 101):
        if second % HEALTH_EVERY_S == 0 and second > 2 * HEALTH_EVERY_S:
            await node.says("disk_low")
        await node.second()
        if "disk_low" in await node.standing():
            break
    assert here.clock() - began_at <= timedelta(seconds=100)
    assert "disk_low" in await node.standing()


async def test_a_report_that_says_the_same_is_no_row(here: Centre) -> None:
    node = await speaking(here)
    told: list[Event] = []
    publish = here.bus.publish
    here.bus.publish = told.append  # type: ignore[assignment, method-assign]  # a tap
    for minute in range(20):
        await node.says("disk_low", "clock_offset", detail=f"{minute} MB")
        assert await node.second() == (2 if minute == 0 else 0)
    here.bus.publish = publish  # type: ignore[method-assign]  # as it was
    assert [event.topic for event in told].count(Topic.FAULT) == 2
    assert [(each.times, each.detail) for each in await node.book()] == [(1, "0 MB")] * 2


async def test_what_comes_and_goes_is_one_row_with_a_count_and_stays_acknowledged(here: Centre) -> None:
    node = await speaking(here)
    await node.says("output_lost")
    await node.second()
    [first] = await node.book()
    await here.services.faults.acknowledge(here.actor, first.id, note="thợ đang tới")
    for _ in range(8):
        await node.says()
        await node.second()
        await node.says("output_lost")
        await node.second()
    [fault] = await node.book()
    assert (fault.id, fault.times, fault.state, fault.since_at) == (first.id, 9, "acknowledged", first.since_at)
    assert fault.began_at == here.clock()
    await node.says()
    await node.second()
    here.clock.step(minutes=11)
    await node.says("output_lost")
    await node.second()
    assert [(each.times, each.state) for each in await node.book()] == [(1, "new"), (9, "cleared")]


async def test_a_lost_nodes_other_faults_stand_until_it_says_otherwise(here: Centre) -> None:
    node = await speaking(here)
    await node.says("output_lost")
    await node.second()
    node.watch.note_presence(node.node_id, LOST, False)
    await node.second()
    assert await node.standing() == ["offline", "output_lost"]
    await node.says("output_lost")
    await node.second()
    assert await node.standing() == ["output_lost"]


async def test_a_centre_that_starts_hears_everybody_out_before_it_calls_them_lost(here: Centre) -> None:
    node = await speaking(here)
    await node.says("disk_low")
    await node.second()
    await node.watch.write()
    here.clock.step(minutes=5)
    here.services.live._heard.clear()
    again = await watched(here, node.node_id)
    for _ in range(HEALTH_EVERY_S):
        assert await again.second() == 0
    await again.says("disk_low")
    await again.second()
    assert [(each.code, each.times) for each in await again.book()] == [("disk_low", 1)]
    silent = await watched(here, node.node_id)
    here.clock.step(minutes=5)
    started_at = here.clock() - timedelta(minutes=5)
    await silent.second()
    assert "offline" in await silent.standing()
    assert started_at < here.clock()


async def test_who_was_lost_before_the_centre_started_is_in_the_book_45_seconds_after(here: Centre) -> None:
    node = await speaking(here)
    await node.watch.write()
    here.clock.step(minutes=5)
    here.services.live._heard.clear()
    again, started_at = await watched(here, node.node_id), here.clock()
    while not await again.standing():
        await again.second()
    assert here.clock() - started_at <= timedelta(seconds=45)


async def test_what_could_not_be_written_is_written_with_the_next_look(lite: Centre) -> None:
    node = await speaking(lite)
    await node.says("disk_low")
    transaction = lite.database.transaction

    def busy() -> Any:
        raise BusyError("the database is locked; nothing was changed, try again")

    lite.database.transaction = busy  # type: ignore[method-assign]  # a disk that is full for a moment
    with pytest.raises(BusyError):
        await node.second()
    lite.database.transaction = transaction  # type: ignore[method-assign]  # as it was
    assert await node.second() == 1
    assert await node.standing() == ["disk_low"]


async def test_a_node_that_invents_faults_does_not_fill_the_book(lite: Centre) -> None:
    node = await speaking(lite)
    for number in range(200):
        await node.says(f"invented_{number}")
        await node.second()
    async with lite.database.reading() as session:
        rows = await session.scalar(select(func.count()).select_from(Fault)) or 0
    assert NEW_ROWS <= rows <= NEW_ROWS + 2
    assert node.keeper.dropped["too_often"] >= 150


async def test_no_node_says_of_itself_that_it_is_lost_and_a_stranger_has_no_book(lite: Centre) -> None:
    node = await speaking(lite)
    await node.says("offline")
    assert await node.second() == 0
    node.node_id = "stranger"
    await node.says("disk_low")
    assert await node.second() == 0
    assert await node.book() == []


async def test_a_fault_is_acknowledged_once_while_it_stands_by_who_may(here: Centre) -> None:
    node = await speaking(here)
    await node.says("disk_low", "output_lost")
    await node.second()
    lost, low = sorted(await node.book(), key=lambda each: each.code, reverse=True)
    area = (await here.services.nodes.get(here.actor, node.node_id)).area_id
    place = await here.services.areas.get(here.actor, area)
    technician = Actor((await here.somebody("tho", Role.TECHNICIAN, place)).id, ADDRESS)
    observer = Actor((await here.somebody("xem", Role.OBSERVER, place)).id, ADDRESS)
    faults = here.services.faults
    with pytest.raises(ForbiddenError):
        await faults.acknowledge(observer, lost.id)
    with pytest.raises(InvalidError):
        await faults.acknowledge(technician, lost.id, note="thợ\u202eđang tới")
    seen = await faults.acknowledge(technician, lost.id, note=" thợ  đang tới ")
    assert (seen.state, seen.note, seen.acknowledged_by_name) == ("acknowledged", "thợ đang tới", "tho")
    with pytest.raises(ConflictError):
        await faults.acknowledge(technician, lost.id)
    await node.says()
    await node.second()
    with pytest.raises(ConflictError):
        await faults.acknowledge(technician, low.id)
    [entry] = [each for each in await here.services.audit.list(here.actor) if each.action == Act.FAULTS_ACKNOWLEDGE]
    assert (entry.subject, entry.detail["note"]) == (f"faults/{lost.id}", "thợ đang tới")


async def test_the_list_is_of_a_place_a_node_or_what_stands(here: Centre) -> None:
    node = await speaking(here)
    await node.says("disk_low", "output_lost")
    await node.second()
    await node.says("disk_low")
    await node.second()
    elsewhere = await here.area("Thôn Đoài")
    other = await here.node(elsewhere, "Cụm 2")
    area_id = (await here.services.nodes.get(here.actor, node.node_id)).area_id
    assert [each.code for each in await node.book(standing=True)] == ["disk_low"]
    assert [each.code for each in await node.book(standing=False)] == ["output_lost"]
    assert len(await node.book(area_id=area_id)) == len(await node.book(node_id=node.node_id)) == 2
    assert await node.book(area_id=elsewhere.id) == await node.book(node_id=other.id) == []
    with pytest.raises(NotFoundError):
        await node.book(node_id="nobody")


async def test_only_who_sees_the_node_hears_of_its_fault(here: Centre) -> None:
    node = await speaking(here)
    await node.says("disk_low")
    await node.second()
    [fault] = await node.book()
    elsewhere = await here.area("Thôn Đoài")
    for place, hears in ((elsewhere, False), (None, True)):
        who = Actor((await here.somebody(f"ai{hears}", Role.OBSERVER, place)).id, ADDRESS)
        async with here.database.reading() as session:
            seen = await rights.sight(session, who)
            told = await audience.heard(session, who, seen, [Event(Topic.FAULT, fault.id)])
        assert bool(told) is hears


async def test_a_revoked_nodes_faults_are_over(lite: Centre) -> None:
    node = await speaking(lite)
    await node.says("disk_low")
    await node.second()
    await lite.services.revocations.revoke(lite.actor, node.node_id, "mất trộm")
    async with lite.database.reading() as session:
        assert await session.scalar(select(Fault.cleared_at)) == lite.clock()
    lite.clock.now += OFFLINE_AFTER
    assert await node.second() == 0
    assert await node.book() == []


async def test_what_was_over_for_long_is_forgotten(lite: Centre, tmp_path: Path) -> None:
    node = await speaking(lite)
    await node.says("disk_low", "output_lost")
    await node.second()
    await node.says("disk_low")
    await node.second()
    forgetting = Forgetting(lite.database, lite.clock, lite.services.live, 100)
    lite.clock.step(days=99)
    await forgetting.forget()
    assert len(await node.book()) == 2
    lite.clock.step(days=2)
    await forgetting.forget()
    assert [each.code for each in await node.book()] == ["disk_low"]


async def test_the_words_of_a_fault_follow_while_it_stands_but_not_each_figure(lite: Centre) -> None:
    """Ten minutes before a play its file is missed by name and reason, though somebody looks after it already."""
    node = await speaking(lite)
    await node.says("cache_incomplete", detail="3 recordings that are due within 24 h are not here")
    await node.second()
    [fault] = await node.book()
    await lite.services.faults.acknowledge(lite.actor, fault.id)
    await node.says("cache_incomplete", detail="b-17 at 09:00 UTC: no_space")
    await node.second()
    assert [one.detail for one in await node.book()] == [fault.detail], "within the minute nothing is written"
    lite.clock.step(minutes=1)
    await node.says("cache_incomplete", detail="b-17 at 09:00 UTC: no_space")
    assert await node.second() == 0, "nothing begins and nothing ends"
    [told] = await node.book()
    assert (told.id, told.detail) == (fault.id, "b-17 at 09:00 UTC: no_space")
    assert told.acknowledged_by == lite.actor.person_id


async def test_words_that_could_not_be_written_are_written_with_the_next_look(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await speaking(lite)
    await node.says("disk_low", detail="9% free")
    await node.second()
    lite.clock.step(minutes=1)
    await node.says("disk_low", detail="1% free")
    transaction = lite.database.transaction

    @asynccontextmanager
    async def not_committed() -> AsyncIterator[Transaction]:
        async with transaction() as tx:
            yield tx
            raise BusyError("the database has a full disk; nothing was changed, try again")

    monkeypatch.setattr(lite.database, "transaction", not_committed)
    with pytest.raises(BusyError):
        await node.second()
    monkeypatch.undo()
    await node.second()
    assert [one.detail for one in await node.book()] == ["1% free"]
