"""Ready messages: written long before, pinned on the nodes that may need them, served to them without a session."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from audio import tune
from controller.areas.schemas import AreaOut
from controller.emergencies import attention
from controller.emergencies.rules import GAP_MS, LONGEST_SIGNAL_MS
from controller.emergencies.schemas import FollowIn, MessageIn, MessageOut
from controller.emergencies.signalling import TITLE
from controller.emergencies.states import MessageKind, SignalState
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.people.actor import Actor
from controller.people.rights import Role
from controller.recordings.models import Recording
from controller.recordings.states import RecordingState
from edge_agent.protocol.documents import Settings, Urgent
from edge_agent.protocol.states import Drill
from tests.controller.factories import ADDRESS, Centre
from tests.controller.test_emergencies import ALONE, message, propose, village, wire, wish
from tests.controller.test_services_areas import dirty
from tests.controller.wire.test_dispatcher import Desk, desk


def worded(area: AreaOut, *voices: dict[str, str], **given: Any) -> MessageIn:
    return MessageIn.model_validate({"area_id": area.id, "title": "Lũ quét", "voices": voices} | given)


async def sha256(here: Centre, recording_id: str) -> str:
    return (await here.services.recordings.get(here.actor, recording_id)).sha256 or ""


def pinned(made: Desk, node_id: str) -> list[str]:
    settings = made.last(f"nodes/{node_id}", "settings")
    assert isinstance(settings, Settings)
    return [voice.sha256 for voice in settings.pinned]


async def test_a_message_is_pinned_on_the_nodes_at_and_below_its_area_and_nowhere_else(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        here = made.centre
        signal = await here.recording("Tín hiệu", is_signal=True)
        commune, other = await here.area("Xã Đông"), await here.area("Xã Tây")
        hamlet = await here.area("Thôn", commune)
        near, far = await here.node(hamlet), await here.node(other, "Cụm 2")
        words, own = await here.recording("Lũ"), await here.recording("Cháy")
        await made.settle()
        await dirty(here)
        wanted = worded(commune, {"language": "vi", "recording_id": words}, {"language": "hmn", "text": "Dej nyab"})
        await here.services.messages.create(here.actor, wanted)
        assert await dirty(here) == {(near.scope, "settings")}
        await here.services.messages.create(here.actor, worded(hamlet, {"language": "vi", "recording_id": own}))
        await made.settle()
        assert pinned(made, near.id) == [await sha256(here, each) for each in (signal, own, words)]
        assert pinned(made, far.id) == []


async def test_what_is_put_away_is_unpinned_and_served_no_more(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        here = made.centre
        node = await here.node(await here.area())
        recording = await here.recording("Lũ")
        wanted = MessageIn.model_validate(
            {"area_id": node.area_id, "title": "Lũ", "voices": [{"language": "vi", "recording_id": recording}]}
        )
        found = await here.services.messages.create(here.actor, wanted)
        key = await sha256(here, recording)
        await made.settle()
        assert pinned(made, node.id) == [key]
        assert (await here.services.media.recording(key)).public
        with pytest.raises(ConflictError):  # nobody takes away what an emergency may need
            await here.services.recordings.withdraw(here.actor, recording)
        await here.services.messages.archive(here.actor, found.id)
        await made.settle()
        assert pinned(made, node.id) == []
        with pytest.raises(NotFoundError):
            await here.services.media.recording(key)
        with pytest.raises(ConflictError):
            await here.services.messages.archive(here.actor, found.id)


async def signals(here: Centre) -> list[Recording]:
    async with here.database.reading() as session:
        return list(await session.scalars(select(Recording).where(Recording.is_signal)))


async def test_the_signal_is_known_by_its_mark_and_no_recording_to_choose(lite: Centre) -> None:
    """Neither by its name nor by its sound: who sends the same file has not made another signal."""
    sound = hashlib.sha256(tune.attention()).hexdigest()
    named = await lite.recording("Tin xã", file_name="attention.wav", source_sha256=sound)
    signal = await lite.recording("Tín hiệu", is_signal=True)
    assert [each.id for each in await lite.services.recordings.list(lite.actor)] == [named]
    async with lite.database.reading() as session:
        found = await attention.find(session)
    assert found is not None
    assert found.id == signal
    with pytest.raises(NotFoundError):
        await lite.services.media.recording(await sha256(lite, named))


async def test_the_signal_is_served_before_anybody_needed_it(lite: Centre) -> None:
    signal = await lite.recording("Tín hiệu", is_signal=True)
    assert (await lite.services.media.recording(await sha256(lite, signal))).public


async def test_the_first_message_has_the_signal_made(lite: Centre) -> None:
    """Once for the whole centre; it waits for processing like every recording."""
    commune, other = await lite.area("Xã Đông"), await lite.area("Xã Tây")
    for area in (commune, commune, other):
        await lite.services.messages.create(lite.actor, worded(area, {"language": "vi", "text": "Lũ về"}))
    [made] = await signals(lite)
    assert (made.title, made.area_id, made.state) == (TITLE, commune.id, RecordingState.PROCESSING)


async def test_nodes_get_the_signal_as_soon_as_it_is_made(tmp_path: Path) -> None:
    """It was not ready yet when the first message was pinned."""
    async with desk(tmp_path) as made:
        here = made.centre
        area = await here.area()
        node, words = await here.node(area), await here.recording("Lũ")
        await here.services.messages.create(here.actor, worded(area, {"language": "vi", "recording_id": words}))
        await made.settle()
        assert pinned(made, node.id) == [await sha256(here, words)]
        assert await here.services.processing._process_waiting()
        await made.settle()
        [signal] = await signals(here)
        assert 0 < (signal.length_ms or 0) <= LONGEST_SIGNAL_MS
        assert pinned(made, node.id) == [signal.sha256, await sha256(here, words)]


async def test_a_signal_that_was_still_being_made_goes_before_what_was_proposed(lite: Centre) -> None:
    """The words stay those that were proposed; who confirms sees how long it is with the signal."""
    place = await village(lite)
    await lite.services.recordings.withdraw(lite.actor, place["signal"])
    made = await propose(lite, place, repeats=2)
    unsent = await lite.services.emergencies.propose(place["operator"], wish(place, again=True))
    shown = await lite.services.emergencies.get(place["leader"], made.id)
    assert (shown.signal, [each.is_signal for each in shown.sounds]) == (SignalState.COMING, [False])
    signal = await lite.recording("Tín hiệu", length_ms=1_600, is_signal=True)
    shown = await lite.services.emergencies.get(place["leader"], made.id)
    assert (shown.signal, [each.is_signal for each in shown.sounds]) == (SignalState.FIRST, [True, False])
    assert shown.length_ms == made.length_ms + 1_600 + GAP_MS
    sent = await lite.services.emergencies.confirm(place["leader"], made.id)
    said = await wire(lite, sent.broadcast_id)
    assert [(item.offset_ms, item.slot_ms) for item in said.items] == [(0, 1_600), (2_100, 24_000), (28_100, 24_000)]
    assert said.items[0].voices[0].sha256 == await sha256(lite, signal)
    assert (sent.length_ms, said.length_ms) == (shown.length_ms, shown.length_ms)
    await lite.services.emergencies.cancel(place["operator"], unsent.id)
    assert (await lite.services.emergencies.get(lite.actor, unsent.id)).length_ms == unsent.length_ms


async def test_without_the_signal_it_is_said_all_the_same(lite: Centre) -> None:
    place = await village(lite)
    await lite.services.recordings.withdraw(lite.actor, place["signal"])
    seen = await lite.services.emergencies.preview(place["operator"], wish(place))
    assert (seen.broadcast.length_ms, seen.signal) == (24_000, SignalState.COMING)


async def test_a_message_of_above_is_read_and_used_below_and_changed_only_above(lite: Centre) -> None:
    province = await lite.area("Tỉnh", kind="province")
    commune, sibling = await lite.area("Xã Đông", province), await lite.area("Xã Tây", province)
    await lite.node(commune)
    leader = await lite.somebody("leader", Role.APPROVER, commune)
    actor = Actor(leader.id, ADDRESS)
    above, beside = await message(lite, province), await message(lite, sibling)
    assert [found.id for found in await lite.services.messages.list(actor)] == [above]
    asked = {"message_id": above, "targets": [commune.scope]}
    place: dict[str, Any] = {"message": above, "area": commune, "operator": actor}
    assert (await propose(lite, place, **asked)).message_id == above
    with pytest.raises(ForbiddenError):
        await lite.services.messages.archive(actor, above)
    with pytest.raises(NotFoundError):
        await lite.services.messages.get(actor, beside)


async def test_a_change_needs_the_version_that_was_seen(lite: Centre) -> None:
    area = await lite.area()
    found = await lite.services.messages.create(lite.actor, worded(area, {"language": "vi", "text": "Lũ về"}))
    body = {"version": 1, "title": "Lũ lớn", "voices": [{"language": "vi", "text": "Lũ lớn về"}]}
    async with lite.client() as client:
        changed = await client.put(f"/api/v1/messages/{found.id}", json=body)
        again = await client.put(f"/api/v1/messages/{found.id}", json=body)
    assert (changed.status_code, changed.json()["version"], changed.json()["title"]) == (200, 2, "Lũ lớn")
    assert (again.status_code, again.json()["error"]["fields"]["problem"]) == (409, "changed")


@pytest.mark.parametrize(
    ("voices", "problem"),
    [
        ([{"language": "vi", "text": " "}], "empty"),
        ([{"language": "vi", "text": "a"}, {"language": "vi", "text": "b"}], "twice"),
        ([{"language": "vi", "recording_id": "nothing"}], "unknown"),
    ],
)
async def test_a_message_that_says_nothing_is_refused(lite: Centre, voices: list[dict[str, str]], problem: str) -> None:
    area = await lite.area()
    with pytest.raises(InvalidError) as wrong:
        await lite.services.messages.create(lite.actor, worded(area, *voices))
    assert wrong.value.fields["problem"] == problem


async def test_only_messages_that_sound_say_so(lite: Centre) -> None:
    area, recording = await lite.area(), await lite.recording()
    made: list[MessageOut] = [
        await lite.services.messages.create(lite.actor, worded(area, voice, kind=MessageKind.ALL_CLEAR))
        for voice in ({"language": "vi", "text": "Hết lũ"}, {"language": "vi", "recording_id": recording})
    ]
    assert [found.sounds for found in made] == [False, True]


async def test_a_drill_stands_in_the_urgents_of_its_own_nodes_and_carries_its_name(tmp_path: Path) -> None:
    async with desk(tmp_path) as made:
        place = await village(made.centre)
        inside, outside = place["first"], place["second"]
        asked = await propose(made.centre, place, drill=Drill.SILENT, targets=[inside.scope])
        await made.centre.services.emergencies.confirm(place["leader"], asked.id)
        await made.settle()
        mine, area, theirs = (
            made.last(scope, "urgent") for scope in (inside.scope, place["area"].scope, outside.scope)
        )
        assert isinstance(mine, Urgent)
        assert isinstance(area, Urgent)
        assert isinstance(theirs, Urgent)
        assert [(each.drill, each.level) for each in mine.broadcasts] == [(Drill.SILENT, "emergency")]
        assert (area.broadcasts, theirs.broadcasts) == ((), ())


async def test_what_an_open_emergency_says_is_not_withdrawn_beneath_it(lite: Centre) -> None:
    """Else whoever uploads could silence what counts down."""
    place = await village(lite)
    said = await lite.recording("Lũ", area_id=place["area"].id)
    asked = await propose(lite, place, message_id=None, recordings=[said], title="Vỡ đê")
    for break_glass in (False, True):
        if break_glass:
            await lite.services.emergencies.break_glass(place["operator"], asked.id, ALONE)
        with pytest.raises(ConflictError, match="Vỡ đê") as kept:
            await lite.services.recordings.withdraw(place["operator"], said)
        assert kept.value.fields["problem"] == "in_use"
    await lite.services.emergencies.cancel(place["operator"], asked.id)
    assert (await lite.services.recordings.withdraw(place["operator"], said)).withdrawn_at is not None


async def test_what_could_not_be_ended_by_one_click_is_said_before_it_is_sent(lite: Centre) -> None:
    place = await village(lite)
    hamlet = place["west"]
    await lite.services.messages.archive(lite.actor, place["clear"])

    async def missing() -> tuple[MessageKind, ...]:
        seen = await lite.services.emergencies.preview(place["operator"], wish(place, targets=[hamlet.scope]))
        listed = await lite.services.messages.list(place["operator"], area_id=hamlet.id, kind=MessageKind.ALERT)
        assert [each.missing_messages for each in listed] == [seen.missing_messages]
        return seen.missing_messages

    assert await missing() == (MessageKind.ALL_CLEAR,)
    wordy = worded(place["area"], {"language": "vi", "text": "Hết lũ"}, kind=MessageKind.ALL_CLEAR)
    await lite.services.messages.create(lite.actor, wordy)
    assert await missing() == (MessageKind.ALL_CLEAR,)  # words alone are not heard
    await message(lite, place["area"], MessageKind.ALL_CLEAR, vi="Hết lũ")
    assert await missing() == ()
    asked = await propose(lite, place)
    await lite.services.emergencies.confirm(place["leader"], asked.id)
    over = await lite.services.emergencies.follow(place["operator"], asked.id, MessageKind.ALL_CLEAR, FollowIn())
    assert over.kind is MessageKind.ALL_CLEAR
