"""What comes over a whole commune of real processes at once: full disks, and a broker that drops messages."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from controller.demo import commune
from controller.demo.commune import DemoNode
from controller.demo.processes import ProgramFailedError, script
from controller.reserve import DISK_S, LEAST_BYTES
from tests.e2e.waiting import until
from tests.faults.checker import violations
from tests.faults.history import Silence
from tests.faults.proxy import Way
from tests.faults.rig import BACK_S, Rig, Row, running_rig

pytestmark = [pytest.mark.broker, pytest.mark.long]

MIB = 1 << 20


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Path]:
    """A disk of its own, in memory. Only root may mount one."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a small disk")
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_mib}m,mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(folder: Path, left: int) -> Path:
    """Let something else take all room but this much."""
    path = folder / "somebody-elses.log"
    with path.open("ab") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size + max(1, free(folder) - left))
    return path


async def stop_all(rig: Rig) -> list[Row]:
    """STOP, and wait until every node says that it obeys."""
    holds: list[Row] = await rig.call("POST", "/holds", json={"scopes": [f"areas/{rig.areas['commune']}"]})
    rig.promised |= {hold["id"] for hold in holds}

    async def obeyed() -> bool:
        standing = await rig.call("GET", "/holds")
        return all(hold["confirmed_count"] == len(rig.nodes) for hold in standing)

    await until(obeyed, BACK_S, "every node obeys")
    return holds


async def release(rig: Rig, holds: list[Row], since_at: datetime) -> None:
    """Let sound again, and note the silence that was."""
    for hold in holds:
        rig.silences += [Silence(node.node_id, hold["id"], since_at, datetime.now(UTC)) for node in rig.nodes]
        await rig.call("POST", f"/holds/{hold['id']}/release")


