"""A small centre for tests of agents: private authority, mosquitto over TLS, media over HTTPS, signing keys.

It speaks the wire and nothing more; whoever writes another agent can be tested against it. What it does by itself
(answering time, acknowledging receipts) can be switched off.
"""

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import aiomqtt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from audio.decode import Decoder
from edge_agent.protocol import topics
from edge_agent.protocol.content import Approval, Broadcast, Item, PlanBody, Voice, content_hash, pack_body
from edge_agent.protocol.documents import (
    Command,
    CommandAction,
    Hold,
    HoldOrder,
    Membership,
    Plan,
    ReceiptsAck,
    Settings,
    Signed,
    Stop,
    TimeAnswer,
    Urgent,
)
from edge_agent.protocol.enrolment import Adoption
from edge_agent.protocol.reports import Health, PlayEvent, Receipts, TimeAsk
from edge_agent.protocol.signing import SigningKey, TrustStore, open_receipts, public_x
from edge_agent.protocol.states import KeyUse, Level, Outcome
from edge_agent.protocol.topics import Topic, Word
from edge_agent.store import Store

AREA = "thon-1"
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"

_CONFIG = """
user root
per_listener_settings false
persistence false
allow_anonymous false
set_tcp_nodelay true
listener {port} 127.0.0.1
cafile {root}/ca.crt
certfile {root}/server.crt
keyfile {root}/server.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
acl_file {root}/acl
log_dest stderr
log_type error
"""

_ACL = """
user centre
topic readwrite loa/v1/#

pattern read loa/v1/areas/#
pattern read loa/v1/nodes/%u/#
pattern write loa/v1/nodes/%u/presence
pattern write loa/v1/nodes/%u/health
pattern write loa/v1/nodes/%u/receipts
pattern write loa/v1/nodes/%u/time/ask
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Authority:
    """The private certificate authority of one test."""

    def __init__(self, root: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = (
            self._builder(self._name, self._key.public_key(), days=(-500, 3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=False,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=True,
                    crl_sign=True,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM).decode()
        (root / "ca.crt").write_text(self.pem)

    @property
    def sha256(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def server(self, root: Path, *, days: tuple[int, int] = (-1, 90)) -> None:
        """Make the centre's own certificate, valid between two days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre of a test")])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = self._leaf(name, key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, days).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        chain = made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode() + self.pem
        (root / "server.crt").write_text(chain)
        (root / "server.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def client(self, name: str, public: Any) -> str:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._leaf(subject, public, ExtendedKeyUsageOID.CLIENT_AUTH).sign(self._key, hashes.SHA256())
        return made.public_bytes(Encoding.PEM).decode()

    def _leaf(
        self, name: x509.Name, public: Any, use: x509.ObjectIdentifier, days: tuple[int, int] = (-1, 90)
    ) -> x509.CertificateBuilder:
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            self._builder(name, public, days=days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(own, critical=False)
        )

    def _builder(self, name: x509.Name, public: Any, *, days: tuple[int, int]) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
        )


class Broker:
    """A mosquitto child on a port of its own; can be killed and started again."""

    def __init__(self, root: Path, port: int) -> None:
        self.port, self._config = port, root / "mosquitto.conf"
        (root / "acl").write_text(_ACL)
        (root / "acl").chmod(0o600)
        self._config.write_text(_CONFIG.format(root=root, port=port))
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)])  # noqa: ASYNC220 - returns at once
        async with asyncio.timeout(10):
            while not await self._answers():  # noqa: ASYNC110 - a port tells nobody that it listens
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True


