"""Fetching over real HTTPS from a server that breaks off, forgets, lies and withdraws."""

import contextlib
import errno
import hashlib
import http.client
import os
import random
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent import download as download_module
from edge_agent import fetcher as fetcher_module
from edge_agent import shelf as shelf_module
from edge_agent import tls
from edge_agent.checked import Hashes, hash_file
from edge_agent.config import StateDir
from edge_agent.download import Throttle, get
from edge_agent.errors import ConfigError, CorruptError, FetchError, NoSpaceError
from edge_agent.faults import Fault
from edge_agent.fetcher import Fetcher, Lane, wanted
from edge_agent.protocol.content import Broadcast, Voice
from edge_agent.protocol.listings import merge
from edge_agent.protocol.states import Level
from edge_agent.shelf import Shelf
from edge_agent.voucher import Voucher
from tests.edge_agent.centre import Authority, FileServer, broadcast, make_opus, voice_of
from tests.edge_agent.fakes import NOON, Desk, running, until

SIZE = 100_000


class Yard:
    """A desk, a file server and the fetcher between them."""

    def __init__(self, root: Path) -> None:
        (root / "centre").mkdir()
        authority = Authority(root / "centre")
        authority.server(root / "centre")
        self.server = FileServer(root / "centre")
        self.desk = Desk(root / "node")
        (root / "node" / "ca.crt").write_text(authority.pem)
        state = StateDir(root / "node")
        self.fetcher = Fetcher(
            self.desk.keeper,
            self.desk.shelf,
            self.desk.faults,
            media_url=self.server.url,
            tls=lambda: tls.context(state, check_dates=True, as_node=False),
            now=self.desk.clock.now,
        )
        self.desk.keeper.on_change = self.fetcher.nudge
        self.desk.settle()

    def serve(self, data: bytes, *, size: int | None = None) -> Voice:
        sha256 = hashlib.sha256(data).hexdigest()
        self.server.shelves.files[f"/media/{sha256}.opus"] = data
        return Voice(language="vi", sha256=sha256, bytes=size or len(data), length_ms=1000)

    def due(self, name: str, *voices: Voice, seconds: float = 0, **fields: Any) -> Broadcast:
        return broadcast(name, NOON + timedelta(seconds=seconds), *voices, late=timedelta(minutes=5), **fields)

    def has(self, voice: Voice) -> bool:
        return self.desk.shelf.is_vouched(voice.sha256)

    def asked(self, voice: Voice) -> list[str | None]:
        return [span for path, span in self.server.shelves.asked if voice.sha256 in path]

    def shrink_disk(self, size: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the disk hold so many bytes of recordings and no more."""
        media = self.desk.shelf.path("x").parent

        def size_of(path: Path) -> int:
            with contextlib.suppress(FileNotFoundError):  # Deleted since it was listed: there is room again.
                return path.stat().st_size
            return 0

        def free() -> int:
            return int(size) - sum(size_of(path) for path in media.iterdir())

        monkeypatch.setattr(self.desk.shelf, "free_bytes", free)

    def reviewed(self) -> set[str]:
        """Look again, as the agent does every second."""
        self.fetcher.review_faults()
        return self.faults()

    def faults(self) -> set[str]:
        return {one.code for one in self.desk.faults.standing()}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher_module, "BACKOFF_S", (0.01, 0.02))
    monkeypatch.setattr(fetcher_module, "GONE_S", 0.02)


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let a line be slow for everything of more than 500,000 bytes, until told."""
    over, real = threading.Event(), download_module._hold_back

    def slow(throttle: Throttle, pace: Any) -> None:
        while pace.got > 500_000 and not over.wait(0.01) and not throttle.stop.is_set():
            pass
        real(throttle, pace)

    monkeypatch.setattr(download_module, "_hold_back", slow)
    yield over.set
    over.set()


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path)
    async with running(yard.fetcher):
        yield yard
    yard.server.close()
    yard.desk.close()


async def test_a_plan_brings_its_body_and_its_recordings(yard: Yard) -> None:
    voice = yard.serve(os.urandom(SIZE))
    plan = yard.desk.orders.plan(yard.due("b-1", voice))
    yard.server.shelves.files[f"/plans/{plan.body_sha256}"] = yard.desk.orders.bodies[plan.body_sha256]
    yard.desk.send(plan)
    await until(lambda: yard.has(voice))
    assert yard.faults() == set()
    assert list(yard.desk.shelf.path("x").parent.glob("*.part")) == []


