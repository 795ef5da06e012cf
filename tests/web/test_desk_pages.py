"""The pages on which a day is planned and answered for, over HTTP: schedules, bulletins, people, rules, alarms."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.broadcasts.schemas import BroadcastIn
from controller.bulletins.schemas import BulletinIn, VersionSeen
from controller.people.actor import Actor
from controller.policies.schemas import PolicyIn
from controller.programmes.schemas import ItemIn, ProgrammeIn, ProgrammeOut
from edge_agent.protocol.states import PlayState, Reason
from tests.controller.factories import ADDRESS, SYSTEM
from tests.web.harness import Commune, commune, visitor


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Commune]:
    async with commune(tmp_path) as opened:
        yield opened


async def programme(site: Commune, *, length_ms: int = 600_000) -> ProgrammeOut:
    recording = await site.centre.recording("Tin xã", length_ms=length_ms)
    items = [ItemIn.model_validate({"kind": "recording", "recording_id": recording})]
    wanted = ProgrammeIn(area_id=site.root.id, title="Chương trình chiều", items=items)
    return await site.centre.services.programmes.create(site.centre.actor, wanted)


def planned(made: ProgrammeOut, site: Commune, **given: object) -> dict[str, object]:
    typed = {"programme": made.id, "title": "Buổi chiều", "target": [site.root.scope], "hour": "17h30"}
    return typed | {"weekday": ["MO", "WE"], "first_day": "25/11/2031", "last_day": ""} | given


def said(page: httpx.Response) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text))


async def hear(site: Commune, client: httpx.AsyncClient, recording_id: str) -> dict[str, Any]:
    """Listen to a recording as the page's player tells it: when it begins, and what was played."""
    path, told = f"/api/v1/recordings/{recording_id}/listening", {}
    for spans in ([], [[0, 24_000]]):
        told = (await client.post(path, json={"spans": spans})).json()
        site.centre.clock.step(seconds=24)
    return told


async def test_a_schedule_is_looked_at_saved_and_read_in_words(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        looked = await client.post("/schedules/new", data=planned(made, site, look="yes", confirm_unusual="yes"))
        assert "Mỗi lần 10 phút, tới 4 cụm." in said(looked)
        assert "17:30 Thứ Tư 26/11" in looked.text
        assert "những lần phát này sẽ khác" in looked.text
        assert await site.centre.services.schedules.list(site.centre.actor) == []
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        page = await client.get(saved.headers["location"])
    assert "Thứ Hai, Thứ Tư lúc 17:30" in page.text
    assert "Lần tới: 17:30 Thứ Tư 26/11" in page.text


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"hour": "25"}, "hour"), ({"first_day": "31/02/2032"}, "first_day"), ({"target": []}, "targets")],
)
async def test_a_wrong_field_of_a_schedule_keeps_all_that_was_typed(
    site: Commune, wrong: dict[str, object], field: str
) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        page = await client.post("/schedules/new", data=planned(made, site, title="Buổi tối", **wrong))
    assert page.status_code == 422
    assert f'id="wrong-{field}"' in page.text
    assert 'value="Buổi tối"' in page.text
    assert re.findall(r'name="weekday" value="(\w\w)" checked', page.text) == ["MO", "WE"]


