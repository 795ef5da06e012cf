"""Recordings: taken in, processed by the real ffmpeg, reused, withdrawn, taken up after a crash."""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from audio.errors import ToolMissingError
from audio.prepare import Prepared, prepare
from controller.errors import (
    BusyError,
    ConflictError,
    InvalidError,
    NoSpaceError,
    NotFoundError,
    TooLargeError,
    TooManyAttemptsError,
)
from controller.recordings.processing import Processing
from controller.recordings.schemas import RecordingOut
from controller.recordings.service import Recordings
from controller.recordings.uploads import TooSlowError, UploadLimits, UploadRoom
from tests import sounds
from tests.controller.factories import Centre, centre
from tests.controller.test_services_broadcasts import asked, commune


async def pieces(data: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@asynccontextmanager
async def processing(here: Centre, loop: Processing | None = None) -> AsyncIterator[None]:
    """Process recordings for the length of the block."""
    loop = loop or here.services.processing
    async with asyncio.TaskGroup() as group:
        task = group.create_task(loop.run())
        await loop.ready.wait()
        yield
        task.cancel()


async def settled(here: Centre, recording_id: str) -> RecordingOut:
    """Wait until a recording is ready or rejected."""
    async with asyncio.timeout(30):
        with here.bus.listen() as events:
            while True:
                found = await here.services.recordings.get(here.actor, recording_id)
                if found.state != "processing":
                    return found
                await anext(events)


async def upload(
    here: Centre, data: bytes, title: str = "Bản tin", *, to: Recordings | None = None, **given: Any
) -> RecordingOut:
    return await (to or here.services.recordings).upload(
        here.actor, title=title, file_name="ban-tin.mp3", body=pieces(data), **given
    )


def left_in(here: Centre) -> list[str]:
    return names(here.services.config.uploads)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_a_real_recording_becomes_ready_and_its_original_goes(lite: Centre) -> None:
    data = sounds.encoded(sounds.speech(3), "mp3")
    async with processing(lite):
        taken = await upload(lite, data, declared_bytes=len(data))
        assert (taken.state, taken.media_url, taken.uploaded_by) == ("processing", None, "Nguyễn Thị Lan")
        ready = await settled(lite, taken.id)
    assert ready.state == "ready"
    assert ready.length_ms == pytest.approx(3_000, abs=100)
    assert ready.loudness_lufs == pytest.approx(-16, abs=1)
    file = lite.services.config.media / f"{ready.sha256}.opus"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == ready.sha256
    waveform = await lite.services.recordings.waveform(lite.actor, taken.id)
    assert max(waveform.peaks) > 100
    assert left_in(lite) == []


async def test_the_same_file_is_ready_at_once(lite: Centre) -> None:
    data = sounds.encoded(sounds.speech(2), "mp3")
    async with processing(lite):
        first = await settled(lite, (await upload(lite, data)).id)
    again = await upload(lite, data, "Bản tin, lần nữa")  # nothing processes any more
    assert (again.state, again.sha256, again.title) == ("ready", first.sha256, "Bản tin, lần nữa")
    assert again.id != first.id
    assert left_in(lite) == []
    assert [each.id for each in await lite.services.recordings.list(lite.actor)] == sorted(
        [first.id, again.id], reverse=True
    )


async def test_what_is_not_audio_is_rejected_by_name(lite: Centre) -> None:
    async with processing(lite):
        found = await settled(lite, (await upload(lite, b"<html>not audio at all</html>" * 100)).id)
    assert (found.state, found.reason, found.media_url) == ("rejected", "not_audio", None)
    assert left_in(lite) == []
    with pytest.raises(NotFoundError):
        await lite.services.recordings.waveform(lite.actor, found.id)


async def test_after_a_crash_what_waits_is_processed_and_what_nobody_waits_for_goes(lite: Centre) -> None:
    taken = await upload(lite, sounds.encoded(sounds.speech(2), "mp3"))
    folder = lite.services.config.uploads
    (folder / "0123.part").write_bytes(b"half an upload")
    (folder / "4567").write_bytes(b"its row was never committed")
    media = lite.services.config.media
    media.mkdir(exist_ok=True)
    (media / ".k3j2h.part").write_bytes(b"half a recording")
    async with processing(lite):
        ready = await settled(lite, taken.id)
        assert ready.state == "ready"
    assert left_in(lite) == []
    assert names(media) == [f"{ready.sha256}.opus"]


async def test_a_lost_original_is_a_rejected_recording_not_a_stopped_centre(lite: Centre) -> None:
    lost = await upload(lite, sounds.encoded(sounds.speech(1), "mp3"))
    (lite.services.config.uploads / lost.id).unlink()
    async with processing(lite):
        assert (await settled(lite, lost.id)).reason == "failed"
        after = await settled(lite, (await upload(lite, sounds.encoded(sounds.speech(2), "mp3"))).id)
    assert after.state == "ready"


async def test_a_file_that_brings_out_a_mistake_of_ours_is_refused_and_the_next_one_is_processed(lite: Centre) -> None:
    first = True

    async def process(*given: Any) -> Prepared:
        nonlocal first
        if first:
            first = False
            raise KeyError("streams")
        return await prepare(*given)

    taken = []
    for length in (1, 2):
        taken.append(await upload(lite, sounds.encoded(sounds.speech(length), "mp3")))
        lite.clock.step(seconds=1)  # they are processed in the order in which they came
    async with processing(lite, lite.processing(process=process)):
        found = [await settled(lite, each.id) for each in taken]
    assert [(each.state, each.reason) for each in found] == [("rejected", "failed"), ("ready", None)]


FULL = OSError(errno.ENOSPC, "No space left on device")
SHUT = PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("trouble", [FULL, SHUT, BusyError("locked"), ToolMissingError("ffmpeg")], ids=repr)
async def test_a_machine_at_fault_keeps_a_recording_waiting_and_ends_nothing(lite: Centre, trouble: Exception) -> None:
    """The row stays, so whatever ended the centre here would end its every next life."""
    was_stuck = asyncio.Event()

    async def process(*given: Any) -> Prepared:
        if not was_stuck.is_set():
            was_stuck.set()
            raise trouble
        assert loop.stuck
        return await prepare(*given)

    loop = lite.processing(process=process, again_after_s=0)
    taken = await upload(lite, sounds.encoded(sounds.speech(1), "mp3"))
    async with processing(lite, loop):
        assert (await settled(lite, taken.id)).state == "ready"
    assert was_stuck.is_set()
    assert left_in(lite) == []


async def test_a_missing_program_is_named_by_its_package_in_one_line(
    lite: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    told = asyncio.Event()
    found = asyncio.Event()

    async def process(*given: Any) -> Prepared:
        if not told.is_set():
            told.set()
            raise ToolMissingError("ffprobe")
        waiting = await lite.recordings(loop).get(lite.actor, taken.id)
        assert (waiting.state, waiting.reason) == ("processing", "tool_missing")
        assert loop.missing_package == "ffmpeg"
        found.set()
        return await prepare(*given)

    loop = lite.processing(process=process, again_after_s=0)
    taken = await upload(lite, sounds.encoded(sounds.speech(1), "mp3"))
    async with processing(lite, loop):
        assert (await settled(lite, taken.id)).reason is None
    assert found.is_set()
    assert loop.missing_package is None
    [record] = [record for record in caplog.records if "waits" in record.message]
    assert "apt install ffmpeg" in record.message
    assert record.exc_info is None


async def test_a_recording_that_waits_keeps_no_other_from_being_processed(lite: Centre) -> None:
    """And the next one that is uploaded does not wait for the time of another try."""
    stuck = await upload(lite, sounds.encoded(sounds.speech(1), "mp3"))

    async def process(source: Path, *given: Any) -> Prepared:
        if source.name == stuck.id:
            raise FULL
        return await prepare(source, *given)

    loop = lite.processing(process=process, again_after_s=3600)
    async with processing(lite, loop):
        after = await upload(lite, sounds.encoded(sounds.speech(2), "mp3"), to=lite.recordings(loop))
        assert (await settled(lite, after.id)).state == "ready"
    assert (await lite.services.recordings.get(lite.actor, stuck.id)).state == "processing"


async def test_the_list_goes_back_page_by_page(lite: Centre) -> None:
    ids = []
    for number in range(5):
        ids.append(await lite.recording(f"Bản tin {number}"))
        lite.clock.step(seconds=number % 2)  # some at the very same instant
    pages, before = [], None
    while page := await lite.services.recordings.list(lite.actor, limit=2, before=before):
        pages += [each.id for each in page]
        before = page[-1].id
    assert len(pages) == len(set(pages)) == 5
    assert set(pages) == set(ids)


async def test_a_withdrawn_recording_is_gone_for_good_but_not_under_a_broadcast(lite: Centre) -> None:
    place = await commune(lite)
    sent = await lite.services.broadcasts.create(lite.actor, asked(place))
    with pytest.raises(ConflictError) as refused:
        await lite.services.recordings.withdraw(lite.actor, place["recording"])
    assert refused.value.fields["problem"] == "in_use"
    await lite.services.broadcasts.cancel(lite.actor, sent.id)
    gone = await lite.services.recordings.withdraw(lite.actor, place["recording"])
    assert gone.withdrawn_at is not None
    assert await lite.services.recordings.list(lite.actor) == []
    with pytest.raises(ConflictError):
        await lite.services.recordings.withdraw(lite.actor, place["recording"])


LIMITS = UploadLimits(most_bytes=1000, disk_reserve_bytes=0)


async def store(room: UploadRoom, body: AsyncIterator[bytes], declared: int | None = None) -> None:
    await room.store("0123", "lan", body, declared)


@pytest.mark.parametrize(
    ("data", "declared", "error"),
    [
        (b"", None, InvalidError),
        (b"", 0, InvalidError),
        (b"x" * 1001, None, TooLargeError),
        (b"x", 1001, TooLargeError),
        (b"x" * 500, 501, InvalidError),
        (b"x" * 500, 499, InvalidError),
    ],
)
async def test_a_body_of_the_wrong_size_leaves_nothing(
    tmp_path: Path, data: bytes, declared: int | None, error: type[Exception]
) -> None:
    room = UploadRoom(tmp_path, LIMITS)
    with pytest.raises(error):
        await store(room, pieces(data, 100), declared)
    assert names(tmp_path) == []


async def test_too_much_is_noticed_before_it_is_read(tmp_path: Path) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 100
            yield b"x" * 100

    with pytest.raises(TooLargeError):
        await store(UploadRoom(tmp_path, LIMITS), endless())
    assert read <= 1100


async def test_an_upload_that_stalls_is_ended(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield b"x"
        await never.wait()

    limits = UploadLimits(most_bytes=1000, disk_reserve_bytes=0, grace_s=0.05)
    with pytest.raises(TooSlowError):
        await store(UploadRoom(tmp_path, limits), stalls())
    assert names(tmp_path) == []


async def test_a_full_disk_refuses_uploads_first(tmp_path: Path) -> None:
    limits = UploadLimits(most_bytes=1000, disk_reserve_bytes=2**60)
    with pytest.raises(NoSpaceError):
        await store(UploadRoom(tmp_path, limits), pieces(b"x"))
    assert names(tmp_path) == []


async def test_one_person_sends_three_files_at_once_and_not_four(tmp_path: Path) -> None:
    room, go = UploadRoom(tmp_path, LIMITS), asyncio.Event()

    async def waits() -> AsyncIterator[bytes]:
        yield b"x"
        await go.wait()

    async with asyncio.TaskGroup() as group:
        under_way = [group.create_task(room.store(f"{number}", "lan", waits(), None)) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyAttemptsError):
            await room.store("fourth", "lan", pieces(b"x"), None)
        await room.store("of another person", "hoa", pieces(b"x"), None)
        go.set()
    assert all(task.result().bytes == 1 for task in under_way)
    await room.store("after these", "lan", pieces(b"x"), None)


async def test_a_client_that_goes_leaves_nothing(tmp_path: Path) -> None:
    room, never, began = UploadRoom(tmp_path, LIMITS), asyncio.Event(), asyncio.Event()

    async def waits() -> AsyncIterator[bytes]:
        yield b"x"
        began.set()
        await never.wait()

    task = asyncio.create_task(room.store("0123", "lan", waits(), None))
    async with asyncio.timeout(10):
        await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(tmp_path) == []


async def test_twenty_recordings_of_a_person_may_wait(tmp_path: Path) -> None:
    async with centre(tmp_path) as here:
        for _ in range(20):
            await here.recording(state="processing", sha256=None)
        with pytest.raises(TooManyAttemptsError):
            await upload(here, b"x")
