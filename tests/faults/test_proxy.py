"""The proxy does what the rig says of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Proxy, Way

Both = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def open_ones() -> AsyncIterator[list[asyncio.StreamWriter]]:
    writers: list[asyncio.StreamWriter] = []
    yield writers
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def proxy(open_ones: list[asyncio.StreamWriter]) -> AsyncIterator[Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        with contextlib.suppress(OSError):
            while piece := await reader.read(100):
                writer.write(piece)
                await writer.drain()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    made = Proxy(server.sockets[0].getsockname()[1])
    await made.start()
    yield made
    await made.stop()
    server.close()


async def connected(proxy: Proxy, open_ones: list[asyncio.StreamWriter]) -> Both:
    both = await asyncio.open_connection("127.0.0.1", proxy.port)
    open_ones.append(both[1])
    return both


async def said(both: Both) -> bytes:
    both[1].write(b"ping")
    return await both[0].readexactly(4)


async def test_what_is_cut_ends_and_what_is_healed_connects(
    proxy: Proxy, open_ones: list[asyncio.StreamWriter]
) -> None:
    both = await connected(proxy, open_ones)
    assert await said(both) == b"ping"
    proxy.turn(Way.CUT)
    assert await both[0].read() == b""
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await said(await connected(proxy, open_ones))
    proxy.turn(Way.OPEN)
    assert await said(await connected(proxy, open_ones)) == b"ping"


async def test_half_open_keeps_the_connection_and_swallows_until_it_heals(
    proxy: Proxy, open_ones: list[asyncio.StreamWriter]
) -> None:
    both = await connected(proxy, open_ones)
    assert await said(both) == b"ping"
    proxy.turn(Way.HALF_OPEN)
    answer = asyncio.ensure_future(said(both))
    done, _ = await asyncio.wait([answer], timeout=0.1)
    assert done == set()
    proxy.turn(Way.OPEN)
    assert await asyncio.wait_for(answer, 20) == b"ping"


async def test_a_reset_is_a_reset(proxy: Proxy, open_ones: list[asyncio.StreamWriter]) -> None:
    both = await connected(proxy, open_ones)
    assert await said(both) == b"ping"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await both[0].readexactly(1)
