"""STOP and its release."""

import asyncio

import pytest
from sqlalchemy import update

from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.holds.lasting import KIND
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind
from tests.controller.factories import Centre
from tests.controller.test_services_areas import dirty
from tests.controller.test_services_broadcasts import asked, commune


async def test_one_click_holds_every_scope_and_says_who_has_not_confirmed(here: Centre) -> None:
    commune = await here.area("Xã")
    first, second = await here.node(commune, "Cụm 1"), await here.node(commune, "Cụm 2", online=False)
    await dirty(here)
    holds = await here.services.holds.order(here.actor, [commune.scope])
    assert await dirty(here) == {(commune.scope, "hold")}
    assert [(hold.scope_name, hold.ordered_by, hold.node_count, hold.confirmed_count) for hold in holds] == [
        ("Xã", "Nguyễn Thị Lan", 2, 0)
    ]
    here.hears(first.id, holds=[holds[0].id])
    (hold,) = await here.services.holds.active(here.actor)
    assert hold.confirmed_count == 1
    assert [(node.node_id, node.status) for node in hold.not_yet] == [(second.id, "never_seen")]


async def test_a_second_click_is_the_same_hold(here: Centre) -> None:
    commune = await here.area("Xã")
    hamlet = await here.area("Thôn", commune)
    (hold,) = await here.services.holds.order(here.actor, [commune.scope])
    assert [again.id for again in await here.services.holds.order(here.actor, [commune.scope])] == [hold.id]
    (other,) = await here.services.holds.order(here.actor, [hamlet.scope])
    assert other.id != hold.id  # the release of one is not the release of the other


async def test_a_hold_lasts_until_a_person_releases_it_once(here: Centre) -> None:
    commune = await here.area("Xã")
    node = await here.node(commune)
    (hold,) = await here.services.holds.order(here.actor, [node.scope])
    here.hears(node.id, holds=[hold.id])
    here.clock.step(days=30)
    assert [each.id for each in await here.services.holds.active(here.actor)] == [hold.id]
    await dirty(here)
    released = await here.services.holds.release(here.actor, hold.id)
    assert await dirty(here) == {(node.scope, "hold")}
    assert (released.confirmed_count, [each.name for each in released.not_yet]) == (0, ["Cụm 1"])
    here.hears(node.id, holds=[])
    assert (await here.services.holds.get(here.actor, hold.id)).confirmed_count == 1
    assert await here.services.holds.active(here.actor) == []
    with pytest.raises(ConflictError):
        await here.services.holds.release(here.actor, hold.id)


async def test_after_a_restart_the_last_written_report_tells_who_obeys(here: Centre) -> None:
    """Nothing was heard yet in this life of the centre: rows say who obeyed, who said nothing, who never reported."""
    commune = await here.area("Xã")
    silent, loud, never = [await here.node(commune, f"Cụm {number}", online=False) for number in (1, 2, 3)]
    (hold,) = await here.services.holds.order(here.actor, [commune.scope])
    async with here.database.transaction() as tx:
        for node, health in ((silent, {"holds": [hold.id]}), (loud, {"clock": {"state": "trusted"}})):
            await tx.session.execute(update(Node).where(Node.id == node.id).values(health=health))
    (found,) = await here.services.holds.active(here.actor)
    assert (found.node_count, found.confirmed_count) == (3, 1)
    assert [node.node_id for node in found.not_yet] == sorted([loud.id, never.id])
    here.hears(loud.id, holds=[hold.id])
    assert (await here.services.holds.get(here.actor, hold.id)).confirmed_count == 2
    released = await here.services.holds.release(here.actor, hold.id)
    assert (released.confirmed_count, len(released.not_yet)) == (0, 3)


async def test_after_a_release_a_new_stop_is_a_new_hold(here: Centre) -> None:
    commune = await here.area("Xã")
    (first,) = await here.services.holds.order(here.actor, [commune.scope])
    await here.services.holds.release(here.actor, first.id)
    (second,) = await here.services.holds.order(here.actor, [commune.scope])
    assert second.id != first.id


