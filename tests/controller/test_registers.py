"""What the registers of the console ask for: what was aired, who did what, who works where, and whom one calls."""

from datetime import timedelta

import pytest

from controller.areas.schemas import AreaOut
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.errors import ForbiddenError, InvalidError, NotFoundError
from controller.paging import Wanted
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.plays import service as plays
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason
from tests.controller.factories import ADDRESS, PASSWORD, SYSTEM, Centre, play_event


async def somebody(here: Centre, role: Role, area: AreaOut | None, login: str) -> Actor:
    name, area_id = f"Nguyễn Thị {login.title()}", area.id if area else None
    made = await here.services.people.add(SYSTEM, login=login, name=name, password=PASSWORD, role=role, area_id=area_id)
    return Actor(made.id, ADDRESS)


async def said(here: Centre, title: str, area: AreaOut, **given: object) -> BroadcastOut:
    recording = await here.recording(title, area_id=area.id)
    wanted = BroadcastIn.checked(title=title, recordings=[recording], targets=[area.scope], **given)
    return await here.services.broadcasts.create(here.actor, wanted)


async def ended(here: Centre, run: BroadcastOut, node_id: str, outcome: Outcome) -> None:
    told: dict[str, object] = {"outcome": outcome}
    if outcome is Outcome.PLAYED:
        told |= {"grade": Grade.E2, "requested_ms": run.length_ms, "played_ms": run.length_ms, "underruns": 0}
    else:
        told["reason"] = Reason.CLOCK_UNTRUSTED
    async with here.database.transaction() as tx:
        for event in ({"state": PlayState.PLAYING, "item": 0, "start_error_ms": 0.4}, told):
            if event is told or outcome is Outcome.PLAYED:
                await plays.apply(tx, node_id, play_event(run.id, 1, here.clock(), **event), here.clock())


async def test_what_was_aired_is_found_by_words_day_and_result(lite: Centre) -> None:
    east, west = await lite.area("Xã Đông", kind="commune"), await lite.area("Xã Đoài", kind="commune")
    nodes = {area.id: await lite.node(area, f"Cụm {area.name}") for area in (east, west)}
    heard = await said(lite, "Cắt nước", east)
    await ended(lite, heard, nodes[east.id].id, Outcome.PLAYED)
    lite.clock.step(seconds=3600)
    silent = await said(lite, "Tiêm phòng", west)
    lite.clock.step(seconds=5)
    await ended(lite, silent, nodes[west.id].id, Outcome.MISSED)
    later = await said(lite, "Ngày mai", west, start_at=lite.clock() + timedelta(hours=3))
    await lite.services.broadcasts.cancel(lite.actor, later.id)
    find = lite.services.history.find

    async def titles(**having: str) -> list[str]:
        q = having.pop("q", "")
        rows = (await find(lite.actor, Wanted(q=q, sort="start", down=True, having=having))).rows
        return [each.title for each in rows]

    assert await titles() == ["Tiêm phòng", "Cắt nước"]
    assert await titles(q="cat nuoc") == ["Cắt nước"]
    assert await titles(result="missed") == ["Tiêm phòng"]
    assert await titles(result="whole") == ["Cắt nước"]
    assert await titles(area=east.id) == ["Cắt nước"]
    assert await titles(**{"from": (lite.clock() - timedelta(minutes=5)).isoformat()}) == ["Tiêm phòng"]
    assert await titles(until=(lite.clock() + timedelta(days=1)).isoformat(), result="cancelled") == ["Ngày mai"]
    eastern = await somebody(lite, Role.OBSERVER, east, "hoa")
    assert [each.title for each in (await find(eastern, Wanted())).rows] == ["Cắt nước"]
    for wrong in ({"result": "x"}, {"kind": "x"}, {"from": "hôm qua"}, {"until": "2031-11-24"}):
        with pytest.raises(InvalidError):
            await find(eastern, Wanted(having=wrong))
    with pytest.raises(NotFoundError):
        await find(eastern, Wanted(having={"area": west.id}))


