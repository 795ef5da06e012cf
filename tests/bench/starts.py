"""How exactly a scheduled broadcast starts: three nodes with a sound card each, recorded behind the card."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from controller.demo.commune import NodeSpec
from tests import sounds
from tests.bench.figures import Result, quantile, spread
from tests.bench.machine import QUIET_PERCENT, busy_percent
from tests.bench.place import HAMLETS, Place, Samples, instant, write_wav
from tests.e2e.pulse import PulseAudio, Recorder, missing

EVERY_S = 3.0
AHEAD_S = 12.0
"""Seconds before the first start: all are planned by then."""
AROUND_S = 0.4
"""A start is looked for this far around the instant at which it is due."""
ALIKE = 0.9
"""Correlation from which the sound counts as found."""
DOWNLOAD_BYTES_S = 2_000_000
TARGETS = {"idle": (5.0, 1.0), "loaded": (10.0, 5.0)}
"""p99 of the error and of the spread, milliseconds (DESIGN section 9)."""


async def run(*, quick: bool) -> Result:
    """Measure."""
    result = Result(
        "starts",
        "Start error at the output",
        "recordings of 1 s, broadcast from the plan every 3 s to three nodes with a sound card (PulseAudio null sink)",
    )
    why = missing()
    if why is not None:
        for kind, (most, _) in TARGETS.items():
            result.add(f"start error, {kind}", why, target=f"p99 ≤ {most:.0f} ms")
        return result
    broadcasts = 4 if quick else 22
    for kind in ("idle",) if quick else ("idle", "loaded"):
        _tell(result, kind, await _measure(broadcasts, loaded=kind == "loaded"))
    result.notes += [
        (
            "Found by correlating what the null sink's monitor recorded with what the node decoded; the recorder's own"
            " error of some tenths of a millisecond is in the figures."
        ),
        "Loaded: one process that keeps a core busy, and a client that downloads a recording over and over at 2 MB/s.",
    ]
    return result


def _tell(result: Result, kind: str, found: dict[str, Any]) -> None:
    most, apart = TARGETS[kind]
    errors, spreads = found["errors_ms"], found["spreads_ms"]
    disturbed = kind == "idle" and found["busy_before"] > QUIET_PERCENT
    if not errors:
        raise RuntimeError("no sound was found in any recording: the agents played nothing")
    sizes = [abs(error) for error in errors]

    def judge(what: str, values: list[float], most: float) -> None:
        good = None if disturbed else quantile(values, 0.99) <= most and not found["lost"]
        value, target = spread(values, "ms", 2, (0.5, 0.99)), f"p99 ≤ {most:.0f} ms"
        result.add(f"{what}, {kind}", value, samples=len(values), target=target, good=good)

    judge("start error", sizes, most)
    result.add(f"mean start error with its sign, {kind}", f"{np.mean(errors):+.2f} ms", samples=len(errors))
    if spreads:
        judge("between the three nodes", spreads, apart)
    result.add(f"plays not found in the recording, {kind}", f"{found['lost']} of {found['lost'] + len(errors)}")
    result.add(f"outcomes as reported, {kind}", _counted(found["outcomes"]))
    result.add(f"underruns as reported, {kind}", str(found["underruns"]))
    if disturbed:
        result.notes.append(
            f"Not idle: others used {found['busy_before']:.0f} % of all cores, so nothing is concluded."
        )
    result.raw[kind] = found


def _counted(values: list[str]) -> str:
    return ", ".join(f"{values.count(value)} {value}" for value in sorted(set(values)))


async def _measure(broadcasts: int, *, loaded: bool) -> dict[str, Any]:
    busy_before = await asyncio.to_thread(busy_percent)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        pulse = await stack.enter_async_context(PulseAudio(folder / "pulse", sinks=len(HAMLETS)))
        specs = [
            NodeSpec(hamlet, f"Cụm {hamlet}", output="card", env=pulse.env(sink))
            for hamlet, sink in zip(HAMLETS, pulse.sinks, strict=True)
        ]
        place = await stack.enter_async_context(Place(folder, specs))
        recorders = [await stack.enter_async_context(pulse.record(sink)) for sink in pulse.sinks]
        recording = await place.upload(write_wav(folder / "a.wav", sounds.sweep(1.0)), "Tiếng thử")
        if loaded:
            await stack.enter_async_context(_busy(place, recording["sha256"]))
        created = await _plan(place, recording, broadcasts)
        plays = [play for one in created for play in await place.until_over(one["id"], timeout_s=90)]
        reference = await place.aired(recording)
        due = [instant(one["start_at"]) for one in created]
        for recorder in recorders:
            await recorder.until(due[-1] + timedelta(seconds=2))
        places = [[_find(recorder, reference, at) for recorder in recorders] for at in due]
    errors = [[one.error_ms if one is not None and one.is_it else None for one in row] for row in places]
    found = [error for row in errors for error in row if error is not None]
    return {
        "busy_before": busy_before,
        "errors_ms": found,
        "spreads_ms": [apart for row in errors if (apart := _apart(row)) is not None],
        "lost": sum(error is None for row in errors for error in row),
        "outcomes": [play["outcome"] for play in plays],
        "plays": plays,
        "underruns": sum(play["underruns"] or 0 for play in plays),
        "places": [[one and asdict(one) for one in row] for row in places],
    }


def _apart(row: list[float | None]) -> float | None:
    """Tell how far apart neighbours began; None when one of them was not found."""
    found = [one for one in row if one is not None]
    return max(found) - min(found) if len(found) == len(row) else None


async def _plan(place: Place, recording: dict[str, Any], broadcasts: int) -> list[dict[str, Any]]:
    first_at = datetime.now(UTC) + timedelta(seconds=AHEAD_S)
    starts = [first_at + timedelta(seconds=EVERY_S * number) for number in range(broadcasts)]
    return [await place.broadcast(f"Thử {at:%H:%M:%S}", recording, start_at=at.isoformat()) for at in starts]


@dataclass(frozen=True)
class Found:
    """Where a sound was found, or the place that came nearest to it."""

    error_ms: float
    correlation: float

    @property
    def is_it(self) -> bool:
        """Whether it is the sound that was due."""
        return self.correlation >= ALIKE


def _find(recorder: Recorder, reference: Samples, due_at: datetime) -> Found | None:
    """Find where the sound begins; None when there is no recording of that time."""
    first = recorder.frame_at(due_at) - round(AROUND_S * sounds.RATE)
    first = max(0, first)
    window = recorder.between(first, first + len(reference) + round(2 * AROUND_S * sounds.RATE)).astype(np.float64)
    wanted = reference.astype(np.float64)
    if len(window) <= len(wanted):
        return None
    size = 1 << (len(window) + len(wanted)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(wanted, size)), size)
    at = int(np.argmax(alike[: len(window) - len(wanted) + 1]))
    piece = window[at : at + len(wanted)]
    scale = float(np.linalg.norm(piece) * np.linalg.norm(wanted))
    correlation = float(alike[at]) / scale if scale else 0.0
    return Found((recorder.at(first + at) - due_at.timestamp()) * 1000, correlation)


@asynccontextmanager
async def _busy(place: Place, sha256: str) -> AsyncIterator[None]:
    """Keep a core busy and a download going for the length of the block."""
    spinner = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
    download = asyncio.create_task(_download(f"{place.media_url}/media/{sha256}.opus"), name="bench-download")
    try:
        yield
    finally:
        download.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await download
        spinner.kill()
        await spinner.wait()


async def _download(url: str) -> None:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # noqa: S501 - loopback; bytes count, not whose
        while True:
            got = len((await client.get(url)).content)
            await asyncio.sleep(max(got, 1) / DOWNLOAD_BYTES_S)
