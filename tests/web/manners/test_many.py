"""Lists: each is read, shown and kept up to date by the same few lines; what leads to which of them is written here."""

import pkgutil
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

import web.pages
from controller.broadcasts.schemas import BroadcastOut
from tests.web.harness import Commune, visitor
from tests.web.pages import in_need_of_a_yes, said
from web.listing import begun
from web.pages.many import Many

MODULES = [import_module(f"web.pages.{each.name}") for each in pkgutil.iter_modules(web.pages.__path__)]
LISTS: list[Many[Any]] = [each for module in MODULES for each in vars(module).values() if isinstance(each, Many)]
WANTED = {
    "/activity": "audit",
    "/alarms": "alarm",
    "/approvals/all-requests": "approval",
    "/broadcasts/{broadcast_id}/plays": "play broadcast hold* node* approval*",
    "/bulletins": "bulletin",
    "/calendars": "schedule area",
    "/emergencies": "emergency",
    "/faults": "fault node",
    "/history": "broadcast play schedule approval",
    "/messages": "message recording area",
    "/nodes": "node fault hold",
    "/nodes/{node_id}/plays": "play node broadcast* approval*",
    "/people": "person area",
    "/places": "area node",
    "/programmes": "programme",
    "/recordings": "recording",
    "/schedules/all": "schedule approval programme",
    "/updates": "rollout",
    "/updates/releases": "rollout",
}
"""Which topics lead to which list."""


def test_each_list_says_what_brings_it_up_to_date() -> None:
    assert {each.path: each.live.topics for each in LISTS} == WANTED


@pytest.fixture
async def run(site: Commune) -> BroadcastOut:
    return await site.broadcast("Mất nước", start_at=site.centre.clock(), confirm_unusual=True)


async def test_the_part_of_a_page_that_is_kept_up_to_date_is_the_one_that_is_sent_again(
    site: Commune, run: BroadcastOut
) -> None:
    """Asked for as its page asks: of the same words, order and rows, under the same id."""
    node_id = site.nodes["Cổng chợ Trại"].id
    async with visitor(site) as client:
        for each in LISTS:
            path, key = each.path.format(broadcast_id=run.id, node_id=node_id), ""
            if "{" in each.path:
                key = f' data-key="{path.split("/")[2]}"'
            live = f'id="{each.live.part}" data-live="{each.live.topics}"{key} data-tick="{each.live.tick}"'
            page = (await client.get(path)).text
            if live in page or path != "/emergencies":  # without any, that page has no list
                assert live in page, path
                assert f'hx-get="{path}/live"' in page, path
            again = await client.get(f"{path}/live?q=khong+co+gi&p=2")
            assert again.status_code == 200, path
            assert live in again.text, path
            assert f'hx-get="{path}/live?q=khong+co+gi&amp;p=2"' in again.text, path
            assert "<html" not in again.text, path


async def test_what_others_do_stands_in_the_part_that_is_sent_again(site: Commune, run: BroadcastOut) -> None:
    services, actor = site.centre.services, site.centre.actor
    node = site.nodes["Cổng chợ Trại"]
    plays = f"/nodes/{node.id}/plays/live"
    async with visitor(site) as client:

        async def shows(path: str) -> str:
            return said(await client.get(path))

        assert "Lê Thị Hòa" not in await shows("/people/live")
        assert "Xóm Mới" not in await shows("/places/live?q=xom+moi")
        assert "Đang phát" not in await shows(plays)
        assert "Chưa có bản tin" in await shows("/messages/lacking")
        made = await services.people.add(
            actor, login="hoa", name="Lê Thị Hòa", password="một mật khẩu dài", role="operator", area_id=site.root.id
        )
        await services.areas.create(actor, name="Xóm Mới", kind="hamlet", parent_id=site.root.id)
        for kind in ("alert", "all_clear", "false_alarm", "drill"):
            typed = {"kind": kind, "title": f"Lũ quét {kind}", "area_id": site.root.id, "text-vi": "Bà con chú ý."}
            assert (await client.post("/messages/new", data=typed)).status_code == 303
        await site.played(run, "Cổng chợ Trại")
        assert "Lê Thị Hòa" in await shows("/people/live")
        assert "Xóm Mới" in await shows("/places/live?q=xom+moi")
        assert "Thêm tài khoản · hoa" in await shows("/activity/live?kind=people")
        assert f'id="row-{made.id}"' in (await client.get("/people/live")).text, "known by its id"
        assert "Thiết bị đã phát" in await shows(plays)
        assert "Lũ quét drill" in await shows("/messages/live")
        assert "Chưa có bản tin" not in await shows("/messages/lacking")


async def test_what_a_request_meets_is_read_anew_while_its_page_is_open(site: Commune) -> None:
    hoa, wanted = await in_need_of_a_yes(site)
    made = await site.centre.services.schedules.create(hoa, wanted)
    assert made.approval is not None
    path, title = f"/approvals/{made.approval.id}", "Tiếp sóng đài tỉnh"
    async with visitor(site) as client:
        page = (await client.get(path)).text
        topics = "approval schedule* broadcast* programme* emergency*"
        assert f'id="airs" data-live="{topics}" data-key="{made.approval.id}"' in page
        assert f'hx-get="{path}/airs"' in page
        assert title not in said(await client.get(f"{path}/airs"))
        there = made.next_at or site.centre.clock() + timedelta(days=1)
        await site.broadcast(title, length_ms=600_000, start_at=there, confirm_unusual=True, confirm_conflicts=True)
        meets = await client.get(f"{path}/airs")
        assert title in said(meets)
        assert "<button" not in meets.text, "acts stay where they are"
        assert title in said(await client.get("/approvals")).partition("DUYỆT CHO PHÁT")[0]


async def refused() -> AsyncIterator[int]:
    async for number in counted(0):
        yield number
    raise PermissionError


async def counted(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_what_may_not_be_read_is_refused_before_a_table_begins() -> None:
    with pytest.raises(PermissionError):
        await begun(refused())
    for count in range(3):
        assert [each async for each in await begun(counted(count))] == list(range(count))
