"""How many receipts a second come from the broker into committed rows, and what it costs that pages can count them."""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from edge_agent.protocol.reports import PlayEvent, Receipts
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import Grade, Outcome, PlayState
from tests import sounds
from tests.bench.crowd import crowd
from tests.bench.figures import Result, median_of
from tests.bench.fleet import LightFleet
from tests.bench.place import Place, virtual_specs, write_wav

LEAST = 10_000
STATES = (PlayState.RECEIVED, PlayState.CACHED, PlayState.ARMED, PlayState.PLAYING)
PER_MESSAGE = 200
BROADCASTS = PER_MESSAGE // (len(STATES) + 1)
TURNS = 3
COUNTED = "ix_plays_counted"


async def run(*, quick: bool) -> Result:
    """Measure; with the index that counts plays, and without, in turn."""
    nodes = 5 if quick else 100
    result = Result(
        "receipts",
        "Receipts: from the broker to committed rows",
        f"{nodes} nodes that come back at once, each with one signed message of {PER_MESSAGE} events about"
        f" {BROADCASTS} broadcasts that the centre knows; SQLite with synchronous=FULL",
    )
    found: dict[bool, list[_Took]] = {True: [], False: []}
    for _ in range(1 if quick else TURNS):
        for counted in (True, False):
            found[counted].append(await _come_back(nodes, counted=counted))
    total = nodes * PER_MESSAGE
    rates = {counted: [each.stored / each.seconds for each in those] for counted, those in found.items()}
    result.add(
        "stored",
        f"{median_of(rates[True], '/s', 0)}: {total:,} in {min(each.seconds for each in found[True]):.1f} s",
        samples=total * len(found[True]),
        target=f"≥ {LEAST:,}/s",
        good=statistics.median(rates[True]) >= LEAST and all(each.stored == total for each in found[True]),
    )
    result.add(f"stored without {COUNTED}", median_of(rates[False], "/s", 0), samples=total * len(found[False]))
    for counted, name in ((True, "with"), (False, "without")):
        used = [each.processor_ms * 1000 / total for each in found[counted]]
        what = f"processor time of the centre for one, {name} {COUNTED}"
        result.add(what, median_of(used, "µs", 0), samples=len(used))
    result.notes.append(
        "From the first byte to the broker until the last row is committed, seen by another connection. In turn with"
        f" the index by which pages count plays ({COUNTED}) and without, each in a commune of its own."
    )
    result.raw = {
        name: [asdict(each) for each in found[counted]] for counted, name in ((True, "with"), (False, "without"))
    }
    return result


@dataclass(frozen=True)
class _Took:
    """One turn."""

    seconds: float
    stored: int
    processor_ms: float
    """Of the centre's process, all of its threads."""
    seen: list[tuple[float, int]]
    sent_s: float


async def _come_back(nodes: int, *, counted: bool) -> _Took:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        place = await stack.enter_async_context(Place(folder, virtual_specs(3), light=nodes))
        recording = await place.upload(write_wav(folder / "a.wav", sounds.sweep(1.0)), "Tiếng thử")
        later = datetime.now(UTC) + timedelta(days=1)
        starts = [later + timedelta(minutes=10 * number) for number in range(BROADCASTS)]
        ids = [
            (await place.broadcast(f"Thử {number}", recording, start_at=at.isoformat()))["id"]
            for number, at in enumerate(starts)
        ]
        if not counted:
            with sqlite3.connect(place.centre_state / "loa.db", timeout=30) as rows:
                rows.execute(f"DROP INDEX {COUNTED}")
        people = await stack.enter_async_context(crowd(place.light_order()))
        await people.ask("connect", introduce=True, within_s=300)
        assert place.fleet is not None
        assert place.centre is not None
        files = await asyncio.to_thread(_write, folder, place.fleet, ids)
        centre = psutil.Process(place.centre.process.pid)
        before, used = _stored(place), sum(centre.cpu_times()[:2])
        sent = await people.ask("receipts", files=[str(file) for file in files])
        took, seen = await _until_stored(place, before + nodes * PER_MESSAGE, sent["begun"])
        used = sum(centre.cpu_times()[:2]) - used
        return _Took(took, seen[-1][1] - before, used * 1000, seen, sent["sent"] - sent["begun"])


def _write(folder: Path, fleet: LightFleet, ids: list[str]) -> list[Path]:
    key, files = SigningKey(fleet.key), []
    for node in fleet.nodes:
        token = key.sign(Receipts(iss=node.node_id, iat=int(time.time()), store_id="light", events=tuple(_events(ids))))
        files.append(folder / f"{node.node_id}.receipts")
        files[-1].write_bytes(token)
    return files


def _events(ids: list[str]) -> list[PlayEvent]:
    now = datetime.now(UTC)
    events: list[PlayEvent] = []
    for broadcast_id in ids:
        common: dict[str, Any] = {"at": now, "broadcast_id": broadcast_id}
        for state in STATES:
            item = 0 if state is PlayState.PLAYING else None
            events.append(PlayEvent(seq=len(events) + 1, state=state, item=item, **common))
        events.append(
            PlayEvent(
                seq=len(events) + 1,
                outcome=Outcome.PLAYED,
                requested_ms=1000,
                played_ms=1000,
                start_error_ms=0.02,
                underruns=0,
                grade=Grade.E1,
                **common,
            )
        )
    return events


def _stored(place: Place) -> int:
    with sqlite3.connect(f"file:{place.centre_state / 'loa.db'}?mode=ro", uri=True) as rows:
        return int(rows.execute("SELECT count(*) FROM receipts").fetchone()[0])


async def _until_stored(place: Place, wanted: int, begun: float) -> tuple[float, list[tuple[float, int]]]:
    """Look until all is stored, or for two minutes; gives the seconds it took and what was seen when."""
    seen: list[tuple[float, int]] = []
    while True:
        count, now = await asyncio.to_thread(_stored, place), time.time() - begun
        seen.append((round(now, 3), count))
        if count >= wanted or now > 120:
            return now, seen
        await asyncio.sleep(0.05)
