"""From dirty rows to published documents, on real rows, with a broker that may be gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from controller.areas.models import Area
from controller.areas.move_schemas import MoveIn, MoveSeenIn
from controller.config import Config
from controller.errors import BusyError
from controller.plans.models import Document, PlanVersion
from controller.receipts.service import Stored
from controller.wire import dispatcher as dispatching
from controller.wire import laggards as lagging
from controller.wire.dispatcher import Dispatcher
from controller.wire.ingest import Ingest
from controller.wire.keys import KeyFileError, Keys, load_keys
from controller.wire.laggards import PATIENCE_S, Laggards
from controller.wire.mqtt import LinkError
from controller.wire.signer import Signer
from edge_agent.protocol.documents import BY_WORD, Hold, Plan, ReceiptsAck, Settings, Signed
from edge_agent.protocol.reports import ClockReport, Health, Held
from edge_agent.protocol.signing import TrustStore, open_document
from edge_agent.protocol.states import ClockState
from edge_agent.protocol.topics import Word
from edge_agent.protocol.versions import Version
from tests.controller import factories
from tests.controller.test_moves import move
from tests.e2e.waiting import until

WITHIN_S = 20.0


@dataclass
class FakeBroker:
    """Keeps what was published, in order, while it is there."""

    there: bool = True
    published: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def publish_document(self, scope: str, word: str, token: bytes, **_options: Any) -> None:
        if not self.there:
            raise LinkError("gone")
        self.published.append((scope, word, token))

    def topics(self) -> list[tuple[str, str]]:
        return [(scope, word) for scope, word, _ in self.published]


@dataclass
class Desk:
    """A dispatcher on a stepped centre."""

    centre: factories.Centre
    broker: FakeBroker
    signer: Signer
    dispatcher: Dispatcher
    keys: Keys

    async def settle(self) -> None:
        """Dispatch until nothing is dirty."""
        async with asyncio.timeout(WITHIN_S):
            await self.dispatcher._dispatch_all()

    def last(self, scope: str, word: str) -> Signed:
        token = next(token for s, w, token in reversed(self.broker.published) if (s, w) == (scope, word))
        return open_document(token, BY_WORD[Word(word)], audience=scope, trust=TrustStore(self.keys.trusted))


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    async with factories.centre(folder) as centre:
        yield make_desk(centre, folder)


def make_desk(centre: factories.Centre, folder: Path) -> Desk:
    keys, broker = load_keys(folder / "keys"), FakeBroker()
    signer = Signer(Config(state=folder), keys, centre.clock, centre.services.live)
    bridge: Any = broker
    return Desk(centre, broker, signer, Dispatcher(centre.database, centre.bus, centre.clock, signer, bridge), keys)


async def test_what_is_not_dirty_is_not_signed_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        await made.settle()
        assert sorted(made.broker.topics()) == [(f"areas/{area.id}", word) for word in ("hold", "plan", "urgent")]
        await made.settle()
        assert len(made.broker.published) == 3


async def test_a_change_that_says_nothing_new_makes_no_version(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        await made.settle()
        async with made.centre.database.transaction() as tx:
            for word in ("hold", "urgent", "plan"):
                await made.centre.services.documents.touch(tx, f"areas/{area.id}", word)
        made.centre.clock.step(minutes=10)
        await made.settle()
        assert len(made.broker.published) == 3
        async with made.centre.database.reading() as session:
            assert (await session.scalars(select(Document.dirty_since))).all() == [None, None, None]


async def test_versions_rise_and_each_one_is_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        await made.settle()
        scope = f"areas/{area.id}"
        [hold] = await made.centre.services.holds.order(made.centre.actor, [scope])
        await made.settle()
        await made.centre.services.holds.release(made.centre.actor, hold.id)
        await made.settle()
        assert made.last(scope, "hold").version == 3
        assert made.dispatcher.versions[scope, "hold"] == Version(1, 3)
        async with made.centre.database.reading() as session:
            kept = await session.scalars(select(PlanVersion.version).where(PlanVersion.word == "hold"))
            assert sorted(kept) == [1, 2, 3]


async def test_a_stop_does_not_wait_behind_other_documents(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        for number in range(8):
            await made.centre.node(area, f"Cụm {number}")
        await made.centre.services.holds.order(made.centre.actor, [f"areas/{area.id}"])
        await made.settle()
        words = [word for _, word in made.broker.topics()]
        assert words[:9] == ["hold"] * 9
        assert words == sorted(words, key=["hold", "urgent", "plan", "settings"].index)


async def test_only_plans_are_marked_for_their_age(tmp_path: Path) -> None:
    """Settings are readable for years; marking them would be work for ever that signs nothing."""
    async with desk(tmp_path) as made:
        await made.centre.node(await made.centre.area())
        await made.settle()
        made.centre.clock.step(days=400)
        await made.dispatcher.renew()
        async with made.centre.database.reading() as session:
            marked = await session.scalars(select(Document.word).where(Document.dirty_since.is_not(None)))
            assert set(marked) == {"plan"}


async def test_a_lease_is_renewed_every_six_hours_with_the_same_body(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        await made.settle()
        scope = f"areas/{area.id}"
        first = made.last(scope, "plan")
        made.centre.clock.step(hours=5)
        await made.dispatcher.renew()
        await made.settle()
        assert made.last(scope, "plan") == first
        made.centre.clock.step(hours=1)
        await made.dispatcher.renew()
        await made.settle()
        second = made.last(scope, "plan")
        assert isinstance(first, Plan)
        assert isinstance(second, Plan)
        assert second.body_sha256 == first.body_sha256
        assert second.lease_until - first.lease_until == timedelta(hours=6)


async def test_what_the_broker_did_not_hear_is_published_after_the_next_connect(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        node = await made.centre.node(area)
        made.broker.there = False
        await made.settle()
        assert made.broker.published == []
        made.broker.there = True
        await made.dispatcher.publish_again()
        words = [word for _, word in made.broker.topics()]
        assert words == ["hold", "hold", "urgent", "urgent", "plan", "plan", "settings"]
        assert {scope for scope, _ in made.broker.topics()} == {f"areas/{area.id}", f"nodes/{node.id}"}


async def test_a_dispatcher_that_starts_finds_what_the_last_one_left(tmp_path: Path) -> None:
    """Dirty rows of a process that was killed before it signed anything."""
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        running = asyncio.create_task(made.dispatcher.run())
        async with asyncio.timeout(WITHIN_S):
            await made.dispatcher.ready.wait()
        assert len(made.broker.published) == 3
        await made.centre.services.holds.order(made.centre.actor, [f"areas/{area.id}"])
        async with asyncio.timeout(WITHIN_S):
            while len(made.broker.published) < 4:  # noqa: ASYNC110  a broker tells nobody
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_after_a_restore_everything_is_signed_in_the_new_epoch(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        await made.settle()
        (tmp_path / "keys" / "epoch").write_text("2\n")
        restored = make_desk(made.centre, tmp_path)
        await restored.dispatcher._begin()
        await restored.settle()
        assert {restored.last(f"areas/{area.id}", word).epoch for word in ("hold", "urgent", "plan")} == {2}


async def test_an_epoch_behind_the_rows_is_refused(tmp_path: Path) -> None:
    """Nodes would drop everything that is signed with it."""
    async with desk(tmp_path) as made:
        await made.centre.area()
        await made.settle()
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Document).values(epoch=3))
        with pytest.raises(KeyFileError, match="epoch"):
            await made.dispatcher.run()


async def test_one_row_that_makes_no_sense_does_not_silence_the_others(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        good, bad = await made.centre.area("A"), await made.centre.area("B")
        await made.settle()
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Area).where(Area.id == bad.id).values(zone="not a zone!"))
        nodes = [await made.centre.node(place) for place in (bad, good)]
        await made.settle()
        settings = {scope for scope, word in made.broker.topics() if word == "settings"}
        assert settings == {f"nodes/{nodes[1].id}"}
        assert list(made.dispatcher.unbuilt) == [(f"nodes/{nodes[0].id}", "settings")]
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Area).where(Area.id == bad.id).values(zone=None))
        await made.settle()
        assert made.dispatcher.unbuilt, "it is not tried again at once"
        made.centre.clock.step(minutes=5)
        await made.settle()
        assert made.last(f"nodes/{nodes[0].id}", "settings").version == 1
        assert made.dispatcher.unbuilt == {}


async def test_what_is_mended_is_told_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        node = await made.centre.node(area)
        async with made.centre.database.transaction() as tx:
            await tx.session.execute(update(Area).values(zone="not a zone!"))
        await made.settle()
        assert made.dispatcher.unbuilt
        await made.centre.services.areas.change(made.centre.actor, area.id, zone=None)
        await made.settle()
        assert made.last(f"nodes/{node.id}", "settings").version == 1


async def test_a_new_epoch_reaches_every_document_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "BATCH", 2)
    async with desk(tmp_path) as made:
        for number in range(3):
            await made.centre.area(f"Thôn {number}")
        await made.settle()
        (tmp_path / "keys" / "epoch").write_text("2\n")
        restored = make_desk(made.centre, tmp_path)
        await restored.dispatcher._begin()
        await restored.settle()
        assert {version.epoch for version in restored.dispatcher.versions.values()} == {2}
        assert len(restored.broker.published) == 9


async def test_a_node_that_moves_waits_for_the_plan_of_its_new_area(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        first, second = await made.centre.area("Thôn Đông"), await made.centre.area("Thôn Đoài")
        node = await made.centre.node(first)
        await made.settle()
        for _ in range(2):
            made.centre.clock.step(hours=6)
            await made.dispatcher.renew()
            await made.settle()
        await move(made.centre, second, nodes=(node.id,))
        await made.settle()
        moved = made.last(f"nodes/{node.id}", "settings")
        assert isinstance(moved, Settings)
        assert [(area.area_id, area.plan_from_version) for area in moved.areas] == [(second.id, 3)]
        await made.centre.services.nodes.change(made.centre.actor, node.id, volume_mb=-100)
        made.centre.clock.step(hours=6)
        await made.dispatcher.renew()
        await made.settle()
        louder = made.last(f"nodes/{node.id}", "settings")
        assert isinstance(louder, Settings)
        assert louder.areas == moved.areas


async def test_a_release_is_named_until_every_node_of_the_scope_was_heard_without_the_hold(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        centre, holds = made.centre, made.centre.services.holds
        area = await centre.area()
        scope, nodes = f"areas/{area.id}", [await centre.node(area), await centre.node(area, "Cụm 2")]
        [first] = await holds.order(centre.actor, [scope])
        await holds.release(centre.actor, first.id)

        async def released() -> tuple[str, ...]:
            """What the document says when it is next signed."""
            await made.dispatcher.renew()
            [hold] = await holds.order(centre.actor, [scope])
            await made.settle()
            await holds.release(centre.actor, hold.id)
            said = made.last(scope, "hold")
            assert isinstance(said, Hold)
            return said.released

        centre.clock.step(minutes=10)
        for node in nodes:
            centre.hears(node.id)
        assert first.id in await released(), "younger than an hour"
        centre.clock.step(hours=2)
        centre.hears(nodes[0].id)
        centre.hears(nodes[1].id, holds=[first.id])
        assert first.id in await released()
        centre.hears(nodes[1].id)
        assert first.id not in await released()


async def test_a_node_that_moved_out_of_a_held_area_is_released_by_its_own_document(tmp_path: Path) -> None:
    """It stays silent until the hold is released (promise P7), and then no area of it names the release."""
    async with desk(tmp_path) as made:
        centre, holds = made.centre, made.centre.services.holds
        first, second = await centre.area("Thôn Đông"), await centre.area("Thôn Đoài")
        node = await centre.node(first)
        [hold] = await holds.order(centre.actor, [f"areas/{first.id}"])
        centre.hears(node.id, holds=[hold.id])
        await move(centre, second, nodes=(node.id,))
        await made.settle()
        assert released(made, node.id) == (), "it obeys what still stands"
        [counted] = await holds.active(centre.actor)
        assert (counted.node_count, counted.confirmed_count) == (1, 1)
        after = await holds.release(centre.actor, hold.id)
        assert [waiting.node_id for waiting in after.not_yet] == [node.id]
        await made.settle()
        assert released(made, node.id) == (hold.id,)
        centre.hears(node.id, holds=[])
        assert (await holds.get(centre.actor, hold.id)).not_yet == ()


async def test_a_node_whose_area_moved_is_released_when_its_health_names_the_hold(tmp_path: Path) -> None:
    """It was not heard between the STOP and the release."""
    async with desk(tmp_path) as made:
        centre, holds = made.centre, made.centre.services.holds
        commune, other = await centre.area("Xã Đông"), await centre.area("Xã Đoài")
        hamlet = await centre.area("Thôn", commune)
        node, stays = await centre.node(hamlet), await centre.node(commune, "Cụm 2")
        [hold] = await holds.order(centre.actor, [f"areas/{commune.id}"])
        seen = await centre.services.moves.preview(centre.actor, other.id, MoveIn(areas=(hamlet.id,)))
        await centre.services.moves.move(
            centre.actor, other.id, MoveSeenIn(areas=(hamlet.id,), seen_sha256=seen.sha256)
        )
        await holds.release(centre.actor, hold.id)
        await made.settle()
        assert released(made, node.id) == ()
        for each in (node, stays):
            centre.hears(each.id, holds=[hold.id])
        laggards = Laggards(centre.database, centre.bus, made.dispatcher)
        for each in (node, stays):
            laggards.note_health(each.id, msgspec.structs.replace(health({}), holds=(hold.id,)))
        await laggards.look()
        await made.settle()
        assert released(made, node.id) == (hold.id,)
        assert released(made, stays.id) == (), "its area tells it"
        assert await made.dispatcher.release_strays({node.id: [hold.id]}) == [], "told once"


def released(made: Desk, node_id: str) -> tuple[str, ...]:
    said = made.last(f"nodes/{node_id}", "hold")
    assert isinstance(said, Hold)
    return said.released


async def test_answers_rise_in_version_also_within_one_moment(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        trust, life = TrustStore(made.keys.trusted), timedelta(hours=1)
        tokens = [
            await made.signer.answer(ReceiptsAck, "nodes/n-1", life, store_id="s-1", stored_through_seq=seq)
            for seq in range(3)
        ]
        versions = [open_document(token, ReceiptsAck, audience="nodes/n-1", trust=trust).version for token in tokens]
        assert versions == sorted(set(versions))
        restarted = make_desk(made.centre, tmp_path).signer
        made.centre.clock.step(seconds=1)
        later = await restarted.answer(ReceiptsAck, "nodes/n-1", life, store_id="s-1", stored_through_seq=3)
        assert open_document(later, ReceiptsAck, audience="nodes/n-1", trust=trust).version > versions[-1]


async def test_a_store_with_a_gap_is_asked_for_it_twice_a_minute_at_most(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        bridge: Any = made.broker
        ingest = Ingest(made.centre.database, made.centre.clock, made.signer, bridge)
        node = await made.centre.node(await made.centre.area())

        async def asked(*, gap: bool, store: str = "s-1") -> int | None:
            await ingest._acknowledge(Stored(node.id, store, 4, gap=gap))
            said = made.last(f"nodes/{node.id}", Word.RECEIPTS_ACK)
            assert isinstance(said, ReceiptsAck)
            return said.send_from_seq

        assert [await asked(gap=True), await asked(gap=True), await asked(gap=True, store="s-2")] == [5, None, 5]
        made.centre.clock.step(seconds=29)
        assert await asked(gap=True) is None
        made.centre.clock.step(seconds=1)
        assert await asked(gap=True) == 5
        assert await asked(gap=False) is None
        assert await asked(gap=True) == 5, "another gap"


async def test_who_lags_is_told_again_less_and_less_often(tmp_path: Path) -> None:
    now = 1000.0
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        node = await made.centre.node(area)
        await made.settle()
        laggards = Laggards(made.centre.database, made.centre.bus, made.dispatcher, now=lambda: now)
        newest = {word: Held(epoch=1, version=1) for word in ("hold", "urgent", "plan", "settings")}
        current = {f"nodes/{node.id}": newest, f"areas/{area.id}": newest}
        behind = {**current, f"areas/{area.id}": {**newest, "hold": Held(epoch=1, version=1)}}
        await made.centre.services.holds.order(made.centre.actor, [f"areas/{area.id}"])
        await made.settle()

        async def says(held: dict[str, dict[str, Held]]) -> list[tuple[str, str]]:
            laggards.note_health(node.id, health(held))
            return await laggards.look()

        key = (f"areas/{area.id}", "hold")
        told_at = []
        for _ in range(100):
            if await says(behind):
                told_at.append(now - 1000)
            now += 1
        assert told_at == [PATIENCE_S, 3 * PATIENCE_S, 7 * PATIENCE_S]
        assert made.broker.topics()[-3:] == [key] * 3
        behind[f"areas/{area.id}"]["hold"] = Held(epoch=1, version=2)
        now += 1000
        assert await says(behind) == []


async def test_a_stranger_and_a_node_that_is_up_to_date_cause_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        await made.centre.area()
        await made.settle()
        laggards = Laggards(made.centre.database, made.centre.bus, made.dispatcher)
        laggards.note_health("stranger", health({}))
        assert await laggards.look() == []


async def test_what_moves_while_places_are_read_is_read_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    async with desk(tmp_path) as made:
        centre = made.centre
        commune, other = await centre.area("Xã Đông"), await centre.area("Xã Đoài")
        hamlet = await centre.area("Thôn", commune)
        node = await centre.node(hamlet)
        await made.settle()
        newest = {word: Held(epoch=1, version=99) for word in ("hold", "urgent", "plan", "settings")}
        held = dict.fromkeys((f"nodes/{node.id}", f"areas/{hamlet.id}", f"areas/{commune.id}"), newest)
        laggards = Laggards(centre.database, centre.bus, made.dispatcher, now=lambda: now)
        reading, read = centre.database.reading, asyncio.Event()

        @asynccontextmanager
        async def moved_meanwhile() -> AsyncIterator[Any]:
            async with reading() as session:
                yield session
            if not read.is_set():
                read.set()
                await move(centre, other, hamlet)
                await asyncio.sleep(0)  # the ear hears it before the look goes on

        async def look() -> list[tuple[str, str]]:
            laggards.note_health(node.id, health(held))
            return await laggards.look()

        running = asyncio.create_task(laggards.run())
        await laggards.ready.wait()
        monkeypatch.setattr(centre.database, "reading", moved_meanwhile)
        assert await look() == []
        monkeypatch.undo()
        assert read.is_set()
        await made.settle()
        assert await look() == [], "in patience"
        now += PATIENCE_S
        told = await look()
        running.cancel()
        assert {scope for scope, _ in told} == {f"areas/{other.id}"}


async def test_who_lags_while_the_rows_do_not_answer_is_told_when_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of it is asked for: the centre goes on, and nobody's word is lost."""
    now = 1000.0
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        node = await made.centre.node(area)
        await made.settle()
        bus: Any = made.centre.bus
        laggards = Laggards(made.centre.database, bus, made.dispatcher, now=lambda: now)
        newest = {word: Held(epoch=1, version=1) for word in ("hold", "urgent", "plan", "settings")}
        behind = {f"nodes/{node.id}": newest, f"areas/{area.id}": newest}
        await made.centre.services.holds.order(made.centre.actor, [f"areas/{area.id}"])
        await made.settle()
        reading, answered, asked = made.centre.database.reading, 0, 0

        @asynccontextmanager
        async def answers_sometimes() -> AsyncIterator[Any]:
            nonlocal asked
            asked += 1
            if asked > answered:
                raise BusyError("the database has a disk that does not answer; nothing was changed, try again")
            async with reading() as session:
                yield session

        async def look() -> list[tuple[str, str]]:
            nonlocal asked
            asked = 0
            return await laggards.look()

        monkeypatch.setattr(made.centre.database, "reading", answers_sometimes)
        laggards.note_health(node.id, health(behind))
        with pytest.raises(BusyError):
            await look()
        answered = 1
        assert await look() == [], "in patience, though nobody said anything since"
        now += PATIENCE_S
        laggards.note_health(node.id, health(behind))
        answered = 0  # places are known; the document is not read
        with pytest.raises(BusyError):
            await look()
        answered = 1
        assert await look() == [(f"areas/{area.id}", "hold")]


