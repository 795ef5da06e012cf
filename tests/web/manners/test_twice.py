"""A press without an answer is pressed again: the same step by the same person is no failure."""

import re

import httpx

from controller.broadcasts.schemas import BroadcastIn
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import hear, said
from tests.web.test_emergency_pages import message, propose, typed


async def twice(client: httpx.AsyncClient, path: str, **data: str) -> str:
    """Press it twice; gives where the second press leads, which says of no act that it was done or was not."""
    answers = [await client.post(path, data=data) for _ in range(2)]
    assert [each.status_code for each in answers] == [303, 303], data
    assert "?done=un" not in answers[1].headers["location"]
    return answers[1].headers["location"].partition("?")[0]


async def test_each_step_of_an_emergency(site: Commune) -> None:
    ready = await message(site)
    await message(site, "all_clear", "Hết lũ")
    nam, hai = [await site.centre.somebody(name, "approver", site.root) for name in ("nam", "hai")]
    async with visitor(site) as first, visitor(site, who=nam) as second, visitor(site, who=hai) as third:
        path = await propose(first, typed(site, ready))
        assert await twice(second, path, act="confirm") == path
        mine = said(await second.get(path))
        assert "Bạn đã xác nhận, 17:03." in mine
        assert "Đã có người xác nhận" not in mine
        assert "Bạn đã xác nhận, 17:03." in said(await second.get("/emergencies/waiting"))
        late = await third.post(path, data={"act": "confirm"})
        assert late.status_code == 422
        assert "Đã có người xác nhận: nam, 17:03." in said(late)
        follow = await twice(first, path, act="all_clear")
        assert "Hết lũ" in said(await first.get(follow))
        path = await propose(first, typed(site, ready, again="yes"))
        assert await twice(first, path, act="break_glass", reason_code="cut_off") == path
        assert await twice(first, path, act="cancel") == path
    found = await site.centre.services.emergencies.list(site.centre.actor)
    assert sorted(str(each.state) for each in found) == ["cancelled", "ended", "sent"]


async def asked(site: Commune, author: str) -> str:
    """Have somebody ask for a yes; gives the address of the request."""
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    wanted = {"title": "Họp", "recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    made = await site.centre.services.broadcasts.create(Actor(author, ADDRESS), BroadcastIn.checked(**wanted))
    assert made.approval is not None
    return f"/approvals/{made.approval.id} {recording}"


async def test_each_decision_of_a_request(site: Commune) -> None:
    hoa, nam = [await site.centre.somebody(*who, site.root) for who in (("hoa", "operator"), ("nam", "approver"))]
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    async with visitor(site, who=hoa) as author, visitor(site, who=nam) as leader:
        path, recording = (await asked(site, hoa.id)).split()
        await hear(site, leader, recording)
        assert await twice(leader, path, act="approve") == path
        assert (await leader.post(path, data={"act": "return", "reason": "sai"})).status_code == 422
        path, _ = (await asked(site, hoa.id)).split()
        assert await twice(leader, path, act="return", reason="sai giờ") == path
        path, _ = (await asked(site, hoa.id)).split()
        assert await twice(author, path, act="withdraw") == path


async def test_a_broadcast_a_hold_and_an_alarm(site: Commune) -> None:
    run = await site.broadcast("Họp thôn")
    [hold] = await site.centre.services.holds.order(site.centre.actor, [site.hamlets["Thôn Trại"].scope])
    async with visitor(site) as client:
        assert await twice(client, f"/broadcasts/{run.id}/cancel") == f"/broadcasts/{run.id}"
        assert await twice(client, f"/holds/{hold.id}/release", next="/stop") == "/stop"
        path = await propose(client, typed(site, await message(site)))
        await client.post(path, data={"act": "break_glass", "reason_code": "cut_off"})
        [seen] = re.findall(r'action="(/alarms/\w+/acknowledgement)"', (await client.get("/alarms")).text)
        assert await twice(client, seen) == "/alarms"
