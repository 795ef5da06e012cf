"""What is counted for whoever looks: the same by every way of asking the database, for one place and for all."""

from typing import Any

from sqlalchemy import select, update

from controller.areas.models import Area
from controller.areas.repository import read_branches, read_tree, standing_in
from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.db import among
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind
from controller.people.actor import Actor
from controller.people.rights import Sight, sight
from controller.plays.models import Play
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.controller.factories import Centre


async def test_one_of_thousands_is_found_whatever_it_is_called(here: Centre) -> None:
    names = ["Thôn 'Đông'", 'Xóm "Tây"', "[1]", "\\", "ấ"]
    made = {(await here.area(name)).name for name in names}
    async with here.database.reading() as session:

        async def found(condition: Any) -> set[str]:
            return set(await session.scalars(select(Area.name).where(condition)))

        wanted = [*names[:4], *(f"nobody {number}" for number in range(40_000))]
        assert await found(among(Area.name, wanted)) == set(names[:4])
        assert await found(among(Area.name, [])) == set()
        assert await found(~among(Area.name, wanted)) == made - set(names[:4])


async def test_who_works_at_the_only_root_sees_every_place_and_with_another_root_does_not(here: Centre) -> None:
    province = await here.area("Tỉnh", kind="province")
    commune = await here.area("Xã", province, kind="commune")

    async def seen(person_id: str) -> Sight:
        async with here.database.reading() as session:
            return await sight(session, Actor(person_id, "tests"))

    whole, part = await here.somebody("tinh", "operator", province), await here.somebody("hoa", "operator", commune)
    assert [(found.every, found.whole) for found in (await seen(whole.id), await seen(part.id))] == [
        (True, True),
        (False, False),
    ]
    await here.area("Tỉnh khác", kind="province")
    assert not (await seen(whole.id)).whole


async def test_plays_are_counted_alike_for_one_place_a_province_and_all(here: Centre) -> None:
    province = await here.area("Tỉnh", kind="province")
    east, west = [await here.area(name, province, kind="commune") for name in ("Xã Đông", "Xã Tây")]
    nodes = [await here.node(east, f"Cụm {number}") for number in range(3)]
    nodes += [await here.node(west, f"Cụm {number}") for number in range(2)]
    wired = await here.services.nodes.create(here.actor, kind=NodeKind.WIRED, area_id=east.id, name="Loa dây")
    run = await _sent(here, province)
    missed = {"outcome": Outcome.MISSED, "reason": Reason.NO_FILE}
    played = {"state": PlayState.PLAYING, "outcome": Outcome.PLAYED, "grade": 1}
    for at, said in ((0, missed), (1, played), (3, played | {"simulated": True}), (4, {"state": PlayState.CACHED})):
        await _became(here, run, nodes[at].id, said)
    await _became(here, run, wired.id, {"state": PlayState.PLANNED})  # as the third of the east

    async def counted(actor: Actor) -> tuple[Any, ...]:
        found = await here.services.broadcasts.get(actor, run.id)
        return found.node_count, found.unreporting_count, found.counts, found.grades, found.ready_count

    everywhere = {"missed": 1, "played": 2, "planned": 1, "cached": 1}
    there = [
        await here.somebody(name, "operator", area) for name, area in (("tinh", province), ("hoa", east), ("tay", west))
    ]
    of_all, of_province, of_east, of_west = [
        await counted(actor) for actor in (here.actor, *(Actor(person.id, "tests") for person in there))
    ]
    assert of_all == of_province == (5, 1, everywhere, {"e1": 1, "e1_simulated": 1}, 3)
    assert of_east == (3, 1, {"missed": 1, "played": 1, "planned": 1}, {"e1": 1}, 1)
    assert of_west == (2, 0, {"played": 1, "cached": 1}, {"e1_simulated": 1}, 2)


