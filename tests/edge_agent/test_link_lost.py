"""The link when its connection goes in an instant that asyncio or aiomqtt do not notice: it comes back all the same."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_agent import ending, tls
from edge_agent import link as link_module
from edge_agent.config import StateDir
from edge_agent.errors import ConfigError
from edge_agent.faults import FaultBook
from edge_agent.link import Link
from edge_agent.protocol.topics import Topic
from tests.edge_agent.centre import Authority
from tests.edge_agent.fakes import NOON, running, until
from tests.edge_agent.test_link import link_of

CONNECT, PUBLISH, SUBSCRIBE, PING = 1, 3, 8, 12
CONNACK = bytes((0x20, 3, 0, 0, 0))
TAKEN_OVER = bytes((0xE0, 2, 0x8E, 0))
"""DISCONNECT as a broker sends it; in one write with what comes before, both are read in one turn of the loop."""


class Dropper:
    """A broker of few words, which says goodbye in the same breath as one of its answers, once."""

    def __init__(self, after: bytes) -> None:
        self._after = after
        """Of what asks for that answer."""
        self.connects = 0
        self.dropped = False
        self.pinged, self.may_answer = asyncio.Event(), asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind, body = await _packet(reader)
                if kind >> 4 == PING:
                    self.pinged.set()
                    await self.may_answer.wait()
                answer = self._answer(kind >> 4, kind, body)
                if not self.dropped and self._after in body:
                    self.dropped = True
                    writer.write(answer + TAKEN_OVER)
                    break
                writer.write(answer)
        writer.close()

    def _answer(self, what: int, kind: int, body: bytes) -> bytes:
        if what == CONNECT:
            self.connects += 1
            return CONNACK
        if what == PING:
            return bytes((0xD0, 0))
        if what == SUBSCRIBE:
            asked = body.count(b"loa/v1/")
            return bytes((0x90, 3 + asked)) + body[:2] + bytes(1) + bytes((1,)) * asked
        if what == PUBLISH and kind & 6:
            at = 2 + int.from_bytes(body[:2])
            return bytes((0x40, 2)) + body[at : at + 2]
        return b""


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind, length, shift = (await reader.readexactly(1))[0], 0, 0
    while True:
        one = (await reader.readexactly(1))[0]
        length, shift = length | (one & 127) << shift, shift + 7
        if one < 128:
            return kind, await reader.readexactly(length)


@contextlib.asynccontextmanager
async def listening(broker: Dropper, root: Path) -> AsyncIterator[int]:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(root / "server.crt", root / "server.key")
    async with await asyncio.start_server(broker.serve, "127.0.0.1", 0, ssl=made) as server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def linked(
    broker: Dropper, root: Path, monkeypatch: pytest.MonkeyPatch, *, unreadable: int = 0
) -> AsyncIterator[tuple[Link, list[int]]]:
    """Run a link; gives it, and the connections at which all its subscriptions stood.

    ``unreadable``: so often key and certificate cannot be used.
    """
    monkeypatch.setattr(link_module, "BACKOFF_S", (0.01, 0.02))
    Authority(root).server(root)
    context = tls.context(StateDir(root), check_dates=True, as_node=False)
    stood: list[int] = []
    refusals = [ConfigError("key and certificate do not belong together")] * unreadable

    def tls_of_now() -> ssl.SSLContext:
        if refusals:
            raise refusals.pop()
        return context

    async with listening(broker, root) as port:
        link = link_of(FaultBook(lambda: NOON), port=port, context=tls_of_now)
        link.on_connected = lambda: stood.append(broker.connects)
        async with running(link):
            yield link, stood


@pytest.mark.parametrize("after", [b"MQTT", b"/receipts/ack", b"/command"])
async def test_a_drop_in_the_instant_of_an_answer_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bytes
) -> None:
    broker = Dropper(after)
    async with linked(broker, tmp_path, monkeypatch) as (_, stood):
        await until(lambda: broker.dropped and stood[-1:] == [2])


async def test_a_link_that_begins_while_key_and_certificate_are_being_changed_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are files: for a moment the new key stands beside the old certificate, and the whole node ended by it."""
    async with linked(Dropper(b"never"), tmp_path, monkeypatch, unreadable=2) as (_, stood):
        await until(lambda: stood == [1])


async def test_a_drop_that_nobody_was_told_of_is_noticed_when_a_publish_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node said "not currently connected" for ever, and made no attempt."""
    async with linked(Dropper(b"never"), tmp_path, monkeypatch) as (link, stood):
        await until(lambda: stood == [1])
        assert link._client is not None
        paho = link._client._client
        paho.on_disconnect = None
        paho._sock_close()
        await link.ask_time()
        await until(lambda: stood == [1, 2])


async def test_a_drop_whose_cancellation_is_lost_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `asyncio.wait_for` of Python 3.11 loses one that comes with its result; and then the link can be ended."""
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)
    lost: list[bool] = []

    async def deaf_once(link: Link, tried: set[Topic]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if lost:
                raise
            lost.append(True)

    monkeypatch.setattr(Link, "_until_rescoped", deaf_once)
    async with linked(Dropper(b"/command"), tmp_path, monkeypatch) as (_, stood):
        await until(lambda: bool(lost) and stood[-1:] == [2])


def measured(link: Link) -> float | None:
    return link.rtt_ms


async def test_each_ping_measures_the_link_and_counts_for_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, broker = [100.0], Dropper(b"never")
    monkeypatch.setattr(link_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    async with linked(broker, tmp_path, monkeypatch) as (link, stood):
        await until(lambda: stood == [1])
        assert measured(link) is None
        assert link._client is not None
        link._client._client._send_pingreq()  # the library does it when nothing has come for KEEPALIVE_S
        await asyncio.wait_for(broker.pinged.wait(), 10)
        now_s[0] += 2.5
        broker.may_answer.set()
        await until(lambda: measured(link) is not None)
        assert measured(link) == pytest.approx(2500)
        now_s[0] += link_module.MEASURED_S
        assert measured(link) is not None
        now_s[0] += 1
        assert measured(link) is None
