"""A centre to be attacked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.controller.factories import Centre, centre


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Centre]:
    """A centre on SQLite."""
    async with centre(tmp_path) as opened:
        yield opened
