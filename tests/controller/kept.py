"""States of a database that were made once and are put back, as they were, for each test that begins with them.

Rows alone: where what was made is also a file or the memory of a service, it is not for here.
"""

import asyncio
import atexit
import sqlite3
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from controller.tables import Base


@dataclass(frozen=True)
class Rows:
    """All rows of a database at an instant, kept beside it for as long as this process lives."""

    memory: sqlite3.Connection | None = None
    """SQLite: a copy of the whole file."""
    schema: str = ""
    """PostgreSQL: where each table that has rows has a copy of them…"""
    tables: tuple[str, ...] = ()
    """…and which these are."""


async def keep(engine: AsyncEngine, label: str) -> Rows:
    """Keep what the database holds now."""
    if engine.dialect.name == "sqlite":
        return Rows(await asyncio.to_thread(_read, engine.url.database or ""))
    schema: str = f'"{label}"'
    found: list[str] = []
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
        for name, table in Base.metadata.tables.items():
            if await connection.scalar(select(table.select().exists())):
                await connection.execute(text(f"CREATE TABLE {schema}.{name} AS TABLE {name}"))
                found.append(name)
    return Rows(schema=schema, tables=tuple(found))


async def put_back(engine: AsyncEngine, rows: Rows) -> None:
    """Have the database hold what was kept, and nothing else."""
    if rows.memory is not None:
        await asyncio.to_thread(_write, rows.memory, engine.url.database or "")
        return
    # In any order; TRUNCATE makes files anew, and takes three times as long with so few rows.
    every = " ".join(
        [
            *(f"{table.delete()};" for table in Base.metadata.tables.values()),
            *(f"INSERT INTO {name} TABLE {rows.schema}.{name};" for name in rows.tables),
        ]
    )
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # foreign keys look away
        await connection.execute(text(f"DO $$ BEGIN {every} END $$"))


def _read(path: str) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    atexit.register(memory.close)
    with closing(sqlite3.connect(path)) as source:
        source.backup(memory)
    return memory


def _write(memory: sqlite3.Connection, path: str) -> None:
    with closing(sqlite3.connect(path)) as target:
        target.execute("PRAGMA synchronous=OFF")  # it need not outlive the machine
        memory.backup(target)
