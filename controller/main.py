"""The composition root: builds everything once, hands it down, and keeps it running in one task group.

When a member dies, all end and the process with them; the supervisor starts it again. Silence must never look like
health. What fails at one row kills no member: see ``failures``.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from audio._tools import network_is_cut
from edge_agent.protocol.reports import Health
from edge_agent.protocol.topics import Word
from web.app import add_pages

from .api import create_app, create_node_app
from .approvals.expiry import EXPIRE, EXPIRE_S
from .areas.zones import ZONES, ZONES_S, ZoneWatch
from .audit.heads import NOTE, NOTE_S
from .broadcasts.late_words import LATE_WORDS, LATE_WORDS_S
from .clock import Clock, system_clock
from .config import Config
from .db import Database
from .events import EventBus
from .faults.keeping import FaultKeeper
from .holds.lasting import REMIND, REMIND_S
from .http_server import HttpServer, bind
from .life import Life
from .life_lock import Lease, StartError, alone
from .migrations.upgrade import upgrade
from .renewals.ends import WATCH, WATCH_S, Ends
from .reserve import DISK, DISK_S, DiskWatch, Reserve
from .retention import Forgetting
from .scheduler import ROLL_SCHEDULES, Scheduler, Work
from .schedules.rolling import ROLL_S
from .services import Services, build_services
from .signing.desk import Desk, OwnDesk
from .signing.holder import KeyHolder
from .signing.remote import RemoteDesk, RemoteKeys, Wire
from .updates.steering import STEER, STEER_S
from .wire.bridge import Bridge
from .wire.broker import Broker
from .wire.clones import Clones
from .wire.commander import Commander
from .wire.dispatcher import Dispatcher
from .wire.ingest import Ingest
from .wire.keys import load_keys
from .wire.laggards import Laggards
from .wire.pki import Authority
from .wire.presence import PresenceWatch
from .wire.revoker import Revoker
from .wire.rotation import LOOK_S, Rotation
from .wire.signer import Signer
from .wire.signer_watch import TAKE_BACK, TAKE_BACK_S, SignerWatch, TakingBack
from .wire.timekeeper import Timekeeper

START_S = 60.0
"""Migrations and the first publishing are over by then even for a province."""

_log = logging.getLogger(__name__)


class Member(Protocol):
    """What runs as long as the centre."""

    @property
    def name(self) -> str:
        """For logs and task names."""

    @property
    def ready(self) -> asyncio.Event:
        """Set once it does its work."""

    async def run(self) -> None:
        """Run until cancelled."""


@dataclass(frozen=True)
class Centre:
    """A running centre."""

    config: Config
    """With the ports that were really taken."""
    services: Services
    authority: Authority
    broker: Broker
    bridge: Bridge
    dispatcher: Dispatcher
    ingest: Ingest
    presence: PresenceWatch
    timekeeper: Timekeeper
    revoker: Revoker

    @property
    def url(self) -> str:
        """Of pages and API."""
        return f"http://{_in_url(self.config.host)}:{self.config.port}"

    @property
    def node_url(self) -> str:
        """Where nodes enrol and fetch."""
        return f"https://{_in_url(self.config.public_name)}:{self.config.media_port}"

    def checks(self) -> dict[str, Callable[[], bool]]:
        """Say, part by part, how to find out whether it does its work."""
        return {
            "broker": lambda: self.broker.pid is not None,
            "bridge": lambda: self.bridge.connected,
            "dispatcher": self.dispatcher.ready.is_set,
        }

    def notes(self) -> dict[str, Callable[[], bool]]:
        """Say how to find out what is worth a look though the centre works."""
        return {
            "documents_built": lambda: not self.dispatcher.unbuilt,
            "work_done": lambda: not self.services.failures.names,
            "recordings_processed": lambda: not self.services.processing.stuck,
            "tools_installed": lambda: self.services.processing.missing_package is None,
            "tools_without_network": network_is_cut,
        }


async def serve(config: Config, ready: Callable[[Centre], None] = lambda _centre: None) -> None:
    """Run the centre until SIGTERM or SIGINT.

    Raises:
        LoaError: it cannot start.
        Exception: what a member died of.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    if not await asyncio.to_thread(network_is_cut):
        _log.warning("the kernel forbids network namespaces: programs that read uploads can reach the network")
    async with running(config) as centre:
        # What stands for as long as the process is not looked through again: STOP would wait a quarter of a second.
        gc.collect()
        gc.freeze()
        ready(centre)
        await stop.wait()
        _log.info("stopping")


