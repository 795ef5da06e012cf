"""A commune that is to live for long: its agents take updates, their links break, people change their minds.

What is done to it is drawn by a seed, one thing after the other. The centre and the first agent are spared the kills,
so that what they take can be told from their first minutes to their last.
"""

import asyncio
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import psutil

from controller.clock import system_clock
from controller.config import Config
from controller.demo.commune import DemoNode
from controller.demo.processes import ProgramFailedError
from controller.updates.states import RolloutState
from edge_agent.config import StateDir
from edge_agent.updates.layout import Inbox, Opt, this_machine
from edge_agent.updates.slots import Slots
from tests.controller.updates.shop import new_update_key, packed, signed, trust
from tests.e2e.waiting import until
from tests.faults.history import History, Silence, Size, Span
from tests.faults.proxy import Way
from tests.faults.rig import BACK_S, Rig, Row

SOUNDS_FOR = timedelta(seconds=25)
"""From asking a node for its number or a tone until that is over."""
NARROW_BYTES_S = 150_000
BUNDLE_BYTES = 1_500_000
"""At that rate ten seconds: the link is cut in between."""
GROWN, GROWN_MIB, MORE_OPEN = 1.15, 12, 8
"""What lives may grow so much, in parts or in MiB, from the second quarter to the last, and have so many more files
open: connections come and go."""
SILENCES = {"stop", "identify", "self_test"}
"""For these plays are given up, so they come more rarely."""
OVER_S = 180
"""Until a rollout is over: the centre looks every 20 s, and fetches are tried again later and later."""


@dataclass(frozen=True)
class Sample:
    """What one process took at one moment."""

    at: datetime
    mib: float
    open: int


