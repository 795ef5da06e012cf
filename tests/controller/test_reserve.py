"""A disk that fills up is told of in time, and a reserve is given up before a row finds no room."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from controller import reserve as reserve_module
from controller.alarms.models import Alarm
from controller.reserve import LEAST_BYTES, PLENTY_BYTES, RESERVE_BYTES, DiskWatch, Reserve
from tests.controller.factories import Centre

BLOCK = 4096
DISK_BYTES = 1 << 30
Fill = Callable[[int], None]


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Leave so many bytes free on a disk of a GiB; what the reserve takes or gives is not counted."""
    free = [DISK_BYTES // 2]

    def statvfs(_path: Path) -> SimpleNamespace:
        left = free[0] // BLOCK
        return SimpleNamespace(f_frsize=BLOCK, f_blocks=DISK_BYTES // BLOCK, f_bfree=left, f_bavail=left)

    monkeypatch.setattr(reserve_module, "os", SimpleNamespace(statvfs=statvfs, posix_fallocate=os.posix_fallocate))
    return lambda left: free.__setitem__(0, left)


def test_the_reserve_is_given_up_when_there_is_nearly_no_room_and_comes_back(tmp_path: Path, fill: Fill) -> None:
    reserve, file = Reserve(tmp_path), tmp_path / "disk.reserve"

    def is_kept() -> bool:
        return reserve.is_kept

    reserve.keep()
    assert file.stat().st_blocks * 512 >= RESERVE_BYTES, "it takes up no room"
    fill(LEAST_BYTES)
    reserve.ease()
    assert is_kept()
    fill(LEAST_BYTES - BLOCK)
    reserve.ease()
    assert not is_kept()
    fill(PLENTY_BYTES - BLOCK)
    reserve.keep()
    assert not is_kept()
    fill(PLENTY_BYTES)
    reserve.keep()
    assert is_kept()


async def test_every_write_makes_room_before_it(lite: Centre, tmp_path: Path, fill: Fill) -> None:
    reserve = Reserve(tmp_path)
    reserve.keep()
    lite.database.before_write = reserve.ease
    fill(0)
    kept = []
    async with lite.database.reading():
        kept.append(reserve.is_kept)
    async with lite.database.transaction():
        kept.append(reserve.is_kept)
    assert kept == [True, False]


async def test_a_disk_that_does_not_answer_keeps_nobody_from_trying_to_write(
    lite: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STOP may be a row on another disk; and what loops of the centre would not outlive ends it."""

    def gone(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    lite.database.before_write = Reserve(tmp_path).ease
    monkeypatch.setattr(reserve_module, "os", SimpleNamespace(statvfs=gone))
    await lite.area("Xã viết được")


async def test_people_are_told_at_85_percent_once_and_again_when_it_is_full(
    lite: Centre, tmp_path: Path, fill: Fill
) -> None:
    watch = DiskWatch(lite.database, lite.clock, lite.services.alarms, Reserve(tmp_path))

    async def told() -> list[tuple[str, int]]:
        await watch.look()
        async with lite.database.reading() as session:
            rows = await session.scalars(select(Alarm).where(Alarm.subject == "disk").order_by(Alarm.raised_at))
            return [(row.kind, row.detail["count"]) for row in rows]

    assert await told() == await told() == []
    fill(DISK_BYTES * 16 // 100)
    assert await told() == []
    fill(DISK_BYTES * 15 // 100)
    assert await told() == await told() == [("disk.low", 85)]
    fill(LEAST_BYTES - BLOCK)
    lite.clock.step(seconds=30)
    assert await told() == [("disk.low", 85), ("disk.full", 99)]
