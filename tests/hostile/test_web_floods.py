"""Floods: the centre answers, and what is due goes out, while strangers hold connections open (cases 23 and 48)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from controller.events import Topic
from controller.http.stream import STREAMS_PER_PERSON
from tests.controller.factories import PASSWORD, centre, served
from tests.hostile.test_api_uploads import LIMITS, Wire

SLOW = 150
"""Connections that send one byte and then nothing."""


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with centre(tmp_path, limits=LIMITS) as here, served(here) as port:
        opened = await here.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
        yield Wire(here, port, opened.token)


async def works(wire: Wire) -> None:
    """It says that it lives, and a STOP becomes a document to be sent at once."""
    assert await wire.alive()
    area = await wire.centre.services.areas.tree(wire.centre.actor)
    with wire.centre.bus.listen() as events:
        await wire.centre.services.holds.order(wire.centre.actor, [f"areas/{area[0].id}"])
        async with asyncio.timeout(10):
            while (await anext(events)).topic is not Topic.DOCUMENTS:
                pass


async def test_23_who_trickles_bodies_stops_nobody(wire: Wire) -> None:
    await wire.centre.node(await wire.centre.area())
    async with AsyncExitStack() as open_ones:
        for number in range(SLOW):
            path = "/api/v1/areas" if number % 2 else "/sign-in"
            _, writer = await open_ones.enter_async_context(wire.opened())
            writer.write(wire.head("Content-Length: 1000", path=path) + b"x")
        await works(wire)


async def test_23_who_never_ends_a_head_stops_nobody(wire: Wire) -> None:
    await wire.centre.node(await wire.centre.area())
    async with AsyncExitStack() as open_ones:
        for _ in range(SLOW):
            _, writer = await open_ones.enter_async_context(wire.opened())
            writer.write(b"GET /api/v1/areas HTTP/1.1\r\nHost: loa.test\r\nX-Slow: ")
        await works(wire)


async def test_48_who_asks_for_websockets_gets_none_and_stops_nobody(wire: Wire) -> None:
    await wire.centre.node(await wire.centre.area())
    key = "Sec-WebSocket-Key: " + "A" * 24
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    lines = ("GET /api/v1/events HTTP/1.1", "Host: loa.test", f"Authorization: Bearer {'x' * 43}", *upgrade, "", "")
    async with AsyncExitStack() as open_ones:
        for _ in range(SLOW):
            reader, writer = await open_ones.enter_async_context(wire.opened())
            writer.write("\r\n".join(lines).encode())
            assert (await reader.readline()).split()[1] == b"401"
        await works(wire)


async def test_48_a_person_has_so_many_streams_and_no_more(wire: Wire) -> None:
    await wire.centre.node(await wire.centre.area())
    lines = ("GET /api/v1/events HTTP/1.1", "Host: loa.test", f"Authorization: Bearer {wire.token}", "", "")
    async with AsyncExitStack() as open_ones:
        begun = []
        for _ in range(STREAMS_PER_PERSON + 10):
            reader, writer = await open_ones.enter_async_context(wire.opened())
            writer.write("\r\n".join(lines).encode())
            begun.append(await reader.readuntil(b"\n\n"))
        assert sum(b"too_many" in each for each in begun) == 10
        await works(wire)
