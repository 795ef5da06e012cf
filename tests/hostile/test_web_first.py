"""STOP goes before what else is asked, at the door and at the database, and cannot be used to keep others waiting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from controller.db import ORDINARY, ORDINARY_AT_ONCE, Ordinary
from controller.http import pace as paces
from controller.http import precedence as first
from controller.http.pace import Pace, Rate, Rates
from controller.http.precedence import Done, Precedence
from tests.controller.factories import Centre, api

WITHIN_S = 50
MORE_THAN_THE_POOL = 20


def crowd(act: Callable[[], Awaitable[None]], number: int) -> list[asyncio.Task[None]]:
    """Begin as many ordinary requests."""

    async def one() -> None:
        ORDINARY.set(Ordinary())
        await act()

    return [asyncio.create_task(one()) for _ in range(number)]


async def turns() -> None:
    """Let everybody come as far as they can without the database's threads."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_however_many_read_a_stop_finds_a_connection(lite: Centre) -> None:
    go_on, reading = asyncio.Event(), 0

    async def read_long() -> None:
        nonlocal reading
        async with lite.database.reading() as session:
            await session.execute(text("SELECT 1"))
            reading += 1
            await go_on.wait()

    tasks = crowd(read_long, MORE_THAN_THE_POOL)
    async with asyncio.timeout(WITHIN_S):
        while reading < ORDINARY_AT_ONCE:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.001)
        async with lite.database.transaction() as tx:
            await tx.session.execute(text("SELECT 1"))
        go_on.set()
        await asyncio.gather(*tasks)
    assert reading == MORE_THAN_THE_POOL


async def test_a_stop_waits_for_one_ordinary_change_and_not_for_those_behind_it(lite: Centre) -> None:
    order: list[str] = []
    go_on, begun = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        async with lite.database.transaction():
            begun.set()
            await go_on.wait()
            order.append("ordinary")

    tasks = crowd(change, 5)
    async with asyncio.timeout(WITHIN_S):
        await begun.wait()

        async def stop() -> None:
            async with lite.database.transaction():
                order.append("stop")

        stopping = asyncio.create_task(stop())
        await turns()
        go_on.set()
        await asyncio.gather(*tasks, stopping)
    assert order == ["ordinary", "stop", *["ordinary"] * 4]


async def test_a_request_that_reads_while_it_changes_takes_one_turn(lite: Centre) -> None:
    async def both() -> None:
        async with lite.database.reading(), lite.database.reading() as session:
            await session.execute(text("SELECT 1"))

    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*crowd(both, MORE_THAN_THE_POOL))


async def test_while_a_stop_is_dealt_with_others_wait_and_whoever_pressed_does_not(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "ASIDE_S", WITHIN_S)  # the machine may be slow
    place = await lite.area()
    other = await lite.somebody("hoa", "operator", place)
    order: list[str] = []

    async def ask(client_of: Awaitable[object], name: str) -> None:
        await client_of
        order.append(name)

    async with lite.client() as one, lite.client(who=other) as two, asyncio.timeout(WITHIN_S):
        precedence = api(lite.services).state.pace.precedence
        for client in (one, two):
            assert (await client.get("/api/v1/areas")).status_code == 200
        async with lite.database.transaction():  # somebody's change is under way
            scopes = {"scopes": [place.scope]}
            stop = asyncio.create_task(ask(one.post("/api/v1/holds", json=scopes), "stop"))
            while not precedence._under_way:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0)
            waits = asyncio.create_task(ask(two.get("/api/v1/areas"), "other"))
            await one.get("/api/v1/areas")
            order.append("own")
            await turns()
        await asyncio.gather(stop, waits)
    assert order == ["own", "stop", "other"]


async def test_nobody_waits_for_ever_for_what_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "ASIDE_S", 0.01)
    precedence = Precedence()
    with precedence.first("lan", Done()):
        async with asyncio.timeout(WITHIN_S):
            await precedence.stand_aside("hoa")
            await precedence.stand_aside(None)


async def test_a_stop_that_is_refused_or_slow_keeps_nobody_waiting(lite: Centre) -> None:
    place = await lite.area()
    nobody, other = await lite.somebody("binh", "observer", place), await lite.somebody("hoa", "operator", place)
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    async with lite.client(who=nobody) as one, lite.client(who=other) as two, asyncio.timeout(WITHIN_S):
        precedence = api(lite.services).state.pace.precedence
        for client in (one, two):
            assert (await client.get("/api/v1/areas")).status_code == 200
        assert (await one.post("/api/v1/holds", json={"scopes": [place.scope]})).status_code == 403
        assert not precedence._under_way
        trickle = asyncio.create_task(one.post("/api/v1/holds", content=slow()))
        await turns()
        assert not precedence._under_way
        assert (await two.get("/api/v1/areas")).status_code == 200
        trickle.cancel()
        await asyncio.gather(trickle, return_exceptions=True)


async def test_who_insists_after_refusals_is_told_the_next_ones_later(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(paces, "asyncio", SimpleNamespace(sleep=sleep))
    async with lite.client(signed_in=False) as stranger:
        api(lite.services).state.pace = Pace(Rates(address=Rate(1, 0.001), refusals=Rate(2, 0.001)))
        await stranger.get("/api/v1/areas")
        for already in ([], [], [1.0], [1.0, 1.0]):
            assert (await stranger.get("/api/v1/areas")).status_code == 429
            assert waited == already
