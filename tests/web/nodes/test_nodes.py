"""Cụm loa over HTTP: adopting, a node in words, and what it is asked for."""

import gzip
from datetime import timedelta

import pytest
from sqlalchemy import update

from controller.broadcasts.schemas import BroadcastIn
from controller.nodes.models import NodeLog
from controller.nodes.rules import NodeKind
from edge_agent.protocol.calling import call_number
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.states import PlayState
from tests.controller.factories import ADDRESS, SYSTEM, enrolment_request
from tests.web.harness import Commune, visitor


def commands_of(site: Commune) -> list[str]:
    """Take note of what nodes are asked to do, instead of sending it."""
    sent: list[str] = []

    async def send(scope: str, fields: dict[str, object]) -> None:
        sent.append(f"{scope} {fields['action']}")

    site.centre.services.node_acts.send = send
    return sent


async def test_a_node_that_can_is_asked_for_a_tone_and_what_it_heard_is_said(site: Commune) -> None:
    sent = commands_of(site)
    node = next(iter(site.nodes.values()))
    async with visitor(site) as client:
        assert "self-test" not in (await client.get(f"/nodes/{node.id}")).text
        site.centre.services.live.note(node.id, abilities={"commands": ["self_test"], "best_grade": 3})
        site.centre.hears(node.id)
        page = await client.get(f"/nodes/{node.id}")
        assert f'action="/nodes/{node.id}/self-test"' in page.text
        assert f'action="/nodes/{node.id}/reference"' not in page.text
        asked = await client.post(f"/nodes/{node.id}/self-test")
        assert asked.headers["location"] == f"/nodes/{node.id}?done=sounds#told"
        answer = (await client.get(asked.headers["location"])).text
        assert 'id="told"' in answer
        assert answer.count("Đã gửi lệnh tới cụm.") == 1
        kept = {"HX-Current-URL": f"http://x/nodes/{node.id}?done=sounds#told"}
        assert 'id="told"' in (await client.get(f"/nodes/{node.id}/live", headers=kept)).text
        assert sent == [f"nodes/{node.id} self_test"]
        for result, words in (("heard", "Đã nghe thấy"), ("failed", "không rõ vì sao")):
            site.centre.hears(node.id, self_test={"command_id": "c", "at": site.centre.clock(), "result": result})
            assert words in (await client.get(f"/nodes/{node.id}/live")).text
        told = {"command_id": "c", "at": site.centre.clock(), "result": "refused", "reason": "quiet_hours"}
        site.centre.hears(node.id, self_test=told, reference={"wanted": True})
        assert "Cụm không phát" in (await client.get(f"/nodes/{node.id}/live")).text
        site.centre.clock.step(minutes=5)
        refused = await client.post(f"/nodes/{node.id}/self-test")
        assert (refused.status_code, "mất kết nối nên không nhận" in refused.text) == (422, True)


async def test_a_node_is_asked_for_its_log_which_its_page_offers_as_a_file(site: Commune) -> None:
    sent = commands_of(site)
    node = next(iter(site.nodes.values()))
    async with visitor(site) as client:
        assert "Nhật ký của cụm" not in (await client.get(f"/nodes/{node.id}")).text
        site.centre.services.live.note(node.id, abilities={"commands": ["send_log"], "best_grade": 1})
        site.centre.hears(node.id)
        assert f'action="/nodes/{node.id}/send-log"' in (await client.get(f"/nodes/{node.id}")).text
        assert (await client.post(f"/nodes/{node.id}/send-log")).status_code == 303
        assert sent == [f"nodes/{node.id} send_log"]
        assert "cụm đang gửi" in (await client.get(f"/nodes/{node.id}")).text
        (log,) = await site.centre.services.node_logs.list(SYSTEM, node.id)
        async with site.centre.database.transaction() as tx:
            came = {"received_at": site.centre.clock(), "packed": gzip.compress(b"words\n"), "lines": 1, "bytes": 6}
            await tx.session.execute(update(NodeLog).where(NodeLog.id == log.id).values(**came))
        href = f"/api/v1/nodes/{node.id}/logs/{log.id}"
        assert f'href="{href}"' in (await client.get(f"/nodes/{node.id}")).text
        assert (await client.get(href)).text == "words\n"


