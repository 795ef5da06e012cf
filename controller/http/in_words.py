"""Errors as who asked can read them: a page's reader in his language, a program in the one shape."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from controller.errors import LoaError

InWords = Callable[[Request, LoaError], Response]
"""Answers a page's reader in his language."""
FOR_PROGRAMS = ("/api/", "/media/", "/plans/", "/static/", "/healthz", "/readyz")


def told(request: Request, error: LoaError, plain: Response) -> Response:
    """Answer in words where a page was asked for and there are pages, else with ``plain``."""
    state: Any = request.app.state
    in_words: InWords | None = getattr(state, "in_words", None)
    if in_words is None or request.url.path.startswith(FOR_PROGRAMS):
        return plain
    return in_words(request, error)


def told_as(request: Request, error: LoaError, plain: Response) -> Response:
    """Likewise, with the status of ``plain``, and when to come back."""
    said = told(request, error, plain)
    said.status_code = plain.status_code
    if "Retry-After" in plain.headers:
        said.headers["Retry-After"] = plain.headers["Retry-After"]
    return said
