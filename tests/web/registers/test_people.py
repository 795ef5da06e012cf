"""An account over HTTP: what taking a role, a session, a key does is said before it is done."""

import re
from datetime import timedelta

from controller.broadcasts.schemas import BroadcastIn
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.policies.schemas import PolicyIn, PolicyRules
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import said


async def test_taking_a_role_says_first_what_it_does_and_who_is_left(site: Commune) -> None:
    """A leader whose yes one broadcast waits for."""
    here, services = site.centre, site.centre.services
    rules = PolicyRules.model_validate({"second_person": [{"category": "*"}]})
    await services.policies.put(here.actor, site.root.id, PolicyIn(version=0, rules=rules))
    operator = await here.somebody("hoa", Role.OPERATOR, site.root)
    leader = await here.somebody("minh", Role.APPROVER, site.root)
    asked = {"title": "Lịch tiêm chủng", "recordings": [await here.recording("Tiêm chủng", area_id=site.root.id)]}
    later = here.clock() + timedelta(minutes=30)
    wanted = BroadcastIn.checked(**asked, targets=[site.root.scope], start_at=later, confirm_unusual=True)
    await services.broadcasts.create(Actor(operator.id, ADDRESS), wanted)
    path = f"/people/{leader.id}"
    async with visitor(site) as client:
        page = await client.get(path)
        words = said(page)
        assert "minh sẽ không duyệt và không xác nhận phát khẩn cấp được cho Xã Nga My nữa." in words
        assert "Ở đó không còn ai khác làm những việc này, trừ người quản trị." in words
        assert "1 yêu cầu đang chờ duyệt sẽ không còn ai duyệt, trừ người quản trị." in words
        assert "Đây là vai trò cuối cùng" in words
        assert "Đây là vai trò của chính bạn" not in words
        await here.somebody("mai", Role.APPROVER, site.root)
        words = said(await client.get(path))
        assert "Ở đó còn 1 người khác làm được những việc này." in words
        assert "đang chờ duyệt" not in words
        [grant] = re.findall(r'name="grant" value="(\w+)"', page.text)
        assert (await client.post(path, data={"act": "revoke", "grant": grant})).status_code == 303
        assert "Chưa có vai trò nào" in said(await client.get(path))
        assert "Đây là vai trò của chính bạn" in said(await client.get(f"/people/{here.person.id}"))


async def test_sessions_and_keys_of_somebody_are_ended_one_by_one(site: Commune) -> None:
    here, services = site.centre, site.centre.services
    person = await here.somebody("hoa", Role.OPERATOR, site.root)
    until = here.clock() + timedelta(days=30)
    await services.tokens.make(Actor(person.id, ADDRESS), name="Bảng tin", acts=(), expires_at=until)
    path = f"/people/{person.id}"
    async with visitor(site) as client, visitor(site, who=person) as theirs:
        page = await client.get(path)
        assert "Khóa đã thu hồi không dùng lại được" in said(page)
        assert "1 khóa cho máy khác của người này bị thu hồi" in said(page)
        [session] = re.findall(r'name="session" value="(\w+)"', page.text)
        [token] = re.findall(r'name="token" value="(\w+)"', page.text)
        assert (await theirs.get("/settings")).status_code == 200
        assert (await client.post(path, data={"act": "end", "session": session})).status_code == 303
        assert (await theirs.get("/settings")).status_code == 303
        assert (await client.post(path, data={"act": "revoke_key", "token": token})).status_code == 303
        assert 'name="token"' not in (await client.get(path)).text
        assert (await client.post(path, data={"act": "revoke_key", "token": token})).status_code == 422
        assert (await client.post(path, data={"act": "end", "session": session})).status_code == 404


async def test_who_looks_after_a_part_of_somebodys_work_sees_no_sessions_and_no_keys(site: Commune) -> None:
    here, services = site.centre, site.centre.services
    hamlet, other = site.hamlets["Thôn Đồng"], site.hamlets["Thôn Trại"]
    person = await here.somebody("hoa", Role.OPERATOR, hamlet)
    await services.accounts.grant(here.actor, person.id, role=Role.OPERATOR, area_id=other.id)
    until = here.clock() + timedelta(days=30)
    await services.tokens.make(Actor(person.id, ADDRESS), name="Bảng tin", acts=(), expires_at=until)
    keeper = await here.somebody("quan.tri", Role.ADMINISTRATOR, hamlet)
    async with visitor(site, who=person), visitor(site, who=keeper) as client:
        page = (await client.get(f"/people/{person.id}")).text
        assert 'name="session"' not in page
        assert "Bảng tin" not in page
        assert len(re.findall(r'name="grant"', page)) == 1, "of the other place nothing is taken here"
