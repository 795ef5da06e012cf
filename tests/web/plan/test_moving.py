"""One date put elsewhere over HTTP: all that cannot be read is told at once, and what a person chose goes along."""

import re

import pytest

from controller.schedules.schemas import CalendarIn
from tests.web.harness import Commune, visitor
from tests.web.pages import programme, said
from tests.web.plan.test_other_programme import NAME, begun, chosen, date, other


async def test_a_day_and_an_hour_that_cannot_be_read_are_both_told_each_at_its_field(site: Commune) -> None:
    made = await programme(site)
    async with visitor(site) as client:
        path = await begun(site, client, made)
        typed = {"act": "move", "day": "mai", "hour": "sớm"}
        for look in ({}, {"look": "yes"}):
            page = await client.post(f"{path}/dates/{NAME}", data=typed | look)
            told = dict(re.findall(r'id="wrong-(\w+)">([^<]*)', page.text))
            assert page.status_code == 422
            assert ("Không hiểu ngày này" in told["day"], "Không hiểu giờ này" in told["hour"]) == (True, True)
            assert len(re.findall(r'name="(?:day|hour)" value="(?:mai|sớm)"[^>]*aria-invalid="true"', page.text)) == 2
        dragged = await client.post(f"{path}/dates/{NAME}/look", data={"local": "mai"})
    assert ("Không hiểu ngày này" in dragged.text, '<button class="main">' in dragged.text) == (True, False)


@pytest.mark.parametrize("effect", ["replace", "suspend"])
async def test_a_programme_chosen_by_hand_goes_along_from_a_day_of_a_calendar(site: Commune, effect: str) -> None:
    made, special, of_the_day = await programme(site), await other(site), await other(site, "Ngày hội")
    days = [{"kind": "date", "date": "2031-11-26"}]
    wanted = {"area_id": site.root.id, "title": "Ngày hội", "days": days, "effect": effect}
    wanted |= {"programme_id": of_the_day.id} if effect == "replace" else {}
    async with visitor(site) as client:
        path = await begun(site, client, made)
        assert (await chosen(client, path, special.id)).status_code == 303
        await site.centre.services.calendars.create(site.centre.actor, CalendarIn.model_validate(wanted))
        to = {"act": "move", "day": "27/11/2031", "hour": "17:30", "confirm_unusual": "yes"}
        moved = await client.post(f"{path}/dates/{NAME}", data=to)
        assert moved.status_code == 303, said(moved)
    there = await date(site, path)
    assert (f"{there.local:%d}", there.verdict, there.programme_id) == ("27", "aired", special.id)
