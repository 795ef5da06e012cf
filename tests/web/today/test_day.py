"""Hôm nay: what the day comes to, its hours, where it did not sound and why, and how the nodes are, place by place."""

from datetime import timedelta

import pytest

from controller.broadcasts.rules import Phase
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.plays.schemas import PlayedNotOut
from edge_agent.protocol.states import Drill, Grade, Level, Outcome, PlayState, Reason
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.test_words import FORM, NOW, run
from web.pages import broadcasts
from web.views.today import NodeWhy, day

MORNING = NOW - timedelta(hours=12, minutes=3)


def over(hour: int, *, minutes: int = 0, counts: dict[str, int] | None = None, grade: str = "e2") -> BroadcastOut:
    at = MORNING + timedelta(hours=hour - 5, minutes=minutes)
    played = counts or {"played": 34}
    found = run(Phase.OVER, count=34, counts=played, grades={grade: played.get("played", 0)})
    return found.model_copy(update={"id": f"b{hour}.{minutes}", "start_at": at, "ends_at": at + timedelta(minutes=10)})


def sentence(*runs: BroadcastOut) -> str:
    found = day(runs, {}, FORM).sentence
    return found.word if found else ""


def test_one_sentence_says_whether_the_morning_sounded_everywhere() -> None:
    assert sentence(over(5)) == "05:00 Bản tin: 34/34 cụm có tín hiệu ra loa."
    assert sentence(over(5, grade="e1")) == "05:00 Bản tin: thiết bị đã phát tại 34/34 cụm."
    both = sentence(over(5), over(11, minutes=30))
    assert both == "Cả 2 lần phát đã qua đều đủ các cụm. 11:30 Bản tin: 34/34 cụm có tín hiệu ra loa."


def test_what_failed_is_said_before_what_went_well() -> None:
    failed = over(11, counts={"played": 33, "missed": 1})
    assert sentence(over(5), failed) == "11:00 Bản tin: Phát được 33/34 cụm. 1 lần khác phát đủ các cụm."
    mark = day([over(5), failed], {}, FORM).sentence
    assert mark is not None
    assert (mark.icon, mark.tone) == ("triangle", "care")
    assert "Còn 1 lần nữa không phát đủ." in sentence(failed, over(12, counts={"unknown": 34}))


def test_no_report_and_no_evidence_are_no_success() -> None:
    assert "Chưa rõ: 33/34" in sentence(over(5, counts={"played": 33, "unknown": 1}))
    assert sentence(over(5, grade="e0")) == "05:00 Bản tin: Chưa kiểm chứng: 34/34 cụm."
    assert sentence(over(5, grade="e0"), over(11)) == (
        "05:00 Bản tin: Chưa kiểm chứng: 34/34 cụm. 1 lần khác phát đủ các cụm."
    )
    twice = sentence(over(5), over(11, grade="e0"), over(12, grade="e0"), over(13, counts={"played": 33, "missed": 1}))
    assert twice.startswith("13:00 Bản tin: Phát được 33/34 cụm. Còn 2 lần chưa kiểm chứng.")
    wired = over(6, counts={"played": 0}).model_copy(update={"node_count": 0, "unreporting_count": 3, "grades": {}})
    assert "06:00 Bản tin: " in sentence(over(5), wired)
    assert sentence() == ""
    assert day([], {}, FORM).lines == ()


def test_the_day_is_cut_at_the_present_hour() -> None:
    coming = run(Phase.READY, counts={"armed": 34}, grades={}).model_copy(
        update={"id": "later", "start_at": NOW + timedelta(hours=2)}
    )
    sounding = run(Phase.ON_AIR, counts={"playing": 34}, grades={}).model_copy(update={"id": "now"})
    found = day([over(5), sounding, coming], {}, FORM)
    assert [line.stands for line in found.lines] == ["past", "now", "coming"]
    assert (found.now_before, found.hour) == ("later", "17:03")
    assert day([over(5)], {}, FORM).now_before == ""


