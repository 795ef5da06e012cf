"""Plan bodies, recordings and enrolment over HTTPS, with Range, from a server that breaks off or forgets when told."""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Shelves:
    """What the file server has, and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By path."""
    gone: set[str] = field(default_factory=set)
    """Paths answered with 410."""
    broken_after: dict[str, int] = field(default_factory=dict)
    """Bytes after which an answer breaks off, once."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range header of every request, in order."""
    pages: dict[tuple[str, str], Callable[[bytes], tuple[int, bytes]]] = field(default_factory=dict)
    """Method and path → what answers it (enrolment)."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request from the shelves."""

    protocol_version = "HTTP/1.1"
    shelves: Shelves

    def do_GET(self) -> None:
        self.shelves.asked.append((self.path, self.headers.get("Range")))
        page = self.shelves.pages.get(("GET", self.path))
        if page is not None:
            self._answer(*page(b""))
        elif self.path in self.shelves.gone:
            self._answer(410, b"")
        elif self.path not in self.shelves.files:
            self._answer(404, b"")
        else:
            self._send(self.shelves.files[self.path])

    def do_POST(self) -> None:
        page = self.shelves.pages.get(("POST", self.path))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*(page(body) if page else (404, b"")))

    def _send(self, data: bytes) -> None:
        start = 0
        asked = self.headers.get("Range")
        if asked:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        cut = self.shelves.broken_after.pop(self.path, None)
        self.wfile.write(data[start:] if cut is None else data[start : start + cut])
        if cut is not None:
            self.close_connection = True

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, or do not believe us, are part of the tests."""


class FileServer:
    """HTTPS with Range, in threads."""

    def __init__(self, root: Path) -> None:
        self.shelves = Shelves()
        handler = type("Handler", (_Handler,), {"shelves": self.shelves})
        self._server = _Server(("127.0.0.1", 0), handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(root / "server.crt", root / "server.key")
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
