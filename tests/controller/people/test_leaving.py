"""What goes with a role, said before it is taken: who else does the same, and what would wait for nobody."""

import pytest

from controller.errors import NotFoundError
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.people.schemas import LossOut, PersonOut
from tests.controller.approving import ANOTHER, commune
from tests.controller.factories import ADDRESS, Centre


async def losses(here: Centre, person: PersonOut) -> list[LossOut]:
    return list((await here.services.leaving.of(here.actor, person.id)).roles)


async def test_the_only_leader_leaves_what_waits_to_nobody(here: Centre) -> None:
    place = await commune(here, **ANOTHER)
    for title in ("Một", "Hai"):
        await place.say(title=title)
    leader = place.people[place.leader]
    [loss] = await losses(here, leader)
    assert (loss.others, loss.waiting, loss.keeps) == (0, 2, False)
    assert (await here.services.leaving.of(here.actor, leader.id)).closing_waiting == 2
    another = await here.somebody("mai.leader", Role.APPROVER, place.area)
    [loss] = await losses(here, leader)
    assert (loss.others, loss.waiting) == (1, 0)
    await here.services.accounts.change(here.actor, another.id, disabled=True)
    [loss] = await losses(here, leader)
    assert (loss.others, loss.waiting) == (0, 2)
    closed = await here.services.leaving.of(here.actor, another.id)
    assert (closed.roles, closed.closing_waiting) == ((), 0)


async def test_who_asked_does_not_take_over_what_they_asked_for(lite: Centre) -> None:
    place = await commune(lite, **ANOTHER)
    operator = place.people[place.operator]
    lite.clock.step(seconds=1)
    await lite.services.accounts.grant(lite.actor, operator.id, role=Role.APPROVER, area_id=place.area.id)
    await place.say()
    [loss] = await losses(lite, place.people[place.leader])
    assert (loss.others, loss.waiting) == (1, 1)
    writing, approving = await losses(lite, await lite.services.accounts.get(lite.actor, operator.id))
    assert (writing.keeps, writing.others, writing.waiting) == (True, 1, 0)
    assert (approving.keeps, approving.waiting) == (False, 0)


async def test_another_role_above_keeps_what_a_role_allows(lite: Centre) -> None:
    root = await lite.area("Xã Đông", kind="commune")
    hamlet, other = [await lite.area(name, root) for name in ("Thôn Trên", "Thôn Dưới")]
    person = await lite.somebody("hoa", Role.OPERATOR, hamlet)
    lite.clock.step(seconds=1)
    await lite.services.accounts.grant(lite.actor, person.id, role=Role.OPERATOR, area_id=root.id)
    of_hamlet, of_root = await losses(lite, person)
    assert (of_hamlet.keeps, of_root.keeps) == (True, False)
    await lite.somebody("mai", Role.OPERATOR, other)
    _, of_root = await losses(lite, person)
    assert of_root.others == 0, "who works in one hamlet does not do the work of all"


async def test_looking_is_nobodys_work_and_an_administrator_is_followed_by_administrators(lite: Centre) -> None:
    area = await lite.area("Xã Đông", kind="commune")
    observer = await lite.somebody("xem", Role.OBSERVER, area)
    assert [each.others for each in await losses(lite, observer)] == [None]
    keeper = await lite.somebody("quan.tri", Role.ADMINISTRATOR, area)
    assert [each.others for each in await losses(lite, keeper)] == [1]


async def test_what_goes_with_a_role_is_told_to_who_looks_after_the_account(lite: Centre) -> None:
    east, west = [await lite.area(name, kind="commune") for name in ("Xã Đông", "Xã Đoài")]
    person = await lite.somebody("hoa", Role.OPERATOR, east)
    stranger = Actor((await lite.somebody("quan.tri", Role.ADMINISTRATOR, west)).id, ADDRESS)
    with pytest.raises(NotFoundError):
        await lite.services.leaving.of(stranger, person.id)
