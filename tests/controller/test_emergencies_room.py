"""What nodes could not be sent at once is refused before anybody is called for a second yes."""

import pytest

from controller.broadcasts import room
from controller.broadcasts.room import Room, UrgentFullError
from controller.emergencies.schemas import MessageIn
from controller.errors import InvalidError
from tests.controller.factories import Centre
from tests.controller.test_emergencies import propose, send, village, wish

LANGUAGES = (
    "vi",
    "hmn",
    "tyz",
    "nut",
    "mww",
    "tai",
    "blt",
    "khm",
    "cja",
    "bdq",
    "jra",
    "hre",
    "sed",
    "rad",
    "mnw",
    "mng",
)


async def test_many_languages_many_times_are_refused_when_proposed_and_in_the_preview(lite: Centre) -> None:
    """Alone in its place, too: a document that cannot be signed reaches nobody."""
    place = await village(lite)
    for name in ("west", "east"):
        await lite.services.areas.change(lite.actor, place[name].id, languages=list(LANGUAGES))
    voices = [
        {"language": each, "recording_id": await lite.recording("Lũ", language=each, length_ms=1_000)}
        for each in LANGUAGES
    ]
    flood = MessageIn.model_validate({"area_id": place["area"].id, "title": "Lũ", "voices": voices})
    made = await lite.services.messages.create(lite.actor, flood)
    many = wish(place, message_id=made.id, repeats=6)
    for ask in (lite.services.emergencies.preview, lite.services.emergencies.propose):
        with pytest.raises(InvalidError) as wrong:
            await ask(place["operator"], many)
        assert (wrong.value.fields["field"], wrong.value.fields["problem"]) == ("items", "too_large")
    assert await lite.services.emergencies.list(lite.actor) == []
    fewer = await lite.services.emergencies.propose(place["operator"], wish(place, message_id=made.id, repeats=2))
    assert (await lite.services.emergencies.confirm(place["leader"], fewer.id)).sent_at is not None


async def test_a_place_that_is_full_says_so_to_who_proposes(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    place = await village(lite)
    await send(lite, place)
    monkeypatch.setattr(room, "EMERGENCY_ROOM", Room(broadcasts=1, bytes=100_000))
    with pytest.raises(UrgentFullError):
        await lite.services.emergencies.preview(place["operator"], wish(place, again=True))
    with pytest.raises(UrgentFullError):
        await propose(lite, place, again=True)


async def test_what_was_just_small_enough_is_still_so_with_the_signal(
    lite: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await village(lite)
    await lite.services.recordings.withdraw(lite.actor, place["signal"])
    for size in range(200, 4_000, 25):
        monkeypatch.setattr(room, "EMERGENCY_ROOM", Room(broadcasts=30, bytes=size))
        try:
            made = await propose(lite, place)
        except InvalidError:
            continue
        break
    await lite.recording("Tín hiệu", length_ms=1_600, is_signal=True)
    await lite.services.emergencies.confirm(place["leader"], made.id)
