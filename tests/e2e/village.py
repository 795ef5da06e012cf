"""A whole commune with sound: a real centre, three agents at null sinks, and somebody who listens at each of them.

Tests act through the API, the command line, signals and files, as people and accidents do. What sounded is judged from
the recordings alone; what was reported is judged beside it.
"""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from audio import correlate, mix, speech, tune
from controller.demo.check import MAX_HZ, Expected, NodeVerdict, judge_node
from controller.demo.commune import THREE_HAMLETS, Commune, DemoNode
from controller.demo.processes import ProgramFailedError
from tests.e2e.hearing import Heard, Part, Row, Sound, named
from tests.e2e.people import Person
from tests.e2e.pulse import PulseAudio
from tests.e2e.stalls import PLAYER_RANK, Span, Watch, say, watching
from tests.e2e.waiting import until
from tests.pulse import Recorder

TAIL = timedelta(seconds=1)
"""Recorded behind the end of a sound, so that what follows it would be heard."""
AROUND = timedelta(seconds=0.5)
"""A stall so shortly before or after a play may have spoiled it."""
RETRY_S = 14
"""A node that lost its broker for a restart's time asks for it again after up to 8 s."""
COMES_BACK_S = 90
"""A node that was left alone for long asks for its broker once a minute."""

_READY = " is ready"
_BULLETIN = "Sáng mai, trạm y tế xã tiêm phòng cho trẻ em dưới năm tuổi."
_NOTICE = "Mời bà con thôn Đông ra nhà văn hóa họp thôn lúc bảy giờ tối nay. Xin nhắc lại."


