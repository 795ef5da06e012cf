"""Addresses that lead where they should not (trust.md 5a, 51 to 60), on servers of this machine."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.fetching.addresses import is_public
from controller.fetching.fetcher import Fetcher, FetchLimits, Streams, UrlRefusedError

PUBLIC, OTHER = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
"""Of the Internet. Nothing is sent there: the way to them leads to this machine."""
MOST = 100_000
ROOT = Path(__file__).resolve().parents[2]

INNER = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "::7f00:1", "ff02::1", "no address", ""),
]


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "::ffff:1.1.1.1"])
def test_an_address_of_the_internet_is(address: str) -> None:
    assert is_public(address)


@dataclass
class World:
    """A server, and a way to it that passes for one on the Internet."""

    port: int
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    """Host → what it resolves to, one answer after the other; the last one stays."""
    reached: list[tuple[str, int, str | None]] = field(default_factory=list)

    async def resolve(self, host: str, _port: int) -> list[str]:
        answers = self.names.get(host, [[PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect(self, address: str, port: int, name: str | None) -> Streams:
        self.reached.append((address, port, name))
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def get(self, url: str, **limits: float | bool) -> bytes:
        wanted = FetchLimits(**{"max_bytes": MOST, "plain_http": True, "idle_s": 5.0, **limits})  # type: ignore[arg-type]  # mypy: one type for all
        fetcher = Fetcher(wanted, resolve=self.resolve, connect=self.connect)
        return b"".join([chunk async for chunk in fetcher.fetch(url)])

    async def refused(self, url: str, **limits: float | bool) -> str:
        with pytest.raises(UrlRefusedError) as caught:
            await self.get(url, **limits)
        return str(caught.value.fields["problem"])


@asynccontextmanager
async def serving(*answers: bytes, endless: bytes = b"", hang: bool = False) -> AsyncIterator[World]:
    """Give these answers, one for each connection, the last one again and again."""
    left, over = list(answers), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            while endless:
                writer.write(endless)
                await writer.drain()
            if hang:
                await over.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort() if endless or hang else writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield World(server.sockets[0].getsockname()[1])
    finally:
        over.set()
        server.close()


def says(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if body else []), "", ""]
    return "\r\n".join(head).encode() + body


def leads_to(url: str) -> bytes:
    return says(b"", f"Location: {url}", "Content-Length: 0", status="302 Found")


async def test_a_file_of_the_internet_is_fetched() -> None:
    async with serving(says(b"sound")) as world:
        assert await world.get("http://media.example/a.mp3?b=c") == b"sound"
        assert world.reached == [(PUBLIC, 80, None)]


async def test_with_tls_the_certificate_must_have_the_name_though_the_address_is_pinned() -> None:
    async with serving(says(b"sound")) as world:
        await world.get("https://media.example:8443/a.mp3")
        assert world.reached == [(PUBLIC, 8443, "media.example")]


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "0", "[::1]", "[::ffff:127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "100.64.0.1", "169.254.169.254", "10.1.2.3"),
    ],
)
async def test_no_spelling_of_an_inner_address_is_connected_to(host: str) -> None:
    """Asked of this machine's own resolver, which reads them all."""
    async with serving(says(b"secret")) as world:
        fetcher = Fetcher(FetchLimits(MOST, plain_http=True), connect=world.connect)
        with pytest.raises(UrlRefusedError) as caught:
            await anext(fetcher.fetch(f"http://{host}:{world.port}/"))
        assert caught.value.fields["problem"] in {"address", "unreachable"}
        assert world.reached == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        *((f"{scheme}:///etc/passwd", "scheme") for scheme in ("file", "gopher", "concat", "subfile", "data", "rtmp")),
        ("ftp://media.example/a", "scheme"),
        ("media.example/a", "scheme"),
        ("http://user:pass@media.example/", "credentials"),
        ("http://media.example@127.0.0.1/", "credentials"),
        ("http:///a", "host"),
        ("http://media.example:99999/", "characters"),
        ("http://media.example\\@127.0.0.1/", "characters"),
        ("http://media.example/\r\nX-Evil: 1", "characters"),
        ("http://[::1", "characters"),
        ("http://media.example/" + "a" * 3000, "characters"),
        ("http://１２７.0.0.1/", "characters"),
    ],
)
async def test_what_is_no_plain_address_of_a_file_is_refused_before_anything_is_asked(url: str, problem: str) -> None:
    async with serving(says(b"secret")) as world:
        assert await world.refused(url) == problem
        assert world.reached == []


