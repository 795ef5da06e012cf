"""Sends the agent's last words when the centre asks for them: over HTTPS, after everything that is to sound."""

import asyncio
import contextlib
import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from edge_agent.errors import AgentError, FetchError, GoneError
from edge_agent.logbook import Logbook
from edge_agent.protocol.logs import LOG_TYPE, LOG_WITHIN, log_path, pack_log
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

WRITE_DOWN_S = 60.0
"""Seconds between two writings of what is new."""
TRIES_S = (0.0, 10.0, 60.0)
"""Waits before each try."""
GIVES_UP_S = LOG_WITHIN.total_seconds()
"""From when it was wanted; by then the centre takes it no more."""
TIMEOUT_S = 20.0
PIECE = 4 * 1024
HELD_BYTES = 16 * 1024
"""What the kernel takes in ahead: so much goes out before an emergency that comes meanwhile."""
AGAIN_S = 0.2
"""Between two looks whether the link is free."""


class LogSender:
    """Runs until cancelled; writes the book down besides."""

    name = "log-sender"

    def __init__(
        self,
        book: Logbook,
        *,
        node_id: str,
        media_url: str,
        tls: Callable[[], ssl.SSLContext],
        yields: Callable[[], bool],
    ) -> None:
        """``yields`` says, in any thread, that something urgent wants the link."""
        self._book, self._node_id, self._netloc = book, node_id, urlsplit(media_url).netloc
        self._tls, self._yields = tls, yields
        self._wanted: str | None = None
        self._nudge = asyncio.Event()
        self._stop = threading.Event()
        self.ready = asyncio.Event()

    def want(self, command_id: str) -> None:
        """Send what is known now; of two who ask, the later one gets it."""
        self._wanted = command_id
        self._nudge.set()

    async def run(self) -> None:
        """Send and write down for ever, neither of which waits for the other."""
        self.ready.set()
        writing = asyncio.create_task(self._write_down(), name="log-writer")
        try:
            while True:
                await self._nudge.wait()
                self._nudge.clear()
                wanted, self._wanted = self._wanted, None
                if wanted is not None:
                    await self._send(wanted)
        finally:
            self._stop.set()
            writing.cancel()  # its thread is left to itself

    async def _write_down(self) -> None:
        """For ever; on a card that hangs, once."""
        while True:
            await asyncio.sleep(WRITE_DOWN_S)
            await in_thread(self._book.write_down)

    async def _send(self, command_id: str) -> None:
        until_s = time.monotonic() + GIVES_UP_S
        for wait_s in TRIES_S:
            if await self._is_later_wanted(wait_s):
                return
            try:
                await in_thread(self._post, command_id, until_s)
            except GoneError as error:
                log.warning("the log is not wanted any more: %s", error)
                return
            except (AgentError, OSError) as error:
                log.warning("the log could not be sent: %s", error)
            else:
                log.info("the log was sent")
                return

    async def _is_later_wanted(self, within_s: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._nudge.wait()
        return self._wanted is not None

    def _post(self, command_id: str, until_s: float) -> None:
        """Send it once. Runs in a worker thread.

        Raises:
            GoneError: the centre does not take it, and never will, or nobody waits for it any more.
            FetchError: anything else.
        """
        self._give_way(until_s)
        packed = pack_log(self._book.lines())
        connection = http.client.HTTPSConnection(self._netloc, timeout=TIMEOUT_S, context=self._tls())
        headers = {"Content-Type": LOG_TYPE, "Content-Length": str(len(packed))}
        try:
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD_BYTES)
            connection.request(
                "POST", log_path(self._node_id, command_id), body=self._pieces(packed, until_s), headers=headers
            )
            answer = connection.getresponse()
            answer.read(1024)
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"{self._netloc}: {error or type(error).__name__}") from None
        finally:
            connection.close()
        if answer.status in {400, 404, 410, 413, 422}:
            raise GoneError(f"{self._netloc}: {answer.status} {answer.reason}")
        if answer.status != 204:
            raise FetchError(f"{self._netloc}: unexpected answer {answer.status} {answer.reason}")

    def _pieces(self, packed: bytes, until_s: float) -> Iterator[bytes]:
        for begin in range(0, len(packed), PIECE):
            self._give_way(until_s)
            yield packed[begin : begin + PIECE]

    def _give_way(self, until_s: float) -> None:
        """Wait until nothing urgent wants the link, or nobody this log."""
        while self._yields():
            if self._stop.wait(AGAIN_S):
                raise FetchError("stopped")
            if self._wanted is not None:
                raise GoneError("a later one is wanted")
            if time.monotonic() >= until_s:
                raise GoneError("something urgent took the link for too long")
