"""Rules for every request: same origin for what a cookie may change, small bodies, careful headers. Plain ASGI."""

import asyncio
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.http_errors import respond

COOKIE = "__Host-loa"
"""Session cookie. The prefix makes browsers refuse it unless Secure, host-only and for all paths."""

DEVICE_COOKIE = "__Host-loa-device"
"""Of a browser that is remembered; opens nothing by itself."""

CROSS_ORIGIN = "cross_origin"
"""Code of what comes from another site's page."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

MAX_BODY_BYTES = 1024 * 1024
"""For all but uploads: 4,096 targets are 170 KB."""
BODY_WITHIN_S = 30
UPLOADS = re.compile(r"/api/v1/(recordings|updates|approvals/[^/]+/scan)|/shared")
"""Paths whose bodies are files, with limits of their own (``recordings.uploads``); the last one is read by nobody here.

Uploads in pieces are not among them: a piece is as small as any other body."""

REFUSES_ALL = "/shared"
"""Where a browser itself takes what a phone shares. What reaches us all the same its route refuses, in plain words."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; worker-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "Strict-Transport-Security": "max-age=31536000",  # counts behind the proxy; over plain HTTP browsers pass it over
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(self), microphone=(self)",
}


class SecurityHeaders:
    """Adds headers to every response, errors included; what a route set itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class SameOrigin:
    """Refuses changes that come with the session cookie but from another site's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and _changes(scope) and not _allowed(Headers(scope=scope)):
            response = respond(403, CROSS_ORIGIN, "this request came from another site")
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


class SmallBodies:
    """Ends requests whose body is large or slow, before anything keeps it in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or UPLOADS.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > MAX_BODY_BYTES:
            await respond(413, "too_large", f"at most {MAX_BODY_BYTES} bytes")(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        deadline, received, complete = loop.time() + BODY_WITHIN_S, 0, False

        async def receive_little() -> Message:
            nonlocal received, complete
            if complete:  # what comes now is the end of the connection: it may take as long as it likes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the body came too slowly") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, f"at most {MAX_BODY_BYTES} bytes")
            return message

        await self._app(scope, receive_little, send)


def _changes(scope: Scope) -> bool:
    return scope["method"] not in SAFE_METHODS and scope["path"] != REFUSES_ALL


def _allowed(headers: Headers) -> bool:
    """Say whether a changing request may go on: it brings no cookie of ours, or it comes from our own pages."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return True  # no browser adds this by itself; of any other kind, the cookie would be what counts
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is not None:
        return origin.partition("://")[2] == headers.get("host")
    # Neither header: not a browser of this decade. Without our cookie there is nothing to abuse.
    cookies = headers.get("cookie", "")
    return not any(f"{name}=" in cookies for name in (COOKIE, DEVICE_COOKIE))
