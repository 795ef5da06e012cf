"""With what an emergency is ended: one ready message that somebody chose, never any of several."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from controller.emergencies.rules import FOLLOWS_WITHIN
from controller.emergencies.schemas import FollowIn
from controller.emergencies.states import EmergencyState, MessageKind
from controller.errors import ConflictError, InvalidError
from controller.people.proof import Agreed, Loosened, Proof
from controller.plays.models import Play
from edge_agent.protocol.states import Drill, Outcome
from tests.controller.factories import Centre
from tests.controller.test_emergencies import message, propose, send, village, wire

CLEAR, FALSE = MessageKind.ALL_CLEAR, MessageKind.FALSE_ALARM


class Believing:
    """A signer that stands apart, and believes every code."""

    async def approve(self, person_id: str, code: str, agreed: Agreed | Loosened) -> None:
        assert person_id, (code, agreed)


async def test_each_ready_message_is_offered_with_all_that_it_says(lite: Centre) -> None:
    place = await village(lite)
    await lite.services.areas.change(lite.actor, place["west"].id, languages=["hmn", "vi"])
    storm = await message(lite, place["area"], CLEAR, vi="Hết bão", hmn="Dhau lawm", tyz="Không ai hỏi tiếng này")
    below = await message(lite, place["west"], CLEAR, vi="Hết lũ ở Tây")
    sent = await send(lite, place)
    found = await lite.services.emergencies.get(place["operator"], sent.id)
    assert found.endings is not None
    assert [(each.message_id, each.kind) for each in found.endings if each.kind == FALSE] == [(place["false"], FALSE)]
    offered = {each.message_id: [sound.title for sound in each.sounds] for each in found.endings if each.kind == CLEAR}
    assert offered == {place["clear"]: ["Hết lũ"], storm: ["Hết bão", "Dhau lawm"]}, "of a hamlet it says too little"
    assert below not in offered
    over = await lite.services.emergencies.follow(place["operator"], sent.id, CLEAR, FollowIn(message_id=storm))
    said = [sound for each in found.endings if each.message_id == storm for sound in each.sounds]
    played = {voice.sha256 for item in (await wire(lite, over.broadcast_id)).items for voice in item.voices}
    signal = (await lite.services.recordings.get(lite.actor, place["signal"])).media_url
    assert {f"/media/{sha256}.opus" for sha256 in played} == {signal, *(sound.media_url for sound in said)}
    assert {sound.times for sound in said} == {FollowIn().repeats}


@pytest.mark.parametrize("kind", [CLEAR, FALSE])
async def test_of_several_none_is_taken_at_random(lite: Centre, kind: MessageKind) -> None:
    place = await village(lite)
    other = await message(lite, place["area"], kind, vi="Hết bão")
    sent = await send(lite, place)
    with pytest.raises(InvalidError) as refused:
        await lite.services.emergencies.follow(place["operator"], sent.id, kind, FollowIn())
    assert (refused.value.fields["field"], refused.value.fields["problem"]) == ("message_id", "several")
    over = await lite.services.emergencies.follow(place["operator"], sent.id, kind, FollowIn(message_id=other))
    assert over.message_id == other


async def test_without_a_word_the_nearest_is_said_if_it_is_one_alone(lite: Centre) -> None:
    place = await village(lite)
    near = await message(lite, place["west"], CLEAR, vi="Hết lũ ở Tây")
    await message(lite, place["area"], CLEAR, vi="Hết bão")
    sent = await send(lite, place, targets=[place["west"].scope])
    found = await lite.services.emergencies.get(place["operator"], sent.id)
    assert found.endings is not None
    assert next(each.message_id for each in found.endings if each.kind == CLEAR) == near
    over = await lite.services.emergencies.follow(place["operator"], sent.id, CLEAR, FollowIn())
    assert over.message_id == near


@pytest.mark.parametrize("drill", [None, Drill.SILENT])
async def test_an_end_is_offered_as_long_as_it_can_be_said(lite: Centre, drill: Drill | None) -> None:
    """Also when the alert has long sounded: a flood is over some hours after its warning."""
    place = await village(lite)
    made = await propose(lite, place, drill=drill)
    emergencies = lite.services.emergencies
    assert (await emergencies.get(place["operator"], made.id)).endings is None
    sent = await emergencies.confirm(place["leader"], made.id)
    lite.clock.step(hours=5)
    await lite.services.firing.do_due()
    found = await emergencies.get(place["operator"], sent.id)
    assert (found.state, len(found.endings or ())) == (EmergencyState.ENDED, 2)
    over = await emergencies.follow(place["operator"], sent.id, CLEAR, FollowIn())
    for ended in (sent.id, over.id):
        assert (await emergencies.get(place["operator"], ended)).endings is None
    other = await send(lite, place, drill=drill, again=True)
    lite.clock.step(seconds=(FOLLOWS_WITHIN + timedelta(seconds=1)).total_seconds())
    assert (await emergencies.get(place["operator"], other.id)).endings is None


async def test_an_end_is_offered_to_who_may_say_it_alone(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    watcher = await lite.somebody("watcher", "observer", place["area"])
    hamlet = await lite.somebody("hamlet", "operator", place["west"])
    for person in (watcher, hamlet):
        from_there = type(place["operator"])(person.id, place["operator"].origin)
        assert (await lite.services.emergencies.get(from_there, sent.id)).endings is None
    for row in await lite.services.messages.list(lite.actor):
        await lite.services.messages.archive(lite.actor, row.id)
    assert (await lite.services.emergencies.get(place["operator"], sent.id)).endings == ()


@pytest.mark.parametrize("fate", ["taken back", "given up"])
async def test_an_end_that_was_taken_back_or_given_up_is_offered_again(lite: Centre, fate: str) -> None:
    """Where the signer stands apart, an end counts down first: nobody heard it until then."""
    place, emergencies = await village(lite), lite.services.emergencies
    sent = await send(lite, place)
    operator = replace(place["operator"], proof=Proof(Believing(), "123456"))
    over = await emergencies.follow(operator, sent.id, CLEAR, FollowIn())
    assert over.state == EmergencyState.COUNTING_DOWN
    assert (await emergencies.get(operator, sent.id)).endings is None
    with pytest.raises(ConflictError):
        await emergencies.follow(operator, sent.id, CLEAR, FollowIn())
    if fate == "given up":
        lite.clock.step(minutes=30)
        await lite.services.firing.do_due()
    else:
        await emergencies.cancel(operator, over.id)
    assert (await emergencies.get(operator, over.id)).state == EmergencyState.CANCELLED
    assert {each.kind for each in (await emergencies.get(operator, sent.id)).endings or ()} == {CLEAR, FALSE}
    again = await emergencies.follow(operator, sent.id, CLEAR, FollowIn())
    lite.clock.step(seconds=32)
    await lite.services.firing.do_due()
    assert (await emergencies.get(operator, again.id)).state == EmergencyState.SENT
    with pytest.raises(ConflictError):
        await emergencies.follow(operator, sent.id, CLEAR, FollowIn())


async def test_an_end_that_was_cancelled_under_a_stop_can_be_said_again(here: Centre) -> None:
    place, emergencies = await village(here), here.services.emergencies
    operator = place["operator"]
    sent = await send(here, place)
    await here.services.holds.order(here.actor, [place["area"].scope])
    over = await emergencies.follow(operator, sent.id, CLEAR, FollowIn())
    assert (await emergencies.get(operator, sent.id)).endings is None
    await here.services.broadcasts.cancel(operator, over.broadcast_id or "")
    await here.services.firing.do_due()
    found = await emergencies.get(operator, sent.id)
    assert {each.kind for each in found.endings or ()} == {CLEAR, FALSE}
    assert found.not_followed == ()
    again = await emergencies.follow(operator, sent.id, CLEAR, FollowIn())
    assert again.state == EmergencyState.SENT
    assert (await emergencies.get(operator, sent.id)).endings is None


async def test_an_end_of_what_nobody_heard_is_not_offered(here: Centre) -> None:
    place, emergencies = await village(here), here.services.emergencies
    operator = place["operator"]
    sent = await send(here, place)
    await here.services.broadcasts.cancel(operator, sent.broadcast_id or "")
    assert (await emergencies.get(operator, sent.id)).endings, "no node said yet that it kept silent"
    of_it = update(Play).where(Play.broadcast_id == sent.broadcast_id)
    async with here.database.transaction() as tx:
        await tx.session.execute(of_it.values(outcome=Outcome.CANCELLED))
    assert (await emergencies.get(operator, sent.id)).endings is None
    async with here.database.transaction() as tx:
        await tx.session.execute(of_it.values(outcome=Outcome.INTERRUPTED))
    assert (await emergencies.get(operator, sent.id)).endings
