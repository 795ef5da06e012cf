"""What is read is one snapshot; a full disk is named, so that everybody who writes outlives it."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import Connection, event, text, update
from sqlalchemy.exc import InternalError, OperationalError

from controller.db import Database
from controller.errors import BusyError
from controller.events import EventBus
from controller.people.models import Person
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


async def test_connections_that_all_wait_are_busy(lite: Centre) -> None:
    """On a disk that hangs: the loops of the centre outlive it, as they outlive one that is full."""
    engine = lite.database.engine
    engine.pool._timeout = 0.0  # type: ignore[attr-defined]  # half a minute, if left alone

    async def take_all() -> None:
        async with AsyncExitStack() as stack:
            while True:
                session = await stack.enter_async_context(lite.database.reading())
                await session.execute(text("SELECT 1"))

    with pytest.raises(BusyError, match="connections"):
        await take_all()


@pytest.mark.postgres
async def test_who_is_broken_off_because_two_wait_for_each_other_is_told_to_try_again(postgres_url: str) -> None:
    database, holding = Database(postgres_url, EventBus()), asyncio.Barrier(2)
    lock = text("SELECT pg_advisory_xact_lock(:key)")

    async def take(*keys: int) -> str:
        try:
            async with database.transaction() as tx:
                for key in keys:
                    await tx.session.execute(lock, {"key": key})
                    if key == keys[0]:
                        await holding.wait()
        except BusyError:
            return "busy"
        return "done"

    try:
        assert sorted(await asyncio.gather(take(1, 2), take(2, 1))) == ["busy", "done"]
    finally:
        await database.close()


async def test_what_is_read_is_one_snapshot(here: Centre) -> None:
    count = text("SELECT count(*) FROM areas")
    async with here.database.reading() as session:
        before = await session.scalar(count)
        await here.area("Xã đến sau")
        assert await session.scalar(count) == before
    async with here.database.reading() as session:
        assert await session.scalar(count) == (before or 0) + 1


async def test_the_tests_see_what_reads_and_locks_or_writes(lite: Centre) -> None:
    """See ``tests.controller.reading``."""
    async with lite.database.reading() as session:
        with pytest.raises(AssertionError, match="locks"):
            await session.get(Person, lite.person.id, with_for_update=True)
        with pytest.raises(AssertionError, match="writes"):
            await session.execute(update(Person).values(name="Ai đó"))
        (await session.get_one(Person, lite.person.id)).name = "Ai đó"
        with pytest.raises(AssertionError, match="changes"):
            await session.flush()


@pytest.mark.postgres
async def test_on_postgresql_reading_writes_nothing(postgres_url: str) -> None:
    database = Database(postgres_url, EventBus())
    try:
        with pytest.raises(InternalError, match="read-only transaction"):
            async with database.reading() as session:
                await session.execute(text("CREATE TABLE more (id INTEGER)"))
        async with database.transaction() as tx:  # on the same connection
            await tx.session.execute(text("CREATE TEMPORARY TABLE more (id INTEGER) ON COMMIT DROP"))
    finally:
        await database.close()


@pytest.mark.parametrize(
    "path", ["broadcasts/%00", "areas/a%00b", "emergencies/%00", "schedules/%00", "broadcasts?q=%00"]
)
async def test_a_character_that_postgresql_does_not_take_is_the_askers_mistake(here: Centre, path: str) -> None:
    async with here.client() as client:
        assert (await client.get(f"/api/v1/{path}")).status_code in {200, 404, 422}
