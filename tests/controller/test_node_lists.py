"""Nodes found, narrowed, sorted by what asks for a hand; on the map; whom to call; their faults and plays in pages."""

from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from controller.areas.schemas import AreaOut
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn
from controller.errors import NotFoundError
from controller.faults.keeping import FaultKeeper
from controller.nodes.acts import NodeSoundsError
from controller.nodes.rules import NodeStatus
from controller.nodes.schemas import NodeChange, NodeOut, PositionIn
from controller.paging import Wanted
from controller.people.actor import Actor
from controller.people.models import Person
from controller.plans.models import Document
from tests.controller.factories import ADDRESS, Centre

HERE = PositionIn(latitude=21.0278, longitude=105.8342, accuracy_m=12)


async def three(here: Centre) -> tuple[AreaOut, AreaOut, dict[str, NodeOut]]:
    """A commune of two hamlets: one node well, one with a fault, one lost for longer."""
    root = await here.area("Xã Nga My", kind="commune")
    east, west = await here.area("Thôn Đông", root), await here.area("Thôn Tây", root)
    nodes = {
        "lost": await here.node(west, "Cổng chợ"),
        "well": await here.node(east, "Đình làng"),
        "ill": await here.node(east, "Ao cá"),
    }
    here.clock.step(minutes=10)
    here.hears(nodes["well"].id)
    here.hears(nodes["ill"].id, faults=[{"code": "disk_low", "since_at": here.clock().isoformat(), "detail": ""}])
    return root, east, nodes


async def names(here: Centre, actor: Actor | None = None, **wanted: object) -> list[str]:
    found = await here.services.node_lists.find(actor or here.actor, Wanted(**wanted))  # type: ignore[arg-type]
    return [each.name for each in found.rows]


async def test_what_asks_for_a_hand_stands_first(here: Centre) -> None:
    await three(here)
    assert await names(here, sort="need") == ["Cổng chợ", "Ao cá", "Đình làng"]
    assert await names(here, sort="name") == ["Ao cá", "Cổng chợ", "Đình làng"]
    assert await names(here, sort="place", down=True) == ["Cổng chợ", "Ao cá", "Đình làng"]


async def test_a_list_is_narrowed_by_words_place_state_fault_and_kind(here: Centre) -> None:
    _, east, _ = await three(here)
    assert await names(here, q="dinh lang") == ["Đình làng"]
    assert await names(here, having={"area": east.id}) == ["Ao cá", "Đình làng"]
    assert await names(here, having={"state": "offline"}) == ["Cổng chợ"]
    assert await names(here, having={"state": "unwell"}) == ["Cổng chợ", "Ao cá"]
    assert await names(here, having={"fault": "disk_low"}) == ["Ao cá"]
    assert await names(here, having={"kind": "fm"}) == []
    found = await here.services.node_lists.find(here.actor, Wanted(sort="name", offset=1, limit=1))
    assert ([each.name for each in found.rows], found.total) == (["Cổng chợ"], 3)


async def test_one_commune_finds_and_sees_on_the_map_only_its_own(here: Centre) -> None:
    _, east, nodes = await three(here)
    hoa = await here.somebody("hoa", "operator", east)
    actor = Actor(hoa.id, ADDRESS)
    for node in nodes.values():
        await here.services.nodes.change(here.actor, node.id, position=HERE)
    assert await names(here, actor, sort="name") == ["Ao cá", "Đình làng"]
    seen = await here.services.node_lists.map(actor)
    assert ({spot.name for spot in seen.spots}, seen.unplaced) == ({"Ao cá", "Đình làng"}, 0)
    with pytest.raises(NotFoundError):
        await here.services.contacts.of(actor, nodes["lost"].id)
    with pytest.raises(NotFoundError):
        await here.services.node_plays.find(actor, nodes["lost"].id, Wanted())
    with pytest.raises(NotFoundError):
        await here.services.node_health.of(actor, nodes["lost"].id)


async def test_a_position_is_kept_with_who_said_it_and_shown_on_the_map(here: Centre) -> None:
    _, _, nodes = await three(here)
    node = await here.services.nodes.change(here.actor, nodes["lost"].id, position=HERE)
    assert node.position is not None
    assert (node.position.latitude, node.position.accuracy_m) == (21.0278, 12)
    (spot,) = (await here.services.node_lists.map(here.actor)).spots
    assert (spot.name, spot.status, spot.is_left) == ("Cổng chợ", NodeStatus.OFFLINE, True)
    assert (await here.services.node_lists.map(here.actor)).unplaced == 2
    entry = next(one for one in await here.services.audit.list(here.actor) if one.action == "nodes.change")
    assert entry.detail["position"]["latitude"] == 21.0278