async def test_what_one_did_is_found_by_person_kind_and_day_and_taking_it_along_is_written_down(lite: Centre) -> None:
    commune = await lite.area("Xã Nga My", kind="commune")
    leader = await somebody(lite, Role.APPROVER, commune, "lanh")
    operator = await somebody(lite, Role.OPERATOR, commune, "hoa")
    await lite.services.holds.order(operator, [commune.scope])
    audit = lite.services.audit

    async def actions(**having: str) -> list[str]:
        return [each.action for each in (await audit.find(leader, Wanted(down=True, having=having))).rows]

    assert await actions(person=operator.person_id or "") == ["holds.order"]
    assert set(await actions(kind="people")) == {"people.add"}
    assert await actions(kind="hold") == []
    assert await actions(until="2020-01-01T00:00:00+07:00") == []
    found = await audit.find(leader, Wanted(q="nguyen hoa"))
    assert [each.person_name for each in found.rows] == ["Nguyễn Thị Hoa"]
    assert [each.action for each in await audit.list(leader, wanted=Wanted(having={"action": "holds.order"}))] == [
        "holds.order"
    ]
    assert {name for _, name in await audit.people(leader)} >= {"Nguyễn Thị Hoa", "Nguyễn Thị Lanh"}
    await audit.taken(leader, "audit", found.total)
    taken = (await audit.find(leader, Wanted(having={"kind": "exports"}))).rows[0]
    assert (taken.subject, taken.detail) == ("exports/audit", {"rows": 1})
    for refused in (audit.find(operator, Wanted()), audit.people(operator), audit.taken(operator, "audit", 0)):
        with pytest.raises(ForbiddenError):
            await refused


async def test_accounts_are_found_by_role_place_state_and_words_without_accents(lite: Centre) -> None:
    commune = await lite.area("Xã Nga My", kind="commune")
    operator = await somebody(lite, Role.OPERATOR, commune, "hoa")
    closed = await somebody(lite, Role.HELPER, commune, "bac.tu")
    await lite.services.accounts.change(lite.actor, closed.person_id or "", disabled=True)

    async def logins(q: str = "", **having: str) -> list[str]:
        found = await lite.services.accounts.find(lite.actor, Wanted(q=q, sort="login", having=having))
        return [each.login for each in found.rows]

    assert await logins() == ["bac.tu", "hoa", "lan"]
    assert await logins("nguyen thi hoa") == ["hoa"]
    assert await logins(role="operator") == ["hoa"]
    assert await logins(area=commune.id, state="closed") == ["bac.tu"]
    assert await logins(state="without_phone") == ["hoa", "lan"]
    with pytest.raises(ForbiddenError):
        await lite.services.accounts.find(operator, Wanted())


async def test_a_telephone_number_is_kept_plainly_and_stands_in_no_audit(lite: Centre) -> None:
    commune = await lite.area("Xã Nga My", kind="commune")
    operator = await somebody(lite, Role.OPERATOR, commune, "hoa")
    accounts = lite.services.accounts
    assert (await accounts.set_phone(operator, " 0912.345-678 ")).phone == "0912 345 678"
    assert (await accounts.change(lite.actor, operator.person_id or "", phone="+84 (24) 3825")).phone == "+84 24 3825"
    for wrong in ("gọi Hoa", "12", "0912345678; DROP", "1" * 16, "+", "٠٩١٢٣"):
        with pytest.raises(InvalidError):
            await accounts.set_phone(operator, wrong)
    assert (await accounts.set_phone(operator, "")).phone is None
    entries = (await lite.services.audit.find(lite.actor, Wanted(having={"kind": "people"}))).rows
    assert "345" not in str([each.detail for each in entries])
    assert {each.action for each in entries} >= {"people.set_phone", "people.change"}
