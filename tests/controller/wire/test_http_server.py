"""The HTTP servers: certificates that change under way, and an end that waits for nobody."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from controller.http_server import HttpServer, bind
from controller.wire.keys import load_keys
from controller.wire.pki import LEAF_LIFE, Authority
from tests.controller.factories import SteppedClock

from .live import WITHIN_S


@asynccontextmanager
async def serving(server: HttpServer) -> AsyncIterator[None]:
    task = asyncio.create_task(server.run())
    async with asyncio.timeout(WITHIN_S):
        await server.ready.wait()
    try:
        yield
    finally:
        task.cancel()
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def serial_shown(port: int) -> int:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return x509.load_der_x509_certificate(shown).serial_number


async def test_a_renewed_certificate_is_shown_to_new_connections(tmp_path: Path) -> None:
    clock = SteppedClock()
    authority = Authority(tmp_path, load_keys(tmp_path), clock, names=("localhost",))
    bound = bind("127.0.0.1", 0, setting="nothing")
    server = HttpServer("https", FastAPI(), bound, tls=(authority.server_chain, authority.server_key))
    async with serving(server):
        port = bound.getsockname()[1]
        first = await serial_shown(port)
        clock.step(days=LEAF_LIFE.days * 0.7)
        assert authority.renew()
        assert await serial_shown(port) == first
        server.renew_certificate()
        assert await serial_shown(port) != first


@asynccontextmanager
async def at_the_nodes_port(folder: Path, **bounds: Any) -> AsyncIterator[int]:
    """A server as nodes reach it; gives its port."""
    authority = Authority(folder, load_keys(folder), SteppedClock(), names=("localhost",))
    bound = bind("127.0.0.1", 0, setting="nothing")
    tls = (authority.server_chain, authority.server_key)
    async with serving(HttpServer("https", FastAPI(), bound, tls=tls, **bounds)):
        yield bound.getsockname()[1]


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


@pytest.mark.parametrize("said", [b"", b"GET /never HTTP/1.1\r\nHost: a"])
async def test_who_connects_and_asks_nothing_is_let_go(tmp_path: Path, said: bytes) -> None:
    async with asyncio.timeout(WITHIN_S), at_the_nodes_port(tmp_path, first_request_within_s=0.1) as port:
        reader, writer = await connect(port)
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.transport.abort()


async def test_beyond_so_many_connections_a_request_is_turned_away(tmp_path: Path) -> None:
    async with asyncio.timeout(WITHIN_S), at_the_nodes_port(tmp_path, most_connections=3) as port:
        silent = [(await connect(port))[1] for _ in range(3)]
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b" 503 " in await reader.readline()
        for each in (*silent, writer):
            each.transport.abort()


async def test_an_open_stream_does_not_keep_the_server_from_its_end(tmp_path: Path) -> None:
    app, over = FastAPI(), asyncio.Event()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"first\n"
            await over.wait()

        return StreamingResponse(lines())

    bound = bind("127.0.0.1", 0, setting="nothing")
    async with serving(HttpServer("http", app, bound, before_stop=over.set)):
        reader, writer = await asyncio.open_connection("127.0.0.1", bound.getsockname()[1])
        writer.write(b"GET /stream HTTP/1.1\r\nHost: loa\r\n\r\n")
        async with asyncio.timeout(WITHIN_S):
            await reader.readuntil(b"first\n")
    assert over.is_set()
    async with asyncio.timeout(WITHIN_S):
        assert (await reader.read()).endswith(b"0\r\n\r\n"), "the answer was broken off"
    writer.close()
    await writer.wait_closed()
