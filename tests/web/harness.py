"""The real pages over real services, on a loopback port; a clock that is stepped, nodes that say what we let them."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from controller.api import create_app
from controller.areas.schemas import AreaOut, QuietWindow
from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.http.middleware import COOKIE
from controller.http.pace import Pace
from controller.http.stream import OpenStreams
from controller.http_server import HttpServer, bind
from controller.nodes.schemas import NodeOut
from controller.people.schemas import PersonOut
from controller.plays import service as plays
from controller.services import Services
from edge_agent.protocol.states import Grade, Outcome, PlayState, Reason
from tests.controller.factories import PASSWORD, UNHURRIED, Centre, centre, made_once, play_event
from web.app import add_pages
from web.site import Site

OWN = {"Sec-Fetch-Site": "same-origin"}
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: the pages are asked without TLS, and to read whom the world trusts takes longer than a page."""
PATIENCE_S = 20
"""On a machine that does much else, a page takes longer than the client's own five seconds."""
MONDAY = datetime(2031, 11, 24, 10, 3, tzinfo=UTC)
"""17:03 in Hanoi on Monday 24 November, in a year whose cookies no browser finds ended."""

_made: list[tuple[FastAPI, Site]] = []


def pages(services: Services) -> FastAPI:
    """The API and the pages over these services. Made once and handed on from test to test, with all templates read."""
    if not _made:
        app = create_app(services)
        _made.append((app, add_pages(app, services)))
    ((app, site),) = _made
    app.state.services = site.services = services
    app.state.streams, app.state.pace = OpenStreams(), Pace(UNHURRIED)
    return app


@dataclass
class Commune:
    """Three hamlets with four nodes, as a person would have set them up."""

    centre: Centre
    root: AreaOut
    hamlets: dict[str, AreaOut]
    nodes: dict[str, NodeOut]
    group: asyncio.TaskGroup
    port: int
    serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start_serving(self) -> None:
        """Answer, on the same port each time."""
        app = pages(self.centre.services)
        listening = socket.create_server(("127.0.0.1", self.port))
        server = HttpServer("http", app, listening)
        self.serving = self.group.create_task(server.run())
        await server.ready.wait()

    async def stop_serving(self) -> None:
        """Be gone, as a centre whose machine is off."""
        if self.serving:
            self.serving.cancel()
            await asyncio.wait([self.serving])
            self.serving = None

    async def says(self, run: BroadcastOut, name: str, **said: Any) -> None:
        """Let a node report about its part of a broadcast."""
        event = play_event(run.id, 1, self.centre.clock(), **said)
        async with self.centre.database.transaction() as tx:
            assert await plays.apply(tx, self.nodes[name].id, event, self.centre.clock())

    async def reach(self, run: BroadcastOut, state: PlayState, *names: str) -> None:
        for name in names:
            await self.says(run, name, state=state)

    async def played(self, run: BroadcastOut, *names: str, grade: Grade = Grade.E1, simulated: bool = False) -> None:
        for name in names:
            await self.says(run, name, state=PlayState.PLAYING, item=0, start_error_ms=0.4)
            figures = {"requested_ms": run.length_ms, "played_ms": run.length_ms, "underruns": 0}
            await self.says(run, name, outcome=Outcome.PLAYED, grade=grade, simulated=simulated, **figures)

    async def missed(self, run: BroadcastOut, name: str, reason: Reason) -> None:
        await self.says(run, name, outcome=Outcome.MISSED, reason=reason)

    def plays_now(self, run: BroadcastOut, *names: str) -> None:
        """Let nodes say in their health what sounds."""
        now = self.centre.clock()
        for name in names:
            said = {
                "broadcast_id": run.id,
                "item": 0,
                "started_at": now.isoformat(),
                "ends_at": run.ends_at.isoformat(),
            }
            self.centre.hears(self.nodes[name].id, now_playing=said)

    async def broadcast(self, title: str, *targets: str, length_ms: int = 24_000, **given: Any) -> BroadcastOut:
        recording = await self.centre.recording(title, length_ms=length_ms)
        scopes = [self.hamlets[name].scope for name in targets] or [self.root.scope]
        services = self.centre.services
        wanted = BroadcastIn.checked(title=title, recordings=[recording], targets=scopes, **given)
        return await services.broadcasts.create(self.centre.actor, wanted)


NODES = {
    "Nhà văn hóa thôn Đồng": "Thôn Đồng",
    "Đầu làng Trại": "Thôn Trại",
    "Cổng chợ Trại": "Thôn Trại",
    "Xóm Mới, gần trạm y tế": "Tổ dân phố số 12, thị trấn Hương Sơn",
}


@made_once
async def nga_my(here: Centre) -> tuple[AreaOut, dict[str, AreaOut], dict[str, NodeOut]]:
    """Give the commune, its hamlets and its nodes, on that Monday."""
    here.clock.now = MONDAY
    root = await here.area("Xã Nga My", kind="commune", quiet_hours=[QuietWindow(start="22:00", until="05:00")])
    hamlets = {name: await here.area(name, root) for name in dict.fromkeys(NODES.values())}
    return root, hamlets, {name: await here.node(hamlets[place], name) for name, place in NODES.items()}


def _port_of_ours() -> socket.socket:
    """Take a port as long as the pages are wanted: who asks again while nobody answers there is given no such port."""
    return bind("127.0.0.1", 0, setting="another port")


@asynccontextmanager
async def commune(folder: Path, **given: Any) -> AsyncIterator[Commune]:
    """Open the pages of a commune for the length of the block."""
    with _port_of_ours() as held:
        async with centre(folder, **given) as made, asyncio.TaskGroup() as group:
            root, hamlets, nodes = await nga_my(made)
            worker = group.create_task(made.services.processing.run())
            opened = Commune(made, root, hamlets, nodes, group, held.getsockname()[1])
            await opened.start_serving()
            try:
                yield opened
            finally:
                await opened.stop_serving()
                worker.cancel()


@asynccontextmanager
async def first_day(folder: Path) -> AsyncIterator[Commune]:
    """Open the pages of a centre in which there is an administrator, and nothing else."""
    with _port_of_ours() as held:
        async with centre(folder) as made, asyncio.TaskGroup() as group:
            made.clock.now = MONDAY
            there_is_no_place: Any = None
            opened = Commune(made, there_is_no_place, {}, {}, group, held.getsockname()[1])
            await opened.start_serving()
            try:
                yield opened
            finally:
                await opened.stop_serving()


@asynccontextmanager
async def visitor(
    site: Commune, *, signed_in: bool = True, who: PersonOut | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser's requests by hand, of the administrator or of ``who``.

    The cookie is set here because its prefix asks for https or localhost.
    """
    async with httpx.AsyncClient(
        base_url=site.url, headers=OWN, timeout=PATIENCE_S, trust_env=False, verify=NOBODY
    ) as client:
        if who is not None:
            client.headers["Cookie"] = f"{COOKIE}={await site.centre.session_of(who)}"
        elif signed_in:
            answer = await client.post("/sign-in", data={"login": "lan", "password": PASSWORD})
            assert answer.status_code == 303
            client.headers["Cookie"] = answer.headers["set-cookie"].split(";")[0]
        yield client