class Village:
    """The commune and its listeners."""

    def __init__(
        self,
        commune: Commune,
        recorders: Sequence[Recorder],
        sounds: dict[str, Sound],
        watch: Watch,
        *,
        back_in_s: float,
    ) -> None:
        self.commune, self.sounds, self._watch = commune, sounds, watch
        self.back_in_s = back_in_s
        """A centre that is killed now and started again is known to every node by then, as far as this machine goes."""
        self.repeats: list[str] = []
        """Scenes that were played again, and why."""
        self.people: dict[str, Person] = {}
        """Who works here besides the administrator, by what a test calls them."""
        self.told: list[str] = []
        """What is worth knowing in the end, and fails no test."""
        self._sent: list[Row] = []
        self._cut: dict[Path, bytes] = {}
        """What stood in files of nodes whose link is cut."""
        self._recorders = {node.node_id: recorder for node, recorder in zip(commune.nodes, recorders, strict=True)}

    @property
    def nodes(self) -> list[DemoNode]:
        """The three nodes."""
        return self.commune.nodes

    @property
    def scope(self) -> str:
        """The whole commune as a target."""
        return f"areas/{self.commune.areas['commune']}"

    # What a person does.

    async def send(
        self,
        sound: str,
        *,
        in_s: float | None = None,
        latest_after_s: float | None = None,
        targets: Sequence[str] | None = None,
    ) -> Row:
        """Broadcast a sound, now or in some seconds, to the whole commune or to some scopes; gives the broadcast."""
        body: Row = {"title": sound, "targets": targets or [self.scope], **self.items(sound)}
        body |= {"confirm_unusual": True, "confirm_conflicts": True}  # tests run at night too, and let things meet
        if in_s is not None:
            start_at = datetime.now(UTC) + timedelta(seconds=in_s)
            body["start_at"] = start_at.isoformat()
            if latest_after_s is not None:
                body["latest_start_at"] = (start_at + timedelta(seconds=latest_after_s)).isoformat()
        created: Row = await self.commune.call("POST", "/broadcasts", json=body)
        return self.noted(created)

    def items(self, *sounds: str) -> Row:
        """Name sounds as a broadcast's body does."""
        return {"recordings": [self.sounds[name].row["id"] for name in sounds]}

    def noted(self, broadcast: Row) -> Row:
        """Count a broadcast to this scene, whoever ordered it."""
        self._sent.append(broadcast)
        return broadcast

    async def plays(self, broadcast: Row) -> dict[str, Row]:
        """Give what is known of a broadcast's plays, by node."""
        rows = await self.commune.call("GET", f"/broadcasts/{broadcast['id']}/plays")
        return {row["node_id"]: row for row in rows}

    async def outcomes(self, broadcast: Row) -> dict[str, str | None]:
        """Give the outcomes of a broadcast, by node."""
        return {node_id: play["outcome"] for node_id, play in (await self.plays(broadcast)).items()}

    async def until_outcomes(self, broadcast: Row, expected: dict[str, str], within_s: float = 30) -> None:
        """Wait until the centre shows these outcomes, by node."""

        async def shown() -> bool:
            return await self.outcomes(broadcast) == expected

        await until(shown, within_s, f"outcomes {expected}")

    async def until_cached(self, *broadcasts: Row, within_s: float = 40) -> None:
        """Wait until every node has the sound of these broadcasts."""

        async def cached() -> bool:
            rows = [row for one in broadcasts for row in (await self.plays(one)).values()]
            return all(row["reached"] in {"cached", "armed", "playing"} for row in rows)

        await until(cached, within_s, "every node has the sound")

    async def until_over(self, broadcast: Row, within_s: float = 60) -> dict[str, Row]:
        """Wait until every node has said how its play ended."""

        async def over() -> dict[str, Row]:
            plays = await self.plays(broadcast)
            return plays if all(row["outcome"] not in {None, "unknown"} for row in plays.values()) else {}

        return await until(over, within_s, "every node has reported")

    async def until_playing(self, broadcast: Row, *nodes: DemoNode) -> None:
        """Wait until these nodes, or all, have begun to sound."""
        wanted = {node.node_id for node in nodes or self.nodes}

        async def playing() -> bool:
            plays = await self.plays(broadcast)
            return all(plays[node_id]["state"] == "playing" for node_id in wanted)

        await until(playing, 30, "every node plays")

    async def until_sounded(self, broadcast: Row) -> datetime:
        """Wait until a broadcast that begins on time is over and recorded at every sink; gives the end of the wait."""
        end_at = _end(broadcast) + TAIL
        for recorder in self._recorders.values():
            await recorder.until(end_at)
        return end_at

    # What was heard.

    def part(self, node: DemoNode, since: datetime, to: datetime) -> Part:
        """Cut a node's recording."""
        recorder = self._recorders[node.node_id]
        return Part(recorder, max(0, recorder.frame_at(since)), recorder.frame_at(to))

    async def judge(self, sound: str, since: datetime, to: datetime, *sent: Row) -> list[NodeVerdict]:
        """Judge every node's recording and reports: these broadcasts of one sound, each once, and nothing else."""
        expected = [
            Expected(
                "now" if one["urgent"] else "scheduled",
                instant(one["start_at"]),
                await self.plays(one),
            )
            for one in sent
        ]
        reference = self.sounds[sound].samples
        return [
            await judge_node(node.spec.name, node.node_id, self.part(node, since, to), reference, expected)
            for node in self.nodes
        ]

    async def occurrences(self, node: DemoNode, sound: str, since: datetime, to: datetime) -> correlate.Comparison:
        """Look for a sound in a node's recording."""
        return await asyncio.to_thread(
            correlate.compare, self.sounds[sound].samples, self.part(node, since, to).samples, max_hz=MAX_HZ
        )

    async def heard(self, node: DemoNode, since: datetime, to: datetime) -> list[Heard]:
        """Name what sounded at a node, in order; the first of what is none of our sounds is ``UNKNOWN``."""
        return await asyncio.to_thread(named, self.sounds, self.part(node, since, to))

    async def now(self) -> datetime:
        """Give this instant, once it is recorded at every sink."""
        return await self.listened_for(0)

    async def listened_for(self, seconds: float) -> datetime:
        """Give the instant so far from now, once it is recorded at every sink."""
        return await self.listened_until(datetime.now(UTC) + timedelta(seconds=seconds))

    async def listened_until(self, at: datetime) -> datetime:
        """Give the instant, once it is recorded at every sink."""
        for recorder in self._recorders.values():
            await recorder.until(at)
        return at

    async def all_have_fault(self, code: str) -> bool:
        """Say whether every node tells of a fault."""
        rows = await self.commune.call("GET", "/nodes")
        return all(code in {fault["code"] for fault in row["faults"]} for row in rows)

    # Scenes, and the machine they are played on.

    def begin(self) -> None:
        """Forget the scenes before."""
        self._sent.clear()

    async def stalls(self) -> list[str]:
        """Say how the machine stalled in the plays of this scene."""
        return self._watch.during([Span(instant(one["start_at"]) - AROUND, _end(one) + AROUND) for one in self._sent])

    async def clear(self, why: AssertionError, stalls: list[str]) -> None:
        """Note that a scene is to be played again, and make all as it was before: no order, no hold, no cut."""
        heard = [await self._said_of(one) for one in self._sent if self._alive]
        self.repeats.append("; ".join([str(why).splitlines()[0], f"{len(stalls)} stalls", *stalls[:3], *heard]))
        if self._alive:
            self.broker().resume()
        await self.bring_back()
        for one in self._sent:
            with suppress(ProgramFailedError):  # it is over, or cancelled already
                await self.commune.call("POST", f"/broadcasts/{one['id']}/cancel")
        for hold in await self.commune.call("GET", "/holds"):
            await self.commune.call("POST", f"/holds/{hold['id']}/release")
        await self.listened_for(max([(_end(one) - datetime.now(UTC)).total_seconds() for one in self._sent], default=0))
        await self.commune.until_online(COMES_BACK_S)

    async def _said_of(self, broadcast: Row) -> str:
        rows = (await self.plays(broadcast)).values()
        said = [f"{row['outcome']} E{row['grade'] or 0} {row['underruns']} underruns" for row in rows]
        return f"reported: {', '.join(said)}"

    # What happens to programs.

    async def kill_centre(self) -> None:
        """``kill -9``; the broker dies with it."""
        centre = self.commune.centre
        assert centre is not None
        children = psutil.Process(centre.process.pid).children(recursive=True)
        await centre.stop(signal.SIGKILL)
        await until(lambda: not any(_alive(child) for child in children), 30, "a dead broker")

    async def kill_node(self, node: DemoNode) -> None:
        """``kill -9`` an agent."""
        assert node.program is not None
        await node.program.stop(signal.SIGKILL)

    def broker(self) -> psutil.Process:
        """Give the broker's process."""
        assert self.commune.centre is not None
        children = psutil.Process(self.commune.centre.process.pid).children(recursive=True)
        return next(child for child in children if child.name() == "mosquitto")

    @property
    def _alive(self) -> bool:
        centre = self.commune.centre
        return centre is not None and centre.process.returncode is None

    async def bring_back(self) -> None:
        """Mend links, start what does not run, and wait until every node is online and up to date."""
        commune = self.commune
        for node in self.nodes:
            before = self._cut.pop(node.folder / "node.json", None)
            if before is not None:
                await self.kill_node(node)
                (node.folder / "node.json").write_bytes(before)
        if not self._alive:
            await commune.start_centre()
        ended = [node for node in self.nodes if node.program is None or node.program.process.returncode is not None]
        await asyncio.gather(*(self.start_node(node) for node in ended))
        await commune.until_online(COMES_BACK_S)

    async def start_node(self, node: DemoNode) -> None:
        """Start an agent and wait until it can play."""
        log = node.folder / "agent.log"
        ready = log.read_text().count(_READY)
        await self.commune.start_node(node)
        await until(lambda: log.read_text().count(_READY) > ready, 30, "a ready agent")
        self.let_go_first(node)

    def let_go_first(self, node: DemoNode) -> None:
        """Let an agent run before other programs, where we may."""
        assert node.program is not None
        for thread in psutil.Process(node.program.process.pid).threads():
            with suppress(PermissionError, ProcessLookupError):
                os.sched_setscheduler(thread.id, os.SCHED_RR, os.sched_param(PLAYER_RANK))

    def dropped(self, node: DemoNode) -> int:
        """Count what a node has thrown away unheard and warned about."""
        return (node.folder / "agent.log").read_text().count("WARNING edge_agent.inbox: dropped a message")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the centre's database, as a person with a shell would."""
        connection = sqlite3.connect(f"file:{self.commune.centre_state / 'loa.db'}?mode=ro", uri=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def document(self, scope: str, word: str) -> tuple[int, bytes]:
        """Give version and token of a signed document, as the centre has it."""
        ((version, token),) = self.rows(
            "SELECT version, token FROM documents WHERE scope = ? AND word = ?", scope, word
        )
        return version, token

    def media(self, node: DemoNode, sound: str) -> Path:
        """Give the file of a sound in a node's cache."""
        return node.folder / "media" / f"{self.sounds[sound].row['sha256']}.opus"

    def cut_link(self, node: DemoNode) -> None:
        """Let a node look for its broker where there is none, from its next start on, until all is brought back."""
        path = node.folder / "node.json"
        before = self._cut[path] = path.read_bytes()
        path.write_text(json.dumps({**json.loads(before), "broker_port": 1}))


@asynccontextmanager
async def running_village(folder: Path, made: Mapping[str, bytes] | None = None) -> AsyncIterator[Village]:
    """Run a village for the length of the block; leaving it ends every process.

    ``made``: its sounds by name, as WAV; without, a bulletin and a notice of real words.
    """
    async with AsyncExitStack() as stack:
        pulse = await stack.enter_async_context(PulseAudio(folder / "pulse", sinks=len(THREE_HAMLETS) + 1))
        *sinks, spare = pulse.sinks
        watch = await stack.enter_async_context(watching(pulse, spare, folder))
        recorders = [await stack.enter_async_context(pulse.record(sink)) for sink in sinks]
        files = await _files(folder, made or await _spoken())
        specs = [
            replace(spec, output="card", env=pulse.env(sink)) for spec, sink in zip(THREE_HAMLETS, sinks, strict=True)
        ]
        begun_s = time.monotonic()
        commune = await stack.enter_async_context(Commune(folder, specs))
        took_s = time.monotonic() - begun_s
        sounds = {
            name: Sound(await commune.upload(file, name), await correlate.load(file)) for name, file in files.items()
        }
        village = Village(commune, recorders, sounds, watch, back_in_s=took_s + RETRY_S)
        for node in village.nodes:
            village.let_go_first(node)
        yield village


async def _spoken() -> dict[str, bytes]:
    return {
        "bulletin": await mix.join([await speech.speak(_BULLETIN)]),
        "notice": await mix.join([tune.signature(), await speech.speak(_NOTICE)]),
    }


async def _files(folder: Path, made: Mapping[str, bytes]) -> dict[str, Path]:
    """Make what an operator brings: mp3 files."""
    files = {name: folder / f"{name}.mp3" for name in made}
    for name, joined in made.items():
        files[name].write_bytes(await mix.to_mp3(joined))
    return files


def report(config: pytest.Config, village: Village) -> None:
    """Say at the terminal what became of the scenes, whether they failed or not."""
    again = f"{len(village.repeats)} scenes were played again for a machine that stalled"
    say(config, [*village.told, again, *village.repeats])


def instant(text: str) -> datetime:
    """Read an instant of the API."""
    return datetime.fromisoformat(text)


def _end(broadcast: Row) -> datetime:
    return instant(broadcast["ends_at"])


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
