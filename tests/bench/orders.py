"""From a click to the nodes: "now" until it is armed, STOP until the output is silent."""

import asyncio
import random
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from controller.demo.check import Instants
from controller.demo.commune import DemoNode
from tests import sounds
from tests.bench.crowd import crowd
from tests.bench.figures import Result, quantile, spread
from tests.bench.place import Place, instant, output_of, virtual_specs, write_wav
from tests.e2e.waiting import until

NODES = 10
ARMED_MS, STOP_MS = 250.0, 1000.0
SILENT_FRAMES = 24_000
"""Half a second without sound is silence, not a pause: the recording has none."""


async def armed(*, quick: bool) -> Result:
    """Measure the way of a "now"."""
    runs = 3 if quick else 25
    result = Result(
        "armed",
        "API call → armed on the node",
        f"“now” with a recording of 1 s inside the urgent, {NODES} agents with virtual outputs, agreed lead set to 0",
    )
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        env = {"LOA_LEAD_MS": "0"}
        place = await stack.enter_async_context(Place(folder, virtual_specs(NODES), env=env))
        recording = await place.upload(write_wav(folder / "a.wav", sounds.sweep(1.0)), "Tiếng thử")
        asked, answered, ids = [], [], []
        for _ in range(runs):
            asked.append(time.time())
            created = await place.broadcast("Ngay", recording)
            answered.append((time.time() - asked[-1]) * 1000)
            ids.append(created["id"])
            await place.until_over(created["id"], timeout_s=60)
        await place.until_events(ids, runs * NODES, 60, state="armed")
        events = place.events(ids)
    begun = dict(zip(ids, asked, strict=True))
    found: dict[str, dict[str, list[float]]] = {"received": {}, "armed": {}}
    for event in events:
        if event.get("state") in found:
            late_ms = (instant(event["at"]).timestamp() - begun[event["broadcast_id"]]) * 1000
            found[event["state"]].setdefault(event["broadcast_id"], []).append(late_ms)
    result.add("API call → its answer", spread(answered, "ms", shares=(0.5, 0.95)), samples=runs)
    for state, name in (("received", "API call → received by a node"), ("armed", "API call → armed on a node")):
        values = [value for one in found[state].values() for value in one]
        is_target = state == "armed"
        result.add(
            name,
            spread(values, "ms", shares=(0.5, 0.95)),
            samples=len(values),
            target=f"p95 ≤ {ARMED_MS:.0f} ms" if is_target else "",
            good=quantile(values, 0.95) <= ARMED_MS,
        )
    last = [max(one) for one in found["armed"].values()]
    result.add("API call → armed on the last of the nodes", spread(last, "ms", shares=(0.5, 0.95)), samples=len(last))
    result.notes.append("The way through the broker is in these figures: they are not lessened by the fan-out.")
    result.notes.append("By the nodes' own receipts; all clocks are one. The level is normal: emergencies come later.")
    result.raw = {"answered_ms": answered, "found_ms": found}
    return result


async def stop(*, quick: bool) -> Result:
    """Measure the way of a STOP."""
    runs, light = (2, 20) if quick else (20, 1000)
    result = Result(
        "stop",
        "STOP: click → silence at the output",
        f"POST /holds for the commune while {NODES} agents with virtual outputs play noise; {light} light nodes are"
        " connected and answer too",
    )
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        place = await stack.enter_async_context(Place(folder, virtual_specs(NODES), light=light))
        people = await stack.enter_async_context(crowd(place.light_order()))
        await people.ask("connect", introduce=True, within_s=300)
        await people.ask("health", on=True)
        recording = await place.upload(write_wav(folder / "a.wav", sounds.noise(20.0)), "Tiếng ồn")
        clicks, answered = [], []
        for _ in range(runs):
            click, answer = await _stop_once(place, recording)
            clicks.append(click)
            answered.append(answer)
        for node in place.nodes:
            if node.program:
                await node.program.stop()
        found = [silences_ms(node, clicks) for node in place.nodes]
    values = [value for one in found for value in one if value is not None]
    missed = sum(value is None for one in found for value in one)
    result.add(
        f"click → silence, {light} nodes connected",
        spread(values, "ms", 0, (0.5, 0.99)),
        samples=len(values),
        target="p99 ≤ 1 s",
        good=quantile(values, 0.99) <= STOP_MS and not missed,
    )
    result.add("click → the API's answer", spread(answered, "ms", 0, (0.5, 0.99)), samples=runs)
    result.add("nodes that did not fall silent within 5 s, or were not playing", f"{missed} of {runs * NODES}")
    result.notes.append(
        "To the last sample that is not zero, by the output's own instants. About 100 ms of it are the output's buffer,"
        " as a sound card has: what it holds sounds to its end."
    )
    result.raw = {"silence_ms": found, "answered_ms": answered}
    return result


async def _stop_once(place: Place, recording: dict[str, Any]) -> tuple[float, float]:
    """Play, stop, release; gives the instant of the click and the milliseconds of the answer."""
    created = await place.broadcast("Ngay", recording)
    await place.until_events([created["id"]], NODES, 60, state="playing")
    await asyncio.sleep(random.uniform(0, 0.3))
    click = time.time()
    holds = await place.call("POST", "/holds", json={"scopes": [f"areas/{place.areas['commune']}"]})
    answer_ms = (time.time() - click) * 1000
    await place.until_events([created["id"]], NODES, 60, outcome="interrupted")
    await asyncio.sleep(0.7)  # the recording shows the silence
    for hold in holds:
        await place.call("POST", f"/holds/{hold['id']}/release")
    await until(lambda: _is_free(place), 30, "nodes that obey no hold")
    return click, answer_ms


async def _is_free(place: Place) -> bool:
    real = {node.node_id for node in place.nodes}
    return not any(row["holds"] for row in await place.call("GET", "/nodes") if row["id"] in real)


def silences_ms(node: DemoNode, clicks: list[float]) -> list[float | None]:
    """Tell, for each click, how long sound still left the output; None when it was silent before or did not stop."""
    pcm, instants = output_of(node.folder)
    return [_silence_ms(pcm, instants, click) for click in clicks]


def _silence_ms(pcm: np.ndarray[Any, np.dtype[np.int16]], instants: Instants, click: float) -> float | None:
    low, high = 0, len(pcm)
    while low < high:  # the first frame that left after the click
        middle = (low + high) // 2
        low, high = (middle + 1, high) if instants.at(middle) < click else (low, middle)
    sounding = np.flatnonzero(pcm[low : low + round(timedelta(seconds=6).total_seconds()) * sounds.RATE])
    if not len(sounding):
        return None
    pauses = np.flatnonzero(np.diff(sounding) > SILENT_FRAMES)
    last = int(sounding[pauses[0]] if len(pauses) else sounding[-1])
    if last > 5 * sounds.RATE:
        return None
    return (instants.at(low + last) - click) * 1000
