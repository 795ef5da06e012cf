"""One commune for all scenes of a file."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.village import Village, report, running_village


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Village]:
    async with running_village(tmp_path_factory.mktemp("village")) as village:
        yield village
    report(request.config, village)


@pytest_asyncio.fixture(loop_scope="module")
async def village(shared: Village) -> Village:
    """The commune, whole: whatever the test before has left."""
    await shared.bring_back()
    return shared
