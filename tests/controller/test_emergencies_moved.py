"""Whoever heard an alert hears its end, wherever its node stands by now; else those who look after it are told."""

from typing import Any

from sqlalchemy import select

from controller.alarms.schemas import AlarmOut
from controller.areas.schemas import AreaOut
from controller.emergencies.schemas import EmergencyOut, FollowIn
from controller.emergencies.states import MessageKind
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.plays.models import Play
from edge_agent.protocol.states import Drill, Outcome, Reason
from tests.controller.factories import Centre, made_once
from tests.controller.test_emergencies import acting, message, send, village
from tests.controller.test_moves import move
from tests.controller.test_services_broadcasts import tell


async def end(here: Centre, who: Actor, alert: EmergencyOut, kind: MessageKind = MessageKind.ALL_CLEAR) -> EmergencyOut:
    return await here.services.emergencies.follow(who, alert.id, kind, FollowIn())


async def sent_to(here: Centre, made: EmergencyOut) -> set[str]:
    async with here.database.reading() as session:
        return set(await session.scalars(select(Play.node_id).where(Play.broadcast_id == made.broadcast_id)))


async def not_followed(here: Centre, who: Actor, made: EmergencyOut) -> list[str]:
    return [node.name for node in (await here.services.emergencies.get(who, made.id)).not_followed]


@made_once
async def apart(here: Centre) -> dict[str, Any]:
    """A village in a province, with another commune beside it that looks after itself."""
    place = await village(here)
    place["province"] = await here.area("Tỉnh", kind="province")
    await move(here, place["province"], place["area"])
    place["other"] = await here.area("Xã khác", place["province"], kind="commune")
    for key in ("province", "other"):
        place[f"{key}_admin"] = acting(await here.somebody(f"admin.{key}", Role.ADMINISTRATOR, place[key]))
    return place


async def taken(here: Centre, place: dict[str, Any], into: AreaOut) -> str:
    node_id: str = place["first"].id
    await move(here, into, nodes=(node_id,))
    return node_id


async def told(here: Centre, who: Actor) -> list[AlarmOut]:
    return [each for each in await here.services.alarms.list(who) if each.kind == "emergencies.not_followed"]


async def test_a_node_that_moved_within_the_commune_hears_the_end_in_the_words_of_where_it_was(here: Centre) -> None:
    place = await village(here)
    own = await message(here, place["east"], MessageKind.ALL_CLEAR, vi="Xóm Đông hết lũ")
    alert = await send(here, place, targets=[place["east"].scope], drill=Drill.MARKED)
    node_id = await taken(here, place, place["west"])
    over = await end(here, place["operator"], alert)
    assert await sent_to(here, over) == {node_id}, "the hamlet has no node left, and its neighbour heard no alert"
    assert over.message_id == own
    assert {target.scope for target in over.targets} == {place["east"].scope, f"nodes/{node_id}"}
    assert await not_followed(here, place["operator"], alert) == []


async def test_of_a_node_that_moved_to_another_commune_those_there_and_above_are_told(here: Centre) -> None:
    place = await apart(here)
    admin = acting(await here.somebody("admin.xa", Role.ADMINISTRATOR, place["area"]))
    alert = await send(here, place)
    node_id = await taken(here, place, place["other"])
    assert await not_followed(here, place["operator"], alert) == [], "nobody ended it yet"
    over = await end(here, place["operator"], alert)
    assert await sent_to(here, over) == {place["second"].id}
    assert await not_followed(here, place["operator"], alert) == ["Cụm Đông"]
    assert await not_followed(here, place["operator"], over) == ["Cụm Đông"]
    for who in (place["other_admin"], place["province_admin"]):
        (alarm,) = await told(here, who)
        assert (alarm.area_id, alarm.subject) == (place["other"].id, f"emergencies/{alert.id}")
        assert (alarm.detail["nodes"], alarm.detail["title"]) == ("Cụm Đông", alert.title)
    assert await told(here, admin) == []
    assert await not_followed(here, place["other_admin"], alert) == ["Cụm Đông"], "what the alarm is about"
    corrected = await end(here, place["province_admin"], alert, MessageKind.FALSE_ALARM)
    assert await sent_to(here, corrected) == {node_id, place["second"].id}
    assert await not_followed(here, place["operator"], alert) == []


async def test_by_its_own_word_a_node_that_missed_the_alert_is_left_alone(lite: Centre) -> None:
    place = await apart(lite)
    alert = await send(lite, place)
    assert alert.broadcast_id is not None
    node_id = await taken(lite, place, place["other"])
    await tell(lite, node_id, alert.broadcast_id, outcome=Outcome.MISSED, reason=Reason.OFF)
    over = await end(lite, place["operator"], alert)
    assert await not_followed(lite, place["operator"], over) == []
    assert await told(lite, place["other_admin"]) == []


async def test_who_sees_a_part_of_an_alert_learns_of_no_node_elsewhere(lite: Centre) -> None:
    place = await apart(lite)
    operator = acting(await lite.somebody("operator.east", Role.OPERATOR, place["east"]))
    observer = acting(await lite.somebody("observer.west", Role.OBSERVER, place["west"]))
    alert = await send(lite, place, targets=[place["east"].scope])
    await taken(lite, place, place["other"])
    await lite.node(place["east"], "Cụm mới")
    await end(lite, operator, alert)
    assert await not_followed(lite, operator, alert) == ["Cụm Đông"]
    whole = await send(lite, place, again=True)
    await move(lite, place["other"], nodes=(place["second"].id,))
    await lite.node(place["west"], "Cụm khác")
    await end(lite, place["operator"], whole)
    assert await not_followed(lite, place["operator"], whole) == ["Cụm Tây"]
    assert await not_followed(lite, observer, whole) == []


async def test_an_alert_to_a_place_that_was_removed_since_is_still_ended_for_all(lite: Centre) -> None:
    place = await village(lite)
    alert = await send(lite, place, targets=[place["east"].scope, place["west"].scope])
    await taken(lite, place, place["west"])
    lite.clock.step(hours=3)
    await lite.services.firing.do_due()
    await lite.services.removals.remove(lite.actor, place["east"].id)
    shown = await lite.services.emergencies.get(place["operator"], alert.id)
    assert MessageKind.ALL_CLEAR in {each.kind for each in shown.endings or ()}
    over = await end(lite, place["operator"], alert)
    assert await sent_to(lite, over) == {place["first"].id, place["second"].id}
