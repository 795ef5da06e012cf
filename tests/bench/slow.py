"""STOP over a bad line: 200 kbit/s in both directions, while a download fills it. Needs root, ``ip`` and ``tc``."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from controller.demo.commune import DemoNode
from controller.demo.processes import Program, script
from tests import sounds
from tests.bench.figures import Result, spread
from tests.bench.orders import silences_ms
from tests.bench.place import Place, virtual_specs, write_wav
from tests.e2e.waiting import until

KBITS = 200
LATENCY_MS = 400
"""Longest that a packet may wait in the line before it is dropped: a phone's modem holds about as much."""
HERE, THERE = "198.18.7.1", "198.18.7.2"
"""Of the range for benchmarks (RFC 2544); seen by nobody but us."""
MOST_MS = 5000.0
TARGET = "≤ 5 s"


@dataclass(frozen=True)
class Line:
    """A network namespace at the end of a slow line."""

    namespace: str


async def run(*, quick: bool) -> Result:
    """Measure."""
    runs, minutes = (1, 2) if quick else (10, 20)
    result = Result(
        "slow",
        f"STOP at {KBITS} kbit/s",
        f"one agent behind a line of {KBITS} kbit/s (token bucket, {LATENCY_MS} ms of queue), playing noise while it"
        f" downloads a recording of {minutes} minutes; POST /holds",
    )
    what = f"click → silence at {KBITS} kbit/s in the middle of a download"
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("tc") is None:
        result.add(what, "needs root, ip and tc", target=TARGET)
        return result
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        line = await stack.enter_async_context(_slow_line())
        place = await stack.enter_async_context(SlowPlace(folder, line))
        found, busy = await _measure(place, folder, runs, minutes)
    tell(result, what, found, busy)
    return result


def tell(result: Result, what: str, found: list[float | None], busy: list[bool]) -> None:
    """Judge the clicks during which the download was under way; None in ``found`` did not fall silent.

    Raises:
        RuntimeError: there was no such click.
    """
    during = [value for value, downloading in zip(found, busy, strict=True) if downloading]
    silent = [value for value in during if value is not None]
    if not silent:
        raise RuntimeError("no play was silenced during a download: nothing could be measured")
    missed = len(during) - len(silent)
    result.add(
        what,
        spread(silent, "ms", 0, (0.5, 0.99)),
        samples=len(silent),
        target=TARGET,
        good=max(silent) <= MOST_MS and not missed,
    )
    result.add("clicks during which the download was still under way", f"{len(during)} of {len(busy)}")
    result.add("of these, did not fall silent within 5 s, or was not playing", f"{missed}")
    result.notes.append("Only clicks during which the download grew are counted.")
    result.raw = {"silence_ms": found, "downloading": busy}


async def _measure(place: "SlowPlace", folder: Path, runs: int, minutes: int) -> tuple[list[float | None], list[bool]]:
    node = place.nodes[0]
    short = await place.upload(write_wav(folder / "a.wav", sounds.noise(12.0)), "Tiếng ồn")
    long = await place.upload(write_wav(folder / "b.wav", sounds.noise(60.0 * minutes, seed=2)), "Dài")
    first = await place.broadcast("Mang về", short)
    await place.until_events([first["id"]], 1, 90, outcome="played")
    later = datetime.now(UTC) + timedelta(minutes=2)
    await place.broadcast("Để sau", long, start_at=later.isoformat())
    part = node.folder / "media" / f"{long['sha256']}.part"
    await until(lambda: _size(part) > 0, 60, "a download under way")
    clicks, busy = [], []
    for _ in range(runs):
        click, downloading = await _stop_once(place, short, part)
        clicks.append(click)
        busy.append(downloading)
    assert node.program is not None
    await node.program.stop()
    return await asyncio.to_thread(silences_ms, node, clicks), busy


async def _stop_once(place: "SlowPlace", recording: dict[str, Any], part: Path) -> tuple[float, bool]:
    created = await place.broadcast("Ngay", recording)
    await place.until_events([created["id"]], 1, 90, state="playing")
    grown = _size(part)
    click = time.time()
    holds = await place.call("POST", "/holds", json={"scopes": [f"areas/{place.areas['commune']}"]})
    await place.until_events([created["id"]], 1, 90, outcome="interrupted")
    downloading = _size(part) > grown
    await asyncio.sleep(0.7)
    for hold in holds:
        await place.call("POST", f"/holds/{hold['id']}/release")
    await until(lambda: _is_free(place), 60, "a node that obeys no hold")
    return click, downloading


def _size(part: Path) -> int:
    """Bytes of a download so far; 0 before it begins and when it is done."""
    return part.stat().st_size if part.exists() else 0


async def _is_free(place: "SlowPlace") -> bool:
    return not any(row["holds"] for row in await place.call("GET", "/nodes"))


class SlowPlace(Place):
    """A commune whose one node lives at the end of the line."""

    def __init__(self, folder: Path, line: Line) -> None:
        super().__init__(folder, virtual_specs(1), env={"LOA_NODE_HOST": HERE, "LOA_PUBLIC_NAME": HERE})
        self.media_url = f"https://{HERE}:{self.env['LOA_MEDIA_PORT']}"
        self._line = line

    async def start_node(self, node: DemoNode) -> None:
        """Start the agent in the namespace."""
        argv = ["ip", "netns", "exec", self._line.namespace]
        argv += [script("loa-agent"), "run", "--state", str(node.folder), "--output", node.spec.output]
        node.program = await Program.start("loa-agent run", argv, env=self.env, log=node.folder / "agent.log")


@asynccontextmanager
async def _slow_line() -> AsyncIterator[Line]:
    """Lay the line for the length of the block."""
    name = f"loa{os.getpid()}"
    ours, theirs = f"lb{os.getpid()}a", f"lb{os.getpid()}b"
    await _run("ip", "netns", "add", name)
    try:
        await _run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs)
        await _run("ip", "link", "set", theirs, "netns", name)
        await _run("ip", "addr", "add", f"{HERE}/30", "dev", ours)
        await _run("ip", "link", "set", ours, "up")
        await _run("ip", "-n", name, "addr", "add", f"{THERE}/30", "dev", theirs)
        await _run("ip", "-n", name, "link", "set", theirs, "up")
        slow = ["root", "tbf", "rate", f"{KBITS}kbit", "burst", "4kb", "latency", f"{LATENCY_MS}ms"]
        await _run("tc", "qdisc", "add", "dev", ours, *slow)
        await _run("tc", "-n", name, "qdisc", "add", "dev", theirs, *slow)
        yield Line(name)
    finally:
        await _run("ip", "netns", "del", name)  # takes both ends of the line with it


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {said.decode(errors='replace').strip()}")
