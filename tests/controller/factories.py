"""A centre for tests: real services on a real database, a clock that is stepped, nothing listening."""

import asyncio
import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import msgspec
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import create_engine, event

from audio.prepare import Settings
from controller.api import create_app
from controller.areas.schemas import AreaOut
from controller.config import Config
from controller.db import Database
from controller.events import Event, EventBus
from controller.http.pace import Pace, Rate, Rates
from controller.http.routes import ReadyCheck
from controller.http.stream import OpenStreams
from controller.ids import new_id
from controller.nodes.live import Heard
from controller.nodes.schemas import NodeOut
from controller.people.actor import Actor
from controller.people.models import Person, Session
from controller.people.passwords import Passwords
from controller.people.proof import Witness
from controller.people.repository import hash_of
from controller.people.schemas import PersonOut
from controller.recordings.models import Recording
from controller.recordings.processing import Processing
from controller.recordings.service import Recordings
from controller.recordings.states import RecordingState
from controller.recordings.uploads import UploadLimits, UploadRoom
from controller.services import Services, build_services
from controller.tables import Base
from controller.wire.keys import SEAL_FILE, load_keys, secret_key
from controller.wire.pki import Authority
from edge_agent.protocol.documents import TrustedKey
from edge_agent.protocol.enrolment import EnrolmentRequest, claim_hash, new_claim_code
from edge_agent.protocol.reports import Abilities, PlayEvent
from edge_agent.protocol.states import Grade
from tests.controller import kept
from tests.controller.descriptions import Described

MORNING = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
"""Monday 9 March 2026, 09:00 in Hanoi: not in quiet hours."""

UNHURRIED = Rates(*(Rate(1_000_000, 1_000_000),) * 4)
"""Tests ask faster than any person; how often one may is tried in tests/hostile/test_web_rates.py."""

PASSWORD = "đồng bằng sông Hồng"
ADDRESS = "192.0.2.7"
"""TEST-NET-1 (RFC 5737)."""


SYSTEM = Actor(None, "tests")
"""Sees everything and may everything."""


