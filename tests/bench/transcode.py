"""How fast an upload becomes a recording on one core, and what the sandboxed programs take of the memory."""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from audio.prepare import Settings, prepare
from tests import sounds
from tests.bench.figures import Result, median_of
from tests.bench.place import Place, write_wav

LEAST = 60.0
"""Times real time (DESIGN section 9)."""
TARGET = f"≥ {LEAST:.0f} × real time"
JUDGED, RUNS = 10, 3
"""Minutes of the recording that the target is for, and how often it is tried."""
MAX_MINUTES = 180
LONG = {"LOA_MAX_RECORDING_MINUTES": str(MAX_MINUTES)}
LOOK_S = 0.02
MIB = 1 << 20


async def run(*, quick: bool) -> Result:
    """Measure."""
    lengths = (1,) if quick else (1, 10, 60)
    result = Result(
        "transcode",
        "Upload → recording ready to air",
        "speech-like sound as mp3, 64 kbit/s mono: POST /recordings until it is ready, beside audio.prepare alone"
        " (probe, measuring, levelling, encoding, checking); everything pinned to one core",
    )
    allowed = os.sched_getaffinity(0)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        sources = {minutes: await _mp3s(folder, minutes, RUNS if minutes == JUDGED else 1) for minutes in lengths}
        stack.callback(os.sched_setaffinity, 0, allowed)
        os.sched_setaffinity(0, {min(allowed)})
        place = await stack.enter_async_context(Place(folder / "place", [], env=LONG))
        found = {
            minutes: [(await _through(place, source), *await _alone(source, folder)) for source in some]
            for minutes, some in sources.items()
        }
    for minutes, runs in found.items():
        speeds = [minutes * 60 / seconds for seconds, _, _ in runs]
        result.add(
            f"{minutes} min of mp3, through the API",
            median_of(speeds, "× real time", 0),
            samples=len(runs),
            target=TARGET if minutes == JUDGED else "",
            good=statistics.median(speeds) >= LEAST,
        )
        alone = [minutes * 60 / seconds for _, seconds, _ in runs]
        result.add(f"{minutes} min of mp3, audio.prepare alone", median_of(alone, "× real time", 0), samples=len(runs))
    if JUDGED not in found:
        result.add(f"{JUDGED} min of mp3, through the API", "left out by --quick", target=TARGET)
    for minutes, runs in found.items():
        result.add(f"{minutes} min: largest program in the sandbox", median_of([peak for *_, peak in runs], "MiB"))
    result.raw = {str(minutes): runs for minutes, runs in found.items()}
    result.notes.append(
        "The two alternate, with the same file. Memory is the peak resident size (VmHWM) of the largest program, looked"
        " at every 20 ms."
    )
    return result


async def _through(place: Place, source: Path) -> float:
    """Upload once; gives the seconds until the recording is ready."""
    begun = time.perf_counter()
    await place.upload(source, source.stem)
    return time.perf_counter() - begun


async def _mp3s(folder: Path, minutes: int, count: int) -> list[Path]:
    """Make files of that length from one minute of sound.

    Their titles differ: a file that is known is ready at once.
    """
    minute = folder / "minute.wav"
    if not minute.exists():
        await asyncio.to_thread(write_wav, minute, sounds.speech(60.0))
    argv = ["-v", "error", "-stream_loop", str(minutes - 1), "-i", str(minute)]
    for number in range(count):
        argv += ["-b:a", "64k", "-metadata", f"title={number}", str(folder / f"{minutes}-{number}.mp3")]
    process = await asyncio.create_subprocess_exec("ffmpeg", *argv)
    if await process.wait() != 0:
        raise RuntimeError(f"ffmpeg could not make {minutes} minutes of mp3")
    return [folder / f"{minutes}-{number}.mp3" for number in range(count)]


async def _alone(source: Path, folder: Path) -> tuple[float, float]:
    """Prepare once; gives seconds, and MiB of the largest program."""
    done = asyncio.Event()
    watch = asyncio.create_task(_watch_memory(done), name="bench-memory")
    begun = time.perf_counter()
    try:
        prepared = await prepare(source, folder, Settings(max_length_s=MAX_MINUTES * 60))
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