def test_nodes_of_one_reason_stand_together_and_the_rest_is_counted() -> None:
    failed = over(5, counts={"played": 27, "missed": 6, "unknown": 1})
    missed = PlayedNotOut(
        outcome=Outcome.MISSED,
        reason=Reason.NO_FILE,
        count=6,
        first=tuple((f"n{one}", f"Cụm {one}") for one in "12345"),
    )
    silent = PlayedNotOut(outcome=Outcome.UNKNOWN, reason=None, count=1, first=(("n9", "Chợ"),))
    [line] = day([failed], {failed.id: [missed, silent]}, FORM).lines
    assert line.why == "Cụm 1, Cụm 2 và 4 nơi khác: Cụm chưa tải được tệp. Chợ: Chưa báo kết quả."
    assert [part.more for part in line.parts] == ["và 1 cụm khác", ""]
    assert line.parts[0].nodes[0].why_href == f"/nodes/n1/broadcasts/{failed.id}/why"
    assert line.one is None
    [alone] = day([failed], {failed.id: [silent]}, FORM).lines
    assert alone.one == NodeWhy(f"why-{failed.id}-n9", "Chợ", f"/nodes/n9/broadcasts/{failed.id}/why")


def test_what_is_so_at_every_node_is_said_of_all_of_them_and_names_unfold() -> None:
    nodes = tuple((f"n{one}", f"Cụm {one}") for one in "123")
    cut = PlayedNotOut(outcome=Outcome.INTERRUPTED, reason=Reason.HELD, count=3, first=nodes)
    silent = run(Phase.OVER, count=3, counts={"interrupted": 3}, grades={})
    [line] = day([silent], {silent.id: [cut]}, FORM).lines
    assert line.why == "Cả 3 cụm: Đang có lệnh dừng."
    assert [node.name for node in line.parts[0].nodes] == ["Cụm 1", "Cụm 2", "Cụm 3"]
    half = run(Phase.OVER, count=4, counts={"played": 1, "interrupted": 3}, grades={"e2": 1})
    [line] = day([half], {half.id: [cut]}, FORM).lines
    assert line.why == "Cụm 1, Cụm 2, Cụm 3: Đang có lệnh dừng."


async def failed_at_one(site: Commune) -> tuple[BroadcastOut, str]:
    """A broadcast that one node has missed; gives it with that node's name."""
    failed = await site.broadcast("Mất nước")
    *well, missed = site.nodes
    await site.played(failed, *well, grade=Grade.E2)
    await site.missed(failed, missed, Reason.NO_FILE)
    return failed, missed


async def test_what_failed_leads_to_its_why_with_one_tap(site: Commune) -> None:
    failed, missed = await failed_at_one(site)
    async with visitor(site) as client:
        page = await client.get("/today")
        assert f"{missed}: Cụm chưa tải được tệp." in said(page)
        why = f"/nodes/{site.nodes[missed].id}/broadcasts/{failed.id}/why"
        assert f'href="{why}"' in page.text
        assert (await client.get(why)).status_code == 200
        assert "Mất nước: Phát được 3/4 cụm." in said(page)


async def test_why_is_answered_in_place_and_to_those_who_see_the_node_alone(site: Commune) -> None:
    failed, missed = await failed_at_one(site)
    node = site.nodes[missed]
    stranger = await site.centre.area("Xã Kha Sơn", kind="commune")
    somebody = await site.centre.somebody("tam", "operator", stranger)
    here = f"/nodes/{node.id}/broadcasts/{failed.id}/why/here"
    async with visitor(site) as client:
        page = await client.get("/today")
        assert f'id="why-{failed.id}-{node.id}" hx-preserve hx-get="{here}"' in page.text
        answer = await client.get(here)
        assert "<html" not in answer.text
        assert "Cụm chưa tải được tệp" in said(answer)
    async with visitor(site, who=somebody) as client:
        assert (await client.get(here)).status_code == 404


async def test_why_says_of_what_was_cut_off_that_it_sounded(site: Commune) -> None:
    run = await site.broadcast("Bản tin chiều")
    site.centre.clock.step(seconds=10)
    await site.says(run, "Cổng chợ Trại", state=PlayState.PLAYING, item=0, start_error_ms=0.4)
    await site.says(run, "Cổng chợ Trại", outcome=Outcome.INTERRUPTED, reason=Reason.OUTPUT_LOST)
    async with visitor(site) as client:
        page = said(await client.get(f"/nodes/{site.nodes['Cổng chợ Trại'].id}/broadcasts/{run.id}/why"))
    assert "Cổng chợ Trại đang phát thì bị ngắt giữa chừng." in page
    assert "không phát." not in page


async def test_on_air_is_what_nodes_say_and_not_what_was_planned(site: Commune) -> None:
    run = await site.broadcast("Bản tin chiều", length_ms=600_000)
    site.centre.clock.step(seconds=20)
    async with visitor(site) as client:
        assert "Không có gì đang phát" in said(await client.get("/strip"))
        site.plays_now(run, "Đầu làng Trại", "Cổng chợ Trại")
        sounding = said(await client.get("/strip"))
        assert "Bản tin chiều · còn 10 phút · 2/4 cụm" in sounding


