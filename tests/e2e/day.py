"""What people of a commune do in the course of its day, through the API: plan, change, approve, warn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.e2e.hearing import Row
from tests.e2e.people import Person
from tests.e2e.village import Village
from tests.e2e.waiting import until

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def whole_second(in_s: float) -> datetime:
    """Give the first whole second that is so far away: schedules know no parts of one."""
    at = datetime.now(UTC) + timedelta(seconds=in_s)
    return at.replace(microsecond=0) + timedelta(seconds=1)


@dataclass
class Planned:
    """A schedule, as it was saved last, and its one broadcast."""

    wanted: Row
    id: str
    version: int
    broadcast: Row


async def plan(
    village: Village, items: Sequence[str], at: datetime, *, level: str = "normal", start_mode: str = "soft"
) -> Planned:
    """Air a programme of these sounds once, in the whole commune."""
    title = ", ".join(items)
    sounds = [{"kind": "recording", "recording_id": village.sounds[name].row["id"]} for name in items]
    area_id = village.commune.areas["commune"]
    programme = await village.commune.call(
        "POST", "/programmes", json={"area_id": area_id, "title": title, "items": sounds}
    )
    wanted = {
        "title": title,
        "programme_id": programme["id"],
        "targets": [village.scope],
        "starts_at_local": _local(at),
        "level": level,
        "start_mode": start_mode,
        "confirm_unusual": True,
        "confirm_conflicts": True,
    }
    made = await village.commune.call("POST", "/schedules", json=wanted)
    return Planned(wanted, made["id"], made["version"], await _of_schedule(village, made["id"]))


async def move(village: Village, planned: Planned, at: datetime) -> Row:
    """Change the hour of a schedule; gives the one broadcast that it has then."""
    planned.wanted["starts_at_local"] = _local(at)
    body = {**planned.wanted, "version": planned.version}
    planned.version = (await village.commune.call("PUT", f"/schedules/{planned.id}", json=body))["version"]
    return await _of_schedule(village, planned.id)


async def listen(person: Person, village: Village, *sounds: str) -> None:
    """Hear recordings to their end, as the page's player tells it."""
    for name in sounds:
        row = village.sounds[name].row
        path, spans = f"/recordings/{row['id']}/listening", {"spans": [[0, row["length_ms"]]]}

        async def told(path: str = path, spans: dict[str, Any] = spans) -> bool:
            """Tell it; the centre believes no more than there was time for."""
            return bool((await person.call("POST", path, json=spans))["whole"])

        await until(told, row["length_ms"] / 1000 + 10, f"{name} was heard whole")


async def approve(person: Person, village: Village, broadcast: Row) -> Row:
    """Say yes to a broadcast that waits in the person's queue; gives it as it is then."""
    (request,) = [
        row for row in await person.call("GET", "/approvals") if row["subject"] == f"broadcasts/{broadcast['id']}"
    ]
    await person.call("POST", f"/approvals/{request['id']}/approve")
    row: Row = await village.commune.call("GET", f"/broadcasts/{broadcast['id']}")
    return row


async def ready_messages(village: Village, **sounds: str) -> None:
    """Write messages that lie ready, by kind, and wait until the signal that goes before them is there too."""
    area_id = village.commune.areas["commune"]
    for kind, sound in sounds.items():
        voice = {"language": "vi", "recording_id": village.sounds[sound].row["id"]}
        body = {"area_id": area_id, "kind": kind, "title": sound, "voices": [voice]}
        await village.commune.call("POST", "/messages", json=body)

    async def all_ready() -> bool:
        states = {row["state"] for row in await village.commune.call("GET", "/recordings")}
        return states == {"ready"}

    await until(all_ready, 60, "the signal")


async def broadcast_of(village: Village, emergency: Row) -> Row:
    """Give what an emergency became."""
    row: Row = await village.commune.call("GET", f"/broadcasts/{emergency['broadcast_id']}")
    return village.noted(row)


async def _of_schedule(village: Village, schedule_id: str) -> Row:
    found = village.rows("SELECT id FROM broadcasts WHERE schedule_id = ? AND superseded_at IS NULL", schedule_id)
    assert len(found) == 1, "saved before its hour, a schedule of one date has one broadcast"
    row: Row = await village.commune.call("GET", f"/broadcasts/{found[0][0]}")
    return village.noted(row)


def _local(at: datetime) -> str:
    return at.astimezone(ZONE).replace(tzinfo=None).isoformat()
