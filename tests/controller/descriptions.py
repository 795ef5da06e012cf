"""Reads the API's description, and holds what routes really answer against it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
from fastapi import FastAPI

ENVELOPE = ("content", "application/json", "schema")


def operations(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def codes(answer: dict[str, Any]) -> set[str]:
    """The codes that a described answer may carry; none for one that is no error of ours."""
    for name in ENVELOPE:
        answer = answer.get(name, {})
    if "allOf" not in answer:
        return set()
    reference, narrowed = answer["allOf"]
    assert reference == {"$ref": "#/components/schemas/ErrorBody"}
    return set(narrowed["properties"]["error"]["properties"]["code"]["enum"])


def errors(operation: dict[str, Any]) -> dict[int, set[str]]:
    found = {int(status): codes(answer) for status, answer in operation["responses"].items()}
    return {status: named for status, named in found.items() if named}


class Described:
    """The description, asked for one answer."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def check(self, answer: httpx.Response) -> None:
        """Fail when a route answers what its description does not tell. Unknown paths and methods are nobody's."""
        operation = self._operation(answer.request)
        if operation is None:
            return
        described = operation["responses"].get(str(answer.status_code))
        assert described is not None, self._says(answer)
        if answer.status_code >= 400 and codes(described):
            await answer.aread()
            assert json.loads(answer.content)["error"]["code"] in codes(described), self._says(answer)

    def _operation(self, request: httpx.Request) -> dict[str, Any] | None:
        asked = request.url.path
        found = [
            (path, operation)
            for method, path, operation in operations(self._app)
            if method == request.method and re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)), asked)
        ]
        return min(found, key=lambda each: each[0].count("{"))[1] if found else None

    @staticmethod
    def _says(answer: httpx.Response) -> str:
        request = answer.request
        return f"{request.method} {request.url.path} is not described to answer {answer.status_code}"
