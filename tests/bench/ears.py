"""Is what was played heard, and is what was not played ever heard? A thousand streets of each kind, made up."""

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from audio.hearing import Verdict
from audio.reference import Change
from edge_agent.judge import ProcessJudge
from tests.bench.figures import Result, median_of
from tests.rooms import ECHO_ROOM, change_of, hearing_of, noise, rms, street, talk, widened

STREETS, POLES = 1000, 60
FIRST = 10_000
"""Seeds begin here: none of them was looked at when the thresholds were chosen."""


async def run(*, quick: bool) -> Result:
    """Measure."""
    streets, poles = (30, 4) if quick else (STREETS, POLES)
    result = Result(
        "ears",
        "Heard or not, and a dead horn of two",
        "pieces of 5 s in made-up streets: two horns, echoes, clocks ±200 ppm, clipping, six kinds of noise as loud as"
        " the horns (0 dB) unless said; a third of what was sent are tunes, the others talk. All simulated: it"
        " proves the code, not acoustics",
    )
    for sounding, words in (("nothing", "nothing was played"), ("other", "another programme was played")):
        found = await asyncio.to_thread(_verdicts, sounding, streets, 0.0)
        heard = found[Verdict.HEARD]
        result.add(f"{words}: said to be heard", f"{heard} of {streets}", target="0", good=heard == 0)
    for snr_db in (0.0, -6.0, -12.0):
        found = await asyncio.to_thread(_verdicts, "sent", streets, snr_db)
        value = f"{_of(found[Verdict.HEARD], streets)}; left open {_of(found[Verdict.UNSURE], streets)}"
        result.add(f"it was played, at {snr_db:.0f} dB: heard", value, samples=streets)
        result.add(f"it was played, at {snr_db:.0f} dB: said not to be", _of(found[Verdict.NOT_HEARD], streets))
    await asyncio.to_thread(_horns, result, poles)
    await _cost(result, 3 if quick else 10)
    result.notes.append(
        "A session against the reference: the signature tune and 15 s of talk, 5 dB above the noise, on a day up to"
        " 10 K warmer or colder. The reference was taken at 12 dB. Seeds from 10,000 on; thresholds were chosen on"
        " others."
    )
    return result


def _verdicts(sounding: str, count: int, snr_db: float) -> Counter[Verdict]:
    return Counter(hearing_of(FIRST + seed, sounding, snr_db=snr_db).verdict for seed in range(count))


def _horns(result: Result, count: int) -> None:
    dead = [change_of(FIRST + seed, dead=seed % 2) for seed in range(count)]
    same = [change_of(FIRST + seed, dead=None) for seed in range(count)]
    result.add("one of two horns dead: found in one session", _of(count - dead.count(Change.SAME), count))
    result.add("both well: said to have changed", _of(count - same.count(Change.SAME), count))


async def _cost(result: Result, count: int) -> None:
    """Time and memory of the process that judges."""
    random = np.random.default_rng(1)
    sent = talk(random, 5.0)
    sent *= 0.1 / rms(sent)
    captured = street(random).hear(sent, noise(random, len(sent) + ECHO_ROOM))
    x, y = widened(sent).tobytes(), widened(captured).tobytes()
    judge = ProcessJudge((sys.executable, "-m", "edge_agent.ears"))
    begun = time.perf_counter()
    await judge.piece(x, y)
    first = time.perf_counter() - begun
    pid = judge.pid
    before = _cpu_s(pid)
    for _ in range(count):
        await judge.piece(x, y)
    each = (_cpu_s(pid) - before) / count
    peak = _peak_mib(pid)
    await judge.rest()
    result.add("the ears' process: first verdict after its start", median_of([first * 1000], "ms", 0))
    result.add("processor time of a verdict on 5 s", median_of([each * 1000], "ms", 0), samples=count)
    result.add("peak memory of the process", median_of([peak], "MiB", 0))


def _cpu_s(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int | None) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _of(count: int, whole: int) -> str:
    return f"{count} of {whole}"
