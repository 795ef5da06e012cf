"""The services' tests run on both databases."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from controller.tables import Base
from tests.controller import reading  # noqa: F401 - looks from here on
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
    async with centre(tmp_path, url=url) as opened:
        yield opened


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Centre]:
    """A centre on SQLite, for what the database does not matter to."""
    async with centre(tmp_path) as opened:
        yield opened
