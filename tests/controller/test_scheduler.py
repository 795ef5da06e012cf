"""What is done at a time: jobs come from rows, and whatever was missed is made up for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from controller import scheduler as scheduling
from controller.broadcasts.schemas import BroadcastIn
from controller.errors import BusyError
from controller.events import Event, Topic
from controller.failures import Failures
from controller.plans.models import Document
from controller.scheduler import AFTER_END, Scheduler
from tests.controller import factories
from tests.controller.wire.test_dispatcher import WITHIN_S
from tests.e2e.waiting import until


async def nothing() -> None:
    """Renew nothing."""


def scheduler(centre: factories.Centre) -> Scheduler:
    return Scheduler(
        centre.database, centre.bus, centre.clock, renew_plans=nothing, renew_certificates=nothing, forget=nothing
    )


async def broadcast(centre: factories.Centre, **given: object) -> str:
    area = await centre.area(f"Thôn {given.get('start_at')}", quiet_hours=[])
    await centre.node(area)
    wanted = {"title": "Thông báo", "recordings": [await centre.recording()], "targets": [f"areas/{area.id}"], **given}
    wanted |= {"confirm_unusual": True}  # by the clock of the machine it may be night
    return (await centre.services.broadcasts.create(centre.actor, BroadcastIn.checked(**wanted))).id


async def dirty(centre: factories.Centre) -> set[str]:
    async with centre.database.reading() as session:
        return set(await session.scalars(select(Document.word).where(Document.dirty_since.is_not(None))))


async def clean(centre: factories.Centre) -> None:
    async with centre.database.transaction() as tx:
        for document in await tx.session.scalars(select(Document)):
            document.dirty_since = None


async def test_a_broadcast_leaves_its_document_after_its_latest_end(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as centre:
        now_id = await broadcast(centre)
        later_id = await broadcast(centre, start_at=centre.clock() + timedelta(minutes=1))
        await clean(centre)
        made = scheduler(centre)
        await made.close_broadcast(now_id)
        assert await dirty(centre) == set()
        centre.clock.step(hours=1)
        await made.close_broadcast(now_id)
        assert await dirty(centre) == {"urgent"}
        await clean(centre)
        await made.close_broadcast(later_id)
        assert await dirty(centre) == {"plan"}
        await made.close_broadcast("nothing")


async def test_jobs_have_the_ids_of_rows_and_follow_new_ones(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as centre:
        centre.clock.now = datetime.now(UTC).replace(
            microsecond=0
        )  # the scheduler has no other clock than the machine's
        first = await broadcast(centre)
        made = scheduler(centre)
        running = asyncio.create_task(made.run())
        async with asyncio.timeout(WITHIN_S):
            await made.ready.wait()
            assert made._jobs.get_job(first) is not None
            second = await broadcast(centre, start_at=centre.clock() + timedelta(hours=2))
            while made._jobs.get_job(second) is None:  # noqa: ASYNC110  the scheduler tells nobody
                await asyncio.sleep(0.01)
        found = await centre.services.broadcasts.get(centre.actor, second)
        assert made._jobs.get_job(second).next_run_time == found.latest_end_at + AFTER_END
        centre.bus.publish(Event(Topic.BROADCAST, "nothing"))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_nothing_waits_for_the_daily_forgetting(tmp_path: Path) -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def forget() -> None:
        begun.set()
        await closed.wait()

    async with factories.centre(tmp_path) as centre:
        centre.clock.now = datetime.now(UTC) - timedelta(minutes=4)
        sent = await broadcast(centre)
        await clean(centre)
        centre.clock.now = (await centre.services.broadcasts.get(centre.actor, sent)).latest_end_at + AFTER_END
        made = Scheduler(
            centre.database, centre.bus, centre.clock, renew_plans=nothing, renew_certificates=nothing, forget=forget
        )
        running = asyncio.create_task(made.run())
        async with asyncio.timeout(WITHIN_S):
            await begun.wait()
            while await dirty(centre) != {"urgent"}:  # noqa: ASYNC110  rows have no events
                await asyncio.sleep(0.01)
        assert not closed.is_set()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_job_that_fails_is_told_and_the_others_are_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures, last_done = Failures(), asyncio.Event()

    async def fail() -> None:
        raise ZeroDivisionError

    async def forget() -> None:
        last_done.set()

    async with factories.centre(tmp_path) as centre:
        made = Scheduler(
            centre.database,
            centre.bus,
            centre.clock,
            renew_plans=fail,
            renew_certificates=nothing,
            forget=forget,
            failures=failures,
        )
        running = asyncio.create_task(made.run())
        await asyncio.wait_for(last_done.wait(), WITHIN_S)
        assert failures.names == {"renew-plans"}
        assert "ZeroDivisionError" in caplog.text
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_broadcast_gets_its_job_and_is_closed_though_the_rows_did_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "AGAIN_S", 0.01)
    async with factories.centre(tmp_path) as centre:
        centre.clock.now = datetime.now(UTC) - timedelta(minutes=4)
        over = await broadcast(centre)
        await clean(centre)
        centre.clock.now = (await centre.services.broadcasts.get(centre.actor, over)).latest_end_at + AFTER_END
        reading, transaction = centre.database.reading, centre.database.transaction
        failing, failed = 0, 0
        made = scheduler(centre)

        @asynccontextmanager
        async def sometimes(opened: Callable[[], AbstractAsyncContextManager[Any]]) -> AsyncIterator[Any]:
            nonlocal failing, failed
            if asyncio.current_task() is not mine and failing > 0:
                failing, failed = failing - 1, failed + 1
                raise BusyError("the database has a disk that does not answer; nothing was changed, try again")
            async with opened() as given:
                yield given

        mine = asyncio.current_task()
        monkeypatch.setattr(centre.database, "reading", lambda **_given: sometimes(reading))
        monkeypatch.setattr(centre.database, "transaction", lambda: sometimes(transaction))
        failing = 20  # whatever is done at the start, and the closing
        running = asyncio.create_task(made.run())

        async def closed() -> bool:
            return await dirty(centre) == {"urgent"}

        await until(closed, WITHIN_S, "the broadcast that is over was not closed")
        assert failed == 20
        failing = 3
        later = await broadcast(centre, start_at=centre.clock() + timedelta(hours=2))
        await until(lambda: made._jobs.get_job(later), WITHIN_S, "a new broadcast got no job")
        assert failed == 23
        failing = 3
        made._jobs.remove_job(later)
        centre.bus.publish(Event(Topic.MISSED))
        await until(lambda: made._jobs.get_job(later), WITHIN_S, "one that may have been missed got no job")
        assert (failed, running.done()) == (26, False)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_what_is_done_at_last_or_due_no_more_is_no_failure_any_more() -> None:
    failures, broken = Failures(), {"a", "b"}

    async def roll(key: str) -> None:
        if key in broken:
            raise ZeroDivisionError

    assert await failures.each("schedules", ["a", "b", "c"], roll) == ["a", "b"]
    assert failures.names == {"schedules/a", "schedules/b"}
    broken.remove("a")
    assert await failures.each("schedules", ["a"], roll) == []
    assert failures.names == set()


async def test_a_busy_database_is_no_failure() -> None:
    async def wait() -> None:
        raise BusyError("the database is locked")

    failures = Failures()
    with pytest.raises(BusyError):
        await failures.attempt("sweep-plays", wait())
    assert failures.names == set()


async def test_a_broadcast_that_ended_while_the_centre_was_down_is_closed_at_the_start(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as centre:
        centre.clock.now = datetime.now(UTC) - timedelta(minutes=4)
        sent = await broadcast(centre)
        await clean(centre)
        centre.clock.now = (await centre.services.broadcasts.get(centre.actor, sent)).latest_end_at + AFTER_END
        running = asyncio.create_task(scheduler(centre).run())
        async with asyncio.timeout(WITHIN_S):
            while await dirty(centre) != {"urgent"}:  # noqa: ASYNC110  rows have no events
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_plays_without_a_word_become_unknown(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as centre:
        sent = await broadcast(centre)
        made = scheduler(centre)
        await made.sweep()
        assert [play.outcome for play in await centre.services.broadcasts.plays(centre.actor, sent)] == [None]
        centre.clock.step(hours=1)
        await made.sweep()
        assert [play.outcome for play in await centre.services.broadcasts.plays(centre.actor, sent)] == ["unknown"]
