"""Tables of time lose names: what keeps time by such a zone says so, and STOP is pressed all the same."""

from pathlib import Path

import pytest
from sqlalchemy import update

from controller.areas.models import Area
from controller.areas.zones import KIND, ZoneWatch
from controller.schedules.models import Schedule
from tests.controller.approving import commune
from tests.controller.factories import Centre
from tests.controller.schedules.village import programme, wish
from tests.web import harness

GONE = "Asia/Saigon_That_Was"


async def test_what_keeps_time_by_a_zone_that_is_gone_says_so_until_it_has_another(lite: Centre) -> None:
    place = await commune(lite)
    made = await lite.services.schedules.create(place.leader, wish(place.area, await programme(lite, place.area)))
    async with lite.database.transaction() as tx:
        await tx.session.execute(update(Area).where(Area.id == place.area.id).values(zone=GONE))
        await tx.session.execute(update(Schedule).where(Schedule.id == made.id).values(zone=GONE))
    span = {"from_at": "2026-03-10T00:00:00Z", "until_at": "2026-03-12T00:00:00Z"}
    asked = [(f"/nodes/{place.node.id}/day", {}), ("/schedules/dates", span), (f"/schedules/{made.id}/dates", span)]
    async with lite.client(raise_app_exceptions=False) as client:
        for path, params in asked:
            answer = await client.get(f"/api/v1{path}", params=params)
            said = answer.json()["error"]
            assert (answer.status_code, said["code"], said["fields"]) == (503, "zone_gone", {"zone": GONE}), path
        assert (await client.get("/api/v1/schedules")).status_code == 200
        watch = ZoneWatch(lite.database, lite.services.alarms)
        await watch.look()
        await watch.look()
        alarms = await lite.services.alarms.list(lite.actor)
        assert sorted((each.kind, each.subject, each.detail["name"]) for each in alarms) == [
            (KIND, f"areas/{place.area.id}", GONE),
            (KIND, f"schedules/{made.id}", GONE),
        ]
        held = await client.post("/api/v1/holds", json={"scopes": [place.area.scope]})
        assert held.status_code == 201, "STOP asks for no time of day"
        mended = await client.patch(f"/api/v1/areas/{place.area.id}", json={"zone": "Asia/Ho_Chi_Minh"})
        assert mended.status_code == 200, mended.text
        day = f"/api/v1/nodes/{place.node.id}/day"
        assert (await client.get(day)).json()["error"]["fields"] == {"zone": GONE}, "the schedule has one of its own"
        async with lite.database.transaction() as tx:
            await tx.session.execute(update(Schedule).where(Schedule.id == made.id).values(zone="Asia/Ho_Chi_Minh"))
        assert (await client.get(day)).status_code == 200


@pytest.mark.parametrize("path", ["/stop", "/today", "/nodes"])
async def test_pages_are_there_all_the_same_and_stop_among_them(tmp_path: Path, path: str) -> None:
    async with harness.commune(tmp_path) as site, harness.visitor(site) as client:
        async with site.centre.database.transaction() as tx:
            await tx.session.execute(update(Area).where(Area.id == site.root.id).values(zone=GONE))
        assert (await client.get(path)).status_code == 200
        assert (await client.post("/holds", data={"everything": "yes"})).status_code == 303
        assert len(await site.centre.services.holds.active(site.centre.actor)) == 1
