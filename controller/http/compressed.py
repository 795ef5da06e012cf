"""Answers in fewer bytes: communes have bad links. Plain ASGI.

Only what a GET brings and what is text. A secret that is shown once is the answer to a POST: that stays as it is, so
that its length tells nothing (BREACH). Sound, events and parts of files are left alone.
"""

import asyncio
import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST_BYTES = 1024
"""Below this one packet carries it anyway."""
LEVEL = 6
ASIDE_BYTES = 128 * 1024
"""More than this at once is compressed in a thread: STOP waits for no page."""
TEXT = frozenset(
    {
        *("text/html", "text/css", "text/javascript", "text/plain", "text/csv", "text/calendar"),
        *("application/javascript", "application/json", "application/manifest+json", "image/svg+xml"),
    }
)


class Compressed:
    """Compresses what is worth it, for browsers that take it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, takes_gzip="gzip" in Headers(scope=scope).get("accept-encoding", ""))
        await self._app(scope, receive, answer.send)


class _Answer:
    """One answer, on its way."""

    def __init__(self, send: Send, *, takes_gzip: bool) -> None:
        self._send, self._takes_gzip = send, takes_gzip
        self._start: Message | None = None
        """Held back until the first part of the body tells whether it is worth it."""
        self._packer: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start" and _is_text(message):
            self._start = message
        elif message["type"] == "http.response.body" and (self._start or self._packer):
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            await self._send(message)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            worth_it = more or len(body) >= LEAST_BYTES
            headers = MutableHeaders(raw=start["headers"])
            if worth_it:
                headers.add_vary_header("Accept-Encoding")
            if worth_it and self._takes_gzip:
                self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
                _describe(headers)
            await self._send(start)
        if self._packer is not None:
            aside = len(body) > ASIDE_BYTES
            body = await asyncio.to_thread(_packed, self._packer, body) if aside else _packed(self._packer, body)
            if not more:
                body += self._packer.flush()
            elif not body:
                return  # it waits for more
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _packed(packer: "zlib._Compress", body: bytes) -> bytes:
    return packer.compress(body)


def _is_text(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    as_it_is = "content-encoding" in headers or "no-transform" in headers.get("cache-control", "")
    return kind in TEXT and start["status"] not in {204, 206, 304} and not as_it_is


def _describe(headers: MutableHeaders) -> None:
    headers["Content-Encoding"] = "gzip"
    del headers["Content-Length"]
    tag = headers.get("etag")
    if tag is not None and not tag.startswith("W/"):  # the same file in other bytes (RFC 9110, 8.8.1)
        headers["ETag"] = f"W/{tag}"
