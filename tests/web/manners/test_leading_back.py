"""After an act one stands where one was: in the list as it was asked for, at the place that was looked at."""

import re

from tests.web.harness import Commune, visitor


async def test_a_release_leads_back_to_what_was_looked_at(site: Commune) -> None:
    scopes = [area.scope for area in site.hamlets.values()]
    (hold, *_) = await site.centre.services.holds.order(site.centre.actor, scopes)
    async with visitor(site) as client:
        path = f"/holds/{hold.id}/release"
        led = await client.post(path, data={"next": "/schedules?view=month&day=2031-12-01&done=saved&before=yes"})
        assert led.headers["location"] == "/schedules?view=month&day=2031-12-01&done=released"
        for strange in ("//example.org/?a=b", "https://example.org/", "/\\example.org"):
            led = await client.post(path, data={"next": strange})
            assert led.headers["location"] == "/today?done=released"


async def test_an_alarm_that_is_looked_after_leaves_the_list_as_it_was_asked_for(site: Commune) -> None:
    services = site.centre.services
    async with site.centre.database.transaction() as tx:
        await services.alarms.raise_(tx, "people.locked", site.root.id, "people/x", {"login": "hoa"})
    async with visitor(site) as client:
        page = (await client.get("/alarms", params={"state": "waiting"})).text
        (act,) = re.findall(r'action="(/alarms/\w+/acknowledgement)"', page)
        assert 'name="next" value="/alarms?state=waiting"' in page
        led = await client.post(act, data={"next": "/alarms?state=waiting"})
        assert led.headers["location"] == "/alarms?state=waiting&done=acknowledged"
        assert (await client.post(act, data={"next": "/people"})).headers["location"] == "/alarms?done="
