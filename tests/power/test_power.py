"""A node whose power is cut again and again, in a machine of its own: kernel, file system and agent are the real ones.

By `make power`, as root; some minutes. What a card's own firmware makes of a cut is not in it: the disk loses what it
had not been told to keep, and nothing else (``disk.py``).
"""

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.edge_agent.centre import running_centre
from tests.faults.truth import pool
from tests.power.campaign import Campaign
from tests.power.machine import Image, missing

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(3600),
    pytest.mark.asyncio(loop_scope="module"),
]

SEEDS = range(1, 1 + int(os.environ.get("LOA_POWER_CAMPAIGNS", "4")))
CUTS = 14
"""In a campaign; its first life begins with the kernel, or those that are named."""
COLD = {int(one) for one in os.environ.get("LOA_POWER_COLD", "1").split()}
RECORDINGS = 384
KEPT = os.environ.get("LOA_POWER_IMAGE")
SHARED = Path("/dev/shm")
MEMORY = SHARED if SHARED.is_dir() else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def image() -> AsyncIterator[Image]:
    """In memory where there is one: a gigabyte that is read in each life. One that was kept need not be made again."""
    pool(RECORDINGS)  # made before a centre runs, which would be cut off meanwhile
    if KEPT:
        yield Image(Path(KEPT))
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="loa-power-") as folder:
        made = Image(Path(folder))
        made.build()
        await made.remember()
        yield made


@pytest.mark.fault("F24", "F25")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_node_whose_power_is_cut_comes_back_and_begins_nothing_routine_twice(
    image: Image, tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    async with running_centre(tmp_path / "centre") as centre:
        campaign = Campaign(image, tmp_path, centre, pool(RECORDINGS), seed)
        await campaign.begin()
        for number in range(1, CUTS + 1):
            print(await campaign.live(cold=number in COLD), flush=True)  # noqa: T201 - with the seed, it tells what was
        print(await campaign.last())  # noqa: T201 - as above
    assert campaign.violations() == []
    sounds = [one for life in campaign.lives for one in life.sounds]
    assert len(sounds) > CUTS, "hardly anything sounded: nothing was tried"
    assert sum(not life.reached for life in campaign.lives) < CUTS / 2, "hardly any life came to its aim"
    record_property("count", f"{CUTS} cuts of a whole machine's power")
    record_property("count", f"{sum(life.lost for life in campaign.lives)} writes lost in the disk's cache")
    record_property("count", f"{len(sounds)} sounds")


@pytest.mark.fault("planted")
async def test_a_node_that_does_not_wait_for_its_disk_is_seen(image: Image, tmp_path: Path) -> None:
    async with running_centre(tmp_path / "centre") as centre:
        campaign = Campaign(image, tmp_path, centre, pool(RECORDINGS), 1, careless=True)
        await campaign.begin()
        for _ in range(CUTS):
            print(await campaign.live(), flush=True)  # noqa: T201 - as above
            found = {one.partition(":")[0] for one in campaign.violations()}
            if missed := found & {"nothing_routine_begins_twice", "receipts_stay_as_they_were_told"}:
                break
    assert missed, "nobody missed the commits that had not reached the disk"
