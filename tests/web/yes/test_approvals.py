"""Chờ duyệt over HTTP: who heard it says yes, and what is returned says why."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import httpx

from controller.broadcasts.schemas import BroadcastIn
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from tests.controller.factories import ADDRESS, SYSTEM
from tests.web.harness import Commune, visitor
from tests.web.pages import hear, said


def opened(page: httpx.Response) -> str:
    """The address of the request that stands open on a page."""
    found = re.search(r'action="(/approvals/[\w-]+)"', page.text)
    assert found is not None
    return found[1]


async def test_what_waits_for_a_yes_is_approved_only_by_who_heard_it(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    nam = await site.centre.somebody("nam", "approver", site.root)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    typed = {"recording": recording, "title": "Họp thôn", "target": [site.root.scope], "when": "later"}
    async with visitor(site, who=hoa) as author, visitor(site, who=nam) as leader:
        sent = await author.post("/say", data=typed | {"day": "2031-11-25", "hour": "9:00", "confirm_unusual": "yes"})
        assert "Chờ duyệt" in (await author.get(sent.headers["location"])).text
        path = opened(await leader.get("/approvals"))
        assert "1 nội dung chờ bạn duyệt" in (await leader.get("/today")).text
        page = await leader.get(path)
        assert "Bạn cần nghe hết phần mới" in page.text
        assert f'data-listening="/api/v1/recordings/{recording}/listening"' in page.text
        early = await leader.post(path, data={"act": "approve"})
        assert early.status_code == 422
        assert (await hear(site, leader, recording))["whole"]
        assert "Đã nghe hết" in (await leader.get(f"{path}/live")).text
        approved = await leader.post(path, data={"act": "approve"})
        assert approved.headers["location"] == "/approvals?done=approved"
        assert "Đang gửi xuống cụm" in (await author.get(sent.headers["location"])).text


async def test_a_leader_sees_what_was_approved_alone_by_whoever_is_called_the_same(site: Commune) -> None:
    """Names come more than once in a commune; only one's own is for somebody else to look at."""
    author = await site.centre.somebody("hung", "operator", site.root, name="Nguyễn Văn Hùng")
    leader = await site.centre.somebody("hung.ct", "approver", site.root, name="Nguyễn Văn Hùng")
    alone = {"categories": ["water"], "minutes": 1, "a_day": 5}
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}], "self_approval": alone}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    recording = await site.centre.recording("Mất nước", area_id=site.root.id)
    wanted = {"recordings": [recording], "targets": [site.root.scope], "category": "water"}
    for who, title, hours in ((author, "Mất nước", 1), (leader, "Có nước lại", 2)):
        at = site.centre.clock() + timedelta(hours=hours)
        said_alone = BroadcastIn.checked(**wanted, title=title, start_at=at)
        await site.centre.services.broadcasts.create(Actor(who.id, ADDRESS), said_alone)
    async with visitor(site, who=leader) as client:
        page = (await client.get("/approvals")).text
        [tick] = re.findall(r'action="(/approvals/by-authors/[\w-]+)"', page)
        assert 'Đã xem</span><span class="unseen"> Mất nước<' in page
        assert (await client.post(tick, data={})).headers["location"] == "/approvals?done=seen"
        assert "/approvals/by-authors/" not in (await client.get("/approvals")).text


async def test_who_decided_it_is_known_by_more_than_the_name(site: Commune) -> None:
    """Who presses twice is led to what stands; who comes second, called the same, is told that it was decided."""
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    leaders = [
        await site.centre.somebody(login, "approver", site.root, name="Nguyễn Văn Hùng") for login in ("hung", "hung2")
    ]
    at = site.centre.clock() + timedelta(hours=1)
    recording = await site.centre.recording("Họp", area_id=site.root.id)
    wanted = {"title": "Họp", "recordings": [recording], "targets": [site.root.scope]}
    await site.centre.services.broadcasts.create(Actor(hoa.id, ADDRESS), BroadcastIn.checked(**wanted, start_at=at))
    async with visitor(site, who=leaders[0]) as first, visitor(site, who=leaders[1]) as second:
        path, no = opened(await first.get("/approvals")), {"act": "return", "reason_code": "words"}
        for _ in range(2):
            assert (await first.post(path, data=no)).status_code == 303
        assert (await second.post(path, data=no)).status_code == 422


