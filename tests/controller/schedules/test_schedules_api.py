"""Schedules through the API: what is refused before it is saved, what a node's day looks like, files in and out."""

from datetime import datetime
from typing import Any

import httpx
from sqlalchemy import select, update

from controller.areas.schemas import AreaOut
from controller.audit.models import AuditEntry
from controller.broadcasts.schemas import BroadcastIn
from controller.nodes.models import Node
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, programme

SCHEDULES = "/api/v1/schedules"


def body(area: AreaOut, programme_id: str, at: str = "2026-03-10T06:00:00", **given: Any) -> dict[str, Any]:
    return {
        "title": "Buổi sáng",
        "programme_id": programme_id,
        "targets": [f"areas/{area.id}"],
        "starts_at_local": at,
        "rule": "FREQ=DAILY",
        **given,
    }


async def post(client: httpx.AsyncClient, wanted: dict[str, Any], path: str = SCHEDULES) -> Any:
    answer = await client.post(path, json=wanted)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def refused(client: httpx.AsyncClient, wanted: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(SCHEDULES, json=wanted)
    assert answer.status_code in {409, 422}, answer.text
    found: dict[str, Any] = answer.json()["error"]
    return found


async def test_what_meets_another_on_the_same_nodes_is_named_before_it_is_saved(lite: Centre) -> None:
    """The province's session and the hamlet's want the hamlet's node; the sibling's do not."""
    province = await lite.area("Tỉnh", kind="province")
    hamlet, sibling = await lite.area("Thôn A", province), await lite.area("Thôn B", province)
    await lite.node(hamlet)
    await lite.node(sibling, "Cụm 2")
    async with lite.client() as client:
        first = await post(client, body(province, await programme(lite, province, 30), title="Thời sự tỉnh"))
        mine = await programme(lite, hamlet, 20)
        wanted = body(hamlet, mine, "2026-03-10T06:20:00")
        error = await refused(client, wanted)
        assert error["code"] == "schedule_conflicts"
        [conflict] = error["fields"]["conflicts"]
        assert conflict["title"] == "Thời sự tỉnh"
        assert (conflict["schedule_id"], conflict["node_count"], conflict["first"]) == (first["id"], 1, "other")
        assert (conflict["overlap_ms"], conflict["times"]) == (600_000, 30)
        assert (await post(client, wanted, f"{SCHEDULES}/preview"))["conflicts"] == [conflict]

        assert (await post(client, {**wanted, "starts_at_local": "2026-03-10T06:30:00"}))["next_at"]
        other = body(sibling, await programme(lite, sibling, 20), "2026-03-10T06:30:00")
        await post(client, other)
        await post(client, {**wanted, "confirm_conflicts": True})


async def test_one_broadcast_of_tomorrow_is_a_conflict_too(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    asked = BroadcastIn(
        title="Mít tinh",
        recordings=(await lite.recording(length_ms=600_000, area_id=area.id),),
        targets=(f"areas/{area.id}",),
        start_at=datetime.fromisoformat("2026-03-10T23:05:00+00:00"),
        confirm_unusual=True,
    )
    sent = await lite.services.broadcasts.create(lite.actor, asked)
    async with lite.client() as client:
        error = await refused(client, body(area, await programme(lite, area)))
    assert [each["broadcast_id"] for each in error["fields"]["conflicts"]] == [sent.id]


async def test_a_date_is_moved_onto_another_session_only_when_that_is_meant(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    async with lite.client() as client:
        made = await post(client, body(area, await programme(lite, area)))
        other = await post(client, body(area, await programme(lite, area), "2026-03-10T17:00:00"))
        path = f"{SCHEDULES}/{made['id']}/dates/2026-03-12T06:00:00"
        moved = {"kind": "moved", "moved_to_local": "2026-03-12T17:05:00"}
        answer = await client.put(path, json=moved)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "schedule_conflicts")
        [conflict] = answer.json()["error"]["fields"]["conflicts"]
        assert (conflict["schedule_id"], conflict["first"], conflict["overlap_ms"]) == (other["id"], "other", 300_000)
        assert (await client.put(path, json={**moved, "confirm_conflicts": True})).status_code == 200
        free = {**moved, "moved_to_local": "2026-03-12T17:10:00"}
        assert (await client.put(path, json=free)).status_code == 200


async def test_what_was_cancelled_or_edited_away_is_in_nobodys_way(lite: Centre) -> None:
    area = await lite.area(quiet_hours=[])
    await lite.node(area)
    asked = BroadcastIn(
        title="Mít tinh",
        recordings=(await lite.recording(length_ms=600_000, area_id=area.id),),
        targets=(f"areas/{area.id}",),
        start_at=datetime.fromisoformat("2026-03-10T23:05:00+00:00"),
        confirm_unusual=True,
    )
    edited = await lite.services.broadcasts.create(lite.actor, asked)
    later = asked.model_copy(update={"start_at": datetime.fromisoformat("2026-03-11T02:00:00+00:00")})
    await lite.services.broadcasts.change(lite.actor, edited.id, later)
    cancelled = await lite.services.broadcasts.create(lite.actor, asked)
    await lite.services.broadcasts.cancel(lite.actor, cancelled.id)
    async with lite.client() as client:
        await post(client, body(area, await programme(lite, area)))


async def test_a_session_moved_to_a_quarter_past_three_is_caught(lite: Centre) -> None:
    """The Trung Lộc case: in quiet hours it is refused; without quiet hours it is asked about, also for one date."""
    quiet, loud = await lite.area("Xã A"), await lite.area("Xã B", quiet_hours=[])
    for area in (quiet, loud):
        await lite.node(area, f"Cụm {area.name}")
    async with lite.client() as client:
        error = await refused(client, body(quiet, await programme(lite, quiet), "2026-03-10T03:15:00"))
        assert (error["code"], error["fields"]["rules"]) == ("policy_breach", ["quiet_hours"])
        at_night = body(loud, await programme(lite, loud), "2026-03-10T03:15:00")
        assert (await refused(client, at_night))["code"] == "unusual_hour"
        assert (await post(client, at_night, f"{SCHEDULES}/preview"))["unusual"]["reason"] == "night"
        made = await post(client, {**at_night, "starts_at_local": "2026-03-10T05:15:00"})
        change = {**at_night, "version": made["version"]}
        answer = await client.put(f"{SCHEDULES}/{made['id']}", json=change)
        assert answer.json()["error"]["code"] == "unusual_hour"
        one = {"kind": "moved", "moved_to_local": "2026-03-11T03:15:00"}
        path = f"{SCHEDULES}/{made['id']}/dates/2026-03-11T05:15:00"
        assert (await client.put(path, json=one)).json()["error"]["code"] == "unusual_hour"
        assert (await client.put(path, json={**one, "confirm_unusual": True})).status_code == 200


async def test_a_session_whose_first_date_is_far_ahead_is_held_against_policies_and_others(lite: Centre) -> None:
    """A daily 03:15 from 38 days on, one of every year from December on, and one that another meets then."""
    quiet, loud = await lite.area("Xã A"), await lite.area("Xã B", quiet_hours=[])
    for area in (quiet, loud):
        await lite.node(area, f"Cụm {area.name}")
    once_a_year = {"rule": "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=20"}
    async with lite.client() as client:
        here, there = await programme(lite, quiet), await programme(lite, loud)
        for said in ({"at": "2026-04-16T03:15:00"}, {"at": "2026-03-10T03:15:00", **once_a_year}):
            error = await refused(client, body(quiet, here, **said))
            assert (error["code"], error["fields"]["rules"]) == ("policy_breach", ["quiet_hours"])
            assert (await refused(client, body(loud, there, **said)))["code"] == "unusual_hour"
        seen = await post(client, body(quiet, here, "2026-04-16T03:15:00"), f"{SCHEDULES}/preview")
        assert (seen["refusal"], seen["breaches"][0]["at"]) == ("policy_breach", "2026-04-15T20:15:00Z")
        assert [each["local"] for each in seen["dates"]][::29] == ["2026-04-16T03:15:00", "2026-05-15T03:15:00"]

        await post(client, body(quiet, here, "2026-04-16T06:15:00"))
        late = body(quiet, here, "2026-04-20T06:15:00")
        assert (await refused(client, late))["code"] == "schedule_conflicts"
        [conflict] = (await post(client, late, f"{SCHEDULES}/preview"))["conflicts"]
        assert (conflict["start_at"], conflict["times"]) == ("2026-04-19T23:15:00Z", 30)


async def test_a_date_moved_before_the_first_is_looked_at_too(lite: Centre) -> None:
    area = await lite.area()
    await lite.node(area)
    async with lite.client() as client:
        made = await post(client, body(area, await programme(lite, area), "2026-06-16T06:15:00"))
        path = f"{SCHEDULES}/{made['id']}/dates/2026-06-16T06:15:00"
        assert (await client.put(path, json={"kind": "moved", "moved_to_local": "2026-03-11T06:15:00"})).is_success
        seen = await post(client, body(area, made["programme_id"], "2026-03-11T06:20:00"), f"{SCHEDULES}/preview")
        assert [each["schedule_id"] for each in seen["conflicts"]] == [made["id"]]
        change = body(area, made["programme_id"], "2026-06-16T06:15:00")
        seen = await post(client, change, f"{SCHEDULES}/preview?schedule_id={made['id']}")
    assert [each["local"] for each in seen["dates"]][:2] == ["2026-03-11T06:15:00", "2026-06-17T06:15:00"]


async def test_a_programme_longer_than_its_time_is_refused(lite: Centre) -> None:
    area = await lite.area()
    async with lite.client() as client:
        wanted = body(area, await programme(lite, area, 40, 10), "2026-03-10T17:00:00", ends_at_local="17:45")
        assert (await refused(client, wanted))["code"] == "overrun"
        seen = await post(client, wanted, f"{SCHEDULES}/preview")
        assert (seen["refusal"], seen["length_ms"]) == ("overrun", 3_000_000)
        made = await post(client, {**wanted, "overrun": "drop"})
    assert {row.length_ms for row in await broadcasts(lite, made["id"])} == {2_400_000}


async def test_fields_that_make_no_sense_are_named(lite: Centre) -> None:
    area = await lite.area()
    here = await programme(lite, area)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"rule": "FREQ=HOURLY"}, "rule"),
        ({"rule": "FREQ=SOMETIMES"}, "rule"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rule"),
        ({"programme_id": "none"}, "programme_id"),
        ({"zone": "Asia/Saigon_Nowhere"}, "zone"),
        ({"last_date": "2026-03-01"}, "last_date"),
        ({"back_timed": True}, "ends_at_local"),
        ({"rule": None, "starts_at_local": "2026-03-01T05:00:00"}, "starts_at_local"),
        ({"starts_at_local": "2026-03-10T05:00:00Z"}, "starts_at_local"),
        ({"targets": []}, "targets"),
        ({"level": "emergency"}, "level"),
        ({"filler_recording_id": "none", "ends_at_local": "07:00"}, "filler_recording_id"),
    ]
    async with lite.client() as client:
        for said, field in wrong:
            error = await refused(client, {**body(area, here), **said})
            assert (error["code"], error["fields"]["field"]) == ("invalid", field)


