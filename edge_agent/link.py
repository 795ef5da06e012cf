"""The connection to the broker: MQTT 5 over TLS with the node's certificate. Comes back by itself, for ever.

It carries bytes: what they mean is for the inbox, what to say for the others. A lost link is no error.
"""

import asyncio
import contextlib
import logging
import random
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import aiomqtt
import msgspec
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.ending import end
from edge_agent.errors import ConfigError
from edge_agent.faults import Fault, FaultBook
from edge_agent.protocol import topics
from edge_agent.protocol.enrolment import Adoption
from edge_agent.protocol.reports import Leaving, Lost, Online, Report, TimeAsk
from edge_agent.protocol.topics import AREA_WORDS, Topic, Word

log = logging.getLogger(__name__)

KEEPALIVE_S = 20
"""The broker gives a silent node up after 1.5 times this: on the screen within 45 s (promise P6)."""
BACKOFF_S = (1.0, 20.0)
"""First and longest wait before a new try; doubled, full jitter, so that a fleet does not come back at once.

A node that waits is out of reach of STOP and emergencies though the link may be whole: 10 s on average, which of
10,000 nodes are 1,000 tries a second.
"""
GOODBYE_S = 2.0
CONNECT_S = 15.0
RETRY_S = 60.0
"""Until a subscription that was refused is tried again: a person has to mend the broker's rights."""
MEASURED_S = 60.0
"""So long a round trip counts as that of now. While nothing else comes, each ``KEEPALIVE_S`` brings one."""
REFUSED = 0x80
"""MQTT 5 reason codes from here on are refusals."""

_PING, _PONG = "Sending PINGREQ", "Received PINGRESP"
"""What the library notes of its pings: it tells nobody in another way."""
_AT_ONCE = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
"""Small messages do not wait for the acknowledgement of the last one: that cost 44 ms a round trip."""
_FIRST = (Word.HOLD, Word.SETTINGS, Word.RECEIPTS_ACK, Word.TIME_ANSWER)
"""Of the node itself: what must be known before anything else comes."""
_ORDER = (Word.HOLD, Word.URGENT, Word.PLAN)


class _Client(aiomqtt.Client):
    """Tells what aiomqtt does not: that the broker refuses a message (PUBACK), that the connection is gone."""

    on_refused: Callable[[ReasonCode], None] = staticmethod(lambda _: None)

    @property
    def is_lost(self) -> bool:
        """Whether there is no connection any more, also when aiomqtt has forgotten that: it does so at CONNACK."""
        return self._client.socket() is None

    def measure_pings(self, told: Callable[[float], None]) -> None:
        """Tell of each ping, seconds, when its answer has come."""
        sent_s: list[float] = []

        def note(_client: object, _userdata: object, _level: int, said: str) -> None:
            if said == _PING:
                sent_s[:] = [time.monotonic()]
            elif said == _PONG and sent_s:
                told(time.monotonic() - sent_s.pop())

        self._client.on_log = note

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        if reason_code.value >= REFUSED:
            self.on_refused(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)