@dataclass
class Shelves:
    """What the file server has, and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    """By path."""
    gone: set[str] = field(default_factory=set)
    """Paths answered with 410."""
    broken_after: dict[str, int] = field(default_factory=dict)
    """Bytes after which an answer breaks off, once."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range header of every request, in order."""
    pages: dict[tuple[str, str], Callable[[bytes], tuple[int, bytes]]] = field(default_factory=dict)
    """Method and path → what answers it (enrolment)."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request from the shelves."""

    protocol_version = "HTTP/1.1"
    shelves: Shelves

    def do_GET(self) -> None:
        self.shelves.asked.append((self.path, self.headers.get("Range")))
        page = self.shelves.pages.get(("GET", self.path))
        if page is not None:
            self._answer(*page(b""))
        elif self.path in self.shelves.gone:
            self._answer(410, b"")
        elif self.path not in self.shelves.files:
            self._answer(404, b"")
        else:
            self._send(self.shelves.files[self.path])

    def do_POST(self) -> None:
        page = self.shelves.pages.get(("POST", self.path))
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*(page(body) if page else (404, b"")))

    def _send(self, data: bytes) -> None:
        start = 0
        asked = self.headers.get("Range")
        if asked:
            start = int(asked.removeprefix("bytes=").split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        cut = self.shelves.broken_after.pop(self.path, None)
        self.wfile.write(data[start:] if cut is None else data[start : start + cut])
        if cut is not None:
            self.close_connection = True

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, or do not believe us, are part of the tests."""


class FileServer:
    """HTTPS with Range, in threads."""

    def __init__(self, root: Path) -> None:
        self.shelves = Shelves()
        handler = type("Handler", (_Handler,), {"shelves": self.shelves})
        self._server = _Server(("127.0.0.1", 0), handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(root / "server.crt", root / "server.key")
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


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
        self.dispatch = SigningKey(Ed25519PrivateKey.generate())
        self.policy = SigningKey(Ed25519PrivateKey.generate())
        self.trusted_keys = (
            self.dispatch.trusted_as(KeyUse.DISPATCH),
            self.policy.trusted_as(KeyUse.POLICY),
        )
        self.broker = Broker(root, free_port())
        self.files = FileServer(root)
        self.epoch = 1
        self.answers_time = True
        self.acks = True
        self.clock_offset = timedelta(0)
        self.heard: list[Heard] = []
        self.events: dict[str, dict[int, PlayEvent]] = {}
        """By node and sequence number."""
        self.batches: list[Receipts] = []
        self._node_keys: dict[str, TrustStore] = {}
        self._retained: dict[str, bytes] = {}
        self._versions: dict[tuple[str, Word], int] = {}
        self._client: aiomqtt.Client | None = None
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.broker.start()
        self._task = asyncio.create_task(self._run(), name="test-centre")
        await asyncio.wait_for(self._connected.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.broker.kill()
        self.files.close()

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
            trusted_keys=self.trusted_keys,
        )

    # Media.

    def add_media(self, data: bytes, *, language: str = "vi", gain_mb: int = 0) -> Voice:
        """Serve a canonical file."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.files.shelves.files[f"/media/{sha256}.opus"] = data
        return voice_of(data, language=language, gain_mb=gain_mb)

    # Orders.

    def claims(self, scope: str, word: Word, *, version: int | None = None, lasts_s: int = 86_400) -> dict[str, Any]:
        now_s = int((datetime.now(UTC) + self.clock_offset).timestamp())
        if version is None:
            version = self._versions[scope, word] = self._versions.get((scope, word), 0) + 1
        return {
            "aud": scope,
            "epoch": self.epoch,
            "version": version,
            "iat": now_s,
            "nbf": now_s - 60,
            "exp": now_s + lasts_s,
        }

    async def send(self, document: Signed, *, key: SigningKey | None = None, topic: Topic | None = None) -> bytes:
        """Sign and publish."""
        default = self.policy if document.key_use is KeyUse.POLICY else self.dispatch
        token = (key or default).sign(document)
        await self.send_bytes(topic or Topic(document.aud, document.word), token, retain=document.retain)
        return token

    async def send_bytes(self, topic: Topic, payload: bytes, *, retain: bool) -> None:
        if retain:
            self._retained[str(topic)] = payload
        if self._client is not None and self._connected.is_set():
            await self._client.publish(str(topic), payload, qos=1, retain=retain)

    async def settle(self, node_id: str, *, areas: tuple[str, ...] = (AREA,), **fields: Any) -> Settings:
        """Publish settings."""
        members = fields.pop("members", tuple(Membership(area_id=area) for area in areas))
        fields.setdefault("health_interval_ms", 1000)
        scope = topics.node(node_id)
        settings = Settings(
            **self.claims(scope, Word.SETTINGS), areas=members, trusted_keys=self.trusted_keys, **fields
        )
        await self.send(settings)
        return settings

    async def plan(
        self, *broadcasts: Broadcast, scope: str = f"areas/{AREA}", lease: timedelta = timedelta(days=3)
    ) -> Plan:
        """Publish a plan and its body."""
        body = pack_body(PlanBody(scope=scope, broadcasts=broadcasts))
        self.files.shelves.files[f"/plans/{body.sha256}"] = body.packed
        now = datetime.now(UTC)
        plan = Plan(
            **self.claims(scope, Word.PLAN),
            covers_until=now + timedelta(days=7),
            lease_until=now + lease,
            body_sha256=body.sha256,
            body_bytes=len(body.packed),
        )
        await self.send(plan)
        return plan

    async def urgent(
        self,
        *broadcasts: Broadcast,
        scope: str = f"areas/{AREA}",
        stops: tuple[str, ...] = (),
        inline: dict[str, bytes] | None = None,
    ) -> Urgent:
        """Publish an urgent."""
        now = datetime.now(UTC)
        urgent = Urgent(
            **self.claims(scope, Word.URGENT),
            broadcasts=broadcasts,
            stops=tuple(Stop(broadcast_id=name, stopped_at=now) for name in stops),
            inline=inline or {},
        )
        await self.send(urgent)
        return urgent

    async def hold(self, *active: str, released: tuple[str, ...] = (), scope: str = f"areas/{AREA}") -> Hold:
        """Publish a hold document."""
        now = datetime.now(UTC)
        orders = tuple(HoldOrder(hold_id=name, ordered_at=now) for name in active)
        hold = Hold(**self.claims(scope, Word.HOLD), active=orders, released=released)
        await self.send(hold)
        return hold

    async def command(self, node_id: str, action: CommandAction, command_id: str = "command-1") -> None:
        scope = topics.node(node_id)
        await self.send(Command(**self.claims(scope, Word.COMMAND), command_id=command_id, action=action))

    # What came back.

    async def until(self, found: Callable[[], Any], *, within_s: float = 20, what: str = "") -> Any:
        """Wait until ``found`` gives something true."""
        try:
            async with asyncio.timeout(within_s), self._news:
                while not (value := found()):
                    await self._news.wait()
                return value
        except TimeoutError:
            said = [(str(one.topic), one.payload[:300]) for one in self.heard[-8:]]
            raise AssertionError(f"waited {within_s} s for {what or found}: {said} {self.events}") from None

    async def until_outcome(self, node_id: str, broadcast_id: str, *, within_s: float = 20) -> PlayEvent:
        """Wait for the outcome of a play."""

        def found() -> PlayEvent | None:
            return next((one for one in self.plays(node_id, broadcast_id) if one.outcome is not None), None)

        event = await self.until(found, within_s=within_s, what=f"outcome of {broadcast_id}")
        assert isinstance(event, PlayEvent)
        return event

    async def until_held(self, node_id: str, document: Signed, *, within_s: float = 20) -> None:
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
        await asyncio.wait_for(self._connected.wait(), 10)
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
            timeout=5,
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
        scope = topics.node(node_id)
        time_at = datetime.now(UTC) + self.clock_offset
        await self.send(TimeAnswer(**self.claims(scope, Word.TIME_ANSWER), nonce=nonce, time_at=time_at))

    async def ack(self, node_id: str, store_id: str, *, send_from_seq: int | None = None) -> None:
        scope, seq = topics.node(node_id), 0
        while seq + 1 in self.events.get(node_id, {}):
            seq += 1
        claims = self.claims(scope, Word.RECEIPTS_ACK)
        await self.send(ReceiptsAck(**claims, store_id=store_id, stored_through_seq=seq, send_from_seq=send_from_seq))


def voice_of(data: bytes, *, language: str = "vi", gain_mb: int = 0) -> Voice:
    """Describe a canonical file."""
    with Decoder(data) as decoder:
        length_ms = decoder.length_ms
    sha256 = hashlib.sha256(data).hexdigest()
    return Voice(language=language, sha256=sha256, bytes=len(data), length_ms=length_ms, gain_mb=gain_mb)


def pcm_of(data: bytes, *, gain_mb: int = 0) -> bytes:
    """Decode a canonical file as a node would."""
    with Decoder(data, gain_db=gain_mb / 100) as decoder:
        return b"".join(decoder.blocks())


def make_opus(seed: int, length_ms: int) -> bytes:
    """Make a canonical file of pink noise: it is like no other part of itself, and like no other seed."""
    source = f"anoisesrc=color=pink:seed={seed}:amplitude=0.5:sample_rate=48000:duration={length_ms / 1000}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-ac", "1", "-c:a", "libopus", "-b:a", "32k"]
    done = subprocess.run([*command, "-f", "ogg", "-fflags", "+bitexact", "-"], capture_output=True, check=True)
    return done.stdout


