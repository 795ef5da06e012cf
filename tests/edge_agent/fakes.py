"""Stand-ins for unit tests of the agent: stepped clocks, an output that is rendered by hand, a node without a link."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.clock import NS, Clock, utc_ns
from edge_agent.faults import FaultBook
from edge_agent.inbox import Inbox
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger
from edge_agent.outputs.base import Render
from edge_agent.outputs.watch import OutputWatch
from edge_agent.player import Player
from edge_agent.protocol.content import Broadcast, PlanBody, pack_body
from edge_agent.protocol.documents import (
    Command,
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
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import KeyUse, Outcome
from edge_agent.protocol.topics import Topic
from edge_agent.shelf import Shelf
from edge_agent.stage import Stage
from edge_agent.store import Store

NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
"""12:00 in Vietnam."""
AREA = "areas/thon-1"
NODE = "node-1"


class SteppedInstruments:
    """Clocks that move when told."""

    def __init__(self, at: datetime = NOON) -> None:
        self._wall_ns = utc_ns(at)
        self._boot_ns = 1000 * NS
        self.boot_id = "boot-1"
        self.synchronised = False

    def wall_ns(self) -> int:
        return self._wall_ns

    def boottime_ns(self) -> int:
        return self._boot_ns

    def monotonic_ns(self) -> int:
        return self._boot_ns

    def kernel_synchronised(self) -> bool:
        return self.synchronised

    def pass_(self, **time: float) -> None:
        """Let time go by."""
        ns = round(timedelta(**time).total_seconds() * NS)
        self._wall_ns += ns
        self._boot_ns += ns

    def step(self, **time: float) -> None:
        """Set the wall clock to another time."""
        self._wall_ns += round(timedelta(**time).total_seconds() * NS)

    def reboot(self, boot_id: str = "boot-2") -> None:
        self.boot_id, self._boot_ns = boot_id, NS


class HandOutput:
    """An output whose frames a test asks for; strict about the order of calls."""

    kind: Literal["card", "virtual"] = "virtual"
    simulated = True

    def __init__(self, instruments: SteppedInstruments) -> None:
        self._instruments = instruments
        self._render: Render | None = None
        self.pcm = bytearray()
        self.begun_ns = 0

    def open(self, render: Render, _on_underrun: Callable[[], None], _on_lost: Callable[[str], None]) -> None:
        assert self._render is None, "an output is opened once"
        self._render = render
        self.begun_ns = self._instruments.monotonic_ns()

    def close(self) -> None:
        assert self._render is not None, "an output that is not open is closed"
        self._render = None

    def consume(self, ms: int) -> bytes:
        """Take so many milliseconds of sound, as they pass."""
        assert self._render is not None, "an output that is not open is asked for sound"
        taken = b""
        for _ in range(ms // 10):
            buffer = bytearray(480 * 2)
            self._render(memoryview(buffer), self._instruments.monotonic_ns())
            self.pcm += buffer
            taken += buffer
            self._instruments.pass_(milliseconds=10)
        return taken


class OpenOutput(OutputWatch):
    """An output that is there or not, as a test says."""

    def __init__(self) -> None:
        self.available = True
        self.on_change = lambda: None


class Keys:
    """The centre's keys."""

    def __init__(self) -> None:
        self.dispatch = SigningKey(Ed25519PrivateKey.generate())
        self.policy = SigningKey(Ed25519PrivateKey.generate())

    @property
    def trusted(self) -> tuple[Any, ...]:
        return self.dispatch.trusted_as(KeyUse.DISPATCH), self.policy.trusted_as(KeyUse.POLICY)


