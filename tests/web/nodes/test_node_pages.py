"""Lists of nodes and faults, the map, a node over time, its settings: each with what is empty, wrong, forbidden."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from controller.faults.keeping import FaultKeeper
from controller.nodes.rules import NodeStatus
from controller.nodes.schemas import PositionIn
from controller.people.models import Person
from controller.tiles import Tiles
from edge_agent.protocol.reports import ClockReport, Health
from edge_agent.protocol.states import ClockState
from tests.controller.test_tiles import mbtiles
from tests.sounds import png
from tests.web.harness import Commune, pages, visitor
from tests.web.pages import HOSTILE, said
from web.pages import node_map

NAME = "Đầu làng Trại"


async def lose(site: Commune, name: str) -> None:
    """Let a node be lost, with its fault in the book; the others speak."""
    site.centre.clock.step(minutes=10)
    for other, node in site.nodes.items():
        if other != name:
            site.centre.hears(node.id)
    keeper = FaultKeeper(site.centre.database, site.centre.clock)
    keeper.note_status(site.nodes[name].id, NodeStatus.OFFLINE)
    await keeper.look()


async def helper(site: Commune, area: str, phone: str | None) -> None:
    person = await site.centre.somebody("bactu", "helper", site.hamlets[area])
    async with site.centre.database.transaction() as tx:
        row = await tx.session.get_one(Person, person.id)
        row.name, row.phone = "Bác Tư", phone


async def test_the_list_is_found_narrowed_sorted_and_taken_along(site: Commune) -> None:
    await lose(site, NAME)
    async with visitor(site) as client:
        page = (await client.get("/nodes")).text
        assert page.index(NAME) < page.index("Cổng chợ Trại")
        assert "3/4 cụm đang kết nối" in page
        found = (await client.get("/nodes", params={"q": "dau lang", "state": "offline"})).text
        assert (NAME in found, "Cổng chợ Trại" in found) == (True, False)
        assert 'hx-get="/nodes/live?q=dau+lang&amp;state=offline"' in found
        none = (await client.get("/nodes/live", params={"q": "khong co"})).text
        assert "Cổng chợ Trại" not in none
        odd = await client.get("/nodes", params={"sort": "-pwned", "p": "x", "fault": HOSTILE[0], "area": HOSTILE[1]})
        assert (odd.status_code, HOSTILE[0] in odd.text) == (200, False)
        table = await client.get("/nodes.csv", params={"state": "offline"})
    lines = table.text.removeprefix("\ufeff").splitlines()
    assert lines[0].startswith("Tên cụm;Địa bàn;Tình trạng")
    assert [line.split(";")[0] for line in lines[1:]] == [NAME]


async def test_open_faults_are_listed_with_whom_to_call_and_acknowledged_there(site: Commune) -> None:
    async with visitor(site) as client:
        assert "Hiện không có sự cố nào" in (await client.get("/faults")).text
        await helper(site, "Thôn Trại", "0912 345 678")
        await lose(site, NAME)
        page = (await client.get("/faults")).text
        assert NAME in page
        assert 'href="tel:0912345678"' in page
        path = page.partition('action="/faults/')[2].partition('"')[0]
        listed = (await client.get("/faults", params={"q": "dau lang", "sort": "since", "done": "x"})).text
        assert 'name="next" value="/faults?q=dau+lang&amp;sort=since"' in listed
        strange = await client.post(f"/faults/{path}", data={"next": "//example.org/faults"})
        assert strange.headers["location"] == f"/nodes/{site.nodes[NAME].id}?done=acknowledged"
        done = await client.post(f"/faults/{path}", data={"next": "/faults?q=dau+lang&sort=since&done=x"})
        assert done.headers["location"] == "/faults?q=dau+lang&sort=since&done="
        assert (await client.post(f"/faults/{path}", data={"next": "/faults"})).headers["location"] == "/faults?done="
        assert "Đã tiếp nhận" in (await client.get("/faults")).text
        assert NAME not in (await client.get("/faults/live", params={"state": "new"})).text
        assert NAME in (await client.get("/faults.csv")).text
    observer = await site.centre.somebody("quan", "observer", site.root)
    async with visitor(site, who=observer) as client:
        assert "/acknowledgement" not in (await client.get("/faults")).text


async def test_a_nodes_page_says_whom_to_call_or_why_nobody_can_be_called(site: Commune) -> None:
    node = site.nodes[NAME]
    async with visitor(site) as client:
        assert "Chưa có người phụ trách nơi này" in (await client.get(f"/nodes/{node.id}")).text
        await helper(site, "Thôn Trại", None)
        assert "chưa có số điện thoại" in (await client.get(f"/nodes/{node.id}/live")).text
    async with site.centre.database.transaction() as tx:
        await tx.session.execute(update(Person).where(Person.login == "bactu").values(phone="0912 345 678"))
    async with visitor(site) as client:
        page = await client.get(f"/nodes/{node.id}/live")
        assert 'href="tel:0912345678"' in page.text
        assert "Bác Tư" in said(page)


async def test_settings_wait_for_the_node_and_a_position_is_taken_and_refused(site: Commune) -> None:
    node = site.nodes[NAME]
    path = f"/nodes/{node.id}/settings"
    async with visitor(site) as client:
        assert 'value="0" checked' in (await client.get(path)).text
        typed = {"name": "Đầu làng Trại mới", "volume": "-600", "trim": "0"}
        assert (await client.post(path, data=typed)).headers["location"] == f"{path}?done=settings"
        assert "đang chờ cụm xác nhận" in (await client.get(f"{path}/live")).text
        assert "đang chờ cụm xác nhận" in (await client.get(f"/nodes/{node.id}")).text
        empty = await client.post(path, data=typed | {"name": ""})
        assert (empty.status_code, 'id="wrong-name"' in empty.text) == (422, True)
        place = f"/nodes/{node.id}/position"
        wrong = await client.post(place, data={"latitude": "nan", "longitude": "105,8", "accuracy": ""})
        assert (wrong.status_code, "Vĩ độ là số từ" in wrong.text, 'value="105,8"' in wrong.text) == (422, True, True)
        unsure = await client.post(place, data={"latitude": "21", "longitude": "105,8", "accuracy": "400"})
        assert (unsure.status_code, "sai quá 100 m" in unsure.text) == (422, True)
        taken = await client.post(place, data={"latitude": "21,0278", "longitude": "105,8342", "accuracy": "12"})
        assert taken.headers["location"] == f"{path}?done=position"
        assert "sai số khoảng 12 m" in (await client.get(path)).text
    found = await site.centre.services.nodes.get(site.centre.actor, node.id)
    assert (found.name, found.volume_mb, found.position and found.position.latitude) == (
        "Đầu làng Trại mới",
        -600,
        21.0278,
    )
    operator = await site.centre.somebody("hoa", "operator", site.root)
    async with visitor(site, who=operator) as client:
        assert (await client.get(path)).status_code == 403
        assert (await client.post(path, data=typed)).status_code == 403
        assert path not in (await client.get(f"/nodes/{node.id}")).text


async def test_the_map_says_who_has_no_place_yet_and_gives_the_rest_as_data(site: Commune) -> None:
    async with visitor(site) as client:
        assert "4 cụm chưa có vị trí" in (await client.get("/nodes/map")).text
        node = site.nodes[NAME]
        here = PositionIn(latitude=21.0, longitude=105.8)
        await site.centre.services.nodes.change(site.centre.actor, node.id, name=HOSTILE[0], position=here)
        page = await client.get("/nodes/map")
        assert (HOSTILE[0] in page.text, "&lt;script&gt;" in page.text) == (False, True)
        data = await client.get("/nodes/map.json")
        drawn = json.loads(data.text)
        assert drawn == {"marks": [["on", "good", "Đang kết nối"]], "spots": [[node.id, HOSTILE[0], 21.0, 105.8, 0]]}
        again = await client.get("/nodes/map.json", headers={"If-None-Match": data.headers["etag"]})
        assert again.status_code == 304
        site.centre.clock.step(minutes=5)
        lost = await client.get("/nodes/map.json", headers={"If-None-Match": data.headers["etag"]})
        assert "Mất kết nối" in lost.text


async def test_a_node_over_time_is_told_in_words_and_its_gaps_are_left_open(site: Commune) -> None:
    node, health = site.nodes[NAME], site.centre.services.node_health
    async with visitor(site) as client:
        assert "Chưa có số liệu" in (await client.get(f"/nodes/{node.id}/health")).text
        for _ in range(2):
            for _ in range(10):
                report = Health(
                    sent_at=site.centre.clock(),
                    uptime_ms=1,
                    clock=ClockReport(state=ClockState.TRUSTED, offset_ms=3.0),
                    temperature_c=48.6,
                    store_id="0" * 32,
                    last_seq=0,
                    acked_seq=0,
                )
                health.note_health(node.id, report)
                site.centre.clock.step(minutes=1)
            site.centre.clock.step(hours=2)
        page = (await client.get(f"/nodes/{node.id}/health")).text
        assert "Lúc nóng nhất 49 °C" in page
        assert "Nhận cụm 17:03; từ đó có tin trong 8% thời gian." in page, "20 minutes of four hours and 20 minutes"
        assert page.count('data-value="48.6"') >= 2
        assert page.count('data-value=""') > 100
        assert not [word for word in (" AM", " PM") if word in page]
        for days in ("7", "30", "x"):
            assert (await client.get(f"/nodes/{node.id}/health", params={"days": days})).status_code == 200
        assert (await client.get("/nodes/nobody/health")).status_code == 404


async def test_the_plays_of_a_node_are_listed_and_what_sounds_is_heard_from_its_place(site: Commune) -> None:
    node = site.nodes[NAME]
    async with visitor(site) as client:
        assert "chưa có lần phát nào" in (await client.get(f"/nodes/{node.id}/plays")).text
        run = await site.broadcast("Mất nước", length_ms=120_000)
        site.centre.clock.step(seconds=2)
        now = site.centre.clock()
        playing = {"broadcast_id": run.id, "item": 0, "started_at": (now - timedelta(seconds=65)).isoformat()}
        site.centre.hears(node.id, now_playing=playing | {"ends_at": (now + timedelta(minutes=1)).isoformat()})
        assert f'href="/nodes/{node.id}/now"' in (await client.get(f"/nodes/{node.id}/live")).text
        listen = await client.get(f"/nodes/{node.id}/now")
        assert ("không phải tiếng thu tại cụm" in listen.text, ".opus#t=65.0" in listen.text) == (True, True)
        assert "1:05 trong 2:00" in said(listen)
        site.centre.hears(node.id)
        assert "không báo đang phát" in (await client.get(f"/nodes/{node.id}/now")).text
        await site.played(run, NAME)
        assert "Thiết bị đã phát" in (await client.get(f"/nodes/{node.id}/plays", params={"result": "played"})).text
        assert "Mất nước" not in (await client.get(f"/nodes/{node.id}/plays", params={"result": "failed"})).text
        assert "Mất nước" in (await client.get(f"/nodes/{node.id}/plays.csv")).text


async def test_a_restart_is_offered_to_who_may_where_the_node_can(site: Commune) -> None:
    sent = asyncio.Queue[str]()

    async def send(scope: str, fields: dict[str, object]) -> None:
        sent.put_nowait(f"{scope} {fields['action']}")

    site.centre.services.node_acts.send = send
    node = site.nodes[NAME]
    async with visitor(site) as client:
        assert "/restart" not in (await client.get(f"/nodes/{node.id}")).text
        site.centre.services.live.note(node.id, abilities={"commands": ["restart"], "best_grade": 1})
        site.centre.hears(node.id)
        assert f'action="/nodes/{node.id}/restart"' in (await client.get(f"/nodes/{node.id}")).text
        assert (await client.post(f"/nodes/{node.id}/restart")).headers["location"].endswith("?done=asked")
    assert sent.get_nowait() == f"nodes/{node.id} restart"


async def test_of_many_nodes_the_map_lists_the_first_and_leads_to_the_others(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_map, "LISTED", 3)
    for node in site.nodes.values():
        place = PositionIn(latitude=21.0, longitude=105.8)
        await site.centre.services.nodes.change(site.centre.actor, node.id, position=place)
    await lose(site, NAME)
    async with visitor(site) as client:
        page = (await client.get("/nodes/map")).text
        assert re.findall(r'id="spot-([^"]+)"', page)[0] == site.nodes[NAME].id, "what asks for a hand stands first"
        assert page.count('id="spot-') == 3
        assert "Xem danh sách cả 4 cụm" in page
        assert "Mất kết nối" in (await client.get("/nodes/map/live")).text


async def test_the_ground_below_the_map_comes_from_our_own_file_or_is_left_out(site: Commune, tmp_path: Path) -> None:
    node, picture = site.nodes[NAME], png(256, 256)
    place = PositionIn(latitude=21.0, longitude=105.8)
    await site.centre.services.nodes.change(site.centre.actor, node.id, position=place)
    async with visitor(site) as client, visitor(site, signed_in=False) as stranger:
        assert "data-tiles" not in (await client.get("/nodes/map")).text
        assert (await client.get("/tiles/0/0/0")).status_code == 204
        file = mbtiles(tmp_path / "x.mbtiles", {(0, 0, 0): picture}, {"maxzoom": "9", "attribution": "<b>© ai đó</b>"})
        pages(replace(site.centre.services, tiles=Tiles(file)))
        page = (await client.get("/nodes/map")).text
        assert ('data-most="9"' in page, "© ai đó" in page) == (True, True)
        found = await client.get("/tiles/0/0/0")
        assert (found.content, found.headers["content-type"]) == (picture, "image/png")
        assert (await client.get("/tiles/1/5/0")).status_code == 204
        assert (await client.get("/tiles/x/0/0")).status_code in {404, 422}
        assert (await stranger.get("/tiles/0/0/0")).status_code == 303
