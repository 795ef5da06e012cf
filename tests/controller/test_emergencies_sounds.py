"""What is told of an emergency's sound to whoever is asked for a yes: all of it, in its order, as it was proposed."""

from typing import Any

from controller.emergencies.schemas import EmergencyFollowUp, MessageChange, MessageIn
from controller.recordings.speech import title_of
from controller.recordings.states import RecordingOrigin
from controller.services import Services
from edge_agent.protocol.states import Drill
from tests.controller.factories import Centre
from tests.controller.test_emergencies import message, propose, village

Told = list[tuple[str, str, int, str]]


def told(found: EmergencyFollowUp) -> Told:
    return [(each.title, each.language, each.times, each.words) for each in found.sounds]


async def written(services: Services, here: Centre, key: str, *texts: str) -> None:
    """Change a ready message so that its voices have these words."""
    known = await services.messages.get(here.actor, key)
    voices = [each.model_copy(update={"text": text}) for each, text in zip(known.voices, texts, strict=True)]
    change = MessageChange(version=known.version, title=known.title, voices=tuple(voices))
    await services.messages.change(here.actor, key, change)


async def test_all_that_is_heard_is_told_in_its_order_with_its_language_and_how_often(lite: Centre) -> None:
    """Each language takes its turn in each time; the words before a drill are heard once more after it."""
    place, services = await village(lite), lite.services
    await services.areas.change(lite.actor, place["area"].id, languages=["tyz", "vi"])
    both = await message(lite, place["area"], vi="Lũ về", tyz="Nặm noòng")
    await written(services, lite, both, "Lũ về!", "Nặm noòng mà!")
    own = await lite.recording("Vỡ đê", area_id=place["area"].id)
    for drill, notice in ((None, []), (Drill.MARKED, [("Đây là diễn tập", "vi", 3, "")])):
        made = await propose(lite, place, message_id=both, recordings=[own], repeats=2, drill=drill)
        found = await services.emergencies.get(place["leader"], made.id)
        signal, *rest = [*notice, ("Tín hiệu", "vi", 2, "")] if drill else [("Tín hiệu", "vi", 2, ""), *notice]
        assert told(found) == [
            *(signal, *rest),
            ("Lũ về", "vi", 2, "Lũ về!"),
            ("Nặm noòng", "tyz", 2, "Nặm noòng mà!"),
            ("Vỡ đê", "vi", 2, ""),
        ]
        assert [each.is_signal for each in found.sounds].count(True) == 1
        assert all(each.media_url.startswith("/media/") and each.length_ms for each in found.sounds)


async def test_the_words_are_those_of_when_it_was_proposed_also_once_it_is_sent(lite: Centre) -> None:
    place, services = await village(lite), lite.services
    await written(services, lite, place["message"], "Sơ tán ngay")
    made = await propose(lite, place)
    await written(services, lite, place["message"], "Ở yên trong nhà")
    before = told(await services.emergencies.get(place["leader"], made.id))
    await services.emergencies.confirm(place["leader"], made.id)
    assert told(await services.emergencies.get(place["leader"], made.id)) == before
    assert [words for *_, words in before] == ["", "Sơ tán ngay"]


HEARD = "Nước sông Cầu đang lên rất nhanh, đã vượt báo động ba từ chiều nay, đề nghị bà con thôn Trại Ở YÊN TRONG NHÀ."
"""Its first sixty letters are those of many others."""


async def test_of_a_machines_recording_the_words_are_its_own_whatever_anybody_says_of_it(lite: Centre) -> None:
    """Nobody who proposes can have a leader read other words than those that sound."""
    place, other = await village(lite), HEARD.replace("Ở YÊN TRONG NHÀ", "SƠ TÁN LÊN ĐỒI NGAY")
    assert title_of(HEARD) == title_of(other)
    given = {"area_id": place["area"].id, "title": title_of(HEARD)}
    read = await lite.recording(**given, origin=RecordingOrigin.MACHINE, voice="espeak-ng vi", words=HEARD)
    cut = await lite.recording(**given, origin=RecordingOrigin.CUT, voice="espeak-ng vi")
    spoken = await lite.recording(**given, origin=RecordingOrigin.RECORDED)
    voices = [{"language": "vi", "recording_id": read, "text": other}]
    wanted = {"area_id": place["area"].id, "kind": "alert", "title": "Lũ", "voices": voices}
    ready = await lite.services.messages.create(lite.actor, MessageIn.model_validate(wanted))
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"message_id": ready.id}, HEARD),
        ({"recordings": [read]}, HEARD),
        *(({"recordings": [each]}, "") for each in (cut, spoken)),
    ]
    for wish, words in wishes:
        made = await propose(lite, place, **{"message_id": None, "title": title_of(other)} | wish)
        found = await lite.services.emergencies.get(place["leader"], made.id)
        assert (found.sounds[-1].words, found.sounds[-1].is_machine) == (words, wish != {"recordings": [spoken]})
        await lite.services.emergencies.cancel(place["operator"], made.id)
    own = {"recordings": [read], "title": "Lũ", "targets": [place["area"].scope], "words": other}
    async with lite.client() as client:
        for path, sent in (
            ("emergencies", own),
            ("emergencies/preview", own),
            ("recordings/speech", {"text": "Lũ", "words": other}),
        ):
            answer = await client.post(f"/api/v1/{path}", json=sent)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid"), path


async def test_what_was_proposed_before_says_that_nothing_was_added(lite: Centre) -> None:
    place = await village(lite)
    first = await propose(lite, place)
    again = await propose(lite, place)
    assert (first.is_repeat, again.is_repeat, again.id) == (False, True, first.id)
