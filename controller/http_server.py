"""The HTTP servers, each a member of the task group in ``main.py``: they neither own the loop nor its signals."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from controller.errors import LoaError

GRACE_S = 3
"""Open event streams end after this; everything else has long answered."""
BACKLOG = 2048

NODE_ROUTES = (
    ("GET", re.compile(r"/media/[0-9a-f]{64}\.opus")),
    ("GET", re.compile(r"/plans/[0-9a-f]{64}")),
    ("POST", re.compile(r"/api/v1/enrolments")),
    ("GET", re.compile(r"/api/v1/enrolments/[a-z0-9-]{1,64}")),
    ("GET", re.compile(r"/healthz")),
)
"""What nodes may ask over their own port; the rest of the API is not there."""


class HttpError(LoaError):
    """A server cannot listen, or ended by itself."""

    code = "http"


class HttpServer:
    """One uvicorn on a socket that is bound already. Runs until cancelled."""

    def __init__(self, name: str, app: ASGIApp, bound: socket.socket, *, tls: tuple[Path, Path] | None = None) -> None:
        """``tls`` is certificate chain and key."""
        self.name, self._socket, self._tls = name, bound, tls
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
            # Only the proxy before the pages may say who is behind it, and only from this machine.
            proxy_headers=tls is None,
            forwarded_allow_ips="127.0.0.1,::1",
            ssl_certfile=tls[0] if tls else None,
            ssl_keyfile=tls[1] if tls else None,
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
            server.should_exit = True
            await serving
            raise
        raise HttpError(f"{self.name}: the HTTP server ended by itself")


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


def bind(host: str, port: int, *, setting: str) -> socket.socket:
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
        raise HttpError(f"cannot listen on {host}:{port} ({error.strerror}); set {setting}") from None
    bound.set_inheritable(False)
    return bound


def free_port(host: str) -> int:
    """Find a port that nobody uses right now, for a program that cannot be handed a socket."""
    with bind(host, 0, setting="another host") as probe:
        return int(probe.getsockname()[1])


def only_for_nodes(app: ASGIApp) -> ASGIApp:
    """Show nodes their part of the application and nothing else."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _for_nodes(scope["method"], scope["path"]):
            await send(
                {"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"application/json")]}
            )
            body = b'{"error":{"code":"not_found","message":"there is no such address on this port","fields":{}}}'
            await send({"type": "http.response.body", "body": body})
            return
        await app(scope, receive, send)

    return guarded


def _for_nodes(method: str, path: str) -> bool:
    method = "GET" if method == "HEAD" else method
    return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in NODE_ROUTES)
