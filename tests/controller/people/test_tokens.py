"""Machines' keys: no more than the acts they name, no more than their person, and never an account."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from controller.areas.schemas import AreaOut
from controller.people.models import ApiToken
from controller.people.rights import Act
from controller.people.schemas import PersonOut
from controller.people.tokens import TAKE_A_PERSON
from tests.controller.factories import PASSWORD, Centre

TOKENS = "/api/v1/people/me/tokens"


def wish(here: Centre, *acts: str, **given: Any) -> dict[str, Any]:
    until = here.clock() + timedelta(days=30)
    return {"name": "Trạm quan trắc", "acts": acts, "expires_at": until.isoformat(), **given}


async def machine(here: Centre, client: httpx.AsyncClient, *acts: str) -> dict[str, str]:
    made = await client.post(TOKENS, json=wish(here, *acts))
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['token']}"}


@pytest.fixture
async def area(here: Centre) -> AreaOut:
    return await here.area("Xã A", kind="commune")


@pytest.fixture
async def binh(here: Centre, area: AreaOut) -> PersonOut:
    return await here.somebody("binh", "operator", area)


async def test_a_key_does_what_it_names_and_nothing_else(here: Centre, area: AreaOut, binh: PersonOut) -> None:
    async with here.client(who=binh) as client:
        key = await machine(here, client, Act.HOLDS_ORDER)
    async with here.client(signed_in=False) as client:
        held = await client.post("/api/v1/holds", json={"scopes": [area.scope]}, headers=key)
        assert held.status_code == 201
        release = f"/api/v1/holds/{held.json()[0]['id']}/release"
        assert (await client.post(release, headers=key)).status_code == 403
        assert (await client.get("/api/v1/areas", headers=key)).status_code == 200
    async with here.client(who=binh) as client:
        assert (await client.post(release)).status_code == 200  # its person may


async def test_a_key_does_no_more_than_its_person_may(here: Centre, area: AreaOut, binh: PersonOut) -> None:
    async with here.client(who=binh) as client:
        key = await machine(here, client, Act.AREAS_CREATE)
    async with here.client(signed_in=False) as client:
        wanted = {"name": "Thôn 1", "parent_id": area.id}
        assert (await client.post("/api/v1/areas", json=wanted, headers=key)).status_code == 403


async def test_a_key_changes_no_account_its_own_makers_included(here: Centre, binh: PersonOut) -> None:
    async with here.client() as client:
        key = await machine(here, client, *(act for act in Act if act not in TAKE_A_PERSON))
    me = "/api/v1/people/me"
    async with here.client(signed_in=False) as client:
        for method, path, body in (
            ("PATCH", me, {"locale": "en"}),
            ("POST", f"{me}/password", {"old": PASSWORD, "new": "another password"}),
            ("POST", f"{me}/factor", {"password": PASSWORD}),
            ("POST", f"{me}/factor/confirmation", {"code": "123456"}),
            ("POST", f"{me}/factor/recovery-codes", None),
            ("POST", "/api/v1/sessions/factor", {"code": "123456"}),
            ("POST", TOKENS, wish(here)),
            ("GET", TOKENS, None),
            ("GET", f"{me}/sessions", None),
            ("DELETE", f"{me}/sessions", None),
            ("GET", "/api/v1/people", None),
            ("PATCH", f"/api/v1/people/{binh.id}", {"disabled": True}),
            ("DELETE", f"/api/v1/people/{binh.id}/factor", None),
        ):
            answer = await client.request(method, path, json=body, headers=key)
            assert answer.status_code == 403, (path, answer.text)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"acts": ["people.fly"]}, "acts"),
        *(({"acts": [act]}, "acts") for act in sorted(TAKE_A_PERSON)),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
        ({"name": " "}, "name"),
    ],
)
async def test_a_key_that_may_not_be_is_refused(here: Centre, given: dict[str, Any], field: str) -> None:
    async with here.client() as client:
        refused = await client.post(TOKENS, json=wish(here, **given))
    assert (refused.status_code, refused.json()["error"]["fields"]["field"]) == (422, field)


async def test_a_key_ends_by_its_time_and_by_being_revoked(here: Centre, binh: PersonOut) -> None:
    async with here.client(who=binh) as client, here.client(signed_in=False) as other:
        first, second = await machine(here, client), await machine(here, client)
        for key in (first, second):
            assert (await other.get("/api/v1/people/me", headers=key)).status_code == 200
        listed = (await client.get(TOKENS)).json()
        assert len(listed) == 2
        assert all("token" not in each and each["last_used_at"] for each in listed)
        gone = f"{TOKENS}/{listed[0]['id']}"
        assert (await client.delete(gone)).json()["revoked_at"] is not None
        assert (await client.delete(gone)).status_code == 409
        assert sorted([(await other.get("/api/v1/people/me", headers=key)).status_code for key in (first, second)]) == [
            200,
            401,
        ]
        here.clock.step(days=30)
        for key in (first, second):
            assert (await other.get("/api/v1/people/me", headers=key)).status_code == 401


async def test_an_administrator_revokes_the_keys_of_the_people_of_the_area(
    here: Centre, area: AreaOut, binh: PersonOut
) -> None:
    anh = await here.somebody("anh", "administrator", area)
    async with here.client(who=binh) as client, here.client(who=anh) as admin, here.client(signed_in=False) as other:
        key = await machine(here, client)
        at = f"/api/v1/people/{binh.id}/tokens"
        [listed] = (await admin.get(at)).json()
        assert (await admin.delete(f"{at}/{listed['id']}")).status_code == 200
        assert (await other.get("/api/v1/people/me", headers=key)).status_code == 401
        assert (await admin.delete(f"{TOKENS}/{listed['id']}")).status_code == 404  # not his own


async def test_a_key_is_kept_as_its_hash(here: Centre) -> None:
    async with here.client() as client:
        key = await machine(here, client)
    async with here.database.reading() as session:
        [row] = (await session.scalars(select(ApiToken))).all()
    assert key["Authorization"].partition(" ")[2] not in str(vars(row))


@pytest.mark.parametrize(
    "act",
    ["people.add", "people.change", "approvals.give", "emergencies.confirm", "emergencies.break_glass"],
)
async def test_what_takes_a_person_no_key_may_name(here: Centre, act: str) -> None:
    async with here.client() as client:
        refused = await client.post(TOKENS, json=wish(here, act))
    assert (refused.status_code, refused.json()["error"]["fields"]["problem"]) == (422, "takes_a_person")
