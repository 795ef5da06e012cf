"""Accounts: who may look at, add, change and close whose; nobody gives more than he has."""

from typing import Any

import httpx
import pytest

from controller.areas.schemas import AreaOut
from controller.people import totp
from controller.people.rights import Role
from controller.people.schemas import PersonOut
from tests.controller.factories import PASSWORD, Centre

PEOPLE = "/api/v1/people"
ELSEWHERE = "another long password"


def new(login: str = "dung", role: str = "operator", area: AreaOut | None = None) -> dict[str, Any]:
    return {
        "login": login,
        "name": "Lê Văn Dũng",
        "password": PASSWORD,
        "role": role,
        "area_id": area.id if area else None,
    }


async def audited(here: Centre) -> tuple[str, str | None]:
    async with here.client() as client:
        entries = (await client.get("/api/v1/audit", params={"limit": 2})).json()
    entry = next(each for each in entries if each["action"] != "people.sign_in")
    return entry["action"], entry["detail"].get("login")


@pytest.fixture
async def commune(here: Centre) -> AreaOut:
    return await here.area("Xã A", kind="commune")


@pytest.fixture
async def other(here: Centre) -> AreaOut:
    return await here.area("Xã B", kind="commune")


@pytest.fixture
async def anh(here: Centre, commune: AreaOut) -> PersonOut:
    """The commune's administrator."""
    return await here.somebody("anh", "administrator", commune)


async def test_an_administrator_of_an_area_adds_people_there_and_below_and_nowhere_else(
    here: Centre, commune: AreaOut, other: AreaOut, anh: PersonOut
) -> None:
    hamlet = await here.area("Thôn 1", commune)
    async with here.client(who=anh) as client:
        for number, role in enumerate(Role):
            answer = await client.post(PEOPLE, json=new(f"nguoi{number}", role, hamlet))
            assert answer.status_code == 201, answer.text
        for area in (other, None):
            refused = await client.post(PEOPLE, json=new("khac", "observer", area))
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert (await client.post(PEOPLE, json=new("nguoi0", "observer", hamlet))).status_code == 409
        assert (await client.post(PEOPLE, json=new("moi", "king", hamlet))).status_code == 422
    assert (await audited(here))[0] == "people.add"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
async def test_nobody_else_looks_after_people(here: Centre, commune: AreaOut, anh: PersonOut, role: str) -> None:
    person = await here.somebody("binh", role, commune)
    async with here.client(who=person) as client:
        assert (await client.post(PEOPLE, json=new("dung", "observer", commune))).status_code == 403
        assert (await client.get(PEOPLE)).status_code == 403
        assert (await client.get(f"{PEOPLE}/{anh.id}")).status_code == 403
        assert (await client.get(f"{PEOPLE}/{person.id}")).status_code == 200
        own = f"{PEOPLE}/{person.id}/grants"
        assert (await client.post(own, json={"role": "administrator", "area_id": commune.id})).status_code == 403


async def test_a_commune_neither_sees_nor_touches_the_people_of_another(
    here: Centre, commune: AreaOut, other: AreaOut, anh: PersonOut
) -> None:
    own = await here.somebody("binh", "operator", commune)
    foreign = await here.somebody("chi", "operator", other)
    async with here.client(who=anh) as client:
        assert [each["login"] for each in (await client.get(PEOPLE)).json()] == ["anh", "binh"]
        assert (await client.get(f"{PEOPLE}/{own.id}")).status_code == 200
        for person in (foreign, here.person):
            at = f"{PEOPLE}/{person.id}"
            assert (await client.get(at)).status_code == 404
            for method, path, body in (
                ("PATCH", at, {"disabled": True}),
                ("POST", f"{at}/grants", {"role": "observer", "area_id": commune.id}),
                ("DELETE", f"{at}/grants/{person.grants[0].id}", None),
                ("DELETE", f"{at}/factor", None),
                ("GET", f"{at}/sessions", None),
                ("DELETE", f"{at}/sessions", None),
                ("GET", f"{at}/devices", None),
                ("GET", f"{at}/tokens", None),
            ):
                assert (await client.request(method, path, json=body)).status_code == 404, path