@asynccontextmanager
async def running(config: Config, clock: Clock = system_clock) -> AsyncIterator[Centre]:
    """Run a centre for the length of the block; a member that dies ends the block.

    Raises:
        LoaError: it cannot start.
    """
    _make_folders(config)
    with alone(config.state), _ports(config) as ports, _signing(config) as signing:
        bus = EventBus()
        database = Database(config.database, bus)
        lease = Lease(database)
        database.before_write = Reserve(config.state).ease
        try:
            async with lease.held():
                await upgrade(database)
                for file in config.state.glob("loa.db*"):
                    file.chmod(0o600)  # SQLite makes them as the umask has it
                centre, members = _build(ports, database, bus, clock, signing)
                async with _all_running([lease, *members]):
                    yield centre
        finally:
            await database.close()


def _make_folders(config: Config) -> None:
    """Make the folders, and keep everybody else of this machine out: also of those that were there before."""
    config.state.mkdir(parents=True, exist_ok=True)
    for folder in (config.state, config.media, config.uploads, config.scans, config.updates):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)


def _build(
    ports: "_Ports", database: Database, bus: EventBus, clock: Clock, signing: tuple[KeyHolder, Desk, Wire | None]
) -> tuple[Centre, list[Member]]:
    config = ports.config
    keys, desk, apart = signing
    names = (config.public_name, config.node_host, "localhost", "127.0.0.1")
    authority = Authority(
        config.keys, keys, clock, names=tuple(name for name in names if name not in {"0.0.0.0", "::"})
    )
    witness = desk if isinstance(desk, RemoteDesk) else None
    services = build_services(config, database, bus, clock, authority, witness=witness)
    broker, bridge = Broker(config, authority), Bridge(config, authority)
    signer = Signer(config, keys, clock, services.live, desk=desk, alarms=services.alarms)
    dispatcher = Dispatcher(database, bus, clock, signer, bridge)
    commander = Commander(signer, bridge)
    services.node_acts.send, services.steering.send = commander.send, commander.send
    clones, faults = Clones(database, services.alarms), FaultKeeper(database, clock)
    laggards = Laggards(database, bus, dispatcher, on_refused=faults.note_refused)

    def note_health(node_id: str, health: Health) -> None:
        laggards.note_health(node_id, health)
        clones.note_health(node_id, health)
        faults.note_health(node_id, health)
        services.node_health.note_health(node_id, health)

    presence = PresenceWatch(
        database,
        bus,
        clock,
        services.live,
        on_health=note_health,
        on_hello=clones.note_hello,
        on_status=faults.note_status,
    )
    revoker = Revoker(database, bus, clock, broker=broker, bridge=bridge, authority=authority)
    ingest, timekeeper = Ingest(database, clock, signer, bridge, services.failures), Timekeeper(clock, signer, bridge)
    bridge.attach(
        {
            Word.PRESENCE: presence.note_presence,
            Word.HEALTH: presence.note_health,
            Word.RECEIPTS: ingest.note_receipts,
            Word.TIME_ASK: timekeeper.note_ask,
        },
        dispatcher.publish_again,
    )
    centre = Centre(config, services, authority, broker, bridge, dispatcher, ingest, presence, timekeeper, revoker)
    app = create_app(services, ready_checks=centre.checks(), ready_notes=centre.notes())
    add_pages(app, services)
    for_pages = HttpServer("http", app, ports.pages, before_stop=app.state.streams.close)
    tls = (authority.server_chain, authority.server_key)
    for_nodes = HttpServer("https", create_node_app(services), ports.nodes, tls=tls, clients=authority.ca_file)

    async def renew_certificates() -> None:
        if authority.renew():
            for_nodes.renew_certificate()
            broker.renew_certificate()

    of_the_signer: list[Member] = []
    taking_back: dict[str, tuple[Work, int]] = {}
    if apart is not None and isinstance(desk, RemoteDesk):
        of_the_signer = [SignerWatch(apart, database, bus, services.alarms)]
        taking_back = {TAKE_BACK: (TakingBack(database, clock, desk).look, TAKE_BACK_S)}
    scheduler = Scheduler(
        database,
        bus,
        clock,
        renew_plans=dispatcher.renew,
        renew_certificates=renew_certificates,
        forget=Forgetting(database, clock, services.live, config.evidence_days).forget,
        failures=services.failures,
        more={
            ROLL_SCHEDULES: (services.schedules.roll_due, ROLL_S),
            EXPIRE: (services.approvals.expire, EXPIRE_S),
            LATE_WORDS: (services.late_words.take_out, LATE_WORDS_S),
            REMIND: (services.lasting_holds.remind, REMIND_S),
            NOTE: (services.audit.note_head, NOTE_S),
            "keys": (Rotation(database, clock, keys, services.live, services.alarms).look, LOOK_S),
            STEER: (services.steering.look, STEER_S),
            DISK: (DiskWatch(database, clock, services.alarms, Reserve(config.state)).look, DISK_S),
            ZONES: (ZoneWatch(database, services.alarms).look, ZONES_S),
            WATCH: (Ends(database, clock, services.alarms, authority.ends).look, WATCH_S),
            **taking_back,
        },
    )
    # It reads whom the broker is not to let in before the broker lets anybody in.
    members: list[Member] = [revoker, broker, bridge, *of_the_signer, dispatcher, laggards, clones, faults, presence]
    others: list[Member] = [
        services.node_health,
        ingest,
        services.processing,
        services.firing,
        scheduler,
        for_pages,
        for_nodes,
    ]
    return centre, [*members, *others, Life(database)]


