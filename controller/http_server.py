"""The HTTP servers, each a member of the task group in ``main.py``: they neither own the loop nor its signals."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from controller.errors import LoaError

GRACE_S = 3
"""A request that is not answered by then is broken off."""
BACKLOG = 2048
MOST_CONNECTIONS = 4000
"""At the nodes' port: a province fetching at once (1,500 nodes, two connections each), and room for others."""
FIRST_REQUEST_WITHIN_S = 20.0
"""Whoever connects to the nodes' port and has not asked for anything by then is let go. A node on EDGE needs 3 s."""


class HttpError(LoaError):
    """A server cannot listen, or ended by itself."""

    code = "http"


class Peer(NamedTuple):
    """Whose certificate was shown on a connection, and was one of our authority; ``request.state.peer``."""

    name: str
    """Its common name: the node's id."""
    serial: str
    """Hexadecimal, in small letters."""


class HttpServer:
    """One uvicorn on a socket that is bound already. Runs until cancelled."""

    def __init__(
        self,
        name: str,
        app: FastAPI,
        bound: socket.socket,
        *,
        tls: tuple[Path, Path] | None = None,
        clients: Path | None = None,
        before_stop: Callable[[], None] = lambda: None,
        most_connections: int = MOST_CONNECTIONS,
        first_request_within_s: float = FIRST_REQUEST_WITHIN_S,
    ) -> None:
        """``tls`` is certificate chain and key; ``before_stop`` ends what would keep connections open.

        ``clients``: the authority of those who may show a certificate. Nobody has to.
        """
        self.name, self._socket, self._tls, self._before_stop = name, bound, tls, before_stop
        self.ready = asyncio.Event()
        self._config = uvicorn.Config(
            app,
            loop="none",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_S,
            # Anybody may reach the nodes' port; the pages stand behind a proxy, which has such bounds of its own.
            http=prompt(first_request_within_s) if tls else "auto",
            limit_concurrency=most_connections if tls else None,
            # Only the proxy before the pages may say who is behind it, and only from this machine.
            proxy_headers=tls is None,
            forwarded_allow_ips="127.0.0.1,::1",
            ssl_certfile=tls[0] if tls else None,
            ssl_keyfile=tls[1] if tls else None,
            ssl_ca_certs=str(clients) if clients else None,
            ssl_cert_reqs=ssl.CERT_OPTIONAL if clients else ssl.CERT_NONE,
        )

    def renew_certificate(self) -> None:
        """Use the certificate that is in the files now for new connections."""
        if self._tls is not None and self._config.ssl is not None:
            self._config.ssl.load_cert_chain(*self._tls)

    async def run(self) -> None:
        """Serve.

        Raises:
            HttpError: the server ended by itself.
        """
        server = _Server(self._config, self.ready)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]), name=f"{self.name}-server")
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self._before_stop()
            server.should_exit = True
            await serving
            raise
        raise HttpError(f"{self.name}: the HTTP server ended by itself")


def prompt(within_s: float) -> type[asyncio.Protocol]:
    """Make a protocol that lets go of a connection on which no whole request came in time, and knows who asks."""

    class Prompt(HttpToolsProtocol):
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
            super().connection_made(transport)
            self._waiting = self.loop.call_later(within_s, transport.abort)
            self.app_state = {**self.app_state, "peer": _peer(transport)}

        def on_headers_complete(self) -> None:
            self._asked()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._asked()
            super().connection_lost(exc)

        def _asked(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

    return Prompt


def _peer(transport: asyncio.Transport) -> Peer | None:
    shown = transport.get_extra_info("peercert") or {}
    names = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
    return Peer(names[0], f"{int(shown['serialNumber'], 16):x}") if len(names) == 1 else None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would end the process before the others have said goodbye."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


def bind(host: str, port: int, *, setting: str, host_setting: str = "another host") -> socket.socket:
    """Take a port; 0 takes a free one.

    Raises:
        HttpError: it is taken, or there is no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise HttpError(f"{host!r} is no address of this machine; set {host_setting}") from None
        raise HttpError(f"cannot listen on {host}:{port} ({error.strerror}); set {setting}") from None
    bound.set_inheritable(False)
    return bound


def free_port(host: str) -> int:
    """Find a port that nobody uses right now, for a program that cannot be handed a socket."""
    with bind(host, 0, setting="another host") as probe:
        return int(probe.getsockname()[1])
