"""How fast an upload becomes a recording on one core, and what the sandboxed programs take of the memory."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from audio.prepare import Settings, prepare
from tests import sounds
from tests.bench.figures import Result, median_of
from tests.bench.place import write_wav

LEAST = 60.0
"""Times real time (DESIGN section 9)."""
MAX_S = 3 * 3600
LOOK_S = 0.02
MIB = 1 << 20


async def run(*, quick: bool) -> Result:
    """Measure."""
    lengths = (1,) if quick else (1, 10, 60)
    repeats = 1 if quick else 3
    result = Result(
        "transcode",
        "Upload → recording ready to air",
        "speech-like sound as mp3, 64 kbit/s mono; audio.prepare with probe, measuring, levelling, encoding, checking;"
        " everything pinned to one core",
    )
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as place:
        folder = Path(place)
        sources = {minutes: await _mp3(folder, minutes) for minutes in lengths}
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(allowed)})
        try:
            found = {
                minutes: [await _one(source, folder) for _ in range(repeats if minutes == 10 else 1)]
                for minutes, source in sources.items()
            }
        finally:
            os.sched_setaffinity(0, allowed)
    for minutes, runs in found.items():
        speeds = [minutes * 60 / seconds for seconds, _ in runs]
        is_target = minutes == 10
        result.add(
            f"{minutes} min of mp3",
            median_of(speeds, "× real time", 0),
            samples=len(runs),
            target=f"≥ {LEAST:.0f} × real time" if is_target else "",
            good=sorted(speeds)[len(speeds) // 2] >= LEAST,
        )
    if 10 not in found:
        result.add("10 min of mp3", "left out by --quick", target=f"≥ {LEAST:.0f} × real time")
    for minutes, runs in found.items():
        result.add(f"{minutes} min: largest program in the sandbox", median_of([peak for _, peak in runs], "MiB"))
    result.raw = {str(minutes): runs for minutes, runs in found.items()}
    result.notes.append("Memory is the peak resident size (VmHWM) of the largest program, looked at every 20 ms.")
    return result


async def _mp3(folder: Path, minutes: int) -> Path:
    """Make a file of that length from one minute of sound."""
    minute, target = folder / "minute.wav", folder / f"{minutes}.mp3"
    if not minute.exists():
        await asyncio.to_thread(write_wav, minute, sounds.speech(60.0))
    argv = ["-v", "error", "-stream_loop", str(minutes - 1), "-i", str(minute), "-b:a", "64k", str(target)]
    process = await asyncio.create_subprocess_exec("ffmpeg", *argv)
    if await process.wait() != 0:
        raise RuntimeError(f"ffmpeg could not make {target.name}")
    return target


async def _one(source: Path, folder: Path) -> tuple[float, float]:
    """Prepare once; gives seconds, and MiB of the largest program."""
    done = asyncio.Event()
    watch = asyncio.create_task(_watch_memory(done), name="bench-memory")
    begun = time.perf_counter()
    try:
        prepared = await prepare(source, folder, Settings(max_length_s=MAX_S))
        seconds = time.perf_counter() - begun
    finally:
        done.set()
        peak = await watch
    await asyncio.to_thread(prepared.path.unlink)
    return seconds, peak


async def _watch_memory(done: asyncio.Event) -> float:
    peak = 0.0
    while not done.is_set():
        peak = max(peak, *_peaks(), 0.0)
        try:
            await asyncio.wait_for(done.wait(), LOOK_S)
        except TimeoutError:
            continue
    return peak


def _peaks() -> Iterator[float]:
    for child in psutil.Process().children(recursive=True):
        try:
            if Path(child.exe()) == Path(sys.executable).resolve():
                continue  # still putting on its limits
            status = Path(f"/proc/{child.pid}/status").read_text()
        except (OSError, psutil.Error):
            continue
        line = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
        if line is not None:
            yield int(line.split()[1]) * 1024 / MIB
