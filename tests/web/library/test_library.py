"""Bản tin, Tệp âm thanh and Chương trình over HTTP."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from controller.bulletins.schemas import BulletinIn, VersionSeen
from controller.recordings.states import RecordingOrigin
from tests.web.harness import Commune, visitor
from tests.web.pages import hear, programme, said
from web.pages.recordings import WAVE_STYLE
from web.views.library import moment, point


def table_of(page: httpx.Response) -> list[str]:
    """Name the rows of a list."""
    rows = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [unescape(each) for each in re.findall(r"<tr [^>]*>\s*<td><a [^>]*>([^<]*)</a>", rows)]


def items_of(page: httpx.Response) -> list[tuple[str, str]]:
    """Give when each item begins and what it is called."""
    rows = re.findall(
        r'<span class="start">.*?</span>\s*([^<\s]*)</span>\s*<span class="what"><\w+[^>]*>([^<]*)<', page.text
    )
    return [(start, unescape(title)) for start, title in rows]


async def test_a_bulletin_goes_from_its_author_to_a_yes_and_into_a_programme(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    nam = await site.centre.somebody("nam", "approver", site.root)
    recording = await site.centre.recording("Phòng rét", area_id=site.root.id)
    typed = {"title": "Phòng rét", "area_id": site.root.id, "category": "farming", "text-vi": "Kính thưa bà con"}
    async with visitor(site, who=hoa) as author, visitor(site, who=nam) as leader:
        empty = await author.post("/bulletins/new", data=typed | {"text-vi": ""})
        assert 'id="wrong-voices"' in empty.text
        assert re.search(r'<textarea id="text-vi"[^>]* aria-describedby="wrong-voices reading"', empty.text)
        saved = await author.post("/bulletins/new", data=typed | {"recording": recording})
        path = saved.headers["location"].partition("?")[0]
        assert ">Duyệt<" not in (await author.get(path)).text
        await author.post(path, data={"act": "submit", "version": "1"})
        assert ">Duyệt<" in (await leader.get(path)).text
        returned = await leader.post(path, data={"act": "return", "version": "1", "reason": ""})
        assert returned.status_code == 422
        await leader.post(path, data={"act": "return", "version": "1", "reason": "Thiếu giờ"})
        assert "nam trả lại: Thiếu giờ" in (await author.get(path)).text
        assert "Phòng rét" in (await author.get("/bulletins?q=phong ret")).text


async def test_a_bulletin_is_approved_by_who_heard_it(site: Commune) -> None:
    nam, services = await site.centre.somebody("nam", "approver", site.root), site.centre.services
    recording = await site.centre.recording("Phòng rét", area_id=site.root.id)
    voices = [{"language": "vi", "recording_id": recording}]
    wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Phòng rét", "voices": voices})
    written = await services.bulletins.create(site.centre.actor, wanted)
    await services.bulletins.submit(site.centre.actor, written.id, VersionSeen(version=1))
    path, listening = f"/bulletins/{written.id}", f"/api/v1/recordings/{recording}/listening"
    async with visitor(site, who=nam) as leader:
        assert f'data-listening="{listening}"' in (await leader.get(path)).text
        early = await leader.post(path, data={"act": "approve", "version": "1"})
        assert "Bạn cần nghe hết phần mới" in early.text
        await hear(site, leader, recording)
        await leader.post(path, data={"act": "approve", "version": "1"})
        assert "nam đã duyệt" in (await leader.get(path)).text


async def test_a_text_with_figures_shows_how_it_is_read(site: Commune) -> None:
    voices = [{"language": "vi", "text": "Họp lúc 19h30 ngày 24/11."}, {"language": "en", "text": "At 19:30."}]
    wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Họp", "voices": voices})
    written = await site.centre.services.bulletins.create(site.centre.actor, wanted)
    quan = await site.centre.somebody("quan", "observer", site.root)
    async with visitor(site) as client, visitor(site, who=quan) as observer:
        page = said(await client.get(f"/bulletins/{written.id}"))
        assert "Cách đọc" in page
        assert "Họp lúc 19 giờ 30 ngày 24 tháng 11." in page
        typed = await client.post("/bulletins/reading", data={"text-vi": "Mất nước ngày 2/11"})
        assert "ngày 2 tháng 11" in typed.text
        assert "Cách đọc" not in said(await observer.get(f"/bulletins/{written.id}"))


async def test_a_machines_recording_that_says_other_words_than_its_bulletin_says_so(site: Commune) -> None:
    made: dict[str, Any] = {"origin": "machine", "voice": "espeak-ng vi", "words": "Họp lúc 19h."}
    read = await site.centre.recording("Họp", area_id=site.root.id, **made)
    async with visitor(site) as client:
        for text, differs in (("Họp  lúc 19h.", False), ("Họp lúc 20h.", True)):
            voices = [{"language": "vi", "text": text, "recording_id": read}]
            wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Họp", "voices": voices})
            written = await site.centre.services.bulletins.create(site.centre.actor, wanted)
            page = said(await client.get(f"/bulletins/{written.id}"))
            assert ("Chữ máy đọc trong tệp này khác lời bên trên." in page) == differs
            assert "Chữ máy đọc trong tệp này Họp lúc 19h." in page


async def test_bulletins_are_searched_narrowed_sorted_and_taken_along(site: Commune) -> None:
    for title, category in (("Phòng rét", "farming"), ("Tiêm phòng", "health"), ("=cmd()", "notice")):
        voices = [{"language": "vi", "text": "Kính thưa bà con"}]
        wanted = {"area_id": site.root.id, "title": title, "category": category, "voices": voices}
        await site.centre.services.bulletins.create(site.centre.actor, BulletinIn.model_validate(wanted))
        site.centre.clock.step(seconds=60)
    async with visitor(site) as client:
        assert table_of(await client.get("/bulletins")) == ["=cmd()", "Tiêm phòng", "Phòng rét"]
        assert table_of(await client.get("/bulletins?sort=title")) == ["=cmd()", "Phòng rét", "Tiêm phòng"]
        assert table_of(await client.get("/bulletins?q=phong&category=health")) == ["Tiêm phòng"]
        assert "Không tìm thấy" in (await client.get("/bulletins?q=khong co")).text
        taken = await client.get("/bulletins.csv?q=cmd")
        assert taken.headers["content-type"].startswith("text/csv")
        assert taken.text.startswith("\ufeffTên bản tin;")
        assert "\r\n'=cmd();Bản nháp;" in taken.text


async def test_a_programme_is_put_together_item_by_item(site: Commune) -> None:
    recording = await site.centre.recording("Nhạc hiệu", length_ms=15_000)
    async with visitor(site) as client:
        made = await client.post("/programmes", data={"title": "Sáng", "area_id": site.root.id})
        path = made.headers["location"].partition("?")[0]
        for item in [{"kind": "tune", "chosen": recording}, {"kind": "pause", "seconds": "5"}]:
            assert (await client.post(path, data={"act": "add", **item})).status_code == 303
        nothing = await client.post(path, data={"act": "add", "kind": "bulletin"})
        assert "Chưa chọn gì" in nothing.text
        assert items_of(await client.get(path)) == [("0:00", "Nhạc hiệu"), ("0:15", "Khoảng lặng")]
        await client.post(path, data={"act": "up", "position": "1"})
        page = await client.get(path)
        assert "cả buổi 20 giây" in page.text
        assert "Tổng cộng 20 giây" in page.text
        assert items_of(page) == [("0:00", "Khoảng lặng"), ("0:05", "Nhạc hiệu")]
        await client.post(path, data={"act": "remove", "position": "1"})
        assert items_of(await client.get(path)) == [("0:00", "Khoảng lặng")]


async def test_a_script_moves_items_and_gets_them_back_with_their_new_starts(site: Commune) -> None:
    made = await programme(site, length_ms=60_000)
    tune = await site.centre.recording("Nhạc hiệu", length_ms=15_000)
    path, script = f"/programmes/{made.id}", {"HX-Request": "true"}
    async with visitor(site) as client:
        add = {"act": "add", "kind": "tune", "chosen": tune, "at": "0"}
        added = await client.post(path, data=add, headers=script)
        assert (added.status_code, items_of(added)) == (200, [("0:00", "Nhạc hiệu"), ("0:15", "Tin xã")])
        await client.post(path, data={"act": "add", "kind": "pause", "seconds": "10"}, headers=script)
        moved = await client.post(path, data={"act": "order", "order": "2,0,1", "version": "3"}, headers=script)
        assert items_of(moved) == [("0:00", "Khoảng lặng"), ("0:10", "Nhạc hiệu"), ("0:25", "Tin xã")]
        placed = await client.post(path, data={"act": "to", "position": "0", "to": "3"}, headers=script)
        assert items_of(placed) == [("0:00", "Nhạc hiệu"), ("0:15", "Tin xã"), ("1:15", "Khoảng lặng")]
        for order in ("0,0,1", "0,1", "0,1,2,3", "x,1,2", "0," * 5000):
            wrong = await client.post(path, data={"act": "order", "order": order}, headers=script)
            assert "Thứ tự đã đổi trong lúc bạn kéo" in wrong.text, order
        stale = await client.post(path, data={"act": "down", "position": "0", "version": "2"}, headers=script)
        assert 'role="alert"' in stale.text
        assert items_of(stale) == items_of(placed)


async def test_what_may_come_into_a_programme_is_searched_without_accents(site: Commune) -> None:
    made = await programme(site)
    await site.centre.recording("Nhạc quê hương")
    viewer = await site.centre.somebody("quan", "observer", site.root)
    async with visitor(site) as client, visitor(site, who=viewer) as observer:
        choices = f"/programmes/{made.id}/choices"
        found = said(await client.get(f"{choices}?of=recordings&q=nhac que"))
        assert "Nhạc quê hương" in found
        assert "Tin xã" not in found
        assert "Chưa có bản tin nào được duyệt" in (await client.get(f"{choices}?of=bulletins")).text
        assert (await observer.get(choices)).status_code == 404
        assert 'class="handle"' not in (await observer.get(f"/programmes/{made.id}")).text


async def test_a_template_with_an_open_place_is_made_by_hand(site: Commune) -> None:
    async with visitor(site) as client:
        typed = {"title": "Mẫu sáng", "area_id": site.root.id, "template": "yes"}
        made = await client.post("/programmes", data=typed)
        path = made.headers["location"].partition("?")[0]
        await client.post(path, data={"act": "add", "kind": "slot", "chosen": "news"})
        wrong = await client.post(path, data={"act": "add", "kind": "slot", "chosen": "Không có!"})
        assert "Chưa chọn gì" in wrong.text
        page = await client.get(path)
        assert items_of(page) == [("0:00", "Chỗ dành cho: Tin tức")]
        assert f"/schedules/new?template={path.rpartition('/')[2]}" in page.text
        assert table_of(await client.get("/programmes?kind=template")) == ["Mẫu sáng"]
        assert table_of(await client.get("/programmes?q=khac")) == []


async def test_recordings_are_listed_with_where_they_come_from_and_are_used(site: Commune) -> None:
    recording = await site.centre.recording("Bản tin chiều", area_id=site.root.id)
    await site.centre.recording("Máy đọc", origin="machine", voice="espeak-ng vi", area_id=site.root.id)
    await site.centre.recording("Cắt", origin="cut", voice="espeak-ng vi", derived_from=recording, area_id=site.root.id)
    voices = [{"language": "vi", "recording_id": recording}]
    wanted = BulletinIn.model_validate({"area_id": site.root.id, "title": "Phòng rét", "voices": voices})
    bulletin = await site.centre.services.bulletins.create(site.centre.actor, wanted)
    async with visitor(site) as client:
        assert table_of(await client.get("/recordings?q=ban tin chieu")) == ["Bản tin chiều"]
        assert table_of(await client.get("/recordings?origin=machine")) == ["Máy đọc"]
        assert "Bản tin chiều;24 giây;Tệp tải lên;" in (await client.get("/recordings.csv?q=chieu")).text
        assert "Cắt từ tệp khác, giọng máy" in (await client.get("/recordings")).text
        page = await client.get(f"/recordings/{recording}")
        assert f'href="/bulletins/{bulletin.id}"' in page.text
        assert "Tệp cắt từ tệp này" in page.text
        form = await client.get(f"/bulletins/new?recording={recording}")
        assert f'name="recording" value="{recording}"' in form.text
        for origin in RecordingOrigin:
            assert f'value="{origin}"' in (await client.get("/recordings")).text


async def test_what_was_cut_out_of_a_machines_voice_says_so_everywhere(site: Commune) -> None:
    cut = await site.centre.recording("Cắt", origin="cut", voice="espeak-ng vi", area_id=site.root.id)
    async with visitor(site) as client:
        assert "Giọng máy đọc, không phải người" in (await client.get(f"/recordings/{cut}")).text
        assert "Giọng máy đọc, không phải người" in (await client.get(f"/say/recordings/{cut}")).text


async def test_a_recording_is_withdrawn_after_its_effect_was_read(site: Commune) -> None:
    recording = await site.centre.recording("Cũ", area_id=site.root.id)
    hoa = await site.centre.somebody("hoa", "observer", site.root)
    async with visitor(site) as client, visitor(site, who=hoa) as observer:
        page = await client.get(f"/recordings/{recording}")
        assert page.text.index("không lấy lại được") < page.text.index("Rút tệp này")
        assert "Rút tệp" not in said(await observer.get(f"/recordings/{recording}"))
        assert (await observer.get(f"/recordings/{recording}/cut")).status_code == 404
        refused = await observer.post(f"/recordings/{recording}", data={"act": "withdraw"})
        assert refused.status_code == 422
        gone = await client.post(f"/recordings/{recording}", data={"act": "withdraw"})
        assert gone.headers["location"] == "/recordings?done=recording_withdrawn"
        assert table_of(await client.get("/recordings")) == []


async def test_a_cut_that_cannot_be_keeps_what_was_typed(site: Commune) -> None:
    recording = await site.centre.recording("Bản tin", area_id=site.root.id)
    path = f"/recordings/{recording}/cut"
    async with visitor(site) as client:
        page = await client.get(path)
        assert WAVE_STYLE in page.headers["content-security-policy"]
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert 'value="0:24.00"' in page.text
        for typed, words in [
            ({"from-0": "0:00", "until-0": "24"}, "Chưa cắt gì cả"),
            ({"from-0": "0:0x", "until-0": "24"}, "Có chỗ chưa rõ"),
            ({"from-0": "", "until-0": ""}, "Chưa có đoạn nào"),
            ({"from-0": "0:05", "until-0": "0:30"}, "nằm ngoài tệp"),
            ({"from-0": "0:05", "until-0": "0:10", "from-1": "0:07", "until-1": "0:20"}, "không chồng lên nhau"),
            ({"from-0": "0:05", "until-0": "999999999999"}, "Có chỗ chưa rõ"),
        ]:
            wrong = await client.post(path, data=typed | {"title": "Bản cắt"})
            assert wrong.status_code == 422
            assert words in wrong.text
            assert 'value="Bản cắt"' in wrong.text


@pytest.mark.parametrize(
    ("typed", "ms"),
    [("1:05.3", 65_300), ("1:05,30", 65_300), ("65.3", 65_300), (" 0:00 ", 0), ("2", 2_000), ("61:01", 3_661_000)],
)
def test_a_point_is_read_as_people_write_it(typed: str, ms: int) -> None:
    assert moment(typed) == ms
    assert moment(point(ms)) == ms


@pytest.mark.parametrize("typed", ["", "x", "1:2:3", "-1", "1e5", "NaN", "١", "1.2345", "9" * 30])
def test_what_is_no_point_is_none(typed: str) -> None:
    assert moment(typed) is None


async def test_the_list_of_recordings_and_its_live_part_are_one(site: Commune) -> None:
    await site.centre.recording("Bản tin", area_id=site.root.id)
    async with visitor(site) as client:
        page, part = await client.get("/recordings?q=ban"), await client.get("/recordings/live?q=ban")
    assert table_of(page) == table_of(part) == ["Bản tin"]
    assert part.text.partition("<section")[2].partition("</section>")[0] in page.text


async def test_without_a_script_a_recording_is_taken_out_by_a_tick(site: Commune) -> None:
    chosen = [await site.centre.recording(title) for title in ("Đúng", "Nhầm")]
    await site.centre.services.areas.change(site.centre.actor, site.root.id, languages=["vi", "hmn"])
    typed = {"title": "Phòng rét", "area_id": site.root.id, "category": "notice"}
    typed |= {"text-vi": "Tin", "recording": chosen[0]}
    async with visitor(site) as client:
        saved = await client.post("/bulletins/new", data=typed | {"recording-hmn": chosen[1]})
        path = saved.headers["location"].partition("?")[0]
        form = (await client.get(f"{path}/edit")).text
        assert re.findall(r'<noscript>.*?name="without" value="(\w+)"', form) == ["vi", "hmn"]
        again = typed | {"recording-hmn": chosen[1], "without": "hmn", "version": "1"}
        assert (await client.post(f"{path}/edit", data=again)).status_code == 303
    [known] = await site.centre.services.bulletins.list(site.centre.actor)
    assert [(each.language, each.recording_id) for each in known.voices] == [("vi", chosen[0])]
