"""How often somebody may ask: a person by the person, a stranger by the address, and STOP whatever else was asked."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from controller.config import Config
from controller.http.pace import NODES, Pace, Rate, Rates
from controller.recordings.quota import DAY, Quota
from tests.controller.factories import PASSWORD, Centre, api, centre
from tests.web.harness import Commune, commune, pages, visitor

FEW = Rates(reads=Rate(5, 1), changes=Rate(3, 1), vital=Rate(4, 1), address=Rate(8, 1))


@dataclass
class Seconds:
    """A clock that nobody can set, stepped."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Commune]:
    async with commune(tmp_path) as opened:
        yield opened


def paced(here: Centre, rates: Rates = FEW) -> Seconds:
    seconds = Seconds()
    api(here.services).state.pace = Pace(rates, seconds)
    return seconds


async def flood(client: httpx.AsyncClient, method: str = "GET", path: str = "/api/v1/areas") -> httpx.Response:
    """Ask until it is refused."""
    for _ in range(30):
        answer = await client.request(method, path)
        if answer.status_code == 429:
            return answer
    raise AssertionError((method, path, "was never refused"))


async def test_who_asks_too_often_is_told_when_to_come_back_and_may_then(lite: Centre) -> None:
    async with lite.client() as client:
        seconds = paced(lite)
        refused = await flood(client)
        assert refused.json()["error"]["code"] == "too_many_attempts"
        wait_s = int(refused.headers["retry-after"])
        assert wait_s == refused.json()["error"]["fields"]["retry_after_s"] > 0
        assert refused.headers["x-content-type-options"] == "nosniff"
        seconds.now += wait_s
        assert (await client.get("/api/v1/areas")).status_code == 200


async def test_a_flood_by_one_person_is_no_flood_of_another_at_the_same_address(lite: Centre) -> None:
    other = await lite.somebody("hoa", "operator", await lite.area())
    async with lite.client() as one, lite.client(who=other) as two:
        paced(lite)
        assert (await two.get("/api/v1/areas")).status_code == 200  # known from now on
        await flood(one)
        assert (await two.get("/api/v1/areas")).status_code == 200


async def test_a_flood_of_strangers_shuts_out_strangers_of_that_address_alone(lite: Centre) -> None:
    async with lite.client() as known, lite.client(signed_in=False) as stranger:
        paced(lite)
        assert (await known.get("/api/v1/areas")).status_code == 200
        await flood(stranger)
        assert (await stranger.get("/media/" + "0" * 64 + ".opus")).status_code == 429
        assert (await stranger.post("/api/v1/enrolments", json={})).status_code == 429
        assert (await known.get("/api/v1/areas")).status_code == 200
        assert (await stranger.get("/healthz")).status_code == 200  # a supervisor must never be told to wait
        transport = httpx.ASGITransport(api(lite.services), client=("198.51.100.9", 1))  # TEST-NET-2
        async with httpx.AsyncClient(transport=transport, base_url="https://loa.test") as elsewhere:
            assert (await elsewhere.get("/api/v1/areas")).status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_stop_and_its_release_are_not_used_up_by_anything_else(lite: Centre, method: str) -> None:
    """By whoever has them: the one whose script runs wild, and the one beside whom strangers flood."""
    place = await lite.area()
    await lite.node(place)
    async with lite.client() as client, lite.client(signed_in=False) as stranger:
        paced(lite)
        await flood(stranger, method)  # the person is not known yet, and so an address among others...
        api(lite.services).state.pace = Pace(FEW, Seconds())
        assert (await client.get("/api/v1/areas")).status_code == 200  # ...and now is
        await flood(stranger, method)
        await flood(client, method)
        ordered = await client.post("/api/v1/holds", json={"scopes": [place.scope]})
        assert ordered.status_code == 201
        released = await client.post(f"/api/v1/holds/{ordered.json()[0]['id']}/release")
        assert released.status_code == 200


async def test_looking_around_a_map_takes_nothing_from_other_pages_and_is_bounded(lite: Centre) -> None:
    async with lite.client() as client:
        paced(lite, replace(FEW, pictures=Rate(6, 1)))
        assert (await client.get("/api/v1/areas")).status_code == 200  # known from now on
        await flood(client, path="/tiles/0/0/0")
        assert (await client.get("/api/v1/areas")).status_code == 200


async def test_even_stop_is_bounded(lite: Centre) -> None:
    async with lite.client() as client:
        paced(lite)
        await client.get("/api/v1/areas")
        await flood(client, "POST", "/api/v1/holds")


