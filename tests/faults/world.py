"""One node in a world that a test moves by hand: a whole agent, real store, files and decoders, but time is stepped.

The agent is the real one, wired by itself; what it would do by threads and sockets (its link, its fetcher, its output)
is done here at instants of the world. The network loses, doubles and delays; power goes; clocks jump; files rot.
Everything that happens is noted as facts for the checker.
"""

import contextlib
import heapq
import itertools
import random
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from edge_agent import failpoints
from edge_agent.agent import Agent
from edge_agent.config import Options, StateDir
from edge_agent.player import LEAD
from edge_agent.protocol.documents import ReceiptsAck, Signed
from edge_agent.protocol.reports import PlayEvent
from edge_agent.protocol.states import ClockState, PlayState
from edge_agent.protocol.topics import Topic, Word
from edge_agent.renderer import End
from tests.edge_agent.centre import SCOPE, Keys, Orders
from tests.edge_agent.fakes import NOON
from tests.faults.history import History, NodeTruth, Told
from tests.faults.machine import BLOCK_MS, NODE, CrashedError, Speaker, Ticking, make_state, primed, spoil
from tests.faults.stepped_centre import ELSEWHERE, SELF, SteppedCentre
from tests.faults.truth import pool, sounded
from tests.faults.witness import Witness

STRIDE = timedelta(seconds=45)
"""Longest step while nothing sounds: what must be noticed within 100 s is looked at twice."""
NTP = timedelta(seconds=20)
"""After the link is back, a clock that is wrong is set right within this."""
ASK_EVERY = timedelta(minutes=30)
TIDY_EVERY = timedelta(minutes=10)


class World:
    """See the module."""

    def __init__(self, folder: Path, *, base: datetime = NOON, seed: int = 0, **settings: Any) -> None:
        self.rng = random.Random(seed)
        self.instruments = Ticking(base)
        self.instruments.synchronised = True
        self.keys, self.orders = Keys(), Orders(self.now)
        self.truth = NodeTruth(frozenset({SELF, SCOPE}))
        self.history = History({NODE: self.truth})
        self.witness = Witness(self.history, self.truth, self.instruments)
        self.folder = folder
        make_state(folder, self.keys)
        self.agent: Agent | None = None
        self.speaker = Speaker()
        self.link = True
        self.retained: dict[str, bytes] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.boots = itertools.count(2)
        self.sees_files = True
        self._stale, self._looked_at = True, base
        """Whether something has changed for the network's side of the node, and when that was looked at last."""
        self._recordings = {one.voice.sha256: one for one in pool()}
        self._agenda: list[tuple[datetime, int, Callable[[], Any]]] = []
        self._turns = itertools.count()
        self._ntp_at: datetime | None = None
        self._asked_at = self._tidied_at = base - timedelta(days=1)
        self._stored: dict[str, int] = {}
        self.centre = SteppedCentre(
            self.keys, self.orders, self.history, now=self.now, send=self.send, settings=settings
        )
        self.centre.say_all()

    def now(self) -> datetime:
        """Give true time."""
        return self.instruments.true_at

    def at(self, at: datetime, act: Callable[[], Any]) -> None:
        """Let something happen at an instant; what it returns is awaited if it can be."""
        heapq.heappush(self._agenda, (at, next(self._turns), act))

    def after(self, seconds: float, act: Callable[[], Any]) -> None:
        """Let something happen in some seconds."""
        self.at(self.now() + timedelta(seconds=seconds), act)

    def forget_day(self) -> None:
        """Keep nothing of what was said and heard."""
        self.centre.forget_day()
        self.speaker.stretches.clear()
        self.sent.clear()

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
            self.witness.note_holds(self.agent, self.centre.released, linked=self.link)

    def misdeliver(self) -> None:
        """Let the broker bring what the centre has ordered, signed and approved for another commune."""
        made = self.centre.order_elsewhere()
        if self.link:
            urgent = self.orders.urgent(made, scope=ELSEWHERE, claims={"version": 5000})
            self.deliver(str(Topic(SCOPE, Word.URGENT)), self.keys.sign(urgent))

    def cut(self) -> None:
        """No network."""
        self.link = False
        self.witness.sense(self.agent, linked=self.link)

    def heal(self) -> None:
        """The network is back: whatever is kept comes, holds first, as with a new subscription."""
        self.link = self._stale = True
        if self.agent is not None:
            for topic in sorted(self.retained, key=lambda one: not one.endswith(Word.HOLD)):
                self.deliver(topic, self.retained[topic])
            self._tell_time()
        self.witness.sense(self.agent, linked=self.link)

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
        self.witness.note_holds(self.agent, self.centre.released, linked=self.link)
        if self.link:
            self.heal()
        self.witness.sense(self.agent, linked=self.link)

    def crash(self) -> None:
        """``kill -9``: nothing is said, nothing is flushed, what was not committed is gone."""
        if self.agent is None:
            return
        agent, self.agent = self.agent, None
        agent.parts.stage.renderer.drop_all(End.LOST)
        agent.ground.store.close()
        self.witness.crashed()
        self.witness.sense(self.agent, linked=self.link)

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
        self.witness.sense(self.agent, linked=self.link)

    def sleep(self, time: timedelta) -> None:
        """The whole machine stands still."""
        begun_at = self.now()
        self.instruments.sleep(time)
        self.speaker.pause()
        self.witness.trouble(begun_at, self.now())
        self.witness.crashed()
        self.witness.sense(self.agent, linked=self.link)

    def lose_output(self) -> None:
        """The sound card goes."""
        if self.agent is not None:
            self.agent.parts.output.available = False
            self.agent.wiring.output_changed()
        self.witness.crashed()

    def bring_output(self) -> None:
        """The sound card is back."""
        if self.agent is not None:
            self.agent.parts.output.available = True
            self.agent.wiring.output_changed()

    def spoil(self, sha256: str, how: str) -> None:
        """Let a file of the cache rot: one bit, its end, all of it, or another's bytes under its name."""
        spoil(self.folder / "media" / f"{sha256}.opus", how)

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
        for name in self.centre.active:
            self.centre.release(name)
        self.start()
        self.bring_output()
        self.heal()
        await self.run_for(300)
        self.history.sounds = sounded(NODE, self.speaker.stretches, pool())
        assert self.agent is not None
        self.witness.close(self.agent, self.folder)
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
        self.witness.sense(self.agent, linked=self.link)
        if self.now() - self._tidied_at > TIDY_EVERY:
            self._tidied_at = self.now()
            agent.ground.keeper.relist()
            agent.ground.keeper.forget()
            agent.ground.ledger.forget(agent.ground.clock.surely(), set(agent.ground.keeper.listings))
        if agent.parts.stage.is_busy:
            await primed(agent)
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
        self.speaker.pause()
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
        self.witness.sense(self.agent, linked=self.link)


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
