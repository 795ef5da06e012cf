"""What the pages of an emergency say of STOPs that it lifts, of how it is ended, and of whom to call."""

import re

from controller.areas.schemas import AreaOut
from controller.emergencies.schemas import MessageIn
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.test_emergency_pages import message, propose, typed


async def test_who_says_yes_reads_which_stop_that_lifts_and_which_stays(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    holds = [
        (await site.centre.services.holds.order(site.centre.actor, [site.hamlets[name].scope]))[0].id
        for name in ("Thôn Trại", "Thôn Đồng")
    ]
    lifted = "Phát lần này là BỎ LUÔN lệnh dừng ở Thôn Trại (có từ"
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, ready, release=[holds[0]]))
        page = said(await second.get(path))
        assert lifted in page.partition("XÁC NHẬN, PHÁT NGAY")[0]
        assert re.search(r"Lệnh dừng ở Thôn Đồng từ \S+( \S+)*: \d cụm im lặng", page)
        assert not re.search(r"Lệnh dừng ở Thôn Trại từ \S+: \d cụm im lặng", page)
        await first.post(path, data={"act": "break_glass", "reason_code": "cut_off"})
        assert lifted in said(await second.get(path)), "also while it counts down"
        await second.post(path, data={"act": "confirm"})
        assert "BỎ LUÔN" not in said(await second.get(path))
    assert [each.id for each in await site.centre.services.holds.active(site.centre.actor)] == holds[1:]


async def test_who_may_not_release_the_stop_is_told_before_the_yes(site: Commune) -> None:
    centre = site.centre
    province = await centre.area("Tỉnh Thái", kind="province")
    commune = await centre.area("Xã A", province)
    await centre.node(commune, "Loa A")
    ready = await centre.services.messages.create(centre.actor, await bare(site, province))
    [hold] = await centre.services.holds.order(centre.actor, [province.scope])
    nam, watcher = [await centre.somebody(*each, commune) for each in (("nam", "approver"), ("xem", "observer"))]
    async with visitor(site) as first, visitor(site, who=nam) as second, visitor(site, who=watcher) as third:
        path = await propose(first, typed(site, ready, target=[commune.scope], release=[hold.id]))
        asked = said(await second.get(path))
        assert "Bạn không có quyền bỏ lệnh dừng đó" in asked.partition("XÁC NHẬN, PHÁT NGAY")[0]
        seen = said(await third.get(path))
        assert "BỎ LUÔN lệnh dừng ở Tỉnh Thái" in seen
        assert "Bạn không có quyền" not in seen, "nobody asks them for a yes"


