"""The HTTP servers, each a member of the task group in ``main.py``: they neither own the loop nor its signals."""

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from controller.crowd import Crowd, network_of
from controller.errors import LoaError

GRACE_S = 3
"""A request that is not answered by then is broken off."""
BACKLOG = 2048
MOST_CONNECTIONS = 4000
"""At the nodes' port: a province fetching at once (1,500 nodes, two connections each), and room for others."""
FIRST_REQUEST_WITHIN_S = 20.0
"""Whoever begins at the nodes' port and has not asked for anything by then is let go. A node on EDGE needs 3 s."""
MOVES_WITHIN_S = 30.0
"""An answer of which nothing is taken for so long is broken off. A node waits 20 s for anything itself."""
WRITTEN_AHEAD = 64 * 1024
"""Bytes of an answer in memory; left alone, asyncio keeps half a megabyte for each that takes nothing."""
LOOKS = 6
"""In that time."""
_ACKNOWLEDGED = 120
"""Where ``tcpi_bytes_acked`` stands in ``struct tcp_info``, linux/tcp.h."""


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
        moves_within_s: float = MOVES_WITHIN_S,
        crowd: Crowd | None = None,
    ) -> None:
        """``tls`` is certificate chain and key; ``before_stop`` ends what would keep connections open.

        ``crowd``: who has to go when there is no room; as ``most_connections`` has it when None.
        ``clients``: the authority of those who may show a certificate. Nobody has to.
        """
        self.name, self._socket, self._tls, self._before_stop = name, bound, tls, before_stop
        self.ready = asyncio.Event()
        crowd = crowd or Crowd(most_connections)
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
            http=_prompt(_Bounds(first_request_within_s, moves_within_s, crowd)) if tls else "auto",
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


class _Bounds(NamedTuple):
    asks_within_s: float
    moves_within_s: float
    crowd: Crowd


class _Prompt(HttpToolsProtocol):
    """Lets go of who does not ask, or does not take what was asked for, and knows who asks."""

    bounds: _Bounds
    network = ""
    _asking: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None
    _silent_since: float | None = None
    _taken_at: float | None = None

    @property
    def still_since(self) -> float | None:
        return self._taken_at if self._silent_since is None else self._silent_since

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITTEN_AHEAD)
        self.network = network_of(self.client[0]) if self.client else ""
        self._expect()
        self.bounds.crowd.come(self, self.loop.time())
        self.app_state = {**self.app_state, "peer": _peer(transport)}

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._asking is None:
            self._expect()

    def on_message_complete(self) -> None:
        self._asked()
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taken_at = self.loop.time()
        self._look_after(_acknowledged(self.transport))

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._asked()
        self._taken()
        self.bounds.crowd.go(self)
        super().connection_lost(exc)

    def leave(self) -> None:
        self.connections.discard(self)  # its place is free now, not only when the loop has come round
        _break_off(self.transport)

    def _expect(self) -> None:
        """Wait for a whole request."""
        self._silent_since = self.loop.time()
        self._asking = self.loop.call_later(self.bounds.asks_within_s, self.transport.abort)

    def _asked(self) -> None:
        _end(self._asking)
        self._silent_since = self._asking = None

    def _taken(self) -> None:
        _end(self._taking)
        self._taken_at = self._taking = None

    def _look_after(self, taken: int) -> None:
        _end(self._taking)
        self._taking = self.loop.call_later(self.bounds.moves_within_s / LOOKS, self._look, taken)

    def _look(self, before: int) -> None:
        """See whether the far end takes anything of what waits for it."""
        now, taken = self.loop.time(), _acknowledged(self.transport)
        if taken != before or self._taken_at is None:
            self._taken_at = now
        if now - self._taken_at < self.bounds.moves_within_s:
            self._look_after(taken)
        else:
            _break_off(self.transport)


def _prompt(given: _Bounds) -> type[asyncio.Protocol]:
    class Prompt(_Prompt):
        bounds = given

    return Prompt


def _end(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _break_off(transport: asyncio.Transport) -> None:
    """End a connection with all that the system keeps for it, which the far end would not take either."""
    found = transport.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _acknowledged(transport: asyncio.Transport) -> int:
    """Count the bytes that the far end has taken of all that was sent to it."""
    found = transport.get_extra_info("socket")
    if found is None or found.fileno() < 0:
        return 0
    info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED + 8)
    return int(struct.unpack_from("=Q", info, _ACKNOWLEDGED)[0])


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
