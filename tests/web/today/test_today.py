"""What sounds, what was stopped and what became of it, over HTTP."""

import re
from datetime import timedelta

import pytest

from controller.broadcasts.schemas import BroadcastIn
from controller.nodes.rules import NodeKind
from controller.people.actor import Actor
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.controller.factories import PASSWORD
from tests.web.harness import MONDAY, Commune, visitor
from tests.web.pages import PAGES, said


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


async def test_a_stop_nowhere_says_so(site: Commune) -> None:
    async with visitor(site) as client:
        answer = await client.post("/holds", data={"scope": "areas/gone"})
    assert answer.status_code == 422
    assert "Lệnh dừng CHƯA được gửi: nơi bạn chọn không còn. Hãy chọn lại" in answer.text


async def test_a_stop_by_whom_the_right_was_taken_from_meanwhile_is_said_not_to_be_sent(site: Commune) -> None:
    """Their page still has the button; and what is left to them has none that would do nothing."""
    services, tam = site.centre.services, await site.centre.somebody("tam", "helper", site.root)
    async with visitor(site, who=tam) as client:
        assert 'action="/holds"' in (await client.get("/today")).text
        await services.accounts.grant(site.centre.actor, tam.id, role="observer", area_id=site.root.id)
        await services.accounts.revoke(site.centre.actor, tam.id, tam.grants[0].id)
        for typed in ({"everything": "yes"}, {"scope": site.root.scope}):
            answer = await client.post("/holds", data=typed)
            assert answer.status_code == 403
            assert "Lệnh dừng CHƯA được gửi: bạn không có quyền dừng ở đó" in said(answer)
            assert "Không có lệnh dừng nào" in said(answer)
            assert 'action="/holds"' not in answer.text
        run = await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
        refused = await client.post(f"/broadcasts/{run.id}/cancel", data={})
        assert (refused.status_code, "<h1>Chưa làm được</h1>" in refused.text) == (403, True)
    assert await services.holds.active(site.centre.actor) == []


async def test_cancelling_says_first_what_it_does_and_twice_is_once(site: Commune) -> None:
    run = await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
    async with visitor(site) as client:
        assert "sẽ không phát tại 4 cụm" in (await client.get(f"/broadcasts/{run.id}")).text
        for _ in range(2):
            answer = await client.post(f"/broadcasts/{run.id}/cancel", data={})
            assert answer.headers["location"] == f"/broadcasts/{run.id}"
        page = (await client.get(f"/broadcasts/{run.id}")).text
    assert "Đã hủy, cụm chưa trả lời" in page


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