async def test_one_date_is_left_out_and_comes_back(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        path = saved.headers["location"].partition("?")[0]
        for act, word in [("cancel", "Phát như thường"), ("restore", "")]:
            answer = await client.post(f"{path}/dates/2031-11-26T17:30:00", data={"act": act})
            page = await client.get(answer.headers["location"])
            assert ("Phát như thường" in page.text) == bool(word)
        nowhere = await client.post(f"{path}/dates/2031-11-27T17:30:00", data={"act": "cancel"})
        assert "Không tìm thấy" in nowhere.text


async def test_a_date_that_would_come_back_onto_another_is_asked_about_once_more(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        path = saved.headers["location"].partition("?")[0]
        date = f"{path}/dates/2031-11-26T17:30:00"
        await client.post(date, data={"act": "cancel"})
        once = {"weekday": ["WE"], "first_day": "26/11/2031", "last_day": "26/11/2031"}
        other = planned(made, site, title="Họp dân", confirm_unusual="yes", **once)
        assert (await client.post("/schedules/new", data=other)).status_code == 303
        asked = await client.post(date, data={"act": "restore"})
        assert (asked.status_code, asked.text.count('name="confirm_conflicts"')) == (422, 1)
        done = await client.post(date, data={"act": "restore", "confirm_conflicts": "yes"})
        assert done.status_code == 303


async def test_one_date_is_moved_and_an_hour_at_night_is_asked_about_once_more(site: Commune) -> None:
    await site.centre.services.areas.change(site.centre.actor, site.root.id, quiet_hours=[])
    typed = planned(await programme(site), site, confirm_unusual="yes")
    async with visitor(site) as client:
        path = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        [date] = re.findall(r'\?move=(2031-11-26T[^#"]*)#', (await client.get(path)).text)
        form = (await client.get(f"{path}?move={date}")).text
        assert "Dời lần 17:30 Thứ Tư 26/11" in form
        assert 'name="confirm_unusual"' not in form
        to = {"act": "move", "day": "27/11/2031", "hour": "23h15"}
        unclear = await client.post(f"{path}/dates/{date}", data=to | {"hour": "25h"})
        assert "Không hiểu giờ này" in unclear.text
        asked = await client.post(f"{path}/dates/{date}", data=to)
        assert asked.status_code == 422
        assert "Tôi biết 23:15 là giờ khuya" in asked.text
        assert 'value="23h15"' in asked.text
        moved = await client.post(f"{path}/dates/{date}", data=to | {"confirm_unusual": "yes"})
        assert moved.status_code == 303
        assert "23:15 Thứ Năm 27/11" in (await client.get(path)).text


async def test_schedules_are_taken_along_as_a_calendar(site: Commune) -> None:
    typed = planned(await programme(site), site, confirm_unusual="yes")
    async with visitor(site) as client:
        await client.post("/schedules/new", data=typed)
        [link] = re.findall(r'href="([^"]*\.ics)"', (await client.get("/schedules")).text)
        assert "BEGIN:VEVENT" in (await client.get(link)).text


async def test_an_edit_keeps_what_the_form_does_not_show(site: Commune) -> None:
    made, services, actor = await programme(site), site.centre.services, site.centre.actor
    async with visitor(site) as client:
        saved = await client.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        path = saved.headers["location"].partition("?")[0]
        [known] = await services.schedules.list(actor)
        typed = planned(made, site, version=known.version, weekday=["FR"], confirm_unusual="yes")
        assert (await client.post(f"{path}/edit", data=typed)).status_code == 303
        stale = await client.post(f"{path}/edit", data=typed)
    [changed] = await services.schedules.list(actor)
    assert (changed.rule, changed.late_ms, changed.zone) == ("FREQ=WEEKLY;BYDAY=FR", known.late_ms, known.zone)
    assert stale.status_code == 422


async def test_a_bulletin_goes_from_its_author_to_a_yes_and_into_a_programme(site: Commune) -> None:
    hoa = await site.centre.somebody("hoa", "operator", site.root)
    nam = await site.centre.somebody("nam", "approver", site.root)
    recording = await site.centre.recording("Phòng rét", area_id=site.root.id)
    typed = {"title": "Phòng rét", "area_id": site.root.id, "category": "farming", "text-vi": "Kính thưa bà con"}
    async with visitor(site, who=hoa) as author, visitor(site, who=nam) as leader:
        empty = await author.post("/bulletins/new", data=typed | {"text-vi": ""})
        assert 'id="wrong-voices"' in empty.text
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


async def test_hostile_text_is_only_text_on_the_pages_of_the_desk(site: Commune) -> None:
    text = "<script>window.pwned=1</script>\"'{{ 7001*7 }}"
    made = await programme(site)
    forms: dict[str, dict[str, Any]] = {
        "/schedules/new": planned(made, site, title=text, hour=text, first_day=text, own_rule=text),
        "/programmes": {"title": text, "area_id": text},
        "/bulletins/new": {"title": text, "area_id": text, "text-vi": text, "category": text, "source": text},
        "/people": {"name": text, "login": text, "role": text, "area_id": text, "password": text},
        f"/policies/{site.root.id}": {"windows": text, "earliest": text, "night_cap": text, "second_person": text},
        "/emergencies/new": {"message": text, "title": text, "times": text, "target": text},
        "/messages/new": {"title": text, "kind": text, "area_id": text, "text": text},
    }
    async with visitor(site) as client:
        for path, typed in forms.items():
            answer = await client.post(path, data=typed)
            assert answer.status_code == 422, path
            assert "<script>window" not in answer.text, path
            assert "49007" not in answer.text, path


async def test_a_programme_is_put_together_item_by_item(site: Commune) -> None:
    recording = await site.centre.recording("Nhạc hiệu", length_ms=15_000)
    async with visitor(site) as client:
        made = await client.post("/programmes", data={"title": "Sáng", "area_id": site.root.id})
        path = made.headers["location"].partition("?")[0]
        for item in [{"kind": "tune", "chosen": recording}, {"kind": "pause", "seconds": "5"}]:
            assert (await client.post(path, data={"act": "add", **item})).status_code == 303
        nothing = await client.post(path, data={"act": "add", "kind": "bulletin"})
        assert "Chưa chọn gì" in nothing.text
        await client.post(path, data={"act": "up", "position": "1"})
        page = await client.get(path)
        assert "cả buổi 20 giây" in page.text
        assert page.text.index("Khoảng lặng") < page.text.index("<b>Nhạc hiệu")
        await client.post(path, data={"act": "remove", "position": "1"})
        assert "Nhạc hiệu" not in said(await client.get(path)).partition("Thêm mục")[0].partition("Sáng")[2]


async def test_somebody_is_added_given_a_role_and_closed(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Đồng"]
    typed = {"name": "Trần Thị Hoa", "login": "hoa", "password": "ba con vịt xanh", "role": "operator"}
    async with visitor(site) as client:
        short = await client.post("/people", data=typed | {"password": "ngắn", "area_id": hamlet.id})
        assert 'value="Trần Thị Hoa"' in short.text
        assert 'id="wrong-password"' in short.text
        assert "ngắn" not in short.text.partition("<form")[0]
        added = await client.post("/people", data=typed | {"area_id": hamlet.id})
        path = added.headers["location"].partition("?")[0]
        assert "Cán bộ phát thanh · Thôn Đồng" in (await client.get(path)).text
        await client.post(path, data={"act": "grant", "role": "approver", "area_id": site.root.id})
        assert "Người duyệt (lãnh đạo) · Xã Nga My" in (await client.get(path)).text
        await client.post(path, data={"act": "close"})
        assert "Đã khóa từ" in (await client.get(path)).text


async def test_rules_are_read_changed_and_a_change_is_foreseen(site: Commune) -> None:
    path = f"/policies/{site.root.id}"
    await site.broadcast("Bản tin tối", start_at=site.centre.clock().replace(hour=14), confirm_unusual=True)
    typed = {"version": "0", "windows": "5h-6h30, 17:00–18:30", "sessions_a_day": "3", "second_person": "all"}
    async with visitor(site) as client:
        looked = await client.post(path, data=typed | {"look": "yes"})
        assert "Bản tin tối" in looked.text
        assert "Ngoài khung giờ được phát" in looked.text
        wrong = await client.post(path, data=typed | {"windows": "sáng sớm"})
        assert 'id="wrong-windows"' in wrong.text
        assert 'value="sáng sớm"' in wrong.text
        assert (await client.post(path, data=typed)).status_code == 303
        page = said(await client.get(f"/policies/{site.hamlets['Thôn Đồng'].id}"))
        assert "Khung giờ được phát 05:00–06:30, 17:00–18:30 theo Xã Nga My" in page
        assert (await client.post(f"{path}/quiet-hours", data={"quiet": "21:00-05:00"})).status_code == 303
        assert "21:00–05:00" in (await client.get(path)).text


async def test_an_alarm_stands_on_top_until_somebody_looks_after_it(site: Commune) -> None:
    detail = {"login": "hoa", "name": "Hoa", "origin": ADDRESS}
    async with site.centre.database.transaction() as tx:
        await site.centre.services.alarms.raise_(tx, "people.locked", site.root.id, "people/x", detail)
    async with visitor(site) as client:
        assert "1 cảnh báo chưa ai tiếp nhận" in (await client.get("/today")).text
        page = await client.get("/alarms")
        assert "hoa (Hoa)" in page.text
        [act] = re.findall(r'action="(/alarms/\w+/acknowledgement)"', page.text)
        for _ in range(2):
            assert (await client.post(act, data={})).status_code == 303
        assert "Nguyễn Thị Lan tiếp nhận" in (await client.get("/alarms")).text
        assert "cảnh báo chưa ai" not in (await client.get("/today")).text


async def test_what_a_role_may_not_do_is_not_offered(site: Commune) -> None:
    observer = await site.centre.somebody("minh", "observer", site.root)
    operator = await site.centre.somebody("hoa", "operator", site.hamlets["Thôn Đồng"])
    everything = ["/say", "/bulletins", "/approvals", "/emergencies", "/alarms", "/people", "/policies"]

    async def entries(client: httpx.AsyncClient) -> list[str]:
        page = (await client.get("/today")).text
        return [path for path in everything if f'href="{path}"' in page]

    async with visitor(site) as client:
        assert await entries(client) == everything
    async with visitor(site, who=observer) as client:
        assert await entries(client) == []
        page = (await client.get("/today")).text
        assert 'class="stopbar"' not in page
        refused = await client.get("/people")
        assert refused.status_code == 403
        assert "không có quyền" in refused.text
        assert "lỗi ở trung tâm" not in refused.text
    async with visitor(site, who=operator) as client:
        assert await entries(client) == ["/say", "/bulletins", "/approvals", "/emergencies", "/policies"]
        assert "Nhận cụm loa" not in (await client.get("/nodes")).text


async def test_who_works_in_one_hamlet_silences_that_hamlet_with_one_press(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Trại"]
    helper = await site.centre.somebody("tam", "helper", hamlet)
    async with visitor(site, who=helper) as client:
        assert (await client.post("/holds", data={"everything": "yes"})).status_code == 303
    assert [hold.scope for hold in await site.centre.services.holds.active(site.centre.actor)] == [hamlet.scope]


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
        [path] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
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


async def test_a_schedule_without_a_yes_waits_and_its_request_says_when_it_sounds(site: Commune) -> None:
    hoa, made = await site.centre.somebody("hoa", "operator", site.root), await programme(site)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    async with visitor(site, who=hoa) as author, visitor(site) as leader:
        saved = await author.post("/schedules/new", data=planned(made, site, confirm_unusual="yes"))
        for path in ("/schedules", saved.headers["location"]):
            page = said(await author.get(path))
            assert "Chờ duyệt" in page
            assert "Đã lên kế hoạch" not in page
        [path] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        page = said(await leader.get(path))
    assert "Thứ Hai, Thứ Tư lúc 17:30" in page
    assert "Những lần tới: 17:30 Thứ Tư 26/11" in page


async def test_a_returned_schedule_does_not_look_ready_anywhere(site: Commune) -> None:
    hoa, made = await site.centre.somebody("hoa", "operator", site.root), await programme(site)
    rules = PolicyIn.model_validate({"version": 0, "rules": {"second_person": [{}]}})
    await site.centre.services.policies.put(site.centre.actor, site.root.id, rules)
    async with visitor(site, who=hoa) as author, visitor(site) as leader:
        typed = planned(made, site, confirm_unusual="yes", weekday=["MO"], first_day="24/11/2031")
        saved = await author.post("/schedules/new", data=typed)
        [path] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        await leader.post(path, data={"act": "return", "reason": "Dài quá"})
        for where in ("/schedules", saved.headers["location"]):
            page = said(await author.get(where))
            assert "Bị trả lại: Dài quá" in page
            assert "Hãy sửa lịch rồi lưu" in page
            assert "Đã lên kế hoạch" not in page
            assert "Lần tới" not in page
        assert "bị trả lại, sẽ không phát: Dài quá" in said(await author.get("/today"))


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
        [path] = re.findall(r'href="(/approvals/\w+)"', (await leader.get("/approvals")).text)
        assert "Thay đổi so với bản đã duyệt" not in (await leader.get(path)).text
        await leader.post(path, data={"act": "approve"})
        await broadcasts.change(author, run.id, BroadcastIn.checked(**wanted, start_at=at + timedelta(hours=1)))
        queue = await leader.get("/approvals")
        [path] = re.findall(r'href="(/approvals/\w+)"', queue.text)
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


async def test_what_is_said_now_asks_how_it_comes_into_a_session(site: Commune) -> None:
    soon = site.centre.clock() + timedelta(minutes=1)
    run = await site.broadcast("Bản tin chiều", length_ms=600_000, start_at=soon, confirm_unusual=True)
    site.centre.clock.step(minutes=1)
    for name in site.nodes:
        await site.says(run, name, state=PlayState.PLAYING, item=0)
    site.centre.clock.step(minutes=1)
    recording = await site.centre.recording("Mất nước")
    typed = {"recording": recording, "title": "Mất nước", "target": [site.root.scope], "when": "now"}
    async with visitor(site) as client:
        waits = (await client.post("/say/preview", data=typed)).text
        assert 'name="during" value="" checked' in waits
        fades = (await client.post("/say/preview", data=typed | {"during": "fade"})).text
        assert 'name="during" value="fade" checked' in fades
        sent = await client.post("/say", data=typed | {"during": "fade"})
    assert sent.status_code == 303


async def test_a_page_names_the_place_that_it_is_about(site: Commune) -> None:
    hamlet, node = site.hamlets["Thôn Trại"], site.nodes["Cổng chợ Trại"]
    run = await site.broadcast("Họp thôn", "Thôn Trại")
    typed = planned(await programme(site), site, target=[hamlet.scope], confirm_unusual="yes")
    async with visitor(site) as client:
        schedule = (await client.post("/schedules/new", data=typed)).headers["location"].partition("?")[0]
        about = [schedule, f"{schedule}/edit", f"/nodes/{node.id}", f"/broadcasts/{run.id}", f"/policies/{hamlet.id}"]
        for path in [*about, f"/nodes/{node.id}/broadcasts/{run.id}/why"]:
            assert '<p class="place">Thôn Trại</p>' in (await client.get(path)).text, path
        assert '<p class="place">Xã Nga My</p>' in (await client.get("/schedules")).text
