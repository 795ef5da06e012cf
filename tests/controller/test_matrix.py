"""A commune sees nothing of another (promise P9): every route × own, sibling, parent, observer, anonymous."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.controller.descriptions import operations
from tests.controller.factories import api
from tests.controller.matrix import ROUTES, STREAMS, WHO, Answer, Route
from tests.controller.two_communes import Kept, Things, World, asking, keep


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return asyncio.run(keep(tmp_path_factory.mktemp("matrix")))


@pytest.fixture
async def world(kept: Kept, tmp_path: Path) -> AsyncIterator[World]:
    async with kept.opened(tmp_path / "world") as opened:
        yield opened


def filled(template: Any, things: Things) -> Any:
    """Put ids where names stand between braces."""
    if isinstance(template, str):
        return re.sub(r"\{(\w+)\}", lambda found: things[found[1]], template)
    if isinstance(template, dict):
        return {name: filled(value, things) for name, value in template.items()}
    return [filled(each, things) for each in template] if isinstance(template, list) else template


async def ask(client: httpx.AsyncClient, name: str, route: Route, things: Things) -> httpx.Response:
    method, _, path = name.partition(" ")
    named = things | {parameter: things[thing] for parameter, thing in route.path.items()}
    sent: dict[str, Any] = {"params": filled(route.query, things)} if route.query else {}
    if route.headers:
        sent["headers"] = route.headers
    if route.content is not None:
        sent["content"] = route.content
    elif route.body is not None:
        sent["json"] = filled(route.body, things)
    return await client.request(method, filled(path, named), **sent)


def ended(answer: httpx.Response, shown: str) -> set[Answer]:
    """Say how a request ended, in all the ways in which the table may put it."""
    return _told(answer, shown) | (set() if answer.status_code in {401, 403} else {Answer.LET_IN})


def _told(answer: httpx.Response, shown: str) -> set[Answer]:
    if answer.status_code < 400 or answer.status_code in {409, 410}:
        return {Answer.ALLOWED, Answer.SHOWN if shown and shown in answer.text else Answer.LEFT_OUT}
    error = answer.json().get("error", {})
    if answer.status_code == 401:
        return {Answer.NOBODY}
    if answer.status_code == 403:
        return {Answer.FORBIDDEN, Answer.REFUSED}
    if answer.status_code == 404 or (answer.status_code == 422 and error["fields"].get("problem") == "unknown"):
        return {Answer.HIDDEN, Answer.REFUSED}
    # Understood and wrong: whoever is told so was not turned away.
    return {Answer.ALLOWED} if answer.status_code == 422 and error["code"] != "invalid" else set()


@pytest.mark.parametrize("name", sorted(ROUTES))
async def test_every_route_answers_each_as_the_matrix_says(name: str, world: World) -> None:
    route = ROUTES[name]
    for who in WHO:
        things = world.west if who == "parent" else world.east
        async with asking(world, who) as client:
            answer = await ask(client, name, route, things)
        found = ended(answer, things.get(route.shows, ""))
        assert route.expected(who) in found, (name, who, answer.status_code, answer.text[:500])
        if who in {"nobody", "sibling"}:
            assert world.east["name"] not in answer.text, (name, who, answer.text)


async def test_every_route_of_the_api_has_its_line(world: World) -> None:
    """Who adds a route says in ``matrix.ROUTES`` whom it is for."""
    there = {f"{method} {path}" for method, path, _ in operations(api(world.centre.services))}
    assert there - STREAMS - ROUTES.keys() == set(), "these have no line in tests/controller/matrix.py"
    assert ROUTES.keys() - there == set(), "these lines are of no route"