def broadcast(
    broadcast_id: str,
    start_at: datetime,
    *voices: Voice,
    level: Level = Level.NORMAL,
    scopes: tuple[str, ...] = (f"areas/{AREA}",),
    late: timedelta = timedelta(seconds=10),
    approved: bool = True,
    **fields: Any,
) -> Broadcast:
    """Put together a broadcast with one item for each voice, one after the other."""
    items, offset_ms = [], 0
    for voice in voices:
        items.append(Item(offset_ms=offset_ms, voices=(voice,)))
        offset_ms += voice.length_ms
    latest_end_at = start_at + late + timedelta(milliseconds=offset_ms + 5000)
    approval = Approval(
        approval_id="approval-1",
        content_sha256=content_hash(items),
        scopes=scopes,
        not_before_at=start_at,
        not_after_at=latest_end_at,
    )
    return Broadcast(
        broadcast_id=broadcast_id,
        level=level,
        start_at=start_at,
        latest_start_at=start_at + late,
        latest_end_at=latest_end_at,
        approvals=(approval,) if approved else (),
        items=tuple(items),
        **fields,
    )


def soon(seconds: float) -> datetime:
    """Give an instant from now."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


class VirtualRecording:
    """The WAV of a virtual output and the instants of its frames."""

    HEADER = 44

    def __init__(self, wav: Path, instants: Path) -> None:
        self.pcm = wav.read_bytes()[self.HEADER :]
        lines = instants.read_text().splitlines()
        self._marks = [(mark["frame"], mark["at_ns"]) for mark in map(json.loads, lines)]

    def find(self, sound: bytes) -> list[int]:
        """Give the frames at which exactly this sound begins."""
        found, at = [], self.pcm.find(sound)
        while at >= 0:
            found.append(at // 2)
            at = self.pcm.find(sound, at + 2)
        return found

    def at(self, frame: int) -> datetime:
        """Give the instant at which a frame was consumed."""
        mark, at_ns = max((one for one in self._marks if one[0] <= frame), key=lambda one: one[0])
        ns = at_ns + (frame - mark) * 1_000_000_000 // 48_000
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns / 1000)

    def between(self, begin_at: datetime, end_at: datetime) -> bytes:
        """Give the sound that was consumed between two instants."""
        found, edges = b"", [frame for frame, _ in self._marks[1:]] + [len(self.pcm) // 2]
        for (frame, at_ns), edge in zip(self._marks, edges, strict=True):
            mark_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns / 1000)
            first = frame + max(0, int((begin_at - mark_at).total_seconds() * 48_000))
            last = min(edge, frame + int((end_at - mark_at).total_seconds() * 48_000))
            found += self.pcm[first * 2 : last * 2] if last > first else b""
        return found

    def sounding_frames(self) -> int:
        """Count frames that are not exactly zero."""
        return sum(1 for sample in memoryview(self.pcm).cast("h") if sample)


@contextlib.contextmanager
def agent_process(command: list[str], log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run an agent until the block ends; kills what does not go by itself."""
    with log.open("ab") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words, env={**os.environ, **env})
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextlib.asynccontextmanager
async def running_centre(root: Path) -> AsyncIterator[Centre]:
    """Open a centre for the length of a block."""
    async with Centre(root) as centre:
        yield centre
