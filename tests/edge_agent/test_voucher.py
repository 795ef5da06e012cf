"""A minute before its start a recording is read again, whatever was found earlier; what is wrong is fetched again."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from edge_agent import shelf as shelf_module
from edge_agent.checked import Hashes, hash_file
from edge_agent.faults import Fault
from edge_agent.protocol.states import Outcome
from edge_agent.shelf import Shelf
from edge_agent.voucher import Voucher
from tests.edge_agent.fakes import Desk
from tests.edge_agent.hall import Hall, at, due, opus


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    desk = Desk(tmp_path)
    desk.settle()
    yield Hall(desk)
    desk.close()


def rot(path: Path) -> None:
    """Turn one bit as a card does: no time stamp tells."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    path.write_bytes(opus(9))


DAMAGE: list[Callable[[Path], object]] = [
    rot,
    replace,
    lambda path: os.truncate(path, 100),
    lambda path: os.truncate(path, 0),
]


@pytest.mark.parametrize("damage", DAMAGE, ids=["one bit", "another file", "truncated", "empty"])
@pytest.mark.parametrize("mended", [True, False])
async def test_a_file_that_was_damaged_is_found_a_minute_before_it_is_due(
    hall: Hall,
    damage: Callable[[Path], object],
    mended: bool,  # noqa: FBT001
) -> None:
    voice, spoiled = hall.voice(1), list[str]()
    voucher = Voucher(hall.desk.keeper, hall.desk.shelf, hall.desk.player)
    voucher.on_spoiled = spoiled.append
    hall.desk.player.failed = lambda _: None if mended else Fault.MEDIA_CORRUPT
    hall.desk.plan(due("b-1", 62_000, voice, late=at(1000)))
    damage(hall.desk.shelf.path(voice.sha256))
    await voucher.look()
    assert spoiled == []  # more than a minute ahead: not its time
    hall.desk.instruments.pass_(seconds=3)
    await voucher.look()
    assert spoiled == [voice.sha256]
    assert not hall.desk.shelf.has(voice.sha256)
    if mended:
        hall.voice(1)
    hall.desk.instruments.pass_(seconds=58)
    hall.desk.player.changed()
    outcome = (Outcome.PLAYED, None) if mended else (Outcome.MISSED, "corrupt_file")
    assert await hall.outcome("b-1") == outcome


async def test_a_good_file_that_comes_while_the_bad_one_is_read_stays(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The player met the damage first and it was fetched again, while the old file was still being read here."""
    voice, shelf = hall.voice(1), hall.desk.shelf
    good = shelf.path(voice.sha256).read_bytes()
    replace(shelf.path(voice.sha256))

    def read_slowly(path: Path) -> Hashes:
        found = hash_file(path)
        shelf.spoil(voice.sha256)
        shelf.part(voice.sha256).write_bytes(good)
        monkeypatch.undo()
        shelf.accept_part(voice.sha256)
        return found

    monkeypatch.setattr(shelf_module, "hash_file", read_slowly)
    assert shelf.vouch(voice.sha256)
    assert shelf.path(voice.sha256).read_bytes() == good
    assert shelf.is_vouched(voice.sha256)


async def test_a_file_is_read_once_for_each_of_its_broadcasts(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    voice, read = hall.voice(1), list[str]()
    real = hall.desk.shelf.vouch

    def vouch(sha256: str) -> bool:
        read.append(sha256)
        return real(sha256)

    monkeypatch.setattr(hall.desk.shelf, "vouch", vouch)
    voucher = Voucher(hall.desk.keeper, hall.desk.shelf, hall.desk.player)
    hall.desk.plan(due("b-1", 30_000, voice), due("b-2", 80_000, voice))
    for _ in range(3):
        await voucher.look()
    assert read == [voice.sha256]
    hall.desk.instruments.pass_(seconds=25)
    for _ in range(3):
        await voucher.look()
    assert read == [voice.sha256] * 2


async def test_a_node_is_ready_before_it_has_read_all_that_it_keeps(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes of audio on a slow card, or on one that hangs: the link and what is in memory do not wait for it."""
    free, voice = threading.Event(), hall.voice(1)
    monkeypatch.setattr(hall.desk.shelf, "vouch", lambda _: free.wait())
    hall.desk.settle(pinned=(voice,))
    voucher = Voucher(hall.desk.keeper, hall.desk.shelf, hall.desk.player)
    task = asyncio.create_task(voucher.run())
    try:
        async with asyncio.timeout(20):
            await voucher.ready.wait()
    finally:
        free.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_card_that_cannot_even_be_looked_at_has_no_recordings(tmp_path: Path) -> None:
    """Once it takes nothing more. A name that is too long stands for what a failing card answers."""
    shelf = Shelf(tmp_path / "media")
    shelf.go_aside(tmp_path / "aside")
    assert not shelf.has("a" * 300)
