"""A real commune under faults: ``loa serve`` with its mosquitto, agents with virtual outputs, a proxy before each.

Everything is a process of its own and speaks TLS over loopback. What the tests do is what accidents do: signals, links,
files. What sounded is read from the outputs' records, what was told from the centre's database.
"""

import asyncio
import json
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil

from controller.demo.commune import Commune, DemoNode, NodeSpec
from controller.demo.processes import Program, ProgramFailedError
from edge_agent.protocol.states import Level, Outcome, PlayState
from tests.e2e.waiting import until
from tests.faults.history import Approved, History, NodeTruth, Order, Silence, Size, Span, Told
from tests.faults.proxy import Proxy, Way
from tests.faults.truth import Instants, Recording, recording, sounded, stretches_of

BACK_S = 60
"""A centre, or a node, is there again within this on a busy machine."""
PATIENCE = 4
"""How often a centre may take its longest time to start."""
WAKES_S, STALL_S = 0.05, 0.15
"""A machine on which we wake so much too late lets the buffer of an output run dry."""
RECOVERS = timedelta(seconds=2)
"""Around a stall nothing is asked of the nodes: each of them may have stood still a little earlier or later than we."""
Row = dict[str, Any]


@dataclass
class Links:
    """The two ways from a node to its centre."""

    broker: Proxy
    media: Proxy

    def turn(self, way: Way) -> None:
        """Let both be so from now on."""
        self.broker.turn(way)
        self.media.turn(way)

    async def stop(self) -> None:
        """End both."""
        await self.broker.stop()
        await self.media.stop()


