"""Communes merge, hamlets change hands, clusters without an agent: seen before it is done, and nothing is lost."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from controller.areas.move_schemas import MoveIn, MoveOut, MoveSeenIn
from controller.areas.moving import Move, Stands
from controller.areas.rules import Place, Tree
from controller.areas.schemas import AreaOut, QuietWindow
from controller.audit.models import AuditEntry
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.errors import ConflictError, ForbiddenError, InvalidError
from controller.nodes.rules import NodeKind
from controller.people import rights
from controller.people.rights import Act, Role
from controller.plays import service as plays
from controller.programmes.models import Programme
from controller.schedules.models import Schedule
from edge_agent.protocol.states import PlayState
from tests.controller.factories import Centre
from tests.controller.test_services_areas import dirty
from tests.controller.test_services_broadcasts import tell
from tests.controller.test_sight import person, province


async def send(here: Centre, title: str, *scopes: str, hours: int = 1) -> BroadcastOut:
    wanted = BroadcastIn(
        title=title,
        recordings=(await here.recording(),),
        targets=scopes,
        start_at=here.clock() + timedelta(hours=hours),
    )
    return await here.services.broadcasts.create(here.actor, wanted)


async def move(here: Centre, into: AreaOut, *areas: AreaOut, nodes: tuple[str, ...] = ()) -> MoveOut:
    wanted = MoveIn(areas=tuple(area.id for area in areas), nodes=nodes)
    seen = await here.services.moves.preview(here.actor, into.id, wanted)
    asked = MoveSeenIn(**wanted.model_dump(), seen_sha256=seen.sha256)
    return await here.services.moves.move(here.actor, into.id, asked)


async def outcomes(here: Centre, broadcast: BroadcastOut) -> dict[str, str | None]:
    found = await here.services.broadcasts.plays(here.actor, broadcast.id)
    return {play.node_name: play.outcome for play in found}


async def test_communes_merge_and_keep_ids_history_and_rights(here: Centre) -> None:
    """Both stand below the new commune, with what was sent to them and the people who work in them."""
    all_of = await province(here)
    east, west = all_of.east, all_of.west
    sent = await send(here, "Bản tin cũ", east.area.scope)
    merged = await here.area("Xã Mới", all_of.area, kind="commune")
    shown = await move(here, merged, east.area, west.area)
    assert [(each.name, each.path_before, each.path_after) for each in shown.moved] == [
        ("Xã Đông", ("Tỉnh",), ("Tỉnh", "Xã Mới")),
        ("Xã Đoài", ("Tỉnh",), ("Tỉnh", "Xã Mới")),
    ]
    assert (shown.node_count, shown.rules, shown.heard, shown.grants) == (2, (), (), ())
    assert (await here.services.nodes.get(here.actor, east.node.id)).area_path == ("Tỉnh", "Xã Mới", "Xã Đông")
    assert await outcomes(here, sent) == {"Cụm Xã Đông": None}
    assert (await here.services.broadcasts.get(east.operator, sent.id)).node_count == 1
    async with here.database.reading() as session:
        await rights.require(session, east.operator, Act.HOLDS_ORDER, [east.area.id])
        with pytest.raises(ForbiddenError):
            await rights.require(session, east.operator, Act.HOLDS_ORDER, [west.area.id])
        entry = await session.scalar(select(AuditEntry).where(AuditEntry.action == Act.AREAS_MOVE))
    assert entry is not None
    assert entry.area_id == all_of.area.id
    assert entry.detail["moved"][east.area.scope] == [all_of.area.id, merged.id]


async def test_the_preview_names_what_changes(here: Centre) -> None:
    all_of = await province(here)
    east, west = all_of.east, all_of.west
    await here.services.areas.change(
        here.actor, west.area.id, quiet_hours=[QuietWindow(start="20:00", until="06:00")], languages=["tyz", "vi"]
    )
    hamlet = await here.area("Thôn Bến", east.area)
    await here.node(hamlet, "Cụm Bến")
    goes, comes = await send(here, "Của Đông", east.area.scope), await send(here, "Của Đoài", west.area.scope, hours=2)
    await send(here, "Của thôn", hamlet.scope, hours=3)
    (hold,) = await here.services.holds.order(here.actor, [west.area.scope])
    async with here.database.transaction() as tx:
        said = {"area_id": west.area.id, "version": 1, "created_by": here.person.id, "created_at": here.clock()}
        tx.session.add(Programme(id="p", title="17:00", changed_at=here.clock(), **said))
        await tx.session.flush()
        tx.session.add(
            Schedule(
                id="s",
                title="Chiều 17:00",
                programme_id="p",
                scopes=[west.area.scope],
                level="normal",
                zone="Asia/Ho_Chi_Minh",
                starts_at_local="2026-03-10T17:00:00",
                changed_by=here.person.id,
                changed_at=here.clock(),
                **said,
            )
        )
    before = await dirty(here)
    shown = await here.services.moves.preview(here.actor, west.area.id, MoveIn(areas=(hamlet.id,)))
    assert {(each.rule, each.areas, each.node_count) for each in shown.rules} == {
        ("quiet_hours", ("Thôn Bến",), 1),
        ("languages", ("Thôn Bến",), 1),
    }
    assert {(each.kind, each.id, each.reaches, each.node_count) for each in shown.heard} == {
        ("broadcast", goes.id, False, 1),
        ("broadcast", comes.id, True, 1),
        ("schedule", "s", True, 1),
        ("hold", hold.id, True, 1),
    }
    assert {(each.person_id, each.gains, each.areas) for each in shown.grants} == {
        (east.operator.person_id, False, ("Thôn Bến",)),
        (west.operator.person_id, True, ("Thôn Bến",)),
    }
    assert before, "the world was made"
    assert await dirty(here) == set(), "a preview changes nothing"


async def test_a_hamlet_that_moves_hears_what_its_new_commune_hears(here: Centre) -> None:
    all_of = await province(here)
    hamlet = await here.area("Thôn Bến", all_of.east.area)
    node = await here.node(hamlet, "Cụm Bến")
    goes, comes = await send(here, "Đông", all_of.east.area.scope), await send(here, "Đoài", all_of.west.area.scope)
    await dirty(here)
    await move(here, all_of.west.area, hamlet)
    assert (await outcomes(here, goes))["Cụm Bến"] == "cancel_unconfirmed"
    assert (await outcomes(here, comes))["Cụm Bến"] is None
    assert await dirty(here) == {(node.scope, "settings"), (node.scope, "hold")}
    await move(here, all_of.east.area, hamlet)
    assert (await outcomes(here, goes))["Cụm Bến"] is None, "it came back before it heard that it had left"


async def test_what_sounds_at_a_node_is_not_taken_from_it_by_a_move(here: Centre) -> None:
    all_of = await province(here)
    sent = await send(here, "Đông", all_of.east.area.scope)
    here.clock.step(hours=1)
    await tell(here, all_of.east.node.id, sent.id, state=PlayState.PLAYING, item=0)
    await move(here, all_of.west.area, nodes=(all_of.east.node.id,))
    assert await outcomes(here, sent) == {"Cụm Xã Đông": None}


async def test_what_was_not_seen_is_not_done(here: Centre) -> None:
    all_of = await province(here)
    wanted = MoveIn(nodes=(all_of.east.node.id,))
    seen = await here.services.moves.preview(here.actor, all_of.west.area.id, wanted)
    await send(here, "Đoài", all_of.west.area.scope)
    with pytest.raises(ConflictError) as refused:
        await here.services.moves.move(
            here.actor, all_of.west.area.id, MoveSeenIn(**wanted.model_dump(), seen_sha256=seen.sha256)
        )
    assert refused.value.fields == {"problem": "look_again"}
    assert (await here.services.nodes.get(here.actor, all_of.east.node.id)).area_id == all_of.east.area.id


async def test_who_moves_needs_the_right_where_it_leaves_and_where_it_comes_to(here: Centre) -> None:
    all_of = await province(here)
    hamlet = await here.area("Thôn Bến", all_of.east.area)
    east = await person(here, Role.ADMINISTRATOR, all_of.east.area)
    both = await person(here, Role.ADMINISTRATOR, all_of.area)
    preview = here.services.moves.preview
    with pytest.raises(ForbiddenError):
        await preview(east, all_of.area.id, MoveIn(areas=(hamlet.id,)))
    with pytest.raises(InvalidError):
        await preview(east, hamlet.id, MoveIn(nodes=(all_of.west.node.id,)))
    with pytest.raises(ForbiddenError):
        await preview(all_of.operator, all_of.west.area.id, MoveIn(areas=(hamlet.id,)))
    assert (await preview(both, all_of.west.area.id, MoveIn(areas=(hamlet.id,)))).moved
    root = await here.area("Tỉnh Khác")
    with pytest.raises(InvalidError):
        await preview(both, all_of.area.id, MoveIn(areas=(root.id,)))


async def test_only_who_works_everywhere_puts_an_uppermost_area_elsewhere(here: Centre) -> None:
    all_of = await province(here)
    root = await here.area("Tỉnh Khác")
    in_both = await person(here, Role.ADMINISTRATOR, all_of.area, root)
    with pytest.raises(ForbiddenError):
        await here.services.moves.preview(in_both, all_of.area.id, MoveIn(areas=(root.id,)))
    assert (await here.services.moves.preview(here.actor, all_of.area.id, MoveIn(areas=(root.id,)))).moved


async def test_a_move_is_the_only_way_to_lie_elsewhere(here: Centre) -> None:
    all_of = await province(here)
    async with here.client() as client:
        refused = await client.patch(f"/api/v1/areas/{all_of.east.area.id}", json={"parent_id": all_of.west.area.id})
        node = f"/api/v1/nodes/{all_of.east.node.id}"
        also_refused = await client.patch(node, json={"name": "Cụm 9", "area_id": all_of.west.area.id})
    for answer in (refused, also_refused):
        assert (answer.status_code, answer.json()["error"]["fields"]["problem"]) == (422, "moves")
        assert "/moves" in answer.json()["error"]["message"]
    assert (await here.services.areas.get(here.actor, all_of.east.area.id)).parent_id == all_of.area.id
    stands = await here.services.nodes.get(here.actor, all_of.east.node.id)
    assert (stands.area_id, stands.name) == (all_of.east.area.id, all_of.east.node.name)


async def test_a_move_that_cannot_be_is_refused(here: Centre) -> None:
    all_of = await province(here)
    hamlet = await here.area("Thôn Bến", all_of.east.area)
    for into, wanted, problem in (
        (hamlet, MoveIn(areas=(all_of.east.area.id,)), "cycle"),
        (all_of.east.area, MoveIn(areas=(all_of.east.area.id,)), "cycle"),
        (all_of.east.area, MoveIn(areas=(hamlet.id,), nodes=(all_of.east.node.id,)), "empty"),
        (hamlet, MoveIn(), "empty"),
        (hamlet, MoveIn(areas=("nowhere",)), "unknown"),
        (hamlet, MoveIn(nodes=("nowhere",)), "unknown"),
    ):
        with pytest.raises(InvalidError) as refused:
            await here.services.moves.preview(here.actor, into.id, wanted)
        assert refused.value.fields["problem"] == problem


async def test_a_cluster_without_an_agent_stands_in_the_schedule_and_reports_nothing(here: Centre) -> None:
    all_of = await province(here)
    sent = await send(here, "Đông", all_of.east.area.scope)
    wired = await here.services.nodes.create(
        here.actor, kind=NodeKind.WIRED, area_id=all_of.east.area.id, name="Loa dây"
    )
    assert (wired.status, wired.kind, wired.certificate_expires_at) == ("unreporting", "wired", None)
    found = {play.node_name: play.reports for play in await here.services.broadcasts.plays(here.actor, sent.id)}
    assert found == {"Cụm Xã Đông": True, "Loa dây": False}
    shown = await here.services.broadcasts.get(here.actor, sent.id)
    assert (shown.node_count, shown.unreporting_count) == (1, 1)
    here.clock.now = shown.latest_end_at + timedelta(minutes=3)
    async with here.database.transaction() as tx:
        await plays.sweep(tx, here.clock())
    assert (await outcomes(here, sent))["Loa dây"] == "unknown"
    with pytest.raises(InvalidError):
        await here.services.nodes.create(here.actor, kind=NodeKind.AGENT, area_id=all_of.east.area.id, name="Cụm 9")


async def test_a_broadcast_for_clusters_without_an_agent_alone_awaits_nothing(here: Centre) -> None:
    area = await here.area("Xã", kind="commune")
    await here.services.nodes.create(here.actor, kind=NodeKind.FM, area_id=area.id, name="Đài FM")
    sent = await send(here, "Bản tin", area.scope)
    assert (sent.phase, sent.node_count, sent.unreporting_count) == ("ready", 0, 1)
    here.clock.now = sent.latest_end_at
    assert (await here.services.broadcasts.get(here.actor, sent.id)).phase == "over"


@st.composite
def trees(draw: st.DrawFn) -> tuple[Tree, list[Stands]]:
    """Some areas, each below an earlier one or a root, and some nodes."""
    count = draw(st.integers(2, 9))
    parents = [None if number == 0 else draw(st.none() | st.integers(0, number - 1)) for number in range(count)]
    places = [
        Place(str(number), None if parent is None else str(parent), "hamlet", str(number), None, None, None)
        for number, parent in enumerate(parents)
    ]
    stands = draw(st.lists(st.integers(0, count - 1), max_size=6))
    return Tree(places), [Stands(f"n{number}", f"n{number}", str(area)) for number, area in enumerate(stands)]


@given(trees(), st.data())
def test_a_move_keeps_the_tree_a_tree_and_every_node_in_its_area(
    made: tuple[Tree, list[Stands]], data: st.DataObject
) -> None:
    tree, nodes = made
    ids = sorted(tree.places)
    areas = data.draw(st.lists(st.sampled_from(ids), unique=True, max_size=3))
    into = data.draw(st.sampled_from(ids))
    alone = data.draw(st.lists(st.sampled_from([node.id for node in nodes]), unique=True)) if nodes else []
    try:
        move = Move(tree, nodes, into, areas, alone)
    except InvalidError:
        return
    assert {place.id for place in move.after.walk()} == set(ids), "no area is lost, none hangs in the air"
    for area in areas:
        assert into in {place.id for place in move.after.chain(area)}
    for node in nodes:
        before = tree.scopes(node.id, node.area_id)
        moved = node in move.nodes
        after = move.after.scopes(node.id, move.area_after(node) if moved else node.area_id)
        assert moved or before == after, "who is not said to move hears what it heard"