@contextlib.contextmanager
def _signing(config: Config) -> Iterator[tuple[KeyHolder, Desk, Wire | None]]:
    """Give the keys and where it is signed: here, or apart, and then the way there."""
    if config.signer is None:
        keys = load_keys(config.keys)
        yield keys, OwnDesk(keys), None
        return
    wire = Wire(config.signer)
    try:
        yield RemoteKeys(wire), RemoteDesk(wire), wire
    finally:
        wire.close()


@asynccontextmanager
async def _all_running(members: list[Member]) -> AsyncIterator[None]:
    """Run the members for the length of the block; they start one after the other and end in reverse order."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []
            try:
                for member in members:
                    tasks.append(group.create_task(_run(member), name=member.name))
                    await _become_ready(member)
                yield
            finally:
                for task in reversed(tasks):
                    task.cancel()
                    await asyncio.wait([task])
    except BaseExceptionGroup as group_of_errors:
        # One error is the usual case, and whoever started us wants to read that and not its wrapping.
        raise _alone_in(group_of_errors) from None


def _alone_in(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _become_ready(member: Member) -> None:
    try:
        async with asyncio.timeout(START_S):
            await member.ready.wait()
    except TimeoutError:
        raise StartError(f"{member.name} is not ready after {START_S:.0f} s") from None


async def _run(member: Member) -> None:
    await member.run()
    raise StartError(f"{member.name} ended by itself")


@dataclass(frozen=True)
class _Ports:
    """Sockets for pages and for nodes, and the settings with the ports that were really taken."""

    config: Config
    pages: socket.socket
    nodes: socket.socket


@contextlib.contextmanager
def _ports(config: Config) -> Iterator[_Ports]:
    with (
        bind(config.host, config.port, setting="LOA_PORT", host_setting="LOA_HOST") as pages,
        bind(config.node_host, config.media_port, setting="LOA_MEDIA_PORT", host_setting="LOA_NODE_HOST") as nodes,
        _broker_port(config) as broker_port,
    ):
        taken = {"port": pages.getsockname()[1], "media_port": nodes.getsockname()[1], "broker_port": broker_port}
        yield _Ports(config.model_copy(update=taken), pages, nodes)


@contextlib.contextmanager
def _broker_port(config: Config) -> Iterator[int]:
    """Give the broker's port; one that was left to the system is held, so that nobody else is given it meanwhile.

    Mosquitto may listen there all the same: it says, as we do, that the port may be taken twice, and we do not listen.
    """
    if config.broker_port:
        yield config.broker_port
        return
    with bind(config.node_host, 0, setting="LOA_BROKER_PORT", host_setting="LOA_NODE_HOST") as held:
        yield int(held.getsockname()[1])


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
