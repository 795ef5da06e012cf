"""Another site's page against ours: every form of the pages, and the headers of whatever they answer (cases 33, 34)."""

import re
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute

from controller.api import create_app
from controller.http.middleware import COOKIE, SAFE_METHODS, SECURITY_HEADERS
from tests.controller.factories import PASSWORD, Centre
from tests.web.harness import commune, visitor
from web.app import add_pages

FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {},
]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ANSWERS = ["/", "/sign-in", "/today", "/nodes/nothing", "/nothing", "/static/nothing", "/favicon.ico", "/strip"]


def acts_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Name every act of the pages: their routes stand in no description."""
    for route in (route for part in app.routes for route in getattr(part, "original_router", app).routes):
        if isinstance(route, APIRoute) and not route.include_in_schema:
            for method in sorted((route.methods or set()) - SAFE_METHODS):
                yield method, re.sub(r"{[^}]*}", "x", route.path)


async def test_33_every_form_of_every_page_refuses_another_sites_page(lite: Centre) -> None:
    app = create_app(lite.services)
    add_pages(app, lite.services)
    acts = sorted(set(acts_of(app)))
    assert len(acts) > 30
    opened = await lite.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
    before = (await lite.services.audit.verify()).entries
    async with lite.client(signed_in=False) as client:
        client.cookies.set(COOKIE, opened.token)
        client._transport.app = app  # type: ignore[attr-defined]  # the same client, with the pages
        for method, path in acts:
            for headers in FOREIGN:
                answer = await client.request(method, path, headers=FORM | headers, content=b"scope=everything")
                assert answer.status_code == 403, (method, path, headers)
    assert (await lite.services.audit.verify()).entries == before


async def test_every_answer_of_the_pages_carries_the_careful_headers(tmp_path: Path) -> None:
    async with commune(tmp_path) as site, visitor(site) as inside, visitor(site, signed_in=False) as outside:
        for client in (inside, outside):
            for path in ANSWERS:
                answer = await client.get(path)
                for name, value in SECURITY_HEADERS.items():
                    assert answer.headers[name] == value, (path, name)


async def test_no_page_has_a_script_a_style_or_a_handler_inside(tmp_path: Path) -> None:
    """What the policy forbids would silently not work."""
    async with commune(tmp_path) as site, visitor(site) as client:
        for path in ("/today", "/say", "/nodes", "/stop", "/schedules", "/people", "/alarms", "/emergencies/new"):
            page = (await client.get(path)).text
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son[a-z]+=|javascript:", page), path
