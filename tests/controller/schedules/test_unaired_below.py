"""What is told of dates of which no broadcast came to be to places below, and of those that nobody planned."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from controller.areas.schemas import AreaOut
from controller.paging import Wanted
from controller.people.actor import Actor
from controller.programmes.schemas import ProgrammeChange
from controller.schedules.models import Schedule
from controller.schedules.schemas import UnairedOut
from tests.controller.factories import Centre
from tests.controller.schedules.test_stricter import rule
from tests.controller.schedules.test_unaired import days, unaired
from tests.controller.schedules.village import broadcasts, locals_of, scheduled


async def someone(here: Centre, login: str, area: AreaOut) -> Actor:
    return Actor((await here.somebody(login, "operator", area)).id, "test")


async def test_a_date_broken_for_longer_than_plans_reach_is_there_for_each_place_that_it_is_aimed_at(
    here: Centre,
) -> None:
    commune = await here.area("Xã A", kind="commune")
    one, two, three = [await here.area(f"Thôn {number}", commune) for number in (1, 2, 3)]
    for place in (one, two, three):
        node = await here.node(place, place.name)
    await scheduled(here, commune, targets=(one.scope, two.scope))
    await scheduled(here, commune, targets=(f"nodes/{node.id}",), starts_at_local="2026-03-10T06:00:00", title="Thôn 3")
    people = [await someone(here, f"hoa{number}", place) for number, place in enumerate((one, three))]
    await rule(here, commune, minutes_a_session=5)
    for _ in range(9):
        here.clock.step(days=1)
        await here.services.schedules.roll_due()
    today = here.services.unaired.today

    async def titles(actor: Actor, area_id: str | None = None) -> list[str]:
        return [each.title for each in await today(actor, area_id=area_id)]

    assert await titles(here.actor, commune.id) == ["Chương trình sáng", "Thôn 3"]
    assert await titles(here.actor, one.id) == ["Chương trình sáng"]
    assert await titles(here.actor, three.id) == ["Thôn 3"]
    assert await titles(people[0]) == ["Chương trình sáng"]
    assert await titles(people[1]) == ["Thôn 3"]


async def test_what_never_was_told_there_is_a_draft_and_not_there_below(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    commune = await lite.area("Xã A", province, kind="commune")
    await lite.node(commune)
    hoa = await someone(lite, "hoa", commune)
    await scheduled(lite, province, starts_at_local="2026-03-25T05:00:00")  # farther ahead than plans reach
    await rule(lite, province, minutes_a_session=5)
    for _ in range(16):
        lite.clock.step(days=1)
        await lite.services.schedules.roll_due()
    assert len(await lite.services.unaired.today(lite.actor)) == 1
    assert await lite.services.unaired.today(hoa) == []


async def test_below_a_date_keeps_the_title_and_the_places_that_were_told(here: Centre) -> None:
    province = await here.area("Tỉnh", kind="province")
    a, b = [await here.area(name, province, kind="commune") for name in ("Xã A", "Xã B")]
    for place in (a, b):
        await here.node(place, place.name)
    await scheduled(here, province, targets=(a.scope, b.scope))
    hoa = await someone(here, "hoa", a)
    here.clock.step(days=1)
    await here.services.schedules.roll_due()
    async with here.database.transaction() as tx:
        changed = {"title": "Bí mật", "late_ms": 1, "rolled_until": None, "scopes": [province.scope]}
        await tx.session.execute(update(Schedule).values(**changed))
    await rule(here, province, minutes_a_session=5)
    await here.services.schedules.roll_due()
    until = (here.clock() + timedelta(days=30)).isoformat()
    wanted = Wanted(sort="start", limit=100, having={"until": until, "result": "unaired"})
    below = [each for each in (await here.services.history.find(hoa, wanted)).rows if isinstance(each, UnairedOut)]
    told = {(each.title, tuple(target.name for target in each.targets)) for each in below}
    assert told == {("Chương trình sáng", ("Xã A",))}
    assert {(each.title, each.targets[0].name) for each in await unaired(here)} == {("Bí mật", "Tỉnh")}

    async def found(actor: Actor, words: str) -> int:
        return (await here.services.history.find(actor, replace(wanted, q=words))).total

    assert (await found(hoa, "bi mat"), await found(hoa, "chuong trinh")) == (0, len(below))
    assert (await found(here.actor, "bi mat"), await found(here.actor, "chuong trinh")) == (len(below), 0)


async def test_dates_that_passed_while_the_centre_was_down_are_noted_once(here: Centre) -> None:
    area = await here.area()
    made = await scheduled(here, area)
    last = locals_of(await broadcasts(here, made.id))[-1]
    here.clock.step(days=12)
    await here.services.schedules.roll_due()
    noted = await unaired(here)
    assert [each.problem for each in noted] == ["not_planned"] * len(noted)
    assert [each.title for each in noted] == ["Chương trình sáng"] * len(noted)
    first, *_, newest = await days(here)
    assert int(first[:2]) == int(last[:2]) + 1
    assert newest == f"{here.clock() + timedelta(hours=7):%d} 05:00"
    assert len(noted) == int(newest[:2]) - int(last[:2])
    here.clock.step(days=1)
    await here.services.schedules.roll_due()
    assert await unaired(here) == noted


async def test_dates_that_a_change_kept_from_being_planned_are_noted_too(here: Centre) -> None:
    """What waits to be rolled anew was planned until then, whatever keeps it from being rolled."""
    area = await here.area()
    made = await scheduled(here, area)
    last = locals_of(await broadcasts(here, made.id))[-1]
    known = await here.services.programmes.get(here.actor, made.programme_id)
    await here.services.programmes.change(
        here.actor, made.programme_id, ProgrammeChange(version=known.version, lead_in_ms=500)
    )
    here.clock.step(days=12)
    await here.services.schedules.roll_due()
    noted = await days(here)
    assert noted[0] <= f"{int(last[:2]) + 1} 05:00"
    assert noted[-1] == f"{here.clock() + timedelta(hours=7):%d} 05:00"
