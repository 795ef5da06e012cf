"""Rollouts over rows: told through the wire, moved by reports alone, through a restart, and stopped by themselves."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controller.alarms.models import Alarm
from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.errors import BusyError, ForbiddenError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.http import audience
from controller.ids import new_id
from controller.people import rights
from controller.people.actor import Actor
from controller.updates.errors import RolloutError
from controller.updates.models import Rollout
from controller.updates.rules import next_steps
from controller.updates.schemas import RolloutIn
from controller.updates.states import RolloutState, State, Stopped
from controller.updates.steering import STOPPED, drawn
from edge_agent.protocol.documents import CommandAction
from tests.controller.factories import ADDRESS, Centre

from .shop import Shop, able, packed, signed

QUICK: dict[str, Any] = {"waves": ("1", "100%"), "soak_s": 600}


async def shop_with(here: Centre, count: int) -> tuple[Shop, AreaOut, list[str]]:
    """A release, and nodes that take updates; their ids in the order in which they are told."""
    shop, area = Shop(here), await here.area()
    nodes = sorted([(await here.node(area, f"Cụm {number}")).id for number in range(count)])
    for node_id in nodes:
        shop.hears(node_id)
    await shop.add()
    return shop, area, nodes


async def test_a_release_goes_to_one_then_to_all_and_ends_when_all_run_it(here: Centre) -> None:
    shop, area, nodes = await shop_with(here, 4)
    rollout = await shop.start(area.scope, **QUICK)
    assert await shop.look() == nodes[:1]
    ((scope, fields),) = shop.sent
    assert (scope, fields["action"]) == (f"nodes/{nodes[0]}", CommandAction.UPDATE)
    assert fields["release"] == signed(shop.key, here.clock() - timedelta(minutes=1))
    for state in ("fetching", "waiting", "trying"):
        shop.hears(nodes[0], state)
        assert await shop.look() == []
        assert (await here.services.rollouts.get(here.actor, rollout.id)).nodes[0].state == state
    shop.hears(nodes[0], "good", running=7)
    assert await shop.look() == []
    assert await shop.look(minutes=8) == [], "the first one has to be good for ten minutes"
    assert sorted(await shop.look(minutes=2)) == nodes[1:]
    for node_id in nodes[1:]:
        shop.hears(node_id, "good", running=7)
    await shop.look()
    done = await here.services.rollouts.get(here.actor, rollout.id)
    assert (done.state, done.counts, done.wave) == (RolloutState.DONE, {State.GOOD: 4}, 2)
    assert [node.release for node in await here.services.nodes.all(here.actor)] == [7] * 4


async def test_a_restart_in_the_middle_goes_on_where_the_rows_are(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 3)
    rollout = await shop.start(area.scope, **QUICK)
    await shop.look()
    shop.next_life()
    assert await shop.look() == [], "it was told a minute ago"
    assert await shop.look(minutes=9) == nodes[:1], "unanswered, it is told again"
    assert shop.sent[0][1] == shop.sent[1][1], "with the same command"
    shop.hears(nodes[0], "good", running=7)
    await shop.look()
    shop.next_life()
    await shop.look(minutes=11)
    told = [scope for scope, _ in shop.sent]
    assert sorted(told[2:]) == [f"nodes/{node_id}" for node_id in nodes[1:]]
    assert (await lite.services.rollouts.get(lite.actor, rollout.id)).wave == 2


@pytest.mark.fault("F27")
async def test_trouble_in_the_first_wave_stops_it_says_why_and_alarms(here: Centre) -> None:
    shop, area, nodes = await shop_with(here, 3)
    rollout = await shop.start(area.scope, **QUICK)
    await shop.look()
    shop.hears(nodes[0], "returned", reason="crashed")
    assert await shop.look() == []
    stopped = await here.services.rollouts.get(here.actor, rollout.id)
    assert (stopped.state, stopped.reason) == (RolloutState.STOPPED, Stopped.FIRST_WAVE)
    assert [(each.state, each.reason) for each in stopped.nodes if each.wave] == [(State.RETURNED, "crashed")]
    async with here.database.reading() as session:
        alarm = (await session.scalars(select(Alarm).where(Alarm.kind == STOPPED))).one()
    assert (alarm.area_id, alarm.detail["reasons"], alarm.detail["count"]) == (area.id, ["crashed"], 1)
    assert await shop.look(minutes=120) == []
    entries = [one.detail for one in await here.services.audit.list(here.actor) if one.action == STOPPED]
    assert [each["stopped_by"] for each in entries] == ["first_wave"]


async def test_good_of_a_release_it_was_never_sent_is_ignored_and_counted(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 3)
    rollout = await shop.start(area.scope, **QUICK)
    liar = nodes[2]
    shop.says[liar] = {"release": 3, "update": {"release": 7, "state": "good", "command_id": "made-up"}}
    await shop.look()
    with lite.bus.listen() as events:
        await shop.look()
        lite.bus.publish(Event(Topic.MISSED))
        assert (await anext(events)).topic is Topic.MISSED, "what was written once is not written again"
    found = await lite.services.rollouts.get(lite.actor, rollout.id)
    assert (found.unbelieved, found.counts) == (1, {State.TOLD: 1, State.PLANNED: 2})
    assert next(each.unbelieved for each in found.nodes if each.node_id == liar) == "good"


async def test_nothing_is_sent_beside_an_emergency(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 2)
    now = lite.clock()
    emergency = Broadcast(
        id=new_id(),
        title="Lũ",
        level="emergency",
        urgent=True,
        start_at=now,
        latest_start_at=now + timedelta(minutes=30),
        latest_end_at=now + timedelta(minutes=30),
        length_ms=1000,
        created_by=lite.person.id,
        created_at=now,
    )
    async with lite.database.transaction() as tx:
        tx.session.add(emergency)
        await tx.session.flush()
        tx.session.add(BroadcastTarget(broadcast_id=emergency.id, scope=area.scope))
    await shop.start(area.scope, **QUICK)
    assert await shop.look() == []
    assert await shop.look(minutes=30) == nodes[:1]


async def test_who_is_away_or_takes_no_updates_is_listed_and_told_when_it_can(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 3)
    old, away = nodes[0], nodes[1]
    lite.services.live.note(old, abilities={"commands": ["restart"]})
    shop.says.pop(away)
    lite.clock.step(minutes=5)
    rollout = await shop.start(area.scope, waves=("100%",))
    assert await shop.look() == [nodes[2]]
    found = await lite.services.rollouts.get(lite.actor, rollout.id)
    assert (found.away, found.unable) == (1, 1)
    (listed,) = await lite.services.rollouts.list(lite.actor)
    assert (listed.counts, listed.unbelieved) == (found.counts, 0)
    shop.hears(away)
    assert await shop.look() == [away]
    lite.services.live.note(old, abilities=able("amd64"))
    assert await shop.look() == [], "there is no bundle for its board"


async def test_each_board_gets_its_own_bundle(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 2)
    amd = await shop.add(bundle=packed("amd64"), board="amd64")
    lite.services.live.note(nodes[0], abilities=able("amd64"))
    await shop.start(area.scope, waves=("100%",))
    await shop.look()
    tokens = {scope: fields["release"] for scope, fields in shop.sent}
    assert tokens[f"nodes/{nodes[0]}"] != tokens[f"nodes/{nodes[1]}"]
    assert amd.board == "amd64"


async def test_a_person_pauses_lets_go_on_and_stops(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 2)
    rollouts = lite.services.rollouts
    rollout = await shop.start(area.scope, **QUICK)
    assert (await rollouts.pause(lite.actor, rollout.id)).state is RolloutState.PAUSED
    assert await shop.look() == []
    with pytest.raises(RolloutError):
        await rollouts.pause(lite.actor, rollout.id)
    await rollouts.resume(lite.actor, rollout.id)
    assert await shop.look() == nodes[:1]
    assert (await rollouts.stop(lite.actor, rollout.id)).reason is Stopped.BY_PERSON
    for act in (rollouts.pause, rollouts.resume, rollouts.stop):
        with pytest.raises(RolloutError):
            await act(lite.actor, rollout.id)
    assert await shop.look(minutes=30) == []


async def test_a_broker_that_takes_nothing_delays_and_loses_nothing(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 1)
    await shop.start(area.scope)

    async def refuse(*_: object) -> None:
        raise BusyError("no broker")

    lite.services.steering.send = refuse
    assert await shop.look() == []
    lite.services.steering.send = shop.send
    assert await shop.look(minutes=10) == nodes


async def test_a_node_is_in_one_rollout_at_a_time_and_who_has_it_needs_none(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 2)
    shop.hears(nodes[0], running=7)
    rollout = await shop.start(area.scope)
    assert (rollout.total, rollout.counts) == (1, {State.SKIPPED: 1, State.PLANNED: 1})
    with pytest.raises(RolloutError) as refused:
        await shop.start(f"nodes/{nodes[1]}")
    assert refused.value.fields["id"] == rollout.id
    with pytest.raises(InvalidError, match="no node there needs"):
        await shop.start(f"nodes/{nodes[0]}")
    await lite.services.rollouts.stop(lite.actor, rollout.id)
    await shop.start(f"nodes/{nodes[1]}")


async def test_what_cannot_be_begun_says_why(lite: Centre) -> None:
    shop, area, _ = await shop_with(lite, 1)
    for wanted, problem in (
        ({"number": 9}, "unknown"),
        ({"waves": ("5%",)}, "malformed"),
        ({"waves": ("all", "100%")}, "malformed"),
    ):
        with pytest.raises(InvalidError) as refused:
            await shop.start(area.scope, **wanted)
        assert refused.value.fields["problem"] == problem
    lite.clock.step(days=91)
    with pytest.raises(InvalidError) as refused:
        await shop.start(area.scope)
    assert refused.value.fields["problem"] == "unknown"


async def test_who_may_what(lite: Centre) -> None:
    _, east, nodes = await shop_with(lite, 1)
    west = await lite.area("Xã Đoài", kind="commune")
    await lite.node(west)
    people = {
        (role, place.name): Actor((await lite.somebody(f"{role}.{place.id[:6]}", role, place)).id, ADDRESS)
        for role in ("administrator", "technician", "operator")
        for place in (east, west)
    }
    begin = RolloutIn(release=7, targets=(f"nodes/{nodes[0]}",))
    with pytest.raises(ForbiddenError):
        await lite.services.rollouts.start(people["technician", east.name], begin)
    with pytest.raises(InvalidError):
        await lite.services.rollouts.start(people["administrator", west.name], begin)
    rollout = await lite.services.rollouts.start(people["administrator", east.name], begin)
    with pytest.raises(ForbiddenError):
        await lite.services.rollouts.pause(people["operator", east.name], rollout.id)
    with pytest.raises(NotFoundError):
        await lite.services.rollouts.stop(people["technician", west.name], rollout.id)
    await lite.services.rollouts.pause(people["technician", east.name], rollout.id)
    with pytest.raises(ForbiddenError):
        await lite.services.rollouts.resume(people["technician", east.name], rollout.id)
    await lite.services.rollouts.stop(people["technician", east.name], rollout.id)
    async with lite.database.reading() as session:
        for who, sees in ((people["operator", east.name], True), (people["operator", west.name], False)):
            seen = await rights.sight(session, who)
            told = await audience.heard(session, who, seen, [Event(Topic.ROLLOUT, rollout.id)])
            assert bool(told) == sees
    assert len(await lite.services.rollouts.list(people["operator", west.name])) == 0


async def test_many_are_told_in_turns_and_nothing_is_locked_meanwhile(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.updates.rules.AT_ONCE", 2)
    monkeypatch.setattr("controller.updates.steering.AT_ONCE", 2)
    shop, area, nodes = await shop_with(lite, 5)
    await shop.start(area.scope, waves=("100%",))
    assert [await shop.look() for _ in range(4)] == [nodes[:2], nodes[2:4], nodes[4:], []]
    for node_id in nodes:
        shop.hears(node_id, "good", running=7)
    await shop.look()
    (done,) = await lite.services.rollouts.list(lite.actor)
    assert (done.state, done.counts) == (RolloutState.DONE, {State.GOOD: 5})


async def test_what_a_person_says_while_the_centre_looks_is_not_overwritten(lite: Centre) -> None:
    shop, area, nodes = await shop_with(lite, 1)
    rollout = await shop.start(area.scope)
    steering = lite.services.steering
    seen = await steering._see(rollout.id)
    assert seen is not None
    await lite.services.rollouts.stop(lite.actor, rollout.id)
    steps = next_steps(seen.course, seen.members, seen.now, running=True)
    assert [each.node_id for each in steps.tell] == nodes
    assert not await steering._write(seen, steps)
    assert shop.sent == []


async def test_a_rollout_whose_rows_cannot_be_read_keeps_no_other_back(lite: Centre) -> None:
    shop, _, nodes = await shop_with(lite, 2)
    broken = await shop.start(f"nodes/{nodes[0]}")
    await shop.start(f"nodes/{nodes[1]}")
    async with lite.database.transaction() as tx:
        (await tx.session.get_one(Rollout, broken.id)).waves = ["nonsense", "100%"]
    assert await shop.look() == nodes[1:]
    assert lite.services.failures.names == {f"rollouts/{broken.id}"}


async def test_whom_a_rollout_tells_first_is_drawn_anew_each_time(lite: Centre) -> None:
    """One node that spoils first waves is not first again, and a life of the centre draws as the one before did."""
    shop, area, nodes = await shop_with(lite, 20)
    lite.services.steering.lot = drawn
    first: list[str] = []
    for _ in range(8):
        rollout = await shop.start(area.scope, **QUICK)
        first += await shop.look()
        order = sorted(nodes, key=lambda each: drawn(rollout.id, each))
        assert first[-1] == order[0]
        await lite.services.rollouts.stop(lite.actor, rollout.id)
    assert len(set(first)) > 1
