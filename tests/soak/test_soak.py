"""A commune of real processes lives for as long as it is told to (``make soak SOAK=minutes``), with no rest."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.checker import violations
from tests.faults.rig import running
from tests.soak.living import OVER_S, Living

pytestmark = [pytest.mark.broker, pytest.mark.long]

MINUTES = float(os.environ.get("LOA_SOAK_MINUTES", "3"))
SEED = int(os.environ.get("LOA_SOAK_SEED", "1"))
A_HOUR = 28
"""Broadcasts: a node plays thirty an hour, and no more."""
LEAST_S, LEAD_S = 8.0, 14.0


@pytest.mark.fault("F27", "F29")
@pytest.mark.timeout(MINUTES * 60 + 900)
async def test_a_commune_that_lives_long_breaks_no_invariant_and_takes_no_more(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(SEED)
    every_s = LEAST_S if MINUTES * 60 / LEAST_S <= A_HOUR else 3600 / A_HOUR
    async with running(Living(tmp_path, rng)) as rig, rig.helped():
        begun_at = datetime.now(UTC)
        ends_at, next_at = begun_at + timedelta(minutes=MINUTES), begun_at
        await rig.something("bad_update")  # one at least: F27 is of this test
        while datetime.now(UTC) < ends_at:
            if datetime.now(UTC) >= next_at:
                next_at += timedelta(seconds=every_s)
                await rig.record(1)
                await rig.send(LEAD_S)
            await rig.something()
            rig.look()
            await asyncio.sleep(rng.uniform(0.2, 2))
        ended_at = datetime.now(UTC)
        await rig.until_online(120)
        rollouts = await rig.until_rolled_out()
        await rig.until_all_over(within_s=OVER_S)
        history = rig.lived(begun_at, ended_at)
    grown = rig.grown(begun_at, ended_at)
    assert {"centre", "agent 1"} <= set(grown), "nothing lived all the time"
    assert set(rollouts) == {("stopped", "refused", "not_started")}, (
        "a bad release was not refused, or none was told of"
    )
    whole = sum(sound.whole for sound in history.sounds)
    assert whole >= len(rig.nodes) * len(rig.orders) / 2, "too much was excused"
    assert [str(one) for one in violations(history)] == []
    taken = "; ".join(
        f"{name} {early.mib:.0f} to {late.mib:.0f} MiB, {early.open} to {late.open} open files"
        for name, (early, late) in sorted(grown.items())
    )
    record_property(
        "figure",
        f"{MINUTES:g} min: {len(rig.orders)} broadcasts, {whole} whole sounds, {len(rig.done)} things of "
        f"{len(Counter(rig.done))} kinds, {len(rollouts)} bad releases refused; second quarter to last: {taken}",
    )
