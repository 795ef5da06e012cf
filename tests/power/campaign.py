"""One node through many power cuts: a centre that keeps ordering, and lives that end at moments drawn from a seed.

What sounded is told by the output itself the moment it leaves, past the disk that is cut; what was decided, by the
store as the next life finds it; what was told, by what the centre has received. What must be true of it stands in
``promises.py``.
"""

import asyncio
import json
import random
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

from edge_agent.protocol.content import Broadcast
from edge_agent.protocol.states import Level
from tests.e2e.waiting import until
from tests.edge_agent.centre import Centre, broadcast
from tests.faults.truth import Recording
from tests.power.disk import Cache, Disk
from tests.power.lives import Aim, Life
from tests.power.machine import BOOT_S, Image, Machine, data_disk
from tests.power.promises import violations
from tests.power.sounds import sounds_of

NODE = "node-1"
ITEMS = 24
"""Of a routine broadcast: 13 s, so that a start again finds some of it left."""
WAITING = 2
"""Routine broadcasts that wait at any time."""
FETCHED = 4
"""New recordings for each life, due later."""
START_IN, NOW, LATER_IN = timedelta(seconds=4), timedelta(seconds=1), timedelta(hours=2)
"""From an order to its start: of what the node has already, of an emergency, of what is fetched meanwhile."""
LATE, WINDOW = timedelta(hours=3), timedelta(minutes=2)
"""How late routine may begin, and an emergency."""
READY_S, LONGEST_S, LAST_S = 150.0, 20.0, 400.0
"""A start of the agent, on an emulated processor and a busy machine; a life from then on that does not come to its aim;
the last one, which brings all to its end."""
WRONG_S = (-1e9, -1e6, -3600, -60, 3600)
"""By how much a clock without a battery is wrong, at most: mostly it shows some time of before."""


