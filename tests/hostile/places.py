"""The addresses of the pages, which stand in no description, and what to put into them."""

import re
from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute

from tests.controller.two_communes import Things

KEYS = {"approvals": "request_id", "emergencies": "emergency_id"}
"""What the pages about one thing call ``key``, by the first word of their address."""
OTHERS = {"recurrence": "date", "recurrence_local": "date"}
ELSEWHERE = frozenset({"/{page}", "/sign-out", "/language"})
"""Not pages: a mistyped address, and acts that were typed as addresses."""


def paths_of(app: FastAPI) -> Iterator[str]:
    """Name every page and every fragment."""
    for route in (route for part in app.routes for route in getattr(part, "original_router", app).routes):
        if not isinstance(route, APIRoute) or route.include_in_schema or route.path in ELSEWHERE:
            continue
        if "GET" in (route.methods or set()):
            yield route.path


def thing_of(path: str, name: str) -> str:
    """Say which thing a part of an address names."""
    return KEYS.get(path.split("/")[1], name) if name == "key" else OTHERS.get(name, name)


def named(things: Things, path: str) -> str:
    """Fill an address with what is there; what there is none of stays a name that nobody has."""
    return re.sub(r"{(\w+)}", lambda found: things.get(thing_of(path, found[1]), "0" * 32), path)
