"""What the API's description says: how to sign in, and which errors each route gives, as its services document them."""

import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from controller import http_errors
from controller.broadcasts import routes as broadcasts
from controller.errors import ForbiddenError, LoaError
from controller.http.description import may_raise
from controller.services import Services
from tests.controller.descriptions import Described, codes, errors, operations
from tests.controller.factories import Centre, api
from tests.controller.test_services_broadcasts import commune, wish

SIGNED_IN: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
OPTIONAL = [{}, *SIGNED_IN]
FROM_SHAPE = {
    "internal",
    "busy",
    "zone_gone",
    "too_many_attempts",
    "cross_origin",
    "malformed",
    "invalid",
    "not_signed_in",
    "second_factor",
    "password_due",
}
"""Codes that follow from what a route takes, not from what its service does."""
AT_THE_ROOT = ("media", "contact_router")
"""Routers whose paths are not below the API's."""


@pytest.fixture
def app(lite: Centre) -> FastAPI:
    return api(lite.services)


def test_the_description_is_complete(app: FastAPI) -> None:
    described = app.openapi()
    for method, path, operation in operations(app):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        answers = operation["responses"]
        best = next(answers[status] for status in sorted(answers) if status.startswith("2"))
        assert "content" in best or "204" in answers, (method, path)
        names = re.findall(r"\{(\w+)\}", path)
        assert names == [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"], path
    identities = [operation["operationId"] for _, _, operation in operations(app)]
    assert len(set(identities)) == len(identities)
    used = set(re.findall(r"#/components/schemas/([\w.-]+)", str(described)))
    assert used <= described["components"]["schemas"].keys()
    assert "ErrorBody" in used
    assert "HTTPValidationError" not in described["components"]["schemas"]
    assert "x-codes" not in str(described)


async def test_the_description_says_who_needs_a_session_and_so_it_is(lite: Centre, app: FastAPI) -> None:
    schemes = app.openapi()["components"]["securitySchemes"]
    assert {name: (each["type"], each.get("in")) for name, each in schemes.items()} == {
        "bearer": ("http", None),
        "session": ("apiKey", "cookie"),
    }
    async with lite.client(signed_in=False) as client:
        for method, path, operation in operations(app):
            if path == "/api/v1/events" and operation["security"] != SIGNED_IN:
                pytest.fail("the stream would be open to everybody")
            answer = await client.request(method, re.sub(r"\{[^}]*\}", "0" * 32, path))
            refused = answer.status_code == 401 and answer.json()["error"]["code"] == "not_signed_in"
            assert refused == (operation["security"] == SIGNED_IN), (method, path)
            assert operation["security"] in (SIGNED_IN, OPTIONAL, []), (method, path)
    assert [path for _, path, operation in operations(app) if operation["security"] == OPTIONAL] == [
        "/media/{sha256}.opus"
    ]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            ("POST", "/api/v1/broadcasts"),
            {
                400: {"malformed"},
                401: {"not_signed_in", "password_due", "second_factor"},
                403: {"cross_origin", "forbidden"},
                408: {"too_slow"},
                409: {"conflict", "plan_full", "schedule_conflicts", "unusual_hour", "urgent_full"},
                413: {"too_large"},
                422: {"approval_code", "invalid", "not_airable", "policy_breach", "quiet_hours", "refused_by_all"},
                429: {"too_many_attempts"},
                500: {"internal"},
                503: {"busy", "zone_gone"},
            },
        ),
        (
            ("POST", "/api/v1/recordings"),
            {
                401: {"not_signed_in", "password_due", "second_factor"},
                403: {"cross_origin", "forbidden"},
                408: {"too_slow"},
                413: {"too_large"},
                422: {"invalid"},
                429: {"too_many_attempts", "upload_quota"},
                500: {"internal"},
                503: {"busy", "zone_gone"},
                507: {"no_space"},
            },
        ),
        (
            ("GET", "/media/{sha256}.opus"),
            {
                404: {"not_found"},
                410: {"gone"},
                429: {"too_many_attempts"},
                500: {"internal"},
                503: {"busy", "zone_gone"},
            },
        ),
        (
            ("GET", "/api/v1/areas"),
            {
                401: {"not_signed_in", "password_due", "second_factor"},
                429: {"too_many_attempts"},
                500: {"internal"},
                503: {"busy", "zone_gone"},
            },
        ),
        (("GET", "/healthz"), {}),
    ],
)
def test_errors_are_told_route_by_route(
    app: FastAPI, operation: tuple[str, str], expected: dict[int, set[str]]
) -> None:
    found = {(method, path): errors(each) for method, path, each in operations(app)}
    assert found[operation] == expected


