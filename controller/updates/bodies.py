"""Bundles over HTTPS, by their hash: to nodes alone, by their certificate; with one range at a time."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from controller.errors import BusyError, NotFoundError
from controller.http.description import may_raise
from controller.http.session import AnyServices
from controller.nodes.shown import shown

router = APIRouter(tags=["media"])

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_RANGE = re.compile(r"bytes=([0-9]{1,12})-([0-9]{0,12})\Z")
TYPE = "application/octet-stream"
_ANSWERS: dict[int | str, dict[str, Any]] = may_raise(NotFoundError, BusyError) | {
    200: {"description": "A bundle", "content": {TYPE: {}}},
    206: {"description": "One range of it", "content": {TYPE: {}}},
    304: {"description": "Unchanged"},
    416: {"description": "No such range"},
}


@router.get("/updates/{sha256}", summary="A bundle", response_class=Response, responses=_ANSWERS)
async def bundle(sha256: str, request: Request, services: AnyServices) -> Response:
    """Serve a bundle to a node that shows its certificate; to everybody else there is none."""
    if not _SHA256.match(sha256):
        raise NotFoundError("there is no such bundle", resource="updates")
    who = shown(request)
    path = await services.releases.bundle(who, sha256)
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "private, no-store", "Accept-Ranges": "bytes"}
    if f'"{sha256}"' in request.headers.get("if-none-match", "")[:1000]:
        return Response(status_code=304, headers=headers)
    size = path.stat().st_size
    begin, end, ranged = _asked(request.headers.get("range", ""), size)
    if begin >= end:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if ranged:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - begin)
    traffic, counted = services.update_traffic, ExitStack()
    counted.enter_context(traffic.one_more(who.node_id if who else ""))
    return _Counted(traffic.pieces(path, begin, end), counted, 206 if ranged else 200, headers)


class _Counted(StreamingResponse):
    """A body that lets go of its place however it ends, also when it never began."""

    def __init__(self, body: AsyncIterator[bytes], counted: ExitStack, status: int, headers: dict[str, str]) -> None:
        super().__init__(body, status, headers, TYPE)
        self._counted = counted

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send it."""
        with self._counted:
            await super().__call__(scope, receive, send)


def _asked(value: str, size: int) -> tuple[int, int, bool]:
    """Give from where up to where; the whole where no single range is asked for."""
    found = _RANGE.match(value)
    if found is None:
        return 0, size, False
    first, last = int(found[1]), int(found[2]) if found[2] else size - 1
    return first, min(last + 1, size), True
