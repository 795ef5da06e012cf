"""One GET over HTTPS, in a worker thread: bounded in size and time, resumable, ended from outside. No redirects."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlsplit

from edge_agent.errors import CorruptError, FetchError, GoneError

TIMEOUT_S = 20.0
"""Without a byte for so long, a link counts as dead; GPRS pauses last up to 10 s."""
PIECE = 8 * 1024
"""Bytes between two looks at whether to stop: 0.3 s at 200 kbit/s."""


HELD_BYTES = 48 * 1024
"""What the kernel takes in for a download that stands still: the far end sends no more, and the link is free. Left to
itself it takes megabytes. At a tenth of a second there and back it still lets through 4 Mbit/s."""
LOOK_S = 0.5
"""Between two looks at the ceiling while a download is ahead of it: it may rise, or fall away."""


@dataclass(slots=True)
class Throttle:
    """What holds a download back: shared between event loop and worker thread."""

    stop: threading.Event
    """Ends it; what has come is kept."""
    pause: Callable[[], bool] = lambda: False
    """True while something more urgent wants the link."""
    bytes_per_s: Callable[[], int | None] = lambda: None
    """Ceiling of the rate; None for none."""


def get(url: str, tls: ssl.SSLContext | None, *, into: IO[bytes], offset: int, limit: int, throttle: Throttle) -> None:
    """Write the resource to ``into`` from byte ``offset`` on; ``into`` stands at ``offset`` already.

    Raises:
        GoneError: 404 or 410.
        CorruptError: more than ``limit`` bytes.
        FetchError: anything else; what has come is in ``into``.
    """
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=tls)
    else:
        raise FetchError(f"{url}: only https is fetched")
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
    try:
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HELD_BYTES)
        connection.request("GET", parts.path, headers=headers)
        _receive(connection.getresponse(), url, into, offset=offset, limit=limit, throttle=throttle)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url}: {error or type(error).__name__}") from None
    finally:
        connection.close()


def _receive(
    response: http.client.HTTPResponse, url: str, into: IO[bytes], *, offset: int, limit: int, throttle: Throttle
) -> None:
    if response.status in {404, 410}:
        raise GoneError(f"{url}: {response.status} {response.reason}")
    if response.status == 416:  # what we have is not the beginning of what is there
        into.truncate(0)
        raise FetchError(f"{url}: cannot be continued at byte {offset}, starting anew")
    if response.status == 206 and _range_start(response) == offset:
        size = offset
    elif response.status == 200:
        into.seek(0)
        into.truncate()
        size = 0
    else:
        raise FetchError(f"{url}: unexpected answer {response.status} {response.reason}")
    pace = _Pace()
    while piece := response.read1(PIECE):
        size += len(piece)
        if size > limit:
            raise CorruptError(f"{url}: more than the promised {limit} bytes")
        into.write(piece)
        pace.got += len(piece)
        _hold_back(throttle, pace)
    if response.length:
        raise FetchError(f"{url}: broke off at byte {size}")


def _range_start(response: http.client.HTTPResponse) -> int | None:
    words = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")
    return int(words[0]) if words[0].isascii() and words[0].isdigit() else None


@dataclass(slots=True)
class _Pace:
    """How much came since the ceiling is what it is."""

    rate: int | None = None
    since_s: float = 0.0
    got: int = 0

    def ahead_s(self, rate: int | None) -> float:
        """Say how much too early this is; from a new ceiling on counts only what comes under it."""
        now_s = time.monotonic()
        if rate != self.rate:
            self.rate, self.since_s, self.got = rate, now_s, 0
        return self.got / rate - (now_s - self.since_s) if rate else 0.0


def _hold_back(throttle: Throttle, pace: _Pace) -> None:
    """Wait as the throttle says.

    Raises:
        FetchError: it was told to stop.
    """
    if throttle.stop.is_set():
        raise FetchError("stopped")
    while (ahead_s := pace.ahead_s(throttle.bytes_per_s())) > 0:
        if throttle.stop.wait(min(ahead_s, LOOK_S)):
            raise FetchError("stopped")
    while throttle.pause():
        if throttle.stop.wait(0.05):
            raise FetchError("stopped")