async def test_who_works_elsewhere_too_is_seen_but_changed_only_by_who_looks_after_both(
    here: Centre, commune: AreaOut, other: AreaOut, anh: PersonOut
) -> None:
    """Else an administrator of one commune would set the password of somebody in another."""
    both = await here.somebody("binh", "operator", commune)
    await here.services.accounts.grant(here.actor, both.id, role="approver", area_id=other.id)
    at = f"{PEOPLE}/{both.id}"
    async with here.client(who=anh) as client:
        seen = (await client.get(at)).json()
        for body in ({"password": ELSEWHERE}, {"disabled": True}, {"name": "Bình"}):
            assert (await client.patch(at, json=body)).status_code == 403
        assert (await client.delete(f"{at}/factor")).status_code == 403
        assert (await client.get(f"{at}/sessions")).status_code == 403
        there = next(each["id"] for each in seen["grants"] if each["area_id"] == other.id)
        assert (await client.delete(f"{at}/grants/{there}")).status_code == 403
        here_too = next(each["id"] for each in seen["grants"] if each["area_id"] == commune.id)
        assert (await client.delete(f"{at}/grants/{here_too}")).status_code == 200
        assert (await client.get(at)).status_code == 404  # now he works elsewhere only


async def test_a_role_is_given_once_and_taken_and_counts_at_once(
    here: Centre, commune: AreaOut, anh: PersonOut
) -> None:
    person = await here.somebody("binh", "observer", commune)
    wanted = {"role": "operator", "area_id": commune.id}
    async with here.client(who=anh) as client, here.client(who=person) as binh:
        assert (await binh.post("/api/v1/holds", json={"scopes": [commune.scope]})).status_code == 403
        given = await client.post(f"{PEOPLE}/{person.id}/grants", json=wanted)
        assert given.status_code == 201
        assert (await client.post(f"{PEOPLE}/{person.id}/grants", json=wanted)).status_code == 409
        assert (await binh.post("/api/v1/holds", json={"scopes": [commune.scope]})).status_code == 201
        [grant] = [each["id"] for each in given.json()["grants"] if each["role"] == "operator"]
        for status in (200, 404):
            assert (await client.delete(f"{PEOPLE}/{person.id}/grants/{grant}")).status_code == status
        assert (await binh.post("/api/v1/holds", json={"scopes": [commune.scope]})).status_code == 403
    assert await audited(here) == ("people.change", "binh")


async def test_the_last_administrator_of_everything_stays(here: Centre, commune: AreaOut, anh: PersonOut) -> None:
    """One of an area does not count, nor one whose account is closed."""
    at, grant = f"{PEOPLE}/{here.person.id}", here.person.grants[0].id

    async def leave(client: httpx.AsyncClient) -> list[int]:
        gone = await client.delete(f"{at}/grants/{grant}")
        closed = await client.patch(at, json={"disabled": True})
        return [gone.status_code, closed.status_code]

    async with here.client() as client:
        assert await leave(client) == [409, 409]
        second = await here.somebody("hai", "administrator")
        answer = await client.patch(f"{PEOPLE}/{second.id}", json={"disabled": True})
        assert answer.status_code == 200
        assert await leave(client) == [409, 409]
        assert (await client.patch(at, json={"disabled": True})).json()["error"]["code"] == "last_administrator"
        await client.patch(f"{PEOPLE}/{second.id}", json={"disabled": False})
        assert (await client.delete(f"{at}/grants/{grant}")).status_code == 200
    assert (await here.services.accounts.get(here.actor, "me")).grants == ()


