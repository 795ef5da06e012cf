"""Sends the agent's last words when the centre asks for them: over HTTPS, after everything that is to sound."""

import asyncio
import contextlib
import http.client
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from edge_agent.errors import AgentError, FetchError, GoneError
from edge_agent.logbook import Logbook
from edge_agent.protocol.logs import LOG_TYPE, log_path, pack_log
from edge_agent.threads import in_thread

log = logging.getLogger(__name__)

WRITE_DOWN_S = 60.0
"""Seconds between two writings of what is new."""
TRIES_S = (0.0, 10.0, 60.0)
"""Waits before each try; the centre takes it for ten minutes."""
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
        self._writing: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._stop = threading.Event()
        self.ready = asyncio.Event()

    def want(self, command_id: str) -> None:
        """Send what is known now; of two who ask, the later one gets it."""
        self._wanted = command_id
        self._nudge.set()

    async def run(self) -> None:
        """Send and write down for ever."""
        self.ready.set()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(WRITE_DOWN_S):
                        await self._nudge.wait()
                self._nudge.clear()
                wanted, self._wanted = self._wanted, None
                if wanted is not None:
                    await self._send(wanted)
                self._write_down()
        finally:
            self._stop.set()
            if self._writing is not None:
                self._writing.cancel()  # its thread is left to itself

    def _write_down(self) -> None:
        """Begin to, unless the last time has not come back: a card that hangs keeps nothing from going out."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(in_thread(self._book.write_down))

    async def _send(self, command_id: str) -> None:
        for wait_s in TRIES_S:
            if self._wanted is not None:
                return
            await asyncio.sleep(wait_s)
            try:
                await in_thread(self._post, command_id)
            except GoneError as error:
                log.warning("the log is not wanted any more: %s", error)
                return
            except (AgentError, OSError) as error:
                log.warning("the log could not be sent: %s", error)
            else:
                log.info("the log was sent")
                return

    def _post(self, command_id: str) -> None:
        """Send it once. Runs in a worker thread.

        Raises:
            GoneError: the centre does not take it, and never will.
            FetchError: anything else.
        """
        while self._yields():
            self._pause()
        packed = pack_log(self._book.lines())
        connection = http.client.HTTPSConnection(self._netloc, timeout=TIMEOUT_S, context=self._tls())
        headers = {"Content-Type": LOG_TYPE, "Content-Length": str(len(packed))}
        try:
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD_BYTES)
            connection.request("POST", log_path(self._node_id, command_id), body=self._pieces(packed), headers=headers)
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

    def _pieces(self, packed: bytes) -> Iterator[bytes]:
        for begin in range(0, len(packed), PIECE):
            while self._yields():
                self._pause()
            yield packed[begin : begin + PIECE]

    def _pause(self) -> None:
        if self._stop.wait(AGAIN_S):
            raise FetchError("stopped")
