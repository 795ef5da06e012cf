"""What areas above want to be heard stands in a list until the commune has placed it."""

from typing import Any

import httpx

from controller.areas.schemas import AreaOut
from controller.bulletins.schemas import BulletinIn, BulletinOut, OfferIn, VersionSeen, VoiceIn
from controller.people.actor import Actor
from controller.programmes.models import ItemKind
from controller.programmes.schemas import ItemIn, ProgrammeChange
from controller.schedules.schemas import ScheduleOut
from tests.controller.factories import Centre
from tests.controller.schedules.village import scheduled


async def offered(here: Centre, area: AreaOut, level: str = "priority") -> BulletinOut:
    """A bulletin that an area offers to those below."""
    voices = [VoiceIn(language="vi", recording_id=await here.recording(area_id=area.id))]
    bulletins, who = here.services.bulletins, here.actor
    made = await bulletins.create(
        who, BulletinIn.model_validate({"area_id": area.id, "title": "Bão số 3", "level": level, "voices": voices})
    )
    seen = VersionSeen(version=made.version)
    await bulletins.submit(who, made.id, seen)
    await bulletins.approve(who, made.id, seen)
    return await bulletins.offer(who, made.id, OfferIn(version=made.version))


async def place(here: Centre, schedule: ScheduleOut, bulletin: BulletinOut) -> None:
    programme = await here.services.programmes.get(here.actor, schedule.programme_id)
    items = [ItemIn(kind=ItemKind.BULLETIN, bulletin_id=bulletin.id)]
    wanted = ProgrammeChange(version=programme.version, items=items)
    await here.services.programmes.change(here.actor, schedule.programme_id, wanted)


async def owed(client: httpx.AsyncClient) -> list[tuple[str, list[str]]]:
    found: list[dict[str, Any]] = (await client.get("/api/v1/bulletins", params={"owed": True})).json()
    return [(each["id"], [place["name"] for place in each["owed_in"]]) for each in found]


async def test_a_priority_bulletin_is_owed_until_one_programme_that_airs_holds_it(here: Centre) -> None:
    province = await here.area("Tỉnh", kind="province")
    east, west = [await here.area(name, province, kind="commune") for name in ("Xã Đông", "Xã Tây")]
    await here.area("Xã Nam", province, kind="commune")  # airs nothing
    wanted, _ = await offered(here, province), await offered(here, province, "normal")
    morning, _, _ = [
        await scheduled(here, area, 1, starts=f"2026-03-10T{hour:02}:00:00")
        for area, hour in ((east, 6), (east, 8), (west, 6))
    ]
    operator = await here.somebody("hoa", "operator", east)
    async with here.client() as client, here.client(who=operator) as own:
        assert await owed(client) == [(wanted.id, ["Xã Đông", "Xã Tây"])]
        assert await owed(own) == [(wanted.id, ["Xã Đông"])]  # nothing of the neighbour
        await place(here, morning, wanted)
        assert await owed(client) == [(wanted.id, ["Xã Tây"])]
        assert await owed(own) == []
        await here.services.schedules.end(here.actor, morning.id)
        assert await owed(own) == [(wanted.id, ["Xã Đông"])]  # it stands in nothing that is aired any more


async def test_what_is_offered_no_longer_is_owed_no_longer(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    commune = await lite.area("Xã", province, kind="commune")
    wanted = await offered(lite, province)
    await scheduled(lite, commune, 1, starts="2026-03-10T06:00:00")
    operator = Actor((await lite.somebody("hoa", "operator", commune)).id, "tests")
    assert [each.id for each in await lite.services.bulletins.list(operator, owed=True)] == [wanted.id]
    assert [each.owed_in for each in await lite.services.bulletins.list(operator)] == [()]
    await lite.services.bulletins.end_offer(lite.actor, wanted.id)
    assert await lite.services.bulletins.list(operator, owed=True) == []
