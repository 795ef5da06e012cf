"""Bodies by hash: who may have them, and how."""

import gzip
import hashlib
from pathlib import Path

import httpx
import pytest

from controller.plans.models import PlanBody
from tests.controller.factories import Centre
from tests.controller.test_services_broadcasts import asked, commune

SOUND = bytes(range(256)) * 40


async def recording(here: Centre) -> tuple[str, str]:
    """A ready recording with its file; gives its id and hash."""
    sha256 = hashlib.sha256(SOUND).hexdigest()
    folder = here.services.config.media
    put(folder / f"{sha256}.opus", SOUND)
    return await here.recording(sha256=sha256), sha256


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


async def sent(here: Centre) -> str:
    """A recording that an approved broadcast uses; gives its hash."""
    place = await commune(here)
    recording_id, sha256 = await recording(here)
    await here.services.broadcasts.create(here.actor, asked(place, recordings=[recording_id]))
    return sha256


async def test_a_node_fetches_what_was_approved_without_a_session(lite: Centre) -> None:
    sha256 = await sent(lite)
    async with lite.client(signed_in=False) as client:
        answer = await client.get(f"/media/{sha256}.opus")
        assert (answer.status_code, answer.content) == (200, SOUND)
        assert answer.headers["content-type"] == "audio/ogg"
        assert answer.headers["etag"] == f'"{sha256}"'
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        head = await client.head(f"/media/{sha256}.opus")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(SOUND)), b"")
        fresh = await client.get(f"/media/{sha256}.opus", headers={"If-None-Match": f'"{sha256}"'})
        assert (fresh.status_code, fresh.content) == (304, b"")


async def test_a_draft_needs_a_session_and_stays_out_of_shared_caches(lite: Centre) -> None:
    _, sha256 = await recording(lite)
    async with lite.client(signed_in=False) as client:
        assert (await client.get(f"/media/{sha256}.opus")).status_code == 404
    async with lite.client() as client:
        answer = await client.get(f"/media/{sha256}.opus")
        assert (answer.status_code, answer.content) == (200, SOUND)
        assert answer.headers["cache-control"].startswith("private")


async def test_what_was_withdrawn_is_gone_unless_another_recording_is_the_same_sound(lite: Centre) -> None:
    first, sha256 = await recording(lite)
    second = await lite.recording(sha256=sha256)
    async with lite.client() as client:
        await lite.services.recordings.withdraw(lite.actor, first)
        assert (await client.get(f"/media/{sha256}.opus")).status_code == 200
        await lite.services.recordings.withdraw(lite.actor, second)
        answer = await client.get(f"/media/{sha256}.opus")
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=100-", 206, 100, len(SOUND) - 1),
        ("bytes=-100", 206, len(SOUND) - 100, len(SOUND) - 1),
        ("bytes=100-199", 206, 100, 199),
        ("bytes=0-0,5-6", 200, 0, len(SOUND) - 1),
        ("bytes=" + "0-0," * 10_000 + "0-0", 200, 0, len(SOUND) - 1),
    ],
)
async def test_one_range_is_answered_and_many_are_not(
    lite: Centre, asked: str, status: int, first: int, last: int
) -> None:
    sha256 = await sent(lite)
    async with lite.client(signed_in=False) as client:
        answer = await client.get(f"/media/{sha256}.opus", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, SOUND[first : last + 1])


async def test_a_range_beyond_the_end_is_told_the_length(lite: Centre) -> None:
    sha256 = await sent(lite)
    async with lite.client(signed_in=False) as client:
        answer = await client.get(f"/media/{sha256}.opus", headers={"Range": "bytes=999999-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(SOUND)}")


async def test_a_plan_body_comes_exactly_as_it_is_hashed(lite: Centre) -> None:
    packed = gzip.compress(b'{"scope":"areas/a","broadcasts":[]}', mtime=0)
    sha256 = hashlib.sha256(packed).hexdigest()
    async with lite.database.transaction() as tx:
        tx.session.add(PlanBody(sha256=sha256, packed=packed, created_at=lite.clock()))
    async with lite.client(signed_in=False) as client:
        answer = await client.get(f"/plans/{sha256}")
        assert (answer.status_code, answer.content) == (200, packed)
        assert "content-encoding" not in answer.headers
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/media/" + "0" * 64 + ".opus",
        "/media/../keys/dispatch.key",
        "/media/%2e%2e%2fkeys%2fdispatch.key.opus",
        "/media/..%2f..%2floa.db.opus",
        "/media/" + "0" * 63 + "%00.opus",
        "/plans/" + "0" * 64,
        "/plans/..%2f..%2floa.db",
    ],
)
async def test_nothing_else_of_the_disk_is_served(lite: Centre, path: str) -> None:
    await sent(lite)
    async with lite.client() as client:
        answer: httpx.Response = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