async def test_without_tls_only_where_the_setting_says_so() -> None:
    async with serving(says(b"sound")) as world:
        assert await world.refused("http://media.example/a", plain_http=False) == "scheme"


async def test_a_name_that_turns_to_an_inner_address_is_connected_to_where_it_was_checked() -> None:
    async with serving(says(b"sound")) as world:
        world.names["rebinding.example"] = [[PUBLIC], ["127.0.0.1"]]
        assert await world.get("http://rebinding.example/") == b"sound"
        assert world.reached == [(PUBLIC, 80, None)]
        assert await world.refused("http://rebinding.example/") == "address"


async def test_one_inner_address_among_several_is_enough_to_refuse() -> None:
    async with serving(says(b"secret")) as world:
        world.names["mixed.example"] = [[PUBLIC, "10.0.0.1"]]
        world.names["nobody.example"] = [[]]
        assert await world.refused("http://mixed.example/") == "address"
        assert await world.refused("http://nobody.example/") == "address"
        assert world.reached == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://inner.example/", "address"),
        ("//inner.example/", "address"),
        ("file:///etc/passwd", "scheme"),
        ("http://a:b@media.example/", "credentials"),
    ],
)
async def test_a_redirect_is_checked_like_the_first_address(url: str, problem: str) -> None:
    async with serving(leads_to(url), says(b"secret")) as world:
        world.names["inner.example"] = [["127.0.0.1"]]
        assert await world.refused("http://media.example/") == problem
        assert len(world.reached) == 1


async def test_a_redirect_to_the_internet_is_followed_and_a_loop_ends() -> None:
    async with serving(leads_to("/b"), says(b"sound")) as world:
        assert await world.get("http://media.example/a") == b"sound"
    async with serving(leads_to("http://media.example/again")) as world:
        assert await world.refused("http://media.example/", redirects=2) == "redirects"
        assert len(world.reached) == 3


async def test_an_endless_answer_ends_at_the_limit() -> None:
    async with serving(says(b"", "Connection: close"), endless=b"x" * 10_000) as world:
        assert await world.refused("http://media.example/") == "too_large"


async def test_a_declared_length_beyond_the_limit_is_not_waited_for() -> None:
    async with serving(says(b"", f"Content-Length: {MOST + 1}"), hang=True) as world:
        assert await world.refused("http://media.example/") == "too_large"


@pytest.mark.parametrize("limits", [{"idle_s": 0.05}, {"within_s": 0.05}])
@pytest.mark.parametrize("begun", [b"", says(b"", "Content-Length: 10")])
async def test_who_says_nothing_is_not_waited_for(begun: bytes, limits: dict[str, float]) -> None:
    async with serving(begun, hang=True) as world:
        assert await world.refused("http://media.example/", **limits) == "too_slow"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (says(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip"), "encoding"),
        (says(b"no", status="404 Not Found"), "status"),
        (says(b"part", status="206 Partial Content"), "status"),
        (says(b"", "Content-Length: 10") + b"short", "broken"),
        (says(b"x", *(f"X-{number}: {'y' * 1000}" for number in range(100))), "broken"),
        (b"", "broken"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "broken"),
        (says(b"", "Content-Length: -5"), "broken"),
    ],
)
async def test_an_answer_that_is_not_what_was_asked_for_is_refused(answer: bytes, problem: str) -> None:
    async with serving(answer) as world:
        assert await world.refused("http://media.example/") == problem


OPENERS = re.compile(
    r"^\s*(?:import|from)\s+(?:httpx|requests|aiohttp|urllib3|urllib\.request|http\.client|ftplib|h11|httpcore)\b|"
    r"open_connection\(|create_connection\(",
    re.MULTILINE,
)


def openers(folder: Path, of: Callable[[Path], str] = lambda path: path.read_text("utf-8")) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in sorted(folder.rglob("*.py")) if OPENERS.search(of(path))}


def test_nothing_else_of_the_centre_opens_addresses() -> None:
    found = openers(ROOT / "controller") | openers(ROOT / "web") | openers(ROOT / "audio")
    assert {each for each in found if not each.startswith("controller/demo/")} == {
        "controller/fetching/fetcher.py",
        "controller/wire/broker.py",  # looks whether its own child listens
    }
