"""Everything that an agent sees of a centre. What it does by itself (time, acknowledgements) can be switched off."""

import asyncio
import contextlib
import hashlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import aiomqtt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.protocol import topics
from edge_agent.protocol.content import Broadcast, Voice
from edge_agent.protocol.documents import (
    Command,
    CommandAction,
    Hold,
    Membership,
    Plan,
    ReceiptsAck,
    Settings,
    Signed,
    Urgent,
)
from edge_agent.protocol.enrolment import Adoption
from edge_agent.protocol.reports import Health, PlayEvent, Receipts, TimeAsk
from edge_agent.protocol.signing import SigningKey, TrustStore, open_receipts, public_x
from edge_agent.protocol.states import Outcome
from edge_agent.protocol.topics import Topic, Word
from edge_agent.store import Store
from tests.edge_agent.centre.authority import Authority
from tests.edge_agent.centre.broker import Broker
from tests.edge_agent.centre.files import FileServer
from tests.edge_agent.centre.orders import SCOPE, Keys, Orders
from tests.edge_agent.centre.sounds import voice_of

AREA = SCOPE.removeprefix("areas/")
PATIENCE_S = 40
"""For what takes a second here: other tests run beside, and other machines are slower."""


@dataclass
class Heard:
    """One message of a node."""

    topic: Topic
    payload: bytes