async def test_a_session_that_ended_is_a_stranger_again(lite: Centre) -> None:
    async with lite.client() as client:
        paced(lite)
        await client.get("/api/v1/areas")
        await client.delete("/api/v1/sessions")
        assert (await client.get("/api/v1/areas")).status_code == 401
        assert (await flood(client, "POST", "/api/v1/holds")).status_code == 429


@pytest.mark.parametrize(
    ("locale", "words"), [("vi", "Quá nhiều yêu cầu"), ("en", "Too many requests")], ids=["vi", "en"]
)
async def test_a_page_says_it_in_the_readers_language(site: Commune, locale: str, words: str) -> None:
    async with visitor(site, signed_in=False) as client:
        client.headers["Cookie"] = f"__Host-loa-locale={locale}"
        pages(site.centre.services).state.pace = Pace(FEW, Seconds())
        refused = await flood(client, path="/sign-in")
        part = await client.get("/sign-in", headers={"HX-Request": "true"})
    assert words in refused.text
    assert "DỪNG" in refused.text or "STOP" in refused.text
    assert int(refused.headers["retry-after"]) > 0
    assert (part.status_code, part.headers["hx-reswap"]) == (429, "none"), "what stood there stays"


async def test_signing_in_too_often_is_said_to_programs_too(site: Commune) -> None:
    async with visitor(site, signed_in=False) as client:
        for _ in range(10):
            answer = await client.post("/sign-in", data={"login": "lan", "password": "sai"})
            assert answer.status_code == 401
        answer = await client.post("/sign-in", data={"login": "lan", "password": PASSWORD})
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)
    assert "Đã thử sai quá nhiều lần" in answer.text


def test_the_rates_of_every_day_let_a_desk_and_a_province_work() -> None:
    """Somebody with three open pages of four parts that all change all the time, asked for every 0.4 s, for 25 s."""
    assert Rates().reads.burst + 25 * Rates().reads.a_second >= 25 * 3 * 4 / 0.4
    assert NODES.address.burst >= 10_000  # all nodes behind one carrier's address fetch one emergency at once


async def test_24_nobody_uploads_more_than_the_day_allows(tmp_path: Path) -> None:
    async with centre(tmp_path) as here:
        here.services.recordings._quota = Quota(uploads=3, bytes=1_000)
        other = await here.somebody("hoa", "operator", await here.area())
        async with here.client() as client, here.client(who=other) as another:
            for size in (300, 300, 300):
                assert await sends(client, size) == 202
            assert await sends(client, 1) == 429  # one file too many
            assert await sends(another, 900) == 202
            refused = await client.post("/api/v1/recordings", params={"title": "a"}, content=b"x")
            error = refused.json()["error"]
            assert (error["code"], int(refused.headers["retry-after"])) == ("upload_quota", 24 * 3600)
        here.clock.now += DAY
        async with here.client() as client:
            assert await sends(client, 900) == 202
            assert await sends(client, 101) == 429  # too many bytes
            assert await sends(client, 101, hidden=True) == 429
            assert await sends(client, 100) == 202
        assert len(list(here.services.config.uploads.iterdir())) == 6  # what was refused is not there


async def sends(client: httpx.AsyncClient, size: int, *, hidden: bool = False) -> int:
    """Upload; ``hidden``: without saying how much will come."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * size

    content = pieces() if hidden else b"x" * size
    return (await client.post("/api/v1/recordings", params={"title": "a"}, content=content)).status_code


async def test_whoever_found_a_hole_finds_whom_to_tell(lite: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lite.client(signed_in=False) as client:
        assert (await client.get("/.well-known/security.txt")).status_code == 404
        config = lite.services.config
        monkeypatch.setattr(config, "security_contact", "mailto:loa@example.vn")
        monkeypatch.setattr(config, "pages_url", "https://loa.example.vn")
        answer = await client.get("/.well-known/security.txt", headers={"Host": "evil.test"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "Contact: mailto:loa@example.vn",
        "Expires: 2026-06-07T00:00:00Z",
        "Preferred-Languages: vi, en",
        "Canonical: https://loa.example.vn/.well-known/security.txt",
    ]


@pytest.mark.parametrize("contact", ["loa@example.vn", "mailto:a b", "mailto:a\nExpires: x", "http://x.vn", ""])
def test_a_contact_that_is_no_address_is_refused_at_the_start(contact: str) -> None:
    with pytest.raises(ValueError, match="security_contact"):
        Config(security_contact=contact)
