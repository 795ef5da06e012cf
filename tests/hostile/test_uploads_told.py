"""Uploads as the desk hears of them: a named reason on the recording, an entry in the audit, and nothing left over.

What the decoders make of hostile bytes is tried in ``test_uploads_audio``, what HTTP makes of them in
``test_api_uploads``.
"""

import random
from collections.abc import Callable

import pytest

from tests import sounds
from tests.controller.factories import Centre
from tests.controller.test_services_recordings import left_in, processing, settled, upload

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "one byte": (lambda: b"\0", "not_audio"),
    "noise": (lambda: random.Random(10).randbytes(20_000), "not_audio"),
    "a playlist": (lambda: b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x.mp3\n", "not_audio"),
    "ffconcat": (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", "not_audio"),
    "an archive": (lambda: b"PK\3\4" + bytes(2_000), "not_audio"),
    "half of an mp3": (lambda: sounds.spoken("mp3")[:5_000], "truncated"),
    "a wav of no rate": (lambda: sounds.lying_wav(sounds.speech(1.0), rate=0), "lying_header"),
    "silence": (lambda: sounds.wav(sounds.silence(2)), "no_sound"),
}
"""Generator, and the reason with which it is refused."""


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_is_refused_is_refused_by_name_noted_once_and_leaves_nothing(lite: Centre, kind: str) -> None:
    make, reason = HOSTILE[kind]
    data = make()
    before = (await lite.services.audit.verify()).entries
    async with processing(lite):
        refused = await settled(lite, (await upload(lite, data)).id)
        assert (refused.state, refused.reason) == ("rejected", reason)
        assert (await lite.services.audit.verify()).entries == before + 1
        assert left_in(lite) == []
        assert list(lite.services.config.media.iterdir()) == []
        good = await settled(lite, (await upload(lite, sounds.spoken("mp3"))).id)
        assert good.state == "ready", "the next one is processed as ever"


@pytest.mark.parametrize("kind", ["text/html", "audio/mpeg; boundary=x", "application/json", "x/y, z", "\x7f", ""])
async def test_19_what_a_client_calls_its_bytes_decides_nothing(lite: Centre, kind: str) -> None:
    said = {b"Content-Type": kind.encode()}
    async with lite.client() as client, processing(lite):
        for data, state in ((sounds.spoken("mp3"), "ready"), (b"<html><script>alert(1)</script>", "rejected")):
            params = {"title": "Thông báo", "file_name": "a.html"}
            answer = await client.post("/api/v1/recordings", params=params, content=data, headers=said)
            assert answer.status_code == 202
            assert (await settled(lite, answer.json()["id"])).state == state
    assert left_in(lite) == []
    assert all(path.suffix == ".opus" for path in lite.services.config.media.iterdir())
