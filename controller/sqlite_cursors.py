"""SQLite beside the event loop, each statement in one errand of the connection's thread.

To make a cursor, to execute, to fetch and to close are four with aiosqlite's own, and to hand an errand over and back
takes longer than most statements do.

This leans on what aiosqlite calls its own: ``PRIVATE``, and that ``stop`` ends its thread (``sqlite_connections``).
``pyproject.toml`` bounds its version; ``test_sqlite_cursors`` says what a newer one lacks.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

import aiosqlite

AT_ONCE = 500
"""Rows that come with the statement itself; of more, the others are fetched as they are asked for."""

PRIVATE = ("_conn", "_execute", "_thread")
"""Names of a connection that aiosqlite promises to nobody: SQLite's own, the way to the thread, the thread."""

_Done = TypeVar("_Done")
_Row = tuple[Any, ...]


class Cursor:
    """A cursor as SQLAlchemy asks of a driver (its ``AsyncIODBAPICursor``)."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[_Row] = []
        self._open: sqlite3.Cursor | None = None
        """Where there are more rows than came at once."""
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Begin; nothing is made yet."""
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> "Cursor":
        """Execute, and fetch the first rows."""
        await self._connection.errand(partial(self._run, sqlite3.Cursor.execute, statement, parameters))
        return self

    async def executemany(self, statement: str, parameters: Iterable[Any]) -> "Cursor":
        """Execute for each of these."""
        await self._connection.errand(partial(self._run, sqlite3.Cursor.executemany, statement, parameters))
        return self

    async def fetchone(self) -> _Row | None:
        """Give the next row; None: there is none."""
        return next(iter(await self.fetchmany(1)), None)

    async def fetchmany(self, size: int | None = None) -> Sequence[_Row]:
        """Give the next rows, so many at most; none: there are no more."""
        count = self.arraysize if size is None else size
        if not self._rows and self._open is not None:
            return await self._connection.errand(partial(self._open.fetchmany, count))
        found, self._rows = self._rows[:count], self._rows[count:]
        return found

    async def fetchall(self) -> Sequence[_Row]:
        """Give all rows that are left."""
        found, self._rows = self._rows, []
        if self._open is not None:
            found += await self._connection.errand(self._open.fetchall)
        return found

    async def close(self) -> None:
        """Let go of the rows that were not asked for."""
        self._rows, left, self._open = [], self._open, None
        if left is not None:
            await self._connection.errand(left.close)

    def _run(self, execute: Callable[..., sqlite3.Cursor], statement: str, parameters: Any) -> None:
        """Do it all; on the thread."""
        cursor = self._connection.plain().cursor()
        execute(cursor, statement, parameters)
        self.description, self.lastrowid = cursor.description, cursor.lastrowid
        self._rows = cursor.fetchmany(AT_ONCE) if cursor.description else []
        self.rowcount = cursor.rowcount  # of what an INSERT returns, only now
        if len(self._rows) < AT_ONCE:
            cursor.close()
        else:
            self._open = cursor


class Connection(aiosqlite.Connection):
    """A connection of aiosqlite that makes such cursors."""

    def cursor(self) -> Cursor:  # type: ignore[override]  # SQLAlchemy enters it, as it does the other's
        """Make a cursor; costs nothing."""
        return Cursor(self)

    def plain(self) -> sqlite3.Connection:
        """Give SQLite's own connection; for the thread."""
        return self._conn

    async def errand(self, act: Callable[[], _Done]) -> _Done:
        """Have the thread do this."""
        done: _Done = await self._execute(act)  # type: ignore[no-untyped-call]  # aiosqlite's own way to its thread
        return done


def connect(*where: Any, **settings: Any) -> Connection:
    """Make a connection that opens when it is awaited; with what ``sqlite3.connect`` takes."""
    connection = Connection(partial(sqlite3.connect, *where, **settings), iter_chunk_size=AT_ONCE)
    connection._thread.daemon = True  # noqa: SLF001  as SQLAlchemy does with those that it makes
    return connection
