"""What nodes say of themselves, with a stepped clock: claims are noted, silence is told, rows come in batches."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from controller.errors import BusyError
from controller.events import Event, Topic
from controller.nodes.models import Node
from controller.nodes.rules import NodeStatus
from controller.wire.presence import MAX_REPORT_BYTES, PresenceWatch
from edge_agent.protocol.reports import FaultReport, Leaving, Lost, Online, Report
from tests.controller import factories
from tests.controller.wire.test_dispatcher import health


class Told:
    """Collects events as they are published."""

    def __init__(self, centre: factories.Centre) -> None:
        self.events: list[Event] = []
        publish = centre.bus.publish

        def note(event: Event) -> None:
            self.events.append(event)
            publish(event)

        centre.bus.publish = note  # type: ignore[method-assign]  # a tap

    def nodes(self) -> list[str]:
        found = [event.key for event in self.events if event.topic is Topic.NODE]
        self.events.clear()
        return found


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[factories.Centre, PresenceWatch, str]]:
    """A centre, its watch, and a node that was never heard."""
    async with factories.centre(folder) as centre:
        node = await centre.node(await centre.area(), online=False)
        watch = watch_of(centre)
        await watch._load()
        watch.sweep()
        yield centre, watch, node.id


def watch_of(centre: factories.Centre, set_by: Sequence[float] = (0,)) -> PresenceWatch:
    """``set_by`` is by how many seconds the clock was set, all in all; else it was stepped because time passed."""
    return PresenceWatch(
        centre.database,
        centre.bus,
        centre.clock,
        centre.services.live,
        steady=lambda: centre.clock().timestamp() - set_by[0],
    )


def wire(report: Report, **changed: Any) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(report, **changed))


HELLO = wire(Online(boot_id="boot-1", connected_at=factories.MORNING, abilities=factories.abilities()))
LOST = wire(Lost(boot_id="boot-1"))
HEALTH = wire(health({}))


async def status(centre: factories.Centre, node_id: str) -> NodeStatus:
    return (await centre.services.nodes.get(centre.actor, node_id)).status


async def row(centre: factories.Centre, node_id: str) -> Node:
    async with centre.database.reading() as session:
        found = await session.scalar(select(Node).where(Node.id == node_id))
    assert found is not None
    return found


async def test_silence_is_told_once_within_44_seconds(tmp_path: Path) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        watch.note_presence(node_id, HELLO, False)
        watch.note_health(node_id, HEALTH, False)
        assert await status(centre, node_id) is NodeStatus.ONLINE
        watch.sweep()
        changes = []
        for second in range(1, 121):
            centre.clock.step(seconds=1)
            if watch.sweep():
                changes.append((second, await status(centre, node_id)))
        assert changes == [(36, NodeStatus.LATE), (44, NodeStatus.OFFLINE)]


@pytest.mark.parametrize("set_s", [-3600, -20, 20, 3600])
@pytest.mark.parametrize("silent_s", [1, 20, 40])
async def test_a_clock_that_is_set_neither_hides_silence_nor_makes_it(
    tmp_path: Path, set_s: float, silent_s: float
) -> None:
    """``silent_s`` after the node's last word the centre's clock is set."""
    async with watched(tmp_path) as (centre, _, node_id):
        set_by = [0.0]
        watch = watch_of(centre, set_by)
        watch.note_presence(node_id, HELLO, False)
        watch.note_health(node_id, HEALTH, False)
        await watch.write()
        centre.clock.step(seconds=silent_s)
        watch.sweep()
        set_by[0] += set_s
        centre.clock.step(seconds=set_s)
        watch.sweep()
        assert await status(centre, node_id) is (NodeStatus.LATE if silent_s > 35 else NodeStatus.ONLINE)
        centre.clock.step(seconds=43 - silent_s)
        watch.sweep()
        assert await status(centre, node_id) is NodeStatus.LATE
        centre.clock.step(seconds=1)
        assert watch.sweep() == [node_id]
        assert await status(centre, node_id) is NodeStatus.OFFLINE


async def test_a_word_of_the_future_in_a_row_is_no_sign_of_life(tmp_path: Path) -> None:
    """A former life wrote it, before the clock was set back."""
    async with watched(tmp_path) as (centre, watch, node_id):
        watch.note_presence(node_id, HELLO, False)
        await watch.write()
        centre.services.live._heard.clear()
        centre.clock.step(hours=-1)
        restarted = watch_of(centre)
        await restarted._load()
        restarted.sweep()
        assert await status(centre, node_id) is NodeStatus.OFFLINE
        restarted.note_presence(node_id, LOST, True)
        assert await status(centre, node_id) is NodeStatus.OFFLINE
        restarted.note_health(node_id, HEALTH, False)
        assert await status(centre, node_id) is NodeStatus.ONLINE
        centre.clock.step(seconds=46)
        assert await status(centre, node_id) is NodeStatus.OFFLINE


async def test_a_late_word_brings_a_node_back(tmp_path: Path) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        watch.note_presence(node_id, HELLO, False)
        watch.note_presence(node_id, LOST, False)
        assert await status(centre, node_id) is NodeStatus.OFFLINE
        centre.clock.step(seconds=5)
        watch.note_health(node_id, HEALTH, False)
        assert await status(centre, node_id) is NodeStatus.ONLINE


async def test_a_kept_hello_is_no_sign_of_life(tmp_path: Path) -> None:
    """The broker gives it after every connect; the node may be long silent."""
    async with watched(tmp_path) as (centre, watch, node_id):
        watch.note_presence(node_id, HELLO, False)
        centre.clock.step(minutes=10)
        watch.note_presence(node_id, HELLO, True)
        assert await status(centre, node_id) is NodeStatus.OFFLINE
        assert (await centre.services.nodes.get(centre.actor, node_id)).last_heard_at == factories.MORNING


async def test_a_kept_lost_does_not_move_since_when(tmp_path: Path) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        watch.note_presence(node_id, HELLO, False)
        watch.note_presence(node_id, LOST, False)
        await watch.write()
        centre.clock.step(minutes=10)
        restarted = watch_of(centre)
        await restarted._load()
        restarted.note_presence(node_id, LOST, True)
        assert (await centre.services.nodes.get(centre.actor, node_id)).status_since == factories.MORNING


async def test_what_was_said_is_in_rows_after_one_batch(tmp_path: Path) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        watch.note_presence(node_id, HELLO, False)
        watch.note_health(node_id, HEALTH, False)
        watch.note_presence("stranger", HELLO, False)
        await watch.write()
        found = await row(centre, node_id)
        assert (found.presence, found.presence_at, found.last_heard_at) == (
            "online",
            factories.MORNING,
            factories.MORNING,
        )
        assert found.abilities is not None
        assert found.abilities["output"] == "virtual"
        assert found.health == msgspec.json.decode(HEALTH)
        watch.note_presence(node_id, wire(Leaving(reason="update")), False)
        await watch.write()
        assert (await row(centre, node_id)).presence_reason == "update"


async def test_a_locked_database_loses_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        watch.note_presence(node_id, HELLO, False)

        def locked() -> AbstractAsyncContextManager[None]:
            raise BusyError("locked")

        with monkeypatch.context() as patched:
            patched.setattr(centre.database, "transaction", locked)
            await watch.write()
        watch.note_presence(node_id, LOST, False)
        await watch.write()
        found = await row(centre, node_id)
        assert found.presence == "lost"
        assert found.abilities is not None


async def test_a_heartbeat_that_says_nothing_new_is_not_told(tmp_path: Path) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        told = Told(centre)
        watch.note_health(node_id, HEALTH, False)
        assert told.nodes() == [node_id]
        centre.clock.step(seconds=30)
        watch.note_health(node_id, wire(health({}), uptime_ms=31_000), False)
        assert told.nodes() == []
        fault = FaultReport(code="clock_offset", since_at=factories.MORNING)
        watch.note_health(node_id, wire(health({}), faults=(fault,)), False)
        assert told.nodes() == [node_id]


async def test_the_times_of_a_node_are_not_believed(tmp_path: Path) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        future = factories.MORNING + timedelta(days=3650)
        watch.note_presence(node_id, HELLO, False)
        watch.note_health(node_id, wire(health({}), sent_at=future), False)
        assert (await centre.services.nodes.get(centre.actor, node_id)).last_heard_at == factories.MORNING


async def test_what_is_too_large_or_not_of_this_wire_is_counted(tmp_path: Path) -> None:
    async with watched(tmp_path) as (centre, watch, node_id):
        for note in (watch.note_presence, watch.note_health):
            note(node_id, b"{" * (MAX_REPORT_BYTES + 1), False)
            note(node_id, b'{"state":"enthroned"}', False)
        assert watch.dropped == {"too_large": 2, "malformed": 2}
        assert await status(centre, node_id) is NodeStatus.NEVER_SEEN
