"""Steps of the tables: from nothing or what a version made to what the code wants; not from the future."""

import hashlib
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import controller
from controller.db import Database
from controller.events import EventBus
from controller.migrations.upgrade import SchemaError, check, settings, upgrade

STEPS = Path(controller.__file__).parent / "migrations/versions"
LANDED = {
    "0001_first_tables.py": "6aa2ac9dc80c213cb72145d7dbd161352d123159022caeda9516d78ee1b5d9e0",
    "0002_wire_bytes.py": "76e656f7af0a0dd0b0b14198e77c411042f0981e5bb40501c8d9876a7735369b",
    "0003_the_broadcasting_day.py": "102d1672f76018d11978f50d5845c63c5d42fbbc05bdc942cc2c797e2353b69b",
    "0004_alone_on_its_pole.py": "10a1a416b32bc908a525da9d8fba3d31b21b21c381db8d7c9ef404edab6439ef",
    "0005_what_nodes_say.py": "6ad32d79322dad5e57897172b9ab7c13c39e4d96c9aba63c222af87dbce60b03",
    "0006_the_console.py": "199dd27c64ac8569f05b3487ef92bfac27f70082d00dff5c6f0c4111149f303d",
}
"""Steps that a centre may have taken already, by the SHA-256 of their file. Lines are added here, none is changed."""


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


def test_a_step_that_landed_is_never_edited() -> None:
    """No database takes a step twice: what is written into it later, those who took it before never get."""
    written = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(STEPS.glob("0*.py"))}
    assert {name: written.get(name) for name in LANDED} == LANDED
    assert list(written)[len(LANDED) + 1 :] == [], "only the newest may be open; the others belong in LANDED"


async def _made_by(database: Database, step: str) -> None:
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda sync: command.upgrade(settings(sync), step))
        await connection.commit()


async def test_a_database_of_the_last_step_that_landed_comes_to_the_tables_of_the_code(database: Database) -> None:
    await _made_by(database, max(LANDED)[:4])
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
    await _made_by(database, max(LANDED)[:4])
    await upgrade(database)
    assert await check(database) == []
    await database.close()