def classes(kind: type[LoaError] = LoaError) -> Iterator[type[LoaError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from classes(child)


BY_NAME = {each.__name__: each for each in classes()}


def documented(function: Any) -> set[str]:
    """The codes that a function's ``Raises:`` names, with the right that it asks for itself or through a helper."""
    said = (inspect.getdoc(function) or "").partition("Raises:")[2]
    named = {BY_NAME[name].code for name in re.findall(r"\b\w+Error\b", said)}
    source = inspect.getsource(function)
    asks = re.search(r"\brights\.require\(|\brequire_place\(", source) is not None or any(
        "rights.require(" in inspect.getsource(helper)
        for name in re.findall(r"self\.(_\w+)\(", source)
        if (helper := getattr(inspect.getmodule(function), name, None) or _method(function, name))
    )
    return named | ({ForbiddenError.code} if asks else set())


def _method(function: Any, name: str) -> Any:
    owner = getattr(inspect.getmodule(function), function.__qualname__.split(".")[0])
    return getattr(owner, name, None)


def calls(endpoint: Any) -> Iterator[Any]:
    """The functions of services that an endpoint calls."""
    kinds = typing.get_type_hints(Services)
    for service, method in re.findall(r"services\.(\w+)\.(\w+)\(", inspect.getsource(endpoint)):
        yield getattr(kinds[service], method)


def raised(endpoint: Any) -> set[str]:
    """Codes that an endpoint raises by itself or by a helper of its module."""
    source = inspect.getsource(endpoint)
    found = {BY_NAME[name].code for name in re.findall(r"raise (\w+Error)\(", source) if name in BY_NAME}
    for name in re.findall(r"\b(_\w+|no_recording)\(", source):
        helper = getattr(inspect.getmodule(endpoint), name, None)
        if inspect.isfunction(helper) and inspect.getmodule(helper) is not None:
            found |= {
                BY_NAME[each].code
                for each in re.findall(r"(?:raise|return) (\w+Error)\(", inspect.getsource(helper))
                if each in BY_NAME
            }
    return found


def endpoints() -> Iterator[tuple[str, str, Any]]:
    """Every route of every noun, with its function."""
    from controller import api as module  # noqa: PLC0415  routers are the module's, not the application's

    for name, prefix in [(each, module.PREFIX) for each in vars(module)] + [(each, "") for each in AT_THE_ROOT]:
        router = getattr(module, name)
        if not hasattr(router, "routes") or isinstance(router, type) or (name in AT_THE_ROOT) != (prefix == ""):
            continue
        for route in router.routes:
            for method in sorted(route.methods - {"HEAD"}):
                yield method, prefix + route.path, route.endpoint


def test_every_route_declares_what_its_services_say_they_raise_and_nothing_else(app: FastAPI) -> None:
    described = {(method, path): errors(operation) for method, path, operation in operations(app)}
    compared = 0
    for method, path, endpoint in endpoints():
        if path.endswith(("/healthz", "/readyz")):
            continue
        told = set().union(*described[method, path].values())
        really = set().union(raised(endpoint), *map(documented, calls(endpoint)))
        body = {"too_slow", "too_large"} if method in {"POST", "PATCH", "PUT"} else set()
        assert really - told == set(), f"{method} {path} does not declare these"
        assert told - really - FROM_SHAPE - body == set(), f"{method} {path} declares these for nothing"
        compared += 1
    assert compared == len(described) - 2  # the two that say how things are


def test_what_services_document_is_read_at_all() -> None:
    assert documented(Services.__annotations__["broadcasts"].create) == {
        "invalid",
        "policy_breach",
        "quiet_hours",
        "refused_by_all",
        "not_airable",
        "conflict",
        "unusual_hour",
        "schedule_conflicts",
        "plan_full",
        "urgent_full",
        "approval_code",
        "forbidden",
    }
    assert raised(broadcasts.list_broadcasts) == {"invalid"}


async def test_an_answer_that_is_not_described_fails_the_test_that_got_it(lite: Centre) -> None:
    """Every client of these tests holds answers against the description: this shows that it would notice."""
    app = api(lite.services)
    described = Described(app)
    request = httpx.Request("GET", "https://loa.test/api/v1/areas")
    for status, code in ((418, "teapot"), (503, "teapot"), (404, "not_found")):
        answer = httpx.Response(status, json={"error": {"code": code}}, request=request)
        with pytest.raises(AssertionError):
            await described.check(answer)
    await described.check(httpx.Response(503, json={"error": {"code": "busy"}}, request=request))


async def test_an_error_has_the_status_and_the_code_that_are_described(lite: Centre) -> None:
    place = await commune(lite)
    async with lite.client() as client:
        given = wish(place, title="")
        assert (await client.post("/api/v1/broadcasts", json=given)).status_code == 422
        assert (await client.get("/api/v1/broadcasts/none")).status_code == 404
        assert (
            await client.post("/api/v1/broadcasts", content=b"{", headers={"Content-Type": "application/json"})
        ).status_code == 400


def test_every_class_of_errors_has_a_code_of_its_own_and_a_status() -> None:
    answered = [kind for kind in classes() if http_errors.status_of(kind) != 500]
    assert len({kind.code for kind in answered}) == len(answered) >= 15
    for kind in answered:
        [(status, described)] = may_raise(kind).items()
        assert status == http_errors.status_of(kind)
        assert list(described["x-codes"]) == [kind.code]
        assert all(described["x-codes"].values()), kind
    assert codes({}) == set()
