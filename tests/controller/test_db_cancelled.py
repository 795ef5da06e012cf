"""Who asked has left in the middle of a statement: the connection closes, and nothing of it stays."""

import asyncio
import threading

import pytest
from sqlalchemy import text

from controller.db import Database
from tests.controller.factories import Centre

TICKS = 10
"""Rounds of the event loop in which what is cancelled has come to its next wait."""


async def statement(database: Database, begun: asyncio.Event, may_end: threading.Event) -> None:
    """Write, and stand in a statement for as long as it is told."""
    async with database.transaction() as tx:
        await tx.session.execute(text("CREATE TABLE half_done (a INTEGER)"))
        raw = await (await tx.session.connection()).get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.create_function("stand", 0, may_end.wait)
        begun.set()
        await tx.session.execute(text("SELECT stand()"))


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_who_is_cancelled_again_while_its_connection_closes_leaves_nothing_behind(
    lite: Centre, times: int
) -> None:
    """A page that is left is cancelled in every round of the loop until it has ended."""
    before, begun, may_end = asyncio.all_tasks(), asyncio.Event(), threading.Event()
    asked = asyncio.create_task(statement(lite.database, begun, may_end))
    await begun.wait()
    for _ in range(times):
        for _ in range(TICKS):
            await asyncio.sleep(0)
        asked.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await asked
    async with asyncio.timeout(30):
        await asyncio.gather(*(asyncio.all_tasks() - before - {asked}))
        async with lite.database.transaction() as tx:
            await tx.session.execute(text("CREATE TABLE half_done (a INTEGER)"))