@pytest.mark.fault("F4")
@pytest.mark.timeout(400)
async def test_f04_a_centre_whose_disk_is_full_refuses_uploads_first_and_stops_all_the_same(tmp_path: Path) -> None:
    """First below what uploads leave; then with less than a MiB, until somebody makes room."""
    env = {"LOA_DISK_RESERVE_BYTES": str(64 * MIB)}
    with small_disk(tmp_path / "centre", 220) as disk:
        async with running_rig(tmp_path, nodes=2, env=env) as rig:
            await rig.record(3)
            await until((disk / "disk.reserve").exists, 2 * DISK_S + BACK_S, "a reserve")
            log = fill(disk, 60 * MIB)
            with pytest.raises(ProgramFailedError, match="507"):
                await rig.upload(rig.folder / "sound.wav", "one too many")
            planned = await rig.send(45)
            await rig.until_cached(planned)
            fill(disk, LEAST_BYTES // 16)
            since_at = datetime.now(UTC)
            holds = await stop_all(rig)
            assert not (disk / "disk.reserve").exists()
            await until(lambda: _alarmed(rig, "disk.full"), 100, "somebody is told")
            await release(rig, holds, since_at)
            await rig.send(None)
            await rig.until_all_over(within_s=120)
            log.unlink()
            await rig.upload(rig.folder / "sound.wav", "room again")
            history = rig.history()
    assert [[len(history.heard(name, order.recordings[0])) for name in history.nodes] for order in rig.orders] == [
        [1, 1],
        [1, 1],
    ]
    assert [str(one) for one in violations(history)] == []


@contextmanager
def on_a_small_disk(node: DemoNode, size_mib: int) -> Iterator[Path]:
    """Let a node's files lie on a disk of its own; its output's record stays outside, for us to read."""
    aside = node.folder.with_name(f"{node.folder.name}-aside")
    shutil.copytree(node.folder, aside, ignore=shutil.ignore_patterns("output.*", "lock"))
    records = node.folder.with_name(f"{node.folder.name}-records")
    records.mkdir()
    for file in node.folder.glob("output.*"):
        file.rename(records / file.name)
    with small_disk(node.folder, size_mib) as disk:
        shutil.copytree(aside, disk, dirs_exist_ok=True)
        for file in records.iterdir():
            (disk / file.name).symlink_to(file)
        yield disk


@pytest.mark.fault("F5")
@pytest.mark.timeout(400)
async def test_f05_a_node_whose_disk_is_full_says_so_and_plays_what_it_has(tmp_path: Path) -> None:
    """All its files lie on a disk of 120 MiB, which somebody fills to the last block with plays ahead."""
    async with running_rig(tmp_path, nodes=2) as rig:
        await rig.record(2)
        node = rig.nodes[0]
        await rig.kill_node(node)
        with on_a_small_disk(node, 120) as disk:
            await rig.start_node(node)
            await rig.until_online()
            rows = [await rig.send(30), await rig.send(45)]
            await rig.until_cached(*rows)
            async with rig.supervised(node):
                log = fill(disk, 0)
                await until(lambda: _stands(rig, node, "disk_low"), 100, "the fault is shown")
                await rig.until_all_over(within_s=150)
                log.unlink()
                await until(lambda: _is_over(rig, node, "disk_low"), 100, "the fault is over")
            history = rig.history()
            await rig.kill_node(node)
    assert any(sound.whole for sound in history.sounds if sound.node == node.node_id)
    assert [str(one) for one in violations(history)] == []


async def _alarmed(rig: Rig, kind: str) -> bool:
    return kind in {alarm["kind"] for alarm in await rig.call("GET", "/alarms")}


async def _faults(rig: Rig, node: DemoNode) -> set[str]:
    rows = await rig.call("GET", "/nodes")
    return {fault["code"] for row in rows if row["id"] == node.node_id for fault in row["faults"]}


async def _stands(rig: Rig, node: DemoNode, code: str) -> bool:
    return code in await _faults(rig, node)


async def _is_over(rig: Rig, node: DemoNode, code: str) -> bool:
    return code not in await _faults(rig, node)


@pytest.mark.fault("F32", "seen")
@pytest.mark.timeout(300)
async def test_f32_a_half_open_link_is_on_the_screen_within_45_s_and_its_end_as_fast(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is closed and nothing comes through, as behind a NAT that has forgotten."""
    async with running_rig(tmp_path, nodes=2) as rig:
        node, took = rig.nodes[0], list[float]()
        for way, status in ((Way.HALF_OPEN, "offline"), (Way.OPEN, "online")):
            rig.links[node.node_id].turn(way)
            turned_at = datetime.now(UTC)
            await until(partial(_is, rig, node, status), 100, f"it is {status}")
            took.append((datetime.now(UTC) - turned_at).total_seconds())
    assert took[0] <= 45
    assert took[1] <= 45
    record_property("seen", f"(lost node) | by the centre, every second | {took[0]:.1f} | {took[1]:.1f}")


async def _is(rig: Rig, node: DemoNode, status: str) -> bool:
    return any(row["id"] == node.node_id and row["status"] == status for row in await rig.call("GET", "/nodes"))


@pytest.mark.fault("F21")
@pytest.mark.timeout(300)
async def test_f21_what_begins_everywhere_at_the_same_second_begins_together(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each hamlet its own broadcast, three times."""
    async with running_rig(tmp_path, nodes=3) as rig:
        await rig.record(10)
        for in_s in (40, 50, 60):
            start_at = (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat()
            await asyncio.gather(
                *(
                    rig.send(None, sound=sound, start_at=start_at, targets=[f"areas/{rig.areas[node.spec.hamlet]}"])
                    for node, sound in zip(rig.nodes, rig.sounds[len(rig.orders) :], strict=False)
                )
            )
        await rig.until_all_over(within_s=180)
        history = rig.history()
    together: dict[datetime, list[datetime]] = defaultdict(list)
    for sound in history.sounds:
        order = history.of(sound.recording)
        assert order is not None
        together[order.start_at.replace(microsecond=0)].append(sound.begun_at)
    spreads = [max(begun) - min(begun) for begun in together.values()]
    assert [len(begun) for begun in together.values()] == [3, 3, 3]
    assert max(spreads) <= timedelta(seconds=1)
    assert [str(one) for one in violations(history)] == []
    record_property("figure", f"3 nodes, 3 times: at most {max(spreads) / timedelta(milliseconds=1):.1f} ms apart")


NARROW = """
import logging, sys
from controller.wire import broker, broker_config

broker_config.MAX_INFLIGHT, broker_config.MAX_QUEUED = 1, 30
whole = broker_config.configuration
broker.configuration = lambda listener: whole(listener) + "log_type notice\\n"
told = logging.getLogger("controller.wire.broker")
told.setLevel(logging.DEBUG)
told.addHandler(logging.FileHandler("{log}"))
from controller.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.fault("C39")
@pytest.mark.timeout(300)
async def test_c39_what_must_sound_now_comes_though_the_brokers_queue_dropped_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that keeps 30 messages, a node that takes none for a while, and 60 words for it before what is said."""
    narrow = tmp_path / "narrow-loa"
    log = tmp_path / "broker.log"
    narrow.write_text(f"#!{sys.executable}\n{NARROW.replace('{log}', str(log))}")
    narrow.chmod(0o700)
    monkeypatch.setattr(commune, "script", lambda name: str(narrow) if name == "loa" else script(name))
    async with running_rig(tmp_path / "rig", nodes=2) as rig:
        await rig.record(1)
        deaf = rig.nodes[0]
        rig.cut(deaf, Way.HALF_OPEN)
        await asyncio.gather(*(rig.call("POST", f"/nodes/{deaf.node_id}/identify") for _ in range(60)))
        await until(lambda: "being dropped" in log.read_text(), BACK_S, "the broker drops what does not fit")
        await rig.send(None)
        rig.heal(deaf)
        await rig.until_all_over(within_s=150)
        history = rig.history()
    [order] = rig.orders
    assert [len(history.heard(name, order.recordings[0])) for name in history.nodes] == [1, 1]
