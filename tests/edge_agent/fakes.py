"""Stand-ins for unit tests of the agent: stepped clocks, an output that is rendered by hand, a node without a link."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge_agent.clock import NS, Clock, utc_ns
from edge_agent.faults import FaultBook
from edge_agent.inbox import Inbox
from edge_agent.keeper import Keeper
from edge_agent.ledger import Ledger
from edge_agent.outputs.base import Render
from edge_agent.outputs.watch import OutputWatch
from edge_agent.parts import Service
from edge_agent.player import Player
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import Command, Hold, Plan, ReceiptsAck, Settings, Signed, Urgent
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import Outcome
from edge_agent.protocol.topics import Topic
from edge_agent.shelf import Shelf
from edge_agent.stage import Stage
from edge_agent.store import Store
from tests.edge_agent.centre import Keys, Orders

NOON = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
"""12:00 in Vietnam."""
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

    def open(self, render: Render, _on_underrun: Callable[[int], None], _on_lost: Callable[[str], None]) -> None:
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
        self.orders = Orders(self.clock.now)

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
        desk.orders.follow(self.orders)
        return desk

    # Orders.

    def send(self, document: Signed) -> bytes:
        token = self.keys.sign(document)
        self.inbox.take(str(Topic(document.aud, document.word)), token)
        return token

    def settle(self, **fields: Any) -> Settings:
        settings = self.orders.settings(f"nodes/{NODE}", self.keys, **fields)
        self.send(settings)
        return settings

    def rotate_keys(self, *, revoke: bool = False) -> None:
        """Trust new keys and the old no more; ``revoke`` that of dispatch, which others may have."""
        self.former, self.keys = self.keys, Keys()
        both = (*self.former.trusted, *self.keys.trusted)
        settings = self.orders.settings(f"nodes/{NODE}", self.keys, trusted_keys=both)
        self.inbox.take(str(Topic(settings.aud, settings.word)), self.former.sign(settings))
        self.settle(revoked_keys=(self.former.dispatch.kid,) if revoke else ())

    def plan(self, *broadcasts: Broadcast, **changes: Any) -> Plan:
        """Send a plan and bring its body."""
        plan = self.orders.plan(*broadcasts, **changes)
        self.send(plan)
        self.bring_bodies()
        return plan

    def bring_bodies(self) -> None:
        for plan in self.keeper.bodies_wanted():
            packed = self.orders.bodies[plan.body_sha256]
            self.keeper.body_arrived(plan, packed, self.keeper.open_body(plan, packed))

    def urgent(self, *broadcasts: Broadcast, **fields: Any) -> Urgent:
        urgent = self.orders.urgent(*broadcasts, **fields)
        self.send(urgent)
        return urgent

    def hold(self, *active: str, **fields: Any) -> Hold:
        hold = self.orders.hold(*active, **fields)
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
        self.send(self.orders.time(f"nodes/{NODE}", nonce, time_at))

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


@contextlib.asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """Run a service for the length of the block, which begins when it is ready."""
    task = asyncio.create_task(service.run(), name=service.name)
    try:
        await service.ready.wait()
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Any], *, within_s: float = 30) -> None:
    """Let the loop and the worker threads go on until something is true."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.005)
