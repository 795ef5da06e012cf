"""Hostile requests: cases 28 to 34, 42 to 45, 47 and 49 of the trust list, as far as they concern the API."""

import json
from typing import Any

import pytest

from tests.controller.factories import PASSWORD, Centre
from tests.controller.test_services_broadcasts import commune, wish

STRINGS = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "{{7*7}}",
    "${7*7}",
    "=cmd|' /C calc'!A0",
    "'; DROP TABLE areas; --",
    "%s%s%n",
    "Robert\\'); DROP TABLE nodes;--",
]


@pytest.mark.parametrize("text", STRINGS)
async def test_28_29_text_stays_text(lite: Centre, text: str) -> None:
    """It is kept as typed and comes back as JSON that no browser takes for a page; pages escape it."""
    async with lite.client() as client:
        area = (await client.post("/api/v1/areas", json={"name": text, "kind": text[:40]})).json()
        assert area["name"] == text
        answer = await client.get("/api/v1/areas")
    assert [each["name"] for each in answer.json()] == [text]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/areas", {"id": "mine"}),
        ("/areas", {"created_at": "2026-01-01T00:00:00Z"}),
        ("/broadcasts", {"approved": True}),
        ("/broadcasts", {"created_by": "somebody"}),
        ("/broadcasts", {"approvals": []}),
        ("/sessions", {"role": "administrator"}),
        ("/holds", {"released_at": None}),
        ("/enrolments/adopt", {"node_id": "centre"}),
    ],
)
async def test_32_nobody_sets_what_is_not_theirs(lite: Centre, path: str, more: dict[str, Any]) -> None:
    place = await commune(lite)
    given: dict[str, dict[str, Any]] = {
        "/areas": {"name": "Thôn"},
        "/broadcasts": wish(place),
        "/sessions": {"login": "lan", "password": PASSWORD},
        "/holds": {"scopes": [place["area"].scope]},
        "/enrolments/adopt": {"claim_code": "ABCD-2345", "area_id": place["area"].id, "name": "Cụm"},
    }
    before = (await lite.services.audit.verify()).entries
    async with lite.client() as client:
        answer = await client.post(f"/api/v1{path}", json=given[path] | more)
        assert (answer.status_code, answer.json()["error"]["fields"]["problem"]) == (422, "extra_forbidden")
        for name in more:
            assert name not in answer.json()["error"]["fields"]["field"]
    assert (await lite.services.audit.verify()).entries == before + 1  # the client's own sign-in


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=b"])
async def test_33_a_form_changes_nothing(lite: Centre, kind: str) -> None:
    """What a page elsewhere can send without being asked is never taken for JSON."""
    async with lite.client() as client:
        answer = await client.post(
            "/api/v1/areas", content=json.dumps({"name": "Thôn"}), headers={"Content-Type": kind}
        )
    assert answer.status_code == 422
    assert await lite.services.areas.tree(lite.actor) == []


@pytest.mark.parametrize("path", ["/api/v1/areas/", "/healthz/", "//evil.test/api/v1/areas", "/api/v1/nothing"])
async def test_42_no_answer_repeats_the_host_it_was_asked_by(lite: Centre, path: str) -> None:
    async with lite.client() as client:
        answer = await client.get(f"https://loa.test{path}", headers={"Host": "evil.test"})
    assert answer.status_code == 404
    assert "evil.test" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"name":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"name": "a"',
        "",
        "null",
        "[]",
        '"name"',
        '{"name": NaN}',
        '{"name": 1e999}',
        '{"name": {"$ne": null}}',
        '{"name": ["a"]}',
        b'{"name": "\xff\xfe"}',
        '{"name": "\\ud800"}',
        '{"name": "a\\u0000b"}',
    ],
)
async def test_43_what_is_no_request_is_refused_and_nothing_falls_over(lite: Centre, body: str | bytes) -> None:
    async with lite.client() as client:
        answer = await client.post("/api/v1/areas", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}
        assert answer.json()["error"]["code"] in {"malformed", "invalid"}
        enrol = await client.post("/api/v1/enrolments", content=body, headers={"Content-Type": "application/json"})
        assert (enrol.status_code, enrol.json()["error"]["code"]) == (422, "invalid")
        assert (await client.get("/healthz")).status_code == 200
    assert await lite.services.areas.tree(lite.actor) == []


