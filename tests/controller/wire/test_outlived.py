"""Rows that do not answer for a while: every member of the centre outlives that, and then does what it is asked."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller import life
from controller.errors import BusyError
from controller.events import Event, Topic
from controller.nodes import history
from controller.wire import presence
from edge_agent.protocol.documents import Hold, Settings
from edge_agent.protocol.reports import FaultReport
from tests.e2e.waiting import until

from .live import WITHIN_S, event, live_centre

pytestmark = pytest.mark.broker

WHO_ASKS = {
    "clones",
    "dispatcher",
    "emergencies",
    "faults",
    "ingest",
    "laggards",
    "life",
    "node-health",
    "presence-rows",
    "recordings",
    "revoker",
    "scheduler",
}
"""Tasks that read or write rows of their own accord."""


async def test_every_member_outlives_rows_that_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((life, "EVERY_S"), (history, "WRITE_EVERY_S"), (presence, "WRITE_EVERY_S")):
        monkeypatch.setattr(module, name, 0.05)
    monkeypatch.setattr(history, "TURNS", 1)
    refused: set[str] = set()

    def gone(**_given: object) -> Any:
        task = asyncio.current_task()
        refused.add(task.get_name() if task is not None else "")
        raise BusyError("the database has a disk that does not answer; nothing was changed, try again")

    async with live_centre(tmp_path) as live:
        area, services = await live.area(), live.centre.services
        node = await live.node(area)
        broken = FaultReport(code="output_lost", since_at=services.clock())
        async with node.connected(f"loa/v1/areas/{area.id}/#"):
            await node.hello()
            await node.document(Settings, node.scope)
            with monkeypatch.context() as meanwhile:
                meanwhile.setattr(services.database, "reading", gone)
                meanwhile.setattr(services.database, "transaction", gone)
                times = 0

                async def all_were_refused() -> bool:
                    nonlocal times
                    times += 1
                    for topic in Topic:
                        services.events.publish(Event(topic, "something"))
                    services.processing.wake()
                    said = {"store_id": f"store-{times % 2}", "faults": (broken,)}
                    await node.say(msgspec.structs.replace(node.health(), **said))
                    await node.report(event(times))
                    return refused >= WHO_ASKS

                await until(all_were_refused, WITHIN_S, "some of them never asked for rows")
            [hold] = await services.holds.order(live.rows.actor, [area.scope])
            told = await node.document(Hold, area.scope, lambda said: bool(said.active))
            assert [each.hold_id for each in told.active] == [hold.id]
