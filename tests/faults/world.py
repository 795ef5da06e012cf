"""One node in a world that a test moves by hand: a whole agent, real store, files and decoders, but time is stepped.

The agent is the real one, wired by itself; what it would do by threads and sockets (its link, its fetcher, its output)
is done here at instants of the world. The network loses, doubles and delays; power goes; clocks jump; files rot.
Everything that happens is noted as facts for the checker.
"""

import asyncio
import contextlib
import heapq
import itertools
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent import failpoints
from edge_agent.agent import Agent
from edge_agent.clock import NS
from edge_agent.config import Options, StateDir
from edge_agent.faults import Fault
from edge_agent.outputs.base import Render
from edge_agent.player import LEAD
from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.documents import ReceiptsAck, Signed
from edge_agent.protocol.enrolment import Adoption
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import ClockState, Level, PlayState
from edge_agent.protocol.topics import Topic, Word
from edge_agent.renderer import End
from edge_agent.store import Store
from tests.edge_agent.centre import SCOPE, Keys, Orders, broadcast
from tests.edge_agent.fakes import NOON, SteppedInstruments
from tests.faults.history import Approved, History, NodeTruth, Order, Silence, Size, Span, Told, Wrong
from tests.faults.truth import Recording, Stretch, pool, sounded

NODE = "node-1"
SELF = f"nodes/{NODE}"
ELSEWHERE = "areas/thon-9"
"""Of a commune that is no concern of this node."""
BLOCK_MS = 20
STRIDE = timedelta(seconds=45)
"""Longest step while nothing sounds: what must be noticed within 100 s is looked at twice."""
NTP = timedelta(seconds=20)
"""After the link is back, a clock that is wrong is set right within this."""
ASK_EVERY = timedelta(minutes=30)
TIDY_EVERY = timedelta(minutes=10)
_BLOCK = BLOCK_MS * 48 * 2


class CrashedError(BaseException):
    """The process dies here and now; nobody catches it."""


class Ticking(SteppedInstruments):
    """Stepped clocks, a monotonic one that stands still while the machine sleeps, and true time."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.true_at = at
        self._asleep_ns = 0

    def pass_(self, **time: float) -> None:
        super().pass_(**time)
        self.true_at += timedelta(**time)

    def sleep(self, time: timedelta) -> None:
        self.pass_(seconds=time.total_seconds())
        self._asleep_ns += round(time.total_seconds() * NS)

    def monotonic_ns(self) -> int:
        return self._boot_ns - self._asleep_ns

    def reboot(self, boot_id: str = "boot-2") -> None:
        super().reboot(boot_id)
        self._asleep_ns = 0

    def error(self) -> timedelta:
        """How far the wall clock is off."""
        return datetime.fromtimestamp(self._wall_ns / NS, UTC) - self.true_at


class Speaker:
    """The output's ground truth: asks for every frame, and keeps what was not silent."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []
        self._goes_on = False

    def take(self, render: Render, at: datetime, at_ns: int) -> None:
        """Let one block pass."""
        block = bytearray(_BLOCK)
        render(memoryview(block), at_ns)
        if any(block):
            if not self._goes_on:
                self.stretches.append(Stretch(at, bytearray()))
            self.stretches[-1].pcm += block
        self._goes_on = any(block)