async def test_of_each_result_the_first_are_named_and_all_are_counted(here: Centre) -> None:
    commune = await here.area("Xã", kind="commune")
    other = await here.area("Xã bên", kind="commune")
    nodes = [await here.node(commune, f"Cụm {number}") for number in range(5)]
    await here.node(other)
    run = await _sent(here, commune, other)
    for node in nodes[:4]:
        await _became(here, run, node.id, {"outcome": Outcome.PLAYED, "state": PlayState.PLAYING})
    hoa = await here.somebody("hoa", "operator", commune)
    found = await here.services.broadcasts.play_groups(Actor(hoa.id, "tests"), run.id, most=2)
    assert found.counts == {"played": 4, "planned": 1}
    assert [play.node_name for play in found.first] == ["Cụm 0", "Cụm 1", "Cụm 4"]
    elsewhere = await here.somebody("tay", "operator", other)
    assert (await here.services.broadcasts.play_groups(Actor(elsewhere.id, "tests"), run.id, most=2)).counts == {
        "planned": 1
    }


async def test_places_are_shown_as_they_are_now_however_often_they_were_asked_for(here: Centre) -> None:
    province = await here.area("Tỉnh", kind="province")
    commune = await here.area("Xã", province, kind="commune")
    hoa = await here.somebody("hoa", "operator", commune)

    async def shown(actor: Actor) -> list[tuple[str, int, bool]]:
        return [(each.name, each.node_count, each.in_sight) for each in await here.services.areas.tree(actor)]

    hers = Actor(hoa.id, "tests")
    assert await shown(here.actor) == [("Tỉnh", 0, True), ("Xã", 0, True)]
    await here.node(commune)
    await here.node(province)
    assert await shown(hers) == [("Tỉnh", 1, False), ("Xã", 1, True)]
    assert await shown(here.actor) == [("Tỉnh", 2, True), ("Xã", 1, True)]
    await here.services.areas.change(here.actor, commune.id, name="Phường")
    assert [name for name, *_ in await shown(here.actor)] == [name for name, *_ in await shown(hers)]


async def test_a_part_of_the_tree_names_and_orders_as_the_whole_does(here: Centre) -> None:
    province = await here.area("Tỉnh", kind="province", zone="Asia/Bangkok")
    ten, two = [await here.area(name, province, kind="commune") for name in ("Xã 10", "Xã 2")]
    await here.area("Xã 3", province, kind="commune")
    hamlet = await here.area("Thôn", ten)
    async with here.database.reading() as session:
        whole, part = await read_tree(session), await read_branches(session, [hamlet.id, two.id])
    wanted = [province.id, two.id, ten.id, hamlet.id]
    assert [place.id for place in part.walk()] == wanted == [each.id for each in whole.walk() if each.id in wanted]
    assert part.path(hamlet.id) == whole.path(hamlet.id)
    assert part.effective(hamlet.id) == whole.effective(hamlet.id)


async def test_a_node_under_two_scopes_is_reached_once_and_a_removed_one_not_at_all(here: Centre) -> None:
    commune = await here.area("Xã", kind="commune")
    one, alone = await here.node(commune), await here.node(await here.area("Xã bên", kind="commune"))
    gone = await here.node(commune)
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Node).where(Node.id == gone.id).values(removed_at=here.clock()))
    scopes = [commune.scope, *(f"nodes/{node.id}" for node in (one, alone, gone))]
    async with here.database.reading() as session:
        found = await standing_in(session, await read_tree(session), scopes)
    assert [each.id for each in found] == sorted([one.id, alone.id])


async def _sent(here: Centre, *areas: AreaOut) -> BroadcastOut:
    wanted = BroadcastIn(title="Tin", targets=tuple(each.scope for each in areas), recordings=(await here.recording(),))
    return await here.services.broadcasts.create(here.actor, wanted)


async def _became(here: Centre, run: BroadcastOut, node_id: str, said: dict[str, Any]) -> None:
    async with here.database.transaction() as tx:
        await tx.session.execute(
            update(Play).where(Play.broadcast_id == run.id, Play.node_id == node_id).values(**said)
        )
