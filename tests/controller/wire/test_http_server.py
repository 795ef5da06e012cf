"""The HTTP servers: certificates that change under way, and an end that waits for nobody."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from controller.crowd import Crowd, network_of
from controller.http_server import HttpServer, bind
from controller.wire.keys import load_keys
from controller.wire.pki import LEAF_LIFE, Authority
from tests.controller.factories import SteppedClock

from .live import WITHIN_S
from .test_two_ends import until

PIECE, MB = 64 * 1024, 1024 * 1024
ASK = b"GET /body HTTP/1.1\r\nHost: a\r\n\r\n"


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


@asynccontextmanager
async def with_a_body(folder: Path, size: int, **bounds: Any) -> AsyncIterator[int]:
    """The nodes' port with a body that does not fit into what systems keep for a connection; gives its port."""
    app = FastAPI()

    @app.get("/body")
    async def body() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(size // PIECE):
                yield b"x" * PIECE

        return StreamingResponse(pieces())

    authority = Authority(folder, load_keys(folder), SteppedClock(), names=("localhost",))
    bound = bind("127.0.0.1", 0, setting="nothing")
    tls = (authority.server_chain, authority.server_key)
    async with serving(HttpServer("https", app, bound, tls=tls, **bounds)):
        yield bound.getsockname()[1]


async def ask_unread(port: int) -> socket.socket:
    """Ask for the body, and take nothing of it."""

    def ask() -> socket.socket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        made = context.wrap_socket(plain)
        made.sendall(ASK)
        return made

    return await asyncio.to_thread(ask)


def rest_of(asked: socket.socket) -> int:
    """Read what still comes, up to the end; gives how much."""
    came = 0
    with contextlib.suppress(OSError):
        while some := asked.recv(PIECE):
            came += len(some)
    return came


async def test_an_answer_of_which_nothing_is_taken_is_broken_off(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(4 * WITHIN_S),
        with_a_body(tmp_path, 16 * MB, most_connections=3, moves_within_s=0.3) as port,
    ):
        unread = [await ask_unread(port) for _ in range(3)]
        await until(lambda: is_served(port))
        assert all([await asyncio.to_thread(rest_of, each) < 16 * MB for each in unread])
        for each in unread:
            each.close()


async def is_served(port: int) -> bool:
    """Ask for something else on a connection of its own."""
    reader, writer = await connect(port)
    writer.write(ASK.replace(b"/body", b"/else"))
    line = await reader.readline()
    writer.transport.abort()
    return b" 404 " in line


async def test_an_answer_that_moves_is_not_broken_off_however_slowly(tmp_path: Path) -> None:
    """The link of a commune that is shared by 120 nodes."""
    async with asyncio.timeout(4 * WITHIN_S), with_a_body(tmp_path, 8 * MB, moves_within_s=1.5) as port:
        asked = await ask_unread(port)

        def slowly() -> int:
            came, began = 0, time.monotonic()
            while some := asked.recv(PIECE):
                came += len(some)
                if time.monotonic() < began + 3:
                    threading.Event().wait(0.02)  # a slow link
            return came

        assert await asyncio.to_thread(slowly) > 8 * MB
        asked.close()


async def test_unread_answers_keep_nobody_else_out(tmp_path: Path) -> None:
    """From one address, as a commune and its thief may be: who takes nothing goes, and the next one is served."""
    crowd = Crowd(20, still_s=0.2)
    async with (
        asyncio.timeout(4 * WITHIN_S),
        with_a_body(tmp_path, 16 * MB, most_connections=20, crowd=crowd) as port,
    ):
        unread = [await ask_unread(port) for _ in range(25)]
        await until(lambda: is_served(port))  # the last ones have not stood still for long
        for each in unread:
            each.close()


class Somebody:
    """A connection."""

    def __init__(self, network: str, still_since: float | None = None) -> None:
        self.network, self.still_since, self.is_gone = network, still_since, False

    def leave(self) -> None:
        self.is_gone = True


def full(crowd: Crowd, *guests: Somebody) -> list[Somebody]:
    for each in guests:
        crowd.come(each, 0.0)
    return list(guests)


def test_a_commune_behind_one_address_has_as_much_room_as_there_is() -> None:
    crowd = Crowd(4000)
    commune = full(crowd, *(Somebody("1.2.3.0/24") for _ in range(240)))
    assert not any(each.is_gone for each in commune)


def test_in_a_full_house_a_network_that_takes_all_makes_room_for_another() -> None:
    crowd = Crowd(40, more=10)
    greedy = full(crowd, *(Somebody("1.2.3.0/24") for _ in range(38)))
    crowd.come(Somebody("1.2.3.0/24"), 1.0)
    assert not any(each.is_gone for each in greedy), "no quarrel among its own"
    crowd.come(Somebody("5.6.7.0/24"), 1.0)
    assert [each.is_gone for each in greedy] == [True] + [False] * 37


def test_who_stands_still_goes_first_and_of_the_largest_network() -> None:
    crowd = Crowd(10)
    small, *large = full(crowd, Somebody("1.1.1.0/24", 1.0), *(Somebody("2.2.2.0/24", at) for at in (None, 3.0, 2.0)))
    full(crowd, *(Somebody(f"3.3.{number}.0/24") for number in range(6)))
    crowd.come(Somebody("2.2.2.0/24"), 9.0)
    assert [each.is_gone for each in (small, *large)] == [False, False, False, True]


def test_a_network_is_what_one_line_has() -> None:
    assert network_of("10.1.2.3") == network_of("10.1.2.200") != network_of("10.1.3.3")
    assert network_of("2001:db8:1::1") == network_of("2001:db8:1:2::2") != network_of("2001:db8:2::1")
    assert network_of("fe80::1%eth0") == "fe80::/48"
    assert network_of("unix") == "unix"
