"""The tree of places."""

import unicodedata
from collections.abc import Awaitable
from typing import Any

import pytest
from sqlalchemy import select, update

from controller.areas.schemas import QuietWindow
from controller.errors import InvalidError, NotFoundError
from controller.plans.models import Document
from tests.controller.factories import Centre


async def dirty(here: Centre) -> set[tuple[str, str]]:
    """The documents that are to be signed anew, and forgets them."""
    async with here.database.transaction() as tx:
        rows = await tx.session.execute(select(Document.scope, Document.word).where(Document.dirty_since.is_not(None)))
        found = {(scope, word) for scope, word in rows}
        await tx.session.execute(update(Document).values(dirty_since=None))
    return found


async def refused(act: Awaitable[object]) -> tuple[str, str]:
    with pytest.raises(InvalidError) as wrong:
        await act
    return wrong.value.fields["field"], wrong.value.fields["problem"]


async def test_a_place_with_its_hamlets_is_there_whole_or_not_at_all(here: Centre) -> None:
    """Killed half-way, the rest of a pasted list would be lost: the step of first start counts as done."""
    areas, actor = here.services.areas, here.actor
    for wrong in (["Thôn 1", "Thôn 2", "thôn 1"], ["Thôn 1", "x" * 201], ["Thôn 1", " "]):
        await refused(areas.create_with(actor, name="Xã Nga My", kind="commune", hamlets=wrong))
        assert await areas.tree(actor) == []
    made = await areas.create_with(actor, name="Xã Nga My", kind="commune", hamlets=["Thôn 2", "Thôn 1"])
    found = [(each.kind, each.name, each.parent_id) for each in await areas.tree(actor)]
    below = [("hamlet", name, made.id) for name in ("Thôn 1", "Thôn 2")]
    assert found == [("commune", "Xã Nga My", None), *below]
    written = await here.services.audit.list(actor)
    assert [each.action for each in written if each.action == "areas.create"] == ["areas.create"] * 3
    assert len([scope for scope, _ in await dirty(here) if scope.startswith("areas/")]) > 3


async def test_the_tree_reads_as_people_count(here: Centre) -> None:
    commune = await here.area("Xã Nga My", kind="commune")
    for name in ("Thôn 10", "Thôn 2", "Thôn 1"):
        await here.area(name, commune)
    tree = await here.services.areas.tree(here.actor)
    assert [(area.depth, area.name) for area in tree] == [
        (0, "Xã Nga My"),
        (1, "Thôn 1"),
        (1, "Thôn 2"),
        (1, "Thôn 10"),
    ]
    assert tree[1].path == ("Xã Nga My", "Thôn 1")


async def test_a_place_has_from_above_what_it_does_not_set(here: Centre) -> None:
    province = await here.area("Tỉnh", languages=["vi", "tyz"])
    commune = await here.area("Xã", province, quiet_hours=[QuietWindow(start="21:00", until="06:00")])
    hamlet = await here.area("Thôn", commune, languages=["hmn"])
    assert province.effective.quiet_hours == (QuietWindow(start="22:00", until="05:00"),)
    assert province.effective.zone == "Asia/Ho_Chi_Minh"
    assert hamlet.effective.quiet_hours == (QuietWindow(start="21:00", until="06:00"),)
    assert (commune.effective.languages, hamlet.effective.languages) == (("vi", "tyz"), ("hmn",))


async def test_quiet_hours_can_be_none_at_all_only_by_saying_so(here: Centre) -> None:
    assert (await here.area("Xã", quiet_hours=[])).effective.quiet_hours == ()


async def test_a_new_place_has_its_documents_signed(here: Centre) -> None:
    area = await here.area()
    assert await dirty(here) == {(area.scope, "hold"), (area.scope, "urgent"), (area.scope, "plan")}


async def test_a_change_of_the_rules_reaches_every_node_below(here: Centre) -> None:
    commune = await here.area("Xã")
    hamlet = await here.area("Thôn 1", commune)
    node, other = await here.node(hamlet), await here.node(await here.area("Thôn 2"), "Cụm 2")
    await dirty(here)
    await here.services.areas.change(here.actor, commune.id, quiet_hours=None, name="Xã mới")
    assert await dirty(here) == {(node.scope, "settings")}
    await here.services.areas.change(here.actor, commune.id, name="Xã khác")
    assert await dirty(here) == set()
    assert (await here.services.areas.get(here.actor, commune.id)).node_count == 1
    assert other.area_path == ("Thôn 2",)


async def test_the_tree_is_not_deeper_than_a_node_can_be_told(here: Centre) -> None:
    at = await here.area("1")
    for level in range(2, 16):
        at = await here.area(str(level), at)
    assert await refused(here.area("16", at)) == ("parent_id", "too_deep")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("name", "", "empty"),
        ("name", "  \u00a0 ", "empty"),
        ("name", "x" * 201, "too_long"),
        ("name", "Thôn\u202eĐông", "control_characters"),
        ("name", "Thôn\u200bĐông", "control_characters"),
        ("name", "Thôn\nĐông", "control_characters"),
        ("name", "Thôn\x1b[2J", "control_characters"),
        ("zone", "Mars/Olympus", "unknown"),
        ("zone", "../../etc/passwd", "unknown"),
        ("zone", "", "unknown"),
        ("languages", [], "unknown"),
        ("languages", ["tiếng Việt"], "unknown"),
        ("parent_id", "nowhere", "unknown"),
        ("quiet_hours", [QuietWindow(start="22:00", until="22:00")], "empty_window"),
    ],
)
async def test_a_wrong_field_is_named(lite: Centre, field: str, value: object, problem: str) -> None:
    given: dict[str, Any] = {"name": "Thôn Đông", field: value}
    assert await refused(lite.services.areas.create(lite.actor, **given)) == (field, problem)
    assert await lite.services.areas.tree(lite.actor) == []


async def test_names_are_kept_composed_and_trimmed(lite: Centre) -> None:
    typed = unicodedata.normalize("NFD", "  Thôn   Đông ")
    assert (await lite.area(typed)).name == unicodedata.normalize("NFC", "Thôn Đông")


async def test_what_is_not_there_is_not_found(lite: Centre) -> None:
    with pytest.raises(NotFoundError):
        await lite.services.areas.get(lite.actor, "nowhere")
    with pytest.raises(NotFoundError):
        await lite.services.areas.change(lite.actor, "nowhere", name="x")
