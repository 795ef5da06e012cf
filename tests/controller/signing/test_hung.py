"""A signer apart that hangs: whoever asks is told, nobody else waits, people know, and what was ordered goes out."""

import asyncio
import gzip
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from controller.alarms.models import Alarm
from controller.db import Database
from controller.errors import BusyError
from controller.events import Topic
from controller.signing import remote
from controller.signing.frames import LENGTH, Done, Request, Sign, Void, WantRing, framed, requests
from controller.signing.remote import Wire
from controller.wire.signer_watch import SILENT, TOLD_AFTER, SignerWatch
from edge_agent.protocol.documents import Hold
from edge_agent.protocol.reports import TimeAsk
from tests.controller import factories
from tests.controller.signing.process import WITHIN_S, signer
from tests.controller.wire.live import live_centre

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TICK_S = 0.02
STOOD_S = 1.5
"""The loop of a busy machine may stand for a second; the socket is waited at for two."""


async def longest_stand(until: asyncio.Event) -> float:
    """How long the event loop stood still at a stretch, by a thread's ticks: when the machine stands, so do these."""
    ticks, longest, last, over = 0, 0, 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not over.wait(TICK_S):
            ticks += 1

    threading.Thread(target=tick, daemon=True).start()
    try:
        while not until.is_set():
            await asyncio.sleep(TICK_S)
            longest, last = max(longest, ticks - last), ticks
    finally:
        over.set()
    return longest * TICK_S