class Rig(Commune):
    """See the module."""

    def __init__(self, folder: Path, nodes: int = 3, env: dict[str, str] | None = None) -> None:
        hamlets = ("Thôn Đông", "Thôn Trại", "Xóm Mới")
        super().__init__(folder, [NodeSpec(hamlets[n % 3], f"Cụm {n + 1}") for n in range(nodes)], env=env)
        self.links: dict[str, Links] = {}
        self.sounds: list[Row] = []
        self.orders: list[Order] = []
        self.promised: set[str] = set()
        self.truths: dict[str, NodeTruth] = {}
        self.silences: list[Silence] = []
        self.begun_at = datetime.now(UTC)
        self.stalls: list[Span] = []
        """When the machine let nobody work, us neither: no fault of what we try, and nothing of it is tried then."""
        self._up_at: dict[str, datetime] = {}
        self._cut_at: dict[str, datetime] = {}

    # Programs.

    async def _until_ready(self, program: Program) -> None:
        """Give a machine that does much else more time: how fast a centre starts is tried elsewhere."""
        for _ in range(PATIENCE - 1):
            with suppress(ProgramFailedError):
                return await super()._until_ready(program)
            program.check()
        return await super()._until_ready(program)

    async def start_node(self, node: DemoNode) -> None:
        """Start an agent, which finds its centre behind its proxies."""
        if node.node_id not in self.links:
            await self._put_behind_proxies(node)
        log = node.folder / "agent.log"
        ready = log.read_text().count(" is ready") if log.exists() else 0
        await super().start_node(node)
        await until(lambda: log.read_text().count(" is ready") > ready, BACK_S, "a ready agent")
        self._up_at[node.node_id] = datetime.now(UTC)

    async def _put_behind_proxies(self, node: DemoNode) -> None:
        adoption = json.loads((node.folder / "node.json").read_text())
        media_port = int(adoption["media_url"].rpartition(":")[2])
        links = self.links[node.node_id] = Links(Proxy(adoption["broker_port"]), Proxy(media_port))
        await links.broker.start()
        await links.media.start()
        adoption |= {"broker_port": links.broker.port, "media_url": f"https://127.0.0.1:{links.media.port}"}
        (node.folder / "node.json").write_text(json.dumps(adoption))
        places = {f"nodes/{node.node_id}", f"areas/{node.area_id}", f"areas/{self.areas['commune']}"}
        self.truths[node.node_id] = NodeTruth(frozenset(places))

    async def kill_node(self, node: DemoNode) -> None:
        """``kill -9`` an agent."""
        assert node.program is not None
        self._down(node)
        await node.program.stop(signal.SIGKILL)

    def _down(self, node: DemoNode) -> None:
        truth, now = self.truths[node.node_id], datetime.now(UTC)
        truth.crashes.append(now)
        up_at = self._up_at.pop(node.node_id, None)  # None: killed again before it was up
        if up_at is not None:
            truth.up.append(Span(up_at, now))

    async def until_node_died(self, node: DemoNode) -> None:
        """Wait until an agent has died by itself, as at a failpoint."""
        assert node.program is not None
        async with asyncio.timeout(BACK_S):
            await node.program.process.wait()
        self._down(node)

    @asynccontextmanager
    async def supervised(self, node: DemoNode) -> AsyncIterator[None]:
        """Start an agent again whenever it ends, as systemd does, for the length of the block."""

        async def again() -> None:
            while node.program is not None:
                await node.program.process.wait()
                self._down(node)
                await self.start_node(node)

        task = asyncio.create_task(again(), name="supervisor")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def kill_centre(self) -> None:
        """``kill -9``; its broker dies with it."""
        assert self.centre is not None
        await self.centre.stop(signal.SIGKILL)

    async def until_centre_died(self) -> None:
        """Wait until the centre has died by itself, as at a failpoint."""
        assert self.centre is not None
        async with asyncio.timeout(BACK_S):
            await self.centre.process.wait()

    async def bring_centre_back(self, *, failpoint: str | None = None) -> None:
        """Start the centre, to die at a failpoint or not."""
        if failpoint is not None:
            self.env["LOA_FAILPOINT"] = failpoint
        try:
            await self.start_centre()
        except ProgramFailedError:
            if failpoint is None or self.centre is None or self.centre.process.returncode != -signal.SIGKILL:
                raise  # otherwise it has come to the point before anybody asked for anything
        finally:
            self.env.pop("LOA_FAILPOINT", None)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the database for writing, as a careless person with a shell does."""
        connection = sqlite3.connect(self.centre_state / "loa.db", isolation_level=None, timeout=10)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    def broker(self) -> psutil.Process | None:
        """Give the broker's process, while there is one."""
        assert self.centre is not None
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.centre.process.pid).children(recursive=True)
            return next((child for child in children if child.name() == "mosquitto"), None)
        return None

    async def kill_broker(self) -> None:
        """``kill -9`` the broker alone, and wait until the centre has another."""
        old = self.broker()
        if old is None:
            return
        old.kill()

        async def back() -> bool:
            new = self.broker()
            return new is not None and new.pid != old.pid

        await until(back, BACK_S, "another broker")

    # Links.

    def cut(self, node: DemoNode, way: Way = Way.CUT) -> None:
        """Take a node's link away."""
        self._cut_at.setdefault(node.node_id, datetime.now(UTC))
        self.links[node.node_id].turn(way)

    def heal(self, node: DemoNode) -> None:
        """Give it back."""
        self._reached_until(node, self._cut_at.pop(node.node_id))
        self.links[node.node_id].turn(Way.OPEN)

    def gone(self, node: DemoNode, at: datetime) -> None:
        """Note that a node was given up: it is not reached any more, and its word is nobody's."""
        self.truths[node.node_id].revoked_at = at
        self._cut_at.setdefault(node.node_id, at)

    def _reached_until(self, node: DemoNode, at: datetime) -> None:
        spans = self.truths[node.node_id].reachable
        spans.append(Span(spans[-1].end_at if spans else self.begun_at, at))

    # Orders.

    async def record(self, count: int, length_s: float = 1.0) -> None:
        """Upload recordings, each unlike all others."""
        first = len(self.sounds)
        file = self.folder / "sound.wav"
        for number in range(first, first + count):
            source = f"anoisesrc=color=pink:seed={number + 1000}:amplitude=0.5:sample_rate=48000:duration={length_s}"
            command = ["ffmpeg", "-y", "-v", "error", "-f", "lavfi", "-i", source, str(file)]
            await asyncio.to_thread(subprocess.run, command, check=True)
            self.sounds.append(await self.upload(file, f"sound {number}"))
            self.promised.add(self.sounds[-1]["id"])

    async def send(self, in_s: float | None, *, sound: Row | None = None, **fields: Any) -> Row:
        """Order a broadcast of a recording that no other has, in some seconds or now."""
        sound = sound or self.sounds[len(self.orders)]
        start_at = None if in_s is None else (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat()
        body = {
            "title": sound["title"],
            "recordings": [sound["id"]],
            "targets": [f"areas/{self.areas['commune']}"],
            "start_at": start_at,
            "confirm_unusual": True,
            "confirm_conflicts": True,
            **fields,
        }
        created: Row = await self.call("POST", "/broadcasts", json=body)
        self.note(created, sound)
        return created

    def note(self, row: Row, sound: Row) -> None:
        """Take a broadcast that the API has acknowledged into the history."""
        self.promised.add(row["id"])
        start_at, latest_end_at = instant(row["start_at"]), instant(row["latest_end_at"])
        scopes = frozenset(target["scope"] for target in row["targets"])
        names = frozenset({sound["sha256"]})
        self.orders.append(
            Order(
                broadcast_id=row["id"],
                recordings=(sound["sha256"],),
                length=timedelta(milliseconds=row["length_ms"]),
                level=Level(row["level"]),
                start_at=start_at,
                latest_start_at=instant(row["latest_start_at"]),
                latest_end_at=latest_end_at,
                scopes=scopes,
                approvals=(Approved(names, scopes, Span(start_at, latest_end_at)),),
                told_at=datetime.now(UTC),
            )
        )

    async def until_cached(self, *rows: Row, within_s: float = BACK_S) -> None:
        """Wait until every node has the sound of these broadcasts."""

        async def cached() -> bool:
            plays = [play for row in rows for play in await self.plays(row["id"])]
            return all(play["state"] in {"cached", "armed", "playing"} or play["outcome"] for play in plays)

        await until(cached, within_s, "every node has the sound")

    async def plays(self, broadcast_id: str) -> list[Row]:
        """Give what is known of a broadcast's plays."""
        rows: list[Row] = await self.call("GET", f"/broadcasts/{broadcast_id}/plays")
        return rows

    async def until_all_over(self, within_s: float = 60) -> None:
        """Wait until every node has said how each of its plays ended."""

        async def over() -> bool:
            rows = [row for order in self.orders for row in await self.plays(order.broadcast_id)]
            return all(row["outcome"] not in {None, "unknown"} for row in rows)

        await until(over, within_s, "every play is over")

    async def until(self, at: datetime, *, plus_s: float = 0) -> None:
        """Wait for an instant."""
        await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds() + plus_s))

    @contextmanager
    def excused(self, node: DemoNode) -> Iterator[None]:
        """For the length of the block, and while it recovers, a node is not held to its plays."""
        begun_at = datetime.now(UTC)
        yield
        self.truths[node.node_id].troubled.append(Span(begun_at, datetime.now(UTC) + timedelta(seconds=5)))
        self.truths[node.node_id].crashes.append(datetime.now(UTC))

    # What happened.

    def history(self) -> History:
        """Give the facts, with everything whole again and every play over."""
        now = datetime.now(UTC)
        for node in self.nodes:
            truth = self.truths[node.node_id]
            truth.troubled += self.stalls
            truth.clock_good.append(Span(self.begun_at, now))
            if node.node_id in self._up_at:
                truth.up.append(Span(self._up_at[node.node_id], now))
            self._reached_until(node, self._cut_at.get(node.node_id, now))
        return History(
            self.truths,
            orders=self.orders,
            sounds=[sound for node in self.nodes for sound in self._sounded(node)],
            told=[one for node in self.nodes for one in self._told(node)],
            silences=self.silences,
            sizes=[
                Size(f"store of {n.node_id}, bytes", (n.folder / "agent.db").stat().st_size, 4e6) for n in self.nodes
            ],
            rows=self._rows(),
            promised=frozenset(self.promised),
        )

    def _recordings(self) -> list[Recording]:
        folder = self.centre_state / "media"
        return [recording(one["title"], (folder / f"{one['sha256']}.opus").read_bytes()) for one in self.sounds]

    def _sounded(self, node: DemoNode) -> list[Any]:
        marks = []
        for line in (node.folder / "output.instants.jsonl").read_text().splitlines():
            with suppress(json.JSONDecodeError):  # the last line of a process that was killed
                mark = json.loads(line)
                marks.append((mark["frame"], datetime.fromtimestamp(mark["at_ns"] / 1e9, UTC)))
        pcm = (node.folder / "output.wav").read_bytes()[44:]
        return sounded(node.node_id, stretches_of(pcm[: len(pcm) // 2 * 2], Instants(marks)), self._recordings())

    def _told(self, node: DemoNode) -> list[Told]:
        """Give a node's receipts, then what the centre has made of them where that is something else."""
        told: list[Told] = []
        ends: dict[str, str | None] = {}
        for broadcast_id, text in self.query(
            "SELECT broadcast_id, event FROM receipts WHERE node_id = ? ORDER BY store_id, seq", node.node_id
        ):
            event = json.loads(text)
            state, outcome = event.get("state"), event.get("outcome")
            told.append(Told(node.node_id, broadcast_id, state and PlayState(state), outcome and Outcome(outcome)))
            ends[broadcast_id] = outcome or ends.get(broadcast_id)
            if state == "cached":
                self.truths[node.node_id].knew.setdefault(broadcast_id, instant(event["at"]))
            if event.get("underruns"):
                self._excuse(node, broadcast_id)
        for broadcast_id, outcome in self.query(
            "SELECT broadcast_id, outcome FROM plays WHERE node_id = ? AND outcome IS NOT NULL", node.node_id
        ):
            if outcome != ends.get(broadcast_id):
                told.append(Told(node.node_id, broadcast_id, None, Outcome(outcome)))
        return told

    def _excuse(self, node: DemoNode, broadcast_id: str) -> None:
        """A machine that stalled so that an output ran dry: the node says so, and it is no fault of what we try."""
        order = next((one for one in self.orders if one.broadcast_id == broadcast_id), None)
        if order is not None:
            self.truths[node.node_id].troubled.append(Span(order.start_at, order.latest_end_at))

    def _rows(self) -> frozenset[str]:
        names = [self.query(f"SELECT id FROM {table}") for table in ("broadcasts", "holds", "recordings")]  # noqa: S608
        return frozenset(name for rows in names for (name,) in rows)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the centre's database, as a person with a shell would."""
        connection = sqlite3.connect(f"file:{self.centre_state / 'loa.db'}?mode=ro", uri=True)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()


R = TypeVar("R", bound=Rig)


@asynccontextmanager
async def running(rig: R) -> AsyncIterator[R]:
    """Run one for the length of the block; leaving it ends every process."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(rig)
        watch = asyncio.create_task(_watch_machine(rig), name="is the machine there")
        stack.callback(watch.cancel)
        for links in rig.links.values():
            stack.push_async_callback(links.stop)
        yield rig


def running_rig(folder: Path, nodes: int = 3, env: dict[str, str] | None = None) -> AbstractAsyncContextManager[Rig]:
    """Run a rig as it is most often wanted."""
    return running(Rig(folder, nodes, env))


async def _watch_machine(rig: Rig) -> None:
    """Wake up again and again, at the same priority as the nodes, and note when that comes too late."""
    while True:
        slept_at = datetime.now(UTC)
        await asyncio.sleep(WAKES_S)
        late = datetime.now(UTC) - slept_at
        if late.total_seconds() > WAKES_S + STALL_S:
            rig.stalls.append(Span(slept_at - RECOVERS, datetime.now(UTC) + RECOVERS))


def instant(text: str) -> datetime:
    """Read an instant of the API."""
    return datetime.fromisoformat(text)
