"""Places are put away when nothing is there; what was said and done there goes on naming them."""

import pytest

from controller.areas.errors import AreaInUseError
from controller.areas.move_schemas import MoveIn
from controller.bulletins.schemas import BulletinIn, VoiceIn
from controller.errors import ForbiddenError, InvalidError, NotFoundError
from controller.nodes.rules import NodeKind
from controller.people import rights
from controller.people.actor import Actor
from controller.people.rights import Act, Role
from tests.controller.factories import ADDRESS, Centre
from tests.controller.schedules.village import programme


async def test_an_empty_place_goes_from_every_list_and_its_name_is_free(here: Centre) -> None:
    root = await here.area("Xã Đông", kind="commune")
    wrong = await here.area("Thôn Trên", root)
    assert (await here.services.removals.preview(here.actor, wrong.id)).is_empty
    await here.services.removals.remove(here.actor, wrong.id)
    assert [each.id for each in await here.services.areas.tree(here.actor)] == [root.id]
    with pytest.raises(NotFoundError):
        await here.services.areas.get(here.actor, wrong.id)
    with pytest.raises(NotFoundError):
        await here.services.removals.remove(here.actor, wrong.id)
    assert (await here.area("Thôn Trên", root)).name == "Thôn Trên"
    entry = next(each for each in await here.services.audit.list(here.actor) if each.action == "areas.remove")
    assert (entry.subject, entry.detail["name"]) == (f"areas/{wrong.id}", "Thôn Trên")


async def test_nothing_comes_into_a_place_that_was_removed(lite: Centre) -> None:
    root = await lite.area("Xã Đông", kind="commune")
    gone, other = [await lite.area(name, root) for name in ("Thôn Trên", "Thôn Dưới")]
    await lite.services.removals.remove(lite.actor, gone.id)
    person = await lite.somebody("hoa", Role.OPERATOR, other)
    with pytest.raises(InvalidError):
        await lite.area("Xóm Mới", gone)
    with pytest.raises(InvalidError):
        await lite.services.nodes.create(lite.actor, area_id=gone.id, name="Có dây", kind=NodeKind.WIRED)
    with pytest.raises(InvalidError):
        await lite.services.accounts.grant(lite.actor, person.id, role=Role.OPERATOR, area_id=gone.id)
    with pytest.raises(NotFoundError):
        await lite.services.areas.change(lite.actor, gone.id, name="Thôn Giữa")
    with pytest.raises(NotFoundError):
        await lite.services.moves.preview(lite.actor, gone.id, MoveIn(areas=(other.id,)))
    with pytest.raises(InvalidError):
        await lite.services.moves.preview(lite.actor, other.id, MoveIn(areas=(gone.id,)))
    with pytest.raises(InvalidError):
        await lite.services.holds.order(lite.actor, [gone.scope])
    with pytest.raises(InvalidError):
        await programme(lite, gone)
    with pytest.raises(InvalidError):
        await lite.services.bulletins.create(
            lite.actor,
            BulletinIn(area_id=gone.id, title="Tin", category="notice", voices=[VoiceIn(language="vi", text="Họp.")]),
        )
    with pytest.raises(NotFoundError):
        await lite.services.policies.get(lite.actor, gone.id)
    async with lite.database.reading() as session:
        with pytest.raises(InvalidError):
            await rights.home(session, lite.actor, Act.RECORDINGS_UPLOAD, gone.id)


async def test_a_root_that_was_removed_leaves_new_things_to_the_one_that_stands(here: Centre) -> None:
    root = await here.area("Xã Đông", kind="commune")
    wrong = await here.area("Xã Đogn", kind="commune")
    await here.services.removals.remove(here.actor, wrong.id)
    async with here.database.reading() as session:
        assert await rights.home(session, here.actor, Act.RECORDINGS_UPLOAD, None) == root.id


async def test_the_name_of_a_removed_place_is_free_for_one_that_moves_there(lite: Centre) -> None:
    a, b = [await lite.area(name, kind="commune") for name in ("Xã A", "Xã B")]
    wrong, right = [await lite.area("Thôn 1", commune) for commune in (a, b)]
    await lite.services.removals.remove(lite.actor, wrong.id)
    moved = await lite.services.moves.preview(lite.actor, a.id, MoveIn(areas=(right.id,)))
    assert moved.into == ("Xã A",)


async def test_a_place_in_use_stays_and_says_what_is_there(lite: Centre) -> None:
    root = await lite.area("Xã Đông", kind="commune")
    hamlet = await lite.area("Thôn Trên", root)
    await lite.node(hamlet)
    await lite.somebody("hoa", Role.OPERATOR, hamlet)
    await lite.services.holds.order(lite.actor, [hamlet.scope])
    with pytest.raises(AreaInUseError) as refused:
        await lite.services.removals.remove(lite.actor, hamlet.id)
    there = {kind: count for kind, count in refused.value.fields.items() if count}
    assert there == {"nodes": 1, "grants": 1, "holds": 1}
    above = await lite.services.removals.preview(lite.actor, root.id)
    assert (above.areas, above.nodes) == (1, 0)
    assert len(await lite.services.areas.tree(lite.actor)) == 2


async def test_a_place_is_removed_by_who_may_where_it_belongs(lite: Centre) -> None:
    root = await lite.area("Xã Đông", kind="commune")
    hamlet = await lite.area("Thôn Trên", root)
    people = {
        name: Actor((await lite.somebody(name, role, area)).id, ADDRESS)
        for name, role, area in (
            ("quan.tri", Role.ADMINISTRATOR, root),
            ("cua.thon", Role.ADMINISTRATOR, hamlet),
            ("lanh.dao", Role.APPROVER, root),
        )
    }
    for name in ("cua.thon", "lanh.dao"):
        with pytest.raises(ForbiddenError):
            await lite.services.removals.remove(people[name], hamlet.id)
    with pytest.raises(ForbiddenError):
        await lite.services.removals.preview(people["quan.tri"], root.id)
    await lite.services.accounts.change(lite.actor, people["cua.thon"].person_id or "", disabled=True)
    with pytest.raises(AreaInUseError):  # a closed account may be opened again
        await lite.services.removals.remove(people["quan.tri"], hamlet.id)
