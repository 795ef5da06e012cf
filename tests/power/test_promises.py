"""The promises are seen to be broken, and the disk loses what it is to lose: without this a campaign proves nothing."""

import asyncio
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent.protocol.reports import PlayEvent, Receipts
from edge_agent.protocol.states import Level, PlayState
from tests.edge_agent.centre import broadcast
from tests.faults.truth import pool
from tests.power.disk import SECTOR, Cache, Disk
from tests.power.lives import Aim, Life
from tests.power.machine import Frame
from tests.power.promises import violations
from tests.power.sounds import Sound, sounds_of

NOON = datetime(2026, 11, 22, 5, tzinfo=UTC)
POOL = pool()
ROUTINE = broadcast("routine-1", NOON, *(one.voice for one in POOL[:4]), late=timedelta(hours=1))
EMERGENCY = broadcast("emergency-2", NOON, POOL[4].voice, level=Level.EMERGENCY)
LATER = broadcast("routine-3", NOON, *(one.voice for one in POOL[5:9]), late=timedelta(hours=1))
ORDERS = {one.broadcast_id: one for one in (ROUTINE, LATER, EMERGENCY)}
Said = tuple[tuple[str, Any], ...]
MEDIA = [f"media/{one.voice.sha256}.opus" for one in POOL[:9]]
EVENT = PlayEvent(seq=1, at=NOON, broadcast_id="routine-1", state=PlayState.RECEIVED)
TOLD = json.loads('{"seq": 1, "at": "2026-11-22T05:00:00Z", "broadcast_id": "routine-1", "state": "received"}')


def life(number: int, *heard: int, clock: str = "network", more: Said = (), **store: Any) -> Life:
    """Make one in which these recordings sounded."""
    found = {"store_id": "s-1", "check": "ok", "files": MEDIA, "plays": {}, "events": [[1, TOLD]], **store}
    said: Said = (("f", {"status": 0}), ("s", found), ("n", {}), *more)
    frames = [Frame(letter, json.dumps(words).encode(), NOON) for letter, words in said]
    sounds = [Sound(POOL[index].voice.sha256, NOON, 0) for index in heard]
    return Life(number, Aim("moment"), clock, True, False, Cache.LOST, frames, sounds=sounds)


def under_way(next_item: int, since: timedelta = timedelta(0), name: str = "routine-1") -> dict[str, Any]:
    began = (NOON - since).isoformat()
    return {name: {"began_at": began, "anchor_at": began, "next_item": next_item, "outcome": None}}


AHEAD = timedelta(minutes=-1)
BOTH = under_way(1, AHEAD) | under_way(1, AHEAD, name="routine-3")
"""An emergency cut the later one, and the other began after it."""


BROKEN = {
    "disk_and_store_are_whole": [life(1, more=(("f", {"status": 4}),))],
    "disk_and_store_are_whole: the store": [life(1), life(2, store_id="s-2")],
    "what_was_half_written_goes": [life(1, files=["media/.a.x"]), life(2, files=["media/.a.x"])],
    "the_agent_comes_up_and_stays": [life(1, more=(("x", {"status": 256}),))],
    "nothing_routine_begins_twice": [life(1, 0, 1), life(2, 1)],
    "an_emergency_sounds_once_more_at_most": [life(1, 4), life(2, 4), life(3, 4)],
    "routine_goes_on_with_its_next_item": [life(1, 1, plays=under_way(2, timedelta(hours=1)))],
    "routine_goes_on_with_its_next_item: ('routine-1'": [life(1, 1, plays=under_way(2))],
    "routine_goes_on_with_its_next_item: ('routine-3'": [life(1, 6, plays=BOTH)],
    "nothing_routine_sounds_by_a_wrong_clock": [life(1, 0, clock="none")],
    "receipts_stay_as_they_were_told": [life(1), life(2, events=[[1, {**TOLD, "broadcast_id": "routine-9"}]])],
    "receipts_stay_as_they_were_told: ": [life(1, events=[[2, TOLD]])],
}


@pytest.mark.parametrize("promise", BROKEN)
def test_a_promise_that_is_broken_is_named(promise: str) -> None:
    found = violations(BROKEN[promise], ORDERS, [])
    assert found
    assert {one.split(":")[0] for one in found} == {promise.split(":", maxsplit=1)[0]}


