"""A whole centre in this process, with a real broker, and nodes that are no more than their certificate."""

import asyncio
import atexit
import contextlib
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.areas.schemas import AreaOut
from controller.config import Config
from controller.db import Database
from controller.events import EventBus
from controller.main import Centre, running
from controller.migrations.upgrade import upgrade
from controller.people.actor import Actor
from controller.people.service import People
from controller.wire.keys import private_pem
from edge_agent.protocol import topics
from edge_agent.protocol.documents import Signed
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.reports import ClockReport, Health, Held, Lost, Online, PlayEvent, Receipts, Report
from edge_agent.protocol.signing import SigningKey, TrustStore, open_document
from edge_agent.protocol.states import ClockState, PlayState
from tests.controller import factories

DocumentT = TypeVar("DocumentT", bound=Signed)

WITHIN_S = 20.0
"""Longer than anything here takes on a busy machine; a test that waits so long has failed."""


def settings(folder: Path, **given: Any) -> Config:
    """Settings of a centre on loopback with free ports."""
    wanted: dict[str, Any] = {"port": 0, "media_port": 0, "broker_port": 0, "public_name": "127.0.0.1"} | given
    return Config(state=folder, disk_reserve_bytes=0, **wanted)


@dataclass
class Live:
    """A running centre and the shortcuts of a stepped one."""

    centre: Centre
    rows: factories.Centre
    folder: Path

    async def area(self, name: str = "Thôn Đông", parent: AreaOut | None = None) -> AreaOut:
        """An area without quiet hours: these tests run at any time of day."""
        return await self.rows.area(name, parent, quiet_hours=[])

    async def node(self, area: AreaOut, name: str = "Cụm 1") -> "FakeNode":
        """A node that was adopted and has not connected."""
        code, key = new_claim_code(), Ed25519PrivateKey.generate()
        enrolments = self.centre.services.enrolments
        ticket = await enrolments.ask(factories.enrolment_request(code, key), factories.ADDRESS)
        out = await enrolments.adopt(self.rows.actor, claim_code=code, area_id=area.id, name=name)
        adoption = (await enrolments.status(ticket.enrolment_id)).adoption
        assert adoption is not None
        return FakeNode(self.centre, out.id, key, adoption.certificate_pem, self.folder)


@asynccontextmanager
async def live_centre(folder: Path, **given: Any) -> AsyncIterator[Live]:
    """Run a centre for the length of the block; a second one in the same folder finds what the first one left."""
    config = settings(folder / "centre", **given)
    if not config.state.exists():
        config.state.mkdir(parents=True)
        shutil.copyfile(await _first_database(), config.state / "loa.db")
    async with running(config) as centre:
        services = centre.services
        people = People(services.database, services.clock, session_hours=1, passwords=factories.quick_passwords())
        system = Actor(None, "tests")
        if not await people.any():
            await people.add(system, login="lan", name="Nguyễn Thị Lan", password=factories.PASSWORD)
        opened = await people.sign_in(login="lan", password=factories.PASSWORD, origin=factories.ADDRESS)
        clock: Any = services.clock
        yield Live(centre, factories.Centre(services, clock, services.database, services.events, opened.person), folder)


_made: list[Path] = []


