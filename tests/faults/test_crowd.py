"""Everybody at once, and for long: a fleet that lost its broker, and a node that lives for days."""

import gc
import heapq
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from edge_agent.link import BACKOFF_S, CONNECT_S, next_wait_s
from tests.faults.checker import violations
from tests.faults.world import world

Record = Callable[[str, object], None]
HANDSHAKES_A_S = 250
"""Of a small server that does other things too; two cores that did nothing else managed 556."""


def come_back(count: int, gone_s: float, seed: int = 1) -> tuple[float, int]:
    """Let a broker be gone for a while and its whole fleet try again by the agent's own rule.

    Gives how long after its return the last node was served, and the most tries within a second while it was gone.
    """
    rng = random.Random(seed)
    tries = [(rng.uniform(0, BACKOFF_S[0]), node, BACKOFF_S[0]) for node in range(count)]
    heapq.heapify(tries)
    a_second: Counter[int] = Counter()
    free_at_s = served_s = gone_s
    while tries:
        at_s, node, wait_s = heapq.heappop(tries)
        if at_s < gone_s:
            a_second[int(at_s)] += 1
        elif max(free_at_s, at_s) - at_s < CONNECT_S:
            free_at_s = served_s = max(free_at_s, at_s) + 1 / HANDSHAKES_A_S
            continue
        else:
            at_s += CONNECT_S
        wait_s = next_wait_s(wait_s, served=False)
        heapq.heappush(tries, (at_s + rng.uniform(0, wait_s), node, wait_s))
    settled = [number for second, number in a_second.items() if second >= 60]
    return served_s - gone_s, max(settled, default=0)


@pytest.mark.fault("F20")
@pytest.mark.parametrize("gone_s", [1, 30, 600])
@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_f20_a_fleet_that_lost_its_broker_comes_back_spread_out(
    count: int, gone_s: float, record_property: Record
) -> None:
    """As fast as a small server can greet it, and half a minute more; while it is gone, a tenth tries each second."""
    back_s, most = come_back(count, gone_s)
    assert back_s <= count / HANDSHAKES_A_S + 1.5 * BACKOFF_S[1]
    assert most <= count * 0.13
    record_property("figure", f"{count:,} nodes, {gone_s} s without a broker: all back {back_s:.0f} s after it")


DAYS = 7
PLAYS_A_DAY = 48


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.long
@pytest.mark.fault("F29")
@pytest.mark.timeout(400)
async def test_f29_a_node_that_lives_for_days_takes_no_more_than_on_its_second(
    ram: Path, record_property: Record
) -> None:
    """Two plays an hour for a week, and its link broken every three hours."""
    sizes: list[tuple[int, int, int]] = []
    async with world(ram / "node") as one:
        begun_at = one.now()
        for day in range(DAYS):
            one.forget_day()
            for number in range(PLAYS_A_DAY):
                one.centre.order(f"b-{day}-{number}", one.now() + timedelta(minutes=30 * number + 10), send=False)
            one.centre.send_plan()
            for hour in range(1, 24, 3):
                one.at(begun_at + timedelta(days=day, hours=hour), one.cut)
                one.at(begun_at + timedelta(days=day, hours=hour, minutes=5), one.heal)
            await one.run(begun_at + timedelta(days=day + 1))
            gc.collect()
            sizes.append((psutil.Process().memory_info().rss >> 10, _descriptors(), threading.active_count()))
        history = await one.end()
    assert len(history.told) > DAYS * PLAYS_A_DAY
    settled, last = sizes[1], sizes[-1]
    assert last[1:] == settled[1:], "descriptors or threads"
    assert last[0] <= settled[0] * 1.05
    assert [one for one in violations(history) if one.invariant == 14] == []
    grown = f"{settled[0] >> 10} MiB after two days, {last[0] >> 10} MiB at the end"
    record_property("figure", f"{DAYS} days and {DAYS * PLAYS_A_DAY} plays in stepped time: {grown}")