@pytest.mark.parametrize(
    "start_at",
    [
        "2026-02-30T09:00:00Z",
        "2026-03-09T25:00:00Z",
        "2026-03-09T09:00:00",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        -1,
        1e300,
        "tomorrow",
        "",
    ],
)
async def test_44_a_time_that_is_none_is_refused(lite: Centre, start_at: object) -> None:
    place = await commune(lite)
    async with lite.client() as client:
        for path in ("/api/v1/broadcasts", "/api/v1/broadcasts/preview"):
            answer = await client.post(path, json=wish(place, start_at=start_at))
            assert (answer.status_code, answer.json()["error"]["fields"]["field"]) == (422, "start_at")
        listed = await client.get("/api/v1/broadcasts", params={"from_at": str(start_at), "to_at": str(start_at)})
        assert listed.status_code == 422


async def test_45_a_quarter_past_three_is_refused_with_the_hours(lite: Centre) -> None:
    place = await commune(lite)
    async with lite.client() as client:
        answer = await client.post("/api/v1/broadcasts", json=wish(place, start_at="2026-03-10T03:15:00+07:00"))
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "quiet_hours"
    assert answer.json()["error"]["fields"]["hours"] == "22:00–05:00"


@pytest.mark.parametrize("volume", ["1000000", "-6001", "NaN", "Infinity", '"loud"', "1.5", "true", "1e3000"])
async def test_47_a_volume_that_is_none_is_refused(lite: Centre, volume: str) -> None:
    node = await lite.node(await lite.area())
    async with lite.client() as client:
        answer = await client.patch(
            f"/api/v1/nodes/{node.id}",
            content=f'{{"volume_mb": {volume}}}',
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code in {400, 422}
    assert (await lite.services.nodes.get(lite.actor, node.id)).volume_mb == 0


@pytest.mark.parametrize("login", ["lan\x1b[31m", "lan\nadmin", "lan\x00", "x" * 200, "' OR 1=1 --", "lan\u200b"])
async def test_49_a_strange_login_is_nobody(lite: Centre, login: str) -> None:
    async with lite.client(signed_in=False) as client:
        answer = await client.post("/api/v1/sessions", json={"login": login, "password": PASSWORD})
    refused = (422, "invalid") if "\0" in login else (401, "not_signed_in")  # NUL is in no text that anybody sends
    assert (answer.status_code, answer.json()["error"]["code"]) == refused
    assert login not in answer.text


def raw(name: str, value: str) -> dict[bytes, bytes]:
    """A header that need not be ASCII."""
    return {name.encode(): value.encode()}


@pytest.mark.parametrize("token", ["", " ", "x", "x" * 100_000, "a b c", "ü", "../../etc/passwd", "null"])
async def test_a_token_that_is_none_opens_nothing(lite: Centre, token: str) -> None:
    async with lite.client(signed_in=False) as client:
        answer = await client.get("/api/v1/people/me", headers=raw("Authorization", f"Bearer {token}"))
        assert answer.status_code == 401
        answer = await client.get("/api/v1/people/me", headers=raw("Cookie", f"__Host-loa={token}"))
        assert answer.status_code == 401


@pytest.mark.parametrize("key", ["x" * 101, "\x7f", "ü"])
async def test_an_idempotency_key_that_is_none_sends_nothing(lite: Centre, key: str) -> None:
    place = await commune(lite)
    async with lite.client() as client:
        answer = await client.post("/api/v1/broadcasts", json=wish(place), headers=raw("Idempotency-Key", key))
    assert (answer.status_code, answer.json()["error"]["fields"]["field"]) == (422, "idempotency_key")


async def test_a_hundred_thousand_targets_are_refused(lite: Centre) -> None:
    place = await commune(lite)
    async with lite.client() as client:
        answer = await client.post("/api/v1/broadcasts", json=wish(place, targets=["areas/x"] * 100_000))
        assert answer.status_code in {413, 422}
        answer = await client.post("/api/v1/holds", json={"scopes": ["areas/x"] * 10_000})
        assert answer.status_code == 422
