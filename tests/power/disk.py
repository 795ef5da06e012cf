"""A disk that loses what it was not told to keep: writes wait in its cache until a flush, and a power cut takes them.

It speaks NBD (the protocol's own `proto.md`, fixed newstyle, simple replies) to one client on a Unix socket. What is
worse than a cache is not modelled: a card whose firmware loses or mixes up what it had confirmed.
"""

import asyncio
import contextlib
import random
import struct
from collections.abc import Callable
from enum import Enum
from pathlib import Path

SECTOR = 512
_OPTION, _REPLY, _REQUEST, _ANSWER = 0x49484156454F5054, 0x3E889045565A9, 0x25609513, 0x67446698
_HAS_FLAGS, _SENDS_FLUSH = 1, 4
_GO, _ACK, _INFO, _UNSUPPORTED = 7, 1, 3, 2**31 + 1
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_INVALID = 22


class Cache(Enum):
    """What becomes of writes that no flush has confirmed."""

    LOST = "lost"
    """None of them reached the medium."""
    TORN = "torn"
    """Some did, in any order, and of some only the first sectors."""
    KEPT = "kept"
    """All did."""


class Disk:
    """See the module. ``flushes`` and ``writes`` count since it was made."""

    def __init__(self, image: bytes, seed: int) -> None:
        self._medium, self._rng = bytearray(image), random.Random(seed)
        self._waiting: list[tuple[int, bytes]] = []
        self.flushes = self.writes = 0
        self.lost = 0
        """Writes that power cuts have taken, whole or in part."""
        self.at_flush: Callable[[str], bool] = lambda _: False
        """Asked ``before`` and ``after`` each flush has its effect: whether the power goes now."""
        self._server: asyncio.Server | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._medium)

    async def serve(self, socket: Path) -> None:
        """Wait for a machine."""
        self._server = await asyncio.start_unix_server(self._client, socket)

    async def unplug(self, cache: Cache) -> int:
        """The power is gone: settle what becomes of the cache; gives how many writes were lost or torn."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        waiting, self._waiting = self._waiting, []
        lost = 0
        for offset, data in waiting:
            kept = self._survives(data, cache)
            self._medium[offset : offset + len(kept)] = kept
            lost += len(kept) < len(data)
        self.lost += lost
        return lost

    def save(self, path: Path) -> None:
        """Write the medium to a file."""
        path.write_bytes(self._medium)

    def _survives(self, data: bytes, cache: Cache) -> bytes:
        if cache is not Cache.TORN:
            return data if cache is Cache.KEPT else b""
        way = self._rng.random()
        if way < 0.4:
            return b""
        return data if way < 0.8 else data[: self._rng.randrange(len(data) // SECTOR + 1) * SECTOR]

    # The protocol.

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._shake_hands(reader, writer):
                while await self._serve_one(reader, writer):
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # its machine has lost power
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(struct.pack(">8sQH", b"NBDMAGIC", _OPTION, 3))
        await reader.readexactly(4)
        while True:
            _, option, length = struct.unpack(">QII", await reader.readexactly(16))
            await reader.readexactly(length)
            if option == _GO:
                export = struct.pack(">HQH", 0, self.size, _HAS_FLAGS | _SENDS_FLUSH)
                writer.write(struct.pack(">QIII", _REPLY, option, _INFO, len(export)) + export)
                writer.write(struct.pack(">QIII", _REPLY, option, _ACK, 0))
                return True
            writer.write(struct.pack(">QIII", _REPLY, option, _UNSUPPORTED, 0))

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        magic, _, kind, handle, offset, length = struct.unpack(">IHHQQI", await reader.readexactly(28))
        if magic != _REQUEST or kind == _DISCONNECT:
            return False
        error, data = 0, b""
        if kind == _READ:
            data = self._read(offset, length)
        elif kind == _WRITE:
            self.writes += 1
            self._waiting.append((offset, await reader.readexactly(length)))
        elif kind == _FLUSH:
            if not self._flush():
                return False
        else:
            error = _INVALID
        writer.write(struct.pack(">IIQ", _ANSWER, error, handle) + data)
        return True

    def _read(self, offset: int, length: int) -> bytes:
        found = self._medium[offset : offset + length]
        for begin, data in self._waiting:
            low, high = max(begin, offset), min(begin + len(data), offset + length)
            if low < high:
                found[low - offset : high - offset] = data[low - begin : high - begin]
        return bytes(found)

    def _flush(self) -> bool:
        """Bring the cache to the medium; False when the power goes."""
        self.flushes += 1
        if self.at_flush("before"):
            return False
        for offset, data in self._waiting:
            self._medium[offset : offset + len(data)] = data
        self._waiting.clear()
        return not self.at_flush("after")