async def test_a_node_is_asked_for_its_number_and_its_page_shows_it(site: Commune) -> None:
    sent = commands_of(site)
    node = next(iter(site.nodes.values()))
    async with visitor(site) as client:
        assert "Số của cụm" not in (await client.get(f"/nodes/{node.id}")).text
        site.centre.services.live.note(node.id, abilities={"commands": ["identify"], "best_grade": 1})
        site.centre.hears(node.id)
        page = (await client.get(f"/nodes/{node.id}")).text
        assert f"<dt>Số của cụm</dt><dd>{call_number(node.id)}</dd>" in page
        assert f'action="/nodes/{node.id}/identify"' in page
        assert (await client.post(f"/nodes/{node.id}/identify")).status_code == 303
        assert sent == [f"nodes/{node.id} identify"]
        told = {"command_id": "c", "at": site.centre.clock(), "result": "not_listened"}
        site.centre.hears(node.id, identified=told)
        assert "<dt>Đọc số của cụm</dt><dd>Thiết bị đã phát" in (await client.get(f"/nodes/{node.id}/live")).text


async def test_a_nodes_page_says_in_words_what_its_health_carries(site: Commune) -> None:
    node = next(iter(site.nodes.values()))
    said = {
        "clock": {"state": "untrusted", "why": "stepped"},
        "lease_until": site.centre.clock() + timedelta(hours=3),
        "cache": {"due": 12, "here": 11},
        "storage_errors": 2,
        "supply_low": True,
        "link_kind": "mobile",
        "link_signal": 18,
        "link_rtt_ms": 812.4,
        "link_reconnects": 3,
        "muted": True,
        "amplifier_on": False,
        "temperature_c": 61.2,
        "disk_free_bytes": 4_700_000_000,
    }
    async with visitor(site) as client:
        bare = (await client.get(f"/nodes/{node.id}/live")).text
        assert all(name not in bare for name in ("Thẻ nhớ", "Nguồn điện", "Đường truyền", "Tăng âm", "Cạc âm thanh"))
        site.centre.hears(node.id, **said)
        page = (await client.get(f"/nodes/{node.id}/live")).text
        for words in (
            "Chưa tin được: giờ vừa bị chỉnh",
            "dù mất mạng",
            "Có 11/12 tệp",
            "Đã có 2 lỗi: nên thay thẻ",
            "Điện áp yếu",
            "Mạng di động, sóng 18%, trả lời sau 812 ms, nối lại 3 lần trong một giờ",
            "Đang bị tắt tiếng",
            "Đang tắt, tự bật trước khi phát",
            "61 °C",
            "Chỗ trống",
            "Chứng thư có hạn đến",
        ):
            assert words in page, words
        site.centre.clock.step(minutes=5)  # lost: of the moment nothing more is said
        page = (await client.get(f"/nodes/{node.id}/live")).text
        assert "Đã có 2 lỗi" in page
        past = ("Điện áp yếu", "sóng 18%", "Đang bị tắt tiếng", "Có 11/12", "61 °C", "Chỗ trống")
        assert not [words for words in past if words in page]


async def test_what_lacks_its_file_is_named_with_its_reason_while_somebody_can_act(site: Commune) -> None:
    node, at = next(iter(site.nodes.values())), site.centre.clock() + timedelta(minutes=9)
    run = await site.broadcast("Bản tin sáng", start_at=at)
    lacks = [{"broadcast_id": name, "start_at": at, "reason": "no_space"} for name in (run.id, "another")]
    site.centre.hears(node.id, cache={"due": 3, "here": 1, "lacks": lacks})
    async with visitor(site) as client:
        page = (await client.get(f"/nodes/{node.id}/live")).text
        assert "“Bản tin sáng” 09:" in page or "“Bản tin sáng” 17:" in page
        assert page.count("còn thiếu tệp tại cụm này") == 2
        assert "Một lần phát" in page


@pytest.mark.parametrize("field", ["link_kind", "clock_why"])
async def test_what_a_newer_node_says_is_shown_as_text(site: Commune, field: str) -> None:
    node, said = next(iter(site.nodes.values())), "<img src=x onerror=alert(1)>"
    health = {"link_kind": said} if field == "link_kind" else {"clock": {"state": "untrusted", "why": said}}
    site.centre.hears(node.id, **health)
    async with visitor(site) as client:
        page = (await client.get(f"/nodes/{node.id}")).text
    assert "&lt;img src=x" in page
    assert said not in page


async def test_a_wrong_claim_code_keeps_the_name(site: Commune) -> None:
    typed = {"code": "ABCD-2345", "name": "Cụm mới", "area_id": site.root.id}
    async with visitor(site) as client:
        answer = await client.post("/nodes", data=typed)
    assert answer.status_code == 422
    assert "đã quá 24 giờ" in answer.text
    assert 'value="Cụm mới"' in answer.text


async def test_a_place_is_added_under_another(site: Commune) -> None:
    typed = {"name": "  Xóm   Núi ", "kind": "hamlet", "parent_id": site.root.id}
    async with visitor(site) as client:
        assert (await client.post("/areas", data=typed)).headers["location"] == "/places?done=area"
    assert ("Xã Nga My", "Xóm Núi") in {area.path for area in await site.centre.services.areas.tree(site.centre.actor)}


async def test_the_code_that_a_node_shows_makes_it_ours(site: Commune) -> None:
    code = new_claim_code()
    await site.centre.services.enrolments.ask(enrolment_request(code), ADDRESS)
    typed = {"code": code.lower().replace("-", " "), "name": "Cụm mới", "area_id": site.hamlets["Thôn Đồng"].id}
    async with visitor(site) as client:
        assert "Có 1 cụm mới đang chờ" in (await client.get("/nodes")).text
        answer = await client.post("/nodes", data=typed)
        page = (await client.get(answer.headers["location"])).text
    assert "Đã nhận cụm loa" in page
    assert "Cụm mới" in page
    assert "Chưa kết nối lần nào" in page


async def test_a_node_out_of_reach_says_what_was_cancelled_and_may_be_heard_there(site: Commune) -> None:
    name, sender = "Đầu làng Trại", site.centre.actor
    run = await site.broadcast("Mất nước", start_at=site.centre.clock() + timedelta(minutes=20))
    await site.reach(run, PlayState.ARMED, name)
    site.centre.clock.step(minutes=10)
    await site.centre.services.broadcasts.cancel(sender, run.id)
    async with visitor(site) as client:
        assert "Đã hủy “Mất nước” nhưng chưa xác nhận" in (await client.get(f"/nodes/{site.nodes[name].id}")).text
        site.centre.hears(site.nodes[name].id)
        again = (await client.get(f"/nodes/{site.nodes[name].id}/live")).text
        assert "nhưng chưa xác nhận" not in again, "it is in touch: what it does is in its plays"


async def test_clusters_that_report_nothing_are_counted_apart(site: Commune) -> None:
    nodes, market = site.centre.services.nodes, site.hamlets["Thôn Đồng"]
    await nodes.create(site.centre.actor, kind=NodeKind.FM, area_id=market.id, name="Đài FM")
    alone = await site.centre.area("Thôn Vắng", site.root)
    await nodes.create(site.centre.actor, kind=NodeKind.WIRED, area_id=alone.id, name="Loa dây")
    for node in site.nodes.values():
        site.centre.hears(node.id)
    both = await site.broadcast("Bản tin", "Thôn Đồng", start_at=site.centre.clock() + timedelta(hours=1))
    recording = await site.centre.recording("Riêng")
    wanted = BroadcastIn.checked(title="Riêng", recordings=[recording], targets=[alone.scope])
    mute = await site.centre.services.broadcasts.create(site.centre.actor, wanted)
    async with visitor(site) as client:
        listed = (await client.get("/nodes")).text
        assert "4/4 cụm đang kết nối · 2 cụm không báo về" in listed
        shown = (await client.get(f"/broadcasts/{both.id}")).text
        assert "0/1" in shown
        assert "1 cụm không báo về: sẽ không biết" in shown
        assert "sẽ không phát tại 1 cụm" in shown, "what reports nothing is told nothing"
        only = (await client.get(f"/broadcasts/{mute.id}")).text
        assert "1 cụm không báo về" in only
        assert "0/0 cụm" not in only
        assert "tại 0 cụm" not in only
