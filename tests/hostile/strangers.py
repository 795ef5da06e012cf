"""Somebody with a certificate who speaks MQTT as no library lets one, and those who watch what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from controller.clock import system_clock
from controller.wire.broker import Broker
from controller.wire.keys import load_keys
from controller.wire.pki import CENTRE, Authority
from tests.bench import mqtt5
from tests.controller.wire.live import settings

WITHIN_S = 20.0
"""Longer than anything here takes on a busy machine."""
REFUSED = 0x80
"""Reason codes from here on are refusals (MQTT 5, section 2.4)."""
BROKEN_OFF = 0x100
"""No reason code: the broker ended the connection instead of answering."""

_marks = itertools.count(1)


class Peer:
    """One MQTT connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._packets = reader, writer, mqtt5.Packets()
        self._numbers, self._news = itertools.count(1), asyncio.Condition()
        self._answers: dict[int, int] = {}
        self.came: list[mqtt5.Publish] = []
        """Everything that was delivered, in order."""
        self.connack: int | None = None
        self.lost = False

    async def read(self) -> None:
        """Take in what comes until the connection ends."""
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await self._reader.read(1 << 16):
                for kind, flags, body in self._packets.feed(data):
                    self._take(kind, flags, body)
                async with self._news:
                    self._news.notify_all()
        self.lost = True
        async with self._news:
            self._news.notify_all()

    def _take(self, kind: int, flags: int, body: bytes) -> None:
        match kind:
            case mqtt5.CONNACK:
                self.connack = body[1]
            case mqtt5.PUBLISH:
                came = mqtt5.read_publish(flags, body)
                self.came.append(came)
                if came.packet_id is not None:
                    self.send(mqtt5.puback(came.packet_id))
            case mqtt5.PUBACK:
                self._answers[int.from_bytes(body[:2])] = body[2] if len(body) > 2 else 0
            case mqtt5.SUBACK:
                self._answers[int.from_bytes(body[:2])] = body[-1]

    def send(self, packet: bytes) -> None:
        """Send these bytes, whatever they are."""
        self._writer.write(packet)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that what comes makes true."""
        async with asyncio.timeout(WITHIN_S), self._news:
            await self._news.wait_for(true)

    async def answered(self, packet_id: int) -> int:
        """Give the reason code of an answer."""
        await self.until(lambda: packet_id in self._answers or self.lost)
        return self._answers.get(packet_id, BROKEN_OFF)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Publish; give the reason code, which with QoS 0 nobody tells."""
        packet_id = self._number() if qos else None
        self.send(mqtt5.publish(topic, payload, packet_id=packet_id, retain=retain))
        return 0 if packet_id is None else await self.answered(packet_id)

    async def subscribe(self, topic: str, qos: int = 1) -> int:
        """Subscribe; give the reason code."""
        packet_id = self._number()
        self.send(mqtt5.subscribe(packet_id, [topic], qos))
        return await self.answered(packet_id)

    def abort(self) -> None:
        """Break the connection as a power cut does."""
        self._writer.transport.abort()

    def _number(self) -> int:
        return next(self._numbers) % 65_535 + 1


@dataclass
class Square:
    """A broker as the centre runs it, the centre's certificate, and one for whoever is asked for."""

    broker: Broker
    authority: Authority
    port: int
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)
    centre: Peer = field(init=False)
    """Hears all that the centre could hear."""
    neighbour: Peer = field(init=False)
    """An honest node, ``NEIGHBOUR``, that asks for everything."""

    @asynccontextmanager
    async def peer(
        self, name: str, *, client_id: str | None = None, will: mqtt5.Will | None = None, user: str | None = None
    ) -> AsyncIterator[Peer]:
        """Connect with a certificate in this name."""
        context = self._contexts.get(name) or self.authority.context_in_the_name_of(name)
        self._contexts[name] = context
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        peer = Peer(reader, writer)
        reading = asyncio.create_task(peer.read())
        try:
            peer.send(mqtt5.connect(client_id or name, 20, will=will, user=user))
            await peer.until(lambda: peer.connack is not None or peer.lost)
            yield peer
        finally:
            peer.abort()
            await reading

    async def settle(self, stranger: Peer, name: str) -> None:
        """Wait until all that the stranger sent has been delivered to whom it is delivered, or to nobody."""
        mark = b"mark %d" % next(_marks)
        await stranger.publish(f"loa/v1/nodes/{name}/time/ask", mark)
        await self.centre.until(lambda: any(came.payload == mark for came in self.centre.came))
        await self.told(mark)

    async def told(self, mark: bytes) -> None:
        """Wait until the neighbour has what the centre says now, and so all from before it."""
        await self.centre.publish(f"loa/v1/areas/{MARKS}/hold", mark)
        await self.neighbour.until(lambda: any(came.payload == mark for came in self.neighbour.came))

    async def still_works(self) -> bool:
        """Tell whether an order still reaches an honest node, over the connections that stood before."""
        await self.told(b"still here %d" % next(_marks))
        return not self.centre.lost and not self.neighbour.lost


NEIGHBOUR = "n-neighbour"
MARKS = "a-marks"


@asynccontextmanager
async def square(folder: Path, port: int) -> AsyncIterator[Square]:
    """Run the product's broker with the product's configuration, and nothing else of the product."""
    config = settings(folder, broker_port=port)
    config.keys.mkdir(parents=True, exist_ok=True)
    authority = Authority(config.keys, load_keys(config.keys), system_clock, names=("127.0.0.1",))
    broker = Broker(config, authority)
    running = asyncio.create_task(broker.run())
    try:
        async with asyncio.timeout(WITHIN_S):
            await broker.ready.wait()
        here = Square(broker, authority, port)
        async with here.peer(CENTRE) as centre, here.peer(NEIGHBOUR) as neighbour:
            here.centre, here.neighbour = centre, neighbour
            for watching in (centre, neighbour):
                assert await watching.subscribe("#") < REFUSED
                assert await watching.subscribe("$SYS/#") < REFUSED
            yield here
    finally:
        running.cancel()
        await asyncio.wait([running])