async def test_what_a_stop_keeps_silent_leads_to_where_it_is_cancelled(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    watcher = await site.centre.somebody("xem", "observer", site.root)
    [hold] = await site.centre.services.holds.order(site.centre.actor, [site.root.scope])
    async with visitor(site) as first, visitor(site, who=nam) as second, visitor(site, who=watcher) as third:
        path = await propose(first, typed(site, ready))
        assert "Hủy lần phát này" not in said(await first.get(path)), "it was not sent yet"
        await second.post(path, data={"act": "confirm"})
        [sent] = await site.centre.services.broadcasts.today(site.centre.actor)
        away = f'href="/broadcasts/{sent.id}#cancel"'
        assert away in (await first.get(f"{path}/live")).text
        assert away not in (await third.get(path)).text
        assert f'action="/broadcasts/{sent.id}/cancel"' in (await first.get(f"/broadcasts/{sent.id}")).text
        await site.centre.services.holds.release(site.centre.actor, hold.id)
        assert away not in (await first.get(path)).text, "it sounds now: it is ended with what lies ready"


async def bare(site: Commune, area: AreaOut) -> MessageIn:
    """Give a message to write somewhere."""
    recording = await site.centre.recording("Bão", length_ms=9_000)
    voices = [{"language": "vi", "recording_id": recording}]
    return MessageIn.model_validate({"area_id": area.id, "title": "Bão", "voices": voices})


async def test_a_drill_offers_no_release_and_lifts_none(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    [hold] = await site.centre.services.holds.order(site.centre.actor, [site.hamlets["Thôn Trại"].scope])
    drill = typed(site, ready, drill="silent", is_drill="yes", release=[hold.id])
    async with visitor(site) as first, visitor(site, who=nam) as second:
        shown = await first.post("/emergencies/preview", data=drill)
        assert 'name="release"' not in shown.text
        assert "vẫn giữ nguyên: diễn tập không bỏ lệnh dừng" in said(shown)
        assert "2 cụm đang có lệnh dừng nên sẽ IM LẶNG" in said(shown)
        path = await propose(first, drill)  # a tick that was left over is sent, and means nothing
        assert "BỎ LUÔN" not in said(await second.get(path))
        await second.post(path, data={"act": "confirm"})
    assert [each.id for each in await site.centre.services.holds.active(site.centre.actor)] == [hold.id]


def ends(page: str) -> list[tuple[str, str, str]]:
    """Give act, message and button of each end that a page offers."""
    form = (
        r'name="act" value="(all_clear|false_alarm)">\s*<input type="hidden" name="message" value="(\w+)">(.*?)</form>'
    )
    found = re.findall(form, page, re.DOTALL)
    return [(act, key, re.sub(r"<[^>]+>", "", rest).strip()) for act, key, rest in found]


async def test_each_end_is_heard_and_read_beside_its_own_button(site: Commune) -> None:
    ready, nam = await message(site), await site.centre.somebody("nam", "approver", site.root)
    async with visitor(site) as first, visitor(site, who=nam) as second:
        path = await propose(first, typed(site, ready))
        await second.post(path, data={"act": "confirm"})
        flood = await message(site, "all_clear", "Hết lũ")
        page = await first.get(path)
        assert ends(page.text) == [("all_clear", flood.id, "BÁO YÊN: Hết lũ")]
        assert "bấm đúng bản" not in said(page), "one alone is not chosen"
        storm = await message(site, "all_clear", "Hết bão")
        wrong = await message(site, "false_alarm", "Báo nhầm lũ")
        page = await first.get(path)
        assert ends(page.text) == [
            ("all_clear", storm.id, "BÁO YÊN: Hết bão"),
            ("all_clear", flood.id, "BÁO YÊN: Hết lũ"),
            ("false_alarm", wrong.id, "ĐÍNH CHÍNH NGAY: Báo nhầm lũ"),
        ]
        assert "Có 2 bản tin có sẵn. Nghe, đọc rồi bấm đúng bản cần phát." in said(page)
        for each in (storm, flood, wrong):
            [shown] = re.findall(rf'<ol class="sounds" id="says-{each.id}".*?</ol>', page.text, re.DOTALL)
            assert f"{each.title}!</blockquote>" in shown
            assert shown.count('<audio preload="none" src="/media/') == 1
        guessed = await first.post(path, data={"act": "all_clear"})
        assert "Hãy chọn đúng bản cần phát" in said(guessed)
        answer = await first.post(path, data={"act": "all_clear", "message": flood.id})
        assert answer.status_code == 303
        assert re.search(r"<h1>.*?Hết lũ.*?</h1>", (await first.get(answer.headers["location"])).text, re.DOTALL)
        assert ends((await first.get(path)).text) == []


async def test_who_can_call_nobody_is_not_told_to_call(site: Commune) -> None:
    ready = await message(site)
    async with visitor(site) as client:
        path = await propose(client, typed(site, ready))
        alone = said(await client.get(path))
        assert "Chưa phát. Ở nơi này chưa có ai khác được quyền xác nhận" in alone
        assert "Hãy gọi điện cho họ" not in alone
        await site.centre.somebody("nam", "approver", site.root)
        found = said(await client.get(path))
    assert "Hãy gọi điện cho họ" in found
    assert "chưa có ai khác" not in found


async def test_who_finds_what_another_proposed_is_told_who_may_confirm_it(site: Commune) -> None:
    ready, centre = await message(site), site.centre
    hoa, watcher = [await centre.somebody(*each, site.root) for each in (("hoa", "operator"), ("xem", "observer"))]
    async with visitor(site) as first, visitor(site, who=hoa) as other, visitor(site, who=watcher) as third:
        path = await propose(first, typed(site, ready))
        alone = said(await other.get(path))
        assert "Ở nơi này chưa có ai khác được quyền xác nhận" in alone
        assert "Không có ai khác xác nhận được?" in alone, "the part below, of which that speaks"
        nam = await centre.somebody("nam", "approver", site.root, name="Lê Văn Nam")
        await centre.services.accounts.change(centre.actor, nam.id, phone="0912345678")
        page = await other.get(f"{path}/live")
        assert "đang chờ người có quyền xác nhận" in said(page)
        assert 'href="tel:0912345678"' in page.text
        assert "Lê Văn Nam" in said(page)
        watched = await third.get(path)
        assert "Lê Văn Nam" not in watched.text, "who may not propose is told no numbers"
        assert "chưa có ai khác" not in said(watched)
        async with visitor(site, who=nam) as second:
            assert "đang chờ người có quyền" not in said(await second.get(path)), "they may: they are asked"
            await second.post(path, data={"act": "confirm"})
        assert "0912345678" not in (await other.get(path)).text


async def test_the_preview_says_how_often_and_all_that_sounds(site: Commune) -> None:
    ready = await message(site)
    own = await site.centre.recording("Nước lên nhanh", area_id=site.root.id)
    async with visitor(site) as client:
        alone = said(await client.post("/emergencies/preview", data=typed(site, ready, times="5")))
        assert "Phát 5 lần liền nhau. Dài tất cả" in alone
        assert "Mỗi lần sẽ nghe" not in alone
        both = said(await client.post("/emergencies/preview", data=typed(site, ready, recording=own, times="1")))
        assert "Phát 1 lần. Dài tất cả" in both
        assert "Mỗi lần sẽ nghe, theo thứ tự: Lũ quét (tiếng Việt), Nước lên nhanh (tiếng Việt)." in both
        form = said(await client.post("/emergencies/new", data=typed(site, ready, times="5", look="yes")))
        assert "3 lần" not in form


async def test_what_is_too_long_to_repeat_says_so_at_the_number_of_times(site: Commune) -> None:
    long = await site.centre.recording("Vỡ đê", length_ms=1_200_000, area_id=site.root.id)
    form = typed(site, await message(site), message="", recording=long, title="Vỡ đê", times="9")
    async with visitor(site) as client:
        refused = await client.post("/emergencies/new", data=form)
        assert re.search(r'id="wrong-times"[^>]*>.*?Hãy bớt số lần lặp lại', refused.text, re.DOTALL)


async def test_an_operator_reads_no_places_of_another_commune(site: Commune) -> None:
    """On the page of an emergency, in the list, in what waits, in the table (promise P9)."""
    centre = site.centre
    province = await centre.area("Tỉnh Thái", kind="province")
    here, other = await centre.area("Xã A", province), await centre.area("Xã B", province)
    await centre.node(here, "Loa A")
    hidden = await centre.node(other, "Loa kín B")
    ready = await centre.services.messages.create(centre.actor, await bare(site, province))
    nam, operator = await centre.somebody("nam", "approver", province), await centre.somebody("opa", "operator", here)
    async with visitor(site) as first, visitor(site, who=nam) as second, visitor(site, who=operator) as third:
        path = await propose(first, typed(site, ready, target=[here.scope, hidden.scope]))
        assert (await third.get(path)).status_code == 404
        await second.post(path, data={"act": "confirm"})
        for page in (path, f"{path}/live", "/emergencies", "/emergencies.csv", f"/api/v1{path}", "/today"):
            answer = await third.get(page)
            assert answer.status_code == 200, page
            assert "kín" not in answer.text, page
        assert "Xã A · 1 cụm" in said(await third.get("/emergencies"))
        assert "Loa kín B" in said(await second.get(path))