@dataclass
class SteppedClock:
    """Stands still until it is stepped."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        return self.now

    def step(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Centre:
    """Everything a test may want to touch."""

    services: Services
    clock: SteppedClock
    database: Database
    bus: EventBus
    person: PersonOut
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    """Private keys of the nodes, by node id."""
    as_it_began: bool = False
    """Nothing was written since it was opened, with the administrator alone."""

    @property
    def actor(self) -> Actor:
        return Actor(self.person.id, ADDRESS)

    @property
    def trusted_keys(self) -> tuple[TrustedKey, ...]:
        """What its nodes trust."""
        return self.services.emergencies._trusted_keys

    async def area(self, name: str = "Thôn Đông", parent: AreaOut | None = None, **given: Any) -> AreaOut:
        return await self.services.areas.create(self.actor, name=name, parent_id=parent.id if parent else None, **given)

    async def node(self, area: AreaOut, name: str = "Cụm 1", *, online: bool = True) -> NodeOut:
        """A node that was adopted and, if it is online, said hello."""
        code, key = new_claim_code(), Ed25519PrivateKey.generate()
        await self.services.enrolments.ask(enrolment_request(code, key), ADDRESS)
        node = await self.services.enrolments.adopt(self.actor, claim_code=code, area_id=area.id, name=name)
        self.keys[node.id] = key
        if online:
            self.hears(node.id)
        return await self.services.nodes.get(self.actor, node.id)

    def hears(self, node_id: str, **health: Any) -> None:
        """The node said something just now."""
        at = self.clock()
        said: Mapping[str, Any] = {"clock": {"state": "trusted"}, **health}
        self.services.live.note(node_id, presence="online", presence_at=at, last_heard_at=at, health=said)

    async def recording(self, title: str = "Thông báo", *, length_ms: int = 24_000, **given: Any) -> str:
        """A recording that was processed; gives its id. Its file is not there."""
        row = Recording(
            id=new_id(),
            title=title,
            file_name="thong-bao.mp3",
            language="vi",
            state=RecordingState.READY,
            source_sha256=new_id() * 2,
            source_bytes=1000,
            sha256=new_id() * 2,
            bytes=length_ms * 4,
            length_ms=length_ms,
            warnings=[],
            waveform=[0, 255],
            uploaded_by=self.person.id,
            created_at=self.clock(),
        )
        for name, value in given.items():
            setattr(row, name, value)
        async with self.database.transaction() as tx:
            tx.session.add(row)
        return row.id

    def processing(self, **given: Any) -> Processing:
        """The loop that processes this centre's recordings as a next life of it would open it."""
        media = self.services.config.media
        return Processing(self.database, self.clock, self.bus, self._room(), media=media, settings=Settings(), **given)

    def recordings(self, processing: Processing) -> Recordings:
        """The recordings of this centre, processed by another loop."""
        return Recordings(self.database, self.clock, self._room(), processing)

    def _room(self) -> UploadRoom:
        config = self.services.config
        return UploadRoom(config.uploads, UploadLimits(config.max_upload_bytes, 0))

    async def somebody(self, login: str, role: str, area: AreaOut | None = None, *, name: str = "") -> PersonOut:
        """A person with a role in an area; without, everywhere. Without a name, they are called as they sign in."""
        area_id = area.id if area else None
        add = self.services.people.add
        return await add(SYSTEM, login=login, name=name or login, password=PASSWORD, role=role, area_id=area_id)

    async def session_of(self, person: PersonOut) -> str:
        """The token of a session that showed its second factor, whether the person has one or not."""
        token, now = new_id(), self.clock()
        row = Session(
            token_sha256=hash_of(token),
            id=new_id(),
            person_id=person.id,
            created_at=now,
            expires_at=now + timedelta(hours=12),
            second_factor_at=now,
            origin=ADDRESS,
        )
        async with self.database.transaction() as tx:
            tx.session.add(row)
        return token

    @asynccontextmanager
    async def client(
        self,
        *,
        signed_in: bool = True,
        who: PersonOut | None = None,
        raise_app_exceptions: bool = True,
        ready_checks: Mapping[str, ReadyCheck] | None = None,
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the API as a script uses it, with a bearer token: of the administrator, or of ``who``."""
        headers = {}
        if who is not None:
            headers["Authorization"] = f"Bearer {await self.session_of(who)}"
        elif signed_in:
            opened = await self.services.people.sign_in(login="lan", password=PASSWORD, origin=ADDRESS)
            headers["Authorization"] = f"Bearer {opened.token}"
        app = api(self.services) if ready_checks is None else create_app(self.services, ready_checks=ready_checks)
        transport = httpx.ASGITransport(app, raise_app_exceptions=raise_app_exceptions, client=(ADDRESS, 50_000))
        hooks = {"response": [Described(app).check]}  # whatever a test provokes has to stand in the description
        async with httpx.AsyncClient(
            transport=transport, base_url="https://loa.test", headers=headers, event_hooks=hooks
        ) as client:
            yield client


class _Statements(dict[Any, Any]):
    """Statements that SQLAlchemy has compiled, by kind of database: each test opens one anew, and they are the same."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._of_kind(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self._of_kind(key), value)

    @staticmethod
    def _of_kind(key: Any) -> Any:
        dialect, *rest = key
        return (dialect.name, *rest)


_STATEMENTS = _Statements()


@asynccontextmanager
async def centre(
    folder: Path,
    *,
    url: str | None = None,
    limits: UploadLimits | None = None,
    known: PersonOut | None = None,
    witness: Witness | None = None,
) -> AsyncIterator[Centre]:
    """Open a centre with one administrator; its tables are made unless ``url`` names a database that has them.

    With ``known``, the database lies in the folder already and knows that administrator. With ``witness``, the signer
    stands apart.
    """
    clock, bus = SteppedClock(), EventBus()
    if known is None:
        shutil.copytree(_first_state(), folder, dirs_exist_ok=True)
    config = _config(folder).model_copy(update={"signer": folder / "signer.sock" if witness else None})
    database = Database(url or config.database, bus)
    database.engine = database.engine.execution_options(compiled_cache=_STATEMENTS)
    authority = _authority(config, clock)
    services = build_services(
        config, database, bus, clock, authority, passwords=quick_passwords(), upload_limits=limits, witness=witness
    )
    if known is not None:
        await _give_years(database, known)
    person = known or await _administrator(services, database)
    made = Centre(services, clock, database, bus, person, as_it_began=known is None and witness is None)
    event.listen(database.engine.sync_engine, "commit", lambda _: setattr(made, "as_it_began", False))
    try:
        yield made
    finally:
        await database.close()
        assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # every pool that we use has it


@dataclass
class _Kept:
    """A place that was made once."""

    rows: kept.Rows
    place: Any
    here: Centre | None = None
    """Where: what it refers to as ``here``."""
    now: datetime = MORNING
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


_KEPT: dict[tuple[str, str], _Kept] = {}
"""By kind of database and name: of each kind, a process has one at a time."""


async def _administrator(services: Services, database: Database) -> PersonOut:
    """Have an administrator in a database that is empty otherwise."""
    kind = database.engine.dialect.name
    if known := _KEPT.get((kind, "administrator")):
        await kept.put_back(database.engine, known.rows)
        return cast("PersonOut", deepcopy(known.place))
    if kind == "postgresql":
        await kept.put_back(database.engine, kept.Rows())
    person = await services.people.add(SYSTEM, login="lan", name="Nguyễn Thị Lan", password=PASSWORD)
    await _give_years(database, person)
    _KEPT[kind, "administrator"] = _Kept(await kept.keep(database.engine, "administrator"), deepcopy(person))
    return person


async def _give_years(database: Database, person: PersonOut) -> None:
    """Most tests are not about second factors, and some jump by years."""
    async with database.transaction() as tx:
        (await tx.session.get_one(Person, person.id)).grace_until = MORNING + timedelta(days=36_525)


_Make = TypeVar("_Make", bound=Callable[..., Awaitable[Any]])


def made_once(make: _Make) -> _Make:
    """Mark what makes a place that many tests begin with: in a centre as it began, what was made once is put back.

    What it makes are rows, nodes and what they said: no files, and nothing that a service remembers but by its events.
    It is really made for whoever asks with more than plain values, at another hour, or after something else.
    """

    @wraps(make)
    async def place(here: Centre, *args: Any, **given: Any) -> Any:
        asked = repr((args, given))
        if not here.as_it_began or here.clock() != MORNING or not _plain([*args, *given.values()]):
            return await make(here, *args, **given)
        key = here.database.engine.dialect.name, f"{make.__module__}.{make.__qualname__} {asked}"
        if key in _KEPT:
            return await _put_back(here, _KEPT[key])
        events: list[Event] = []
        here.bus.note_in(events.append)
        made = await make(here, *args, **given)
        heard = {node_id: here.services.live.heard(node_id) for node_id in here.keys}
        rows, same = await kept.keep(here.database.engine, f"kept {len(_KEPT)}"), deepcopy(made, {id(here): here})
        _KEPT[key] = _Kept(rows, same, here, here.clock(), dict(here.keys), heard, list(events))
        return made

    return cast("_Make", place)


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_plain(each) for each in value)
    if isinstance(value, dict):
        return _plain([*value, *value.values()])
    return type(value) in {str, int, float, bool, type(None)}


