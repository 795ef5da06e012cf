"""Bodies that are a file, whatever their content type says."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from controller.errors import InvalidError

FILE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
}
"""For ``openapi_extra`` of a route that takes one."""


async def streamed(request: Request) -> AsyncIterator[bytes]:
    """Give the body as it comes.

    Raises:
        InvalidError: it broke off.
    """
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise InvalidError("the upload broke off", field="body", problem="length") from None


def declared(request: Request) -> int | None:
    """Give the length that was declared.

    Raises:
        InvalidError: it is none.
    """
    said = request.headers.get("content-length")
    if said is None:
        return None
    if not said.isdecimal() or len(said) > 18:
        raise InvalidError("Content-Length: not a length", field="body", problem="length")
    return int(said)
