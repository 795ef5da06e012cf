"""The pages over HTTP, without a browser: who may see them, what they keep, what they never do."""

import gzip
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, update

from controller.broadcasts import room
from controller.broadcasts.schemas import BroadcastIn
from controller.nodes.models import NodeLog
from controller.nodes.rules import NodeKind
from controller.tables import Base
from edge_agent.protocol.calling import call_number
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.states import PlayState
from tests.controller.factories import ADDRESS, PASSWORD, SYSTEM, enrolment_request
from tests.web.harness import Commune, commune, visitor

PAGES = [
    *("/today", "/say", "/say?when=later", "/nodes", "/stop"),
    *("/schedules", "/schedules/new", "/programmes", "/bulletins", "/bulletins/new", "/approvals"),
    *("/emergencies", "/emergencies/new", "/emergencies/new?drill=marked", "/messages", "/messages/new"),
    *("/alarms", "/people"),
]
FRAGMENTS = ["/strip", "/stop/holds", "/today/live", "/nodes/live", "/alarms/live", "/approvals/live"]
HOSTILE = [
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "{{ 7001*7 }}{% raw %}",
    "' onfocus='window.pwned=1' autofocus='",
    "</textarea></template></title><svg/onload=window.pwned=1>",
]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Commune]:
    async with commune(tmp_path) as opened:
        yield opened