async def test_a_nodes_day_is_what_it_will_play(lite: Centre) -> None:
    """Two sessions meet: by the node's own function the second waits, and a hard start cuts."""
    province = await lite.area("Tỉnh", kind="province")
    hamlet = await lite.area("Thôn A", province)
    node = await lite.node(hamlet)
    said = {"confirm_conflicts": True}
    async with lite.client() as client:
        await post(client, body(province, await programme(lite, province, 3, 3), title="Tỉnh"))
        await post(client, body(hamlet, await programme(lite, hamlet, 4), "2026-03-10T06:04:00", title="Thôn", **said))
        minute = await programme(lite, hamlet, 1)
        await post(client, body(hamlet, minute, "2026-03-10T06:01:00", title="Gấp", start_mode="hard", **said))
        path = f"/api/v1/nodes/{node.id}/day"
        day = (await client.get(path, params={"date": "2026-03-10"})).json()
        far = (await client.get(path, params={"date": "2026-06-01"})).json()
        empty = (await client.get(path)).json()
    assert empty["entries"] == []
    assert day["zone"] == "Asia/Ho_Chi_Minh"
    heard = [
        (entry["title"], sound["begins_at"][11:19], sound["ends_at"][11:19])
        for entry in day["entries"]
        for sound in entry["sounds"]
    ]
    assert heard == [
        ("Tỉnh", "23:00:00", "23:01:00"),  # cut by the hard start
        ("Tỉnh", "23:03:00", "23:06:00"),  # goes on with its next item, at that item's slot
        ("Gấp", "23:01:00", "23:02:00"),
        ("Thôn", "23:06:00", "23:10:00"),  # waits, within its latest start
    ]
    assert [(each["title"], each["outcome"], each["by"] is not None) for each in day["entries"]] == [
        ("Tỉnh", "interrupted", True),
        ("Gấp", "played", False),
        ("Thôn", "played", False),
    ]
    assert [each["title"] for each in far["entries"]] == ["Tỉnh", "Gấp", "Thôn"]  # not planned yet, and yet seen
    assert {each["broadcast_id"] for each in far["entries"]} == {None}
    assert [each["sounds"] == [] for each in far["entries"]] == [False] * 3


