"""NUL in what is asked is refused before anything is looked up, whichever database there is.

PostgreSQL takes it for no text, SQLite would keep it; and no list shows it. Forms of the pages are looked through where
they are read (``web.forms``), a path has no name in it that anything has.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import Request

from controller.validation import refuse_nul

NUL_IN_JSON = rb"\u0000"
"""How a body would say it; where it does, or something like it, the body is looked through."""


def no_nul_in_query(request: Request) -> None:
    """Look through the query, of the API and of the pages.

    Raises:
        InvalidError: a name or a value has it; the first is named.
    """
    if "%00" in request.url.query:
        refuse_nul((name, each) for name, value in request.query_params.multi_items() for each in (name, value))


async def no_nul(request: Request) -> None:
    """Look through the query, and the body where it is JSON: of files, each says what may be in it.

    Raises:
        InvalidError: a text has it; the first is named.
    """
    no_nul_in_query(request)
    if getattr(request.scope["route"], "body_field", None) is not None and NUL_IN_JSON in await request.body():
        refuse_nul(_texts(await request.json(), ""))


def _texts(value: Any, field: str) -> Iterator[tuple[str, str]]:
    """Give each text with the name of its field, and the names themselves."""
    if isinstance(value, str):
        yield field or "body", value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield field or "body", name
            yield from _texts(each, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _texts(each, f"{field}.{place}")
