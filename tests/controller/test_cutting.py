"""A recording made of pieces of another one."""

from typing import Any

import pytest
from sqlalchemy import select

from controller.audit.models import AuditEntry
from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from controller.people.actor import Actor
from controller.recordings.cutting import spans_of
from controller.recordings.schemas import CutIn, RecordingOut
from controller.recordings.states import RecordingOrigin
from tests import sounds
from tests.controller.factories import Centre
from tests.controller.test_services_recordings import left_in, processing, settled, upload


async def uploaded(here: Centre, seconds: float = 4, **given: Any) -> RecordingOut:
    taken = await upload(here, sounds.encoded(sounds.speech(seconds), "mp3"), **given)
    return await settled(here, taken.id)


async def test_a_cut_is_a_recording_of_its_own_and_says_of_what(lite: Centre) -> None:
    async with processing(lite):
        whole = await uploaded(lite)
        asked = CutIn(spans_ms=[[103, 1504], [2000, 3000]], title="Bản tin ngắn")
        made = await settled(lite, (await lite.services.cutting.cut(lite.actor, whole.id, asked)).id)
    assert (made.state, made.title, made.origin, made.language) == ("ready", "Bản tin ngắn", "cut", "vi")
    assert (made.derived_from, made.cut_ms) == (whole.id, ((100, 1500), (2000, 3000)))
    assert made.length_ms == pytest.approx(2400, abs=40)
    assert made.sha256 != whole.sha256
    assert left_in(lite) == []
    assert await lite.services.recordings.get(lite.actor, whole.id) == whole


async def test_a_cut_of_a_machines_voice_still_says_so(lite: Centre) -> None:
    async with processing(lite):
        whole = await uploaded(lite, origin=RecordingOrigin.MACHINE, voice="espeak-ng vi", words="Mời bà con")
        made = await lite.services.cutting.cut(lite.actor, whole.id, CutIn(spans_ms=[[0, 2000]]))
        await settled(lite, made.id)
    assert (made.origin, made.voice, made.title) == ("cut", "espeak-ng vi", whole.title)
    assert (whole.words, made.words) == ("Mời bà con", None), "which of them are left, nobody knows"


@pytest.mark.parametrize(
    ("spans", "problem"),
    [
        ([], "empty"),
        ([[0, 4000]], "whole"),
        ([[0, 1000], [1000, 4000]], "whole"),
        ([[0, 500]], "short"),
        ([[0, 2000], [2500, 2550]], "short"),
        ([[2000, 1000]], "order"),
        ([[0, 2000], [1500, 3000]], "order"),
        ([[2000, 3000], [0, 1000]], "order"),
        ([[0, 4001]], "outside"),
        ([[5000, 10**9]], "outside"),
    ],
)
def test_pieces_that_cannot_be_kept_are_refused_by_name(spans: list[list[int]], problem: str) -> None:
    with pytest.raises(InvalidError) as refused:
        spans_of(spans, 4000)
    assert refused.value.fields["problem"] == problem


def test_points_are_brought_to_ten_milliseconds_and_the_end_stays() -> None:
    assert spans_of([[14, 1996], [2504, 4003]], 4003) == ((10, 2000), (2500, 4003))
    assert spans_of([[10, 1000], [1000, 2000]], 4000) == ((10, 2000),)


async def test_who_may_not_upload_cuts_nothing(lite: Centre) -> None:
    area = await lite.area("Xã Nga My", kind="commune")
    other = await lite.area("Xã Khác", kind="commune")
    recording = await lite.recording(area_id=area.id)
    asked = CutIn(spans_ms=[[0, 5000]])
    observer = await lite.somebody("quan", "observer", area)
    stranger = await lite.somebody("tay", "operator", other)
    with pytest.raises(ForbiddenError):
        await lite.services.cutting.cut(Actor(observer.id, "test"), recording, asked)
    with pytest.raises(NotFoundError):
        await lite.services.cutting.cut(Actor(stranger.id, "test"), recording, asked)


async def test_what_is_withdrawn_or_without_its_sound_is_not_cut(lite: Centre) -> None:
    gone = await lite.recording(withdrawn_at=lite.clock())
    for recording in (gone, await lite.recording(is_signal=True), await lite.recording()):
        with pytest.raises(ConflictError):
            await lite.services.cutting.cut(lite.actor, recording, CutIn(spans_ms=[[0, 5000]]))
    assert left_in(lite) == []
    async with lite.database.reading() as session:
        assert not (await session.scalars(select(AuditEntry).where(AuditEntry.subject.startswith("recordings/")))).all()
