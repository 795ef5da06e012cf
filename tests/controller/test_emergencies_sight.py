"""Emergencies of several communes: who sees of them what, and who is named for the second yes (promise P9)."""

from controller.emergencies.schemas import EmergencyIn, EmergencyOut
from controller.paging import Wanted
from controller.people.actor import Actor
from controller.people.rights import Role
from tests.controller.factories import Centre
from tests.controller.test_emergencies import acting, message
from tests.controller.test_sight import Province, person, province


async def propose(here: Centre, place: Province, who: Actor, *scopes: str) -> EmergencyOut:
    flood = await message(here, place.area)
    wanted = EmergencyIn.model_validate({"message_id": flood, "targets": scopes})
    return await here.services.emergencies.propose(who, wanted)


async def test_a_commune_reads_no_names_of_another_ones_places(lite: Centre) -> None:
    place = await province(lite)
    leader = await person(lite, Role.APPROVER, place.area)
    made = await propose(lite, place, place.operator, place.east.area.scope, place.west.node.scope)
    await lite.services.emergencies.confirm(leader, made.id)
    service = lite.services.emergencies

    async def targets(who: Actor) -> list[set[str]]:
        listed, paged = await service.list(who), await service.find(who, Wanted())
        rows = [*listed, *paged.rows, await service.get(who, made.id)]
        return [{target.scope for target in row.targets} for row in rows]

    both = {place.east.area.scope, place.west.node.scope}
    assert await targets(place.operator) == [both] * 3
    assert await targets(place.east.operator) == [{place.east.area.scope}] * 3
    assert await targets(place.west.operator) == [{place.west.node.scope}] * 3


async def test_a_place_above_ones_own_is_named(lite: Centre) -> None:
    place = await province(lite)
    leader = await person(lite, Role.APPROVER, place.area)
    made = await propose(lite, place, place.operator, place.area.scope)
    await lite.services.emergencies.confirm(leader, made.id)
    seen = await lite.services.emergencies.get(place.east.operator, made.id)
    assert [target.name for target in seen.targets] == ["Tỉnh"]


async def test_only_who_sees_it_is_named_for_the_second_yes(lite: Centre) -> None:
    """Who leads both communes may confirm there, but an emergency of both is the province's before it is sent."""
    place = await province(lite)
    both = await person(lite, Role.APPROVER, place.east.area, place.west.area)
    above = acting(await lite.somebody("above", Role.APPROVER, place.area))
    made = await propose(lite, place, place.operator, place.east.area.scope, place.west.area.scope)
    named = {each.person_id for each in (await lite.services.emergencies.get(place.operator, made.id)).seconds}
    assert above.person_id in named
    assert both.person_id not in named
    for person_id in named:
        assert (await lite.services.emergencies.get(Actor(person_id, "test"), made.id)).id == made.id
