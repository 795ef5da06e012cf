"""The pages, each asked by whom they are not for: another commune's people (case 31), nobody, and under another Host.

What the API says to each stands in ``tests/controller/test_matrix.py``; pages have addresses and forms of their own.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from controller.http.middleware import COOKIE, SAFE_METHODS, SECURITY_HEADERS
from tests.controller.descriptions import operations
from tests.controller.test_api_rules import contents
from tests.controller.two_communes import Kept, Things, World, keep
from tests.hostile.places import named, paths_of
from tests.hostile.test_web_requests import FORM
from tests.web.harness import OWN, pages

POLICY = {
    "default-src": {"'self'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "blob:"},
    "connect-src": {"'self'"},
    "worker-src": {"'self'"},
    "manifest-src": {"'self'"},
    "media-src": {"'self'", "blob:"},
    "object-src": {"'none'"},
    "base-uri": {"'none'"},
    "form-action": {"'self'"},
    "frame-ancestors": {"'none'"},
}
"""All that a page may do."""
KEPT_BY_ALL = re.compile(r"/(static|media|plans)/")
TYPED = b"act=approve&reason=x&title=x&name=x&scope=everything&version=1&confirmed=1&kind=cancelled&code=000000&note=x"
"""What many forms ask for."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return asyncio.run(keep(tmp_path_factory.mktemp("strangers")))


@pytest.fixture
async def world(kept: Kept, tmp_path: Path) -> AsyncIterator[World]:
    async with kept.opened(tmp_path / "world") as opened:
        yield opened


def app_of(world: World) -> FastAPI:
    return pages(world.centre.services)


@asynccontextmanager
async def browser_of(world: World, who: str, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """What a browser sends, of one of the people or of nobody."""
    cookie = {"Cookie": f"{COOKIE}={world.tokens[who]}"} if who in world.tokens else {}
    transport = httpx.ASGITransport(app_of(world))
    async with httpx.AsyncClient(
        transport=transport, base_url="https://loa.test", headers=OWN | cookie | headers
    ) as client:
        yield client


def acts_of(world: World, things: Things | None = None) -> list[tuple[str, str]]:
    """Name every act of the pages, with what is the east's in its address, unless ``things`` are others."""
    found = set()
    for part in app_of(world).routes:
        for route in getattr(part, "original_router", app_of(world)).routes:
            if isinstance(route, APIRoute) and not route.include_in_schema:
                found |= {
                    (each, named(things or world.east, route.path)) for each in (route.methods or set()) - SAFE_METHODS
                }
    return sorted(found)


@pytest.mark.parametrize("who", [pytest.param("nobody", marks=pytest.mark.long), "sibling"])
async def test_31_no_page_shows_another_communes_things(world: World, who: str) -> None:
    """A page of one thing is not there; one of many leaves them out."""
    async with browser_of(world, who) as client:
        for path in paths_of(app_of(world)):
            answer = await client.get(named(world.east, path))
            assert world.east["name"] not in answer.text, path
            if "{" in path and answer.status_code != 404:
                unknown = await client.get(named({}, path))
                assert (answer.status_code, answer.text) == (unknown.status_code, unknown.text), path


@pytest.mark.long
async def test_31_the_same_pages_are_there_for_whom_they_are_for(world: World) -> None:
    """Else the test above would show nothing."""
    async with browser_of(world, "own") as client:
        shown = [await client.get(named(world.east, path)) for path in paths_of(app_of(world)) if "{" in path]
    assert len(shown) > 15
    assert sum(answer.status_code == 200 for answer in shown) > len(shown) * 0.8


async def test_31_no_form_of_a_page_touches_another_communes_things(world: World) -> None:
    acts = [(method, path) for method, path in acts_of(world) if not path.startswith(("/sign-", "/language"))]
    assert len(acts) > 30
    before = await contents(world.centre)
    async with browser_of(world, "sibling") as client:
        for method, path in acts:
            answer = await client.request(method, path, headers=FORM, content=TYPED)
            assert world.east["name"] not in answer.text, path
            done = answer.headers.get("location", "").partition("done=")[2]
            assert answer.status_code in {200, 303, 403, 404, 409, 422}, (path, answer.status_code)
            assert not done or path in {"/holds", "/areas"}, (path, done)
    after = await contents(world.centre)
    own = world.east.values()
    for table, rows in before.items():
        theirs = [row for row in rows if any(value in own for value in row if isinstance(value, str))]
        left = [row for row in after[table] if any(value in own for value in row if isinstance(value, str))]
        assert left == theirs, table


def fields_with(things: Things) -> dict[str, str]:
    """Fill what forms and addresses ask for with what another commune has."""
    places = dict.fromkeys(("area_id", "area", "place", "areas", "of", "into", "nodes_of"), things["area_id"])
    scopes = dict.fromkeys(("target", "whole", "scope"), f"areas/{things['hamlet_id']}")
    sounds = dict.fromkeys(("recording", "filler", "chosen"), things["recording_id"])
    aired = dict.fromkeys(("programme", "template", "other", "instead"), things["programme_id"])
    own = {
        name: things[f"{name}_id"] for name in ("bulletin", "message", "session", "device", "token", "grant", "fault")
    }
    said = {
        "title": "x",
        "key": "0" * 32,
        "when": "now",
        "hour": "17h30",
        "day": "2026-03-12",
        "first_day": "12/03/2026",
    }
    more = {"trial_node": f"nodes/{things['node_id']}", "nodes": things["node_id"], "release": things["hold_id"]}
    return places | scopes | sounds | aired | own | said | more | {"open": things["request_id"], "times": "1"}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "left_out", [(), ("bulletin", "programme", "template"), ("recording", "programme", "template")]
)
async def test_31_no_field_reaches_another_communes_things(world: World, left_out: tuple[str, ...]) -> None:
    """Forms, previews and addresses of one's own pages: what is named in them and not in sight is not there."""
    typed = {name: value for name, value in fields_with(world.east).items() if name not in left_out}
    asked = [("GET", f"{named(world.west, path)}?{urlencode(typed)}") for path in paths_of(app_of(world))]
    acts = [
        (method, path) for method, path in acts_of(world, world.west) if not path.startswith(("/sign-", "/language"))
    ]
    async with browser_of(world, "sibling") as client:
        for method, path in asked + acts:
            content = None if method == "GET" else urlencode(typed).encode()
            answer = await client.request(method, path, headers=FORM, content=content)
            assert world.east["name"] not in answer.text, (method, path)
            assert answer.status_code < 500, (method, path)


