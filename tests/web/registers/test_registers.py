"""People, rules and alarms over HTTP."""

import re
from urllib.parse import quote

from controller.people.rights import Role
from tests.controller.factories import ADDRESS
from tests.web.harness import Commune, visitor
from tests.web.pages import HOSTILE, called, said
from tests.web.scenes import planned_week


async def test_somebody_is_added_given_a_role_and_closed(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Đồng"]
    typed = {"name": "Trần Thị Hoa", "login": "hoa", "password": "ba con vịt xanh", "role": "operator"}
    async with visitor(site) as client:
        short = await client.post("/people", data=typed | {"password": "ngắn", "area_id": hamlet.id})
        assert 'value="Trần Thị Hoa"' in short.text
        assert 'id="wrong-password"' in short.text
        assert "ngắn" not in short.text.partition("<form")[0]
        no_number = await client.post("/people", data=typed | {"area_id": hamlet.id, "phone": "hỏi Lan"})
        assert 'id="wrong-phone"' in no_number.text
        added = await client.post("/people", data=typed | {"area_id": hamlet.id, "phone": "0912 345 678"})
        path = added.headers["location"].partition("?")[0]
        assert "Cán bộ phát thanh · Thôn Đồng" in (await client.get(path)).text
        await client.post(path, data={"act": "grant", "role": "approver", "area_id": site.root.id})
        assert "Người duyệt (lãnh đạo) · Xã Nga My" in (await client.get(path)).text
        assert 'href="tel:0912345678"' in (await client.get(path)).text
        await client.post(path, data={"act": "own", "name": "Trần Thị Hòa", "phone": ""})
        assert "tel:" not in (await client.get(path)).text
        await client.post(path, data={"act": "close"})
        assert "Đã khóa từ" in (await client.get(path)).text


async def test_all_that_is_wrong_with_somebody_is_told_at_once(site: Commune) -> None:
    typed = {"name": "", "login": "A B", "password": "123", "phone": "abc", "role": "operator", "area_id": site.root.id}
    async with visitor(site) as client:
        wrong = await client.post("/people", data=typed)
        mended = {"name": "Trần Thị Hoa", "login": "hoa", "password": "ba con vịt xanh"}
        again = said(await client.post("/people", data=typed | mended))
    assert wrong.status_code == 422
    for field in ("name", "login", "password", "phone"):
        assert f'id="wrong-{field}"' in wrong.text
    assert "Hãy gõ lại mật khẩu" not in said(wrong)  # it is told what is wrong with it
    assert "Hãy gõ lại mật khẩu: trang không giữ" in again
    everybody = await site.centre.services.accounts.list(site.centre.actor)
    assert "hoa" not in {each.login for each in everybody}


async def test_what_is_said_of_a_key_is_told_at_once(site: Commune) -> None:
    typed = {"act": "key", "name": "", "days": "30", "acts": "nothing"}
    async with visitor(site) as client:
        answer = await client.post("/settings", data=typed)
    assert 'id="wrong-name"' in answer.text
    assert 'id="wrong-acts"' in answer.text


async def test_rules_are_read_changed_and_a_change_is_foreseen(site: Commune) -> None:
    path = f"/policies/{site.root.id}"
    await site.broadcast("Bản tin tối", start_at=site.centre.clock().replace(hour=14), confirm_unusual=True)
    typed = {"version": "0", "windows": "5h-6h30, 17:00–18:30", "sessions_a_day": "3", "second_person": "all"}
    async with visitor(site) as client:
        looked = await client.post(path, data=typed | {"look": "yes"})
        assert "Bản tin tối" in looked.text
        assert "(ngoài khung giờ được phát)" in looked.text
        wrong = await client.post(path, data=typed | {"windows": "sáng sớm"})
        assert 'id="wrong-windows"' in wrong.text
        assert 'value="sáng sớm"' in wrong.text
        assert "Chưa lưu." in said(await client.post(path, data=typed)), "who did not look is shown what it harms"
        [mark] = re.findall(r'name="looked" value="(\w+)"', looked.text)
        assert (await client.post(path, data=typed | {"looked": mark})).status_code == 303
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


async def test_accounts_are_narrowed_found_without_accents_and_taken_along(site: Commune) -> None:
    hamlet = site.hamlets["Thôn Đồng"]
    await site.centre.somebody("hoa", Role.OPERATOR, hamlet)
    async with visitor(site) as client:
        page = said(await client.get("/people", params={"role": "operator", "area": hamlet.id}))
        assert "Cán bộ phát thanh · Thôn Đồng" in page
        assert "Người quản trị · " not in page
        assert "Nguyễn Thị Lan" in said(await client.get("/people?q=nguyen%20thi%20lan"))
        taken = await client.get("/people.csv?role=operator")
        assert taken.headers["content-disposition"] == 'attachment; filename="tai-khoan.csv"'
        assert taken.text.startswith("\ufeff")
        assert len(taken.text.splitlines()) == 2
        assert "exports/people" in (await client.get("/activity.csv")).text


async def test_what_was_aired_is_listed_narrowed_and_taken_along(site: Commune) -> None:
    run = await site.broadcast("Cắt nước", "Thôn Trại")
    site.centre.clock.step(seconds=90)
    await site.played(run, "Đầu làng Trại")
    async with visitor(site) as client:
        page = await client.get("/history")
        assert f'href="/broadcasts/{run.id}"' in page.text
        assert "Thôn Trại" in said(page)
        assert run.id in (await client.get("/history?when=2031-11-24&q=cat%20nuoc")).text
        assert run.id in (await client.get("/history?when=2031-11")).text
        assert run.id not in (await client.get("/history?when=2031-11-23")).text
        assert run.id not in (await client.get("/history?result=cancelled")).text
        assert (await client.get("/history?when=hôm%20qua&result=x&p=-1&sort=;--")).status_code == 200
        taken = (await client.get("/history.csv?when=days_7")).text
        assert taken.splitlines()[1].startswith("2031-11-24 17:03:0")
        assert "Cắt nước" in taken
        empty = said(await client.get("/history?kind=emergency"))
        assert "Không tìm thấy gì" in empty


async def test_who_did_what_is_listed_in_words_and_only_for_who_may_read_it(site: Commune) -> None:
    operator = await site.centre.somebody("hoa", Role.OPERATOR, site.root)
    async with visitor(site, who=operator) as client:
        assert (await client.post("/holds", data={"everything": "yes"})).status_code == 303
        assert (await client.get("/activity")).status_code == 403
        assert (await client.get("/activity.csv")).status_code == 403
        assert "/activity" not in (await client.get("/today")).text
    async with visitor(site) as client:
        page = said(await client.get("/activity", params={"person": operator.id}))
        assert "Ra lệnh dừng · Xã Nga My" in page
        assert "Thêm địa bàn · Thôn Đồng" in said(await client.get("/activity?kind=areas"))
        assert "Ra lệnh dừng" not in said(await client.get("/activity?action=areas.create")).split("Lọc")[-1]
        taken = (await client.get("/activity.csv?kind=holds")).text.splitlines()
        assert len(taken) == 2
        assert "Ra lệnh dừng" in taken[1]


async def test_whoever_reads_what_was_done_can_open_all_that_it_leads_to(site: Commune) -> None:
    await planned_week(site)
    gone = await site.centre.area("Thôn không còn", site.root)
    leader = await site.centre.somebody("minh", Role.APPROVER, site.root)
    async with visitor(site) as client:
        await client.post(f"/places/{gone.id}/remove", data={})
    for who in (site.centre.person, leader):
        async with visitor(site, who=who) as client:
            pages = [(await client.get(f"/activity?page={number}")).text for number in (1, 2)]
            links = {link for page in pages for link in re.findall(r'href="(/\w+/\w+)"', page.partition("<tbody>")[2])}
            assert len(links) > 10
            assert [link for link in links if (await client.get(link)).status_code != 200] == []


async def test_alarms_are_narrowed_found_by_what_they_say_and_taken_along(site: Commune) -> None:
    for login, area in (("hoa", site.root), ("minh", site.hamlets["Thôn Trại"])):
        detail = {"login": login, "name": login.title(), "origin": ADDRESS}
        async with site.centre.database.transaction() as tx:
            await site.centre.services.alarms.raise_(tx, "people.locked", area.id, f"people/{login}", detail)
        site.centre.clock.step(seconds=60)
    async with visitor(site) as client:
        page = (await client.get("/alarms")).text
        assert page.index("minh (Minh)") < page.index("hoa (Hoa)")
        by_age = (await client.get("/alarms?sort=since")).text
        assert by_age.index("hoa (Hoa)") < by_age.index("minh (Minh)")
        assert "hoa (Hoa)" not in (await client.get("/alarms?q=thon%20trai%20thu%20sai")).text
        assert "hoa (Hoa)" not in (await client.get(f"/alarms?area={site.hamlets['Thôn Trại'].id}")).text
        [act, *_] = re.findall(r'action="(/alarms/\w+/acknowledgement)"', page)
        await client.post(act, data={})
        assert "minh (Minh)" in (await client.get("/alarms/live?state=acknowledged")).text
        assert "minh (Minh)" not in (await client.get("/alarms?state=waiting")).text
        assert len((await client.get("/alarms.csv")).text.splitlines()) == 3


async def test_hostile_names_are_only_text_in_the_registers(site: Commune) -> None:
    """All of them are there before the first page is read."""
    for number, text in enumerate(HOSTILE):
        await called(site, text)
        await site.centre.services.accounts.add(
            site.centre.actor,
            login=f"xau{number}",
            name=text,
            password="ba con vịt xanh",
            role="helper",
            area_id=site.root.id,
        )
    site.centre.clock.step(seconds=90)
    paths = ("/history", "/activity", "/people", "/places", "/places/merge", "/settings", "/updates", "/alarms")
    asked = ["", *(f"?q={quote(text)}&when={quote(text)}&sort={quote(text)}" for text in HOSTILE)]
    async with visitor(site) as client:
        for text in HOSTILE:
            await client.post("/settings", data={"act": "key", "name": text, "days": "30"})
        for path in paths:
            for q in asked:
                answer = await client.get(path + q)
                assert answer.status_code == 200, path
                assert "<script>window" not in answer.text, path
                assert "<img src=x" not in answer.text, path
                assert "<svg/onload" not in answer.text, path
                assert "49007" not in answer.text, path