class Campaign:
    """See the module."""

    def __init__(
        self,
        image: Image,
        folder: Path,
        centre: Centre,
        recordings: tuple[Recording, ...],
        seed: int,
        *,
        careless: bool = False,
    ) -> None:
        """``careless`` gives a node that does not wait for its disk."""
        self._image, self._folder, self._centre = image, folder, centre
        self._rng, self._careless = random.Random(seed), careless
        self._recordings = recordings
        cached = len(recordings) * 2 // 3
        self._cached, self._fresh = iter(recordings[:cached]), iter(recordings[cached:])
        self.lives: list[Life] = []
        self.orders: dict[str, Broadcast] = {}
        self._numbers = count(1)
        self.disk = self._new_disk(seed, recordings[:cached])

    def _new_disk(self, seed: int, cached: tuple[Recording, ...]) -> Disk:
        """Make the state of a node that has been adopted and has fetched much already."""
        state = self._folder / "state"
        self._centre.adopt(state, NODE)
        adoption = json.loads((state / "node.json").read_text())
        media = adoption["media_url"].replace("127.0.0.1", "localhost")
        (state / "node.json").write_text(json.dumps(adoption | {"broker_host": "localhost", "media_url": media}))
        (state / "media").mkdir()
        for one in cached:
            (state / "media" / f"{one.voice.sha256}.opus").write_bytes(one.data)
        return data_disk(state, self._folder, seed)

    # The centre.

    async def begin(self) -> None:
        """Say what holds for all lives."""
        await self._centre.settle(NODE, plays_per_hour=1000)

    async def _order(self) -> None:
        """Keep some routine waiting, and something to fetch."""
        heard = {one.recording for life in self.lives for one in life.sounds}
        waiting = [
            name
            for name, one in self.orders.items()
            if name.startswith("routine") and not any(item.voices[0].sha256 in heard for item in one.items)
        ]
        for _ in range(WAITING - len(waiting)):
            self._add("routine", islice(self._cached, ITEMS), START_IN, LATE)
        self._add("later", islice(self._fresh, FETCHED), LATER_IN, LATE)
        await self._centre.plan(*(one for one in self.orders.values() if one.level is not Level.EMERGENCY))

    async def _warn(self) -> None:
        """Order an emergency, its first recording inside."""
        self._add("emergency", islice(self._fresh, 2), NOW, WINDOW)
        now = datetime.now(UTC)
        listed = [one for one in self.orders.values() if one.level is Level.EMERGENCY and one.latest_end_at > now]
        first = listed[-1].items[0].voices[0].sha256
        data = next(one.data for one in self._recordings if one.voice.sha256 == first)
        await self._centre.urgent(*listed, inline={first: data})

    def _add(self, kind: str, recordings: Iterable[Recording], start_in: timedelta, late: timedelta) -> None:
        level = Level.EMERGENCY if kind == "emergency" else Level.NORMAL
        name = f"{kind}-{next(self._numbers)}"
        voices = [self._centre.add_media(one.data) for one in recordings]
        self.orders[name] = broadcast(name, datetime.now(UTC) + start_in, *voices, level=level, late=late)

    # Lives.

    async def live(self, *, cold: bool = False) -> Life:
        """Let the node live once, to a sudden end."""
        rng = self._rng
        life = Life(
            len(self.lives) + 1,
            Aim.drawn(rng),
            clock=rng.choices(["network", "battery", "none"], [70, 20, 10])[0],
            link=rng.random() < 0.75,
            cold=cold,
            cache=rng.choice(list(Cache)),
        )
        await self._order()
        if life.number % 3 == 0 or life.aim.name.startswith("file."):
            life.link = True
            await self._warn()
        await self._live(life)
        return life

    async def last(self) -> Life:
        """Let the node live until all that is due has been played and told."""
        aim = Aim("all told")
        life = Life(len(self.lives) + 1, aim, clock="network", link=True, cold=False, cache=Cache.KEPT)
        await self._live(life)
        return life

    def violations(self) -> list[str]:
        """Give all that is not as promised."""
        return violations(self.lives, self.orders, self._centre.batches)

    async def _live(self, life: Life) -> None:
        machine = Machine(self._image, self._folder / f"life-{life.number}.log")
        self.lives.append(life)
        try:
            await (machine.boot() if life.cold else machine.wake())
            await machine.until("r", BOOT_S) if life.cold else None
            await machine.plug_in(self.disk, link=life.link)
            aimed = asyncio.create_task(self._come_to(life.aim, machine), name="end of a life")
            self._begin(life, machine)
            life.reached = await aimed
        finally:
            await machine.cut_power()
            life.lost = await self.disk.unplug(life.cache)
            life.frames = machine.frames
            life.sounds = sounds_of((one.data for one in life.frames if one.letter == "b"), self._recordings)

    def _begin(self, life: Life, machine: Machine) -> None:
        if life.clock == "none":
            machine.clock_error_ns = round(self._rng.choice(WRONG_S) * self._rng.uniform(0.5, 1) * 1e9)
        machine.say(
            clock=life.clock,
            chance=self._rng.randbytes(32).hex(),
            boot_id=str(uuid.UUID(int=self._rng.getrandbits(128))),
            stop_at=life.aim.name if life.aim.kind == "point" else None,
            stop_count=life.aim.count,
            careless=self._careless,
        )

    async def _come_to(self, aim: Aim, machine: Machine) -> bool:
        """Wait until it is time, or has been for too long; says which."""
        reached = asyncio.create_task(self._reached(aim, machine), name="an aim")
        ready = asyncio.create_task(machine.until("n", READY_S), name="an agent")
        try:
            await asyncio.wait((reached, ready), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reached,), timeout=LAST_S if aim.kind == "all told" else LONGEST_S)
            if reached.done() and not reached.cancelled() and reached.exception() is None:
                await asyncio.sleep(aim.after_s)
                return True
            return False
        finally:
            reached.cancel()
            ready.cancel()
            await asyncio.gather(reached, ready, return_exceptions=True)

    async def _reached(self, aim: Aim, machine: Machine) -> None:
        most_s = READY_S + LAST_S
        if aim.kind == "moment":
            await machine.until("n", READY_S)
        elif aim.kind == "point":
            await machine.until("p", most_s)
        elif aim.kind == "flush":
            await self._flushed(aim, machine)
        elif aim.kind == "begin":
            await machine.until("b", most_s, nth=aim.count * 30)
        elif aim.kind == "fetch":
            asked = self._centre.files.shelves.asked
            wanted = len(asked) + aim.count
            await until(lambda: len(asked) >= wanted, most_s, "a download")
        elif aim.kind == "all told":
            names = {name for name in self.orders if name.startswith("routine")}
            await until(lambda: names <= {name for name, _ in self._centre.outcomes(NODE)}, LAST_S, "all told")

    async def _flushed(self, aim: Aim, machine: Machine) -> None:
        """Cut the power in the middle of a flush, as the disk sees it."""
        first, reached = self.disk.flushes, asyncio.Event()

        def at_flush(when: str) -> bool:
            if reached.is_set() or when != aim.name or self.disk.flushes - first != aim.count:
                return False
            machine.kill()
            reached.set()
            return True

        self.disk.at_flush = at_flush
        try:
            await reached.wait()
        finally:
            self.disk.at_flush = lambda _: False
