"""Alarms: who is told, and that each is looked after once."""

import pytest

from controller.errors import InvalidError
from controller.events import Event, Topic
from controller.http import audience
from controller.names import clean_name
from controller.people import rights
from controller.people.actor import Actor
from tests.controller.factories import ADDRESS, Centre


async def raised(here: Centre, area_id: str | None, subject: str = "emergencies/1", **more: bool) -> None:
    async with here.database.transaction() as tx:
        await here.services.alarms.raise_(tx, "emergencies.break_glass", area_id, subject, {"reason": "lũ"}, **more)


async def test_an_alarm_is_told_listed_and_acknowledged_once(here: Centre) -> None:
    area = await here.area()
    with here.bus.listen() as events:
        await raised(here, area.id)
        told = await anext(events)
    async with here.client() as client:
        [alarm] = (await client.get("/api/v1/alarms")).json()
        assert (told.topic, told.key) == (Topic.ALARM, alarm["id"])
        assert (alarm["kind"], alarm["detail"]) == ("emergencies.break_glass", {"reason": "lũ"})
        path = f"/api/v1/alarms/{alarm['id']}/acknowledgement"
        acknowledged = (await client.post(path)).json()
        assert acknowledged["acknowledged_by"] == here.person.id
        assert acknowledged["acknowledged_by_name"] == here.person.name
        assert (await client.post(path)).status_code == 409
        assert (await client.get("/api/v1/alarms", params={"waiting": True})).json() == []
        assert len((await client.get("/api/v1/alarms", params={"waiting": False})).json()) == 1
        [entry] = (await client.get("/api/v1/audit", params={"limit": 1})).json()
    assert entry["action"] == "alarms.acknowledge"


async def test_an_alarm_that_still_waits_is_not_raised_again(here: Centre) -> None:
    for _ in range(2):
        await raised(here, None, unless_open=True)
    await raised(here, None, "emergencies/2", unless_open=True)
    alarms = await here.services.alarms.list(here.actor)
    assert {each.subject for each in alarms} == {"emergencies/1", "emergencies/2"}
    assert len(alarms) == 2
    for each in alarms:
        await here.services.alarms.acknowledge(here.actor, each.id)
    await raised(here, None, unless_open=True)
    assert len(await here.services.alarms.list(here.actor, waiting=True)) == 1


async def test_an_alarm_of_a_transaction_that_failed_was_never_raised(here: Centre) -> None:
    async def fail() -> None:
        async with here.database.transaction() as tx:
            await here.services.alarms.raise_(tx, "people.locked", None, "people/1", {})
            clean_name("")

    with pytest.raises(InvalidError):
        await fail()
    assert await here.services.alarms.list(here.actor) == []


async def test_an_alarm_is_for_administrators_of_its_area_and_above_and_for_nobody_beside(here: Centre) -> None:
    commune, other = await here.area("Xã A"), await here.area("Xã B")
    hamlet = await here.area("Thôn 1", commune)
    await raised(here, hamlet.id, "holds/1")
    await raised(here, other.id, "holds/2")
    await raised(here, None, "people/3")
    administrator = await here.somebody("anh", "administrator", commune)
    async with here.client(who=administrator) as client:
        assert [each["subject"] for each in (await client.get("/api/v1/alarms")).json()] == ["holds/1"]
        [foreign] = [each for each in await here.services.alarms.list(here.actor) if each.subject == "holds/2"]
        assert (await client.post(f"/api/v1/alarms/{foreign.id}/acknowledgement")).status_code == 404
    operator = await here.somebody("binh", "operator", commune)
    async with here.client(who=operator) as client:
        assert (await client.get("/api/v1/alarms")).json() == []  # of schedules alone: they write those
        [near] = [each for each in await here.services.alarms.list(here.actor) if each.subject == "holds/1"]
        assert (await client.post(f"/api/v1/alarms/{near.id}/acknowledgement")).status_code == 404
    observer = await here.somebody("nhin", "observer", commune)
    async with here.client(who=observer) as client:
        assert (await client.get("/api/v1/alarms")).status_code == 403


@pytest.mark.parametrize(
    ("role", "subjects"),
    [("administrator", ["holds/1"]), ("approver", ["holds/1"]), ("operator", []), ("observer", [])],
)
async def test_only_who_may_acknowledge_an_alarm_hears_of_it(here: Centre, role: str, subjects: list[str]) -> None:
    commune, other = await here.area("Xã A"), await here.area("Xã B")
    for place, subject in ((commune.id, "holds/1"), (other.id, "holds/2"), (None, "people/3")):
        await raised(here, place, subject)
    told = {each.subject: Event(Topic.ALARM, each.id) for each in await here.services.alarms.list(here.actor)}
    actor = Actor((await here.somebody("binh", role, commune)).id, ADDRESS)
    async with here.database.reading() as session:
        seen = await rights.sight(session, actor)
        heard = await audience.heard(session, actor, seen, list(told.values()))
    assert heard == [told[each] for each in subjects]
