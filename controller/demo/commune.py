"""A small commune as real processes: a centre with its broker, and nodes enrolled the way a person would do it."""

import asyncio
import hashlib
import os
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from .ports import free_ports, held
from .processes import Program, ProgramFailedError, script

LOGIN = "lan"
READY_TIMEOUT_S = 60
"""A weak PC with a cold disk needs most of it."""
ONLINE_TIMEOUT_S = 30
_T = TypeVar("_T")
_CLAIM_CODE = re.compile(r"\b([2-9A-Z]{4}-[2-9A-Z]{4})\b")


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what is set for a real centre: the demo must touch neither its database nor its network."""
    return {
        name: value
        for name, value in environment.items()
        if name == "LOA_LOG" or not name.upper().startswith("LOA_")  # as the settings read them, in any case
    }


@dataclass(frozen=True)
class NodeSpec:
    """A node of the demo and where its sound goes."""

    hamlet: str
    name: str
    output: str = "virtual"
    """``card`` or ``virtual``, as ``loa-agent run --output``."""
    device: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    through: tuple[str, ...] = ()
    """Command that starts the agent, as ``nice -n -10``: what its unit file says on a real node."""
    options: tuple[str, ...] = ()
    """More of ``loa-agent run``."""


THREE_HAMLETS = (
    NodeSpec("Thôn Đông", "Nhà văn hóa thôn Đông"),
    NodeSpec("Thôn Trại", "Đầu làng Trại"),
    NodeSpec("Xóm Mới", "Cổng chợ Xóm Mới"),
)


@dataclass
class DemoNode:
    """A node that has been adopted."""

    spec: NodeSpec
    node_id: str
    area_id: str
    folder: Path
    """State folder of its agent; a virtual output writes ``output.wav`` there."""
    program: Program | None = None


class Commune:
    """A centre and its nodes on loopback. Use it as an async context manager; leaving it ends every process."""

    def __init__(
        self,
        folder: Path,
        specs: Sequence[NodeSpec] = THREE_HAMLETS,
        *,
        port: int = 0,
        env: dict[str, str] | None = None,
    ) -> None:
        self.folder, self._specs = folder, specs
        self.password = secrets.token_urlsafe(9)
        ports = free_ports(3)
        self._found = ports[1:] if port else ports
        self.port = port or ports[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.centre_state = folder / "centre"
        self.env = {
            **without_settings(os.environ),
            "LOA_STATE": str(self.centre_state),
            "LOA_PORT": str(self.port),
            "LOA_MEDIA_PORT": str(ports[1]),
            "LOA_BROKER_PORT": str(ports[2]),
            "LOA_PUBLIC_NAME": "127.0.0.1",
            **(env or {}),
        }
        self.media_url = f"https://127.0.0.1:{self.env['LOA_MEDIA_PORT']}"
        self.centre: Program | None = None
        self.nodes: list[DemoNode] = []
        self.areas: dict[str, str] = {}
        self.api = httpx.AsyncClient(base_url=f"{self.url}/api/v1", timeout=30, trust_env=False)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the centre and all nodes, and wait until every node is online."""
        self._stack.enter_context(held(self._found))
        self._stack.push_async_callback(self.api.aclose)
        self._stack.push_async_callback(self.stop)
        try:
            await self.start_centre(first=True)
            await self._settle()
            self.nodes = await _together(self._enrol(*each) for each in enumerate(self._specs, 1))
            await _together(self.start_node(node) for node in self.nodes)
            await self.until_online()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every process."""
        await self._stack.aclose()

    async def stop(self) -> None:
        """End the nodes, then the centre."""
        programs = [node.program for node in self.nodes if node.program]
        await asyncio.gather(*(program.stop() for program in programs))
        if self.centre:
            await self.centre.stop()

    # The centre.

    async def start_centre(self, *, first: bool = False) -> None:
        """Start ``loa serve`` and wait until it is ready; the first time, make the first administrator before."""
        self.centre_state.mkdir(parents=True, exist_ok=True)
        if first:
            await self._add_person()
        self.centre = await Program.start(
            "loa serve", [script("loa"), "serve"], env=self.env, log=self.folder / "centre.log"
        )
        await self._until_ready(self.centre)
        if first:
            signed_in = await self.call("POST", "/sessions", json={"login": LOGIN, "password": self.password})
            self.api.headers["Authorization"] = f"Bearer {signed_in['token']}"

    async def _add_person(self) -> None:
        env = {**self.env, "LOA_PASSWORD": self.password}
        argv = [script("loa"), "person", "add", "--login", LOGIN, "--name", "Nguyễn Thị Lan"]
        program = await Program.start("loa person add", argv, env=env, log=self.folder / "person.log")
        if await program.process.wait() != 0:
            program.check()

    async def _until_ready(self, program: Program) -> None:
        async with _within(READY_TIMEOUT_S, "a ready centre"), httpx.AsyncClient(trust_env=False) as client:
            while True:
                program.check()
                try:
                    if (await client.get(f"{self.url}/readyz")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass  # not listening yet
                await asyncio.sleep(0.1)

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API; gives the decoded answer.

        Raises:
            ProgramFailedError: the API refused, and the message carries its answer; or it does not answer.
        """
        try:
            response = await self.api.request(method, path, **options)
        except httpx.TransportError as error:
            raise ProgramFailedError(f"{method} {path}: no answer ({error!r})") from error
        if response.is_error:
            raise ProgramFailedError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    async def _settle(self) -> None:
        """Make the commune and its hamlets. It has no quiet hours, so that the demo sounds at any hour."""
        commune = await self.call(
            "POST", "/areas", json={"name": "Xã An Hòa (mẫu)", "kind": "commune", "quiet_hours": []}
        )
        self.areas["commune"] = commune["id"]
        for hamlet in dict.fromkeys(spec.hamlet for spec in self._specs):
            body = {"name": hamlet, "kind": "hamlet", "parent_id": commune["id"]}
            self.areas[hamlet] = (await self.call("POST", "/areas", json=body))["id"]

    # Nodes.

    async def _enrol(self, number: int, spec: NodeSpec) -> DemoNode:
        """Enrol a node: it shows a claim code, and we type it, as a person would."""
        folder = self.folder / f"node-{number}"
        folder.mkdir()
        log = folder / "enroll.log"
        argv = [script("loa-agent"), "enroll", "--state", str(folder), "--server", self.media_url]
        argv += ["--ca-sha256", self.ca_sha256()]
        program = await Program.start(f"loa-agent enroll ({spec.name})", argv, env=self.env, log=log)
        try:
            code = await self._claim_code(program)
            area_id = self.areas[spec.hamlet]
            body = {"claim_code": code, "area_id": area_id, "name": spec.name}
            adopted = await self.call("POST", "/enrolments/adopt", json=body)
            async with _within(ONLINE_TIMEOUT_S, f"{spec.name} enrolled"):
                if await program.process.wait() != 0:
                    program.check()
        finally:
            await program.stop()
        return DemoNode(spec, adopted["id"], area_id, folder)

    async def _claim_code(self, program: Program) -> str:
        async with _within(ONLINE_TIMEOUT_S, f"a claim code of {program.name}"):
            while True:
                program.check()
                found = _CLAIM_CODE.search(program.log.read_text(errors="replace"))
                if found:
                    return found[1]
                await asyncio.sleep(0.05)

    def ca_sha256(self) -> str:
        """Fingerprint of the private authority, as a person would read it from the page or from ``loa serve``."""
        pem = (self.centre_state / "keys" / "ca.crt").read_text()
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()

    async def start_node(self, node: DemoNode) -> None:
        """Start a node's agent."""
        argv = [*node.spec.through, script("loa-agent"), "run", "--state", str(node.folder)]
        argv += ["--output", node.spec.output]
        if node.spec.device:
            argv += ["--device", node.spec.device]
        argv += node.spec.options
        node.program = await Program.start(
            f"loa-agent run ({node.spec.name})",
            argv,
            env={**self.env, **node.spec.env},
            log=node.folder / "agent.log",
        )

    async def until_online(self, within_s: float = ONLINE_TIMEOUT_S) -> None:
        """Wait until the centre sees every node online and up to date.

        Raises:
            ProgramFailedError: an agent ended, or some node does not come.
        """
        wanted = {node.node_id for node in self.nodes}
        async with _within(within_s, "every node online and up to date"):
            while True:
                for node in self.nodes:
                    if node.program:
                        node.program.check()
                rows = await self.call("GET", "/nodes")
                ready = {row["id"] for row in rows if row["status"] == "online" and row["held_up_to_date"]}
                if wanted <= ready:
                    return
                await asyncio.sleep(0.1)

    # What a person does.

    async def upload(self, file: Path, title: str) -> dict[str, Any]:
        """Upload a recording of the commune and wait until it is ready.

        Raises:
            ProgramFailedError: the recording was rejected.
        """
        params = {"title": title, "file_name": file.name, "language": "vi", "area_id": self.areas["commune"]}
        content = await asyncio.to_thread(file.read_bytes)
        recording: dict[str, Any] = await self.call("POST", "/recordings", params=params, content=content)
        while recording["state"] == "processing":
            await asyncio.sleep(0.1)
            recording = await self.call("GET", f"/recordings/{recording['id']}")
        if recording["state"] != "ready":
            raise ProgramFailedError(f"{file.name} was rejected: {recording['reason']} {recording['reason_fields']}")
        return recording

    async def broadcast(self, title: str, recording: dict[str, Any], *, start_at: str | None = None) -> dict[str, Any]:
        """Broadcast to the whole commune, now or at ``start_at`` (RFC 3339)."""
        body = {
            "title": title,
            "recordings": [recording["id"]],
            "targets": [f"areas/{self.areas['commune']}"],
            "start_at": start_at,
            "confirm_unusual": True,  # it runs when somebody wants to see it, at night too
            "confirm_conflicts": True,  # and again while the last one still sounds
        }
        created: dict[str, Any] = await self.call("POST", "/broadcasts", json=body)
        return created

    async def until_over(self, broadcast_id: str, *, timeout_s: float) -> list[dict[str, Any]]:
        """Wait until every node has said how its play ended, or the time is over; gives the plays as they are then."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while True:
            plays: list[dict[str, Any]] = await self.call("GET", f"/broadcasts/{broadcast_id}/plays")
            if (plays and all(play["outcome"] for play in plays)) or loop.time() > until_s:
                return plays
            await asyncio.sleep(0.2)


async def _together(work: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Do all at once; when one fails, the others end too."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _within(seconds: float, what: str) -> AsyncIterator[None]:
    """Bound a wait.

    Raises:
        ProgramFailedError: it took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ProgramFailedError(f"not within {seconds:.0f} s: {what}") from None