class Link:
    """Runs until cancelled."""

    name = "link"

    def __init__(
        self,
        adoption: Adoption,
        faults: FaultBook,
        *,
        boot_id: str,
        tls: Callable[[], ssl.SSLContext],
        online: Callable[[], Online],
        nonce: Callable[[], str],
        scopes: Callable[[], tuple[str, ...]],
        take: Callable[[str, bytes], None],
    ) -> None:
        self._adoption, self._faults = adoption, faults
        self._boot_id, self._tls, self._online, self._nonce = boot_id, tls, online, nonce
        self._scopes, self._take = scopes, take
        self._own = topics.node(adoption.node_id)
        self.ready = asyncio.Event()
        self.on_connected: Callable[[], None] = lambda: None
        """Called when all subscriptions stand."""
        self.connections = 0
        """Made since the start."""
        self._ping: tuple[float, float] | None = None
        """How long the last one took, and when that was."""
        self._client: aiomqtt.Client | None = None
        self._subscribed: set[Topic] = set()
        self._unheard = False
        """A subscription was refused."""
        self._rescope = asyncio.Event()
        self._ends = False
        """It was asked to connect anew."""
        self._failed = asyncio.Event()
        """Something could not be published: reason enough to see whether the connection is still there."""

    @property
    def connected(self) -> bool:
        """Whether the link stands."""
        return self._client is not None

    @property
    def rtt_ms(self) -> float | None:
        """How long the broker took to answer the last ping; None when there was none within the last minute."""
        if self._ping is None or time.monotonic() - self._ping[1] > MEASURED_S:
            return None
        return self._ping[0] * 1000

    def scopes_changed(self) -> None:
        """Listen to the areas of now."""
        self._rescope.set()

    def connect_anew(self) -> None:
        """End this connection well, and come back with the certificate of now."""
        self._ends = True
        self._failed.set()

    async def publish(self, report: Report) -> bool:
        """Say something under the node's own name; False when there is no link."""
        return await self.publish_bytes(report.word, msgspec.json.encode(report), qos=report.qos, retain=report.retain)

    async def publish_bytes(self, word: Word, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        """Publish bytes under the node's own name; False when there is no link."""
        if self._client is None:
            return False
        try:
            await self._client.publish(str(Topic(self._own, word)), payload, qos=qos, retain=retain)
        except aiomqtt.MqttError as error:
            log.info("could not publish %s: %s", word, error)
            self._failed.set()
            return False
        return True

    async def ask_time(self) -> None:
        """Ask the centre what time it is."""
        if self._client is not None:
            await self.publish(TimeAsk(nonce=self._nonce()))

    async def goodbye(self, reason: str) -> None:
        """Say why the node goes; bounded."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self.publish(Leaving(reason=reason))
        except TimeoutError:
            log.warning("the broker did not take the goodbye")

    async def run(self) -> None:
        """Connect, listen, and come back."""
        self.ready.set()  # no link is needed to be at work
        wait_s = BACKOFF_S[0]
        while True:
            try:
                await self._connect_and_serve()
                wait_s = BACKOFF_S[0]
            except* (aiomqtt.MqttError, OSError, ConfigError) as group:  # the last: its identity is being changed
                error = group.exceptions[0]
                wait_s = next_wait_s(wait_s, served=bool(self._subscribed))
                log.warning("no link to %s: %s", self._adoption.broker_host, error)
            self._subscribed.clear()
            await asyncio.sleep(random.uniform(0, wait_s))  # noqa: S311 - not a secret

    async def _connect_and_serve(self) -> None:
        async with self._new_client() as client:
            self._client, self._ends = client, False
            self.connections += 1
            works = {"listen": self._listen, "introduce": self._introduce, "watch": self._watch}
            tasks = [asyncio.create_task(work(client), name=f"link-{name}") for name, work in works.items()]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._client = None
                await end(tasks)
            # Not a task group: that waits for ever for a task that lost its cancellation.
            raise BaseExceptionGroup("the link", [error for task in tasks if (error := _error_of(task))])

    def _new_client(self) -> _Client:
        lost = msgspec.json.encode(Lost(boot_id=self._boot_id))
        client = _Client(
            self._adoption.broker_host,
            self._adoption.broker_port,
            identifier=self._adoption.node_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            keepalive=KEEPALIVE_S,
            timeout=CONNECT_S,
            tls_context=self._tls(),
            socket_options=_AT_ONCE,
            will=aiomqtt.Will(str(Topic(self._own, Word.PRESENCE)), lost, qos=Lost.qos, retain=Lost.retain),
        )
        client.on_refused = self._refused
        client.measure_pings(self._pinged)
        client.pending_calls_threshold = 50
        return client

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            if isinstance(payload, bytes | bytearray):
                self._take(str(message.topic), bytes(payload))

    async def _watch(self, client: _Client) -> None:
        """End the link when its connection is gone and nobody was told, or when it is to be another.

        Raises:
            MqttError: it is over.
        """
        while not client.is_lost and not self._ends:
            self._failed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEPALIVE_S):
                    await self._failed.wait()
        raise aiomqtt.MqttError("connecting anew" if self._ends else "the connection is gone")

    async def _introduce(self, client: aiomqtt.Client) -> None:
        """Listen to what comes first, say hello, ask the time, listen to the rest; then follow the settings."""
        self._faults.clear(Fault.BROKER_REFUSED)
        await self._subscribe(client, [Topic(self._own, word) for word in _FIRST])
        await self.publish(self._online())
        await self.ask_time()
        while True:
            before, tried = set(self._subscribed), self._wanted()
            await self._follow(client)
            if self._subscribed != before:
                self.on_connected()
            await self._until_rescoped(tried)

    async def _until_rescoped(self, tried: set[Topic]) -> None:
        """Wait until there is something to subscribe to or to leave, or to try again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S if tried - self._subscribed else None):
                while self._wanted() == tried:
                    await self._rescope.wait()
                    self._rescope.clear()

    async def _follow(self, client: aiomqtt.Client) -> None:
        wanted = self._wanted()
        for word in dict.fromkeys((*_FIRST, *_ORDER, Word.COMMAND)):
            await self._subscribe(client, [topic for topic in wanted - self._subscribed if topic.word is word])
        if wanted <= self._subscribed and self._unheard:
            self._unheard = False
            self._faults.clear(Fault.BROKER_REFUSED)
        left = self._subscribed - wanted
        if left:
            await client.unsubscribe([str(topic) for topic in left])
            self._subscribed -= left

    def _wanted(self) -> set[Topic]:
        own = {Topic(self._own, word) for word in (*_FIRST, *_ORDER, Word.COMMAND)}
        areas = [scope for scope in self._scopes() if scope != self._own]
        return own | {Topic(scope, word) for scope in areas for word in AREA_WORDS}

    async def _subscribe(self, client: aiomqtt.Client, wanted: list[Topic]) -> None:
        if not wanted:
            return
        codes = await client.subscribe([(str(topic), 1) for topic in wanted])
        refused = [topic for topic, code in zip(wanted, list(codes), strict=True) if _value(code) >= REFUSED]
        if refused:
            self._unheard = True
            self._faults.put(Fault.BROKER_REFUSED, f"subscription to {refused[0]} refused")
        self._subscribed.update(set(wanted) - set(refused))

    def _pinged(self, took_s: float) -> None:
        self._ping = took_s, time.monotonic()

    def _refused(self, reason_code: ReasonCode) -> None:
        log.error("the broker refused a message: %s", reason_code)
        self._faults.put(Fault.BROKER_REFUSED, f"a message was refused: {reason_code}")


def next_wait_s(before_s: float, *, served: bool) -> float:
    """Give how long the next try may wait at most, after one that was ``served`` for a while or not at all."""
    return BACKOFF_S[0] if served else min(before_s * 2, BACKOFF_S[1])


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _value(code: object) -> int:
    """Read a reason code, whichever of its two shapes aiomqtt gives."""
    return int(code.value) if isinstance(code, ReasonCode) else int(str(code))
