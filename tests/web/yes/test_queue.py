"""Chờ duyệt as a queue: the most urgent stands open, then the next one; reasons on buttons; the list of all."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.people.actor import Actor
from controller.people.schemas import PersonOut
from controller.policies.schemas import PolicyIn
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, commune, visitor
from tests.web.pages import hear, said


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Commune]:
    async with commune(tmp_path) as opened:
        rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
        await opened.centre.services.policies.put(opened.centre.actor, opened.root.id, rules)
        yield opened


async def ask(site: Commune, author: PersonOut, title: str, days: int, recording: str) -> BroadcastOut:
    at = site.centre.clock().replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=days)
    wanted = {"title": title, "recordings": [recording], "targets": [site.root.scope], "start_at": at}
    checked = BroadcastIn.checked(**wanted, confirm_conflicts=True)
    return await site.centre.services.broadcasts.create(Actor(author.id, ADDRESS), checked)


def opens(page: str) -> str:
    """The title of the request that stands open."""
    return "".join(re.findall(r'<h2 id="first"><a [^>]*>(.*?)</a></h2>', page))


async def test_the_first_stands_open_and_the_next_one_after_it(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    nam = await site.centre.somebody("nam", "approver", site.root)
    recording = await site.centre.recording("Họp thôn", area_id=site.root.id)
    await ask(site, hoa, "Sau cùng", 3, recording)
    await ask(site, hoa, "Trước hết", 1, recording)
    async with visitor(site, who=hoa) as author, visitor(site, who=nam) as leader:
        page = (await leader.get("/approvals")).text
        assert opens(page) == "Trước hết"
        assert f'data-listening="/api/v1/recordings/{recording}/listening"' in page
        assert "Còn 1 nội dung chờ duyệt" in page
        [path] = re.findall(r'action="(/approvals/[\w-]+)"', page)[:1]
        shown = path.rpartition("/")[2]
        assert "Trước hết" not in (await leader.get(f"/approvals/live?open={shown}")).text, "it is not told twice"
        own = (await author.get("/approvals")).text
        assert "Bạn đề nghị, đang chờ người khác duyệt" in own
        assert "DUYỆT CHO PHÁT" not in own
        await hear(site, leader, recording)
        assert (await leader.post(path, data={"act": "approve"})).headers["location"] == "/approvals?done=approved"
        assert opens((await leader.get("/approvals")).text) == "Sau cùng"
        decided = (await leader.get(f"{path}/live")).text
        assert 'href="/approvals"' in decided
        assert "DUYỆT CHO PHÁT" not in decided


async def test_a_reason_is_a_button_and_reaches_the_author_in_words(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    run = await ask(site, hoa, "Họp", 1, await site.centre.recording("Họp", area_id=site.root.id))
    assert run.approval is not None
    async with visitor(site) as leader, visitor(site, who=hoa) as author:
        page = (await leader.get("/approvals")).text
        assert page.count('name="reason_code"') == 5
        path = f"/approvals/{run.approval.id}"
        silent = await leader.post(path, data={"act": "return", "reason": " "})
        assert silent.status_code == 422
        assert "Chưa có lý do" in said(silent)
        assert 'id="return" open' in silent.text, "the reasons that it asks for are in sight"
        await leader.post(path, data={"act": "return", "reason_code": "place"})
        assert "Lý do trả lại: Sai nơi phát" in said(await author.get(f"/broadcasts/{run.id}"))
        assert "Không có gì chờ bạn duyệt." in (await leader.get("/approvals")).text


async def test_all_requests_are_listed_narrowed_and_taken_along(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    recording = await site.centre.recording("Họp", area_id=site.root.id)
    await ask(site, hoa, "=Họp thôn", 2, recording)
    run = await ask(site, hoa, "Tiêm chủng", 1, recording)
    assert run.approval is not None
    async with visitor(site) as leader, visitor(site, who=hoa) as author:
        await leader.post(f"/approvals/{run.approval.id}", data={"act": "return", "reason": "Sai ngày"})
        assert "Tiêm chủng" in said(
            await leader.get("/approvals/all-requests?q=tiem+chung&state=returned&sort=-start&p=1")
        )
        assert "=Họp thôn" not in said(await leader.get("/approvals/all-requests?q=tiem"))
        assert (await leader.get("/approvals/all-requests?state=nothing&sort=bad&p=999")).status_code == 200
        table = (await author.get("/approvals/all-requests.csv")).text
    assert "'=Họp thôn" in table
    assert "Sai ngày" in table


async def test_a_list_of_all_requests_that_never_had_one_says_so(site: Commune) -> None:
    async with visitor(site) as client:
        nothing = said(await client.get("/approvals/all-requests"))
        assert "Chưa có đề nghị duyệt nào của bạn hoặc gửi tới bạn." in nothing
        narrowed = said(await client.get("/approvals/all-requests?state=returned"))
        assert "Hãy bỏ bớt bộ lọc" in narrowed
        assert "Chưa có đề nghị duyệt nào của bạn hoặc gửi tới bạn." not in narrowed