def test_a_drill_and_an_emergency_are_called_so_in_the_day() -> None:
    silent = over(6).model_copy(update={"drill": Drill.SILENT, "level": Level.EMERGENCY})
    marked = over(7).model_copy(update={"drill": Drill.MARKED, "level": Level.EMERGENCY})
    real = over(8).model_copy(update={"level": Level.EMERGENCY})
    signs = [line.sign for line in day([silent, marked, real, over(9)], {}, FORM).lines]
    said_of = [(sign.icon, sign.word) if sign else None for sign in signs]
    drills = [("hatched", "DIỄN TẬP IM LẶNG"), ("hatched", "DIỄN TẬP")]
    assert said_of == [*drills, ("octagon", "KHẨN CẤP"), None]


async def test_what_was_replaced_leads_to_the_version_in_its_place(site: Commune) -> None:
    broadcasts_, actor = site.centre.services.broadcasts, site.centre.actor
    at = site.centre.clock() + timedelta(hours=1)
    first = await site.broadcast("Bản tin", start_at=at)
    wanted = BroadcastIn.checked(
        title="Bản tin", recordings=[first.items[0].recording_id], targets=[site.root.scope], start_at=at
    )
    second = await broadcasts_.change(actor, first.id, wanted)
    third = await broadcasts_.change(actor, second.id, wanted)
    helper = await site.centre.somebody("tam", "helper", site.hamlets["Thôn Đồng"])
    async with visitor(site) as client, visitor(site, who=helper) as other:
        for looker in (client, other):
            for gone in (first, second):
                assert f'href="/broadcasts/{third.id}">Mở bản sửa' in (await looker.get(f"/broadcasts/{gone.id}")).text
        assert "Mở bản sửa" not in (await client.get(f"/broadcasts/{third.id}/live")).text
    assert (await broadcasts_.get(actor, first.id)).replaced_by == third.id


async def test_a_version_out_of_sight_is_not_told(site: Commune) -> None:
    broadcasts_, actor = site.centre.services.broadcasts, site.centre.actor
    at, dong, trai = site.centre.clock() + timedelta(hours=1), site.hamlets["Thôn Đồng"], site.hamlets["Thôn Trại"]
    first = await site.broadcast("Bản tin", "Thôn Đồng", start_at=at)
    wanted = BroadcastIn.checked(
        title="Bản tin", recordings=[first.items[0].recording_id], targets=[trai.scope], start_at=at
    )
    second = await broadcasts_.change(actor, first.id, wanted)
    helper = await site.centre.somebody("tam", "helper", dong)
    async with visitor(site, who=helper) as other:
        page = await other.get(f"/broadcasts/{first.id}")
    assert "Đã thay bằng bản sửa" in said(page)
    assert second.id not in page.text


async def test_how_many_nodes_have_it_is_a_bar_that_grows(site: Commune) -> None:
    run = await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
    async with visitor(site) as client:
        for names, share in ((("Cổng chợ Trại",), 25), (("Đầu làng Trại", "Xóm Mới, gần trạm y tế"), 75)):
            await site.reach(run, PlayState.CACHED, *names)
            page = (await client.get(f"/broadcasts/{run.id}/live")).text
            assert f'<progress max="100" value="{share}"' in page


async def test_a_page_of_a_broadcast_reads_the_first_of_each_kind_and_counts_the_rest(
    site: Commune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "MOST_SHOWN", 1)
    run = await site.broadcast("Bản tin", start_at=site.centre.clock() + timedelta(hours=1))
    await site.reach(run, PlayState.CACHED, "Cổng chợ Trại")
    site.centre.clock.step(minutes=3)
    site.centre.hears(site.nodes["Cổng chợ Trại"].id)
    found = await site.centre.services.broadcasts.play_groups(site.centre.actor, run.id, most=1)
    assert found.counts == {"planned": 3, "cached": 1}
    assert sorted(play.state or "" for play in found.first) == ["cached", "planned"]
    async with visitor(site) as client:
        page = await client.get(f"/broadcasts/{run.id}")
    assert "Đang chờ 4" in said(page)
    assert page.text.count('id="play-') == 2
    assert "Xem đủ" in said(page) or f"/broadcasts/{run.id}/plays?state=open" in page.text
    assert "3 cụm đang mất kết nối" in said(page)


