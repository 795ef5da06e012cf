"""How many receipts a second come from the broker into committed rows."""

import asyncio
import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge_agent.protocol.reports import PlayEvent, Receipts
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import Grade, Outcome, PlayState
from tests import sounds
from tests.bench.crowd import crowd
from tests.bench.figures import Result
from tests.bench.fleet import LightFleet
from tests.bench.place import Place, virtual_specs, write_wav

LEAST = 10_000
STATES = (PlayState.RECEIVED, PlayState.CACHED, PlayState.ARMED, PlayState.PLAYING)
PER_MESSAGE = 200


async def run(*, quick: bool) -> Result:
    """Measure."""
    nodes = 5 if quick else 100
    broadcasts = PER_MESSAGE // (len(STATES) + 1)
    result = Result(
        "receipts",
        "Receipts: from the broker to committed rows",
        f"{nodes} nodes that come back at once, each with one signed message of {PER_MESSAGE} events about"
        f" {broadcasts} broadcasts that the centre knows; SQLite with synchronous=FULL",
    )
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        place = await stack.enter_async_context(Place(folder, virtual_specs(3), light=nodes))
        recording = await place.upload(write_wav(folder / "a.wav", sounds.sweep(1.0)), "Tiếng thử")
        later = datetime.now(UTC) + timedelta(days=1)
        starts = [later + timedelta(minutes=10 * number) for number in range(broadcasts)]
        ids = [
            (await place.broadcast(f"Thử {number}", recording, start_at=at.isoformat()))["id"]
            for number, at in enumerate(starts)
        ]
        people = await stack.enter_async_context(crowd(place.light_order()))
        await people.ask("connect", introduce=True, within_s=300)
        assert place.fleet is not None
        files = await asyncio.to_thread(_write, folder, place.fleet, ids)
        before = _stored(place)
        sent = await people.ask("receipts", files=[str(file) for file in files])
        took, seen = await _until_stored(place, before + nodes * PER_MESSAGE, sent["begun"])
    total = nodes * PER_MESSAGE
    rate = (seen[-1][1] - before) / took
    result.add(
        "stored",
        f"{rate:,.0f}/s: {seen[-1][1] - before:,} in {took:.1f} s",
        samples=total,
        target=f"≥ {LEAST:,}/s",
        good=rate >= LEAST and seen[-1][1] - before == total,
    )
    result.notes.append(
        "From the first byte to the broker until the last row is committed, seen by another connection."
    )
    result.raw = {"seen": seen, "sent_s": sent["sent"] - sent["begun"]}
    return result


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