class Centre:
    """Everything that an agent sees of a centre."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(root)
        self.authority.server(root)
        own = ec.generate_private_key(ec.SECP256R1())
        (root / "centre.key").write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (root / "centre.crt").write_text(self.authority.client("centre", own.public_key()))
        self._keys = Keys()
        self.dispatch, self.policy = self._keys.dispatch, self._keys.policy
        self.ahead = timedelta(0)
        """The centre's clock against the one of the machine, which is also the node's."""
        self._orders = Orders(self.now)
        self.broker = Broker(root)
        self.files = FileServer(root)
        self.answers_time = True
        self.acks = True
        self.heard: list[Heard] = []
        self.events: dict[str, dict[int, PlayEvent]] = {}
        """By node and sequence number."""
        self.batches: list[Receipts] = []
        self._node_keys: dict[str, TrustStore] = {}
        self._retained: dict[str, bytes] = {}
        self._client: aiomqtt.Client | None = None
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.broker.start()
        self._task = asyncio.create_task(self._run(), name="test-centre")
        await asyncio.wait_for(self._connected.wait(), PATIENCE_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.broker.close()
        self.files.close()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    # Nodes.

    def adopt(self, state: Path, node_id: str) -> None:
        """Make a state directory as enrolment would."""
        state.mkdir(parents=True, exist_ok=True)
        key = Ed25519PrivateKey.generate()
        (state / "node.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (state / "node.key").chmod(0o600)
        adoption = self.adoption(node_id, key.public_key())
        (state / "node.crt").write_text(adoption.certificate_pem)
        (state / "ca.crt").write_text(self.authority.pem)
        store = Store.open(state / "agent.db")
        store.begin()
        store.close()
        (state / "node.json").write_bytes(msgspec.json.encode(adoption))

    def adoption(self, node_id: str, public: Any) -> Adoption:
        self._node_keys[node_id] = TrustStore.of_node(public_x(public))
        return Adoption(
            node_id=node_id,
            name=f"Cụm {node_id}",
            certificate_pem=self.authority.client(node_id, public),
            ca_pem=self.authority.pem,
            broker_host="127.0.0.1",
            broker_port=self.broker.port,
            media_url=self.files.url,
            trusted_keys=self._keys.trusted,
        )

    # Media.

    def add_media(self, data: bytes, *, language: str = "vi", gain_mb: int = 0) -> Voice:
        """Serve a canonical file."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.files.shelves.files[f"/media/{sha256}.opus"] = data
        return voice_of(data, language=language, gain_mb=gain_mb)

    # Orders.

    async def send(self, document: Signed, *, key: SigningKey | None = None, topic: Topic | None = None) -> bytes:
        """Sign and publish."""
        token = (key or self._keys).sign(document)
        await self.send_bytes(topic or Topic(document.aud, document.word), token, retain=document.retain)
        return token

    async def send_bytes(self, topic: Topic, payload: bytes, *, retain: bool) -> None:
        if retain:
            self._retained[str(topic)] = payload
        if self._client is not None and self._connected.is_set():
            await self._client.publish(str(topic), payload, qos=1, retain=retain)

    async def settle(self, node_id: str, *, areas: tuple[str, ...] = (AREA,), **fields: Any) -> Settings:
        """Publish settings."""
        members = tuple(Membership(area_id=area) for area in areas)
        fields = {"areas": members, "health_interval_ms": 1000, **fields}
        settings = self._orders.settings(topics.node(node_id), self._keys, **fields)
        await self.send(settings)
        return settings

    async def plan(self, *broadcasts: Broadcast, scope: str = f"areas/{AREA}") -> Plan:
        """Publish a plan and its body."""
        plan = self._orders.plan(*broadcasts, scope=scope)
        self.files.shelves.files[f"/plans/{plan.body_sha256}"] = self._orders.bodies[plan.body_sha256]
        await self.send(plan)
        return plan

    async def urgent(self, *broadcasts: Broadcast, **fields: Any) -> Urgent:
        """Publish an urgent."""
        urgent = self._orders.urgent(*broadcasts, **fields)
        await self.send(urgent)
        return urgent

    async def hold(self, *active: str, released: tuple[str, ...] = ()) -> Hold:
        """Publish a hold document."""
        hold = self._orders.hold(*active, released=released)
        await self.send(hold)
        return hold

    async def command(self, node_id: str, action: CommandAction, command_id: str = "command-1", **fields: Any) -> None:
        scope = topics.node(node_id)
        claims = self._orders.claims(Command, scope)
        await self.send(Command(**claims, command_id=command_id, action=action, **fields))

    # What came back.

    async def until(self, found: Callable[[], Any], *, within_s: float = PATIENCE_S, what: str = "") -> Any:
        """Wait until ``found`` gives something true."""
        try:
            async with asyncio.timeout(within_s), self._news:
                while not (value := found()):
                    await self._news.wait()
                return value
        except TimeoutError:
            said = [(str(one.topic), one.payload[:300]) for one in self.heard[-8:]]
            raise AssertionError(f"waited {within_s} s for {what or found}: {said} {self.events}") from None

    async def until_outcome(self, node_id: str, broadcast_id: str, *, within_s: float = PATIENCE_S) -> PlayEvent:
        """Wait for the outcome of a play."""

        def found() -> PlayEvent | None:
            return next((one for one in self.plays(node_id, broadcast_id) if one.outcome is not None), None)

        event = await self.until(found, within_s=within_s, what=f"outcome of {broadcast_id}")
        assert isinstance(event, PlayEvent)
        return event

    async def until_held(self, node_id: str, document: Signed, *, within_s: float = PATIENCE_S) -> None:
        """Wait until the node reports that it obeys a document, or a newer one."""

        def found() -> bool:
            health = self.health(node_id)
            held = health.held.get(document.aud, {}).get(document.word.value) if health else None
            return held is not None and held.complete and held.version >= document.version

        await self.until(found, within_s=within_s, what=f"{document.word} {document.version} held")

    def plays(self, node_id: str, broadcast_id: str) -> list[PlayEvent]:
        events = self.events.get(node_id, {})
        return [events[seq] for seq in sorted(events) if events[seq].broadcast_id == broadcast_id]

    def outcomes(self, node_id: str) -> list[tuple[str, Outcome]]:
        events = self.events.get(node_id, {})
        found = [events[seq] for seq in sorted(events)]
        return [(one.broadcast_id, one.outcome) for one in found if one.outcome is not None]

    def health(self, node_id: str) -> Health | None:
        payloads = self.said(node_id, Word.HEALTH)
        return msgspec.json.decode(payloads[-1], type=Health) if payloads else None

    def presence(self, node_id: str) -> dict[str, Any]:
        payloads = self.said(node_id, Word.PRESENCE)
        return json.loads(payloads[-1]) if payloads else {}

    def said(self, node_id: str, word: Word) -> list[bytes]:
        topic = Topic(topics.node(node_id), word)
        return [one.payload for one in self.heard if one.topic == topic]

    # The broker's side.

    async def lose_broker(self) -> None:
        self._connected.clear()
        self.broker.kill()

    def forget_retained(self, scope: str, word: Word) -> None:
        """Publish it no more when the broker comes back."""
        self._retained.pop(str(Topic(scope, word)), None)

    async def bring_broker_back(self) -> None:
        """Start it again, empty, and publish again all that is retained."""
        await self.broker.start()
        await asyncio.wait_for(self._connected.wait(), PATIENCE_S)
        for topic, payload in self._retained.items():
            await self.send_bytes(topics.parse(topic), payload, retain=True)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                await self._serve()
            self._connected.clear()
            await asyncio.sleep(0.05)

    async def _serve(self) -> None:
        tls = ssl.create_default_context(cafile=self.root / "ca.crt")
        tls.load_cert_chain(self.root / "centre.crt", self.root / "centre.key")
        async with aiomqtt.Client(
            "127.0.0.1",
            self.broker.port,
            identifier="centre",
            protocol=aiomqtt.ProtocolVersion.V5,
            tls_context=tls,
            timeout=20,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        ) as client:
            for word in (Word.PRESENCE, Word.HEALTH, Word.RECEIPTS, Word.TIME_ASK):
                await client.subscribe(f"loa/v1/nodes/+/{word}", qos=1)
            self._client = client
            self._connected.set()
            async for message in client.messages:
                await self._take(topics.parse(str(message.topic)), bytes(message.payload or b""))

    async def _take(self, topic: Topic, payload: bytes) -> None:
        node_id = topic.scope.removeprefix("nodes/")
        if topic.word is Word.TIME_ASK and self.answers_time:
            await self.answer_time(node_id, payload)
        if topic.word is Word.RECEIPTS:
            receipts = open_receipts(payload, node_id=node_id, trust=self._node_keys[node_id])
            self.batches.append(receipts)
            self.events.setdefault(node_id, {}).update({event.seq: event for event in receipts.events})
            if self.acks:
                await self.ack(node_id, receipts.store_id)
        async with self._news:
            self.heard.append(Heard(topic, payload))
            self._news.notify_all()

    async def answer_time(self, node_id: str, ask: bytes) -> None:
        nonce = msgspec.json.decode(ask, type=TimeAsk).nonce
        await self.send(self._orders.time(topics.node(node_id), nonce, self.now()))

    async def ack(self, node_id: str, store_id: str, *, send_from_seq: int | None = None) -> None:
        scope, seq = topics.node(node_id), 0
        while seq + 1 in self.events.get(node_id, {}):
            seq += 1
        claims = self._orders.claims(ReceiptsAck, scope)
        await self.send(ReceiptsAck(**claims, store_id=store_id, stored_through_seq=seq, send_from_seq=send_from_seq))


@contextlib.asynccontextmanager
async def running_centre(root: Path) -> AsyncIterator[Centre]:
    """Open a centre for the length of a block."""
    async with Centre(root) as centre:
        yield centre
