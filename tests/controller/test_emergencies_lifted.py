"""What a yes to an emergency lifts: said before it, where it is aimed alone, and never in a drill."""

import pytest

from controller.emergencies.states import EmergencyState
from controller.errors import InvalidError
from edge_agent.protocol.states import Drill
from tests.controller.factories import Centre
from tests.controller.test_emergencies import ALONE, propose, send, village, wish
from tests.controller.test_moves import move


async def held(here: Centre, scope: str) -> str:
    """Order silence somewhere; gives its id."""
    [hold] = await here.services.holds.order(here.actor, [scope])
    return hold.id


async def test_until_it_is_sent_everybody_sees_what_a_yes_lifts(here: Centre) -> None:
    place = await village(here)
    lifted, stays = await held(here, place["east"].scope), await held(here, place["west"].scope)
    made = await propose(here, place, release_holds=[lifted])
    for row in (made, await here.services.emergencies.get(place["leader"], made.id)):
        assert {hold.hold_id: hold.is_released for hold in row.holds} == {lifted: True, stays: False}
    await here.services.emergencies.break_glass(place["operator"], made.id, ALONE)
    counting = await here.services.emergencies.get(place["leader"], made.id)
    assert {hold.hold_id: hold.is_released for hold in counting.holds} == {lifted: True, stays: False}
    sent = await here.services.emergencies.confirm(place["leader"], made.id)
    assert [(hold.hold_id, hold.is_released) for hold in sent.holds] == [(stays, False)]
    again = await held(here, place["east"].scope)
    after = await here.services.emergencies.get(place["leader"], made.id)
    assert {hold.hold_id: hold.is_released for hold in after.holds} == {stays: False, again: False}


async def test_what_a_yes_lifts_is_seen_also_where_it_silences_nobody_any_more(lite: Centre) -> None:
    """Its only node was moved since: the yes lifts it all the same."""
    place = await village(lite)
    lifted = await held(lite, place["east"].scope)
    made = await propose(lite, place, targets=[place["first"].scope], release_holds=[lifted])
    await move(lite, place["west"], nodes=(place["first"].id,))
    seen = await lite.services.emergencies.get(place["leader"], made.id)
    assert [(hold.hold_id, hold.is_released, hold.node_count) for hold in seen.holds] == [(lifted, True, 0)]


async def test_silence_elsewhere_is_not_lifted_by_an_emergency(lite: Centre) -> None:
    place = await village(lite)
    elsewhere = await held(lite, place["west"].scope)
    with pytest.raises(InvalidError) as refused:
        await propose(lite, place, targets=[place["east"].scope], release_holds=[elsewhere])
    assert (refused.value.fields["field"], refused.value.fields["problem"]) == ("release_holds", "elsewhere")
    await lite.services.holds.release(lite.actor, elsewhere)  # meanwhile, by somebody else: then nothing is lifted
    made = await propose(lite, place, targets=[place["east"].scope], release_holds=[elsewhere])
    assert made.state is EmergencyState.PROPOSED


@pytest.mark.parametrize("drill", list(Drill))
async def test_a_drill_lifts_no_silence(lite: Centre, drill: Drill) -> None:
    place = await village(lite)
    hold = await held(lite, place["east"].scope)
    for refused in (
        lite.services.emergencies.preview(place["operator"], wish(place, drill=drill, release_holds=[hold])),
        propose(lite, place, drill=drill, release_holds=[hold]),
    ):
        with pytest.raises(InvalidError) as wrong:
            await refused
        assert (wrong.value.fields["field"], wrong.value.fields["problem"]) == ("release_holds", "drill")
    seen = await lite.services.emergencies.preview(place["operator"], wish(place, drill=drill))
    assert [node.name for node in seen.held] == ["Cụm Đông"]
    await send(lite, place, drill=drill)
    assert [each.id for each in await lite.services.holds.active(lite.actor)] == [hold]