@pytest.mark.parametrize("who", ["nobody", pytest.param("own", marks=pytest.mark.long)])
async def test_42_every_route_and_page_carries_the_careful_headers_and_no_foreign_host(world: World, who: str) -> None:
    """Whatever they answer: 200, 303, 401, 403, 404, 405 or 422."""
    poison = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"}
    app = app_of(world)
    asked = [("GET", named(world.east, path)) for path in paths_of(app)]
    asked += [(method, named(world.east, path)) for method, path, _ in operations(app) if not path.endswith("/events")]
    asked += [("GET", each) for each in ("/nothing", "/static/nothing", "/static/icons.svg", "/api/v1/openapi.json")]
    asked += [("PUT", "/today"), ("OPTIONS", "/today"), ("TRACE", "/today"), ("HEAD", "/today")]
    asked += [("GET", each) for each in ("/sign-out", "/static", "/today/", "//evil.test/today")]
    async with browser_of(world, who, **poison) as client:
        for method, path in asked:
            answer = await client.request(method, "https://loa.test" + path)
            headers = answer.headers
            assert "evil.test" not in answer.text + str(headers), path
            for name, value in SECURITY_HEADERS.items():
                assert headers[name] == value, (method, path, name)
            assert headers["cache-control"] == "no-store" or KEPT_BY_ALL.match(path), (method, path)
            for cookie in headers.get_list("set-cookie"):
                assert cookie.startswith("__Host-"), (method, path)
                assert {"secure", "httponly", "path=/", "samesite=strict"} <= set(cookie.lower().split("; ")), path
            assert "server" not in headers, path


def test_the_policy_lets_nothing_in_that_is_inline_or_from_elsewhere() -> None:
    said = SECURITY_HEADERS["Content-Security-Policy"].split("; ")
    assert {name: set(sources) for name, *sources in map(str.split, said)} == POLICY
    assert int(SECURITY_HEADERS["Strict-Transport-Security"].partition("=")[2]) >= 365 * 24 * 3600
