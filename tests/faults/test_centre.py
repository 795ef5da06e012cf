"""Faults of the centre and its broker, with real processes: killed in the middle of what they do."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.demo.processes import ProgramFailedError
from controller.wire.broker_config import access_rules
from tests.e2e.waiting import until
from tests.faults.checker import violations
from tests.faults.history import History
from tests.faults.rig import Rig, running_rig

pytestmark = pytest.mark.broker

KILLS = int(os.environ.get("LOA_FAULTS_KILLS", "3"))
"""``make faults`` kills a hundred times."""
PER_ORDER = 10


def begins(history: History) -> list[list[int]]:
    """Count how often each broadcast began, node by node."""
    nodes = list(history.nodes)
    return [[len(history.heard(name, order.recordings[0])) for name in nodes] for order in history.orders]


@pytest.mark.long
@pytest.mark.fault("F1")
@pytest.mark.timeout(240 + 12 * KILLS)
async def test_f01_a_broker_killed_during_dispatch_loses_and_doubles_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Killed as soon as it is there again, while orders come in and everything is published anew.

    They are due after the storm: who has no broker for longer than a lead cannot know what it is to play.
    """
    orders = max(2, KILLS // PER_ORDER)
    record_property("figure", f"{KILLS} kills, {orders} broadcasts on 3 nodes")
    async with running_rig(tmp_path) as rig:
        await rig.record(orders)
        storm_ends_at = datetime.now(UTC) + timedelta(seconds=KILLS * (1 if KILLS < 10 else 6.5) + 15)
        for number in range(orders):
            left = storm_ends_at - datetime.now(UTC)
            await rig.send(max(5.0, left.total_seconds()) + 5 * number)
            for _ in range(KILLS * (number + 1) // orders - KILLS * number // orders):
                await rig.kill_broker()
        await rig.until_all_over(within_s=240)
        history = rig.history()
    assert begins(history) == [[1, 1, 1]] * orders
    assert violations(history) == []


POINTS = ("before_commit", "after_commit", "half_published", "after_publish")


@pytest.mark.long
@pytest.mark.fault("F2")
@pytest.mark.timeout(600)
async def test_f02_a_centre_killed_at_any_point_of_its_dispatch_sends_what_it_acknowledged(tmp_path: Path) -> None:
    async with running_rig(tmp_path, nodes=2) as rig:
        await rig.record(len(POINTS) + 1)
        for point in POINTS:
            await rig.kill_centre()
            await rig.bring_centre_back(failpoint=f"dispatch.{point}")
            await _order_and_die(rig)
        await rig.kill_centre()
        await rig.bring_centre_back(failpoint="ingest.after_commit")
        await _order_and_die(rig)
        await rig.until_all_over(within_s=180)
        history = rig.history()
    assert begins(history) == [[1, 1]] * (len(POINTS) + 1)
    assert violations(history) == []


async def _order_and_die(rig: Rig) -> None:
    """Order something, which the centre does not survive; said yes or not, it stands or is sent again."""
    known = {order.broadcast_id for order in rig.orders}
    sound = rig.sounds[len(rig.orders)]
    with suppress(ProgramFailedError):
        await rig.send(30, sound=sound)
    await rig.until_centre_died()
    await rig.bring_centre_back()
    if len(rig.orders) == len(known):
        found = [row for row in await rig.call("GET", "/broadcasts") if row["title"] == sound["title"]]
        if found:
            rig.note(found[0], sound)
        else:
            await rig.send(30, sound=sound)


@pytest.mark.long
@pytest.mark.fault("F3")
@pytest.mark.timeout(300)
async def test_f03_a_database_that_is_locked_for_long_drops_no_play(tmp_path: Path) -> None:
    """Locked by another process from before a start until after it, while receipts come in."""
    async with running_rig(tmp_path, nodes=2) as rig:
        await rig.record(2)
        rows = [await rig.send(12), await rig.send(50)]
        await rig.until_cached(*rows)
        with rig.locked():
            await asyncio.sleep(20)
        await rig.until_all_over(within_s=120)
        history = rig.history()
    assert begins(history) == [[1, 1]] * 2
    assert violations(history) == []


@pytest.mark.long
@pytest.mark.fault("C40")
async def test_c40_a_broker_without_its_access_rules_opens_nothing(tmp_path: Path) -> None:
    """An empty file means "all to all" to mosquitto: nobody else can empty it, and each start writes it anew."""
    async with running_rig(tmp_path, nodes=1) as rig:
        assert access_rules().strip()
        broker = rig.broker()
        assert broker is not None
        folder = Path(next(word for word in broker.cmdline() if word.endswith("mosquitto.conf"))).parent
        rules = folder / "acl"
        assert folder.stat().st_mode & 0o077 == 0, "others could reach it"
        assert rules.read_text().strip()
        rules.write_text("")
        await rig.kill_broker()
        await until(lambda: rules.exists() and rules.read_text().strip(), 60, "access rules")
        await rig.until_online(60)