class Desk:
    """A node's orders and memory, fed by hand: inbox, keeper, ledger, player and stage over a real store."""

    def __init__(
        self, root: Path, instruments: SteppedInstruments | None = None, *, keys: Keys | None = None, trust: bool = True
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.keys = root, keys or Keys()
        self.instruments = instruments or SteppedInstruments()
        if trust:
            self.instruments.synchronised = True
        self.store = Store.open(root / "agent.db")
        self.faults = FaultBook(lambda: self.clock.now())  # noqa: PLW0108 - the clock comes next
        self.clock = Clock(self.instruments, self.faults)
        self.shelf = Shelf(root / "media", reserve_bytes=0)
        self.ledger = Ledger(self.store)
        self.keeper = Keeper(
            NODE,
            self.store,
            self.shelf,
            first_keys=self.keys.trusted,
            begun=self.ledger.begun,
            now=self.clock.surely,
        )
        self.acks: list[ReceiptsAck] = []
        self.commands: list[Command] = []
        self.inbox = Inbox(
            self.keeper, self.clock, self.faults, on_ack=self.acks.append, on_command=self.commands.append
        )
        self.stage = Stage(self.clock, self.store, self.ledger, self.shelf, simulated=True)
        self.output = OpenOutput()
        self.player = Player(
            clock=self.clock,
            store=self.store,
            ledger=self.ledger,
            keeper=self.keeper,
            shelf=self.shelf,
            stage=self.stage,
            output=self.output,
        )
        self.keeper.on_change = self._orders
        self.keeper.on_hold = self.player.silence
        self.inbox.on_time = self.player.changed
        self.former = self.keys
        """Keys before the last rotation."""
        self.bodies: dict[str, bytes] = {}
        self._versions: dict[tuple[str, str], int] = {}

    def _orders(self) -> None:
        self.player.note_orders()
        self.player.changed()

    def close(self) -> None:
        self.store.close()

    def again(self, *, reboot: bool = False) -> "Desk":
        """Start anew with the same store, as after ``kill -9``."""
        self.close()
        if reboot:
            self.instruments.reboot()
        desk = Desk(self.root, self.instruments, keys=self.keys, trust=False)
        desk.bodies, desk._versions = self.bodies, self._versions
        return desk

    # Orders.

    def claims(self, document: type[Signed], scope: str, **changes: Any) -> dict[str, Any]:
        key = (scope, document.word.value)
        self._versions[key] = self._versions.get(key, 0) + 1
        now_s = int(self.clock.now().timestamp())
        claims = {"aud": scope, "epoch": 1, "version": self._versions[key]}
        return {**claims, "iat": now_s, "nbf": now_s - 60, "exp": now_s + 86_400, **changes}

    def sign(self, document: Signed) -> bytes:
        return (self.keys.policy if document.key_use is KeyUse.POLICY else self.keys.dispatch).sign(document)

    def send(self, document: Signed) -> bytes:
        token = self.sign(document)
        self.inbox.take(str(Topic(document.aud, document.word)), token)
        return token

    def settle(self, **fields: Any) -> Settings:
        members = fields.pop("areas", (Membership(area_id="thon-1"),))
        changes = fields.pop("claims", {})
        claims = self.claims(Settings, f"nodes/{NODE}", **changes)
        settings = Settings(**claims, areas=members, trusted_keys=fields.pop("keys", self.keys.trusted), **fields)
        self.send(settings)
        return settings

    def rotate_keys(self, *, revoke: bool = False) -> None:
        """Trust new keys and the old no more; ``revoke`` those of dispatch, which others may have."""
        old, self.keys = self.keys, Keys()
        self.former = old
        both = (*old.trusted, *self.keys.trusted)
        claims = self.claims(Settings, f"nodes/{NODE}")
        areas = (Membership(area_id="thon-1"),)
        settings = Settings(**claims, areas=areas, trusted_keys=both)
        self.inbox.take(str(Topic(settings.aud, settings.word)), old.policy.sign(settings))
        self.settle(revoked_keys=(old.dispatch.kid,) if revoke else ())

    def make_plan(self, *broadcasts: Broadcast, scope: str = AREA, **changes: Any) -> Plan:
        body = pack_body(PlanBody(scope=scope, broadcasts=broadcasts))
        self.bodies[body.sha256] = body.packed
        lease = changes.pop("lease", timedelta(days=3))
        return Plan(
            **self.claims(Plan, scope, **changes),
            covers_until=self.clock.now() + timedelta(days=7),
            lease_until=self.clock.now() + lease,
            body_sha256=body.sha256,
            body_bytes=len(body.packed),
        )

    def plan(self, *broadcasts: Broadcast, scope: str = AREA, **changes: Any) -> Plan:
        """Send a plan and bring its body."""
        plan = self.make_plan(*broadcasts, scope=scope, **changes)
        self.send(plan)
        self.bring_bodies()
        return plan

    def bring_bodies(self) -> None:
        for plan in self.keeper.bodies_wanted():
            packed = self.bodies[plan.body_sha256]
            self.keeper.body_arrived(plan, packed, self.keeper.open_body(plan, packed))

    def urgent(self, *broadcasts: Broadcast, scope: str = AREA, stops: tuple[str, ...] = (), **fields: Any) -> Urgent:
        changes = fields.pop("claims", {})
        now = self.clock.now()
        urgent = Urgent(
            **self.claims(Urgent, scope, **changes),
            broadcasts=broadcasts,
            stops=tuple(Stop(broadcast_id=name, stopped_at=now) for name in stops),
            **fields,
        )
        self.send(urgent)
        return urgent

    def hold(self, *active: str, released: tuple[str, ...] = (), scope: str = AREA, **changes: Any) -> Hold:
        now = self.clock.now()
        orders = tuple(HoldOrder(hold_id=name, ordered_at=now) for name in active)
        hold = Hold(**self.claims(Hold, scope, **changes), active=orders, released=released)
        self.send(hold)
        return hold

    def answer_time(self, *, off_ms: float = 0, rtt_ms: float = 20) -> None:
        """Ask the time and answer it, as if the centre's clock were ahead by ``off_ms``."""
        nonce = self.clock.ask()
        half = timedelta(milliseconds=rtt_ms / 2)
        self.instruments.pass_(milliseconds=rtt_ms / 2)
        wall_at = datetime.fromtimestamp(self.instruments.wall_ns() / NS, UTC)
        time_at = wall_at + timedelta(milliseconds=off_ms)
        self.instruments.pass_(milliseconds=half / timedelta(milliseconds=1))
        self.send(TimeAnswer(**self.claims(TimeAnswer, f"nodes/{NODE}"), nonce=nonce, time_at=time_at))

    # What was said.

    def events(self, broadcast_id: str | None = None) -> list[PlayEvent]:
        rows = self.store.rows("SELECT event FROM events ORDER BY seq")
        found = [msgspec.json.decode(blob, type=PlayEvent) for (blob,) in rows]
        return [one for one in found if broadcast_id in {None, one.broadcast_id}]

    def outcomes(self) -> dict[str, tuple[Outcome, str | None]]:
        return {
            one.broadcast_id: (one.outcome, one.reason.value if one.reason else None)
            for one in self.events()
            if one.outcome is not None
        }


async def until(condition: Callable[[], Any], *, within_s: float = 10) -> None:
    """Let the loop and the worker threads go on until something is true."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.005)
