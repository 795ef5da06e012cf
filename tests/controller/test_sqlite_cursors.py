"""Statements of SQLite beside the event loop."""

import asyncio
import importlib.metadata
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from controller import sqlite_cursors
from controller.db import Database
from controller.events import EventBus

MANY = 3 * sqlite_cursors.AT_ONCE + 7
NUMBERS = text(
    f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) SELECT i FROM n"  # noqa: S608  a number of ours
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = Database(f"sqlite+aiosqlite:///{tmp_path}/a.db", EventBus())
    async with found.transaction() as tx:
        await tx.session.execute(text("CREATE TABLE a (b INTEGER PRIMARY KEY, c TEXT)"))
    yield found
    await found.close()


async def test_aiosqlite_has_what_we_lean_on(tmp_path: Path) -> None:
    version = importlib.metadata.version("aiosqlite")
    told = f"aiosqlite {version}: {{}}; mend controller/sqlite_cursors.py, or keep the bound in pyproject.toml"
    connection = sqlite_cursors.connect(tmp_path / "b.db")
    lacking = [name for name in sqlite_cursors.PRIVATE if name not in {*dir(type(connection)), *vars(connection)}]
    assert not lacking, told.format(f"a connection has no {', '.join(lacking)} any more")
    thread, ends = connection._thread, connection.stop
    assert thread.daemon, told.format("its thread is none that the process may leave behind")
    async with asyncio.timeout(10):
        await connection
        assert isinstance(connection.plain(), sqlite3.Connection), told.format("_conn is not SQLite's own connection")
        ran = await connection.errand(threading.current_thread)
        assert ran is thread, told.format("_execute does not run on _thread")
        stops: list[str] = []

        def stop() -> asyncio.Future[Any] | None:
            stops.append("stopped")
            return ends()

        connection.stop = stop  # type: ignore[method-assign]  # as sqlite_connections.configure does
        await connection.close()
    assert stops, told.format("close does not end with stop any more (sqlite_connections.configure)")
    thread.join(10)
    assert not thread.is_alive(), told.format("stop leaves the thread running")


async def test_a_statement_is_one_errand_of_the_thread(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    errands: list[Any] = []
    there = sqlite_cursors.Connection.errand

    async def counted(self: sqlite_cursors.Connection, act: Any) -> Any:
        errands.append(act)
        return await there(self, act)

    async with database.reading() as session:
        await session.execute(text("SELECT 1"))
        monkeypatch.setattr(sqlite_cursors.Connection, "errand", counted)
        assert (await session.execute(text("SELECT b FROM a"))).all() == []
        assert len(errands) == 1


async def test_all_rows_come_however_many_there_are(database: Database) -> None:
    async with database.reading() as session:
        assert list(await session.scalars(NUMBERS)) == list(range(1, MANY + 1))
        assert (await session.scalars(NUMBERS)).first() == 1
        some = await session.execute(NUMBERS)
        assert [row.i for row in some.fetchmany(3)] == [1, 2, 3]


@pytest.mark.parametrize("piece", [1, 200, sqlite_cursors.AT_ONCE, sqlite_cursors.AT_ONCE + 1, MANY])
async def test_a_stream_gives_all_rows_in_pieces(database: Database, piece: int) -> None:
    async with database.reading() as session:
        stream = await session.stream(NUMBERS)
        pieces = [[row.i for row in part] async for part in stream.partitions(piece)]
    assert [number for each in pieces for number in each] == list(range(1, MANY + 1))
    assert max(map(len, pieces)) <= piece


async def test_a_stream_that_is_left_locks_nothing(database: Database) -> None:
    async with database.reading() as session:
        stream = await session.stream(NUMBERS)
        await anext(aiter(stream))
        await stream.close()
    async with database.transaction() as tx:
        await tx.session.execute(text("DROP TABLE a"))


async def test_what_is_written_says_how_much_and_what_became_of_it(database: Database) -> None:
    async with database.transaction() as tx:
        added = await tx.session.execute(text("INSERT INTO a (c) VALUES ('x'), ('y') RETURNING b"))
        assert list(added.scalars()) == [1, 2]
        await tx.session.execute(text("INSERT INTO a (c) VALUES (:c)"), [{"c": "z"}, {"c": "z"}])
        changed = await tx.session.execute(text("UPDATE a SET c = 'w' WHERE c = 'z'"))
        assert changed.rowcount == 2  # type: ignore[attr-defined]  # of a statement that writes
    async with database.reading() as session:
        assert [row.c for row in await session.execute(text("SELECT c FROM a ORDER BY b"))] == ["x", "y", "w", "w"]


async def test_a_statement_that_fails_says_so_and_the_next_one_works(database: Database) -> None:
    async with database.reading() as session:
        with pytest.raises(Exception, match="no such table"):
            await session.execute(text("SELECT 1 FROM nowhere"))
        assert await session.scalar(text("SELECT 1")) == 1
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.session.execute(text("INSERT INTO a (b) VALUES (1), (1)"))