async def test_a_day_under_a_hold_is_silent_and_says_so(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    async with lite.client() as client:
        await post(client, body(area, await programme(lite, area)))
        await lite.services.holds.order(lite.actor, [f"areas/{area.id}"])
        [entry] = (await client.get(f"/api/v1/nodes/{node.id}/day", params={"date": "2026-03-10"})).json()["entries"]
    assert (entry["outcome"], entry["reason"], entry["sounds"]) == ("missed", "held", [])


async def test_schedules_go_out_as_a_file_and_come_back(lite: Centre) -> None:
    area = await lite.area()
    said = {"ends_at_local": "06:45", "overrun": "drop", "last_date": "2026-05-31"}
    async with lite.client() as client:
        made = await post(client, body(area, await programme(lite, area), **said))
        path = f"{SCHEDULES}/{made['id']}/dates/2026-03-12T06:00:00"
        assert (await client.put(path, json={"kind": "cancelled"})).status_code == 200
        file = await client.get(f"{SCHEDULES}/calendar.ics")
        assert file.headers["content-type"].startswith("text/calendar")
        before = [(row.id, row.start_at) for row in await broadcasts(lite)]
        taken = {"ics": file.text, "programme_id": made["programme_id"], "targets": [f"areas/{area.id}"]}
        again = await post(client, taken, f"{SCHEDULES}/import")
        assert again["skipped"] == []
        assert [each["id"] for each in again["schedules"]] == [made["id"]]  # its own: nothing was doubled
        assert [(row.id, row.start_at) for row in await broadcasts(lite)] == before
        assert [each["version"] for each in again["schedules"]] == [made["version"] + 1]  # by the date alone
        assert {"X-LOA-BACK-TIMED:FALSE", "X-LOA-FIXED-END:TRUE"} <= set(file.text.splitlines())
        other = await post(client, {**taken, "ics": file.text.replace("Buổi sáng", "Buổi mai")}, f"{SCHEDULES}/import")
        assert [(each["title"], each["version"]) for each in other["schedules"]] == [("Buổi mai", made["version"] + 2)]
        late = await post(client, taken, f"{SCHEDULES}/import")  # what the file says was changed since
        assert (late["schedules"], len(late["skipped"])) == ([], 1)
        assert (await client.get(f"{SCHEDULES}/{made['id']}")).json()["title"] == "Buổi mai"

        new = {**taken, "ics": file.text.replace("@loa", "@elsewhere"), "confirm_conflicts": True}
        [copy] = (await post(client, new, f"{SCHEDULES}/import"))["schedules"]
        assert copy["id"] != made["id"]
        assert copy["rule"] == "FREQ=DAILY;UNTIL=20260531T235959"  # the last date, as files say it
        same = ("title", "starts_at_local", "ends_at_local", "overrun", "zone", "targets", "late_ms")
        assert {name: copy[name] for name in same} == {name: made[name] for name in same}
        assert [row.start_at for row in await broadcasts(lite, copy["id"])] == [at for _, at in before]
        bad = await client.post(f"{SCHEDULES}/import", json={**taken, "ics": "hello"})
        assert bad.json()["error"]["code"] == "not_a_calendar"


async def test_a_node_that_is_adopted_hears_what_is_planned_already(lite: Centre) -> None:
    area = await lite.area()
    async with lite.client() as client:
        made = await post(client, body(area, await programme(lite, area)))
    node = await lite.node(area)
    first = (await broadcasts(lite, made["id"]))[0]
    assert [each.node_id for each in await lite.services.broadcasts.plays(lite.actor, first.id)] == [node.id]
    async with lite.database.transaction() as tx:  # and one that is gone is in nobody's way
        await tx.session.execute(update(Node).values(removed_at=lite.clock()))
    async with lite.client() as client:
        await post(client, body(area, await programme(lite, area)))


async def test_the_audit_says_what_an_edit_changed_old_and_new(lite: Centre) -> None:
    area = await lite.area()
    node = await lite.node(area)
    first, second = await programme(lite, area), await programme(lite, area, 3)
    async with lite.client() as client:
        made = await post(client, body(area, first))
        wanted = body(area, second, level="priority", targets=[f"nodes/{node.id}"], start_mode="hard")
        edited = await client.put(f"{SCHEDULES}/{made['id']}", json={**wanted, "version": made["version"]})
        assert edited.status_code == 200, edited.text
    async with lite.database.reading() as session:
        of_it = AuditEntry.subject == f"schedules/{made['id']}", AuditEntry.action == "schedules.write"
        query = select(AuditEntry).where(*of_it).order_by(AuditEntry.seq)
        created, changed = (await session.scalars(query)).all()
    assert (created.detail["programme_id"], created.detail["scopes"]) == (first, [f"areas/{area.id}"])
    assert changed.detail == {
        "title": made["title"],
        "changed": {
            "programme_id": {"before": first, "after": second},
            "scopes": {"before": [f"areas/{area.id}"], "after": [f"nodes/{node.id}"]},
            "level": {"before": "normal", "after": "priority"},
            "start_mode": {"before": "soft", "after": "hard"},
        },
    }
