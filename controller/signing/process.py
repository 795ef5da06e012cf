"""The signer as a process of its own: a Unix socket for one user, nothing else. A large plan lets others go between."""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from .apart import Handler
from .frames import LENGTH, MAX_FRAME_BYTES, Answer, Failed, framed, requests

_CREDENTIALS = struct.Struct("3i")
"""``struct ucred``: process, user, group (unix(7))."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def listening(path: Path, handler: Handler, users: Collection[int]) -> AsyncIterator[None]:
    """Answer at a socket for the length of the block; ``users``: who may ask."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(reader, writer, handler, users)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=_bound(path))
    async with server:
        yield


def _bound(path: Path) -> socket.socket:
    """Take a socket's name; one that a dead signer left there goes."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    # Whoever may not ask is refused by the kernel's word of who it is; the mode lets the centre's user reach it.
    path.chmod(0o666)
    return listener


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, users: Collection[int]
) -> None:
    user = peer(writer.get_extra_info("socket"))
    if user not in users:
        _log.error("user %d may not ask the signer", user)
        return
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
            if size > MAX_FRAME_BYTES:
                _log.error("a request of %d bytes", size)
                return
            writer.write(framed(await _answer(handler, await reader.readexactly(size))))
            await writer.drain()


async def _answer(handler: Handler, raw: bytes) -> Answer:
    try:
        request = requests.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Failed(code="malformed", message=str(error)[:300])
    steps = handler.steps(request)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        await asyncio.sleep(0)


def peer(connection: socket.socket) -> int:
    """Give the user at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return int(user)