async def test_a_download_that_breaks_off_is_continued_where_it_stood(yard: Yard) -> None:
    voice = yard.serve(os.urandom(SIZE))
    yard.server.shelves.broken_after[f"/media/{voice.sha256}.opus"] = 40_000
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: yard.has(voice))
    assert yard.asked(voice) == [None, "bytes=40000-"]


async def test_a_download_is_continued_after_a_restart(yard: Yard) -> None:
    data = os.urandom(SIZE)
    voice = yard.serve(data)
    yard.desk.shelf.part(voice.sha256).write_bytes(data[:70_000])
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: yard.has(voice))
    assert yard.asked(voice) == ["bytes=70000-"]


async def test_a_part_that_is_wrong_is_fetched_from_the_beginning(yard: Yard) -> None:
    voice = yard.serve(os.urandom(SIZE))
    yard.desk.shelf.part(voice.sha256).write_bytes(bytes(70_000))
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: yard.has(voice))
    assert yard.asked(voice) == ["bytes=70000-", None]


async def test_wrong_bytes_are_never_put_in_place(yard: Yard) -> None:
    voice = yard.serve(os.urandom(SIZE))
    path = f"/media/{voice.sha256}.opus"
    true = yard.server.shelves.files[path]
    yard.server.shelves.files[path] = os.urandom(SIZE)
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: "media_corrupt" in yard.faults())
    assert not yard.desk.shelf.has(voice.sha256)
    assert yard.fetcher.failed(voice.sha256) is Fault.MEDIA_CORRUPT
    yard.server.shelves.files[path] = true
    await until(lambda: yard.has(voice) and not yard.faults())


