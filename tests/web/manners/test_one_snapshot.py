"""What a page shows is one snapshot of the rows, and who asks is read with it."""

from collections import Counter

import pytest
from sqlalchemy import event

from tests.web.harness import Commune, visitor

PAGES = ("/today", "/today/live", "/strip", "/nodes", "/say", "/schedules", "/history", "/faults", "/emergencies")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_asks_once_what_its_reader_may_see(site: Commune, path: str) -> None:
    """How much it costs to know somebody does not grow with what a page shows."""
    asked: Counter[str] = Counter()

    def note(*said: object) -> None:
        asked["begun"] += said[2] == "BEGIN"
        asked["grants"] += "FROM grants" in str(said[2])

    async with visitor(site) as client:
        assert (await client.get(path)).status_code == 200  # whatever is kept in memory is there
        engine = site.centre.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            assert (await client.get(path)).status_code == 200
        finally:
            event.remove(engine, "before_cursor_execute", note)
    assert asked == {"begun": 1, "grants": 2}  # one to know the session, one for what is in sight