async def everything(site: Commune) -> dict[str, list[tuple[object, ...]]]:
    """Read all rows of all tables."""
    async with site.centre.database.reading() as session:
        return {
            table.name: [tuple(row) for row in await session.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        for path in PAGES:
            answer = await client.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"] == "/sign-in?" + urlencode({"next": path}, safe="/")


async def test_a_fragment_sends_the_whole_page_to_sign_in(site: Commune) -> None:
    asking = {"HX-Request": "true", "HX-Current-URL": f"{site.url}/broadcasts/x"}
    async with visitor(site, signed_in=False) as client:
        answer = await client.get("/strip", headers=asking)
    assert (answer.status_code, answer.text) == (401, "")
    assert answer.headers["hx-redirect"] == "/sign-in?next=/broadcasts/x"


async def test_an_ended_session_is_told_as_such(site: Commune) -> None:
    async with visitor(site) as client:
        site.centre.clock.step(hours=13)
        answer = await client.get("/today", follow_redirects=True)
    assert "Phiên làm việc đã hết" in answer.text


@pytest.mark.parametrize(
    ("locale", "before", "after"),
    [
        ("vi", "Lệnh dừng CHƯA được gửi. Đăng nhập", "Lệnh dừng CHƯA được gửi vì"),
        ("en", "The stop was NOT sent. Sign in", "The stop was NOT sent: your"),
    ],
)
async def test_a_stop_of_an_ended_session_is_said_not_to_be_sent(
    site: Commune, locale: str, before: str, after: str
) -> None:
    async with visitor(site) as client:
        await client.post("/language", data={"locale": locale})
        site.centre.clock.step(hours=13)
        client.headers["Cookie"] += f"; __Host-loa-locale={locale}"
        sent_away = await client.post("/holds", data={"everything": "yes"})
        refused = await client.get(sent_away.headers["location"])
        assert before in refused.text
        wanted = re.findall(r'name="next" value="([^"]*)"', refused.text)[0]
        typed = {"login": "lan", "password": PASSWORD, "next": wanted}
        wrong = await client.post("/sign-in", data=typed | {"password": "sai"})
        assert before in wrong.text
        signed = await client.post("/sign-in", data=typed)
        client.headers["Cookie"] = signed.headers["set-cookie"].split(";")[0]
        assert after in (await client.get(signed.headers["location"])).text
        assert after not in (await client.get("/stop")).text
    assert await site.centre.services.holds.active(site.centre.actor) == []


async def test_looking_at_every_page_changes_no_row(site: Commune) -> None:
    run = await site.broadcast("Bản tin")
    node = next(iter(site.nodes.values()))
    paths = [*PAGES, *FRAGMENTS, f"/broadcasts/{run.id}", f"/broadcasts/{run.id}/live"]
    paths += [f"/nodes/{node.id}", f"/nodes/{node.id}/live"]
    async with visitor(site) as client:
        before = await everything(site)
        for path in paths:
            assert (await client.get(path)).status_code == 200, path
        assert await everything(site) == before


async def test_a_form_from_another_site_is_refused(site: Commune) -> None:
    async with visitor(site) as client:
        before = await everything(site)
        for path in ["/say", "/holds", "/areas", "/nodes", "/language", "/sign-out"]:
            answer = await client.post(path, data={"scope": site.root.scope}, headers={"Sec-Fetch-Site": "cross-site"})
            assert answer.status_code == 403, path
        assert await everything(site) == before


async def test_a_wrong_password_keeps_the_login_and_says_what_to_do(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        answer = await client.post("/sign-in", data={"login": "lan", "password": "sai"})
    assert answer.status_code == 401
    assert 'value="lan"' in answer.text
    assert "Caps Lock" in answer.text
    assert 'value="sai"' not in answer.text


async def test_a_locked_account_says_how_long(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        for _ in range(10):
            await client.post("/sign-in", data={"login": "lan", "password": "sai"})
        answer = await client.post("/sign-in", data={"login": "lan", "password": PASSWORD})
    assert "hãy đợi 2 phút" in answer.text  # one more try every 90 s


async def test_signing_in_leads_nowhere_else(site: Commune) -> None:
    typed = {"login": "lan", "password": PASSWORD, "next": "https://evil.example/"}
    async with visitor(site, signed_in=False) as client:
        answer = await client.post("/sign-in", data=typed)
    assert answer.headers["location"] == "/today"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}


async def test_signing_out_ends_the_session_itself(site: Commune) -> None:
    async with visitor(site) as client:
        await client.post("/sign-out")
        assert (await client.get("/today")).status_code == 303


async def test_the_language_is_kept_with_the_person(site: Commune) -> None:
    async with visitor(site) as client:
        assert (await client.post("/language", data={"locale": "en", "next": "/nodes"})).headers["location"] == "/nodes"
    async with visitor(site) as another_browser:
        assert '<html lang="en">' in (await another_browser.get("/today")).text


async def draft(site: Commune, **given: object) -> dict[str, object]:
    page_key = "0123456789abcdef" * 2
    recording = await site.centre.recording("Mất nước")
    typed = {"key": page_key, "recording": recording, "title": "Mất nước", "target": [site.root.scope], "when": "now"}
    return typed | given


async def test_sending_twice_sends_once(site: Commune) -> None:
    typed = await draft(site)
    async with visitor(site) as client:
        first, second = await client.post("/say", data=typed), await client.post("/say", data=typed)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert len((await everything(site))["broadcasts"]) == 1


async def test_a_wrong_hour_keeps_everything_that_was_typed(site: Commune) -> None:
    chosen = site.hamlets["Thôn Trại"].scope
    typed = await draft(site, title="Họp thôn", target=[chosen], when="later", day="2031-11-25", hour="25:99")
    async with visitor(site) as client:
        answer = await client.post("/say", data=typed)
    page = answer.text
    assert answer.status_code == 422
    assert 'value="Họp thôn"' in page
    assert 'value="25:99"' in page
    assert f'value="{chosen}" checked' in page
    assert f'name="recording" value="{typed["recording"]}"' in page
    assert 'value="2031-11-25" selected' in page
    assert 'value="later" checked' in page
    assert str(typed["key"]) in page
    assert 'id="wrong-hour"' in page
    assert 'aria-describedby="wrong-hour hour-hint"' in page


async def test_all_that_is_missing_is_said_at_once(site: Commune) -> None:
    async with visitor(site) as client:
        page = (await client.post("/say", data={"when": "later"})).text
    assert re.findall(r'id="wrong-(\w+)"', page) == ["recording", "title", "targets", "hour"]


async def test_quiet_hours_are_told_before_and_at_sending(site: Commune) -> None:
    typed = await draft(site, when="later", day="2031-11-25", hour="3:15")
    async with visitor(site) as client:
        preview = (await client.post("/say/preview", data=typed)).text
        sent = await client.post("/say", data=typed)
    assert "22:00–05:00" in preview
    assert sent.status_code == 422
    assert "giờ yên tĩnh (22:00–05:00)" in sent.text
    assert (await everything(site))["broadcasts"] == []


async def test_a_full_plan_is_told_before_and_at_sending(site: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PLAN_ROOM", room.Room(broadcasts=1, bytes=100_000))
    await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
    typed = await draft(site, when="later", day="2031-11-25", hour="8:15")
    async with visitor(site) as client:
        preview = (await client.post("/say/preview", data=typed)).text
        sent = await client.post("/say", data=typed)
    for said in (preview, sent.text):
        assert "Xã Nga My đã kín lịch vào dịp đó" in said
    assert sent.status_code == 422
    assert len((await everything(site))["broadcasts"]) == 1


async def test_the_sentence_says_length_nodes_places_and_who_is_connected(site: Commune) -> None:
    site.centre.clock.step(minutes=2)
    for name in list(site.nodes)[:3]:
        site.centre.hears(site.nodes[name].id)
    async with visitor(site) as client:
        preview = (await client.post("/say/preview", data=await draft(site))).text
    assert "Phát ngay 24 giây tới 4 cụm của 3 nơi" in preview
    assert "3 cụm đang kết nối" in preview
    assert "1 cụm đang mất kết nối" in preview


async def test_a_stop_stands_on_every_page_until_it_is_released(site: Commune) -> None:
    async with visitor(site) as client:
        answer = await client.post("/holds", data={"scope": site.root.scope, "next": "/nodes"})
        assert answer.headers["location"] == "/stop?done=ordered"
        [hold] = await site.centre.services.holds.active(site.centre.actor)
        for path in PAGES:
            page = (await client.get(path)).text
            assert "Đang tạm ngừng phát: Xã Nga My" in page, path
            assert "0/4 cụm đã im" in page, path
        await client.post(f"/holds/{hold.id}/release", data={"next": "/today"})
        assert "Đang tạm ngừng phát" not in (await client.get("/today")).text
        again = await client.post(f"/holds/{hold.id}/release", data={"next": "/today"})
        assert again.status_code == 303


async def test_one_press_without_scripts_stops_everything(site: Commune) -> None:
    async with visitor(site) as client:
        for path in PAGES:
            assert '<input type="hidden" name="everything" value="yes">' in (await client.get(path)).text, path
        await client.post("/holds", data={"everything": "yes"})
        await client.post("/holds", data={"everything": "yes"})
    assert [hold.scope for hold in await site.centre.services.holds.active(site.centre.actor)] == [site.root.scope]


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
        assert (await client.post(f"/nodes/{node.id}/self-test")).status_code == 303
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
            "Chứng chỉ có hạn đến",
        ):
            assert words in page, words
        site.centre.clock.step(minutes=5)  # lost: of the moment nothing more is said
        page = (await client.get(f"/nodes/{node.id}/live")).text
        assert "Đã có 2 lỗi" in page
        assert not [words for words in ("Điện áp yếu", "sóng 18%", "Đang bị tắt tiếng", "Có 11/12") if words in page]


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


async def test_a_stop_nowhere_says_so(site: Commune) -> None:
    async with visitor(site) as client:
        answer = await client.post("/holds", data={"scope": "areas/gone"})
    assert answer.status_code == 422
    assert "Hãy chọn lại" in answer.text


async def test_cancelling_says_first_what_it_does_and_twice_is_once(site: Commune) -> None:
    run = await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
    async with visitor(site) as client:
        assert "sẽ không phát tại 4 cụm" in (await client.get(f"/broadcasts/{run.id}")).text
        for _ in range(2):
            answer = await client.post(f"/broadcasts/{run.id}/cancel", data={})
            assert answer.headers["location"] == f"/broadcasts/{run.id}"
        page = (await client.get(f"/broadcasts/{run.id}")).text
    assert "Đã hủy, cụm chưa trả lời" in page


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
        assert (await client.post("/areas", data=typed)).headers["location"] == "/nodes?done=area"
    assert ("Xã Nga My", "Xóm Núi") in {area.path for area in await site.centre.services.areas.tree(site.centre.actor)}


async def test_hostile_text_is_only_text_on_every_page(site: Commune) -> None:
    """All of it is there before the first page is read."""
    own = [path for text in HOSTILE for path in await called(site, text)]
    async with visitor(site) as client:
        answers = [await client.get(path) for path in [*PAGES, *own]]
        for text in HOSTILE:
            fields = await draft(site, title=text, hour=text, day=text, when="later", target=[text])
            answers += [await client.post("/say", data=fields), await client.post("/say/preview", data=fields)]
            answers.append(await client.post("/nodes", data={"code": text, "name": text, "area_id": text}))
            answers.append(await client.post("/sign-in", data={"login": text, "password": text}))
            answers.append(await client.get("/sign-in", params={"next": text}))
    for answer in answers:
        page = answer.text
        assert answer.status_code in {200, 401, 422}
        assert "<script>" not in page
        assert "49007" not in page
        assert not re.search(r"<(?:img|svg/)", page)
        assert not re.search(r"""<[^>"']*(?:"[^"]*"[^>"']*)*\son\w+=""", page)


async def called(site: Commune, text: str) -> list[str]:
    """Name a place, a node, a broadcast and a recording so; gives their own pages."""
    area = await site.centre.area(text, site.root)
    node = await site.centre.node(area, text)
    run = await site.broadcast(text)
    await site.centre.recording(text, file_name=text)
    return [f"/broadcasts/{run.id}", f"/nodes/{node.id}"]


async def test_nothing_on_a_page_is_inline_and_nothing_comes_from_elsewhere(site: Commune) -> None:
    async with visitor(site) as client:
        pages = [(await client.get(path)).text for path in PAGES]
    for page in pages:
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\shx-on|javascript:", page)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)


async def test_the_first_page_is_light(site: Commune) -> None:
    """All that a phone loads to see "Hôm nay", before any compression by a proxy."""
    async with visitor(site) as client:
        page = (await client.get("/today")).text
        links = set(re.findall(r"""(?:src|href)=["'](/static/[^"'#]+)""", page))
        loaded = [await client.get(link) for link in sorted(links)]
        fonts = [
            await client.get(f"/static/vendor/be-vietnam-pro/{name}.woff2")
            for name in ("latin-400", "latin-600", "vietnamese-400", "vietnamese-600")
        ]
    assert all(answer.status_code == 200 for answer in [*loaded, *fonts])
    assert len(links) >= 8
    assert (
        len(page.encode()) + sum(len(answer.content) for answer in {a.url.path: a for a in [*loaded, *fonts]}.values())
        < 200_000
    )


async def test_files_with_their_hash_are_kept_for_good_and_pages_never(site: Commune) -> None:
    async with visitor(site) as client:
        page = await client.get("/today")
        [style] = re.findall(r'href="(/static/css/base\.css\?v=\w+)"', page.text)
        assert "immutable" in (await client.get(style)).headers["cache-control"]
        assert "immutable" not in (await client.get("/static/css/base.css")).headers["cache-control"]
    assert page.headers["cache-control"] == "no-store"


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


async def test_loading_anew_after_a_mistake_is_no_dead_end(site: Commune) -> None:
    async with visitor(site) as client:
        for path, page in [("/areas", "/nodes"), ("/holds", "/stop"), ("/language", "/today"), ("/sign-out", "/today")]:
            assert (await client.get(path)).headers["location"] == page
        assert (await client.get("/today")).status_code == 200


async def test_a_sound_that_is_not_ours_is_told_as_such(site: Commune) -> None:
    name, now = "Đầu làng Trại", site.centre.clock()
    ends = (now + timedelta(minutes=3)).isoformat()
    playing = {"broadcast_id": "stranger", "item": 0, "started_at": now.isoformat(), "ends_at": ends}
    site.centre.hears(site.nodes[name].id, now_playing=playing)
    async with visitor(site) as client:
        page = (await client.get("/today")).text
        assert "Nội dung không do trung tâm này gửi" in page
        assert f'href="/nodes/{site.nodes[name].id}"' in page
        assert "không do trung tâm này gửi" in (await client.get(f"/nodes/{site.nodes[name].id}")).text


async def test_a_node_out_of_reach_says_what_was_cancelled_and_may_be_heard_there(site: Commune) -> None:
    name, sender = "Đầu làng Trại", site.centre.actor
    run = await site.broadcast("Mất nước", start_at=site.centre.clock() + timedelta(minutes=20))
    await site.reach(run, PlayState.ARMED, name)
    site.centre.clock.step(minutes=10)
    await site.centre.services.broadcasts.cancel(sender, run.id)
    async with visitor(site) as client:
        assert "Đã hủy “Mất nước” nhưng chưa xác nhận" in (await client.get(f"/nodes/{site.nodes[name].id}")).text
        site.centre.hears(site.nodes[name].id)
        assert "Mất nước" not in (await client.get(f"/nodes/{site.nodes[name].id}/live")).text


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
        assert "1/1 cụm đang kết nối · 1 cụm không báo về" in listed
        shown = (await client.get(f"/broadcasts/{both.id}")).text
        assert "0/1" in shown
        assert "1 cụm không báo về: sẽ không biết" in shown
        assert "sẽ không phát tại 1 cụm" in shown, "what reports nothing is told nothing"
        only = (await client.get(f"/broadcasts/{mute.id}")).text
        assert "1 cụm không báo về" in only
        assert "0/0 cụm" not in only
        assert "tại 0 cụm" not in only


async def test_what_is_not_there_is_a_page_that_says_so(site: Commune) -> None:
    async with visitor(site) as client:
        for path in ["/broadcasts/none", "/nodes/none", "/nowhere"]:
            answer = await client.get(path)
            assert answer.status_code == 404
            assert "Không có trang này" in answer.text
            assert "hx-redirect" not in answer.headers


async def test_a_form_that_is_too_large_or_not_a_form_changes_nothing(site: Commune) -> None:
    async with visitor(site) as client:
        before = await everything(site)
        large = await client.post("/areas", data={"name": "x" * 600_000})
        json = await client.post("/areas", json={"name": "x"})
        many = await client.post(
            "/say", content="&".join(["target=a"] * 9000), headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert {answer.status_code for answer in (large, json, many)} <= {409, 413, 422}
        assert await everything(site) == before