class Living(Rig):
    """See the module."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        super().__init__(folder, nodes=3)
        self._rng = rng
        self._opts = [folder / f"opt-{number}" for number in range(len(self._specs))]
        self._specs = [
            replace(spec, options=("--slots", str(opt))) for spec, opt in zip(self._specs, self._opts, strict=True)
        ]
        for opt in self._opts:
            opt.mkdir()
        self._key = new_update_key()
        self.rollouts: list[str] = []
        self.taken: dict[tuple[str, int], list[Sample]] = defaultdict(list)
        """By name and process id."""
        self.done: list[str] = []
        self._asked: list[tuple[str, Span]] = []
        self.acts: dict[str, Callable[[DemoNode], Awaitable[None]]] = {
            "cut": self._cut,
            "half_open": self._half_open,
            "reset": self._reset,
            "stand_still": self._stand_still,
            "kill_node": self._kill,
            "kill_broker": self._kill_broker,
            "settings": self._change_settings,
            "stop": self._stop,
            "identify": self._identify,
            "self_test": self._self_test,
            "bad_update": self._bad_update,
            "cut_update": self._cut_update,
        }

    async def _settle(self) -> None:
        """Let the nodes believe an update key: a centre reads its ring when it starts."""
        await super()._settle()
        assert self.centre is not None
        await self.centre.stop()
        trust(Config(state=self.centre_state).keys, self._key, system_clock())
        await self.start_centre()

    @asynccontextmanager
    async def helped(self) -> AsyncIterator[None]:
        """Start agents again that end, and lay down what they ask for, as systemd and its helper do."""
        tasks = [asyncio.create_task(self._start_again(node), name="supervisor") for node in self.nodes]
        tasks.append(asyncio.create_task(self._lay_down(), name="helper"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends

    async def _start_again(self, node: DemoNode) -> None:
        while node.program is not None:
            await node.program.process.wait()
            self._down(node)
            await self.start_node(node)

    async def _lay_down(self) -> None:
        while True:
            for node, opt in zip(self.nodes, self._opts, strict=True):
                inbox = Inbox(StateDir(node.folder).update)
                if inbox.ask.exists():
                    await asyncio.to_thread(Slots(inbox, Opt(opt)).work)
            await asyncio.sleep(2)

    # What happens.

    async def something(self, name: str | None = None) -> None:
        """Let one thing happen: of ``acts``, or drawn."""
        names = sorted(self.acts)
        if name is None:
            [name] = self._rng.choices(names, [1 if name in SILENCES else 3 for name in names])
        spared = name == "kill_node"
        self.done.append(name)
        await self.acts[name](self._rng.choice(self.nodes[1:] if spared else self.nodes))

    async def _cut(self, node: DemoNode) -> None:
        self.cut(node)
        await asyncio.sleep(self._rng.uniform(0.5, 6))
        self.heal(node)

    async def _half_open(self, node: DemoNode) -> None:
        self.cut(node, Way.HALF_OPEN)
        await asyncio.sleep(self._rng.uniform(0.5, 6))
        self.heal(node)

    async def _reset(self, node: DemoNode) -> None:
        self.links[node.node_id].broker.reset()
        self.links[node.node_id].media.reset()

    async def _stand_still(self, node: DemoNode) -> None:
        assert node.program is not None
        with self.excused(node):
            node.program.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(self._rng.uniform(0.5, 3))
            node.program.process.send_signal(signal.SIGCONT)

    async def _kill(self, node: DemoNode) -> None:
        """Who starts it again is the supervisor."""
        assert node.program is not None
        old = node.program
        old.process.kill()
        await until(lambda: node.program is not old and node.node_id in self._up_at, BACK_S, "started again")

    async def _kill_broker(self, _node: DemoNode) -> None:
        await self.kill_broker()

    async def _change_settings(self, node: DemoNode) -> None:
        """Of a kind that leaves the sound as it is: what sounded is told by its samples."""
        languages = self._rng.choice([["vi"], ["vi", "en"]])
        await self.call("PATCH", f"/areas/{node.area_id}", json={"languages": languages})

    async def _stop(self, _node: DemoNode) -> None:
        begun_at = datetime.now(UTC)
        scope = f"areas/{self.areas['commune']}"
        holds: list[Row] = await self.call("POST", "/holds", json={"scopes": [scope]})
        self.promised |= {hold["id"] for hold in holds}

        async def obeyed() -> bool:
            standing = await self.call("GET", "/holds")
            return all(hold["confirmed_count"] == len(self.nodes) for hold in standing)

        await until(obeyed, BACK_S, "every node obeys")
        acked_at = datetime.now(UTC)
        await asyncio.sleep(self._rng.uniform(0, 8))
        for hold in holds:
            released_at = datetime.now(UTC)
            await self.call("POST", f"/holds/{hold['id']}/release")
            for node in self.nodes:
                self.silences.append(Silence(node.node_id, hold["id"], acked_at, released_at))
        for truth in self.truths.values():
            truth.troubled.append(Span(begun_at, datetime.now(UTC) + timedelta(seconds=10)))

    async def _identify(self, node: DemoNode) -> None:
        await self._ask(node, "identify")

    async def _self_test(self, node: DemoNode) -> None:
        await self._ask(node, "self-test")

    async def _ask(self, node: DemoNode, act: str) -> None:
        now = datetime.now(UTC)
        with suppress(ProgramFailedError):  # a node that is not back yet is not asked
            await self.call("POST", f"/nodes/{node.node_id}/{act}")
        self._asked.append((node.node_id, Span(now, now + SOUNDS_FOR)))
        self.truths[node.node_id].troubled.append(Span(now, now + SOUNDS_FOR))

    # Updates: bundles that are signed and whole, and hold no agent.

    async def _bad_update(self, node: DemoNode) -> None:
        await self._roll_out(node, {})

    async def _cut_update(self, node: DemoNode) -> None:
        """Cut off in the middle of the fetch, which is narrow."""
        media = self.links[node.node_id].media
        media.bytes_per_s = NARROW_BYTES_S
        passed = media.passed
        if await self._roll_out(node, {"noise": self._rng.randbytes(BUNDLE_BYTES)}):
            with suppress(AssertionError):  # told later than we wait: then it is cut before
                await until(lambda: media.passed > passed + BUNDLE_BYTES // 4, BACK_S, "a fetch")
            await self._cut(node)
        media.bytes_per_s = None

    async def _roll_out(self, node: DemoNode, files: dict[str, bytes]) -> bool:
        """Tell a node of a release; one at a time. Says whether it was."""
        if self.rollouts and not await self._is_over(self.rollouts[-1]):
            return False
        machine = this_machine()
        assert machine is not None
        number = len(self.rollouts) + 1
        python = machine.python.replace(".", "")
        bundle = packed(machine.board, python=python, files=files)
        token = signed(self._key, system_clock(), number, bundle, board=machine.board, python=machine.python)
        await self.call("POST", "/updates", params={"release": token}, content=bundle)
        body = {"release": number, "targets": [f"nodes/{node.node_id}"]}
        self.rollouts.append((await self.call("POST", "/rollouts", json=body))["id"])
        return True

    async def _is_over(self, rollout_id: str) -> bool:
        found = await self.call("GET", f"/rollouts/{rollout_id}")
        return found["state"] in {RolloutState.STOPPED, RolloutState.DONE}

    async def until_rolled_out(self) -> list[tuple[str, str, str]]:
        """Wait until the last rollout is over; gives how each ended: its state, its node's, and why."""
        if self.rollouts:
            await until(lambda: self._is_over(self.rollouts[-1]), OVER_S, "the rollout is over")
        ended = [await self.call("GET", f"/rollouts/{each}") for each in self.rollouts]
        return [(one["state"], node["state"], node["reason"]) for one in ended for node in one["nodes"]]

    # What it takes.

    def look(self) -> None:
        """Take note of what each process takes."""
        assert self.centre is not None
        found = {"centre": psutil.Process(self.centre.process.pid)}
        broker = self.broker()
        if broker is not None:
            found["broker"] = broker
        for number, node in enumerate(self.nodes, 1):
            if node.program is not None:
                with suppress(psutil.NoSuchProcess):
                    found[f"agent {number}"] = psutil.Process(node.program.process.pid)
        for name, process in found.items():
            with suppress(psutil.NoSuchProcess):
                sample = Sample(datetime.now(UTC), process.memory_info().rss / (1 << 20), process.num_fds())
                self.taken[name, process.pid].append(sample)

    def grown(self, begun_at: datetime, ended_at: datetime) -> dict[str, tuple[Sample, Sample]]:
        """Give, of what lived all the time, the middle of its second quarter and that of its last."""
        quarter = (ended_at - begun_at) / 4
        found = {}
        for (name, _), samples in self.taken.items():
            early = [one for one in samples if begun_at + quarter <= one.at < begun_at + 2 * quarter]
            late = [one for one in samples if begun_at + 3 * quarter <= one.at <= ended_at]
            if len(samples) > 1 and samples[0].at < begun_at + quarter and early and late:
                found[name] = (_middle(early), _middle(late))
        return found

    def lived(self, begun_at: datetime, ended_at: datetime) -> History:
        """Give the facts, with what was taken among the sizes, and without what was asked of a node by hand."""
        history = self.history()
        for name, (early, late) in self.grown(begun_at, ended_at).items():
            most_mib = max(early.mib * GROWN, early.mib + GROWN_MIB)
            history.sizes.append(Size(f"memory of the {name}, MiB", late.mib, most_mib))
            history.sizes.append(Size(f"open files of the {name}", late.open, early.open + MORE_OPEN))
        history.sounds = [
            one
            for one in history.sounds
            if one.recording is not None
            or not any(name == one.node and span.covers(one.begun_at, one.ended_at) for name, span in self._asked)
        ]
        return history


def _middle(samples: list[Sample]) -> Sample:
    mib, files = median(one.mib for one in samples), median(one.open for one in samples)
    return Sample(samples[0].at, mib, round(files))
