"""Uploads in pieces: they go on where a link broke off, survive a crash, become one recording, and are one's own."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from controller.errors import InvalidError, NotFoundError, TooLargeError, TooManyAttemptsError
from controller.people.actor import Actor
from controller.recordings.resumable import KEPT, MOST_OPEN, OffsetError
from controller.recordings.schemas import SpeechIn, UploadIn, UploadOut
from tests import sounds
from tests.controller.factories import Centre
from tests.controller.test_services_recordings import left_in, names, processing, settled

PIECE = 20_000


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def broken(data: bytes) -> AsyncIterator[bytes]:
    yield data
    raise InvalidError("the upload broke off", field="body", problem="length")


async def begun(here: Centre, **given: object) -> UploadOut:
    return await here.services.resumables.begin(here.actor, UploadIn.model_validate({"title": "Bản tin"} | given))


async def sent(here: Centre, upload_id: str, data: bytes, *, start: int = 0, total: int | None = None) -> UploadOut:
    found = await here.services.resumables.get(here.actor, upload_id)
    for at in range(start, len(data), PIECE):
        piece = data[at : at + PIECE]
        last = total if at + PIECE >= len(data) else None
        found = await here.services.resumables.append(here.actor, upload_id, at, once(piece), total=last)
    return found


def pieces_of(here: Centre) -> list[str]:
    return names(here.services.config.uploads / "pieces")


async def test_a_file_in_pieces_becomes_one_recording(lite: Centre) -> None:
    data = sounds.encoded(sounds.speech(3), "mp3")
    assert len(data) > PIECE
    async with processing(lite):
        upload = await begun(lite, bytes=len(data), file_name="ban-tin.mp3")
        done = await sent(lite, upload.id, data)
        assert done.received == len(data)
        ready = await settled(lite, done.recording_id or "")
    assert (ready.state, ready.title, ready.origin, ready.source_bytes) == ("ready", "Bản tin", "uploaded", len(data))
    assert pieces_of(lite) == []
    assert left_in(lite) == ["pieces"]


async def test_it_goes_on_where_the_link_broke_off_in_the_middle_of_a_piece(lite: Centre) -> None:
    data = bytes(range(256)) * 200
    upload = await begun(lite, bytes=len(data))
    with pytest.raises(InvalidError, match="broke off"):
        await lite.services.resumables.append(lite.actor, upload.id, 0, broken(data[:700]))
    assert (await lite.services.resumables.get(lite.actor, upload.id)).received == 700
    with pytest.raises(OffsetError):
        await lite.services.resumables.append(lite.actor, upload.id, 0, once(data[:1400]))
    done = await sent(lite, upload.id, data, start=700)
    assert done.recording_id is not None
    original = lite.services.config.uploads / done.recording_id
    assert original.read_bytes() == data


async def test_a_file_grows_while_it_is_recorded_and_its_last_piece_says_how_long_it_is(lite: Centre) -> None:
    data = sounds.encoded(sounds.speech(2), "webm")
    async with processing(lite):
        upload = await begun(lite, origin="recorded", bytes=None)
        done = await sent(lite, upload.id, data)
        assert (done.bytes, done.recording_id) == (None, None)
        last = await lite.services.resumables.append(lite.actor, upload.id, len(data), once(b""), total=len(data))
        ready = await settled(lite, last.recording_id or "")
    assert (ready.state, ready.origin) == ("ready", "recorded")


async def test_what_is_all_there_is_finished_once_however_often_it_is_asked_for(lite: Centre) -> None:
    data = bytes(500)
    upload = await begun(lite, bytes=len(data))
    first = await sent(lite, upload.id, data)
    again = await lite.services.resumables.append(lite.actor, upload.id, len(data), once(b""))
    assert again.recording_id == first.recording_id
    assert len(await lite.services.recordings.list(lite.actor)) == 1


async def test_what_a_crash_left_half_written_is_written_over(lite: Centre) -> None:
    upload = await begun(lite, bytes=6)
    await lite.services.resumables.append(lite.actor, upload.id, 0, once(b"abc"))
    (lite.services.config.uploads / "pieces" / upload.id).write_bytes(b"abcXXXXXX")  # on the disk, and not answered for
    done = await lite.services.resumables.append(lite.actor, upload.id, 3, once(b"def"))
    assert (lite.services.config.uploads / (done.recording_id or "")).read_bytes() == b"abcdef"


async def test_a_file_that_is_gone_from_the_disk_is_begun_anew(lite: Centre) -> None:
    upload = await begun(lite, bytes=6)
    await lite.services.resumables.append(lite.actor, upload.id, 0, once(b"abc"))
    (lite.services.config.uploads / "pieces" / upload.id).unlink()
    with pytest.raises(NotFoundError):
        await lite.services.resumables.append(lite.actor, upload.id, 3, once(b"def"))


async def test_no_more_comes_than_was_announced_or_is_allowed(lite: Centre) -> None:
    upload = await begun(lite, bytes=5)
    with pytest.raises(InvalidError, match="more bytes"):
        await lite.services.resumables.append(lite.actor, upload.id, 0, once(b"abcdef"))
    with pytest.raises(InvalidError, match="announced"):
        await lite.services.resumables.append(lite.actor, upload.id, 0, once(b"abc"), total=3)
    with pytest.raises(TooLargeError):
        await begun(lite, bytes=lite.services.config.max_upload_bytes + 1)
    growing = await begun(lite, bytes=None)
    with pytest.raises(InvalidError, match="empty"):
        await lite.services.resumables.append(lite.actor, growing.id, 0, once(b""), total=0)


async def test_an_upload_is_seen_by_its_person_alone_and_not_for_ever(lite: Centre) -> None:
    upload = await begun(lite, bytes=5)
    hoa = await lite.somebody("hoa", "operator")
    other = Actor(hoa.id, "tests")
    for act in (
        lite.services.resumables.get(other, upload.id),
        lite.services.resumables.append(other, upload.id, 0, once(b"abc")),
        lite.services.resumables.give_up(other, upload.id),
    ):
        with pytest.raises(NotFoundError):
            await act
    await lite.services.resumables.append(lite.actor, upload.id, 0, once(b"abc"))
    lite.clock.step(seconds=(KEPT + timedelta(minutes=1)).total_seconds())
    with pytest.raises(NotFoundError):
        await lite.services.resumables.get(lite.actor, upload.id)
    await begun(lite, bytes=5)
    assert pieces_of(lite) == []


async def test_one_person_has_a_few_open_and_may_give_them_up(lite: Centre) -> None:
    opened = [await begun(lite, bytes=5) for _ in range(MOST_OPEN)]
    with pytest.raises(TooManyAttemptsError):
        await begun(lite, bytes=5)
    await lite.services.resumables.append(lite.actor, opened[0].id, 0, once(b"abc"))
    await lite.services.resumables.give_up(lite.actor, opened[0].id)
    assert pieces_of(lite) == []
    await begun(lite, bytes=5)


async def test_over_http_as_clients_of_tus_speak(lite: Centre) -> None:
    data = bytes(range(250)) * 4
    said = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}"
        for name, value in {"title": "Mất nước", "file_name": "nước.mp3", "filetype": "audio/mpeg"}.items()
    )
    async with lite.client() as client:
        made = await client.post(
            "/api/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "1000", "Upload-Metadata": said}
        )
        assert made.status_code == 201
        where = made.headers["Location"]
        first = await client.patch(where, content=data[:600], headers={"Upload-Offset": "0"})
        assert (first.status_code, first.headers["Upload-Offset"]) == (200, "600")
        late = await client.patch(where, content=data[:600], headers={"Upload-Offset": "0"})
        assert (late.status_code, late.json()["error"]["code"]) == (409, "upload_offset")
        asked = await client.head(where)
        assert asked.status_code == 200
        assert (asked.headers["Upload-Offset"], asked.headers["Upload-Length"]) == ("600", "1000")
        assert asked.headers["Cache-Control"] == "no-store"
        last = await client.patch(where, content=data[600:], headers={"Upload-Offset": "600"})
        recording_id = last.headers["Loa-Recording"]
        assert (await client.get(f"/api/v1/recordings/{recording_id}")).json()["title"] == "Mất nước"
        both = await client.post("/api/v1/uploads", headers={"Upload-Metadata": said})
        assert (both.status_code, both.json()["error"]["fields"]["field"]) == (422, "length")
        wrong = await client.post("/api/v1/uploads", headers={"Upload-Length": "5", "Upload-Metadata": "title ***"})
        assert wrong.status_code == 422


async def test_a_text_becomes_a_recording_that_says_a_machine_speaks(lite: Centre) -> None:
    text = "Mời bà con họp lúc 19h30 ngày 24/11 tại UBND xã."
    async with processing(lite):
        taken = await lite.services.speech.speak(lite.actor, SpeechIn(text=text))
        ready = await settled(lite, taken.id)
    assert (ready.state, ready.origin, ready.voice) == ("ready", "machine", "espeak-ng vi")
    assert ready.title == ready.words == text
    assert (ready.length_ms or 0) > 3_000


async def test_a_text_without_a_word_or_in_an_unknown_voice_is_refused(lite: Centre) -> None:
    for wanted, field in ((SpeechIn(text=" … "), "text"), (SpeechIn(text="Mời", voice="../x"), "voice")):
        with pytest.raises(InvalidError) as refused:
            await lite.services.speech.speak(lite.actor, wanted)
        assert refused.value.fields["field"] == field


async def test_of_many_pieces_for_one_place_one_is_written_at_a_time(lite: Centre) -> None:
    """Who comes when the first is done, and the second was woken and has not begun, waits like everybody."""
    inside: list[int] = []
    most = 0

    async def write(number: int) -> None:
        nonlocal most
        async with lite.services.resumables._alone("u"):
            inside.append(number)
            most = max(most, len(inside))
            for _ in range(5):
                await asyncio.sleep(0)
            inside.remove(number)

    first, second = asyncio.create_task(write(1)), asyncio.create_task(write(2))
    await first
    await asyncio.gather(second, write(3))
    assert most == 1
