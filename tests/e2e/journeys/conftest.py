"""One commune for the journeys of a file; what they measured is told at the end and kept."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.journeys.figures import beyond, keep_figures, now
from tests.e2e.journeys.stage import Row, Stage, running_stage

Note = Callable[..., None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with running_stage(tmp_path_factory.mktemp("journeys")) as opened:
        yield opened


@pytest.fixture(scope="module")
def note(request: pytest.FixtureRequest) -> Iterator[Note]:
    """Notes the figures of a journey; in a test that is ``long`` they may not be far beyond what the issue asks for."""
    rows: list[Row] = []
    is_long = any(mark.name == "long" for mark in request.node.iter_markers())

    def noted(journey: str, look: str, row: dict[str, Any]) -> None:
        rows.append({"journey": journey, "look": look, **row, **now()})
        assert not is_long or beyond(rows[-1]) == []

    yield noted
    keep_figures(rows)
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        sys.stderr.write("".join(f"\n  {row}" for row in rows) + "\n")
