"""The pages as an application: manifest, worker, the page without a link, what was shared."""

import asyncio
import json
import re
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from tests.web.harness import OWN, Commune, visitor
from web.i18n import LOCALES, load
from web.joined import STATIC
from web.pages.shell import MOST_DRAINED


async def test_the_manifest_speaks_the_readers_language_and_names_what_is_there(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        for locale in LOCALES:
            answer = await client.get(f"/manifest.webmanifest?locale={locale}")
            assert answer.headers["content-type"].startswith("application/manifest+json")
            said = answer.json()
            assert (said["lang"], said["name"]) == (locale, load(locale)("shell.name"))
            assert {icon["sizes"] for icon in said["icons"]} == {"192x192", "512x512"}
            for icon in said["icons"]:
                assert (await client.get(icon["src"])).headers["content-type"] == "image/png"
            assert said["share_target"]["action"] == "/shared"
    async with visitor(site) as client:
        assert 'href="/manifest.webmanifest?locale=vi"' in (await client.get("/today")).text


def begun(worker: str) -> dict[str, object]:
    found = re.match(r'const LOA = \{ version: "([0-9a-f]{12}-\w+)", \.\.\.(\{.*\}) \};\n', worker)
    assert found
    said: dict[str, object] = json.loads(found[2])
    return said | {"version": found[1]}


async def test_the_worker_keeps_pages_that_are_there_and_that_tell_nothing_of_the_centre(site: Commune) -> None:
    async with visitor(site) as client:
        for locale in LOCALES:
            answer = await client.get(f"/sw.js?locale={locale}")
            assert answer.headers["content-type"].startswith("text/javascript")
            assert answer.headers["cache-control"] == "no-store"
            said = begun(answer.text)
            assert answer.text.endswith((STATIC / "js" / "sw.js").read_text("utf-8"))
            for path in said["keep"]:  # type: ignore[attr-defined]  # a list of addresses
                kept = await client.get(path)
                assert kept.status_code == 200, path
                assert site.root.name not in kept.text
                assert "Lan" not in kept.text


async def test_another_content_is_another_worker(site: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
    async with visitor(site, signed_in=False) as client:
        both = [begun((await client.get(f"/sw.js?locale={locale}")).text)["version"] for locale in LOCALES]
        assert len(set(both)) == 2
        assert begun((await client.get("/sw.js?locale=tlh")).text)["version"] == both[0]
        monkeypatch.setattr("web.pages.shell._KEPT", ("css/site.css",))
        assert begun((await client.get("/sw.js")).text)["version"] != both[0]


@pytest.mark.parametrize("locale", LOCALES)
async def test_without_a_link_the_page_promises_nothing_about_stop(site: Commune, locale: str) -> None:
    text = load(locale)
    async with visitor(site, signed_in=False) as client:
        page = (await client.get(f"/offline?locale={locale}")).text
        assert text("offline.stop") in page
        assert text("offline.nodes") in page
        assert "<form" not in page
        unsent = (await client.get(f"/offline?unsent=1&locale={locale}")).text
        assert text("offline.unsent_stop") in unsent
        past = (await client.get(f"/past?locale={locale}")).text
        assert text("past.sent") in past
        assert text("offline.title") not in past


@pytest.mark.parametrize("headers", [OWN, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_what_is_shared_without_the_worker_is_answered_plainly_and_not_taken(
    site: Commune, headers: dict[str, str]
) -> None:
    async with visitor(site) as client:
        answer = await client.post("/shared", files={"file": ("a.mp3", b"x" * 5000, "audio/mpeg")}, headers=headers)
    assert answer.status_code == 403
    assert load("vi")("shared.instead") in answer.text
    assert await site.centre.services.recordings.list(site.centre.actor) == []


@pytest.mark.parametrize("head", ["Content-Length: 2000000000", "Transfer-Encoding: chunked"])
async def test_what_is_shared_past_the_worker_is_cut_off_however_large_it_is(site: Commune, head: str) -> None:
    """Two gigabytes are neither read nor kept: the answer comes, and the connection ends."""
    where = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    sent = 0
    writer.write(f"POST /shared HTTP/1.1\r\nHost: {where.netloc}\r\n{head}\r\n\r\n".encode())
    try:
        async with asyncio.timeout(5):
            while sent < 4 * MOST_DRAINED:
                piece = b"x" * 65_536
                writer.write(b"10000\r\n" + piece + b"\r\n" if "chunked" in head else piece)
                await writer.drain()
                sent += len(piece)
    except (ConnectionError, TimeoutError):
        pass  # cut off, or nobody takes any more
    finally:
        writer.close()
    assert sent <= 2 * MOST_DRAINED, "what lies in the buffers of both ends"
    with suppress(ConnectionError):
        answer = await reader.read(200)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 403")
