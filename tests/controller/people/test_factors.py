"""The second factor: who needs one, that a code counts once, and the ways back when it is lost."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from controller.areas.schemas import AreaOut
from controller.audit.models import AuditEntry
from controller.http.middleware import DEVICE_COOKIE
from controller.people import totp
from controller.people.models import Person, RecoveryCode, Session
from tests.controller.factories import PASSWORD, Centre

SIGN_IN = "/api/v1/sessions"
SHOW = "/api/v1/sessions/factor"
FACTOR = "/api/v1/people/me/factor"
CONFIRM = "/api/v1/people/me/factor/confirmation"
ME = "/api/v1/people/me"


@pytest.fixture
async def area(here: Centre) -> AreaOut:
    return await here.area("Xã Nga My", kind="commune")


async def sign_in(client: httpx.AsyncClient, login: str) -> dict[str, Any]:
    answer = await client.post(SIGN_IN, json={"login": login, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    client.headers["Authorization"] = f"Bearer {opened['token']}"
    return opened


async def set_up(here: Centre, client: httpx.AsyncClient) -> tuple[str, list[str]]:
    """Give the secret and the recovery codes."""
    secret = (await client.post(FACTOR, json={"password": PASSWORD})).json()["secret"]
    answer = await client.post(CONFIRM, json={"code": totp.code_at(secret, here.clock())})
    assert answer.status_code == 200, answer.text
    return secret, answer.json()["codes"]


async def has_factor(here: Centre, login: str) -> tuple[str, list[str]]:
    async with here.client(signed_in=False) as client:
        await sign_in(client, login)
        found = await set_up(here, client)
    here.clock.step(seconds=90)
    return found


@pytest.mark.parametrize("role", ["approver", "administrator"])
async def test_who_approves_or_administers_may_do_nothing_before_setting_up_a_second_factor(
    here: Centre, area: AreaOut, role: str
) -> None:
    await here.somebody("binh", role, area)
    async with here.client(signed_in=False) as client:
        assert (await sign_in(client, "binh"))["needs"] == "set_up"
        for path in (ME, "/api/v1/areas", "/api/v1/events", "/api/v1/people/me/tokens"):
            refused = await client.get(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "second_factor"), path
            assert refused.json()["error"]["fields"]["problem"] == "set_up"
        wanted = await client.post(FACTOR, json={})
        assert wanted.json()["uri"].startswith("otpauth://totp/Loa:binh?secret=")
        secret = wanted.json()["secret"]
        wrong = await client.post(CONFIRM, json={"code": "000000"})
        assert (wrong.status_code, wrong.json()["error"]["fields"]["field"]) == (422, "code")
        assert (await client.get(ME)).status_code == 401
        codes = (await client.post(CONFIRM, json={"code": totp.code_at(secret, here.clock())})).json()["codes"]
        assert len(set(codes)) == totp.RECOVERY_CODES
        assert (await client.get(ME)).json()["second_factor"] is True
        assert secret not in (await client.get(ME)).text


@pytest.mark.parametrize("role", ["operator", "helper", "observer", "technician"])
async def test_who_neither_approves_nor_administers_may_do_without(here: Centre, area: AreaOut, role: str) -> None:
    await here.somebody("binh", role, area)
    async with here.client(signed_in=False) as client:
        assert (await sign_in(client, "binh"))["needs"] is None
        assert (await client.get(ME)).status_code == 200


async def test_who_has_a_second_factor_shows_it_at_every_sign_in(here: Centre, area: AreaOut) -> None:
    await here.somebody("binh", "approver", area)
    secret, _ = await has_factor(here, "binh")
    async with here.client(signed_in=False) as client:
        assert (await sign_in(client, "binh"))["needs"] == "code"
        refused = await client.get(ME)
        assert (refused.status_code, refused.json()["error"]["fields"]["problem"]) == (401, "code")
        assert (await client.post(FACTOR, json={"password": PASSWORD})).status_code == 401  # no new one over it
        assert (await client.post(CONFIRM, json={"code": "123456"})).status_code == 401
        shown = await client.post(SHOW, json={"code": totp.code_at(secret, here.clock())})
        assert (shown.status_code, shown.json()["login"]) == (200, "binh")
        assert (await client.get(ME)).status_code == 200


async def test_a_code_counts_once(here: Centre, area: AreaOut) -> None:
    await here.somebody("binh", "approver", area)
    secret, _ = await has_factor(here, "binh")
    code = totp.code_at(secret, here.clock())
    for status in (200, 422):
        async with here.client(signed_in=False) as client:
            await sign_in(client, "binh")
            assert (await client.post(SHOW, json={"code": code})).status_code == status


async def test_a_recovery_code_stands_for_the_telephone_once(here: Centre, area: AreaOut) -> None:
    await here.somebody("binh", "approver", area)
    _, codes = await has_factor(here, "binh")
    typed = codes[0].upper().replace("-", " ")
    for status in (200, 422):
        async with here.client(signed_in=False) as client:
            await sign_in(client, "binh")
            assert (await client.post(SHOW, json={"code": typed})).status_code == status
    async with here.database.reading() as session:
        kept = (await session.scalars(select(RecoveryCode))).all()
        entry = await session.scalar(select(AuditEntry).where(AuditEntry.action == "people.factor_shown"))
    assert entry is not None
    assert entry.detail["left"] == len(codes) - 1
    assert entry.area_id == area.id
    assert not {row.code_sha256 for row in kept} & set(codes)


async def test_somebody_elses_recovery_code_opens_nothing(here: Centre, area: AreaOut) -> None:
    for login in ("binh", "chi"):
        await here.somebody(login, "approver", area)
    _, codes = await has_factor(here, "binh")
    await has_factor(here, "chi")
    async with here.client(signed_in=False) as client:
        await sign_in(client, "chi")
        assert (await client.post(SHOW, json={"code": codes[0]})).status_code == 422


async def test_new_recovery_codes_end_the_old_ones_and_need_a_session_that_showed_its_factor(
    here: Centre, area: AreaOut
) -> None:
    await here.somebody("binh", "approver", area)
    secret, codes = await has_factor(here, "binh")
    path = "/api/v1/people/me/factor/recovery-codes"
    async with here.client(signed_in=False) as client:
        await sign_in(client, "binh")
        assert (await client.post(path)).status_code == 401
        await client.post(SHOW, json={"code": totp.code_at(secret, here.clock())})
        new = (await client.post(path)).json()["codes"]
        assert not set(new) & set(codes)
        await sign_in(client, "binh")
        assert (await client.post(SHOW, json={"code": codes[1]})).status_code == 422
        assert (await client.post(SHOW, json={"code": new[1]})).status_code == 200
    async with here.client() as client:
        assert (await client.post(path)).status_code == 409  # without a factor there is nothing to recover


async def test_guessing_codes_is_slow_and_raises_an_alarm(here: Centre, area: AreaOut) -> None:
    await here.somebody("binh", "approver", area)
    secret, _ = await has_factor(here, "binh")
    async with here.client(signed_in=False) as client:
        await sign_in(client, "binh")
        for number in range(5):
            assert (await client.post(SHOW, json={"code": f"{number:06}"})).status_code == 422
        right = {"code": totp.code_at(secret, here.clock())}
        for _ in range(2):
            refused = await client.post(SHOW, json=right)
            assert (refused.status_code, int(refused.headers["retry-after"]) > 60) == (429, True)
        here.clock.step(minutes=4)
        assert (await client.post(SHOW, json={"code": totp.code_at(secret, here.clock())})).status_code == 200
    [alarm] = await here.services.alarms.list(here.actor)
    assert (alarm.kind, alarm.area_id, alarm.detail["guessing"]) == ("people.locked", area.id, "codes")


async def test_a_new_factor_ends_the_other_sessions_and_wants_the_password(here: Centre) -> None:
    async with here.client() as one, here.client() as other:
        here.clock.step(minutes=11)
        for body in ({}, {"password": "something else"}):
            assert (await one.post(FACTOR, json=body)).status_code == 422
        await set_up(here, one)
        assert (await one.get(ME)).status_code == 200
        assert (await other.get(ME)).status_code == 401


async def test_a_confirmation_without_a_secret_sets_nothing(here: Centre) -> None:
    async with here.client() as client:
        assert (await client.post(CONFIRM, json={"code": "123456"})).status_code == 409
        assert (await client.post(SHOW, json={"code": "123456"})).status_code == 409
        assert (await client.get(ME)).json()["second_factor"] is False


async def test_a_remembered_browser_stands_for_the_code_of_an_operator_for_90_days(here: Centre, area: AreaOut) -> None:
    await here.somebody("binh", "operator", area)
    secret, _ = await has_factor(here, "binh")
    async with here.client(signed_in=False) as client:
        assert (await sign_in(client, "binh"))["needs"] == "code"
        shown = await client.post(SHOW, json={"code": totp.code_at(secret, here.clock()), "remember": True})
        cookie = shown.headers["set-cookie"]
        for flag in (f"{DEVICE_COOKIE}=", "HttpOnly", "Secure", "SameSite=strict", "Path=/"):
            assert flag in cookie
        device = cookie.partition("=")[2].partition(";")[0]
        same = {"Cookie": f"{DEVICE_COOKIE}={device}"}
        again = {"login": "binh", "password": PASSWORD}
        here.clock.step(days=89)
        assert (await client.post(SIGN_IN, json=again, headers=same)).json()["needs"] is None
        assert (await client.post(SIGN_IN, json=again)).json()["needs"] == "code"  # another browser
        here.clock.step(days=1)
        assert (await client.post(SIGN_IN, json=again, headers=same)).json()["needs"] == "code"


async def test_a_remembered_browser_opens_nothing_for_somebody_else_or_once_forgotten(
    here: Centre, area: AreaOut
) -> None:
    tokens = {}
    async with here.client(signed_in=False) as client:
        for login in ("binh", "chi"):
            await here.somebody(login, "operator", area)
            secret, _ = await has_factor(here, login)
            await sign_in(client, login)
            shown = await client.post(SHOW, json={"code": totp.code_at(secret, here.clock()), "remember": True})
            tokens[login] = shown.headers["set-cookie"].partition("=")[2].partition(";")[0]
        foreign = {"Cookie": f"{DEVICE_COOKIE}={tokens['binh']}"}
        body = {"login": "chi", "password": PASSWORD}
        assert (await client.post(SIGN_IN, json=body, headers=foreign)).json()["needs"] == "code"
        [device] = (await client.get("/api/v1/people/me/devices")).json()
        assert tokens["chi"] not in str(device)
        assert (await client.delete(f"/api/v1/people/me/devices/{device['id']}")).status_code == 204
        own = {"Cookie": f"{DEVICE_COOKIE}={tokens['chi']}"}
        assert (await client.post(SIGN_IN, json=body, headers=own)).json()["needs"] == "code"


async def test_an_approver_is_never_remembered(here: Centre, area: AreaOut) -> None:
    person = await here.somebody("binh", "operator", area)
    secret, _ = await has_factor(here, "binh")
    async with here.client(signed_in=False) as client:
        await sign_in(client, "binh")
        shown = await client.post(SHOW, json={"code": totp.code_at(secret, here.clock()), "remember": True})
        device = shown.headers["set-cookie"].partition("=")[2].partition(";")[0]
        await here.services.accounts.grant(here.actor, person.id, role="approver", area_id=area.id)
        assert (await client.get(ME)).status_code == 401  # signed out: the browser may have stood for the code
        opened = await client.post(
            SIGN_IN,
            json={"login": "binh", "password": PASSWORD},
            headers={"Cookie": f"{DEVICE_COOKIE}={device}"},
        )
        assert opened.json()["needs"] == "code"
        client.headers["Authorization"] = f"Bearer {opened.json()['token']}"
        here.clock.step(minutes=1)
        shown = await client.post(SHOW, json={"code": totp.code_at(secret, here.clock()), "remember": True})
        assert shown.status_code == 200
        assert "set-cookie" not in shown.headers


async def test_the_first_administrator_has_a_day_which_is_shown_and_audited(here: Centre) -> None:
    due_at = here.person.second_factor_due_at
    assert due_at == here.clock() + timedelta(hours=24)
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Person).values(grace_until=due_at))  # as it was before the tests' long one
    async with here.client(signed_in=False) as client:
        assert (await sign_in(client, "lan"))["needs"] is None
        assert (await client.get(ME)).json()["second_factor_due_at"] is not None
        entries = (await client.get("/api/v1/audit")).json()
        assert entries[0]["detail"] == {"second_factor": "grace"}
        assert "second_factor_due_at" in entries[1]["detail"]
        here.clock.step(hours=11, minutes=59)
        assert (await client.get(ME)).status_code == 200
        here.clock.step(hours=12, minutes=1)
        assert (await sign_in(client, "lan"))["needs"] == "set_up"
        assert (await client.get(ME)).status_code == 401


async def test_nobody_but_the_first_has_that_day(here: Centre) -> None:
    second = await here.somebody("binh", "administrator")
    assert second.second_factor_due_at is None
    assert (await here.services.people.sign_in(login="binh", password=PASSWORD, origin="tests")).needs == "set_up"


async def test_a_lost_factor_is_reset_by_an_administrator_and_set_up_anew(here: Centre, area: AreaOut) -> None:
    person = await here.somebody("binh", "approver", area)
    secret, codes = await has_factor(here, "binh")
    async with here.client(signed_in=False) as client:
        await sign_in(client, "binh")
        await client.post(SHOW, json={"code": totp.code_at(secret, here.clock())})
        assert (await client.get(ME)).status_code == 200
        async with here.client() as lan:
            answer = await lan.delete(f"/api/v1/people/{person.id}/factor")
            assert (answer.status_code, answer.json()["second_factor"]) == (200, False)
        assert (await client.get(ME)).status_code == 401
        assert (await sign_in(client, "binh"))["needs"] == "set_up"
        assert (await client.post(SHOW, json={"code": codes[0]})).status_code == 409
        await set_up(here, client)
        assert (await client.get(ME)).status_code == 200


async def test_tokens_and_codes_are_kept_as_hashes_only(here: Centre) -> None:
    async with here.client() as client:
        token = client.headers["Authorization"].partition(" ")[2]
    async with here.database.reading() as session:
        [kept] = (await session.scalars(select(Session))).all()
    assert token not in str(vars(kept))