async def _first_database() -> Path:
    """A database that went all steps and is empty, made once: the steps take longer than all else of a start."""
    if not _made:
        folder = Path(tempfile.mkdtemp(prefix="loa-first-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        database = Database(f"sqlite+aiosqlite:///{folder / 'loa.db'}", EventBus())
        await upgrade(database)
        await database.close()
        _made.append(folder / "loa.db")
    return _made[0]


@dataclass
class Came:
    """A message that a node received."""

    topic: str
    payload: bytes
    retained: bool


@dataclass
class FakeNode:
    """A certificate, a key, and an inbox."""

    centre: Centre
    node_id: str
    key: Ed25519PrivateKey
    certificate_pem: str
    folder: Path
    inbox: list[Came] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._client: aiomqtt.Client | None = None
        self._news = asyncio.Condition()
        self.store_id = f"store-{self.node_id[:8]}"

    @property
    def scope(self) -> str:
        return topics.node(self.node_id)

    @property
    def client(self) -> aiomqtt.Client:
        assert self._client is not None
        return self._client

    def tls(self) -> ssl.SSLContext:
        """The node's side of the connection."""
        certificate, key = self.folder / f"{self.node_id}.crt", self.folder / f"{self.node_id}.key"
        certificate.write_text(self.certificate_pem)
        key.write_bytes(private_pem(self.key))
        context = ssl.create_default_context(cafile=self.centre.authority.ca_file)
        context.load_cert_chain(certificate, key)
        return context

    @asynccontextmanager
    async def connected(self, *subscriptions: str, identifier: str | None = None) -> AsyncIterator[None]:
        """Connect, subscribe to own topics and ``subscriptions``, and collect what comes."""
        will = aiomqtt.Will(f"loa/v1/{self.scope}/presence", encode(Lost(boot_id="boot-1")), qos=1, retain=True)
        client = aiomqtt.Client(
            "127.0.0.1",
            self.centre.config.broker_port,
            identifier=identifier or self.node_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            tls_context=self.tls(),
            will=will,
            keepalive=20,
            timeout=WITHIN_S,
        )
        async with client:
            self._client = client
            reader = asyncio.create_task(self._read(client))
            for topic in (f"loa/v1/{self.scope}/#", *subscriptions):
                await client.subscribe(topic, qos=1)
            try:
                yield
            finally:
                reader.cancel()
                await asyncio.wait([reader])

    async def _read(self, client: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                async with self._news:
                    self.inbox.append(Came(str(message.topic), message.payload, bool(message.retain)))
                    self._news.notify_all()

    async def until(self, topic: str, fits: Callable[[bytes], bool] = lambda _payload: True) -> Came:
        """Wait for a message on a topic."""

        def found() -> Came | None:
            return next((came for came in self.inbox if came.topic == topic and fits(came.payload)), None)

        async with asyncio.timeout(WITHIN_S), self._news:
            await self._news.wait_for(lambda: found() is not None)
        came = found()
        assert came is not None
        return came

    async def document(
        self, kind: type[DocumentT], scope: str, fits: Callable[[DocumentT], bool] = lambda _document: True
    ) -> DocumentT:
        """Wait for a document of the centre, and check it as a node does."""
        trust = TrustStore(self.centre.authority.trusted_keys)

        def opened(payload: bytes) -> DocumentT:
            return open_document(payload, kind, audience=scope, trust=trust)

        came = await self.until(f"loa/v1/{scope}/{kind.word}", lambda payload: fits(opened(payload)))
        return opened(came.payload)

    async def say(self, report: Report) -> None:
        """Publish a report under the node's name."""
        await self.client.publish(f"loa/v1/{self.scope}/{report.word}", encode(report), report.qos, report.retain)

    async def hello(self) -> None:
        abilities = factories.abilities()
        await self.say(Online(boot_id="boot-1", connected_at=datetime.now(UTC), abilities=abilities))

    def health(self, held: dict[str, dict[str, Held]] | None = None) -> Health:
        return Health(
            sent_at=datetime.now(UTC),
            uptime_ms=1000,
            held=held or {},
            clock=ClockReport(state=ClockState.TRUSTED),
            store_id=self.store_id,
            last_seq=0,
            acked_seq=0,
        )

    async def report(self, *events: PlayEvent, key: Ed25519PrivateKey | None = None) -> None:
        """Publish signed receipts."""
        receipts = Receipts(iss=self.node_id, iat=1, store_id=self.store_id, events=events)
        token = SigningKey(key or self.key).sign(receipts)
        await self.client.publish(f"loa/v1/{self.scope}/receipts", token, 1)


def encode(report: Report) -> bytes:
    return msgspec.json.encode(report)


def event(seq: int, broadcast_id: str = "b-1", state: PlayState = PlayState.RECEIVED) -> PlayEvent:
    return PlayEvent(seq=seq, at=datetime.now(UTC), broadcast_id=broadcast_id, state=state)
