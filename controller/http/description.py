"""The API's description: which errors a route gives, with their codes. Pure; ``api`` prints the result.

What follows from a route's shape (a session, a body, a change) is added here; the rest each route names with
``may_raise``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from controller.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    LoaError,
    NotFoundError,
    NotSignedInError,
    PasswordDueError,
    SecondFactorError,
    TooManyAttemptsError,
)
from controller.http_errors import CODES, status_of
from controller.names import ZoneGoneError

from .middleware import CROSS_ORIGIN, SAFE_METHODS

Codes = dict[int, dict[str, str]]
"""Status → code → what it says."""

NEVER_FAIL = frozenset({"/healthz", "/readyz"})
"""They say how things are; the second one describes its own 503."""
_CODES = "x-codes"
_CONSTRAINTS = frozenset({"maxLength", "minLength", "pattern", "minimum", "maximum", "format", "enum", "$ref"})
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}},
}


def may_raise(*errors: type[LoaError]) -> dict[int | str, dict[str, Any]]:
    """Name the errors of a route that do not follow from its shape, for its ``responses``."""
    found: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        found.setdefault(status_of(error), {_CODES: {}})[_CODES].update(_said(error))
    return found


def complete(document: dict[str, Any]) -> None:
    """Put into an OpenAPI document what each operation answers when it fails."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operation.setdefault("security", [])
            if path in NEVER_FAIL:
                continue
            answers = operation["responses"]
            parsed = "422" in answers
            codes = {int(status): dict(answer[_CODES]) for status, answer in answers.items() if _CODES in answer}
            for ours in {"422", *map(str, codes)}:
                answers.pop(ours, None)
            for status, more in _from_shape(method.upper(), operation, parsed=parsed):
                codes.setdefault(status, {}).update(more)
            answers.update({str(status): _answer(status, codes[status]) for status in sorted(codes)})


def _from_shape(method: str, operation: Mapping[str, Any], *, parsed: bool) -> Iterator[tuple[int, dict[str, str]]]:
    """``parsed``: by the framework, which said that it may refuse what is sent."""
    security = operation["security"]
    yield 500, {"internal": "Something went wrong at the centre; it is in its log."}
    yield 503, {**_said(BusyError), **_said(ZoneGoneError)}
    yield 429, _said(TooManyAttemptsError)
    if security and {} not in security:
        yield 401, {**_said(NotSignedInError), **_said(SecondFactorError), **_said(PasswordDueError)}
    if method not in SAFE_METHODS:
        yield 403, {CROSS_ORIGIN: "The request came with the session's cookie from another site."}
    if _can_be_invalid(operation):
        yield 422, _said(InvalidError)
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        if parsed:
            yield 400, {CODES[400]: "The body is not JSON."}
        yield 408, {CODES[408]: "The body came too slowly."}
        yield 413, {CODES[413]: "The body is too large."}


def _can_be_invalid(operation: Mapping[str, Any]) -> bool:
    """Say whether the framework can refuse what is sent: names in a path are only looked up."""
    parameters = operation.get("parameters", ())
    return "requestBody" in operation or any(
        (each["in"] != "path" and each.get("required", False)) or _constrained(each["schema"]) for each in parameters
    )


def _constrained(schema: Mapping[str, Any]) -> bool:
    if _CONSTRAINTS & schema.keys() or schema.get("type") in {"integer", "number", "boolean"}:
        return True
    return any(_constrained(each) for each in schema.get("anyOf", ()))


def _said(error: type[LoaError]) -> dict[str, str]:
    return {error.code: (error.__doc__ or "").partition("\n")[0]}


def _answer(status: int, codes: Mapping[str, str]) -> dict[str, Any]:
    code = {"enum": sorted(codes), "type": "string"}
    narrowed = {"properties": {"error": {"properties": {"code": code}, "type": "object"}}, "type": "object"}
    schema = {"allOf": [{"$ref": "#/components/schemas/ErrorBody"}, narrowed]}
    found: dict[str, Any] = {
        "description": "\n".join(f"- `{code}`: {words}" for code, words in sorted(codes.items())),
        "content": {"application/json": {"schema": schema}},
    }
    return found | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


NOT_FOUND = may_raise(NotFoundError)
ENDS_ONCE = may_raise(ForbiddenError, NotFoundError, ConflictError)
"""For what can be ended by those who may, and only once."""
