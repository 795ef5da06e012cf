"""Bodies over HTTP: immutable, named by their hash, with one range at a time."""

import asyncio
import re
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from controller.errors import GoneError, NotFoundError, NotSignedInError
from controller.http.description import NOT_FOUND, may_raise
from controller.http.session import MAY_SIGN_IN, AnyServices, acting, signed_in
from controller.people.actor import Actor
from controller.services import Services

from .service import no_recording

router = APIRouter(tags=["media"])

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")

IMMUTABLE = "public, max-age=31536000, immutable"
PRIVATE = "private, no-store"
"""For a draft: it may not stay in a cache that others share."""

MAX_RANGE = 64
"""Characters of a Range header that names one range."""


class Recording(FileResponse):
    """A file that answers one range. Several ranges at once are an attack or a mistake: the whole file answers them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the part that is asked for."""
        kept = [(name, value) for name, value in scope["headers"] if name != b"range" or _one_range(value)]
        await super().__call__({**scope, "headers": kept}, receive, send)


_ANSWERS: dict[int | str, dict[str, Any]] = may_raise(NotFoundError, GoneError) | {
    200: {"description": "Ogg Opus", "content": {"audio/ogg": {}}},
    206: {"description": "One range of it", "content": {"audio/ogg": {}}},
    304: {"description": "Unchanged"},
    416: {"description": "No such range"},
}


@router.head("/media/{sha256}.opus", include_in_schema=False)
@router.get(
    "/media/{sha256}.opus",
    summary="A processed recording",
    response_class=Response,
    responses=_ANSWERS,
    openapi_extra=MAY_SIGN_IN,
)
async def media(sha256: str, request: Request, services: AnyServices) -> Response:
    """Serve what an approved broadcast uses to everybody, a draft to those in whose sight it is."""
    found = await services.media.recording(_checked(sha256), await _asking(request, services))
    if not await asyncio.to_thread(found.path.is_file):
        raise no_recording()
    headers = {"ETag": f'"{sha256}"', "Cache-Control": IMMUTABLE if found.public else PRIVATE}
    if _is_fresh(request, sha256):
        return Response(status_code=304, headers=headers)
    return Recording(found.path, headers=headers, media_type="audio/ogg")


@router.head("/plans/{sha256}", include_in_schema=False)
@router.get(
    "/plans/{sha256}",
    summary="A packed plan body",
    response_class=Response,
    responses=NOT_FOUND
    | {200: {"description": "Gzip; the hash is over these very bytes", "content": {"application/gzip": {}}}},
)
async def plan_body(sha256: str, request: Request, services: AnyServices) -> Response:
    """Serve the bytes as they are hashed: without Content-Encoding, which would have clients unpack them."""
    packed = await services.media.plan_body(_checked(sha256))
    headers = {"ETag": f'"{sha256}"', "Cache-Control": IMMUTABLE}
    if _is_fresh(request, sha256):
        return Response(status_code=304, headers=headers)
    return Response(packed, headers=headers, media_type="application/gzip")


async def _asking(request: Request, services: Services) -> Actor | None:
    try:
        return acting(request, await signed_in(request, services))
    except NotSignedInError:
        return None


def _is_fresh(request: Request, sha256: str) -> bool:
    return f'"{sha256}"' in request.headers.get("if-none-match", "")[:1000]


def _checked(sha256: str) -> str:
    if not _SHA256.match(sha256):
        raise NotFoundError("there is no such body", resource="media")
    return sha256


def _one_range(value: bytes) -> bool:
    return len(value) <= MAX_RANGE and b"," not in value
