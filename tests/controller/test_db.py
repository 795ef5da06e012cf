"""A database whose disk is full: named, so that everybody who writes outlives it."""

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError

from controller.errors import BusyError
from tests.controller.factories import Centre


def fill(here: Centre) -> None:
    """Let the database not grow by a page, as on a full disk (SQLite answers SQLITE_FULL to both)."""

    @event.listens_for(here.database.engine.sync_engine, "begin")
    def no_more(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # taken as: no more than there are


async def test_a_full_disk_is_busy_and_a_mistake_of_ours_is_not(lite: Centre) -> None:
    fill(lite)
    with pytest.raises(BusyError, match="full disk"):
        async with lite.database.transaction() as tx:
            await tx.session.execute(text("CREATE TABLE more AS SELECT randomblob(1000000) AS bytes"))
    with pytest.raises(OperationalError):
        async with lite.database.transaction() as tx:
            await tx.session.execute(text("SELECT * FROM nowhere"))