@pytest.mark.parametrize(
    "wrong",
    [
        {"latitude": 91, "longitude": 0},
        {"latitude": float("nan"), "longitude": 0},
        {"latitude": 0, "longitude": float("inf")},
        {"latitude": 0, "longitude": 0, "accuracy_m": 101},
    ],
)
def test_no_position_is_taken_that_is_none_or_too_unsure(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        NodeChange.model_validate({"position": wrong})


async def test_new_settings_wait_until_the_node_says_that_it_obeys_them(here: Centre) -> None:
    _, _, nodes = await three(here)
    node = await here.services.nodes.change(here.actor, nodes["well"].id, volume_mb=-600)
    assert node.settings_confirmed is False
    async with here.database.transaction() as tx:
        signed = {"dirty_since": None, "epoch": 1, "version": 7}
        of_node = (Document.scope == node.scope) & (Document.word == "settings")
        await tx.session.execute(update(Document).where(of_node).values(**signed))
    for version, confirmed in ((6, False), (7, True)):
        here.hears(node.id, held={node.scope: {"settings": {"epoch": 1, "version": version}}})
        assert (await here.services.nodes.get(here.actor, node.id)).settings_confirmed is confirmed


async def test_the_nearest_helper_with_a_telephone_is_called_first(here: Centre) -> None:
    root, east, nodes = await three(here)
    for login, role, area in (
        ("far", "technician", root),
        ("near", "helper", east),
        ("mute", "helper", east),
        ("gone", "helper", east),
        ("desk", "operator", east),
    ):
        person = await here.somebody(login, role, area)
        async with here.database.transaction() as tx:
            row = await tx.session.get_one(Person, person.id)
            row.phone = None if login == "mute" else "0912 345 678"
            row.disabled_at = here.clock() if login == "gone" else None
    found = await here.services.contacts.of(here.actor, nodes["ill"].id)
    assert [(each.name, each.phone) for each in found] == [
        ("near", "0912 345 678"),
        ("far", "0912 345 678"),
        ("mute", None),
    ]
    assert [each.name for each in await here.services.contacts.of(here.actor, nodes["lost"].id)] == ["far"]


async def test_faults_are_listed_new_ones_and_lost_nodes_first(here: Centre) -> None:
    _, east, nodes = await three(here)
    keeper = FaultKeeper(here.database, here.clock)
    keeper._said[nodes["ill"].id] = {"disk_low": "", "too_hot": ""}
    keeper._changed.add(nodes["ill"].id)
    await keeper.look()
    here.clock.step(minutes=1)
    keeper.note_status(nodes["lost"].id, NodeStatus.OFFLINE)
    await keeper.look()
    faults = here.services.faults
    assert [each.code for each in (await faults.find(here.actor, Wanted())).rows] == ["offline", "disk_low", "too_hot"]
    hot = (await faults.find(here.actor, Wanted(having={"code": "too_hot"}))).rows[0]
    await faults.acknowledge(here.actor, hot.id)
    assert [each.code for each in (await faults.find(here.actor, Wanted(having={"state": "new"}))).rows] == [
        "offline",
        "disk_low",
    ]
    found = await faults.find(here.actor, Wanted(q="ao ca", having={"state": "acknowledged", "area": east.id}))
    assert ([each.code for each in found.rows], found.total) == (["too_hot"], 1)
    assert (await faults.find(here.actor, Wanted(having={"state": "cleared"}))).total == 0


async def test_the_plays_of_a_node_are_paged_and_what_sounds_there_is_ours_at_its_place(here: Centre) -> None:
    _, east, nodes = await three(here)
    recording = await here.recording("Bản tin", length_ms=60_000)
    for title in ("Sáng", "Chiều"):
        wanted = BroadcastIn.checked(title=title, recordings=[recording], targets=[east.scope], confirm_unusual=True)
        run = await here.services.broadcasts.create(here.actor, wanted)
        here.clock.step(minutes=5)
    node_id = nodes["well"].id
    found = await here.services.node_plays.find(here.actor, node_id, Wanted(sort="start", down=True, limit=1))
    assert ([each.title for each in found.rows], found.total) == (["Chiều"], 2)
    assert (await here.services.node_plays.find(here.actor, node_id, Wanted(q="sang"))).total == 1
    assert (await here.services.node_plays.find(here.actor, node_id, Wanted(having={"result": "played"}))).total == 0
    assert await here.services.node_plays.sounds(here.actor, node_id) is None
    now = here.clock()
    said = {"broadcast_id": run.id, "item": 0, "started_at": (now - timedelta(seconds=20)).isoformat()}
    here.hears(node_id, now_playing=said | {"ends_at": (now + timedelta(seconds=40)).isoformat()})
    sounds = await here.services.node_plays.sounds(here.actor, node_id)
    assert sounds is not None
    assert (sounds.title, sounds.at_ms, sounds.length_ms) == ("Chiều", 20_000, 60_000)


async def test_a_node_that_sounds_an_emergency_is_not_restarted(here: Centre) -> None:
    _, east, nodes = await three(here)
    sent: list[str] = []

    async def send(scope: str, fields: dict[str, object]) -> None:
        sent.append(f"{scope} {fields['action']}")

    here.services.node_acts.send = send
    recording = await here.recording("Bản tin")
    wanted = BroadcastIn.checked(title="Tin", recordings=[recording], targets=[east.scope], confirm_unusual=True)
    run = await here.services.broadcasts.create(here.actor, wanted)
    node_id, now = nodes["well"].id, here.clock()
    said = {"broadcast_id": run.id, "item": 0, "started_at": now.isoformat()}
    here.hears(node_id, now_playing=said | {"ends_at": (now + timedelta(minutes=1)).isoformat()})
    await here.services.node_acts.restart(here.actor, node_id)
    assert sent == [f"nodes/{node_id} restart"]
    async with here.database.transaction() as tx:
        (await tx.session.get_one(Broadcast, run.id)).level = "emergency"
    with pytest.raises(NodeSoundsError):
        await here.services.node_acts.restart(here.actor, node_id)
    assert len(sent) == 1