async def test_a_closed_account_is_out_at_once_with_its_machines_and_opens_without_them(
    here: Centre, commune: AreaOut
) -> None:
    person = await here.somebody("binh", "operator", commune)
    async with here.client(who=person) as binh, here.client() as lan, here.client(signed_in=False) as machine:
        until = (here.clock().replace(year=2026, month=12)).isoformat()
        made = await binh.post(f"{PEOPLE}/me/tokens", json={"name": "trạm", "acts": [], "expires_at": until})
        machine.headers["Authorization"] = f"Bearer {made.json()['token']}"
        assert (await machine.get(f"{PEOPLE}/me")).status_code == 200
        assert (await lan.patch(f"{PEOPLE}/{person.id}", json={"disabled": True})).json()["disabled_at"] is not None
        for client in (binh, machine):
            assert (await client.get(f"{PEOPLE}/me")).status_code == 401
        assert (await lan.patch(f"{PEOPLE}/{person.id}", json={"disabled": False})).json()["disabled_at"] is None
        for client in (binh, machine):
            assert (await client.get(f"{PEOPLE}/me")).status_code == 401


async def test_a_new_password_of_ones_own_needs_the_old_one_and_ends_the_other_sessions(
    here: Centre, commune: AreaOut
) -> None:
    person = await here.somebody("binh", "operator", commune)
    path = f"{PEOPLE}/me/password"
    async with here.client(who=person) as one, here.client(who=person) as two:
        wrong = await one.post(path, json={"old": "not this one", "new": ELSEWHERE})
        assert (wrong.status_code, wrong.json()["error"]["fields"]["field"]) == (422, "old")
        assert (await one.post(path, json={"old": PASSWORD, "new": "short"})).status_code == 422
        assert (await one.post(path, json={"old": PASSWORD, "new": ELSEWHERE})).status_code == 204
        assert [(await client.get(f"{PEOPLE}/me")).status_code for client in (one, two)] == [200, 401]
        for _ in range(10):
            assert (await one.post(path, json={"old": PASSWORD, "new": PASSWORD})).status_code == 422
        assert (await one.post(path, json={"old": ELSEWHERE, "new": PASSWORD})).status_code == 429
    assert (await here.services.people.sign_in(login="binh", password=ELSEWHERE, origin="tests")).needs is None


async def test_an_administrator_sets_a_forgotten_password_and_the_sessions_end(here: Centre, commune: AreaOut) -> None:
    person = await here.somebody("binh", "operator", commune)
    async with here.client(who=person) as binh, here.client() as lan:
        assert (await lan.patch(f"{PEOPLE}/{person.id}", json={"password": ELSEWHERE})).status_code == 200
        assert (await binh.get(f"{PEOPLE}/me")).status_code == 401
    assert (
        await here.services.people.sign_in(login="binh", password=ELSEWHERE, origin="tests")
    ).needs == "choose_password"


async def test_who_did_not_choose_the_password_does_nothing_before_choosing_another(
    here: Centre, commune: AreaOut
) -> None:
    wanted = {"login": "binh", "name": "Bình", "password": PASSWORD, "role": "approver", "area_id": commune.id}
    async with here.client() as lan, here.client(signed_in=False) as binh:
        assert (await lan.post(PEOPLE, json=wanted)).json()["password_due"] is True
        opened = (await binh.post("/api/v1/sessions", json={"login": "binh", "password": PASSWORD})).json()
        binh.headers["Authorization"] = f"Bearer {opened['token']}"
        assert opened["needs"] == "choose_password"
        asked = [binh.get(f"{PEOPLE}/me"), binh.get("/api/v1/areas"), binh.post(f"{PEOPLE}/me/factor", json={})]
        for each in asked:
            refused = await each
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "password_due")
        path = f"{PEOPLE}/me/password"
        for new, problem in ((PASSWORD, "same_password"), ("short", "too_short")):
            answer = await binh.post(path, json={"old": PASSWORD, "new": new})
            assert (answer.status_code, answer.json()["error"]["fields"]["problem"]) == (422, problem)
        assert (await binh.post(path, json={"old": PASSWORD, "new": ELSEWHERE})).status_code == 204
        refused = await binh.get(f"{PEOPLE}/me")  # an approver's next step
        assert refused.json()["error"]["fields"]["problem"] == "set_up"
        assert (await lan.get(f"{PEOPLE}/{opened['person']['id']}")).json()["password_due"] is False