class Switch:
    """Something that is true for a while, again and again."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans
        self._since_at: datetime | None = None

    def turn(self, at: datetime, *, on: bool) -> None:
        if on and self._since_at is None:
            self._since_at = at
        elif not on and self._since_at is not None:
            self._spans.append(Span(self._since_at, at))
            self._since_at = None


class World:
    """See the module."""

    def __init__(self, folder: Path, *, base: datetime = NOON, seed: int = 0, **settings: Any) -> None:
        self.rng = random.Random(seed)
        self.instruments = Ticking(base)
        self.instruments.synchronised = True
        self.keys, self.orders = Keys(), Orders(self.now)
        self.truth = NodeTruth(frozenset({SELF, SCOPE}))
        self.history = History({NODE: self.truth})
        self.folder = folder
        _make_state(folder, self.keys)
        self.agent: Agent | None = None
        self.speaker = Speaker()
        self.link = True
        self.retained: dict[str, bytes] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.planned: dict[str, Broadcast] = {}
        self.urgent: dict[str, Broadcast] = {}
        self.stops: tuple[str, ...] = ()
        self.active: tuple[str, ...] = ()
        self.released: tuple[str, ...] = ()
        self.boots = itertools.count(2)
        self.sees_files = True
        self._stale, self._looked_at = True, base
        """Whether something has changed for the network's side of the node, and when that was looked at last."""
        self._free = iter(pool())
        self._recordings = {one.voice.sha256: one for one in pool()}
        self._agenda: list[tuple[datetime, int, Callable[[], Any]]] = []
        self._turns = itertools.count()
        self._ntp_at: datetime | None = None
        self._asked_at = self._tidied_at = base - timedelta(days=1)
        self._stored: dict[str, int] = {}
        self._obeyed: dict[str, datetime] = {}
        self._wrong: dict[str, Any] | None = None
        self._up, self._clock = Switch(self.truth.up), Switch(self.truth.clock_good)
        self._reachable = Switch(self.truth.reachable)
        self._settings = settings
        self.settle()
        self.send_plan()
        self.send_urgent()
        self.send_hold()

    def now(self) -> datetime:
        """Give true time."""
        return self.instruments.true_at

    def at(self, at: datetime, act: Callable[[], Any]) -> None:
        """Let something happen at an instant; what it returns is awaited if it can be."""
        heapq.heappush(self._agenda, (at, next(self._turns), act))

    def after(self, seconds: float, act: Callable[[], Any]) -> None:
        """Let something happen in some seconds."""
        self.at(self.now() + timedelta(seconds=seconds), act)

    # The centre.

    def settle(self, **changes: Any) -> None:
        """Say the node's settings."""
        self._settings.update(changes)
        self.send(self.orders.settings(SELF, self.keys, **self._settings))

    def recording(self) -> Recording:
        """Give a recording that nothing else has."""
        return next(self._free)

    def forget_day(self) -> None:
        """Give the recordings out anew, and keep nothing of what was said and heard: that would be our own growth."""
        self._free = iter(pool())
        self.speaker.stretches.clear()
        self.sent.clear()
        self.planned = {name: one for name, one in self.planned.items() if one.latest_end_at > self.now()}

    def order(
        self,
        name: str,
        start_at: datetime,
        *,
        items: int = 1,
        late_s: float = 30,
        level: Level = Level.NORMAL,
        approved: bool = True,
        send: bool = True,
        **fields: Any,
    ) -> Broadcast:
        """Order a broadcast, by the plan or, when it is an emergency, as urgent."""
        recordings = [self.recording() for _ in range(items)]
        voices = [one.voice for one in recordings]
        late = timedelta(seconds=late_s)
        made = broadcast(name, start_at, *voices, level=level, late=late, approved=approved, **fields)
        names = tuple(voice.sha256 for voice in voices)
        window = Span(made.start_at, made.latest_end_at)
        self.history.orders.append(
            Order(
                broadcast_id=name,
                recordings=names,
                length=timedelta(milliseconds=made.length_ms),
                level=level,
                start_at=made.start_at,
                latest_start_at=made.latest_start_at,
                latest_end_at=made.latest_end_at,
                scopes=frozenset({SCOPE}),
                approvals=(Approved(frozenset(names), frozenset({SCOPE}), window),) if approved else (),
                run=made.run_id,
                told_at=self.now(),
            )
        )
        if level is Level.EMERGENCY:
            self.urgent[name] = made
        else:
            self.planned[name] = made
        if send:
            self.send_urgent() if level is Level.EMERGENCY else self.send_plan()
        return made

    def stranger_broadcast(self) -> Broadcast:
        """Give what nobody here has ordered, and what would sound at once."""
        start_at = self.now() + timedelta(seconds=2)
        return broadcast("b-stranger", start_at, self.recording().voice, level=Level.EMERGENCY)

    def misdeliver(self) -> None:
        """Let the broker bring what the centre has ordered, signed and approved for another commune."""
        made = broadcast(
            "b-elsewhere",
            self.now() + timedelta(seconds=1.5),
            pool()[-2].voice,
            level=Level.EMERGENCY,
            scopes=(ELSEWHERE,),
        )
        names, window = frozenset({pool()[-2].voice.sha256}), Span(made.start_at, made.latest_end_at)
        self.history.orders.append(
            Order(
                broadcast_id=made.broadcast_id,
                recordings=tuple(names),
                length=timedelta(milliseconds=made.length_ms),
                level=made.level,
                start_at=made.start_at,
                latest_start_at=made.latest_start_at,
                latest_end_at=made.latest_end_at,
                scopes=frozenset({ELSEWHERE}),
                approvals=(Approved(names, frozenset({ELSEWHERE}), window),),
                told_at=self.now(),
            )
        )
        if self.link:
            urgent = self.orders.urgent(made, scope=ELSEWHERE, claims={"version": 5000})
            self.deliver(str(Topic(SCOPE, Word.URGENT)), self.keys.sign(urgent))

    def cancel(self, name: str) -> None:
        """Take a broadcast back: out of its plan, with an explicit stop."""
        self.withdraw(name)
        self.stops = (*self.stops, name)
        self.send_plan()
        self.send_urgent()

    def withdraw(self, name: str) -> None:
        """Take a broadcast out of the plan, to be said with the next one."""
        for index, order in enumerate(self.history.orders):
            if order.broadcast_id == name:
                self.history.orders[index] = replace(order, withdrawn_at=self.now())
        self.planned.pop(name, None)
        self.urgent.pop(name, None)

    def send_plan(self, **fields: Any) -> None:
        """Say the plan as it stands, a body of what is not long over."""
        listed = [one for one in self.planned.values() if one.latest_end_at > self.now()]
        self.send(self.orders.plan(*listed, lease=fields.pop("lease", timedelta(days=3)), **fields))

    def send_urgent(self) -> None:
        """Say what must sound now, and what must stop."""
        listed = [one for one in self.urgent.values() if one.latest_end_at > self.now()]
        self.send(self.orders.urgent(*listed, stops=self.stops))

    def send_hold(self) -> None:
        """Say the STOPs of the area, and those that are over."""
        self.send(self.orders.hold(*self.active, released=self.released))

    def hold(self, name: str) -> None:
        """STOP."""
        self.active = (*self.active, name)
        self.send_hold()

    def release(self, name: str) -> None:
        """Let sound again."""
        self.active = tuple(one for one in self.active if one != name)
        self.released = (*self.released, name)
        self.send_hold()

    # The network.

    def send(self, document: Signed, *, keys: Keys | None = None) -> None:
        """Sign and publish; who is away gets it later, if it is kept."""
        topic, token = str(Topic(document.aud, document.word)), (keys or self.keys).sign(document)
        if keys is None:
            self.retained[topic] = token
        self.sent.append((topic, token))
        if self.link:
            self.deliver(topic, token)

    def deliver(self, topic: str, token: bytes) -> None:
        """Hand a message to the node, if there is one."""
        self._stale = True
        if self.agent is not None:
            self.agent.parts.inbox.take(topic, token)
            self._note_holds()

    def cut(self) -> None:
        """No network."""
        self.link = False
        self._sense()

    def heal(self) -> None:
        """The network is back: whatever is kept comes, holds first, as with a new subscription."""
        self.link = self._stale = True
        if self.agent is not None:
            for topic in sorted(self.retained, key=lambda one: not one.endswith(Word.HOLD)):
                self.deliver(topic, self.retained[topic])
            self._tell_time()
        self._sense()

    def _exchange(self) -> None:
        """Do what link, fetcher and reporter do when there is a network."""
        agent = self.agent
        if agent is None or not self.link:
            return
        for plan in agent.ground.keeper.bodies_wanted():
            packed = self.orders.bodies[plan.body_sha256]
            agent.ground.keeper.body_arrived(plan, packed, agent.ground.keeper.open_body(plan, packed))
        if self.sees_files:
            self._bring_files(agent)
        if agent.ground.clock.state is ClockState.UNTRUSTED or self.now() - self._asked_at >= ASK_EVERY:
            self._tell_time()
        self._take_receipts(agent)

    def _bring_files(self, agent: Agent) -> None:
        for listing in list(agent.ground.keeper.listings.values()):
            for item in listing.broadcast.items:
                sha256 = item.voices[0].sha256
                if not agent.ground.shelf.has(sha256):
                    agent.ground.shelf.put(sha256, self._recordings[sha256].data)
                    agent.wiring.file_arrived(sha256)

    def _tell_time(self) -> None:
        assert self.agent is not None
        self._asked_at = self.now()
        answer = self.orders.time(SELF, self.agent.ground.clock.ask(), self.now())
        self.deliver(str(Topic(SELF, Word.TIME_ANSWER)), self.keys.sign(answer))

    def _take_receipts(self, agent: Agent) -> None:
        if agent.ground.ledger.last_seq == self._stored.get(agent.ground.store.store_id, 0):
            return
        store_id, stored = agent.ground.store.store_id, self._stored.get(agent.ground.store.store_id, 0)
        rows = agent.ground.store.rows("SELECT event FROM events WHERE seq > ? ORDER BY seq", stored)
        events = [msgspec.json.decode(blob, type=PlayEvent) for (blob,) in rows]
        for event in events:
            self.history.told.append(Told(NODE, event.broadcast_id, event.state, event.outcome))
            if event.state is PlayState.CACHED:
                self.truth.knew.setdefault(event.broadcast_id, min(self.now(), event.at))
        if events:
            self._stored[store_id] = events[-1].seq
            claims = self.orders.claims(ReceiptsAck, SELF)
            ack = ReceiptsAck(**claims, store_id=store_id, stored_through_seq=events[-1].seq)
            self.deliver(str(Topic(SELF, Word.RECEIPTS_ACK)), self.keys.sign(ack))

    # The node.

    def start(self) -> None:
        """Start the agent, as a supervisor would."""
        if self.agent is not None:
            return
        agent = Agent(Options(state=StateDir(self.folder), output="virtual"), instruments=self.instruments)
        agent.parts.output.available = True
        self.agent = agent
        agent.parts.player.note_orders()
        agent.parts.player._take_up()
        self._note_holds()
        if self.link:
            self.heal()
        self._sense()

    def crash(self) -> None:
        """``kill -9``: nothing is said, nothing is flushed, what was not committed is gone."""
        if self.agent is None:
            return
        agent, self.agent = self.agent, None
        agent.parts.stage.renderer.drop_all(End.LOST)
        agent.ground.store.close()
        self.truth.crashes.append(self.now())
        self._sense()

    def power_cut(self, *, wall_error: timedelta = timedelta(0)) -> None:
        """The machine goes; when it comes back its wall clock shows what its battery kept."""
        self.crash()
        self.instruments.reboot(f"boot-{next(self.boots)}")
        self.instruments.synchronised = False
        self.instruments.step(seconds=(wall_error - self.instruments.error()).total_seconds())
        self._ntp_at = self.now() + NTP

    def step_clock(self, by: timedelta, *, synchronised: bool | None = None) -> None:
        """Set the wall clock; the kernel says "synchronised" after a bad time server did, not after a person.

        Such a server is out of reach when the centre is: else nobody could tell a new node that it lies.
        """
        self.instruments.step(seconds=by.total_seconds())
        lies = self.rng.random() < 0.5 and self.link
        self.instruments.synchronised = lies if synchronised is None else synchronised
        self._ntp_at = self.now() + NTP + timedelta(seconds=self.rng.uniform(30, 600))
        self._sense()

    def sleep(self, time: timedelta) -> None:
        """The whole machine stands still."""
        begun_at = self.now()
        self.instruments.sleep(time)
        self.speaker._goes_on = False  # what sounds afterwards does not sound from before on
        self.trouble(begun_at, self.now())
        self.truth.crashes.append(self.now())
        self._sense()

    def lose_output(self) -> None:
        """The sound card goes."""
        if self.agent is not None:
            self.agent.parts.output.available = False
            self.agent.wiring.output_changed()
        self.truth.crashes.append(self.now())

    def bring_output(self) -> None:
        """The sound card is back."""
        if self.agent is not None:
            self.agent.parts.output.available = True
            self.agent.wiring.output_changed()

    def spoil(self, sha256: str, how: str) -> None:
        """Let a file of the cache rot: one bit, its end, all of it, or another's bytes under its name."""
        path = self.folder / "media" / f"{sha256}.opus"
        if not path.exists():
            return
        data = bytearray(path.read_bytes())
        if how == "bit":
            data[len(data) // 2] ^= 1
        elif how == "short":
            data = data[: len(data) // 2]
        elif how == "empty":
            data = bytearray()
        else:
            data = bytearray(pool()[-1].data)
        path.write_bytes(data)

    def trouble(self, begin_at: datetime, end_at: datetime) -> None:
        """Note that the node may be kept from sounding for a while."""
        self.truth.troubled.append(Span(begin_at, end_at))

    # Time.

    async def run(self, to: datetime) -> None:
        """Let the world go on."""
        while self.now() < to:
            while self._agenda and self._agenda[0][0] <= self.now():
                _, _, act = heapq.heappop(self._agenda)
                self._survive(act)
            next_at = min(to, self._agenda[0][0]) if self._agenda else to
            await self._live(next_at)

    async def run_for(self, seconds: float) -> None:
        """Let the world go on for a while."""
        await self.run(self.now() + timedelta(seconds=seconds))

    async def end(self) -> History:
        """Heal everything, wait five minutes, and give the facts."""
        failpoints.arm(None)
        for name in self.active:
            self.release(name)
        self.start()
        self.bring_output()
        self.heal()
        await self.run_for(300)
        for switch in (self._up, self._clock, self._reachable):
            switch.turn(self.now(), on=False)
        for name in list(self._obeyed):
            self._let_go(name)
        self.history.sounds = sounded(NODE, self.speaker.stretches, pool())
        self._weigh()
        self.crash()
        return self.history

    async def _live(self, until_at: datetime) -> None:
        if self._ntp_at is not None and self.link and self.now() >= self._ntp_at:
            self._set_right()
        agent = self.agent
        if agent is None:
            self._pass(min(until_at, self.now() + STRIDE))
            return
        try:
            await self._turn(agent, until_at)
        except CrashedError:
            self.crash()
            self.after(self.rng.uniform(1, 10), self.start)

    async def _turn(self, agent: Agent, until_at: datetime) -> None:
        if self._stale or self.now() - self._looked_at >= timedelta(seconds=1):
            self._stale, self._looked_at = False, self.now()
            self._exchange()
            await agent.parts.voucher.look()
        agent.parts.player.catch_up()
        self._sense()
        if self.now() - self._tidied_at > TIDY_EVERY:
            self._tidied_at = self.now()
            agent.ground.keeper.relist()
            agent.ground.keeper.forget()
            agent.ground.ledger.forget(agent.ground.clock.surely(), set(agent.ground.keeper.listings))
        if agent.parts.stage.is_busy:
            await _primed(agent)
            self.speaker.take(agent.parts.stage.renderer.render, self.now(), self.instruments.monotonic_ns())
            self.instruments.pass_(milliseconds=BLOCK_MS)
        else:
            self._pass(min(until_at, self.now() + self._idle(agent)))

    def _idle(self, agent: Agent) -> timedelta:
        """Give how long nothing will sound."""
        next_at = agent.parts.player._next_at
        left = STRIDE if next_at is None else min(STRIDE, next_at - LEAD - agent.ground.clock.now())
        return max(left, timedelta(milliseconds=BLOCK_MS))

    def _pass(self, to: datetime) -> None:
        self.speaker._goes_on = False
        whole = max(to - self.now(), timedelta(milliseconds=1))
        self.instruments.pass_(microseconds=whole // timedelta(microseconds=1))

    def _survive(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except CrashedError:
            self.crash()
            self.after(self.rng.uniform(1, 10), self.start)

    def _set_right(self) -> None:
        self._ntp_at = None
        self.instruments.step(seconds=-self.instruments.error().total_seconds())
        self.instruments.synchronised = True
        self._sense()

    # Facts.

    def _sense(self) -> None:
        """Note how the node is doing now."""
        now, agent = self.now(), self.agent
        self._up.turn(now, on=agent is not None)
        self._reachable.turn(now, on=self.link)
        right = abs(self.instruments.error()) < timedelta(milliseconds=300)
        good = agent is not None and agent.ground.clock.state is not ClockState.UNTRUSTED
        self._clock.turn(now, on=right and good)
        if agent is not None:
            self._watch_clock(agent, right=right)

    def _watch_clock(self, agent: Agent, *, right: bool) -> None:
        """A clock that is far off and a centre that tells the time: the node must say so, and say when it is over."""
        codes = {fault.code for fault in agent.ground.faults.standing()}
        shown = bool(codes & {Fault.CLOCK_UNTRUSTED.value, Fault.CLOCK_OFFSET.value})
        one = self._wrong
        if one is None and not right and self.link:
            self._wrong = one = {"since_at": self.now(), "shown_at": None, "until_at": None}
        if one is None:
            return
        if shown and one["shown_at"] is None:
            one["shown_at"] = self.now()
        if right and one["until_at"] is None:
            one["until_at"] = self.now()
        if one["until_at"] is not None and not shown:
            self.history.wrongs.append(Wrong(NODE, "clock", **one, cleared_at=self.now()))
            self._wrong = None

    def _note_holds(self) -> None:
        if self.agent is None:
            return
        for name in self.agent.ground.keeper.holds:
            self._obeyed.setdefault(name, self.now())
        for name in self.released:
            if name in self._obeyed and self.link:
                self._let_go(name)

    def _let_go(self, name: str) -> None:
        since_at = self._obeyed.pop(name)
        self.history.silences.append(Silence(NODE, name, since_at, self.now()))
        self.trouble(since_at, self.now())

    def _weigh(self) -> None:
        """Note what must not grow."""
        plays = len(self.history.orders)
        self.history.sizes.append(Size("store, bytes", (self.folder / "agent.db").stat().st_size, 2_000_000))
        assert self.agent is not None
        self.history.sizes.append(Size("messages waiting", len(self.agent.parts.inbox._pending), 82))
        self.history.sizes.append(Size("plays remembered", len(self.agent.ground.ledger.plays), plays))


@contextlib.asynccontextmanager
async def world(folder: Path, **given: Any) -> AsyncIterator[World]:
    """Make a world with a node that runs; nothing of it is left behind."""
    made = World(folder, **given)
    try:
        made.start()
        yield made
    finally:
        failpoints.arm(None)
        made.crash()


async def _primed(agent: Agent) -> None:
    """Let the decoders come along: time passes faster here than they work."""
    for cue in [*agent.parts.stage._cues, *agent.parts.stage._own]:
        feed = cue.feed
        while not (feed.ended or feed._closed or feed._held >= 4 * _BLOCK):  # noqa: ASYNC110 - threads tell nobody
            await asyncio.sleep(0.0005)
    await asyncio.sleep(0)


def _make_state(folder: Path, keys: Keys) -> None:
    """Write what enrolment leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    (folder / "node.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    adoption = Adoption(
        node_id=NODE,
        name="Cụm 1",
        certificate_pem="none",
        ca_pem="none",
        broker_host="127.0.0.1",
        broker_port=1,
        media_url="https://127.0.0.1:1",
        trusted_keys=keys.trusted,
    )
    (folder / "node.json").write_bytes(msgspec.json.encode(adoption))
    store = Store.open(folder / "agent.db")
    store.begin()
    store.close()
