"""How a node was over time: steps of ten minutes, gaps that stay gaps, kept through a restart and not for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from controller.errors import InvalidError
from controller.nodes import history
from controller.nodes.history import NodeHealth
from controller.nodes.schemas import HealthOut, NodeOut
from edge_agent.protocol.reports import ClockReport, FaultReport, Health
from edge_agent.protocol.states import ClockState
from tests.controller.factories import Centre


def said(here: Centre, **given: object) -> Health:
    clock = ClockReport(state=ClockState.TRUSTED, offset_ms=float(str(given.pop("offset_ms", 1.5))))
    common = {"sent_at": here.clock(), "uptime_ms": 1, "store_id": "0" * 32, "last_seq": 0, "acked_seq": 0}
    return Health(**common | {"clock": clock} | given)  # type: ignore[arg-type]


async def node_at(here: Centre, hour: int = 5) -> NodeOut:
    node = await here.node(await here.area())
    here.clock.now = datetime(2031, 11, 24, hour, 0, tzinfo=UTC)
    return node


async def shown(here: Centre, node: NodeOut) -> HealthOut:
    return await here.services.node_health.of(here.actor, node.id)


async def test_ten_minutes_are_one_step_with_the_worst_of_them(here: Centre) -> None:
    node, health = await node_at(here), here.services.node_health
    for minute, temperature, offset in ((0, 40.0, 3.0), (1, 61.0, -80.0), (2, 50.0, 2.0)):
        here.clock.now = datetime(2031, 11, 24, 5, minute, tzinfo=UTC)
        fault = FaultReport(code="too_hot", since_at=here.clock())
        health.note_health(
            node.id,
            said(
                here,
                temperature_c=temperature,
                offset_ms=offset,
                link_rtt_ms=100.0,
                supply_low=minute == 1,
                faults=(fault,),
            ),
        )
    (step,) = (await shown(here, node)).steps
    assert (step.heard, step.temperature_c, step.clock_offset_ms) == (0.3, 61.0, -80.0)
    assert (step.supply_low, step.link_rtt_ms, step.faults) == (True, 100.0, ("too_hot",))


async def test_a_time_without_a_word_is_a_gap(here: Centre) -> None:
    node, health = await node_at(here), here.services.node_health
    health.note_health(node.id, said(here))
    here.clock.step(hours=2)
    health.note_health(node.id, said(here))
    steps = (await shown(here, node)).steps
    assert [step.at.hour for step in steps] == [5, 7]
    assert steps[0].temperature_c is None


async def test_what_was_written_goes_on_after_a_restart_of_the_centre(here: Centre) -> None:
    node, before = await node_at(here, hour=23), here.services.node_health
    before.note_health(node.id, said(here, temperature_c=40.0))
    await before.write()
    after = NodeHealth(here.database, here.clock)
    here.clock.step(minutes=3)
    after.note_health(node.id, said(here, temperature_c=30.0))
    here.clock.step(hours=2)  # another day, in UTC
    after.note_health(node.id, said(here))
    await after.write()
    steps = (await NodeHealth(here.database, here.clock).of(here.actor, node.id)).steps
    assert [(step.at.day, step.heard, step.temperature_c) for step in steps] == [(24, 0.2, 40.0), (25, 0.1, None)]


async def test_what_is_in_memory_is_written_when_the_centre_stops(here: Centre) -> None:
    node, health = await node_at(here), here.services.node_health
    task = asyncio.create_task(health.run())
    await health.ready.wait()
    health.note_health(node.id, said(here))
    task.cancel()
    await asyncio.wait([task])
    assert len((await NodeHealth(here.database, here.clock).of(here.actor, node.id)).steps) == 1


async def test_what_is_said_while_it_is_written_is_kept_also_at_midnight(
    here: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Midnight is in UTC: seven in the morning here, when most is aired."""
    node, health = await node_at(here), here.services.node_health
    midnight = datetime(2031, 11, 25, tzinfo=UTC)
    here.clock.now = midnight - timedelta(minutes=2)
    health.note_health(node.id, said(here))
    get = AsyncSession.get

    async def spoken_meanwhile(*given: Any, **named: Any) -> Any:
        for here.clock.now in (midnight - timedelta(minutes=1), midnight):
            health.note_health(node.id, said(here))
        return await get(*given, **named)

    monkeypatch.setattr(AsyncSession, "get", spoken_meanwhile)
    await health.write()
    monkeypatch.undo()
    expected = [(24, 0.2), (25, 0.1)]
    assert [(step.at.day, step.heard) for step in (await shown(here, node)).steps] == expected
    await health.write()
    here.clock.step(minutes=10)
    await health.write()
    assert health._open == {}
    assert [(step.at.day, step.heard) for step in (await shown(here, node)).steps] == expected


async def test_what_is_written_while_somebody_reads_is_shown(here: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    node, health = await node_at(here), here.services.node_health
    health.note_health(node.id, said(here))
    here.clock.step(hours=1)
    reading = here.database.reading

    @asynccontextmanager
    async def written_meanwhile() -> AsyncIterator[AsyncSession]:
        async with reading() as session:
            yield session
        await health.write()

    monkeypatch.setattr(here.database, "reading", written_meanwhile)
    assert len((await shown(here, node)).steps) == 1
    assert health._open == {}


async def test_a_node_that_is_no_more_is_not_written_and_does_not_stay(here: Centre) -> None:
    await node_at(here)
    here.services.node_health.note_health("nobody", said(here))
    await here.services.node_health.write()
    assert here.services.node_health._open == {}


async def test_after_thirty_days_it_is_forgotten(here: Centre) -> None:
    node, health = await node_at(here), here.services.node_health
    health.note_health(node.id, said(here))
    await health.write()
    here.clock.step(days=31)
    async with here.database.transaction() as tx:
        await history.forget(tx.session, here.clock())
    found = await NodeHealth(here.database, here.clock).of(
        here.actor, node.id, here.clock() - timedelta(days=31), here.clock()
    )
    assert found.steps == ()
    with pytest.raises(InvalidError):
        await health.of(here.actor, node.id, here.clock() - timedelta(days=40), here.clock())
