"""Rules that hold for every route: who may ask, from where, how errors look, what the description says."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from controller.api import create_app, create_node_app
from controller.errors import BusyError
from controller.http.middleware import COOKIE
from controller.http.routes import ReadyCheck
from controller.people.actor import Actor
from controller.tables import Base
from tests.controller.descriptions import operations
from tests.controller.factories import PASSWORD, Centre, api

OPEN = {
    ("POST", "/api/v1/sessions"),
    ("POST", "/api/v1/enrolments"),
    ("GET", "/api/v1/enrolments/{enrolment_id}"),
    ("POST", "/api/v1/nodes/{node_id}/renewal"),  # a node signs it with its own key
    ("GET", "/media/{sha256}.opus"),
    ("GET", "/plans/{sha256}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/.well-known/security.txt"),  # whoever found a hole has no account
}
"""What needs no session. Whoever adds to this has to say why."""


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "0" * 32, path)


async def test_everything_but_a_short_list_needs_a_session(lite: Centre) -> None:
    app = api(lite.services)
    async with lite.client(signed_in=False) as client:
        for method, path, _ in operations(app):
            if (method, path) not in OPEN:
                answer = await client.request(method, filled(path))
                assert answer.status_code == 401, (method, path)
                assert answer.json()["error"]["code"] == "not_signed_in"
                assert answer.headers["www-authenticate"] == "Bearer"
    assert {(method, path) for method, path, _ in operations(app)} >= OPEN


async def test_another_sites_page_changes_nothing_with_our_cookie(lite: Centre) -> None:
    """A form or a script elsewhere sends the cookie along if the browser lets it; we refuse it all the same."""
    app = api(lite.services)
    opened = await lite.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
    foreign: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "https://loa.test.evil.test"},
        {"Origin": "https://evil.test", "Authorization": "Basic bGFuOmxhbg=="},
        {"Origin": "https://evil.test", "Authorization": "Bearer "},
        {},
    ]
    async with lite.client(signed_in=False) as client:
        client.cookies.set(COOKIE, opened.token)
        for method, path, _ in operations(app):
            if method == "GET":
                continue
            for headers in foreign:
                answer = await client.request(method, filled(path), headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_origin"), (path, headers)
        for number, headers in enumerate(({"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://loa.test"})):
            answer = await client.post("/api/v1/areas", json={"name": f"Thôn {number}"}, headers=headers)
            assert answer.status_code == 201
        assert (await client.get("/api/v1/people/me", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_reading_changes_nothing(lite: Centre) -> None:
    """Every GET of the API, and the rows are the same as before."""
    node = await lite.node(await lite.area())
    async with lite.client() as client:
        before = await contents(lite)
        for method, path, _ in operations(api(lite.services)):
            if method == "GET" and path != "/api/v1/events":
                await client.get(filled(path))
                await client.head(filled(path))
        await client.get(f"/api/v1/nodes/{node.id}")
        assert await contents(lite) == before


async def contents(here: Centre) -> dict[str, list[Any]]:
    """Every row of every table."""
    async with here.database.reading() as session:
        tables = Base.metadata.sorted_tables
        return {table.name: list(await session.execute(select(table))) for table in tables}


async def test_the_session_cookie_is_out_of_reach(lite: Centre) -> None:
    async with lite.client(signed_in=False) as client:
        answer = await client.post("/api/v1/sessions", json={"login": "lan", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("__host-loa=")
        for flag in ("httponly", "secure", "samesite=strict", "path=/"):
            assert flag in cookie
        assert "domain" not in cookie
        client.cookies.set(COOKIE, answer.json()["token"])  # by the tests' clock it lasts, by the machine's it is over
        assert (await client.get("/api/v1/people/me")).json()["login"] == "lan"
        assert (await client.delete("/api/v1/sessions", headers={"Origin": "https://loa.test"})).status_code == 204
        assert (await client.get("/api/v1/people/me")).status_code == 401


async def test_every_answer_carries_the_careful_headers(lite: Centre) -> None:
    async with lite.client() as client:
        for path in ("/api/v1/areas", "/api/v1/nothing", "/healthz", "/media/x.opus", "/api/v1/openapi.json"):
            headers = (await client.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "unsafe-inline" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/docs", 404, "not_found"),
        ("PUT", "/api/v1/areas", 405, "method_not_allowed"),
        ("GET", "/api/v1/areas/nowhere", 404, "not_found"),
        ("GET", "/api/v1/broadcasts/nothing", 404, "not_found"),
        ("GET", "/api/v1/broadcasts/nothing/plays", 404, "not_found"),
        ("GET", "/api/v1/broadcasts?from_at=2026-01-01T00:00:00Z", 422, "invalid"),
        ("GET", "/api/v1/broadcasts?from_at=2026-02-30T00:00:00Z&to_at=2026-03-01T00:00:00Z", 422, "invalid"),
        ("GET", "/api/v1/broadcasts?from_at=2026-01-01T00:00:00&to_at=2026-01-02T00:00:00", 422, "invalid"),
        ("GET", "/api/v1/broadcasts?from_at=2026-01-01T00:00:00Z&to_at=2027-01-01T00:00:00Z", 422, "invalid"),
        ("GET", "/api/v1/recordings?limit=100000", 422, "invalid"),
        ("GET", "/api/v1/recordings?before=nothing", 404, "not_found"),
        ("GET", "/api/v1/recordings/nothing/waveform", 404, "not_found"),
        ("GET", "/api/v1/holds/nothing", 404, "not_found"),
        ("GET", "/api/v1/enrolments/nothing", 404, "not_found"),
    ],
)
async def test_every_error_has_one_shape(lite: Centre, method: str, path: str, status: int, code: str) -> None:
    async with lite.client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message", "fields"}
    assert answer.json()["error"]["code"] == code


async def test_a_busy_database_says_when_to_come_back(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(_actor: Actor) -> None:
        raise BusyError("the database is locked by another process; try again")

    monkeypatch.setattr(lite.services.areas, "tree", busy)
    async with lite.client() as client:
        answer = await client.get("/api/v1/areas")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_what_nobody_foresaw_is_told_without_its_inside(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks() -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(lite.services.areas, "tree", breaks)
    async with lite.client(raise_app_exceptions=False) as client:
        answer = await client.get("/api/v1/areas")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "hunter2" not in answer.text


async def test_readiness_names_the_part_that_does_not_work(lite: Centre) -> None:
    async def dispatcher() -> bool:
        return False

    async with lite.client(signed_in=False) as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        assert (await client.get("/readyz")).json() == {"ready": True, "parts": {"database": True}, "notes": {}}
    checks: dict[str, ReadyCheck] = {"broker": lambda: True, "dispatcher": dispatcher}
    async with lite.client(signed_in=False, ready_checks=checks) as client:
        answer = await client.get("/readyz")
    app = create_app(lite.services, ready_notes={"documents": lambda: False})
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://loa.test") as client:
        noted = await client.get("/readyz")
    assert (noted.status_code, noted.json()["notes"]) == (200, {"documents": False})
    assert answer.status_code == 503
    assert answer.json()["parts"] == {"database": True, "broker": True, "dispatcher": False}


async def test_nodes_get_bodies_and_enrolment_and_nothing_else(lite: Centre) -> None:
    app = create_node_app(lite.services)
    by_certificate = {("GET", "/updates/{sha256}"), ("POST", "/api/v1/nodes/{node_id}/logs/{log_id}")}
    found = {(method, path) for method, path, _ in operations(app)}
    assert found <= (OPEN | by_certificate) - {("POST", "/api/v1/sessions")}
