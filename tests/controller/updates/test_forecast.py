"""What a rollout would do, said before it begins: the same that it then does."""

import pytest

from controller.errors import ForbiddenError, InvalidError
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.updates.errors import RolloutError
from controller.updates.schemas import ForecastOut, RolloutIn
from tests.controller.factories import ADDRESS, Centre

from .shop import Shop, able, packed


async def foreseen(here: Centre, *targets: str, number: int = 7, **given: object) -> ForecastOut:
    wanted = RolloutIn.model_validate({"release": number, "targets": targets} | given)
    return await here.services.rollouts.preview(here.actor, wanted)


async def test_a_forecast_counts_who_gets_it_who_has_it_and_who_cannot(here: Centre) -> None:
    shop, area = Shop(here), await here.area()
    there, older, newest = [await here.node(area, name) for name in ("Một", "Ba", "Bốn")]
    away = await here.node(area, "Hai", online=False)
    await here.services.nodes.create(here.actor, area_id=area.id, name="Có dây", kind=NodeKind.WIRED)
    await shop.add()
    for node in (there, newest):
        shop.hears(node.id, running=7 if node is newest else 0)
    here.services.live.note(away.id, abilities=able())
    here.services.live.note(older.id, abilities={"commands": ["restart"]})
    found = await foreseen(here, area.scope)
    assert (found.version, found.total, found.already, found.reporting_nothing) == ("0.7.0", 3, 1, 1)
    assert (found.away, found.unable) == (1, 1)
    assert {each.node_name: each.able for each in found.nodes} == {"Một": True, "Hai": True, "Ba": False}
    begun = await shop.start(area.scope)
    assert {each.node_id for each in begun.nodes if each.state == "planned"} == {each.node_id for each in found.nodes}
    assert (begun.total, begun.unable) == (found.total, found.unable)


async def test_abilities_of_a_former_life_of_the_centre_count(lite: Centre) -> None:
    """Nobody was heard since the start: rows say who takes updates."""
    shop, area = Shop(lite), await lite.area()
    node = await lite.node(area)
    await shop.add()
    async with lite.database.transaction() as tx:
        row = await tx.session.get_one(Node, node.id)
        row.abilities = able("amd64")
    assert (await foreseen(lite, node.scope)).unable == 1
    await shop.add(bundle=packed("amd64"), board="amd64")
    assert (await foreseen(lite, node.scope)).unable == 0


@pytest.mark.parametrize(
    ("count", "waves", "told"),
    [(1, ("1", "5%", "25%", "100%"), (1, 1, 1, 1)), (5, ("1", "50%", "100%"), (1, 3, 5)), (3, ("100%",), (3,))],
)
async def test_a_forecast_says_how_many_are_told_in_each_wave(
    lite: Centre, count: int, waves: tuple[str, ...], told: tuple[int, ...]
) -> None:
    shop, area = Shop(lite), await lite.area()
    for number in range(count):
        await lite.node(area, f"Cụm {number}")
    await shop.add()
    assert (await foreseen(lite, area.scope, waves=waves)).told == told


async def test_a_forecast_is_refused_as_its_rollout_would_be_and_begins_nothing(lite: Centre) -> None:
    shop, area = Shop(lite), await lite.area()
    node = await lite.node(area)
    with pytest.raises(InvalidError) as refused:
        await foreseen(lite, area.scope)
    assert refused.value.fields["field"] == "release"
    await shop.add()
    with pytest.raises(InvalidError) as refused:
        await foreseen(lite, area.scope, waves=("1",))
    assert refused.value.fields["field"] == "waves"
    technician = Actor((await lite.somebody("tu.ky", Role.TECHNICIAN, area)).id, ADDRESS)
    with pytest.raises(ForbiddenError):
        await lite.services.rollouts.preview(technician, RolloutIn(release=7, targets=(area.scope,)))
    assert (await foreseen(lite, area.scope)).total == 1
    assert await lite.services.rollouts.list(lite.actor) == []
    await shop.start(area.scope)
    with pytest.raises(RolloutError):
        await foreseen(lite, node.scope)
    shop.hears(node.id, running=7)
    with pytest.raises(InvalidError) as refused:
        await foreseen(lite, node.scope)
    assert refused.value.fields["problem"] == "none_needs"
