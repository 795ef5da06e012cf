"""Hostile uploads over a real connection: cases 18 and 20 to 24 of the trust list."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.recordings.uploads import UploadLimits
from tests import sounds
from tests.controller.factories import PASSWORD, Centre, centre, served
from tests.controller.test_services_recordings import left_in, processing, settled, upload

LIMITS = UploadLimits(most_bytes=200_000, disk_reserve_bytes=0, grace_s=0.3, least_bytes_per_s=1_000_000)


@dataclass
class Wire:
    """A raw connection to the API, as an attacker has one."""

    centre: Centre
    port: int
    token: str

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(20):
                yield reader, writer
        finally:
            writer.close()

    def head(self, *headers: str, query: str = "title=a&file_name=a.mp3", path: str = "/api/v1/recordings") -> bytes:
        lines = (f"POST {path}?{query} HTTP/1.1", "Host: loa.test", f"Authorization: Bearer {self.token}", *headers)
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def alive(self) -> bool:
        async with self.opened() as (reader, writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: loa.test\r\nConnection: close\r\n\r\n")
            return b"alive" in await reader.read()

    async def rows(self) -> int:
        return len(await self.centre.services.recordings.list(self.centre.actor, limit=100))


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with centre(tmp_path, limits=LIMITS) as here, served(here) as port:
        opened = await here.services.people.sign_in(login="lan", password=PASSWORD, origin="tests")
        yield Wire(here, port, opened.token)


async def status(reader: asyncio.StreamReader) -> int:
    line = await reader.readline()
    return int(line.split()[1])


async def nothing_came_of_it(wire: Wire) -> None:
    assert left_in(wire.centre) == []
    assert await wire.rows() == 0
    assert await wire.alive()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("../../etc/cron.d/x", "x"),
        ("..\\..\\windows\\system32\\x.mp3", "x.mp3"),
        ("CON", "CON"),
        ("a\x00b.mp3", "ab.mp3"),
        ("x" * 5_000, "x" * 255),
        ("ế" * 5_000, "ế" * 85),
        ("ban\u202e3pm.exe", "ban3pm.exe"),
        ("-i", "i"),
        (" leading.mp3", "leading.mp3"),
        ("..", "audio"),
        ("", "audio"),
        ("/", "audio"),
        ("a\r\nSet-Cookie: x=1", "aSet-Cookie: x=1"),
        ("\x1b[2Jx.mp3", "[2Jx.mp3"),
    ],
)
async def test_18_a_file_name_is_for_reading_only(lite: Centre, typed: str, kept: str) -> None:
    async with lite.client() as client:
        answer = await client.post("/api/v1/recordings", params={"title": "a", "file_name": typed}, content=b"x")
    assert answer.status_code == 202
    assert answer.json()["file_name"] == kept
    assert left_in(lite) == [answer.json()["id"]]


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "١٢", "99999999999999999999", "5, 6"])
async def test_20_a_length_that_is_none_is_refused(wire: Wire, length: str) -> None:
    async with wire.opened() as (reader, writer):
        writer.write(wire.head(f"Content-Length: {length}") + b"x" * 10)
        assert await status(reader) in {400, 413, 422}
    await nothing_came_of_it(wire)


async def test_20_a_client_that_sends_less_than_it_said_leaves_nothing(wire: Wire) -> None:
    async with wire.opened() as (reader, writer):
        writer.write(wire.head("Content-Length: 1000") + b"x" * 10)
        writer.write_eof()
        await reader.read()
    await nothing_came_of_it(wire)


async def test_20_a_length_above_the_limit_is_refused_before_the_body(wire: Wire) -> None:
    async with wire.opened() as (reader, writer):
        writer.write(wire.head("Content-Length: 200001"))
        assert await status(reader) == 413
    await nothing_came_of_it(wire)


async def test_20_chunks_without_end_are_cut_off(wire: Wire) -> None:
    async with wire.opened() as (reader, writer):
        writer.write(wire.head("Transfer-Encoding: chunked"))
        answer = asyncio.create_task(status(reader))
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        sent = 0
        while not answer.done():
            sent += len(chunk)
            assert sent < 50_000_000
            try:
                writer.write(chunk)
                await writer.drain()
            except ConnectionError:
                break
        assert await answer == 413
    await nothing_came_of_it(wire)


async def test_21_ten_thousand_parts_are_one_file_that_is_not_audio(wire: Wire) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
    body = (part * 10_000)[:150_000]
    async with wire.opened() as (reader, writer):
        writer.write(wire.head(f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=b") + body)
        assert await status(reader) == 202
    (taken,) = await wire.centre.services.recordings.list(wire.centre.actor)
    async with processing(wire.centre):
        assert (await settled(wire.centre, taken.id)).reason == "not_audio"
    assert await wire.alive()


async def test_21_a_form_is_no_json(wire: Wire) -> None:
    async with wire.opened() as (reader, writer):
        writer.write(
            wire.head("Content-Length: 6", "Content-Type: multipart/form-data; boundary=b", path="/api/v1/areas")
            + b"name=x"
        )
        assert await status(reader) == 422
    assert await wire.centre.services.areas.tree(wire.centre.actor) == []


async def test_22_a_gigabyte_in_a_field_is_refused_by_its_length(wire: Wire) -> None:
    async with wire.opened() as (reader, writer):
        writer.write(
            wire.head("Content-Length: 1073741824", "Content-Type: application/json", path="/api/v1/areas")
            + b'{"name": "'
        )
        assert await status(reader) == 413
    assert await wire.alive()


async def test_22_a_gigabyte_that_hides_its_length_is_cut_off(wire: Wire) -> None:
    head = wire.head("Transfer-Encoding: chunked", "Content-Type: application/json", path="/api/v1/areas")
    async with wire.opened() as (reader, writer):
        writer.write(head)
        answer = asyncio.create_task(status(reader))
        sent = 0
        while not answer.done():
            sent += 0x4000
            assert sent < 50_000_000
            try:
                writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                await writer.drain()
            except ConnectionError:
                break
        assert await answer == 413
    assert await wire.alive()


async def test_23_a_body_that_trickles_is_ended(wire: Wire) -> None:
    async with wire.opened() as (reader, writer):
        writer.write(wire.head("Content-Length: 1000") + b"x")
        assert await status(reader) == 408
    await nothing_came_of_it(wire)


async def test_24_the_same_file_again_and_again_is_one_file_processed_once(tmp_path: Path) -> None:
    async with centre(tmp_path) as here:
        data = sounds.encoded(sounds.speech(1), "mp3")
        async with processing(here):
            first = await settled(here, (await upload(here, data)).id)
        for number in range(25):  # more than may wait; nothing processes any more
            again = await upload(here, data, f"Bản tin {number}")
            assert (again.state, again.sha256) == ("ready", first.sha256)
        assert [path.name for path in here.services.config.media.iterdir()] == [f"{first.sha256}.opus"]
        assert left_in(here) == []


async def test_a_stranger_uploads_nothing(wire: Wire) -> None:
    async with wire.opened() as (reader, writer):
        stranger = Wire(wire.centre, wire.port, "x" * 43)
        writer.write(stranger.head("Content-Length: 3") + b"abc")
        assert await status(reader) == 401
    await nothing_came_of_it(wire)
