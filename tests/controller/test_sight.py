"""What somebody of one place sees and may, where the matrix of routes does not go deep enough."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from controller.alarms.models import Alarm
from controller.approvals.schemas import ReturnIn
from controller.areas.move_schemas import MoveIn
from controller.areas.schemas import AreaOut
from controller.audit.models import AuditEntry
from controller.broadcasts.models import Broadcast
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.emergencies.schemas import EmergencyIn
from controller.errors import ForbiddenError, InvalidError, NotFoundError
from controller.events import Event, Topic
from controller.http import audience
from controller.http.stream import INSIDE
from controller.nodes.schemas import NodeOut
from controller.people import rights
from controller.people.actor import Actor
from controller.people.models import Grant
from controller.people.rights import Act, Role
from controller.policies.schemas import PolicyIn, PolicyRules, SecondPerson
from controller.recordings.models import Recording
from edge_agent.protocol.enrolment import new_claim_code
from tests.controller.factories import ADDRESS, PASSWORD, SYSTEM, Centre, enrolment_request, made_once, served
from tests.controller.test_api_events import listening, next_event
from tests.controller.two_communes import sign_in


@dataclass(frozen=True)
class Place:
    """A commune with one node, and its operator."""

    area: AreaOut
    node: NodeOut
    operator: Actor


@dataclass(frozen=True)
class Province:
    area: AreaOut
    east: Place
    west: Place
    operator: Actor


async def person(here: Centre, role: Role, *areas: AreaOut) -> Actor:
    login = f"{role}.{len(areas)}.{areas[0].id}"[:60] if areas else f"{role}.everywhere"
    added = await here.services.people.add(
        SYSTEM, login=login, name=login, password=PASSWORD, role=role, area_id=areas[0].id if areas else None
    )
    async with here.database.transaction() as tx:
        for area in areas[1:]:
            tx.session.add(
                Grant(
                    id=f"{added.id}-{area.id}"[:64],
                    person_id=added.id,
                    role=role,
                    area_id=area.id,
                    granted_at=here.clock(),
                )
            )
    return Actor(added.id, ADDRESS)


@made_once
async def province(here: Centre) -> Province:
    area = await here.area("Tỉnh", kind="province")
    nobody_else = PolicyIn(version=0, rules=PolicyRules(second_person=()))
    await here.services.policies.put(here.actor, area.id, nobody_else)
    places = []
    for name in ("Xã Đông", "Xã Đoài"):
        commune = await here.area(name, area, kind="commune")
        node = await here.node(commune, f"Cụm {name}")
        places.append(Place(commune, node, await person(here, Role.OPERATOR, commune)))
    east, west = places
    return Province(area, east, west, await person(here, Role.OPERATOR, area))


async def send(
    here: Centre, actor: Actor, *scopes: str, recording: str | None = None, meant: bool = False
) -> BroadcastOut:
    recording = recording or await here.recording(area_id=(await own(here, actor)))
    wanted = BroadcastIn(
        title="Bản tin",
        recordings=(recording,),
        targets=scopes,
        start_at=here.clock() + timedelta(hours=1),
        confirm_conflicts=meant,
    )
    return await here.services.broadcasts.create(actor, wanted)


async def own(here: Centre, actor: Actor) -> str | None:
    async with here.database.reading() as session:
        return await rights.home(session, actor, Act.RECORDINGS_UPLOAD, None)


async def test_of_a_broadcast_from_above_a_commune_sees_its_own_nodes_and_targets(here: Centre) -> None:
    all_of = await province(here)
    east, west = all_of.east, all_of.west
    sent = await send(here, all_of.operator, east.area.scope, west.area.scope)
    assert sent.node_count == 2
    seen = await here.services.broadcasts.get(east.operator, sent.id)
    assert (seen.node_count, [target.name for target in seen.targets]) == (1, ["Xã Đông"])
    assert [play.node_name for play in await here.services.broadcasts.plays(east.operator, sent.id)] == ["Cụm Xã Đông"]
    with pytest.raises(ForbiddenError):
        await here.services.broadcasts.cancel(east.operator, sent.id)


async def test_what_waits_for_a_yes_above_is_not_seen_below(here: Centre) -> None:
    all_of = await province(here)
    sent = await send(here, all_of.operator, all_of.area.scope)
    async with here.database.transaction() as tx:
        await tx.session.execute(update(Broadcast).values(awaits_approval=True))
    assert await here.services.broadcasts.today(all_of.east.operator) == []
    with pytest.raises(NotFoundError):
        await here.services.broadcasts.get(all_of.east.operator, sent.id)
    assert (await here.services.broadcasts.get(all_of.operator, sent.id)).id == sent.id


async def test_who_works_in_two_communes_follows_what_waits_for_both_and_neither_alone_sees_it(here: Centre) -> None:
    all_of = await province(here)
    for_all = PolicyIn(version=1, rules=PolicyRules(second_person=(SecondPerson(),)))
    await here.services.policies.put(here.actor, all_of.area.id, for_all)
    east, west = all_of.east, all_of.west
    both = await person(here, Role.OPERATOR, east.area, west.area)
    leader = await person(here, Role.APPROVER, east.area, west.area)
    recording = await here.recording(area_id=east.area.id)
    sent = await send(here, both, east.area.scope, west.node.scope, recording=recording)
    assert (sent.phase, sent.approval is not None) == ("awaiting_approval", True)
    assert [each.id for each in await here.services.broadcasts.today(both)] == [sent.id]
    for alone in (east.operator, west.operator):
        assert await here.services.broadcasts.today(alone) == []
        with pytest.raises(NotFoundError):
            await here.services.broadcasts.get(alone, sent.id)
    (asked,) = await here.services.approvals.list(leader)
    await here.services.approvals.return_(leader, asked.id, ReturnIn(reason="Sai ngày"))
    shown = await here.services.broadcasts.get(both, sent.id)
    assert (shown.phase, [target.name for target in shown.targets]) == ("returned", ["Xã Đông", "Cụm Xã Đoài"])
    events = [Event(Topic.BROADCAST, sent.id), Event(Topic.APPROVAL, asked.id)]
    async with here.database.reading() as session:
        hears = {
            who: await audience.heard(session, who, await rights.sight(session, who), events)
            for who in (both, leader, east.operator)
        }
    assert hears == {both: events, leader: events, east.operator: []}


async def test_a_broadcast_belongs_to_the_lowest_area_above_its_targets(here: Centre) -> None:
    all_of = await province(here)
    one = await send(here, all_of.east.operator, all_of.east.node.scope)
    both = await send(here, all_of.operator, all_of.east.area.scope, all_of.west.node.scope, meant=True)
    async with here.database.reading() as session:
        areas = dict((await session.execute(select(Broadcast.id, Broadcast.area_id))).all())
        noted = dict((await session.execute(select(AuditEntry.subject, AuditEntry.area_id))).all())
    assert areas == {one.id: all_of.east.area.id, both.id: all_of.area.id}
    assert noted[f"broadcasts/{one.id}"] == all_of.east.area.id


async def test_nobody_aims_above_his_place_or_beside_it(here: Centre) -> None:
    all_of = await province(here)
    with pytest.raises(ForbiddenError):
        await send(here, all_of.east.operator, all_of.area.scope)
    for scope in (all_of.west.area.scope, all_of.west.node.scope, "areas/nowhere"):
        with pytest.raises(InvalidError) as refused:
            await send(here, all_of.east.operator, all_of.east.area.scope, scope)
        assert refused.value.fields == {"field": "targets", "problem": "unknown"}


async def test_a_recording_of_another_commune_can_not_be_used(here: Centre) -> None:
    all_of = await province(here)
    theirs = await here.recording(area_id=all_of.west.area.id)
    with pytest.raises(InvalidError) as refused:
        await send(here, all_of.east.operator, all_of.east.area.scope, recording=theirs)
    assert refused.value.fields == {"field": "recordings", "problem": "unknown"}
    assert (await send(here, all_of.operator, all_of.east.area.scope, recording=theirs)).node_count == 1


async def test_silence_ordered_above_is_seen_below_and_released_above(here: Centre) -> None:
    all_of = await province(here)
    holds = here.services.holds
    (above,) = await holds.order(all_of.operator, [all_of.area.scope])
    (beside,) = await holds.order(all_of.west.operator, [all_of.west.area.scope])
    assert [(hold.id, hold.node_count) for hold in await holds.active(all_of.east.operator)] == [(above.id, 1)]
    with pytest.raises(ForbiddenError):
        await holds.release(all_of.east.operator, above.id)
    with pytest.raises(NotFoundError):
        await holds.release(all_of.east.operator, beside.id)
    assert (await holds.release(all_of.operator, above.id)).released_at is not None


async def test_of_areas_above_the_name_is_seen_and_no_node_of_others(here: Centre) -> None:
    all_of = await province(here)
    tree = await here.services.areas.tree(all_of.east.operator)
    assert [(area.name, area.in_sight, area.node_count) for area in tree] == [
        ("Tỉnh", False, 1),
        ("Xã Đông", True, 1),
    ]
    with pytest.raises(ForbiddenError):
        await here.services.areas.change(await person(here, Role.ADMINISTRATOR, tree[1]), all_of.area.id, name="x")


async def test_whose_a_new_thing_is(here: Centre) -> None:
    """The only place of who makes it; the only root for who works everywhere; else it has to be said."""
    everywhere = await person(here, Role.OPERATOR)
    assert await own(here, everywhere) is None
    all_of = await province(here)
    assert await own(here, everywhere) == all_of.area.id
    assert await own(here, all_of.east.operator) == all_of.east.area.id
    in_both = await person(here, Role.OPERATOR, all_of.east.area, all_of.west.area)
    with pytest.raises(InvalidError) as refused:
        await own(here, in_both)
    assert refused.value.fields == {"field": "area_id", "problem": "empty"}
    with pytest.raises(ForbiddenError):
        await own(here, await person(here, Role.OBSERVER, all_of.east.area))
    await here.area("Tỉnh khác")
    assert await own(here, everywhere) is None


async def test_what_belongs_to_no_place_takes_a_right_everywhere(here: Centre) -> None:
    all_of = await province(here)
    nobodys = await here.recording()
    with pytest.raises(NotFoundError):
        await here.services.recordings.withdraw(all_of.operator, nobodys)
    async with here.database.transaction() as tx:
        await rights.require(tx.session, all_of.operator, Act.RECORDINGS_WITHDRAW)
        with pytest.raises(ForbiddenError):
            await rights.require(tx.session, all_of.operator, Act.RECORDINGS_WITHDRAW, [None])
    assert (await here.services.recordings.withdraw(here.actor, nobodys)).withdrawn_at


async def test_a_machine_may_no_more_than_its_key_names(here: Centre) -> None:
    all_of = await province(here)
    machine = replace(all_of.east.operator, acts=frozenset({Act.HOLDS_ORDER}))
    (hold,) = await here.services.holds.order(machine, [all_of.east.area.scope])
    with pytest.raises(ForbiddenError):
        await here.services.holds.release(machine, hold.id)


async def test_who_adopts_none_sees_none_that_wait(here: Centre) -> None:
    all_of = await province(here)
    await here.services.enrolments.ask(enrolment_request(new_claim_code()), ADDRESS)
    assert await here.services.enrolments.waiting(all_of.east.operator) == []
    assert len(await here.services.enrolments.waiting(await person(here, Role.TECHNICIAN, all_of.east.area))) == 1


async def test_a_technician_changes_nodes_of_his_place_and_moves_none(here: Centre) -> None:
    all_of = await province(here)
    technician = await person(here, Role.TECHNICIAN, all_of.east.area)
    assert (await here.services.nodes.change(technician, all_of.east.node.id, volume_mb=-600)).volume_mb == -600
    with pytest.raises(NotFoundError):
        await here.services.nodes.change(technician, all_of.west.node.id, volume_mb=-600)
    over_both = await person(here, Role.TECHNICIAN, all_of.area)
    with pytest.raises(ForbiddenError):
        await here.services.moves.preview(over_both, all_of.west.area.id, MoveIn(nodes=(all_of.east.node.id,)))


def put(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"sound")


async def test_a_draft_is_played_to_who_sees_it(lite: Centre) -> None:
    all_of = await province(lite)
    recording = await lite.recording(area_id=all_of.east.area.id)
    async with lite.database.reading() as session:
        sha256 = (await session.get_one(Recording, recording)).sha256
    await asyncio.to_thread(put, lite.services.config.media, f"{sha256}.opus")
    async with lite.client(signed_in=False) as client:
        for actor, status in ((all_of.east.operator, 200), (all_of.operator, 200), (all_of.west.operator, 404)):
            token = await sign_in(lite, actor.person_id or "")
            answer = await client.get(f"/media/{sha256}.opus", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status
        assert (await client.get(f"/media/{sha256}.opus")).status_code == 404
    await send(lite, all_of.east.operator, all_of.east.area.scope, recording=recording)
    async with lite.client(signed_in=False) as client:
        assert (await client.get(f"/media/{sha256}.opus")).status_code == 200


async def test_what_an_emergency_holds_is_played_to_who_may_decide_it_and_only_until_it_is_decided(
    lite: Centre,
) -> None:
    """It is an own recording of somebody farther above: the leader of the place hears it before the yes."""
    all_of = await province(lite)
    own = await lite.recording(area_id=all_of.area.id)
    async with lite.database.reading() as session:
        sha256 = (await session.get_one(Recording, own)).sha256
    await asyncio.to_thread(put, lite.services.config.media, f"{sha256}.opus")
    leader = await person(lite, Role.APPROVER, all_of.east.area)
    elsewhere = await person(lite, Role.APPROVER, all_of.west.area)
    tokens = [await sign_in(lite, who.person_id or "") for who in (leader, all_of.east.operator, elsewhere)]

    async def served_to() -> list[int]:
        async with lite.client(signed_in=False) as client:
            heads = [{}, *({"Authorization": f"Bearer {token}"} for token in tokens)]
            return [(await client.get(f"/media/{sha256}.opus", headers=head)).status_code for head in heads]

    async def proposed() -> str:
        wanted = {"recordings": [own], "title": "Vỡ đê", "targets": [all_of.east.area.scope]}
        made = await lite.services.emergencies.propose(all_of.operator, EmergencyIn.model_validate(wanted))
        return made.id

    assert await served_to() == [404, 404, 404, 404]
    mistaken = await proposed()
    assert await served_to() == [404, 200, 200, 404]
    await lite.services.emergencies.cancel(all_of.operator, mistaken)
    assert await served_to() == [404, 404, 404, 404]
    [sound] = (await lite.services.emergencies.get(leader, await proposed())).sounds
    assert (sound.media_url, await served_to()) == (f"/media/{sha256}.opus", [404, 200, 200, 404])


async def test_events_of_others_do_not_arrive(lite: Centre) -> None:
    all_of = await province(lite)
    headers = {"Authorization": f"Bearer {await sign_in(lite, all_of.east.operator.person_id or '')}"}
    async with (
        served(lite) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client,
        listening(client) as lines,
    ):
        theirs = await send(lite, all_of.west.operator, all_of.west.area.scope)
        await lite.services.holds.order(all_of.west.operator, [all_of.west.area.scope])
        for topic in (Topic.NODE, Topic.AREA, Topic.RECORDING, Topic.SCHEDULE, Topic.ALARM):
            lite.bus.publish(Event(topic, {Topic.NODE: all_of.west.node.id}.get(topic, all_of.west.area.id)))
        lite.bus.publish(Event(Topic.PLAY, theirs.id, all_of.west.node.id))
        mine = await send(lite, all_of.east.operator, all_of.east.area.scope)
        assert await next_event(lines) == ("broadcast", {"key": mine.id})
        (hold,) = await lite.services.holds.order(all_of.operator, [all_of.area.scope])
        assert await next_event(lines) == ("hold", {"key": hold.id})


def test_every_topic_says_who_hears_of_it() -> None:
    """What is looked up nowhere is heard by those alone who see everything: a new topic would be forgotten."""
    assert set(Topic) - INSIDE - audience.TO_ALL - audience.RULED - audience.OWNED.keys() == set()


@pytest.mark.parametrize(
    ("role", "by_right"),
    [
        (Role.OBSERVER, set()),
        (Role.TECHNICIAN, {Topic.ENROLMENT}),
        (Role.ADMINISTRATOR, {Topic.ENROLMENT, Topic.ALARM, Topic.PERSON, Topic.AUDIT}),
    ],
)
async def test_who_sees_everything_hears_of_alarms_enrolments_and_people_only_by_right(
    lite: Centre, role: Role, by_right: set[Topic]
) -> None:
    """An alarm may say who tried whose password."""
    async with lite.database.transaction() as tx:
        await lite.services.alarms.raise_(tx, "people.locked", None, "people/x", {})
        alarm = (await tx.session.scalars(select(Alarm.id))).one()
    who = Actor((await lite.somebody("quan.sat", role)).id, ADDRESS)
    events = [Event(Topic.ENROLMENT, "waits"), Event(Topic.NODE, "n"), Event(Topic.ALARM, alarm), Event(Topic.MISSED)]
    events += [Event(Topic.PERSON, who.person_id or ""), Event(Topic.AUDIT, "1")]
    async with lite.database.reading() as session:
        seen = await rights.sight(session, who)
        assert seen.areas is None
        told = await audience.heard(session, who, seen, events)
    assert {event.topic for event in told} == by_right | {Topic.NODE, Topic.MISSED}


async def test_of_people_and_what_they_did_hear_those_who_look_after_that_place(lite: Centre) -> None:
    all_of = await province(lite)
    east, west = all_of.east, all_of.west
    chief = Actor((await lite.somebody("anh", Role.ADMINISTRATOR, east.area)).id, ADDRESS)
    with lite.bus.listen() as heard:
        changed = [east.operator.person_id or "", west.operator.person_id or ""]
        for person_id in changed:
            await lite.services.accounts.change(lite.actor, person_id, name="Lê Thị Hòa")
        events = [await anext(heard) for _ in range(4)]
    assert {each.topic for each in events} == {Topic.PERSON, Topic.AUDIT}
    assert [each.key for each in events if each.topic == Topic.PERSON] == changed
    async with lite.database.reading() as session:
        of_chief = await audience.heard(session, chief, await rights.sight(session, chief), events)
        of_operator = await audience.heard(session, east.operator, await rights.sight(session, east.operator), events)
    entry = next(each for each in events if each.topic == Topic.AUDIT)
    assert sorted(of_chief, key=str) == sorted([Event(Topic.PERSON, changed[0]), entry], key=str)
    assert of_operator == []


async def test_a_grant_that_ended_ends_what_a_stream_tells(lite: Centre) -> None:
    all_of = await province(lite)
    async with lite.database.transaction() as tx:
        seen = await rights.sight(tx.session, all_of.east.operator)
        assert seen.sees(all_of.east.area.id)
        for grant in await tx.session.scalars(select(Grant).where(Grant.person_id == all_of.east.operator.person_id)):
            await tx.session.delete(grant)
        await tx.session.flush()
        blind = await rights.sight(tx.session, all_of.east.operator)
        assert await audience.heard(
            tx.session, all_of.east.operator, blind, [Event(Topic.AREA, all_of.east.area.id), Event(Topic.MISSED)]
        ) == [Event(Topic.MISSED)]


WEEK = {"from_date": "2026-11-23", "until_date": "2026-11-30"}
"""What some of these lists have to be told besides."""


async def test_a_list_of_what_is_in_an_area_that_is_not_there_is_no_empty_list(here: Centre) -> None:
    """Whatever takes an area to look in: one that nobody knows, or that is another commune's, is not found."""
    other = await here.area("Xã khác", kind="commune")
    own = await here.area("Xã nhà", kind="commune")
    operator = await here.somebody("hoa", Role.OPERATOR, own)
    async with here.client(who=operator) as client:
        paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
        asking = {
            (path, each["name"])
            for path, acts in paths.items()
            for each in acts.get("get", {}).get("parameters", ())
            if each["name"] in {"area", "area_id"} and each["in"] == "query" and "{" not in path
        }
        assert len(asking) >= 7
        besides = {
            path: {each["name"]: WEEK[each["name"]] for each in paths[path]["get"]["parameters"] if each["required"]}
            for path, _ in asking
        }
        for path, name in sorted(asking):
            for area_id, status in ((other.id, 404), ("nope", 404), (own.id, 200)):
                answer = await client.get(path, params=besides[path] | {name: area_id})
                assert answer.status_code == status, (path, area_id, answer.text)
                assert status == 200 or answer.json()["error"]["fields"]["resource"] == "areas"
    async with here.client() as everywhere:
        for path, name in sorted(asking):
            answer = await everywhere.get(path, params=besides[path] | {name: "nope"})
            assert answer.status_code == 404, path
