"""What tests of the pages begin with: a commune's pages, and Chromium for those that look at them with it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.controller import reading  # noqa: F401 - looks from here on
from tests.web.browser import chromium
from tests.web.harness import Commune, commune


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Commune]:
    """Answers on the loop of its test. Files with a browser have theirs in the loop of the file (``module_site``)."""
    async with commune(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened
