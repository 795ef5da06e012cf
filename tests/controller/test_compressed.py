"""Text goes in fewer bytes to whoever takes them so; all else as it is."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from controller.http.compressed import ASIDE_BYTES, Compressed

LINES = "Xóm Đồng 2 mất kết nối từ 16:40\n" * 200
RAW = {"Accept-Encoding": "gzip"}


def app() -> FastAPI:
    made = FastAPI()
    made.add_middleware(Compressed)

    @made.api_route("/text", methods=["GET", "HEAD", "POST"])
    async def text(size: int = len(LINES)) -> Response:
        return PlainTextResponse((LINES * (1 + size // len(LINES)))[:size], headers={"ETag": '"1"'})

    @made.get("/kind")
    async def kind(said: str, status: int = 200, keep: str = "no-store") -> Response:
        return Response(LINES, status, media_type=said, headers={"Cache-Control": keep})

    @made.get("/rows")
    async def rows() -> Response:
        async def each() -> AsyncIterator[str]:
            for line in LINES.splitlines(keepends=True):
                yield line

        return StreamingResponse(each(), media_type="text/csv")

    return made


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app())
    async with httpx.AsyncClient(transport=transport, base_url="https://loa.test", headers=RAW) as opened:
        yield opened


async def raw(client: httpx.AsyncClient, path: str) -> tuple[httpx.Response, bytes]:
    async with client.stream("GET", path) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize("path", ["/text", "/rows", f"/text?size={ASIDE_BYTES * 2}"])
async def test_text_is_smaller_on_the_way_and_the_same_at_its_end(client: httpx.AsyncClient, path: str) -> None:
    answer, body = await raw(client, path)
    read = gzip.decompress(body).decode()
    assert read.startswith(LINES[:1000])
    assert len(body) < len(read.encode()) / 5
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers.get("content-length") in {None, str(len(body))}


async def test_whoever_does_not_take_it_so_gets_it_as_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/text", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"  # a cache between us keeps the two apart
    assert answer.text == LINES


async def test_the_same_file_in_other_bytes_has_a_weak_name(client: httpx.AsyncClient) -> None:
    assert (await client.get("/text")).headers["etag"] == 'W/"1"'
    assert (await client.get("/text?size=100")).headers["etag"] == '"1"'


@pytest.mark.parametrize(
    "path",
    [
        "/text?size=500",
        "/kind?said=audio/ogg",
        "/kind?said=text/event-stream",
        "/kind?said=application/octet-stream",
        "/kind?said=text/html&status=206",
        "/kind?said=text/html&keep=no-store,no-transform",
    ],
)
async def test_what_is_small_is_sound_or_a_part_or_says_so_is_left_alone(client: httpx.AsyncClient, path: str) -> None:
    answer, body = await raw(client, path)
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(body))


async def test_what_a_post_brings_is_left_alone(client: httpx.AsyncClient) -> None:
    """A code that is shown once is such an answer."""
    assert "content-encoding" not in (await client.post("/text")).headers
    assert "content-encoding" not in (await client.head("/text")).headers
