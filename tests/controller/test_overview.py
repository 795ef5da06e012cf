"""How all nodes stand, counted: always what a look at every single node would find."""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from controller.areas.move_schemas import MoveIn, MoveSeenIn
from controller.broadcasts.schemas import BroadcastIn
from controller.faults.models import Fault
from controller.nodes.models import Node
from controller.nodes.rules import NodeStatus
from controller.overview import roster, service
from controller.overview.roster import Roster
from controller.overview.schemas import Overview
from controller.people.actor import Actor
from tests.controller.factories import ADDRESS, SYSTEM, Centre


async def overview(here: Centre, actor: Actor | None = None) -> Overview:
    return await here.services.overview.of(actor or here.actor)


async def by_looking_at_each(here: Centre) -> tuple[Counter[str], Counter[str]]:
    nodes = await here.services.nodes.all(here.actor)
    heard = [node for node in nodes if node.status in {"online", "late"}]
    faults = Counter(fault.code for node in heard for fault in node.faults if fault.code not in node.looked_after)
    return Counter(node.status for node in nodes), faults


async def test_it_finds_what_a_look_at_every_node_finds(lite: Centre) -> None:
    """Whatever happens in whatever order: words, silence, renames, moves, removals."""
    areas = [await lite.area(f"Thôn {number}") for number in range(3)]
    nodes = [await lite.node(areas[number % 3], f"Cụm {number}", online=number < 5) for number in range(6)]
    chance = random.Random(5)
    for _ in range(60):
        node = chance.choice(nodes)
        match chance.randrange(6):
            case 0 | 1:
                lite.hears(node.id)
            case 2:
                at = lite.clock() - timedelta(seconds=chance.randrange(9))
                lite.hears(node.id, faults=[{"code": "disk_space", "since_at": at.isoformat(), "detail": ""}])
            case 3:
                lite.services.live.note(node.id, presence="lost", presence_at=lite.clock())
            case 4:
                lite.clock.step(seconds=chance.choice([1, 7, 20, 36]))
            case _:
                await lite.services.nodes.change(lite.actor, node.id, name=f"Cụm {chance.randrange(99)}")
        found = await overview(lite)
        statuses, faults = await by_looking_at_each(lite)
        assert Counter(found.by_status) == statuses
        assert Counter({each.code: each.count for each in found.faults}) == faults
        assert found.lost.count == statuses["offline"]
        assert found.total == sum(each.total for each in found.areas) == 6


async def test_each_sees_what_is_in_sight(here: Centre) -> None:
    east, west = await here.area("Đông"), await here.area("Tây")
    await here.node(east)
    lost = await here.node(west, "Cụm Tây", online=False)
    here.services.live.note(lost.id, presence="lost", presence_at=here.clock(), last_heard_at=here.clock())
    hoa = await here.somebody("hoa", "operator", east)
    found = await overview(here, Actor(hoa.id, ADDRESS))
    assert (found.total, found.lost.count, [each.area_id for each in found.areas]) == (1, 0, [east.id])
    assert "Tây" not in found.model_dump_json()
    assert (await overview(here, SYSTEM)).lost.first[0].name == "Cụm Tây"


async def test_what_sounds_is_told_by_the_nodes_and_ends_by_itself(lite: Centre) -> None:
    area = await lite.area()
    nodes = [await lite.node(area, f"Cụm {number}") for number in range(3)]
    ends = lite.clock() + timedelta(seconds=20)
    playing = {"broadcast_id": "b", "started_at": lite.clock().isoformat(), "ends_at": ends.isoformat()}
    for node in nodes[:2]:
        lite.hears(node.id, now_playing=playing)
    found = (await overview(lite)).sounding
    assert [(each.broadcast_id, each.nodes, each.title, each.ends_at) for each in found] == [("b", 2, None, ends)]
    lite.services.live.note(nodes[0].id, presence="lost", presence_at=lite.clock())
    assert [each.nodes for each in (await overview(lite)).sounding] == [1]
    lite.clock.step(seconds=20)
    assert (await overview(lite)).sounding == ()


async def test_what_is_looked_after_is_counted_apart(lite: Centre) -> None:
    node = await lite.node(await lite.area())
    lite.hears(node.id, faults=[{"code": "disk_space", "since_at": lite.clock().isoformat(), "detail": ""}])
    assert [each.code for each in (await overview(lite)).faults] == ["disk_space"]
    now = lite.clock()
    async with lite.database.transaction() as tx:
        tx.session.add(Fault(id="f", node_id=node.id, code="disk_space", detail="", since_at=now, began_at=now))
    await lite.services.faults.acknowledge(lite.actor, "f")
    found = await overview(lite)
    assert (found.faults, found.looked_after.count, found.unwell[0].looked_after) == ((), 1, ("disk_space",))