async def test_a_part_that_cannot_be_read_is_fetched_anew(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card with a bad block: the download fails and is tried again, and the node lives."""
    voice = yard.serve(os.urandom(SIZE))
    whole, seen = hash_file, []

    def unreadable_once(path: Path) -> Hashes:
        seen.append(path)
        if len(seen) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return whole(path)

    monkeypatch.setattr(shelf_module, "hash_file", unreadable_once)
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: yard.has(voice))
    assert yard.asked(voice) == [None, None]


async def test_an_authority_that_cannot_be_read_just_now_ends_no_node(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice, real, refusals = yard.serve(make_opus(1, 300)), yard.fetcher._tls, [ConfigError("ca.crt cannot be used")] * 2

    def tls_of_now() -> ssl.SSLContext:
        if refusals:
            raise refusals.pop()
        return real()

    yard.desk.urgent(yard.due("b-1", voice))
    monkeypatch.setattr(yard.fetcher, "_tls", tls_of_now)
    async with running(yard.fetcher):
        await until(lambda: yard.has(voice))
    assert refusals == []
    assert Fault.FETCH_FAILED not in yard.reviewed()


async def test_what_the_disk_refuses_is_a_fault_and_others_are_fetched(yard: Yard) -> None:
    refused, fine = yard.serve(os.urandom(SIZE)), yard.serve(os.urandom(SIZE))
    part = yard.desk.shelf.part(refused.sha256)
    part.mkdir()
    yard.desk.urgent(yard.due("b-refused", refused), yard.due("b-fine", fine, seconds=1))
    await until(lambda: yard.has(fine) and yard.faults() == {"fetch_failed"})
    part.rmdir()
    await until(lambda: yard.has(refused) and not yard.faults())


@pytest.mark.parametrize(("code", "fault"), [(errno.ENOSPC, Fault.DISK_LOW), (errno.EROFS, Fault.FETCH_FAILED)])
async def test_a_disk_that_takes_nothing_more_is_named(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, code: int, fault: Fault
) -> None:
    def refuse(_size: int, _needed: object, **_kept: Any) -> None:
        raise OSError(code, os.strerror(code))

    voice = yard.serve(os.urandom(100))
    monkeypatch.setattr(yard.desk.shelf, "make_room", refuse)
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: yard.fetcher.failed(voice.sha256) is fault)


@pytest.mark.parametrize("stays", [False, True])
async def test_a_recording_that_cannot_be_read_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stays: bool
) -> None:
    """Even when the disk, set to read-only by its errors, does not let go of it."""
    desk, data = Desk(tmp_path), make_opus(1, 500)
    desk.settle()
    voice = voice_of(data)
    desk.shelf.put(voice.sha256, data)
    shelf = desk.shelf = Shelf(desk.shelf.path("x").parent)  # as after a restart: nothing is vouched for
    desk.plan(broadcast("b-1", NOON + timedelta(seconds=30), voice))

    def unreadable(path: Path) -> Hashes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def fixed(path: Path, **_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(shelf_module, "hash_file", unreadable)
    if stays:
        monkeypatch.setattr(Path, "unlink", fixed)
    spoiled: list[str] = []
    voucher = Voucher(desk.keeper, shelf, desk.player)
    voucher.on_spoiled = spoiled.append
    async with running(voucher):
        await until(lambda: spoiled == [voice.sha256])
        assert not shelf.has(voice.sha256)
        assert shelf.path(voice.sha256).exists() is stays
    monkeypatch.undo()
    shelf.put(voice.sha256, data)
    assert shelf.has(voice.sha256)
    desk.close()


async def test_more_than_the_promised_size_is_not_taken(yard: Yard) -> None:
    voice = yard.serve(os.urandom(SIZE), size=SIZE // 2)
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: "media_corrupt" in yard.faults())
    assert not yard.desk.shelf.has(voice.sha256)


@pytest.mark.parametrize("withdrawn", [True, False])
async def test_what_is_gone_or_not_there_yet_is_reported_and_tried_again(yard: Yard, withdrawn: bool) -> None:  # noqa: FBT001
    data = os.urandom(SIZE)
    voice = yard.serve(data)
    path = f"/media/{voice.sha256}.opus"
    if withdrawn:
        yard.server.shelves.gone.add(path)
    else:
        del yard.server.shelves.files[path]
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: yard.faults() == {"media_missing"} and len(yard.asked(voice)) >= 2)
    yard.server.shelves.gone.clear()
    yard.server.shelves.files[path] = data
    await until(lambda: yard.has(voice) and not yard.faults())


async def test_what_is_no_longer_wanted_is_no_fault(yard: Yard) -> None:
    voice = Voice(language="vi", sha256="a" * 64, bytes=10, length_ms=1000)
    yard.desk.urgent(yard.due("b-1", voice))
    await until(lambda: yard.faults() == {"media_missing"})
    yard.desk.urgent()
    await until(lambda: not yard.faults())


async def test_nothing_is_fetched_for_what_is_over(yard: Yard) -> None:
    over, due = yard.serve(os.urandom(100)), yard.serve(os.urandom(100))
    yard.fetcher.is_over = lambda name: name == "b-over"
    yard.desk.urgent(yard.due("b-over", over), yard.due("b-due", due))
    await until(lambda: yard.has(due))
    assert yard.asked(over) == []


async def test_an_urgent_overtakes_bulk_which_stands_still_meanwhile(yard: Yard) -> None:
    bulk, urgent = yard.serve(os.urandom(2_000_000)), yard.serve(os.urandom(SIZE))
    yard.fetcher.bulk_bytes_per_s = 200_000
    yard.desk.plan(yard.due("b-bulk", bulk))
    part = yard.desk.shelf.part(bulk.sha256)
    await until(lambda: part.exists() and part.stat().st_size > 0)
    yard.desk.urgent(yard.due("b-urgent", urgent, level=Level.EMERGENCY))
    await until(lambda: yard.has(urgent))
    assert not yard.has(bulk)
    assert part.stat().st_size < 2_000_000
    yard.fetcher.bulk_bytes_per_s = None
    await until(lambda: yard.has(bulk))


@pytest.mark.parametrize(("left_s", "most_s"), [(7200, fetcher_module.SPREAD_S), (300, 30)])
async def test_the_nodes_of_a_commune_do_not_all_ask_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_s: int, most_s: float
) -> None:
    """Each waits by chance, within a minute, and never for more than a tenth of the time that is left."""
    asked = list[tuple[float, float]]()

    def chance(least: float, most: float) -> float:
        asked.append((least, most))
        return most

    desk = Desk(tmp_path)
    desk.settle()
    fetcher = Fetcher(
        desk.keeper,
        desk.shelf,
        desk.faults,
        media_url="https://nowhere",
        tls=ssl.create_default_context,
        now=desk.clock.now,
    )
    desk.plan(broadcast("b-1", NOON + timedelta(seconds=left_s), voice_of(make_opus(1, 100))))
    monkeypatch.setattr(random, "uniform", chance)
    wait_s = await fetcher._round(Lane.BULK)
    assert wait_s is not None
    assert most_s - 10 < wait_s <= most_s, "all of it, less what has gone by since"
    assert [least for least, _ in asked] == [0]
    assert asked[0][1] == pytest.approx(most_s)
    desk.close()


async def test_the_ceiling_of_settings_holds_and_rises_and_falls_away_in_the_middle_of_a_download(yard: Yard) -> None:
    assert yard.fetcher.bulk_rate() is None
    yard.desk.settle(download_kbit_s=8)  # 1,000 bytes a second: two million take half an hour
    voice = yard.serve(os.urandom(2_000_000))
    yard.desk.plan(yard.due("b-1", voice))
    part = yard.desk.shelf.part(voice.sha256)
    await until(lambda: part.exists() and part.stat().st_size > 0)
    assert part.stat().st_size < 100_000
    yard.fetcher.bulk_bytes_per_s = 500  # the lower of both
    assert yard.fetcher.bulk_rate() == 500
    yard.fetcher.bulk_bytes_per_s = 5000
    assert yard.fetcher.bulk_rate() == 1000
    yard.fetcher.bulk_bytes_per_s = None
    yard.desk.settle()
    await until(lambda: yard.has(voice))
    assert len(yard.asked(voice)) == 1


def test_a_new_ceiling_forgives_and_asks_nothing_of_what_came_under_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(download_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    pace = download_module._Pace(got=10_000_000)
    assert pace.ahead_s(1000) == 0.0  # else it would stand still for three hours
    pace.got += 2000
    assert pace.ahead_s(1000) == 2.0
    now_s[0] = 1.5
    assert pace.ahead_s(1000) == 0.5
    assert pace.ahead_s(None) == 0.0


async def test_the_ceiling_of_what_is_fetched_ahead_is_none_for_what_is_urgent(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, now, ceilings = yard.serve(os.urandom(SIZE)), yard.serve(os.urandom(SIZE)), list[int | None]()
    real = download_module._hold_back

    def noted(throttle: Throttle, pace: Any) -> None:
        ceilings.append(throttle.bytes_per_s())
        real(throttle, pace)

    monkeypatch.setattr(download_module, "_hold_back", noted)
    yard.fetcher.bulk_bytes_per_s = 10_000_000
    yard.desk.urgent(yard.due("b-now", now, level=Level.NORMAL))
    await until(lambda: yard.has(now))
    assert set(ceilings) == {None}
    ceilings.clear()
    yard.desk.plan(yard.due("b-ahead", ahead))
    await until(lambda: yard.has(ahead))
    assert set(ceilings) == {10_000_000}


def test_what_comes_later_takes_no_byte_while_something_that_comes_first_is_on_its_way(yard: Yard) -> None:
    fetcher = yard.fetcher
    for under_way, standing in (
        ({"a": Lane.BULK}, []),
        ({"a": Lane.BULK, "b": Lane.URGENT}, ["a"]),
        ({"a": Lane.BULK, "b": Lane.URGENT, "c": Lane.EMERGENCY}, ["a", "b"]),
        ({"b": Lane.URGENT, "c": Lane.URGENT}, []),
    ):
        fetcher._under_way = under_way
        assert [name for name, lane in under_way.items() if fetcher._stands_still(lane)] == standing
    fetcher._under_way = {}


def test_a_ceiling_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            now_s[0] += timeout or 0.0
            return False

    monkeypatch.setattr(download_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    for rate, took_s in ((None, 0.0), (1000, 7.0), (100_000, 0.0)):
        now_s[0], pace = 101.0, download_module._Pace(rate, 100.0, 8000)
        download_module._hold_back(Throttle(Stop(), bytes_per_s=lambda rate=rate: rate), pace)  # type: ignore[misc]
        assert now_s[0] - 101.0 == pytest.approx(took_s)


def test_a_download_waits_between_two_pieces_until_what_comes_first_is_here() -> None:
    first, waited = [True, True, False], list[float | None]()

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return False

    download_module._hold_back(Throttle(Stop(), pause=lambda: first.pop(0)), download_module._Pace())
    assert first == []
    assert len(waited) == 2


async def test_what_stands_still_leaves_the_link_free(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel would go on to take in megabytes of it beside the emergency."""
    held, real = list[int](), http.client.HTTPConnection.getresponse

    def noted(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        held.append(connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
        return real(connection)

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", noted)
    voice = yard.serve(os.urandom(SIZE))
    yard.desk.plan(yard.due("b-1", voice))
    await until(lambda: yard.has(voice))
    assert set(held) == {2 * download_module.HELD_BYTES}  # Linux doubles it, for its own keeping (socket(7))


async def test_an_emergency_overtakes_what_is_only_urgent(yard: Yard, held_back: Callable[[], None]) -> None:
    """On a line of 200 kbit/s an announcement "now" of 2 MB would keep the storm warning waiting for over a minute."""
    now, storm = yard.serve(os.urandom(2_000_000)), yard.serve(os.urandom(SIZE))
    yard.desk.urgent(yard.due("b-now", now))
    part = yard.desk.shelf.part(now.sha256)
    await until(lambda: part.exists() and part.stat().st_size > 0)
    yard.desk.urgent(yard.due("b-now", now), yard.due("b-storm", storm, seconds=30, level=Level.EMERGENCY))
    await until(lambda: yard.has(storm))
    assert not yard.has(now)
    held_back()
    await until(lambda: yard.has(now))
    assert len(yard.asked(now)) == 1


async def test_what_is_on_its_way_as_bulk_and_becomes_an_emergency_stands_still_no_more(yard: Yard) -> None:
    """It is the same download that goes on, without bulk's ceiling; nobody writes the same file twice at once."""
    voice = yard.serve(os.urandom(2_000_000))
    yard.fetcher.bulk_bytes_per_s = 20_000
    due = yard.due("b-1", voice, level=Level.NORMAL)
    yard.desk.plan(due)
    part = yard.desk.shelf.part(voice.sha256)
    await until(lambda: part.exists() and part.stat().st_size > 0)
    yard.desk.urgent(yard.due("b-storm", voice, level=Level.EMERGENCY))
    await until(lambda: yard.has(voice))
    assert len(yard.asked(voice)) == 1


def test_the_higher_level_is_wanted_first_whatever_its_start() -> None:
    voices = [Voice(language="vi", sha256=letter * 64, bytes=10, length_ms=1000) for letter in "abcd"]
    levels = (Level.NORMAL, Level.PRIORITY, Level.EMERGENCY)
    urgents = [
        broadcast(f"b-{level}", NOON + timedelta(seconds=rank), voice, level=level)
        for rank, (level, voice) in enumerate(zip(levels, voices[:3], strict=True))
    ]
    planned = broadcast("b-planned", NOON + timedelta(hours=1), voices[3], level=Level.EMERGENCY)
    found = merge([("areas/thon-1", NOON, [planned])], [("areas/thon-1", urgents)])
    wants = wanted(found.values(), ("vi",))
    assert [want.voice.sha256[0] for want in wants] == ["c", "d", "b", "a"]
    assert [want.lane for want in wants] == [Lane.EMERGENCY, Lane.EMERGENCY, Lane.URGENT, Lane.URGENT]


def test_recordings_are_wanted_by_urgency_and_start_and_each_once() -> None:
    voices = [Voice(language="vi", sha256=letter * 64, bytes=10, length_ms=1000) for letter in "abc"]
    late = broadcast("b-late", NOON + timedelta(hours=2), voices[0])
    early = broadcast("b-early", NOON, voices[1], voices[0])
    emergency = broadcast("b-now", NOON + timedelta(hours=1), voices[2])
    found = merge([("areas/thon-1", NOON, [late, early])], [("areas/thon-1", [emergency])])
    wants = wanted(found.values(), ("vi",))
    assert [want.voice.sha256[0] for want in wants] == ["c", "b", "a"]
    assert [want.urgent for want in wants] == [True, False, False]


def test_what_is_kept_always_comes_before_all_but_the_urgent() -> None:
    voices = [Voice(language="vi", sha256=letter * 64, bytes=10, length_ms=1000) for letter in "abcd"]
    routine = broadcast("b-early", NOON, voices[0], voices[1])
    emergency = broadcast("b-now", NOON, voices[2])
    found = merge([("areas/thon-1", NOON, [routine])], [("areas/thon-1", [emergency])])
    wants = wanted(found.values(), ("vi",), (voices[3], voices[1], voices[2]))
    assert [want.voice.sha256[0] for want in wants] == ["c", "d", "b", "a"]
    assert [want.start_at == NOON for want in wants] == [True, False, True, True]


async def test_what_is_kept_always_is_fetched_and_survives_a_full_disk(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher_module, "SPREAD_S", 0.01)
    siren, old, new = (yard.serve(os.urandom(SIZE)) for _ in range(3))
    yard.desk.settle(pinned=(siren,))
    await until(lambda: yard.has(siren))
    yard.desk.urgent(yard.due("b-1", old))
    await until(lambda: yard.has(old))
    yard.shrink_disk(2.5 * SIZE, monkeypatch)
    yard.desk.urgent(yard.due("b-2", new))
    await until(lambda: yard.has(new))
    assert yard.desk.shelf.has(siren.sha256)
    assert not yard.desk.shelf.has(old.sha256)


async def test_a_kept_recording_that_is_missing_is_a_fault_until_it_is_here_or_kept_no_more(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time that its first download may wait, so that new settings do not raise it in every node."""
    sound = os.urandom(SIZE)
    siren, gone = yard.serve(os.urandom(SIZE)), yard.serve(sound)
    del yard.server.shelves.files[f"/media/{siren.sha256}.opus"]
    yard.desk.settle(pinned=(siren,))
    await until(lambda: siren.sha256 in yard.fetcher._tries)
    assert "pinned_missing" not in yard.reviewed()
    monkeypatch.setattr(fetcher_module, "SPREAD_S", 0.01)
    await until(lambda: "pinned_missing" in yard.reviewed())
    detail = next(one.detail for one in yard.desk.faults.standing() if one.code == "pinned_missing")
    assert siren.sha256[:12] in detail
    yard.desk.settle(pinned=(gone,))
    await until(lambda: yard.has(gone))
    assert yard.reviewed() == set()
    yard.desk.shelf.path(gone.sha256).unlink()
    del yard.server.shelves.files[f"/media/{gone.sha256}.opus"]
    await until(lambda: "pinned_missing" in yard.reviewed())
    yard.server.shelves.files[f"/media/{gone.sha256}.opus"] = sound
    await until(lambda: yard.has(gone))
    assert yard.reviewed() == set()


async def test_what_is_no_longer_kept_may_go(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher_module, "SPREAD_S", 0.01)
    siren, new = yard.serve(os.urandom(SIZE)), yard.serve(os.urandom(SIZE))
    yard.desk.settle(pinned=(siren,))
    await until(lambda: yard.has(siren))
    yard.desk.settle()
    yard.shrink_disk(1.5 * SIZE, monkeypatch)
    yard.desk.urgent(yard.due("b-1", new))
    await until(lambda: yard.has(new))
    assert not yard.desk.shelf.has(siren.sha256)


async def test_an_emergency_does_not_wait_out_the_random_delay_of_what_was_only_kept(yard: Yard) -> None:
    siren = yard.serve(os.urandom(SIZE))
    yard.desk.settle(pinned=(siren,))
    await until(lambda: siren.sha256 in yard.fetcher._tries)
    yard.fetcher._tries[siren.sha256].not_before_s += 1000
    yard.desk.urgent(yard.due("b-1", siren, level=Level.EMERGENCY))
    await until(lambda: yard.has(siren))


async def test_what_becomes_urgent_under_way_is_fetched_once_and_no_longer_held_back(yard: Yard) -> None:
    bulk = yard.serve(os.urandom(2_000_000))
    yard.fetcher.bulk_bytes_per_s = 100_000
    yard.desk.plan(yard.due("b-bulk", bulk))
    part = yard.desk.shelf.part(bulk.sha256)
    await until(lambda: part.exists() and part.stat().st_size > 0)
    yard.desk.urgent(yard.due("b-now", bulk, level=Level.EMERGENCY))
    await until(lambda: yard.has(bulk))
    assert yard.asked(bulk) == [None]


def test_what_nobody_needs_makes_room_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, reserve_bytes=1000)
    free = 1100
    monkeypatch.setattr(shelf, "free_bytes", lambda: free)
    for number, letter in enumerate("abc"):
        path = shelf.path(letter * 64)
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
    shelf.make_room(150, needed={"a" * 64})
    assert [shelf.has(letter * 64) for letter in "abc"] == [True, False, True]
    with pytest.raises(NoSpaceError, match="bytes short"):
        shelf.make_room(10_000, needed={"a" * 64})
    assert shelf.has("a" * 64)


def test_what_goes_while_room_is_made_ends_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, reserve_bytes=1000)
    monkeypatch.setattr(shelf, "free_bytes", lambda: 1000)
    # Listed, and gone when it is looked at: as the part of another download, which has become a recording.
    shelf.part("a" * 64).symlink_to("gone")
    shelf.path("b" * 64).write_bytes(bytes(100))
    shelf.make_room(100, needed=())
    assert not shelf.has("b" * 64)


def test_of_what_is_needed_the_spare_go_in_their_order_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path, reserve_bytes=1000)
    monkeypatch.setattr(shelf, "free_bytes", lambda: 1000)
    names = [letter * 64 for letter in "abcd"]
    for name in names:
        shelf.path(name).write_bytes(bytes(100))
    shelf.make_room(150, names[:3], spare=[names[2], names[1]])
    assert [shelf.has(name) for name in names] == [True, True, False, False]
    with pytest.raises(NoSpaceError):
        shelf.make_room(150, names[:3], spare=[names[1]])
    assert shelf.has(names[0])


@pytest.mark.parametrize(
    ("wanted_h", "spare_h"),
    [(1, [50, 30]), (30, [50]), (50, []), (None, [50, 30])],
)
def test_what_is_due_within_a_day_or_kept_always_or_due_before_is_never_spare(
    wanted_h: int | None, spare_h: list[int]
) -> None:
    """The hours are those of the starts; None is a recording that is always kept."""
    voices = {
        hours: Voice(language="vi", sha256=f"{hours:064x}", bytes=1, length_ms=1) for hours in (1, 23, 30, 50, 99)
    }
    wants = [
        fetcher_module.Want(voice, NOON + timedelta(hours=hours), urgent=False, level=Level.NORMAL)
        for hours, voice in voices.items()
    ]
    kept = voices[99].sha256
    want = next(one for one in wants if one.voice == voices[99 if wanted_h is None else wanted_h])
    spare = fetcher_module.spare_for(want, wants, NOON, pinned={kept})
    assert spare == [voices[hours].sha256 for hours in spare_h]


async def test_a_full_disk_holds_what_is_due_first(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher_module, "SPREAD_S", 0.01)
    far, near, nearest = (yard.serve(os.urandom(SIZE)) for _ in range(3))
    yard.shrink_disk(2.5 * SIZE, monkeypatch)
    monkeypatch.setattr(yard.desk.shelf, "_reserve_bytes", 0)
    yard.desk.plan(yard.due("b-far", far, seconds=60 * 3600), yard.due("b-near", near, seconds=20 * 3600))
    await until(lambda: yard.has(far) and yard.has(near))
    plans = [
        yard.due("b-far", far, seconds=60 * 3600),
        yard.due("b-near", near, seconds=20 * 3600),
        yard.due("b-nearest", nearest, seconds=3600),
    ]
    yard.desk.plan(*plans)
    yard.fetcher.nudge()
    await until(lambda: yard.has(nearest) and not yard.has(far))
    await until(lambda: "disk_low" in yard.faults())
    assert yard.has(near)


def test_a_link_in_the_media_directory_is_no_recording(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "media")
    (tmp_path / "secret").write_bytes(b"secret")
    shelf.path("a" * 64).symlink_to(tmp_path / "secret")
    assert not shelf.has("a" * 64)
    assert shelf.source("a" * 64) is None


def test_inline_audio_with_another_hash_is_not_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with pytest.raises(CorruptError):
        shelf.put("a" * 64, b"something")
    assert not shelf.has("a" * 64)


def test_only_https_is_fetched(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w+b") as file, pytest.raises(FetchError, match="only https"):
        get("http://127.0.0.1/x", None, into=file, offset=0, limit=10, throttle=Throttle(threading.Event()))


async def test_an_urgent_is_obeyed_though_its_inline_audio_cannot_be_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.settle()
    data = make_opus(1, 500)
    voice = voice_of(data)
    desk.shelf.path("x").parent.rmdir()
    desk.urgent(broadcast("b-1", NOON, voice), inline={voice.sha256: data})
    assert set(desk.keeper.listings) == {"b-1"}
    desk.close()