def test_lives_that_keep_every_promise_are_not_blamed() -> None:
    kept = Receipts(iss="node-1", iat=1, store_id="s-1", kept_from_seq=1, events=(EVENT,))
    lives = [life(1, 0, 4), life(2, 4, 2, plays=under_way(1, timedelta(hours=1))), life(3, 1, 6, plays=BOTH)]
    assert violations(lives, ORDERS, [kept]) == []


def test_what_was_told_and_is_kept_otherwise_is_seen() -> None:
    other = PlayEvent(seq=1, at=NOON, broadcast_id="routine-9", state=PlayState.RECEIVED)
    told = Receipts(iss="node-1", iat=1, store_id="s-1", kept_from_seq=1, events=(other,))
    assert violations([life(1)], ORDERS, [told])


def blocks(pcm: bytes, length: int = 1920) -> Iterator[bytes]:
    for begin in range(0, len(pcm), length):
        yield struct.pack("<q", 10**18 + begin * 10_000) + pcm[begin : begin + length]


def test_a_sound_with_a_hole_is_one_and_a_beginning_again_is_another() -> None:
    one, two = (item.samples.tobytes() for item in POOL[:2])
    holed = one[:5760] + bytes(1920) + one[7680:]
    heard = sounds_of(blocks(bytes(700) + one + two + holed), POOL[:4])
    assert [(POOL[0].voice.sha256, True), (POOL[1].voice.sha256, True), (POOL[0].voice.sha256, True)] == [
        (sound.recording, sound.whole) for sound in heard
    ]
    again = sounds_of(blocks(one[:9600] + one[:9600]), POOL[:4])
    assert [sound.whole for sound in again] == [False, False]


class Client:
    """What qemu does on the wire, in short."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def greet(self) -> int:
        """Shake hands; gives the size."""
        await self._reader.readexactly(18)
        self._writer.write(struct.pack(">I8sII", 3, b"IHAVEOPT", 7, 0))
        await self._reader.readexactly(20)
        _, size, _ = struct.unpack(">HQH", await self._reader.readexactly(12))
        await self._reader.readexactly(20)
        return int(size)

    async def ask(self, kind: int, offset: int = 0, data: bytes = b"", *, length: int = 0) -> bytes:
        """Read (0), write (1) or flush (3)."""
        self._writer.write(struct.pack(">IHHQQI", 0x25609513, 0, kind, 7, offset, length or len(data)) + data)
        assert await self._reader.readexactly(16) == struct.pack(">IIQ", 0x67446698, 0, 7)
        return await self._reader.readexactly(length)


@pytest.mark.parametrize("cache", Cache)
async def test_a_disk_keeps_what_was_flushed_and_may_lose_the_rest(tmp_path: Path, cache: Cache) -> None:
    disk = Disk(bytes(64 * SECTOR), seed=1)
    await disk.serve(tmp_path / "disk")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "disk")
    client = Client(reader, writer)
    assert await client.greet() == disk.size
    await client.ask(1, 0, b"a" * SECTOR)
    await client.ask(3)
    for number in range(1, 60):
        await client.ask(1, number * SECTOR, b"b" * SECTOR)
    assert await client.ask(0, length=2 * SECTOR) == b"a" * SECTOR + b"b" * SECTOR
    writer.close()
    lost = await disk.unplug(cache)
    disk.save(tmp_path / "medium")
    medium = (tmp_path / "medium").read_bytes()
    assert medium[:SECTOR] == b"a" * SECTOR
    assert medium.count(b"b" * SECTOR) == 59 - lost
    assert {Cache.LOST: lost == 59, Cache.KEPT: lost == 0, Cache.TORN: 0 < lost < 59}[cache]
    assert (disk.flushes, disk.writes) == (1, 60)


async def test_a_power_cut_within_a_flush_takes_what_it_was_to_keep(tmp_path: Path) -> None:
    disk = Disk(bytes(8 * SECTOR), seed=1)
    disk.at_flush = lambda when: when == "before"
    await disk.serve(tmp_path / "disk")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "disk")
    client = Client(reader, writer)
    await client.greet()
    await client.ask(1, 0, b"a" * SECTOR)
    with pytest.raises(asyncio.IncompleteReadError):
        await client.ask(3)
    writer.close()
    assert await disk.unplug(Cache.LOST) == 1