async def test_a_password_set_for_somebody_with_a_second_factor_does_not_stand_for_it(
    here: Centre, commune: AreaOut
) -> None:
    person = await here.somebody("binh", "operator", commune)
    async with here.client(who=person) as client:
        secret = (await client.post(f"{PEOPLE}/me/factor", json={"password": PASSWORD})).json()["secret"]
        code = totp.code_at(secret, here.clock())
        assert (await client.post(f"{PEOPLE}/me/factor/confirmation", json={"code": code})).status_code == 200
    await here.services.accounts.change(here.actor, person.id, password=ELSEWHERE)
    here.clock.step(seconds=60)
    async with here.client(signed_in=False) as client:
        opened = (await client.post("/api/v1/sessions", json={"login": "binh", "password": ELSEWHERE})).json()
        client.headers["Authorization"] = f"Bearer {opened['token']}"
        assert opened["needs"] == "code"
        path = f"{PEOPLE}/me/password"
        assert (await client.post(path, json={"old": ELSEWHERE, "new": PASSWORD})).status_code == 401
        code = totp.code_at(secret, here.clock())
        assert (await client.post("/api/v1/sessions/factor", json={"code": code})).status_code == 200
        assert (await client.get(f"{PEOPLE}/me")).json()["error"]["code"] == "password_due"
        assert (await client.post(path, json={"old": ELSEWHERE, "new": PASSWORD})).status_code == 204
        assert (await client.get(f"{PEOPLE}/me")).status_code == 200


async def test_sessions_are_listed_and_ended_by_their_person_and_by_the_administrator(
    here: Centre, commune: AreaOut, anh: PersonOut
) -> None:
    person = await here.somebody("binh", "operator", commune)
    async with here.client(who=person) as one, here.client(who=person) as two, here.client(who=anh) as admin:
        mine = (await one.get(f"{PEOPLE}/me/sessions")).json()
        assert sorted(each["current"] for each in mine) == [False, True]
        theirs = (await admin.get(f"{PEOPLE}/{person.id}/sessions")).json()
        assert {each["id"] for each in theirs} == {each["id"] for each in mine}
        assert not any(each["current"] for each in theirs)
        [second] = [each["id"] for each in mine if not each["current"]]
        assert (await one.delete(f"{PEOPLE}/me/sessions/{second}")).status_code == 204
        assert (await one.delete(f"{PEOPLE}/me/sessions/{second}")).status_code == 404
        assert (await two.get(f"{PEOPLE}/me")).status_code == 401
        [foreign] = (await admin.get(f"{PEOPLE}/me/sessions")).json()
        assert (await one.delete(f"{PEOPLE}/me/sessions/{foreign['id']}")).status_code == 404
        assert (await one.delete(f"{PEOPLE}/me/sessions")).status_code == 204
        assert (await one.get(f"{PEOPLE}/me")).status_code == 200  # all but the one that asks
        assert (await admin.delete(f"{PEOPLE}/{person.id}/sessions")).status_code == 204
        assert (await one.get(f"{PEOPLE}/me")).status_code == 401


async def test_ten_wrong_passwords_raise_one_alarm_where_the_person_works(here: Centre, commune: AreaOut) -> None:
    await here.somebody("binh", "operator", commune)
    async with here.client(signed_in=False) as client:
        for number in range(12):
            answer = await client.post("/api/v1/sessions", json={"login": "binh", "password": "wrong password"})
            assert answer.status_code == (401 if number < 10 else 429)
    [alarm] = await here.services.alarms.list(here.actor)
    assert (alarm.kind, alarm.area_id, alarm.detail["login"]) == ("people.locked", commune.id, "binh")
    assert (alarm.detail["failures"], alarm.detail["everywhere"]) == (10, False)


async def test_a_password_tried_from_everywhere_locks_and_raises_the_alarm_again(
    here: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.people.service.MAX_FAILURES_ANYWHERE", 20)
    for number in range(20):
        with pytest.raises(Exception, match="wrong login"):
            await here.services.people.sign_in(login="lan", password="wrong one", origin=f"192.0.2.{number}")
    alarms = await here.services.alarms.list(here.actor)
    assert {(each.detail["failures"], each.detail["everywhere"]) for each in alarms} == {(10, False), (20, True)}