async def test_no_node_is_said_to_be_slow_to_take_what_nobody_said_yes_to(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    wanted = {"title": "Họp", "recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    run = await site.centre.services.broadcasts.create(Actor(hoa.id, ADDRESS), BroadcastIn.checked(**wanted))
    site.centre.clock.step(seconds=2)
    node = next(iter(site.nodes.values()))
    pages = (f"/broadcasts/{run.id}", f"/broadcasts/{run.id}/plays", f"/nodes/{node.id}", f"/nodes/{node.id}/plays")
    async with visitor(site) as client:
        for path in (*pages, f"/broadcasts/{run.id}/plays.csv", f"/nodes/{node.id}/plays.csv"):
            page = (await client.get(path)).text
            assert ("Chưa được duyệt" in page, "Chờ cụm nhận" in page) == (True, False), path


async def test_whoever_approves_a_machines_recording_reads_its_words_beside_the_player(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    nam = await site.centre.somebody("nam", "approver", site.root)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    words = 'Họp lúc 19h.</blockquote><script>alert(1)</script>"\nMang theo sổ.'
    given: dict[str, Any] = {"area_id": site.root.id, "origin": "machine", "voice": "espeak-ng vi", "words": words}
    read = await site.centre.recording("Họp thôn", **given)
    wanted = {"title": "Họp", "recordings": [read], "targets": [site.root.scope], "confirm_unusual": True}
    await site.centre.services.broadcasts.create(Actor(hoa.id, ADDRESS), BroadcastIn.checked(**wanted))
    async with visitor(site, who=nam) as leader:
        queue = await leader.get("/approvals")
        pages = [queue.text, (await leader.get(opened(queue))).text]
    for page in pages:
        above = page.partition('value="approve"')[0].partition(f"/recordings/{read}/listening")[2]
        assert "Giọng máy đọc, không phải người" in above
        [shown] = re.findall(r'<blockquote class="words">(.*?)</blockquote>', above, re.DOTALL)
        assert unescape(shown) == words
        assert "<script>alert" not in page


async def test_a_request_after_an_edit_says_what_was_and_what_is(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    broadcasts, author = site.centre.services.broadcasts, Actor(hoa.id, ADDRESS)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    at = site.centre.clock().replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=1)
    wanted = {"title": "Họp", "recordings": [recording], "targets": [site.root.scope], "confirm_unusual": True}
    run = await broadcasts.create(author, BroadcastIn.checked(**wanted, start_at=at))
    async with visitor(site) as leader:
        await hear(site, leader, recording)
        path = opened(await leader.get("/approvals"))
        assert "Thay đổi so với bản đã duyệt" not in (await leader.get(path)).text
        await leader.post(path, data={"act": "approve"})
        await broadcasts.change(author, run.id, BroadcastIn.checked(**wanted, start_at=at + timedelta(hours=1)))
        queue = await leader.get("/approvals")
        path = opened(queue)
        page = said(await leader.get(path))
    assert "18:00" in said(queue)
    assert re.search(r"Giờ phát trước: 17:00 .* → nay: 18:00", page.partition("Thay đổi so với bản đã duyệt")[2])


async def test_what_is_returned_says_why_on_its_broadcast(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.hamlets["Thôn Đồng"])
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(SYSTEM, site.root.id, rules)
    actor, services = Actor(hoa.id, ADDRESS), site.centre.services
    recording = await site.centre.recording("Họp thôn", area_id=site.hamlets["Thôn Đồng"].id)
    wanted = {"title": "Họp", "recordings": [recording], "targets": [site.hamlets["Thôn Đồng"].scope]}
    async with visitor(site) as leader, visitor(site, who=hoa) as author:
        run = await services.broadcasts.create(actor, BroadcastIn.checked(**wanted))
        assert run.approval is not None
        path = f"/approvals/{run.approval.id}"
        await leader.post(path, data={"act": "return", "reason": "Sai ngày"})
        assert "Lý do trả lại: Sai ngày" in (await author.get(f"/broadcasts/{run.id}")).text
        node = next(iter(site.nodes.values()))
        why = said(await author.get(f"/nodes/{node.id}/broadcasts/{run.id}/why"))
        assert "Vướng ở đây: Chưa được duyệt." in why