async def _put_back(here: Centre, known: _Kept) -> Any:
    await kept.put_back(here.database.engine, known.rows)
    here.as_it_began, here.clock.now = False, known.now
    here.keys.update(known.keys)
    for node_id, said in known.heard.items():
        here.services.live.note(node_id, **vars(said))
    for happened in known.events:
        here.bus.publish(happened)
    return deepcopy(known.place, {id(known.here): here})


def _config(folder: Path) -> Config:
    environment = tuple(sorted((key, value) for key, value in os.environ.items() if key.upper().startswith("LOA_")))
    return _settings(environment).model_copy(update={"state": folder})


@cache
def _settings(_environment: tuple[tuple[str, str], ...]) -> Config:
    """Read once: pydantic looks for every field in every place that could set it."""
    return Config(disk_reserve_bytes=0, broker_port=28_883, media_port=28_443)


def _authority(config: Config, clock: SteppedClock) -> Authority:
    return Authority(config.keys, load_keys(config.keys), clock, names=("localhost",))


@cache
def _first_state() -> Path:
    """A state with keys and all tables, made once: making them takes longer than most tests."""
    folder = Path(tempfile.mkdtemp(prefix="loa-first-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = _config(folder)
    _authority(config, SteppedClock())
    secret_key(config.keys / SEAL_FILE)
    engine = create_engine(f"sqlite:///{folder / 'loa.db'}")
    Base.metadata.create_all(engine)
    engine.dispose()
    return folder


_made: list[FastAPI] = []


def api(services: Services) -> FastAPI:
    """The API over these services. Made once and handed on from test to test: making it takes longer than most."""
    if not _made:
        _made.append(create_app(services))
    _made[0].state.services, _made[0].state.streams, _made[0].state.pace = services, OpenStreams(), Pace(UNHURRIED)
    return _made[0]


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def served(here: Centre) -> AsyncIterator[int]:
    """The API behind a real server; gives its port."""
    app = api(here.services)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            await server.listening.wait()
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        app.state.streams.close()
        server.should_exit = True
        await task


def quick_passwords() -> Passwords:
    """Argon2id with the least work: what is tested is not how long it takes."""
    return Passwords(PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)))


def enrolment_request(code: str, key: Ed25519PrivateKey | None = None, *, name: str = "whatever") -> EnrolmentRequest:
    """What a new node sends."""
    return EnrolmentRequest(
        csr_pem=csr(key or Ed25519PrivateKey.generate(), name), claim_sha256=claim_hash(code), abilities=abilities()
    )


def csr(key: Any, name: str = "whatever") -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, None).public_bytes(Encoding.PEM).decode()


def abilities() -> Abilities:
    return Abilities(software="loa-agent 0.1.0", output="virtual", best_grade=Grade.E1)


def as_json(message: msgspec.Struct) -> Any:
    return msgspec.to_builtins(message)


def play_event(broadcast_id: str, seq: int, at: datetime, **said: Any) -> PlayEvent:
    return PlayEvent(seq=seq, at=at, broadcast_id=broadcast_id, **said)