async def test_what_is_not_there_cannot_be_held(lite: Centre) -> None:
    for scopes in ([], ["areas/nowhere"], ["nodes/nothing"], ["everything"]):
        with pytest.raises(InvalidError):
            await lite.services.holds.order(lite.actor, scopes)
    with pytest.raises(NotFoundError):
        await lite.services.holds.release(lite.actor, "nothing")
    with pytest.raises(NotFoundError):
        await lite.services.holds.get(lite.actor, "nothing")


async def test_many_people_act_at_once_and_all_get_their_way(here: Centre) -> None:
    """STOP, send, cancel and release at the same moment, over the same documents and one audit."""
    place = await commune(here)
    sent = await here.services.broadcasts.create(here.actor, asked(place))
    scopes = [place["east"].scope, place["west"].scope]
    (first,) = await here.services.holds.order(here.actor, [place["area"].scope])
    async with asyncio.timeout(60):
        await asyncio.gather(
            here.services.holds.order(here.actor, scopes),
            here.services.holds.order(here.actor, scopes[::-1]),
            here.services.broadcasts.create(here.actor, asked(place, targets=scopes)),
            here.services.broadcasts.create(here.actor, asked(place, targets=scopes[::-1])),
            here.services.broadcasts.cancel(here.actor, sent.id),
            here.services.holds.release(here.actor, first.id),
        )
    assert (await here.services.audit.verify()).broken_at is None
    held = await here.services.holds.active(here.actor)
    assert sorted(hold.scope for hold in held) == sorted(scopes)


async def lasting(here: Centre) -> list[str]:
    """Remind of what lasts; gives the holds of which people were told so far."""
    await here.services.lasting_holds.remind()
    found = await here.services.alarms.list(here.actor)
    return [alarm.subject.removeprefix("holds/") for alarm in found if alarm.kind == KIND]


async def test_a_hold_that_lasts_is_told_once_an_hour_until_somebody_releases_it(here: Centre) -> None:
    commune = await here.area("Xã")
    await here.node(commune)
    [hold] = await here.services.holds.order(here.actor, [commune.scope])
    here.clock.step(minutes=59.9)
    assert await lasting(here) == []
    here.clock.step(minutes=0.1)
    assert await lasting(here) == await lasting(here) == [hold.id]
    here.clock.step(hours=3)
    assert await lasting(here) == [hold.id]  # nobody has read the first one yet
    [alarm] = await here.services.alarms.list(here.actor, waiting=True)
    assert (alarm.detail["place"], alarm.area_id) == ("Xã", commune.id)
    await here.services.alarms.acknowledge(here.actor, alarm.id)
    assert await lasting(here) == [hold.id] * 2
    [alarm] = await here.services.alarms.list(here.actor, waiting=True)
    await here.services.alarms.acknowledge(here.actor, alarm.id)
    here.clock.step(minutes=59)
    assert await lasting(here) == [hold.id] * 2
    await here.services.holds.release(here.actor, hold.id)
    here.clock.step(hours=9)
    assert await lasting(here) == [hold.id] * 2


async def test_clusters_without_an_agent_are_neither_awaited_nor_reminded_of(here: Centre) -> None:
    commune, wires = await here.area("Xã"), await here.area("Thôn dây")
    node = await here.node(commune)
    wired = [
        await here.services.nodes.create(here.actor, kind=NodeKind.WIRED, area_id=area.id, name="Dây")
        for area in (commune, wires)
    ]
    both, mute = await here.services.holds.order(here.actor, [commune.scope, wires.scope])
    assert [(hold.node_count, hold.unreporting_count) for hold in (both, mute)] == [(1, 1), (0, 1)]
    assert [each.node_id for each in both.not_yet] == [node.id]
    assert wired[0].id != wired[1].id
    here.clock.step(hours=1)
    assert await lasting(here) == [both.id]