@pytest.mark.parametrize(
    ("role", "offered", "not_offered"),
    [
        ("operator", ("/say", "/schedules/new", "/emergencies/new"), ()),
        ("technician", (), ("/say", "/schedules/new", "/emergencies/new")),
        ("observer", (), ("/say", "/schedules/new", "/emergencies/new")),
    ],
)
async def test_everybody_is_offered_what_they_may_do(
    site: Commune, role: str, offered: tuple[str, ...], not_offered: tuple[str, ...]
) -> None:
    somebody = await site.centre.somebody("tam", role, site.root)
    async with visitor(site, who=somebody) as client:
        page = (await client.get("/today/live")).text
    assert all(f'href="{path}"' in page for path in offered)
    assert not any(f'href="{path}"' in page for path in not_offered)
    assert "Xem sự cố" in page
    if not offered:
        assert "Bấm “Phát ngay”" not in page


async def test_a_place_has_a_day_of_its_own(site: Commune) -> None:
    await site.broadcast("Cả xã")
    await site.broadcast("Riêng thôn Đồng", "Thôn Đồng")
    trai = site.hamlets["Thôn Trại"]
    async with visitor(site) as client:
        whole, there = await client.get("/today"), await client.get(f"/today?place={trai.id}")
        assert "Riêng thôn Đồng" in whole.text
        assert "Riêng thôn Đồng" not in there.text.partition("<main")[2]  # the strip is of everything
        assert "Đang gửi xuống cụm: 0/2" in said(there)
        assert f'hx-get="/today/live?place={trai.id}"' in there.text
        assert f'<p class="place">{trai.name}</p>' in there.text
        for nonsense in ("gone", "' or 1=1", "%00", "a" * 5000):
            odd = await client.get("/today", params={"place": nonsense})
            assert "Riêng thôn Đồng" in odd.text


async def test_who_has_places_below_places_chooses_where_to_look(site: Commune) -> None:
    xom = await site.centre.area("Xóm Giữa", site.hamlets["Thôn Đồng"])
    await site.centre.node(xom, "Cuối xóm")
    hamlet = site.hamlets["Thôn Đồng"]
    helper = await site.centre.somebody("tam", "helper", site.hamlets["Thôn Trại"])
    async with visitor(site) as client:
        page = (await client.get("/today")).text
        assert f'<a href="?place={hamlet.id}">Xã Nga My · Thôn Đồng</a>' in page
    async with visitor(site, who=helper) as client:
        inside = await client.get("/today")
        assert "?place=" not in inside.text.partition("<main")[0]
        hidden = await client.get(f"/today?place={hamlet.id}")
        assert "Thôn Đồng" not in hidden.text


async def test_nodes_that_need_a_person_stand_beside_the_day_and_places_are_counted(site: Commune) -> None:
    lost, *others = site.nodes.values()
    site.centre.clock.step(minutes=3)
    for node in others:
        site.centre.hears(node.id)
    async with visitor(site) as client:
        page = said(await client.get("/today"))
    assert f"{lost.name} Thôn Đồng Mất kết nối từ" in page
    assert "Thôn Đồng 0/1 cụm đang kết nối 1 cụm cần xem" in page
    assert "Thôn Trại 2/2 cụm đang kết nối" in page
    assert "Xem sự cố (1)" in page


async def test_nodes_right_in_a_commune_are_counted_beside_its_hamlets(site: Commune) -> None:
    await site.centre.node(site.root, "Trụ sở xã")
    async with visitor(site) as client:
        page = said(await client.get("/today"))
    assert f"Ngay tại {site.root.name} 1/1 cụm đang kết nối" in page
    assert "Thôn Trại 2/2 cụm đang kết nối" in page


async def test_a_report_moves_a_broadcast_from_coming_to_over(site: Commune) -> None:
    later = await site.broadcast("Họp thôn", start_at=site.centre.clock() + timedelta(hours=1))
    async with visitor(site) as client:
        before = (await client.get("/today")).text
        assert before.index('id="present"') < before.index(f'id="run-{later.id}"')
        await site.reach(later, PlayState.CACHED, *site.nodes)
        site.centre.clock.step(hours=1, minutes=5)
        await site.played(later, *site.nodes, grade=Grade.E2)
        after = (await client.get("/today")).text
        assert after.index('id="present"') > after.index(f'id="run-{later.id}"')
        assert "4/4 cụm có tín hiệu ra loa." in after
