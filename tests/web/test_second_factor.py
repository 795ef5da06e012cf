"""Signing in in two steps on the pages: sent to where it goes on, back to where one was, nothing seen before."""

import html
import re

import httpx
import segno

from controller.http.middleware import DEVICE_COOKIE
from controller.people import totp
from tests.controller.factories import PASSWORD, Centre
from tests.web.harness import Commune, visitor


async def sign_in(client: httpx.AsyncClient, login: str) -> str:
    """Give where the browser is sent."""
    answer = await client.post("/sign-in", data={"login": login, "password": PASSWORD, "next": "/nodes"})
    assert answer.status_code == 303
    client.headers["Cookie"] = answer.headers["set-cookie"].split(";")[0]
    return answer.headers["location"]


async def set_up(here: Centre, client: httpx.AsyncClient) -> str:
    """Give the secret."""
    asked = await client.get("/sign-in/factor")
    assert 'name="password"' not in asked.text  # it was typed a moment ago
    shown = await client.post("/sign-in/factor", data={"next": "/nodes"})
    secret = re.sub(r"\s", "", re.findall(r'<code id="key">(.*?)</code>', shown.text, re.DOTALL)[0])
    assert f"secret={secret}" in shown.text
    code = totp.code_at(secret, here.clock())
    done = await client.post("/sign-in/factor/confirmation", data={"code": code, "next": "/nodes"})
    assert len(re.findall(r"<code>[a-z0-9-]{19}</code>", done.text)) == totp.RECOVERY_CODES
    assert 'href="/nodes"' in done.text
    here.clock.step(minutes=2)
    return secret


async def test_an_approver_sets_it_up_before_any_page_and_shows_it_from_then_on(site: Commune) -> None:
    here = site.centre
    await here.somebody("binh", "approver", site.root)
    async with visitor(site, signed_in=False) as client:
        assert await sign_in(client, "binh") == "/sign-in/factor?next=/nodes"
        for path in ("/today", "/nodes", "/stop", "/sign-in/code"):
            sent = await client.get(path)
            assert sent.status_code == 303
            if path != "/sign-in/code":
                assert sent.headers["location"] == f"/sign-in/factor?next={path}"
        due = await client.get("/sign-in/factor?next=/nodes")
        assert (due.status_code, 'action="/sign-out"' in due.text) == (200, True)
        assert 'href="/nodes"' not in due.text  # there is no way on before it is set up
        wrong = await client.post("/sign-in/factor", data={"password": "not this one"})
        assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True)
        secret = await set_up(here, client)
        assert (await client.get("/nodes")).status_code == 200
        again = (await client.get("/sign-in/factor?next=/nodes")).text
        assert 'href="/nodes"' in again  # whoever only looked goes back, and is not signed out for it
        assert 'action="/sign-out"' not in again

        assert await sign_in(client, "binh") == "/sign-in/code?next=/nodes"
        assert (await client.get("/nodes")).headers["location"] == "/sign-in/code?next=/nodes"
        live = await client.get("/nodes/live", headers={"HX-Request": "true", "HX-Current-URL": f"{site.url}/nodes"})
        assert (live.status_code, live.headers["hx-redirect"]) == (401, "/sign-in/code?next=/nodes")
        form = (await client.get("/sign-in/code?next=/nodes")).text
        assert 'name="code"' in form
        assert 'name="remember"' not in form
        wrong = await client.post("/sign-in/code", data={"code": "000000", "next": "/nodes"})
        assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True)
        code = totp.code_at(secret, here.clock())
        right = await client.post("/sign-in/code", data={"code": code, "next": "//evil.test"})
        assert (right.status_code, right.headers["location"]) == (303, "/today")
        assert (await client.get("/nodes")).status_code == 200


async def test_the_password_is_asked_again_with_a_reason_where_it_was_typed_long_ago(site: Commune) -> None:
    """And where a factor would be replaced, however short ago that was."""
    here = site.centre
    await here.somebody("binh", "operator", site.root)
    async with visitor(site, signed_in=False) as client:
        await sign_in(client, "binh")
        here.clock.step(minutes=11)
        asked = await client.get("/sign-in/factor")
        assert re.search(r'name="password"[^>]*aria-describedby="why-password"', asked.text)
        assert "người cầm phải máy bạn đang mở" in asked.text
        refused = await client.post("/sign-in/factor", data={"next": "/nodes"})
        assert (refused.status_code, 'name="password"' in refused.text) == (422, True)
        await sign_in(client, "binh")
        await set_up(here, client)
        assert 'name="password"' in (await client.get("/sign-in/factor")).text
        refused = await client.post("/sign-in/factor", data={"next": "/nodes"})
        assert (refused.status_code, "<code" in refused.text) == (422, False)