async def test_a_node_that_went_or_moved_is_counted_where_it_is(lite: Centre) -> None:
    first, second = await lite.area("Thôn Đồng"), await lite.area("Thôn Trại")
    node = await lite.node(first)
    assert [(each.area_id, each.total) for each in (await overview(lite)).areas] == [(first.id, 1)]
    wanted = MoveIn(nodes=(node.id,))
    seen = await lite.services.moves.preview(lite.actor, second.id, wanted)
    await lite.services.moves.move(lite.actor, second.id, MoveSeenIn(nodes=(node.id,), seen_sha256=seen.sha256))
    assert [(each.area_id, each.total) for each in (await overview(lite)).areas] == [(second.id, 1)]
    await lite.services.revocations.revoke(lite.actor, node.id, reason="mất trộm")
    assert (await overview(lite)).total == 0


async def test_a_clock_that_was_set_back_leaves_nothing_that_it_would_not_find(lite: Centre) -> None:
    node = await lite.node(await lite.area())
    lite.clock.step(seconds=60)
    assert (await overview(lite)).by_status == {NodeStatus.OFFLINE: 1}
    lite.clock.step(seconds=-60)
    assert (await overview(lite)).by_status == {NodeStatus.ONLINE: 1}
    lite.clock.step(hours=-1)  # heard in the future is no sign of life
    assert (await overview(lite)).lost.first[0].id == node.id


async def test_many_are_counted_and_few_are_named(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_UNWELL", 2)
    monkeypatch.setattr(service, "MOST_NAMED", 1)
    area = await lite.area()
    for number in range(4):
        await lite.node(area, f"Cụm {number}")
        lite.clock.step(seconds=1)
    lite.clock.step(seconds=60)
    found = await overview(lite)
    assert (found.lost.count, [each.name for each in found.lost.first]) == (4, ["Cụm 0"])
    assert [each.name for each in found.unwell] == ["Cụm 0", "Cụm 1"]
    assert found.lost.since_at == found.lost.first[0].since_at


async def test_what_did_not_change_is_not_read_again(lite: Centre) -> None:
    """The cost of a page does not grow with nodes that only say again that they are well."""
    area = await lite.area()
    nodes = [await lite.node(area, f"Cụm {number}") for number in range(3)]
    await overview(lite)
    asked: list[str] = []
    event.listen(
        lite.database.engine.sync_engine, "before_cursor_execute", lambda _c, _k, statement, *_: asked.append(statement)
    )
    for node in nodes:
        lite.hears(node.id)
    again = await overview(lite, SYSTEM)
    assert [each for each in asked if "nodes" in each or "faults" in each] == []
    assert again is await overview(lite, SYSTEM)


async def test_what_another_process_wrote_is_seen_after_a_minute(lite: Centre) -> None:
    node = await lite.node(await lite.area())
    now = [0.0]
    kept = Roster(lite.database, lite.bus, lite.services.live, steady=lambda: now[0])
    await kept.refresh(lite.clock())
    async with lite.database.transaction() as tx:
        await tx.session.execute(update(Node).where(Node.id == node.id).values(removed_at=lite.clock()))
    now[0] = roster.ALL_AGAIN_S + 1
    await kept.refresh(lite.clock())
    assert kept.sums == {}


async def test_who_began_to_read_before_something_changed_keeps_nobody_from_seeing_it(lite: Centre) -> None:
    """What is kept for all is of a snapshot that is later than the event, whichever the page reads."""
    area = await lite.area()
    node = await lite.node(area)
    recording = await lite.recording()
    await overview(lite)

    async def meanwhile() -> None:
        said = BroadcastIn(title="Mất nước", targets=(area.scope,), recordings=(recording,))
        run = await lite.services.broadcasts.create(lite.actor, said)
        ends_at = (lite.clock() + timedelta(minutes=1)).isoformat()
        playing = {"broadcast_id": run.id, "item": 0, "started_at": lite.clock().isoformat(), "ends_at": ends_at}
        lite.hears(node.id, now_playing=playing)
        await lite.services.nodes.change(lite.actor, node.id, name="Cụm mới")

    async with lite.database.together():
        async with lite.database.reading() as session:
            assert await session.get(Node, node.id) is not None  # the page's snapshot begins here
        await asyncio.create_task(meanwhile())
        assert [each.title for each in (await overview(lite)).sounding] == ["Mất nước"]
    lite.clock.step(minutes=2)
    assert [each.name for each in (await overview(lite)).lost.first] == ["Cụm mới"]
