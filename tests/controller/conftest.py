"""The services' tests run on both databases."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from controller.tables import Base
from tests.controller.factories import Centre, centre
from tests.controller.postgres import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server of this session, with all tables."""
    with postgres() as url:
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def here(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Centre]:
    """A centre on each database, empty but for one administrator."""
    url = None
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        await _empty(url)
    async with centre(tmp_path, url=url) as opened:
        yield opened


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Centre]:
    """A centre on SQLite, for what the database does not matter to."""
    async with centre(tmp_path) as opened:
        yield opened


async def _empty(url: str) -> None:
    """Delete every row, in any order: TRUNCATE makes files anew, and takes three times as long with so few rows."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # foreign keys look away
        every = " ".join(f"{table.delete()};" for table in Base.metadata.sorted_tables)
        await connection.execute(text(f"DO $$ BEGIN {every} END $$"))
    await engine.dispose()
