"""Requests made from the API's own description by schemathesis, and what may not come of any of them.

In the process and over ASGI: the same centre, the same clock, and where something breaks, its own traceback.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings, strategies
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.controller.factories import api
from tests.controller.matrix import ROUTES, STREAMS
from tests.controller.two_communes import Kept, Things, World, asking

ADDRESS = "https://loa.test"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""What the routes refuse and accept beyond their schemas is theirs: rights, states, and rules between fields."""
WHO = ("nobody", "observer", "own", "everywhere")
"""``own``: administrator of the commune whose things are asked for; ``everywhere``: of all."""
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
QUIETLY: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
}


@dataclass
class Asked:
    """One world, and a loop in which it lives."""

    world: World
    runner: asyncio.Runner

    def ask(self, case: schemathesis.Case[Any], who: str) -> None:
        """Send what was made up, as one of ``WHO``, and hold the answer against the description."""
        load_all_checks()
        made = requests.Request(**case.as_transport_kwargs(base_url=ADDRESS)).prepare()
        with suppress(httpx.InvalidURL):  # longer than any server takes
            case.validate_response(self.runner.run(self._send(made, who)), checks=CHECKS)

    async def _send(self, made: requests.PreparedRequest, who: str) -> httpx.Response:
        headers = [(name, str(value)) for name, value in made.headers.items() if name.lower() != "authorization"]
        async with asking(self.world, who) as client:
            content = made.body.encode() if isinstance(made.body, str) else cast("bytes | None", made.body)
            return await client.request(str(made.method), str(made.url), content=content, headers=headers)


@contextmanager
def opened(kept: Kept, folder: Path) -> Iterator[Asked]:
    """Open a copy of the world."""
    with asyncio.Runner() as runner:
        world_there = kept.opened(folder)
        world = runner.run(world_there.__aenter__())
        try:
            world.tokens["everywhere"] = runner.run(world.centre.session_of(world.centre.person))
            yield Asked(world, runner)
        finally:
            runner.run(world_there.__aexit__(None, None, None))


@cache
def _schema(app: FastAPI) -> Any:
    schemathesis.openapi.format("date-time-local", strategies.datetimes().map(datetime.isoformat))
    schemathesis.openapi.media_type("application/jose", strategies.binary(max_size=2000))
    return schemathesis.openapi.from_dict(_plain(app.openapi()))


def _plain(part: Any) -> Any:
    """Say of a pair that its items are alike, where they are: the tool does not take them one by one."""
    if isinstance(part, list):
        return [_plain(each) for each in part]
    if not isinstance(part, dict):
        return part
    pair = part.get("prefixItems")
    if isinstance(pair, list):
        assert all(each == pair[0] for each in pair)
        part = {name: value for name, value in part.items() if name != "prefixItems"} | {"items": pair[0]}
    return {name: _plain(value) for name, value in part.items()}


def operation(asked: Asked, name: str) -> Any:
    """Give one operation of the description, by method and path."""
    method, _, path = name.partition(" ")
    return _schema(api(asked.world.centre.services))[path][method]


def named(name: str, things: Things) -> dict[str, str]:
    """Fill a path with what is there."""
    route = ROUTES[name]
    wanted = [each.partition("}")[0] for each in name.split("{")[1:]]
    return {each: things[route.path.get(each, each)] for each in wanted}


def attack(asked: Asked, name: str, who: str, *, examples: int, seed: int = 0, modes: Sequence[Any] = MODES) -> int:
    """Ask one operation for so many things in each mode, of what is there and of what is not; give how often.

    Raises:
        Exception: what broke, or what the description does not tell of.
    """
    sent = 0
    for mode in modes:
        for there in [named(name, asked.world.east), *([None] if examples > 1 else [])] if "{" in name else [None]:
            made = operation(asked, name).as_strategy(generation_mode=mode, path_parameters=there)

            @seeded(seed)
            @settings(max_examples=examples, **QUIETLY)
            @given(case=made)
            def one(case: schemathesis.Case[Any]) -> None:
                nonlocal sent
                sent += 1
                asked.ask(case, who)

            with suppress(Unsatisfiable):  # nothing of it could be wrong
                one()
    return sent


NAMES = sorted(ROUTES.keys() - STREAMS)
