"""Reasons on buttons, who is to be called for the second yes, where it would be on a map, and the list of all."""

import pytest
from sqlalchemy import select, update

from controller.audit.models import AuditEntry
from controller.emergencies.models import Emergency
from controller.emergencies.schemas import BreakGlassIn
from controller.emergencies.states import GlassReason
from controller.errors import InvalidError
from controller.nodes.models import Node
from controller.paging import Wanted
from controller.people.models import Person
from controller.people.rights import Role
from edge_agent.protocol.states import Drill
from tests.controller.factories import Centre
from tests.controller.test_emergencies import acting, propose, send, village, wish


async def test_a_reason_on_a_button_needs_no_words_and_is_kept_as_its_code(here: Centre) -> None:
    place = await village(here)
    made = await propose(here, place)
    why = BreakGlassIn(reason_code=GlassReason.NOBODY_REACHED)
    alone = await here.services.emergencies.break_glass(place["operator"], made.id, why)
    assert (alone.reason_code, alone.break_glass_reason) == (GlassReason.NOBODY_REACHED, None)
    [alarm] = await here.services.alarms.list(here.actor)
    assert alarm.detail["reason_code"] == "nobody_reached"
    async with here.database.reading() as session:
        row = await session.get_one(Emergency, made.id)
        assert row.break_glass_reason, "the signer apart signs nothing that has no reason"
        detail = await session.scalar(select(AuditEntry.detail).where(AuditEntry.action == "emergencies.break_glass"))
    assert detail is not None
    assert detail["reason_code"] == "nobody_reached"


async def test_words_beside_a_button_are_kept_too(lite: Centre) -> None:
    place = await village(lite)
    made = await propose(lite, place)
    why = BreakGlassIn(reason_code=GlassReason.CUT_OFF, reason="Mất sóng cả xã")
    alone = await lite.services.emergencies.break_glass(place["operator"], made.id, why)
    assert (alone.reason_code, alone.break_glass_reason) == (GlassReason.CUT_OFF, "Mất sóng cả xã")


@pytest.mark.parametrize("reason_code", [None, GlassReason.OTHER])
async def test_another_reason_takes_words(lite: Centre, reason_code: GlassReason | None) -> None:
    place = await village(lite)
    made = await propose(lite, place)
    with pytest.raises(InvalidError):
        await lite.services.emergencies.break_glass(place["operator"], made.id, BreakGlassIn(reason_code=reason_code))


async def test_who_may_confirm_is_named_to_who_has_to_call_and_to_nobody_else(here: Centre) -> None:
    place = await village(here)
    observer = acting(await here.somebody("observer", Role.OBSERVER, place["area"]))
    await here.somebody("elsewhere", Role.APPROVER, place["east"])  # a part of the place: not enough
    gone = await here.somebody("gone", Role.APPROVER, place["area"])
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Person).where(Person.login == "leader").values(phone="0912 345 678"))
        await tx.session.execute(update(Person).where(Person.id == gone.id).values(disabled_at=here.clock()))
    made = await propose(here, place)
    found = await here.services.emergencies.get(place["operator"], made.id)
    assert next((each.name, each.phone) for each in found.seconds) == ("leader", "0912 345 678")
    assert "elsewhere" not in {each.name for each in found.seconds}
    assert "gone" not in {each.name for each in found.seconds}
    assert place["operator"].person_id not in {each.person_id for each in found.seconds}
    assert (await here.services.emergencies.get(observer, made.id)).seconds == ()
    await here.services.emergencies.confirm(place["leader"], made.id)
    assert (await here.services.emergencies.get(place["operator"], made.id)).seconds == ()


async def test_a_preview_says_where_nodes_stand_whose_position_is_known(lite: Centre) -> None:
    place = await village(lite)
    async with lite.database.transaction() as tx:
        node = (await tx.session.scalars(select(Node).limit(1))).one()
        node.latitude, node.longitude = 21.5, 105.9
    [spot] = (await lite.services.emergencies.preview(place["operator"], wish(place))).spots
    assert (spot.node_id, spot.latitude, spot.longitude, spot.heard_from) == (node.id, 21.5, 105.9, True)


async def test_all_of_them_are_found_by_words_and_drills_apart(here: Centre) -> None:
    place = await village(here)
    real = await send(here, place)
    drill = await propose(here, place, drill=Drill.SILENT)
    emergencies = here.services.emergencies
    assert {row.id for row in (await emergencies.find(here.actor, Wanted("lu quet"))).rows} == {real.id, drill.id}
    assert (await emergencies.find(here.actor, Wanted("cháy"))).total == 0
    [only] = (await emergencies.find(here.actor, Wanted(having={"drill": "real"}))).rows
    assert only.id == real.id
    [waits] = (await emergencies.find(here.actor, Wanted("quét", having={"state": "proposed"}))).rows
    assert waits.id == drill.id
    elsewhere = await here.area("Xã Khác", kind="commune")
    stranger = acting(await here.somebody("stranger", Role.APPROVER, elsewhere))
    assert (await emergencies.find(stranger, Wanted())).total == 0