async def test_the_key_is_scanned_tapped_or_typed_and_stands_in_no_address(site: Commune) -> None:
    await site.centre.somebody("binh", "operator", site.root)
    async with visitor(site, signed_in=False) as client:
        await sign_in(client, "binh")
        page = (await client.post("/sign-in/factor", data={"next": "/nodes"})).text
        key = re.findall(r'<code id="key">(.*?)</code>', page)[0]
        assert re.fullmatch("([A-Z2-7]{4} ){7}[A-Z2-7]{4}", key)
        tap = re.findall(r'<a class="button main" href="(otpauth:[^"]+)">Mở trong ứng dụng xác thực</a>', page)[0]
        uri = html.unescape(tap)
        assert re.findall("secret=([A-Z2-7]+)", uri) == [key.replace(" ", "")]
        drawn = re.findall(r'<svg role="img" .*?<path stroke="#000" .*?d="(.*?)"', page, re.DOTALL)[0]
        assert drawn == re.findall('d="(.*?)"', segno.make_qr(uri, error="m").svg_inline(omitsize=True))[0]


async def test_an_operators_browser_is_remembered_if_asked_for(site: Commune) -> None:
    here = site.centre
    await here.somebody("binh", "operator", site.root)
    async with visitor(site, signed_in=False) as client:
        assert await sign_in(client, "binh") == "/nodes"
        secret = await set_up(here, client)
        assert await sign_in(client, "binh") == "/sign-in/code?next=/nodes"
        assert 'name="remember"' in (await client.get("/sign-in/code")).text
        code = totp.code_at(secret, here.clock())
        shown = await client.post("/sign-in/code", data={"code": code, "remember": "1"})
        cookie = shown.headers["set-cookie"].split(";")[0]
        assert cookie.startswith(f"{DEVICE_COOKIE}=")
        client.headers["Cookie"] = cookie
        assert await sign_in(client, "binh") == "/nodes"


async def test_the_first_day_is_shown_on_todays_page_until_the_factor_is_there(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        assert await sign_in(client, "lan") == "/nodes"
        link = '<a href="/sign-in/factor">Bật ngay</a>'
        assert link in (await client.get("/today")).text
        assert link not in (await client.get("/nodes")).text
        await set_up(site.centre, client)
        assert link not in (await client.get("/today")).text


async def test_a_machines_key_does_on_the_pages_no_more_than_it_names(site: Commune) -> None:
    here = site.centre
    async with here.client() as lan:
        until = here.clock().replace(month=12).isoformat()
        made = await lan.post("/api/v1/people/me/tokens", json={"name": "máy", "acts": [], "expires_at": until})
    async with visitor(site, signed_in=False) as client:
        client.headers["Authorization"] = f"Bearer {made.json()['token']}"
        assert (await client.get("/today")).status_code == 200
        await client.post("/stop", data={"scope": site.root.scope})
    assert await here.services.holds.active(here.actor) == []


async def test_who_did_not_choose_the_password_is_sent_to_choose_another_and_on(site: Commune) -> None:
    here = site.centre
    person = await here.somebody("binh", "operator", site.root)
    await here.services.accounts.change(here.actor, person.id, password=PASSWORD)
    async with visitor(site, signed_in=False) as client:
        assert await sign_in(client, "binh") == "/sign-in/password?next=/nodes"
        assert (await client.get("/today")).headers["location"] == "/sign-in/password?next=/today"
        assert 'autocomplete="new-password"' in (await client.get("/sign-in/password?next=/nodes")).text
        for old, new, again, field, said in (
            (PASSWORD, "một câu dài", "một câu khác", "again", "không giống nhau"),
            (PASSWORD, "ngắn", "ngắn", "new", "ít nhất 10 ký tự"),
            (PASSWORD, PASSWORD, PASSWORD, "new", "giống mật khẩu cũ"),
            ("sai hoàn toàn", "một câu dài", "một câu dài", "old", "chưa đúng"),
        ):
            typed = {"old": old, "new": new, "again": again, "next": "/nodes"}
            wrong = await client.post("/sign-in/password", data=typed)
            assert wrong.status_code == 422, new
            assert re.search(rf'id="wrong-{field}">[^<]*{said}', wrong.text), new
            assert re.findall(r'<input[^>]* id="(\w+)"[^>]* autofocus', wrong.text) == [field]
        typed = {"old": PASSWORD, "new": "nước chảy đá mòn", "again": "nước chảy đá mòn", "next": "/nodes"}
        assert (await client.post("/sign-in/password", data=typed)).headers["location"] == "/nodes"
        assert (await client.get("/nodes")).status_code == 200


async def test_pages_of_the_factor_send_who_is_not_signed_in_away(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        for method, path in (
            ("GET", "/sign-in/code"),
            ("POST", "/sign-in/code"),
            ("GET", "/sign-in/factor"),
            ("POST", "/sign-in/factor"),
            ("POST", "/sign-in/factor/confirmation"),
            ("GET", "/sign-in/password"),
            ("POST", "/sign-in/password"),
        ):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in"), path