async def test_looking_for_laggards_goes_on_when_the_rows_did_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lagging, "LOOK_EVERY_S", 0.01)
    looked = asyncio.Semaphore(0)
    async with desk(tmp_path) as made:
        laggards = Laggards(made.centre.database, made.centre.bus, made.dispatcher)

        async def look() -> list[tuple[str, str]]:
            looked.release()
            raise BusyError("the database has a disk that does not answer; nothing was changed, try again")

        monkeypatch.setattr(laggards, "look", look)
        running = asyncio.create_task(laggards.run())
        async with asyncio.timeout(WITHIN_S):
            for _ in range(3):
                await looked.acquire()
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])


async def test_what_was_not_signed_as_the_rows_did_not_answer_is_signed_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A STOP does not wait half a minute for it, until rows are looked through anyway."""
    monkeypatch.setattr(dispatching, "AGAIN_S", 0.01)
    monkeypatch.setattr(dispatching, "SWEEP_S", 3600.0)
    async with desk(tmp_path) as made:
        area = await made.centre.area()
        await made.settle()
        running = asyncio.create_task(made.dispatcher.run())
        await made.dispatcher.ready.wait()
        transaction, failed = made.centre.database.transaction, 0

        @asynccontextmanager
        async def busy_for_the_dispatcher() -> AsyncIterator[Any]:
            nonlocal failed
            if asyncio.current_task() is running and failed < 3:
                failed += 1
                raise BusyError("the database is locked by another process; nothing was changed, try again")
            async with transaction() as tx:
                yield tx

        monkeypatch.setattr(made.centre.database, "transaction", busy_for_the_dispatcher)
        await made.centre.services.holds.order(made.centre.actor, [f"areas/{area.id}"])
        key = f"areas/{area.id}", "hold"
        await until(lambda: made.dispatcher.versions[key] == Version(1, 2), WITHIN_S, "the hold was not sent")
        assert failed == 3
        running.cancel()
        await asyncio.wait([running])


def health(held: dict[str, dict[str, Held]]) -> Health:
    return Health(
        sent_at=factories.MORNING,
        uptime_ms=1,
        held=held,
        clock=ClockReport(state=ClockState.TRUSTED),
        store_id="s-1",
        last_seq=0,
        acked_seq=0,
    )
