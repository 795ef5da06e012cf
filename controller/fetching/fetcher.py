"""Fetches a file from an address that somebody typed, and from nowhere else.

The address is resolved once, every answer checked, and that very answer connected to: a name that means another
machine a moment later does not matter. Redirects are checked like the first address. It gives bytes to whoever keeps
them in a file: decoders never see an address.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

from controller.errors import InvalidError

from .addresses import is_public

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port → addresses."""
Connect = Callable[[str, int, str | None], Awaitable[Streams]]
"""Address, port, and with TLS the name that the certificate must have."""

CHUNK_BYTES = 64 * 1024
MAX_HEAD_BYTES = 16 * 1024
MAX_URL = 2000
OK = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"https": 443, "http": 80}


class UrlRefusedError(InvalidError):
    """An address that is not fetched from; ``problem`` says why."""

    code = "url_refused"

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(f"url: {message}", field="url", problem=problem)


@dataclass(frozen=True)
class FetchLimits:
    """How much, how long, how far."""

    max_bytes: int
    within_s: float = 120.0
    """From the first look-up to the last byte."""
    idle_s: float = 10.0
    """The longest silence in between."""
    redirects: int = 3
    plain_http: bool = False
    """Also without TLS."""


@dataclass(frozen=True)
class _Hop:
    url: str
    parts: SplitResult
    host: str
    port: int

    @property
    def path(self) -> str:
        return (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")


class _Deadline:
    """Turns waiting too long into a refusal."""

    def __init__(self, limits: FetchLimits) -> None:
        self._loop, self._idle_s = asyncio.get_running_loop(), limits.idle_s
        self._until = self._loop.time() + limits.within_s

    async def wait(self, awaited: Awaitable[bytes]) -> bytes:
        async with self.patience():
            return await awaited

    def patience(self) -> asyncio.Timeout:
        return asyncio.timeout_at(min(self._until, self._loop.time() + self._idle_s))


class Fetcher:
    """Fetches within its limits. The last two are for tests, which reach nobody."""

    def __init__(self, limits: FetchLimits, *, resolve: Resolve | None = None, connect: Connect | None = None) -> None:
        self._limits = limits
        self._resolve, self._connect = resolve or _ask_the_system, connect or _open

    async def fetch(self, url: str) -> AsyncIterator[bytes]:
        """Give the content as it comes; what came before an error is worth nothing.

        Raises:
            UrlRefusedError: it is not fetched from there, or it did not come in time, whole and small enough.
        """
        deadline = _Deadline(self._limits)
        try:
            for _ in range(self._limits.redirects + 1):
                hop = self._checked(url)
                async with aclosing(self._ask(hop, deadline)) as answer:
                    head = await anext(answer, None)
                    if not isinstance(head, h11.Response):
                        raise h11.RemoteProtocolError("it closes without an answer")
                    if head.status_code not in REDIRECTS:
                        async for chunk in self._content(head, answer):
                            yield chunk
                        return
                    url = urljoin(hop.url, _header(head, "location"))
        except TimeoutError:
            raise UrlRefusedError("too_slow", "the other side is too slow") from None
        except OSError as error:
            raise UrlRefusedError("unreachable", f"cannot be reached ({type(error).__name__})") from None
        except h11.ProtocolError:
            raise UrlRefusedError("broken", "the other side broke off, or does not speak HTTP") from None
        raise UrlRefusedError("redirects", f"more than {self._limits.redirects} redirects")

    def _checked(self, url: str) -> _Hop:
        """Take an address apart.

        Raises:
            UrlRefusedError: it is none that is fetched from, whatever it leads to.
        """
        schemes = {"https", "http"} if self._limits.plain_http else {"https"}
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or set(url) & set(" \\"):
            raise UrlRefusedError("characters", "too long, or with characters that do not belong there")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UrlRefusedError("characters", "no address") from None
        if parts.scheme not in schemes:
            raise UrlRefusedError("scheme", f"must begin with {' or '.join(sorted(schemes))}://")
        if "@" in parts.netloc:
            raise UrlRefusedError("credentials", "no user name or password")
        if not parts.hostname:
            raise UrlRefusedError("host", "names no machine")
        return _Hop(url, parts, parts.hostname, PORTS[parts.scheme] if port is None else port)

    async def _ask(self, hop: _Hop, deadline: _Deadline) -> AsyncGenerator[h11.Response | h11.Data, None]:
        """Give the head of the answer, then its content."""
        reader, writer = await self._reach(hop, deadline)
        try:
            wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
            headers = [("Host", hop.parts.netloc), ("Accept-Encoding", "identity"), ("Connection", "close")]
            asked = wire.send(h11.Request(method="GET", target=hop.path, headers=headers))
            writer.write((asked or b"") + (wire.send(h11.EndOfMessage()) or b""))
            while True:
                match event := wire.next_event():
                    case h11.NEED_DATA:
                        wire.receive_data(await deadline.wait(reader.read(CHUNK_BYTES)))
                    case h11.Response() | h11.Data():
                        yield event
                    case h11.InformationalResponse():
                        continue
                    case _:
                        return
        finally:
            writer.transport.abort()

    async def _reach(self, hop: _Hop, deadline: _Deadline) -> Streams:
        async with deadline.patience():
            addresses = await self._resolve(hop.host, hop.port)
        if not addresses or not all(map(is_public, addresses)):
            raise UrlRefusedError("address", "leads to a machine that is not on the Internet")
        name = hop.host if hop.parts.scheme == "https" else None
        async with deadline.patience():
            return await self._connect(addresses[0], hop.port, name)

    async def _content(
        self, head: h11.Response, answer: AsyncIterator[h11.Response | h11.Data]
    ) -> AsyncIterator[bytes]:
        if head.status_code != OK:
            raise UrlRefusedError("status", f"the other side answers {head.status_code}")
        if _header(head, "content-encoding") not in {"", "identity"}:
            raise UrlRefusedError("encoding", "the other side packs what was asked for unpacked")
        received, most = int(_header(head, "content-length") or 0), self._limits.max_bytes
        if received > most:
            raise UrlRefusedError("too_large", f"at most {most} bytes")
        received = 0
        async for part in answer:
            if isinstance(part, h11.Data):
                received += len(part.data)
                if received > most:
                    raise UrlRefusedError("too_large", f"at most {most} bytes")
                yield bytes(part.data)


def _header(head: h11.Response, name: str) -> str:
    return next((value.decode("latin-1") for key, value in head.headers if key.decode() == name), "")


async def _ask_the_system(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _open(address: str, port: int, name: str | None) -> Streams:
    tls = ssl.create_default_context() if name is not None else None
    return await asyncio.open_connection(address, port, ssl=tls, server_hostname=name, limit=CHUNK_BYTES)
