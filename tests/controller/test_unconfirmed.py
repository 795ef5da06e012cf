"""What was cancelled or changed while a node that holds it is out of reach: nobody can confirm it, and pages say so."""

from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select, update

from controller.plays.models import Play
from controller.schedules.schemas import ExceptionIn
from controller.schedules.states import DateChange
from edge_agent.protocol.states import PlayState
from tests.controller.approving import Commune, commune
from tests.controller.factories import Centre
from tests.controller.schedules.village import broadcasts, programme, wish


async def armed(here: Centre, broadcast_id: str, at: datetime) -> None:
    """Its node has it; at ``at`` the node was not heard from."""
    async with here.database.transaction() as tx:
        mine = Play.broadcast_id == broadcast_id
        assert await tx.session.scalar(select(Play.node_id).where(mine)) is not None
        await tx.session.execute(update(Play).where(mine).values(state=PlayState.ARMED))
    here.clock.now = at


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(f"/api/v1{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def as_json(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


async def test_a_date_cancelled_two_minutes_before_at_a_node_out_of_reach_may_be_heard(lite: Centre) -> None:
    place: Commune = await commune(lite)
    made = await lite.services.schedules.create(place.leader, wish(place.area, await programme(lite, place.area)))
    first = (await broadcasts(lite, made.id))[0]
    await armed(lite, first.id, first.start_at - timedelta(minutes=2))
    name = datetime.fromisoformat(first.recurrence_local or "")
    cancelled = ExceptionIn(kind=DateChange.CANCELLED)
    said = await lite.services.single_dates.except_(place.leader, made.id, name, cancelled)
    doubt = {"node_count": 1, "may_play_at": as_json(first.start_at)}
    assert said.model_dump(mode="json")["unconfirmed"] == doubt
    span = {"from_at": as_json(lite.clock.now), "until_at": as_json(first.start_at + timedelta(hours=1))}
    async with lite.client(who=place.people[place.leader]) as client:
        for path in (f"/schedules/{made.id}/dates", "/schedules/dates"):
            [date] = await get(client, path, **span)
            assert (date["verdict"], date["unconfirmed"]) == ("cancelled", doubt)
        [listed] = await get(client, "/broadcasts")
        assert (listed["id"], listed["phase"], listed["unconfirmed"]) == (first.id, "taken_out", doubt)
        day = await get(client, f"/nodes/{place.node.id}/day")
        assert day["entries"] == []
        assert day["unconfirmed"] == [
            {"broadcast_id": first.id, "title": first.title, "level": "normal", "may_play_at": as_json(first.start_at)}
        ]
        lite.hears(place.node.id)
        assert (await get(client, f"/nodes/{place.node.id}/day"))["unconfirmed"] == []
        [date] = await get(client, f"/schedules/{made.id}/dates", **span)
        assert date["unconfirmed"] is None  # it learns of it at once
        assert await get(client, "/broadcasts") == []


async def test_what_is_put_off_at_a_node_out_of_reach_says_when_the_earlier_version_may_be_heard(lite: Centre) -> None:
    place = await commune(lite)
    old = await place.say(place.leader)
    await armed(lite, old.id, old.start_at - timedelta(minutes=2))
    later = place.wish(start_at=old.start_at + timedelta(minutes=30), confirm_unusual=True)
    new = await lite.services.broadcasts.change(place.leader, old.id, later)
    doubt = {"node_count": 1, "may_play_at": as_json(old.start_at)}
    assert new.model_dump(mode="json")["unconfirmed"] == doubt
    async with lite.client(who=place.people[place.leader]) as client:
        assert (await get(client, f"/broadcasts/{old.id}"))["unconfirmed"] == doubt
        lite.clock.now = old.latest_start_at + timedelta(seconds=1)
        assert (await get(client, f"/broadcasts/{new.id}"))["unconfirmed"] is None  # too late to begin


async def test_a_cancelled_broadcast_says_it_too_and_only_of_nodes_in_sight(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    east, west = await commune(lite, "Xã Đông", province), await commune(lite, "Xã Tây", province)
    recording = await lite.recording(area_id=province.id)
    wanted = east.wish(recordings=(recording,), targets=(east.area.scope, west.area.scope))
    sent = await lite.services.broadcasts.create(lite.actor, wanted)
    await armed(lite, sent.id, sent.start_at - timedelta(minutes=2))
    whole = await lite.services.broadcasts.cancel(lite.actor, sent.id)
    seen = await lite.services.broadcasts.get(east.leader, sent.id)
    counts = [each.unconfirmed.node_count for each in (whole, seen) if each.unconfirmed is not None]
    assert counts == [2, 1]
