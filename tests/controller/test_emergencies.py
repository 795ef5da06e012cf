"""Emergencies: two people or a broken glass, sent once, followed up node by node; drills stay drills."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from controller.alarms.models import Alarm
from controller.approvals.models import Approval
from controller.areas.schemas import AreaOut
from controller.broadcasts import room
from controller.broadcasts.repository import as_sent
from controller.broadcasts.room import Room, UrgentFullError
from controller.broadcasts.schemas import BroadcastIn
from controller.emergencies.errors import AlreadyProposedError, NotOpenError, SamePersonError
from controller.emergencies.rules import CANCEL_WINDOW, PROPOSAL_LASTS
from controller.emergencies.schemas import BreakGlassIn, EmergencyIn, EmergencyOut, FollowIn, MessageIn
from controller.emergencies.states import EmergencyState, MessageKind
from controller.errors import ConflictError, ForbiddenError, InvalidError
from controller.nodes.rules import NodeKind
from controller.people.actor import Actor
from controller.people.rights import Act, Role
from controller.people.schemas import PersonOut
from controller.recordings.models import Recording
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.states import Drill, Grade, Level, Outcome, PlayState, Reason
from tests.controller.factories import ADDRESS, Centre, made_once
from tests.controller.test_services_areas import dirty
from tests.controller.test_services_broadcasts import asked, commune, tell

ALONE = BreakGlassIn(reason="Không gọi được ai")
ALARMED = ("emergencies.break_glass", "emergencies.not_sent")


def acting(person: PersonOut) -> Actor:
    return Actor(person.id, ADDRESS)


async def message(here: Centre, area: AreaOut, kind: MessageKind = MessageKind.ALERT, **given: str) -> str:
    """A ready message in the languages given, each with a recording; gives its id."""
    titles = given or {"vi": "Lũ về"}
    voices = [
        {"language": language, "recording_id": await here.recording(title, language=language)}
        for language, title in titles.items()
    ]
    wanted = MessageIn.model_validate({"area_id": area.id, "kind": kind, "title": "Lũ quét", "voices": voices})
    return (await here.services.messages.create(here.actor, wanted)).id


@made_once
async def village(here: Centre) -> dict[str, Any]:
    """A commune with two nodes, the signal, messages of each kind, and a leader beside the administrator."""
    signal = await here.recording("Tín hiệu", length_ms=1_600, is_signal=True)
    place = await commune(here)
    area = place["area"]
    place |= {"signal": signal, "message": await message(here, area)}
    place["clear"] = await message(here, area, MessageKind.ALL_CLEAR, vi="Hết lũ")
    place["false"] = await message(here, area, MessageKind.FALSE_ALARM, vi="Báo nhầm")
    place["notice"] = await message(here, area, MessageKind.DRILL, vi="Đây là diễn tập")
    place["leader"] = acting(await here.somebody("leader", Role.APPROVER, area))
    place["operator"] = acting(await here.somebody("operator", Role.OPERATOR, area))
    return place


def wish(place: dict[str, Any], **changed: Any) -> EmergencyIn:
    given = {"message_id": place["message"], "targets": [place["area"].scope], "repeats": 1} | changed
    return EmergencyIn.model_validate(given)


async def propose(here: Centre, place: dict[str, Any], **changed: Any) -> EmergencyOut:
    return await here.services.emergencies.propose(place["operator"], wish(place, **changed))


async def send(here: Centre, place: dict[str, Any], **changed: Any) -> EmergencyOut:
    made = await propose(here, place, **changed)
    return await here.services.emergencies.confirm(place["leader"], made.id)


async def wire(here: Centre, broadcast_id: str | None) -> Broadcast:
    assert broadcast_id is not None
    async with here.database.reading() as session:
        return (await as_sent(session, [broadcast_id]))[broadcast_id]


async def alarms(here: Centre) -> list[str]:
    async with here.database.reading() as session:
        return list(await session.scalars(select(Alarm.kind).where(Alarm.kind.in_(ALARMED)).order_by(Alarm.raised_at)))


async def test_two_people_bring_it_on_air_at_once(here: Centre) -> None:
    place = await village(here)
    made = await propose(here, place)
    await dirty(here)
    assert (made.state, made.broadcast_id) == (EmergencyState.PROPOSED, None)
    sent = await here.services.emergencies.confirm(place["leader"], made.id)
    assert (sent.state, sent.sent_at) == (EmergencyState.SENT, here.clock())
    assert await dirty(here) == {(place["area"].scope, "urgent")}
    said = await wire(here, sent.broadcast_id)
    assert (said.level, said.drill) == (Level.EMERGENCY, None)
    assert said.approved_for(frozenset([place["area"].scope]))
    assert not said.approved_for(frozenset([place["east"].scope]))
    async with here.database.reading() as session:
        yeses = await session.scalars(select(Approval.person_id).order_by(Approval.person_id))
        assert set(yeses) == {place["operator"].person_id, place["leader"].person_id}


async def test_the_same_person_does_not_confirm(lite: Centre) -> None:
    place = await village(lite)
    made = await lite.services.emergencies.propose(place["leader"], wish(place))
    with pytest.raises(SamePersonError):
        await lite.services.emergencies.confirm(place["leader"], made.id)
    with pytest.raises(ForbiddenError):  # an operator proposes, and does not confirm
        await lite.services.emergencies.confirm(place["operator"], made.id)
    assert (await lite.services.emergencies.get(lite.actor, made.id)).state is EmergencyState.PROPOSED


async def test_it_is_confirmed_once(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    with pytest.raises(NotOpenError):
        await lite.services.emergencies.confirm(lite.actor, sent.id)
    with pytest.raises(NotOpenError):
        await lite.services.emergencies.break_glass(place["operator"], sent.id, ALONE)


async def test_a_proposal_of_an_hour_ago_is_no_decision_any_more(lite: Centre) -> None:
    place = await village(lite)
    made = await propose(lite, place)
    lite.clock.step(minutes=61)
    with pytest.raises(NotOpenError):
        await lite.services.emergencies.confirm(place["leader"], made.id)
    await lite.services.firing.do_due()
    found = await lite.services.emergencies.get(lite.actor, made.id)
    assert (found.state, found.problem) == (EmergencyState.CANCELLED, "not_confirmed")
    assert await alarms(lite) == []


async def test_a_broken_glass_waits_half_a_minute_and_tells_administrators_at_once(here: Centre) -> None:
    place = await village(here)
    made = await propose(here, place)
    alone = await here.services.emergencies.break_glass(place["operator"], made.id, ALONE)
    assert (alone.state, alone.fires_at) == (EmergencyState.COUNTING_DOWN, here.clock() + CANCEL_WINDOW)
    assert [alarm.kind for alarm in await here.services.alarms.list(here.actor)] == ["emergencies.break_glass"]
    assert await here.services.firing.next_at() == alone.fires_at
    here.clock.step(seconds=29.9)
    await here.services.firing.do_due()
    assert (await here.services.emergencies.get(here.actor, made.id)).broadcast_id is None
    here.clock.step(seconds=0.1)
    await here.services.firing.do_due()
    await here.services.firing.do_due()
    sent = await here.services.emergencies.get(here.actor, made.id)
    assert sent.state is EmergencyState.SENT
    assert len(await here.services.broadcasts.today(here.actor)) == 1


async def test_within_the_window_it_can_be_cancelled_for_good(lite: Centre) -> None:
    place = await village(lite)
    made = await propose(lite, place)
    await lite.services.emergencies.break_glass(place["operator"], made.id, ALONE)
    lite.clock.step(seconds=29)
    gone = await lite.services.emergencies.cancel(place["operator"], made.id)
    lite.clock.step(minutes=1)
    await lite.services.firing.do_due()
    assert gone.state is EmergencyState.CANCELLED
    assert await lite.services.broadcasts.today(lite.actor) == []
    with pytest.raises(NotOpenError):
        await lite.services.emergencies.cancel(place["operator"], made.id)


async def test_a_second_person_found_within_the_window_sends_it_at_once_and_once(here: Centre) -> None:
    place = await village(here)
    made = await here.services.emergencies.propose(place["leader"], wish(place))
    await here.services.emergencies.break_glass(place["leader"], made.id, ALONE)
    here.clock.step(seconds=5)
    with pytest.raises(SamePersonError):
        await here.services.emergencies.confirm(place["leader"], made.id)
    second = acting(await here.somebody("second", Role.APPROVER, place["area"]))
    sent = await here.services.emergencies.confirm(second, made.id)
    assert (sent.state, sent.sent_at, sent.confirmed_by and sent.confirmed_by.person_id) == (
        EmergencyState.SENT,
        here.clock(),
        second.person_id,
    )
    assert sent.break_glass_reason == ALONE.reason
    here.clock.step(seconds=26)
    await here.services.firing.do_due()
    assert len(await here.services.broadcasts.today(here.actor)) == 1
    with pytest.raises(NotOpenError):
        await here.services.emergencies.confirm(second, made.id)


@pytest.mark.parametrize("reason", ["", "   ", "a\u202eb"])
async def test_a_glass_is_not_broken_without_a_reason(lite: Centre, reason: str) -> None:
    place = await village(lite)
    made = await propose(lite, place)
    with pytest.raises(InvalidError):
        await lite.services.emergencies.break_glass(place["operator"], made.id, BreakGlassIn(reason=reason))


def languages(items: Iterable[Any], *wanted: str) -> list[str | None]:
    voices = [item.voice_for(wanted) for item in items]
    return [voice.language if voice else None for voice in voices]


async def test_signal_languages_and_repeats_follow_one_another(lite: Centre) -> None:
    """Each time: the signal, the message in the first language of the place, then in its second one."""
    place = await village(lite)
    await lite.services.areas.change(lite.actor, place["west"].id, languages=["hmn", "vi"])
    both = await message(lite, place["area"], vi="Lũ về", hmn="Dej nyab")
    sent = await send(lite, place, message_id=both, repeats=2, repeat_every_ms=90_000)
    said = await wire(lite, sent.broadcast_id)
    assert [item.choice for item in said.items] == [0, 0, 1] * 2
    assert languages(said.items, "hmn", "vi") == ["vi", "hmn", "vi"] * 2
    assert languages(said.items, "vi") == ["vi", "vi", None] * 2
    assert [item.offset_ms for item in said.items] == [0, 2_100, 26_600, 90_000, 92_100, 116_600]
    assert sent.length_ms == said.length_ms == 90_000 + 26_600 + 24_000


async def test_without_an_interval_it_follows_itself(lite: Centre) -> None:
    place = await village(lite)
    said = await wire(lite, (await send(lite, place, repeats=3, repeat_every_ms=1_000)).broadcast_id)
    assert [item.offset_ms for item in said.items[::2]] == [0, 26_600, 53_200]


@pytest.mark.parametrize(
    ("changed", "field", "problem"),
    [
        ({"message_id": None}, "title", "empty"),
        ({"message_id": None, "title": "Lũ"}, "message_id", "empty"),
        ({"message_id": "nothing"}, "message_id", "unknown"),
        ({"message_id": "clear"}, "message_id", "kind"),
        ({"message_id": "elsewhere"}, "message_id", "elsewhere"),
        ({"message_id": "wordy"}, "message_id", "no_voice"),
        ({"recordings": ["nothing"]}, "recordings", "unknown"),
        ({"targets": []}, "targets", "empty"),
        ({"targets": ["areas/nowhere"]}, "targets", "unknown"),
        ({"repeats": 20, "repeat_every_ms": 1_800_000}, "repeats", "too_long"),
    ],
)
async def test_what_could_not_be_said_is_refused_by_name(
    lite: Centre, changed: dict[str, Any], field: str, problem: str
) -> None:
    place = await village(lite)
    words = {"area_id": place["area"].id, "title": "Lời", "voices": [{"language": "vi", "text": "Chưa có tiếng"}]}
    made = {
        "clear": place["clear"],
        "elsewhere": await message(lite, place["east"]),
        "wordy": (await lite.services.messages.create(lite.actor, MessageIn.model_validate(words))).id,
    }
    if changed.get("message_id") in made:
        changed = changed | {"message_id": made[changed["message_id"]]}
    with pytest.raises(InvalidError) as wrong:
        await propose(lite, place, **changed)
    assert (wrong.value.fields["field"], wrong.value.fields["problem"]) == (field, problem)


async def test_what_is_confirmed_is_what_was_proposed(lite: Centre) -> None:
    """The message was edited in between: what sounds is what both have seen."""
    place = await village(lite)
    made = await propose(lite, place)
    before = (await lite.services.messages.get(lite.actor, place["message"])).voices[0].recording_id
    other = {"version": 1, "title": "Khác", "voices": [{"language": "vi", "recording_id": await lite.recording()}]}
    async with lite.client() as client:
        assert (await client.put(f"/api/v1/messages/{place['message']}", json=other)).status_code == 200
    sent = await lite.services.emergencies.confirm(place["leader"], made.id)
    [found] = await lite.services.broadcasts.today(lite.actor)
    assert sent.title == found.title == "Lũ quét"
    assert [item.recording_id for item in found.items] == [place["signal"], before]


async def test_who_starts_it_sees_who_is_held_and_releases_in_the_same_act(here: Centre) -> None:
    place = await village(here)
    silent = await here.node(place["west"], "Cụm im", online=False)
    holds = []
    for name in ("east", "west"):
        here.clock.step(seconds=1)
        holds += await here.services.holds.order(here.actor, [place[name].scope])
    seen = await here.services.emergencies.preview(place["operator"], wish(place, release_holds=[holds[0].id]))
    assert [(hold.hold_id, hold.node_count, hold.may_release, hold.is_released) for hold in seen.holds] == [
        (holds[0].id, 1, True, True),
        (holds[1].id, 2, True, False),
    ]
    assert {node.name for node in seen.held} == {"Cụm Tây", "Cụm im"}
    assert [node.node_id for node in seen.offline] == [silent.id]
    assert (seen.broadcast.node_count, seen.broadcast.online_count, seen.broadcast.played_count) == (3, 2, 1)
    proposed = await propose(here, place, repeats=2)
    assert [hold.hold_id for hold in proposed.holds] == [hold.id for hold in holds], "the answer says it, too"
    await here.services.emergencies.cancel(place["operator"], proposed.id)
    sent = await send(here, place, release_holds=[holds[0].id])
    assert [hold.hold_id for hold in sent.holds] == [holds[1].id]
    assert [hold.id for hold in await here.services.holds.active(here.actor)] == [holds[1].id]
    assert [hold.hold_id for hold in (await here.services.emergencies.get(here.actor, sent.id)).holds] == [holds[1].id]


async def test_holds_stay_until_it_is_really_sent(lite: Centre) -> None:
    place = await village(lite)
    [hold] = await lite.services.holds.order(lite.actor, [place["east"].scope])
    made = await propose(lite, place, release_holds=[hold.id])
    await lite.services.emergencies.break_glass(place["operator"], made.id, ALONE)
    assert len(await lite.services.holds.active(lite.actor)) == 1
    lite.clock.step(seconds=30)
    await lite.services.firing.do_due()
    assert await lite.services.holds.active(lite.actor) == []


@pytest.mark.parametrize(("kind", "title"), [(MessageKind.ALL_CLEAR, "Hết lũ"), (MessageKind.FALSE_ALARM, "Báo nhầm")])
async def test_one_call_silences_it_and_says_that_it_is_over(here: Centre, kind: MessageKind, title: str) -> None:
    place = await village(here)
    sent = await send(here, place)
    here.clock.step(seconds=20)
    await dirty(here)
    over = await here.services.emergencies.follow(place["operator"], sent.id, kind, FollowIn(repeats=1))
    assert (over.state, over.kind, over.follows_id) == (EmergencyState.SENT, kind, sent.id)
    assert (place["area"].scope, "urgent") in await dirty(here)
    assert over.broadcast_id is not None
    told = await here.services.broadcasts.get(here.actor, over.broadcast_id)
    assert [item.title for item in told.items] == ["Tín hiệu", title]
    assert told.start_at - here.clock() < CANCEL_WINDOW
    first = await here.services.emergencies.get(here.actor, sent.id)
    assert (first.state, first.standings) == (EmergencyState.ENDED, {"unreachable": 2})
    with pytest.raises(ConflictError):
        await here.services.emergencies.follow(place["operator"], sent.id, kind, FollowIn())
    with pytest.raises(NotOpenError):  # an all-clear is not followed by another one
        await here.services.emergencies.follow(place["operator"], over.id, kind, FollowIn())


@pytest.mark.parametrize("act", ["all-clear", "false-alarm"])
async def test_it_is_ended_without_a_word_more_than_that(lite: Centre, act: str) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    async with lite.client() as client:
        answer = await client.post(f"/api/v1/emergencies/{sent.id}/{act}")
        assert (answer.status_code, answer.json()["follows_id"]) == (201, sent.id)
        unknown = await client.post(f"/api/v1/emergencies/{sent.id}/{act}", json={"message": "x"})
        assert unknown.status_code == 422


async def test_nothing_but_a_ready_message_of_that_kind_ends_an_emergency(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    wanted = FollowIn(message_id=place["message"])
    with pytest.raises(InvalidError):
        await lite.services.emergencies.follow(place["operator"], sent.id, MessageKind.ALL_CLEAR, wanted)
    waiting = await propose(lite, place, again=True)
    with pytest.raises(NotOpenError):
        await lite.services.emergencies.follow(place["operator"], waiting.id, MessageKind.ALL_CLEAR, FollowIn())


async def test_the_same_for_the_same_place_is_proposed_twice_only_on_purpose(lite: Centre) -> None:
    place = await village(lite)
    west = {"targets": [place["west"].scope]}
    first = await propose(lite, place)
    for state in (EmergencyState.PROPOSED, EmergencyState.SENT):
        with pytest.raises(AlreadyProposedError) as twice:
            await lite.services.emergencies.propose(place["leader"], wish(place, **west))
        known = twice.value.fields
        assert (known["emergency_id"], known["title"], known["state"]) == (first.id, "Lũ quét", state)
        if state is EmergencyState.PROPOSED:
            await lite.services.emergencies.confirm(place["leader"], first.id)
    await propose(lite, place, again=True, **west)
    await propose(lite, place, drill=Drill.SILENT)  # what is drilled keeps nobody from the real thing, nor back
    other = await message(lite, place["area"], vi="Bão")
    east = await propose(lite, place, message_id=other, targets=[place["east"].scope])
    await propose(lite, place, message_id=other, **west)
    await lite.services.emergencies.cancel(place["operator"], east.id)
    await propose(lite, place, message_id=other, targets=[place["east"].scope])


async def test_the_same_from_the_same_person_within_a_minute_is_what_they_proposed_before(lite: Centre) -> None:
    """Two taps on a slow link: neither refused nor proposed twice."""
    place = await village(lite)
    taps = [propose(lite, place) for _ in range(2)]
    first, second = await asyncio.gather(*taps)
    assert first.id == second.id
    assert (await propose(lite, place, again=True)).id != first.id, "said to be meant once more"
    with pytest.raises(AlreadyProposedError):
        await propose(lite, place, targets=[place["east"].scope])  # not the same: elsewhere
    with pytest.raises(AlreadyProposedError):
        await propose(lite, place, repeats=2)
    lite.clock.step(seconds=61)
    with pytest.raises(AlreadyProposedError):
        await propose(lite, place)


async def test_a_form_that_is_sent_again_leads_to_its_proposal_however_late(lite: Centre) -> None:
    place = await village(lite)
    emergencies, who, wanted = lite.services.emergencies, place["operator"], wish(place, again=True)
    first = await emergencies.propose(who, wanted, idempotency_key="tap")
    lite.clock.step(seconds=300)
    assert (await emergencies.propose(who, wanted, idempotency_key="tap")).id == first.id
    assert (await emergencies.propose(place["leader"], wanted, idempotency_key="tap")).id != first.id
    await emergencies.cancel(who, first.id)
    assert (await emergencies.propose(who, wanted, idempotency_key="tap")).id != first.id, "it was taken back"


async def test_a_proposal_that_nobody_confirmed_within_its_hour_keeps_no_other_out(lite: Centre) -> None:
    place = await village(lite)
    await propose(lite, place)
    lite.clock.step(seconds=PROPOSAL_LASTS.total_seconds() + 1)
    assert (await propose(lite, place)).state is EmergencyState.PROPOSED


async def test_the_follow_up_puts_first_who_needs_somebody(here: Centre) -> None:
    place = await village(here)
    extra = [await here.node(place["west"], f"Cụm {number}") for number in (1, 2, 3)]
    lost = await here.node(place["west"], "Cụm mất", online=False)
    wired = await here.services.nodes.create(here.actor, kind=NodeKind.FM, area_id=place["west"].id, name="FM")
    sent = await send(here, place)
    key = sent.broadcast_id or ""
    decided = here.clock()
    here.clock.step(seconds=2)
    whole: dict[str, Any] = {"outcome": Outcome.PLAYED, "requested_ms": 25_000, "played_ms": 25_000}
    said: list[tuple[str, dict[str, Any]]] = [
        (place["first"].id, whole | {"grade": Grade.E1}),
        (place["second"].id, whole | {"grade": Grade.E2}),
        (extra[0].id, whole | {"grade": Grade.E2, "simulated": True}),
        (extra[1].id, {"outcome": Outcome.MISSED, "reason": Reason.HELD}),
    ]
    for node_id, words in said:
        await tell(here, node_id, key, state=PlayState.PLAYING)
        await tell(here, node_id, key, seq=2, **words)
    found = await here.services.emergencies.get(here.actor, sent.id)
    assert [(node.node_name, str(node.standing)) for node in found.nodes] == [
        ("Cụm 2", "missed"),
        ("Cụm mất", "unreachable"),
        ("Cụm 3", "waiting"),
        ("Cụm Đông", "unverified"),
        ("Cụm 1", "unverified"),
        ("Cụm Tây", "verified"),
        ("FM", "unreporting"),
    ]
    by_id = {node.node_id: node for node in found.nodes}
    assert by_id[extra[0].id].simulated
    assert by_id[place["second"].id].time_to_air_ms == (here.clock() - decided).total_seconds() * 1000
    assert by_id[lost.id].time_to_air_ms is None
    assert by_id[wired.id].standing == "unreporting"


@pytest.mark.parametrize("drill", [Drill.MARKED, Drill.SILENT])
async def test_a_drill_goes_the_whole_way_and_stays_a_drill(lite: Centre, drill: Drill) -> None:
    place = await village(lite)
    await dirty(lite)
    sent = await send(lite, place, drill=drill, targets=[place["east"].scope])
    assert await dirty(lite) == {(place["east"].scope, "urgent")}  # nothing is told to nodes outside
    said = await wire(lite, sent.broadcast_id)
    assert (sent.drill, said.drill) == (drill, drill)
    assert (await lite.services.broadcasts.get(lite.actor, said.broadcast_id)).drill is drill
    assert not said.approved_for(frozenset([place["west"].scope, place["area"].scope]))
    plays = await lite.services.broadcasts.plays(lite.actor, said.broadcast_id)
    assert [play.node_name for play in plays] == ["Cụm Đông"]
    lite.clock.step(seconds=2)
    await tell(lite, place["first"].id, said.broadcast_id, state=PlayState.PLAYING)
    [node] = (await lite.services.emergencies.get(lite.actor, sent.id)).nodes
    assert node.time_to_air_ms == 2_000
    over = await lite.services.emergencies.follow(place["operator"], sent.id, MessageKind.ALL_CLEAR, FollowIn())
    assert over.drill is drill


async def heard_titles(here: Centre, broadcast_id: str | None) -> list[str]:
    async with here.database.reading() as session:
        titles = {row.sha256: row.title for row in await session.scalars(select(Recording))}
    return [titles[item.voices[0].sha256] for item in (await wire(here, broadcast_id)).items]


async def test_a_drill_that_sounds_says_so_before_every_time_and_at_its_end(lite: Centre) -> None:
    place = await village(lite)
    said = ["Đây là diễn tập", "Tín hiệu", "Lũ về"]
    drilled = await send(lite, place, drill=Drill.MARKED, repeats=2)
    assert await heard_titles(lite, drilled.broadcast_id) == [*said, *said, "Đây là diễn tập"]
    over = await lite.services.emergencies.follow(
        place["operator"], drilled.id, MessageKind.ALL_CLEAR, FollowIn(repeats=1)
    )
    assert await heard_titles(lite, over.broadcast_id) == ["Đây là diễn tập", "Tín hiệu", "Hết lũ", "Đây là diễn tập"]
    real = await send(lite, place, again=True)
    assert await heard_titles(lite, real.broadcast_id) == ["Tín hiệu", "Lũ về"]


async def test_without_words_for_a_drill_only_a_silent_one_is_made(lite: Centre) -> None:
    place = await village(lite)
    await lite.services.messages.archive(lite.actor, place["notice"])
    with pytest.raises(InvalidError) as refused:
        await propose(lite, place, drill=Drill.MARKED)
    assert refused.value.fields["problem"] == "no_drill_voice"
    assert (await propose(lite, place, drill=Drill.SILENT)).drill is Drill.SILENT
    with pytest.raises(InvalidError, match="only an alert"):
        await propose(lite, place, message_id=await message(lite, place["area"], MessageKind.DRILL, vi="Diễn tập"))


@pytest.mark.parametrize(("drill", "played"), [(Drill.MARKED, 0), (Drill.SILENT, 2), (None, 2)])
async def test_a_drill_at_night_is_foreseen_as_nodes_will_have_it(
    lite: Centre, drill: Drill | None, played: int
) -> None:
    place = await village(lite)
    lite.clock.step(hours=18.25)  # 03:15
    seen = (await lite.services.emergencies.preview(place["operator"], wish(place, drill=drill))).broadcast
    assert (seen.node_count, seen.played_count) == (2, played)
    assert [each.reason for each in seen.forecasts] == [None if played else Reason.QUIET_HOURS]


async def test_a_yes_to_a_drill_is_none_to_the_real_thing(lite: Centre) -> None:
    place = await village(lite)
    said = await wire(lite, (await send(lite, place, drill=Drill.SILENT)).broadcast_id)
    real = type(said)(**{name: getattr(said, name) for name in said.__struct_fields__} | {"drill": None})
    assert not real.approved_for(frozenset([place["area"].scope]))


async def test_what_is_over_ends_by_itself(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    lite.clock.now = (await wire(lite, sent.broadcast_id)).latest_end_at
    assert await lite.services.firing.next_at() == lite.clock()
    await lite.services.firing.do_due()
    found = await lite.services.emergencies.get(lite.actor, sent.id)
    assert (found.state, found.ended_by) == (EmergencyState.ENDED, None)
    assert await lite.services.firing.next_at() is None


async def test_what_is_cancelled_as_a_broadcast_is_over_as_an_emergency(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    await lite.services.broadcasts.cancel(place["operator"], sent.broadcast_id or "")
    await lite.services.firing.do_due()
    found = await lite.services.emergencies.get(lite.actor, sent.id)
    assert found.state is EmergencyState.ENDED
    assert found.ended_by is not None
    assert found.ended_by.person_id == place["operator"].person_id


async def test_every_step_stands_in_the_audit(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    await lite.services.emergencies.follow(place["operator"], sent.id, MessageKind.ALL_CLEAR, FollowIn())
    waiting = await propose(lite, place)
    await lite.services.emergencies.break_glass(place["operator"], waiting.id, ALONE)
    await lite.services.emergencies.cancel(place["operator"], waiting.id)
    entries = await lite.services.audit.list(lite.actor, limit=100)
    steps = [entry.action.partition(".")[2] for entry in reversed(entries) if entry.action.startswith("emergencies.")]
    assert steps == ["propose", "send", "confirm", "send", "propose", "propose", "break_glass", "cancel"]
    assert (await lite.services.audit.verify()).broken_at is None


async def test_what_an_unreachable_node_holds_cannot_be_confirmed_as_cancelled(here: Centre) -> None:
    """It will play at its hour unless it reconnects; who is reached, or never had it, will not."""
    place = await commune(here)
    late, gone = await here.node(place["west"], "Cụm chậm"), await here.node(place["west"], "Cụm trống")
    start_at = here.clock() + timedelta(hours=2)
    sent = await here.services.broadcasts.create(here.actor, asked(place, start_at=start_at, confirm_unusual=True))
    for node in (place["first"], place["second"], late):
        await tell(here, node.id, sent.id, state=PlayState.CACHED)
    here.clock.step(minutes=1)
    here.hears(place["first"].id)
    here.hears(late.id)
    assert {play.may_play_at for play in await here.services.broadcasts.plays(here.actor, sent.id)} == {None}
    await here.services.broadcasts.cancel(here.actor, sent.id)
    await tell(here, late.id, sent.id, seq=2, outcome=Outcome.CANCELLED, reason=Reason.WITHDRAWN)

    async def doubts() -> dict[str, datetime | None]:
        found = await here.services.broadcasts.plays(here.actor, sent.id)
        return {play.node_id: play.may_play_at for play in found}

    assert await doubts() == {place["first"].id: None, place["second"].id: start_at, late.id: None, gone.id: None}
    here.hears(place["second"].id)
    assert (await doubts())[place["second"].id] is None
    here.clock.step(hours=2, minutes=4)
    assert (await doubts())[place["second"].id] == start_at  # gone again: it still may begin
    here.clock.step(minutes=1)
    assert set((await doubts()).values()) == {None}


async def test_no_number_of_notices_keeps_an_emergency_out(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    """Urgents have room for emergencies of their own; only other emergencies can fill it."""
    place = await village(lite)
    monkeypatch.setattr(room, "URGENT_ROOM", Room(broadcasts=1, bytes=100_000))
    monkeypatch.setattr(room, "EMERGENCY_ROOM", Room(broadcasts=1, bytes=100_000))
    await lite.services.broadcasts.create(lite.actor, asked(place))
    with pytest.raises(UrgentFullError):
        await lite.services.broadcasts.create(lite.actor, asked(place))
    assert (await send(lite, place)).state is EmergencyState.SENT
    with pytest.raises(UrgentFullError):
        await send(lite, place, again=True)


async def test_the_alarm_of_a_broken_glass_reaches_those_above_and_no_neighbour(lite: Centre) -> None:
    place = await village(lite)
    sibling = acting(await lite.somebody("sibling", Role.ADMINISTRATOR, await lite.area("Xã bên")))
    made = await propose(lite, place, targets=[place["east"].scope])
    await lite.services.emergencies.break_glass(place["operator"], made.id, ALONE)
    [alarm] = await lite.services.alarms.list(place["leader"])
    assert (alarm.area_id, alarm.detail["by"], alarm.detail["reason"]) == (place["east"].id, "operator", ALONE.reason)
    assert await lite.services.alarms.list(sibling) == []


@pytest.mark.parametrize("drill", [None, Drill.MARKED])
async def test_whoever_only_listens_starts_neither_an_emergency_nor_a_drill(lite: Centre, drill: Drill | None) -> None:
    place = await village(lite)
    for role in (Role.HELPER, Role.OBSERVER, Role.TECHNICIAN):
        actor = acting(await lite.somebody(f"{role}.login", role, place["area"]))
        with pytest.raises(ForbiddenError):
            await lite.services.emergencies.propose(actor, wish(place, drill=drill))


async def test_of_two_who_confirm_at_once_one_sends_it(here: Centre) -> None:
    place = await village(here)
    made = await propose(here, place)
    confirm = here.services.emergencies.confirm
    ended = await asyncio.gather(
        confirm(place["leader"], made.id), confirm(here.actor, made.id), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in ended) == ["EmergencyOut", "NotOpenError"]
    assert len(await here.services.broadcasts.today(here.actor)) == 1


async def test_a_machines_key_proposes_and_decides_nothing(lite: Centre) -> None:
    place = await village(lite)
    service, leader = lite.services.emergencies, place["leader"]
    key = Actor(leader.person_id, ADDRESS, frozenset(Act))  # whatever a key may name
    made = await service.propose(key, wish(place))
    with pytest.raises(ForbiddenError):
        await service.confirm(Actor(place["operator"].person_id, ADDRESS, frozenset(Act)), made.id)
    other = await propose(lite, place, again=True)
    for decided in (service.confirm(key, other.id), service.break_glass(key, other.id, ALONE)):
        with pytest.raises(ForbiddenError, match="machine's key"):
            await decided
    assert (await service.cancel(key, made.id)).state is EmergencyState.CANCELLED
    await service.break_glass(place["operator"], other.id, ALONE)
    with pytest.raises(ForbiddenError, match="machine's key"):
        await service.cancel(key, other.id)
    sent = await send(lite, place, again=True)
    for kind in (MessageKind.ALL_CLEAR, MessageKind.FALSE_ALARM):
        with pytest.raises(ForbiddenError, match="machine's key"):
            await service.follow(key, sent.id, kind, FollowIn())
    assert await lite.services.emergencies.list(lite.actor, state=EmergencyState.SENT) == [sent]


async def test_over_the_api_a_key_that_may_propose_says_no_all_clear(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    until = (lite.clock() + timedelta(days=30)).isoformat()
    key = {"name": "Trạm đo mưa", "acts": [Act.EMERGENCIES_PROPOSE], "expires_at": until}
    async with lite.client() as client:
        token = (await client.post("/api/v1/people/me/tokens", json=key)).json()["token"]
    async with lite.client(signed_in=False) as machine:
        machine.headers["Authorization"] = f"Bearer {token}"
        for act in ("all-clear", "false-alarm"):
            assert (await machine.post(f"/api/v1/emergencies/{sent.id}/{act}")).status_code == 403


async def test_an_emergency_on_its_way_is_not_changed_as_a_broadcast(lite: Centre) -> None:
    place = await village(lite)
    sent = await send(lite, place)
    wanted = BroadcastIn.model_validate(
        {"title": "Khác", "recordings": [place["signal"]], "targets": [place["area"].scope]}
    )
    with pytest.raises(ConflictError) as refused:
        await lite.services.broadcasts.change(place["operator"], sent.broadcast_id or "", wanted)
    assert refused.value.fields["problem"] == "not_alone"
