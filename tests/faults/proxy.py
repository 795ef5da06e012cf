"""A TCP proxy of our own between a node and its centre: cuts, resets, delays, slows, or goes half-open, when told."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from enum import StrEnum

PIECE = 4096
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends RST


class Way(StrEnum):
    """How the link is."""

    OPEN = "open"
    CUT = "cut"
    """Nothing connects; what was connected is closed."""
    HALF_OPEN = "half_open"
    """Everything connects, and nothing comes through: a NAT that forgot, a tunnel."""


class Proxy:
    """Listens on loopback, and passes bytes on to a port."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._way = Way.OPEN
        self.delay_s = 0.0
        """Each way."""
        self.bytes_per_s: float | None = None
        self.passed = 0
        """Bytes."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._opened = asyncio.Event()
        self._opened.set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for serving in list(self._serving):
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def turn(self, way: Way) -> None:
        """Let the link be otherwise from now on."""
        self._way = way
        if way is Way.OPEN:
            self._opened.set()
        else:
            self._opened.clear()
        if way is Way.CUT:
            self.close()

    def close(self) -> None:
        """End all connections as a peer would."""
        for writer in list(self._writers):
            writer.close()

    def reset(self) -> None:
        """End all connections with RST."""
        for writer in list(self._writers):
            held = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):  # by stop; what a server made is nobody else's to await
                await self._connect(reader, writer)
        finally:
            self._serving.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._way is Way.CUT:
            writer.transport.abort()
            return
        async with self._tracked(writer):
            await self._opened.wait()
            try:
                there, back = await asyncio.open_connection("127.0.0.1", self._target)
            except OSError:
                return
            async with self._tracked(back):
                ways = [asyncio.ensure_future(self._pass(*way)) for way in ((reader, back), (there, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                await self._opened.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.bytes_per_s:
                    await asyncio.sleep(len(piece) / self.bytes_per_s)
                writer.write(piece)
                self.passed += len(piece)
                await writer.drain()

    @contextlib.asynccontextmanager
    async def _tracked(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()
