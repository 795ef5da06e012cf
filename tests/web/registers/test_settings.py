"""A person's own settings: the look of a device, telephone, password, sessions, browsers and machines' keys."""

import re

import httpx

from controller.people.rights import Act, Role
from controller.people.schemas import PersonOut
from controller.people.tokens import TAKE_A_PERSON
from tests.controller.factories import PASSWORD
from tests.web.harness import Commune, visitor
from tests.web.pages import said
from tests.web.test_second_factor import set_up
from web.i18n import LOCALES, load


async def hoa(site: Commune, role: Role = Role.OPERATOR) -> PersonOut:
    return await site.centre.somebody("hoa", role, site.root)


async def test_the_look_is_the_devices_and_large_letters_last(site: Commune) -> None:
    async with visitor(site) as client:
        assert "data-look" not in (await client.get("/settings")).text
        chosen = await client.post("/look", data={"look": "large", "next": "/settings"})
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/settings")
        cookie = chosen.headers["set-cookie"]
        assert cookie.startswith("__Host-loa-look=large;")
        client.headers["Cookie"] += "; __Host-loa-look=large"
        page = (await client.get("/settings")).text
        assert '<html lang="vi" data-look="large">' in page
        assert re.search(r'name="look" value="large" checked', page)
        for typed in ({"look": "<script>"}, {"look": "large", "next": "//evil.test"}):
            answer = await client.post("/look", data=typed)
            assert answer.headers["location"] == "/settings"
        assert (await client.get("/look")).headers["location"] == "/settings"


async def test_ones_telephone_number_is_saved_and_a_wrong_one_stays_as_it_was_typed(site: Commune) -> None:
    async with visitor(site, who=await hoa(site)) as client:
        wrong = await client.post("/settings", data={"act": "phone", "phone": "hỏi Lan"})
        assert wrong.status_code == 422
        assert 'value="hỏi Lan"' in wrong.text
        assert "3 đến 15 chữ số" in wrong.text
        saved = await client.post("/settings", data={"act": "phone", "phone": "0912.345.678"})
        assert saved.headers["location"] == "/settings?done=saved"
        assert 'value="0912 345 678"' in (await client.get("/settings")).text


async def test_a_password_is_changed_by_who_knows_the_old_one(site: Commune) -> None:
    async with visitor(site, who=await hoa(site)) as client:
        typed = {"act": "password", "old": PASSWORD, "new": "ba con vịt xanh", "again": "ba con vịt xanh"}
        for field, value in (
            ("old", "sai hoàn toàn"),
            ("again", "ba con vịt đỏ"),
            ("new", PASSWORD),
            ("new", "ngắn"),
        ):
            again = {"again": value} if field == "new" else {}
            wrong = await client.post("/settings", data=typed | {field: value} | again)
            assert wrong.status_code == 422, field
            assert f'id="wrong-{field}"' in wrong.text
            assert "autofocus" not in wrong.text  # begin.js has the cursor in the field
            assert PASSWORD not in wrong.text
        changed = await client.post("/settings", data=typed)
        assert changed.headers["location"] == "/settings?done=password"
        assert (await client.get("/settings?done=password")).status_code == 200


async def test_sessions_elsewhere_are_seen_and_ended(site: Commune) -> None:
    person = await hoa(site)
    async with (
        visitor(site, who=person) as client,
        visitor(site, who=person) as other,
        visitor(site, who=person) as third,
    ):
        page = await client.get("/settings")
        assert page.text.count('name="act" value="end"') == 2
        assert "Máy này" in page.text
        [one, _] = re.findall(r'name="session" value="(\w+)"', page.text)
        assert (await client.post("/settings", data={"act": "end", "session": one})).status_code == 303
        assert sorted([await _status(other), await _status(third)]) == [200, 303]
        assert (await client.post("/settings", data={"act": "end_others"})).status_code == 303
        assert [await _status(each) for each in (client, other, third)] == [200, 303, 303]
        assert (await client.post("/settings", data={"act": "end", "session": "gone"})).status_code == 303


async def _status(client: httpx.AsyncClient) -> int:
    return (await client.get("/settings")).status_code


async def test_a_machines_key_is_shown_once_counts_and_is_revoked(site: Commune) -> None:
    async with visitor(site, who=await hoa(site)) as client:
        asked = {"act": "key", "name": "Bảng tin", "days": "30", "acts": ["holds.order"]}
        assert (await client.post("/settings", data=asked | {"name": " "})).status_code == 422
        assert (await client.post("/settings", data=asked | {"days": "9999"})).status_code == 422
        assert (await client.post("/settings", data=asked | {"acts": ["approvals.give"]})).status_code == 422
        made = await client.post("/settings", data=asked)
        assert made.headers["cache-control"] == "no-store, no-transform"
        [key] = re.findall(r"loa_[\w-]{20,}", made.text)
        bearer = {"Authorization": f"Bearer {key}", "Cookie": ""}
        assert (await client.get("/api/v1/people/me", headers=bearer)).json()["login"] == "hoa"
        page = await client.get("/settings")
        assert key not in page.text
        assert "Bảng tin" in said(page)
        assert "Ra lệnh dừng" in said(page)
        [token] = re.findall(r'name="token" value="(\w+)"', page.text)
        assert (await client.post("/settings", data={"act": "revoke", "token": token})).status_code == 303
        assert "Đã thu hồi lúc" in (await client.get("/settings")).text
        assert (await client.get("/api/v1/people/me", headers=bearer)).status_code == 401


async def test_no_key_is_offered_what_takes_a_person_or_what_its_maker_may_not(site: Commune) -> None:
    async with visitor(site, who=await hoa(site)) as client:
        offered = set(re.findall(r'name="acts" value="([\w.]+)"', (await client.get("/settings")).text))
    assert {"broadcasts.create", "holds.order"} <= offered
    assert not offered & {"approvals.give", "emergencies.break_glass", "people.change", "updates.add"}


def test_each_act_of_a_key_is_said_as_what_it_may_do() -> None:
    for locale in LOCALES:
        text = load(locale)
        lacking = [act for act in Act if act not in TAKE_A_PERSON and not text.has(f"key_act.{act.replace('.', '_')}")]
        assert lacking == []
        assert text.word("key_act", "of_next_year") == "of_next_year"


async def test_recovery_codes_are_made_anew_and_shown_this_once(site: Commune) -> None:
    async with visitor(site, who=await hoa(site)) as client:
        assert 'value="codes"' not in (await client.get("/settings")).text
        assert (await client.post("/settings", data={"act": "codes"})).headers["location"] == "/settings"
        await set_up(site.centre, client)
        page = await client.get("/settings")
        assert "các mã cũ trên giấy hết hiệu lực ngay" in said(page)
        made = await client.post("/settings", data={"act": "codes"})
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store, no-transform")
        codes = re.findall(r"<li><code>([^<]+)</code>", made.text)
        assert len(codes) == len(set(codes)) >= 8
        assert codes[0] not in (await client.get("/settings")).text
