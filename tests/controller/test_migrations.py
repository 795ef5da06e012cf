"""Steps of the tables: from nothing to what the code wants, again without effect, and not from the future."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from controller.db import Database
from controller.events import EventBus
from controller.migrations.upgrade import SchemaError, check, upgrade


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite+aiosqlite:///{tmp_path / 'loa.db'}", EventBus())


async def test_all_steps_together_make_the_tables_of_the_code(database: Database) -> None:
    """Who changes a model writes a step: python -m controller.migrations "what changes"."""
    await upgrade(database)
    assert await check(database) == []
    await upgrade(database)
    assert await check(database) == []
    await database.close()


async def test_the_check_sees_what_is_missing(database: Database) -> None:
    await upgrade(database)
    async with database.transaction() as tx:
        await tx.session.execute(text("DROP TABLE plays"))
    assert len(await check(database)) > 0
    await database.close()


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    await upgrade(database)
    async with database.transaction() as tx:
        await tx.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999"):
        await upgrade(database)
    await database.close()


@pytest.mark.postgres
async def test_the_steps_make_the_same_tables_on_postgresql(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("DROP DATABASE IF EXISTS steps"))
        await connection.execute(text("CREATE DATABASE steps"))
    await engine.dispose()
    database = Database(postgres_url.replace("/postgres?", "/steps?"), EventBus())
    await upgrade(database)
    assert await check(database) == []
    await database.close()
