"""From a change of a commune's schedule to the plans of its nodes."""

import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge_agent.protocol import topics
from edge_agent.protocol.topics import Word
from tests import sounds
from tests.bench.crowd import Crowd, crowd
from tests.bench.figures import Result, spread
from tests.bench.place import Place, instant, virtual_specs, write_wav

MOST_S = 2.0
AGENTS = 5
WITHIN_S = 60.0


async def run(*, quick: bool) -> Result:
    """Measure."""
    rounds, light = (2, 20) if quick else (15, 100)
    result = Result(
        "replan",
        "A change of schedule → the plans of a commune's nodes",
        f"PUT /schedules for a daily session of a commune with {light} light nodes, which check the manifest of"
        f" the new plan, and {AGENTS} agents, which fetch its body as well and say that they hold the new dates",
    )
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loa-bench-")))
        place = await stack.enter_async_context(Place(folder, virtual_specs(AGENTS), light=light))
        people = await stack.enter_async_context(crowd(place.light_order()))
        await people.ask("connect", introduce=True, within_s=300)
        wanted = await _wish(place, folder)
        made = await place.call("POST", "/schedules", json=wanted)
        lasts, held, answered = [], [], []
        for number in range(rounds):
            wanted |= {"starts_at_local": _hour(number), "version": made["version"]}
            made, took = await _change(place, people, made["id"], wanted)
            lasts.append(max(took["light"].values()))
            held += await _held(place, made["id"], took["clicked"])
            answered.append(took["answered"])
    for name, values in (
        (f"click → the manifest checked by the last of {light} nodes", lasts),
        (f"click → the new date held by an agent, of {AGENTS}", held),
    ):
        result.add(
            name, spread(values, "s", 2, (0.5,)), samples=len(values), target="≤ 2 s", good=max(values) <= MOST_S
        )
    result.add("click → the API's answer", spread(answered, "s", 2, (0.5,)), samples=rounds)
    result.raw = {"light_s": lasts, "agents_s": held, "answered_s": answered}
    return result


async def _wish(place: Place, folder: Path) -> dict[str, Any]:
    recording = await place.upload(write_wav(folder / "a.wav", sounds.sweep(1.0)), "Tiếng thử")
    commune = place.areas["commune"]
    items = [{"kind": "recording", "recording_id": recording["id"]}] * 3
    programme = await place.call(
        "POST", "/programmes", json={"area_id": commune, "title": "Chương trình", "items": items}
    )
    return {
        "title": "Buổi sáng",
        "programme_id": programme["id"],
        "targets": [f"areas/{commune}"],
        "starts_at_local": _hour(-1),
        "rule": "FREQ=DAILY",
        "confirm_unusual": True,
        "confirm_conflicts": True,
    }


def _hour(number: int) -> str:
    """Give another minute of tomorrow's afternoon each time."""
    tomorrow = (datetime.now(UTC) + timedelta(hours=7, days=1)).date()
    return f"{tomorrow}T15:{number + 1:02}:00"


async def _change(
    place: Place, people: Crowd, schedule_id: str, wanted: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Change it; gives the schedule and the seconds until each light node had checked the plan."""
    assert place.fleet is not None
    everybody = [node.node_id for node in place.fleet.nodes]
    topic = str(topics.Topic(topics.area(place.areas["commune"]), Word.PLAN))
    await people.ask("watch", topic=topic, checkers=everybody)
    clicked, begun = time.time(), time.monotonic_ns()
    made = await place.call("PUT", f"/schedules/{schedule_id}", json=wanted)
    answered = time.time() - clicked
    found = await people.ask("found", wait_s=WITHIN_S)
    if len(found["done"]) < len(everybody):
        raise RuntimeError(f"only {len(found['done'])} of {len(everybody)} nodes heard of the new plan")
    light = {node_id: (at - begun) / 1e9 for node_id, at in found["done"].items()}
    return made, {"light": light, "clicked": clicked, "answered": answered}


async def _held(place: Place, schedule_id: str, clicked: float) -> list[float]:
    """Give the seconds until each agent held the next date as it is now, by its own receipts."""
    span = {"from_at": datetime.now(UTC).isoformat(), "until_at": (datetime.now(UTC) + timedelta(days=3)).isoformat()}
    dates = await place.call("GET", f"/schedules/{schedule_id}/dates", params=span)
    key = dates[0]["broadcast_id"]
    await place.until_events([key], AGENTS, WITHIN_S, state="received")
    said = [event for event in place.events([key]) if event.get("state") == "received"]
    return [instant(event["at"]).timestamp() - clicked for event in said]