async def test_who_works_in_one_hamlet_silences_that_hamlet_with_one_press(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Trại"]
    helper = await site.centre.somebody("tam", "helper", hamlet)
    async with visitor(site, who=helper) as client:
        assert (await client.post("/holds", data={"everything": "yes"})).status_code == 303
    assert [hold.scope for hold in await site.centre.services.holds.active(site.centre.actor)] == [hamlet.scope]


async def test_who_may_order_silence_and_not_end_it_is_told_who_may(site: Commune) -> None:
    """A helper of the hamlet ordered it; the operator of the commune ends it."""
    hamlet, services = site.hamlets["Thôn Trại"], site.centre.services
    helper = await site.centre.somebody("tam", "helper", hamlet)
    [hold] = await services.holds.order(Actor(helper.id, "tests"), [hamlet.scope])
    assert not hold.may_release
    assert (await services.holds.get(site.centre.actor, hold.id)).may_release
    act = f'action="/holds/{hold.id}/release"'
    for who, may in ((helper, False), (site.centre.person, True)):
        async with visitor(site, who=who) as client:
            for path in ("/stop", "/stop/holds", "/strip"):
                page = await client.get(path)
                assert "Đang tạm ngừng phát: Thôn Trại" in said(page)
                assert (act in page.text, "Bạn không bỏ được lệnh dừng này" in said(page)) == (may, not may), path


async def test_a_release_names_what_sounds_at_once_and_promises_nothing_else(site: Commune) -> None:
    [hold] = await site.centre.services.holds.order(site.centre.actor, [site.hamlets["Thôn Trại"].scope])
    await site.broadcast("Mất nước")
    await site.broadcast("Mất điện", "Thôn Đồng")
    site.centre.clock.step(seconds=30)
    async with visitor(site) as client:
        for path in ("/stop", "/stop/holds", "/today"):
            page = said(await client.get(path))
            assert "Phát ngay khi bỏ lệnh dừng: Mất nước." in page, path
            assert "theo lịch" not in page.partition(hold.scope_name)[2].partition("Bỏ lệnh dừng, cho phát lại")[0]
        site.centre.clock.step(minutes=3)
        assert "Phát ngay khi bỏ" not in said(await client.get("/stop"))
        main = (await client.get("/stop")).text.partition("<main")[2]
        for page in (main, (await client.get("/strip")).text):
            assert page.index("Bỏ lệnh dừng, cho phát lại") < page.index("Khi bỏ lệnh dừng: ")


async def test_a_title_with_its_own_stop_is_not_given_another(site: Commune) -> None:
    await site.centre.services.holds.order(site.centre.actor, [site.root.scope])
    await site.broadcast("Vỡ đê.")
    site.centre.clock.step(seconds=30)
    async with visitor(site) as client:
        page = said(await client.get("/stop"))
    assert "Phát ngay khi bỏ lệnh dừng: Vỡ đê. " in page
    assert ".." not in page


async def test_what_comes_next_where_all_is_held_is_not_promised(site: Commune) -> None:
    start_at = site.centre.clock() + timedelta(hours=1)
    run = await site.broadcast("Bản tin tối", "Thôn Trại", start_at=start_at)
    services, actor = site.centre.services, site.centre.actor
    told = "18:03, chỉ phát nếu lệnh dừng đã được bỏ"
    async with visitor(site) as client:
        for scopes, silent in (
            ([site.hamlets["Thôn Đồng"].scope], False),
            ([site.nodes["Đầu làng Trại"].scope], False),
            ([site.hamlets["Thôn Trại"].scope], True),
            ([site.root.scope], True),
        ):
            holds = await services.holds.order(actor, scopes)
            strip = strip_of((await client.get("/strip")).text)
            assert f"/broadcasts/{run.id}" in strip
            assert (told in strip) is silent, scopes
            for hold in holds:
                await services.holds.release(actor, hold.id)


async def test_what_nodes_have_is_not_ready_where_it_may_stay_silent(site: Commune) -> None:
    run = await site.broadcast("Bản tin tối", start_at=site.centre.clock() + timedelta(hours=1))
    await site.reach(run, PlayState.CACHED, *site.nodes)
    lost, mute, slow, well = site.nodes.values()
    at = site.centre.clock().isoformat()
    async with visitor(site) as client:
        assert "Đã sẵn sàng tại 4 cụm" in said(await client.get("/today"))
        site.centre.services.live.note(lost.id, presence="lost", presence_at=site.centre.clock())
        site.centre.hears(mute.id, faults=[{"code": "output_lost", "since_at": at, "detail": ""}])
        site.centre.hears(slow.id, faults=[{"code": "link_poor", "since_at": at, "detail": ""}])
        site.centre.hears(well.id)
        for path in ("/today", "/today/live", f"/today?place={site.root.id}"):
            page = said(await client.get(path))
            assert "Đã sẵn sàng tại 2/4 cụm" in page, path
            assert "2 cụm đã nhận nhưng đang mất kết nối hoặc báo hỏng: chưa chắc phát được." in page
        await site.missed(run, mute.name, Reason.OUTPUT_LOST)
        page = said(await client.get("/today"))
        assert "Không phát được tại 1/4 cụm" in page
        assert "Đã sẵn sàng" not in page
        assert "1 cụm đã nhận nhưng" in page


async def test_what_was_missed_is_made_up_for_once(site: Commune) -> None:
    run = await site.broadcast("Mất nước")
    heard, missed = list(site.nodes)[:2]
    await site.played(run, heard, *list(site.nodes)[2:])
    await site.missed(run, missed, Reason.NO_FILE)
    site.centre.clock.step(minutes=20)
    site.centre.hears(site.nodes[missed].id)
    async with visitor(site) as client:
        page = await client.get(f"/broadcasts/{run.id}")
        assert f'href="/broadcasts/{run.id}/replay"' in page.text
        shown = said(await client.get(f"/broadcasts/{run.id}/replay"))
        assert f"tới 1 cụm chưa phát được: {missed}" in shown
        made = await client.post(f"/broadcasts/{run.id}/replay", data={"confirm_unusual": "yes"})
        assert made.status_code == 303
        again = await client.post(f"/broadcasts/{run.id}/replay", data={})
    assert "đã được phát bù một lần" in again.text


async def test_what_sounds_is_ended_only_after_its_effect_was_read_and_undone_by_who_may_alone(site: Commune) -> None:
    run = await site.broadcast("Bản tin", length_ms=600_000)
    observer = await site.centre.somebody("tam", "observer", site.root)
    async with visitor(site) as client, visitor(site, who=observer) as other:
        assert 'id="undo"' in (await client.get(f"/broadcasts/{run.id}")).text
        assert 'id="undo"' not in (await other.get(f"/broadcasts/{run.id}")).text
        await site.reach(run, PlayState.PLAYING, *site.nodes)
        page = (await client.get(f"/broadcasts/{run.id}")).text
        assert 'id="undo"' not in page
        assert "<summary>Dừng lần phát này</summary>" in page
        assert f"/broadcasts/{run.id}/cancel" not in (await other.get(f"/broadcasts/{run.id}")).text


async def test_what_also_goes_to_others_is_not_offered_to_be_taken_back(site: Commune) -> None:
    """The province sends to two communes: a commune's operator could take back neither part of it."""
    other = await site.centre.area("Xã Úc Kỳ", kind="commune")
    await site.centre.node(other, "Loa Úc Kỳ")
    own = await site.centre.somebody("tam", "operator", site.root)
    services, actor, cancel = site.centre.services.broadcasts, site.centre.actor, "Dừng lần phát này"
    sound = await site.centre.recording("Bản tin", length_ms=600_000)
    both = BroadcastIn.checked(title="Bản tin", recordings=[sound], targets=[site.root.scope, other.scope])
    wide = await services.create(actor, both)
    narrow = await site.broadcast("Họp thôn", length_ms=600_000, confirm_conflicts=True)
    async with visitor(site) as client, visitor(site, who=own) as tam:
        for run, may in ((wide, False), (narrow, True)):
            await site.reach(run, PlayState.PLAYING, *site.nodes)
            assert cancel in (await client.get(f"/broadcasts/{run.id}")).text
            assert (cancel in (await tam.get(f"/broadcasts/{run.id}")).text) is may


async def test_who_has_not_answered_a_stop_is_told_with_what_that_means(site: Commune) -> None:
    lost, *others = site.nodes.values()
    site.centre.clock.step(minutes=3)
    for node in others:
        site.centre.hears(node.id)
    hamlet = site.hamlets["Thôn Trại"]
    await site.centre.services.nodes.create(
        site.centre.actor, kind=NodeKind.WIRED, area_id=hamlet.id, name="Loa có dây"
    )
    async with visitor(site) as client:
        await client.post("/holds", data={"everything": "yes"})
        page = said(await client.get("/stop")).partition("4 cụm chưa trả lời:")[2]
        assert f"{lost.name} Mất kết nối: nhận lệnh khi có mạng lại" in page
        assert f"{others[0].name} Đã gửi lệnh, đang chờ cụm trả lời" in page
        assert page.index(others[0].name) < page.index(lost.name)
        assert "1 cụm không báo về: lệnh không tới được" in page


async def test_a_release_is_pending_until_every_node_has_obeyed_it(site: Commune) -> None:
    [hold] = await site.centre.services.holds.order(site.centre.actor, [site.root.scope])
    first, *others = site.nodes.values()
    for node in site.nodes.values():
        site.centre.hears(node.id, holds=[hold.id])
    async with visitor(site) as client:
        await client.post(f"/holds/{hold.id}/release", data={"next": "/stop"})
        page = said(await client.get("/stop"))
        assert "Đã bỏ lệnh dừng ở Xã Nga My lúc 17:03: 0/4 cụm đã nghe theo." in page
        for node in others:
            site.centre.hears(node.id, holds=[])
        page = said(await client.get("/stop/holds"))
        assert "3/4 cụm đã nghe theo" in page
        assert first.name in page
        site.centre.hears(first.id, holds=[])
        assert "nghe theo" not in said(await client.get("/stop/holds"))


async def test_all_nodes_of_a_broadcast_are_searched_filtered_and_taken_along(site: Commune) -> None:
    run = await site.broadcast("Mất nước")
    *well, missed = site.nodes
    await site.played(run, *well)
    await site.missed(run, missed, Reason.NO_FILE)
    base = f"/broadcasts/{run.id}/plays"
    async with visitor(site) as client:
        page = await client.get(base)
        assert page.text.index(missed) < page.text.index(well[0])
        found = await client.get(base, params={"q": "cho trai"})
        assert "Cổng chợ Trại" in found.text
        assert "Đầu làng Trại" not in found.text
        failed = await client.get(base, params={"state": "failed", "sort": "-name"})
        assert missed in failed.text
        assert well[0] not in failed.text
        table = await client.get(f"{base}.csv", params={"state": "failed"})
        assert f"Không phát được;{missed};" in table.text
        assert len(table.text.splitlines()) == 2
        assert (await client.get("/broadcasts/gone/plays")).status_code == 404


async def test_the_strip_is_the_same_on_every_page_and_at_the_next_look(site: Commune) -> None:
    """Ten past midnight: what failed before it, what every node has refused already, and what comes next."""
    site.centre.clock.now = MONDAY.replace(hour=16, minute=50)
    await site.centre.services.areas.change(site.centre.actor, site.root.id, quiet_hours=[])
    late = await site.broadcast("Tin 23:50", confirm_unusual=True)
    for name in site.nodes:
        await site.missed(late, name, Reason.NO_FILE)
    site.centre.clock.step(minutes=20)
    for title, minutes in (("Tin bị từ chối", 30), ("Tin sau", 60)):
        start_at = site.centre.clock() + timedelta(minutes=minutes)
        run = await site.broadcast(title, start_at=start_at, confirm_unusual=True)
        for name in site.nodes if minutes == 30 else ():
            await site.says(run, name, outcome=Outcome.REFUSED, reason=Reason.NO_FILE)
    async with visitor(site) as client:
        looked = strip_of((await client.get("/strip")).text)
        for told in ("Tin 23:50 (23:50)", "Tin bị từ chối (00:40)", "Tin sau"):
            assert told in looked
        for path in PAGES:
            assert strip_of((await client.get(path)).text) == looked, path


def strip_of(page: str) -> str:
    found = re.search(r'<section id="strip".*?</section>', page, re.DOTALL)
    assert found
    return found[0]