class Moody:
    """A signer at a socket that answers only while it is told to."""

    def __init__(self) -> None:
        self.answers, self.is_busy = asyncio.Event(), asyncio.Event()
        self.asked = 0

    @asynccontextmanager
    async def at(self, path: Path) -> AsyncIterator[Wire]:
        waiting = set[asyncio.Task[None]]()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            waiting.add(task)
            try:
                while (request := await _request(reader)) is not None:
                    self.asked += 1
                    if not isinstance(request, Void):  # what nothing answers while it is busy with something
                        self.is_busy.set()
                        await self.answers.wait()
                    writer.write(framed(Done()))
            finally:
                writer.close()

        wire = Wire(path)
        async with await asyncio.start_unix_server(serve, path):
            try:
                yield wire
            finally:
                wire.close()
                for each in waiting:
                    each.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Request | None:
    try:
        (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        return requests.decode(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE_S", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_after_one_vain_wait_nobody_waits_until_it_answers_again(tmp_path: Path) -> None:
    moody = Moody()
    async with moody.at(tmp_path / "s") as wire:
        with pytest.raises(BusyError, match="does not answer"):
            await wire.asked(WantRing())
        for _ in range(50):
            with pytest.raises(BusyError, match="a moment ago"):
                await wire.asked(WantRing())
        assert moody.asked == 1, "the others were not even asked"
        with pytest.raises(BusyError, match="does not answer"):
            await wire.probe()
        moody.answers.set()
        await wire.probe()
        assert isinstance(await wire.asked(WantRing()), Done)


async def test_stop_goes_past_whatever_else_is_asked(tmp_path: Path) -> None:
    moody = Moody()
    async with moody.at(tmp_path / "s") as wire:
        others = [asyncio.create_task(wire.asked(WantRing())) for _ in range(20)]
        await moody.is_busy.wait()
        stop = Void("a hold, as far as the lane goes", NOW)
        assert isinstance(await wire.asked(stop, first=True), Done)
        assert not any(each.done() for each in others)
        moody.answers.set()
        assert all(isinstance(each, Done) for each in await asyncio.gather(*others))


@pytest.mark.usefixtures("impatient")
async def test_stop_is_tried_whatever_became_of_all_else_and_of_the_stop_before(tmp_path: Path) -> None:
    moody, stop = Moody(), Void("a hold, as far as the lane goes", NOW)
    async with moody.at(tmp_path / "s") as wire:
        for ask in (wire.asked(WantRing()), wire.asked(Sign("plan", b"{}", "k", gzip.compress(b""))), wire.probe()):
            with pytest.raises(BusyError, match="does not answer"):
                await ask
        assert isinstance(await wire.asked(stop, first=True), Done)
        with pytest.raises(BusyError, match="does not answer"):
            await wire.asked(WantRing(), first=True)
        assert isinstance(await wire.asked(stop, first=True), Done), "a lane of its own is never given up"


@pytest.mark.usefixtures("impatient")
async def test_a_plan_that_is_not_answered_shuts_nobody_elses_lane(tmp_path: Path) -> None:
    moody = Moody()
    async with moody.at(tmp_path / "s") as wire:
        with pytest.raises(BusyError, match="does not answer"):
            await wire.asked(Sign("plan", b"{}", "k", gzip.compress(b"")))
        assert isinstance(await wire.asked(Void("a code, as far as the lane goes", NOW)), Done)


@pytest.mark.parametrize(("size", "waits_s"), [(1_000, 2.004), (500_000, 4.0), (30_000_000, 12.0)])
def test_a_large_plan_is_waited_for_longer_within_bounds(size: int, waits_s: float) -> None:
    body = gzip.compress(b" " * size)
    assert remote._patience_s(Sign("plan", b"{}", "k", body)) == pytest.approx(waits_s)
    assert remote._patience_s(Sign("hold", b"{}", "k")) == remote.PATIENCE_S


async def test_a_signer_that_was_started_anew_is_asked_again_at_once(tmp_path: Path) -> None:
    path, moody = tmp_path / "s", Moody()
    moody.answers.set()
    async with moody.at(path) as wire:
        await wire.asked(WantRing())
    wire = Wire(path)
    async with moody.at(path) as other:
        await wire.asked(WantRing())
        await other.asked(WantRing())
    path.unlink(missing_ok=True)
    async with moody.at(path):
        assert isinstance(await wire.asked(WantRing()), Done), "the connection of before is dead, and made anew"
    wire.close()


class Probed:
    """A wire of which only the probe is asked."""

    def __init__(self) -> None:
        self.is_silent = False

    async def probe(self) -> None:
        if self.is_silent:
            raise BusyError("the signer does not answer")


async def test_people_are_told_once_and_what_is_marked_is_signed_when_it_answers(tmp_path: Path) -> None:
    async with factories.centre(tmp_path) as centre:
        probed = Probed()
        watch = SignerWatch(probed, centre.database, centre.bus, centre.services.alarms)
        with centre.bus.listen() as events:
            await watch.look()
            probed.is_silent = True
            for _ in range(TOLD_AFTER - 1):
                await watch.look()
            assert await silent(centre.database) == 0, "a signer that is started anew is no news"
            for _ in range(10):
                await watch.look()
            assert await silent(centre.database) == 1
            probed.is_silent = False
            await watch.look()
            async with asyncio.timeout(WITHIN_S):
                while (await anext(events)).topic is not Topic.DOCUMENTS:
                    pass


async def silent(database: Database) -> int:
    """How often people were told."""
    async with database.reading() as session:
        return len((await session.scalars(select(Alarm.id).where(Alarm.kind == SILENT))).all())


@pytest.mark.broker
@pytest.mark.timeout(120)
async def test_a_signer_that_hangs_stops_nothing_else_and_stop_goes_out_when_it_answers(tmp_path: Path) -> None:
    async with signer(tmp_path) as (path, process), live_centre(tmp_path, signer=path) as live:
        area = await live.area()
        node = await live.node(area)
        scope = f"areas/{area.id}"
        async with node.connected(f"loa/v1/{scope}/hold"), asyncio.timeout(3 * WITHIN_S):
            over = asyncio.Event()
            stood = asyncio.create_task(longest_stand(over))
            process.send_signal(signal.SIGSTOP)
            for number in range(20):
                ask = msgspec.json.encode(TimeAsk(nonce=f"{number:032}"))
                live.centre.timekeeper.note_ask(f"n-{number}", ask, False)
            [hold] = await live.rows.services.holds.order(live.rows.actor, [scope])
            while True:
                if await silent(live.rows.database):
                    break
                await asyncio.sleep(0.1)
            process.send_signal(signal.SIGCONT)
            await node.document(Hold, scope, lambda said: hold.id in {each.hold_id for each in said.active})
            over.set()
            assert await stood < STOOD_S
