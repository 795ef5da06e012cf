"""A day of one place: its broadcasts with what became of them there, and where they did not sound as they should."""

from datetime import timedelta

import pytest

from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.errors import NotFoundError
from controller.nodes.schemas import NodeOut
from controller.people.rights import Role
from controller.plays import service as plays
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason
from tests.controller.factories import SYSTEM, Centre, play_event
from tests.controller.test_sight import person


async def said(here: Centre, run: BroadcastOut, node: NodeOut, **what: object) -> None:
    async with here.database.transaction() as tx:
        assert await plays.apply(tx, node.id, play_event(run.id, 1, here.clock(), **what), here.clock())


async def sent(here: Centre, *areas: AreaOut, title: str = "Bản tin") -> BroadcastOut:
    recording = await here.recording(title)
    wanted = BroadcastIn.checked(
        title=title, recordings=[recording], targets=[area.scope for area in areas], confirm_unusual=True
    )
    return await here.services.broadcasts.create(here.actor, wanted)


async def test_a_day_of_a_place_counts_what_became_of_it_there(here: Centre) -> None:
    commune = await here.area("Xã Nga My", kind="commune")
    dong, trai = await here.area("Thôn Đồng", commune), await here.area("Thôn Trại", commune)
    nodes = [await here.node(dong, "Đình"), await here.node(trai, "Cổng"), await here.node(trai, "Chợ")]
    both, one = await sent(here, commune, title="Cả xã"), await sent(here, trai, title="Một thôn")
    await said(here, both, nodes[0], outcome=Outcome.PLAYED, grade=Grade.E2)
    service = here.services.broadcasts
    assert [run.title for run in await service.today(here.actor, area_id=dong.id)] == ["Cả xã"]
    [at_dong] = await service.today(here.actor, area_id=dong.id)
    assert (at_dong.node_count, at_dong.counts) == (1, {"played": 1})
    found = {run.id: run for run in await service.today(here.actor, area_id=trai.id)}
    assert {key: run.node_count for key, run in found.items()} == {both.id: 2, one.id: 2}
    assert [target.name for target in found[both.id].targets] == ["Xã Nga My"]
    assert {run.node_count for run in await service.today(here.actor)} == {3, 2}


async def test_nobody_asks_for_the_day_of_a_place_out_of_sight(here: Centre) -> None:
    east, west = await here.area("Đông"), await here.area("Tây")
    await here.node(west, "Chợ")
    await sent(here, west)
    operator = await person(here, Role.OPERATOR, east)
    for area_id in (west.id, "gone"):
        with pytest.raises(NotFoundError):
            await here.services.broadcasts.today(operator, area_id=area_id)
        with pytest.raises(NotFoundError):
            await here.services.broadcasts.not_well(operator, [], area_id=area_id, most=3)
        with pytest.raises(NotFoundError):
            await here.services.overview.of(operator, area_id)
    assert await here.services.broadcasts.today(operator, area_id=east.id) == []


async def test_where_it_did_not_sound_is_counted_by_reason_and_the_first_are_named(here: Centre) -> None:
    area, away = await here.area("Thôn Đồng"), await here.area("Thôn Trại")
    nodes = [await here.node(area, f"Cụm {number}") for number in range(5)]
    elsewhere = await here.node(away, "Chợ")
    run = await sent(here, area, away)
    for node in nodes[:3]:
        await said(here, run, node, outcome=Outcome.MISSED, reason=Reason.NO_FILE)
    await said(here, run, elsewhere, outcome=Outcome.MISSED, reason=Reason.NO_FILE)
    await said(here, run, nodes[3], outcome=Outcome.PLAYED, grade=Grade.E1)
    await said(here, run, nodes[4], state=PlayState.CACHED)
    here.clock.step(seconds=timedelta(hours=3).total_seconds())
    async with here.database.transaction() as tx:
        assert await plays.sweep(tx, here.clock()) == 1
    operator = await person(here, Role.OPERATOR, area)
    found = await here.services.broadcasts.not_well(operator, [run.id], most=2)
    [missed, silent] = found[run.id]
    assert (missed.outcome, missed.reason, missed.count) == (Outcome.MISSED, Reason.NO_FILE, 3)
    assert missed.first == ((nodes[0].id, "Cụm 0"), (nodes[1].id, "Cụm 1"))
    assert (silent.outcome, silent.count, silent.first) == (Outcome.UNKNOWN, 1, ((nodes[4].id, "Cụm 4"),))
    whole = await here.services.broadcasts.not_well(SYSTEM, [run.id], most=9)
    assert whole[run.id][0].count == 4
    assert await here.services.broadcasts.not_well(SYSTEM, [run.id], area_id=away.id, most=9) == {
        run.id: [missed.model_copy(update={"count": 1, "first": ((elsewhere.id, "Chợ"),)})]
    }


async def test_the_overview_of_a_place_counts_its_nodes_alone(here: Centre) -> None:
    commune = await here.area("Xã Nga My", kind="commune")
    dong, trai = await here.area("Thôn Đồng", commune), await here.area("Thôn Trại", commune)
    for area in (dong, trai, trai):
        await here.node(area, f"Cụm {area.name} {area.id}"[:60])
    totals = [(await here.services.overview.of(here.actor, area.id)).total for area in (commune, dong, trai)]
    assert totals == [3, 1, 2]
