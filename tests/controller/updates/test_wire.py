"""Updates over the wire: a real broker, bundles over HTTPS by the node's own certificate, and the agent's own code."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.clock import system_clock
from controller.errors import BusyError
from controller.updates.schemas import ReleaseOut, RolloutIn
from controller.updates.states import RolloutState, State, Stopped
from controller.updates.traffic import FOR_ONE, Traffic
from edge_agent.config import StateDir
from edge_agent.updates.layout import Inbox, Opt, this_machine
from edge_agent.updates.slots import Slots
from tests.controller.factories import SYSTEM
from tests.controller.wire.live import FakeNode, Live, live_centre
from tests.controller.wire.test_renewed import agent_of
from tests.controller.wire.test_two_ends import until

from .shop import BUNDLE, body, new_update_key, packed, signed, trust

pytestmark = pytest.mark.broker


@asynccontextmanager
async def centre_with_release(folder: Path, **given: Any) -> AsyncIterator[tuple[Live, ReleaseOut]]:
    """A running centre that believes an update key, and has a release of it."""
    key, keys = new_update_key(), folder / "centre" / "keys"
    trust(keys, key, system_clock())
    async with live_centre(folder) as live:
        bundle = packed(given.get("board", "arm64"))
        token = signed(key, system_clock(), bundle=bundle, **given)
        yield live, await live.centre.services.releases.add(SYSTEM, token, body(bundle))


@asynccontextmanager
async def https(live: Live, node: FakeNode | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client at the nodes' port, with a node's certificate or none."""
    context = node.tls() if node else ssl.create_default_context(cafile=live.centre.authority.ca_file)
    async with httpx.AsyncClient(base_url=live.centre.node_url, verify=context) as client:
        yield client


async def test_a_bundle_is_fetched_with_a_nodes_certificate_and_continued_where_it_broke_off(tmp_path: Path) -> None:
    async with centre_with_release(tmp_path) as (live, release):
        area, url = await live.area(), f"/updates/{release.sha256}"
        node, stolen = await live.node(area, "Cụm 1"), await live.node(area, "Cụm 2")
        async with https(live, node) as client:
            whole = await client.get(url)
            assert (whole.status_code, whole.content) == (200, BUNDLE)
            assert whole.headers["etag"] == f'"{release.sha256}"'
            rest = await client.get(url, headers={"Range": "bytes=1000-"})
            assert (rest.status_code, rest.content) == (206, BUNDLE[1000:])
            assert rest.headers["content-range"] == f"bytes 1000-{len(BUNDLE) - 1}/{len(BUNDLE)}"
            part = await client.get(url, headers={"Range": "bytes=10-19"})
            assert part.content == BUNDLE[10:20]
            beyond = await client.get(url, headers={"Range": f"bytes={len(BUNDLE)}-"})
            assert beyond.status_code == 416
            several = await client.get(url, headers={"Range": "bytes=0-1,5-6"})
            assert (several.status_code, several.content) == (200, BUNDLE)
            assert (await client.get(url, headers={"If-None-Match": f'"{release.sha256}"'})).status_code == 304
            assert (await client.get("/updates/../keys/ca.key")).status_code == 404
            await check_places(live, client, url)
            assert (await client.get(f"/updates/{'0' * 64}")).status_code == 404
        async with https(live, None) as client:
            assert (await client.get(url)).status_code == 404
        async with https(live, stolen) as client:
            assert (await client.get(url)).status_code == 200
            await live.centre.services.revocations.revoke(SYSTEM, stolen.node_id, "mất trộm")
            assert (await client.get(url)).status_code == 404, "also on the connection that it has"
        async with httpx.AsyncClient(base_url=live.centre.url) as client:
            answer = await client.get(url)
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in"), (
                "only pages here"
            )


async def check_places(live: Live, client: httpx.AsyncClient, url: str) -> None:
    """Beyond so many who fetch, others come back; who has fetched gives its place back."""
    traffic = Traffic(at_once=1)
    object.__setattr__(live.centre.services, "update_traffic", traffic)
    with traffic.one_more("node-x"):
        refused = await client.get(url)
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (503, True)
    assert [(await client.get(url)).status_code for _ in range(3)] == [200] * 3


async def test_a_place_is_given_back_by_who_breaks_off(tmp_path: Path) -> None:
    traffic, path = Traffic(at_once=1, bytes_per_s=1_000_000), tmp_path / "x.bundle"
    path.write_bytes(b"x" * 1_000_000)
    with traffic.one_more("node-x"):
        pieces = traffic.pieces(path, 0, 1_000_000)
        await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]  # it is a generator
        with pytest.raises(BusyError), traffic.one_more("node-x"):
            pass
    with traffic.one_more("node-x"):
        pass


def test_one_certificate_takes_few_places() -> None:
    traffic = Traffic(at_once=20)
    with ExitStack() as many:
        for _ in range(FOR_ONE):
            many.enter_context(traffic.one_more("node-bad"))
        with pytest.raises(BusyError), traffic.one_more("node-bad"):
            pass
        with traffic.one_more("node-good"):
            pass
    with traffic.one_more("node-bad"):
        pass


@pytest.mark.fault("F27")
async def test_a_whole_agent_fetches_what_it_is_told_and_its_refusal_stops_the_rollout(tmp_path: Path) -> None:
    """The bundle is signed and whole, and what is in it does not even begin: whoever lays it down refuses it."""
    machine = this_machine()
    assert machine is not None
    opt = tmp_path / "opt"
    opt.mkdir()
    async with centre_with_release(tmp_path, board=machine.board, python=machine.python) as (live, release):
        hamlet, state, services = await live.area(), StateDir(tmp_path / "node"), live.centre.services
        async with agent_of(live, state, hamlet.id, slots=opt):
            [node] = await services.nodes.all(SYSTEM)

            async def offers() -> bool:
                return "update" in (await services.nodes.get(SYSTEM, node.id)).commands

            await until(offers)
            rollout = await services.rollouts.start(SYSTEM, RolloutIn(release=7, targets=(hamlet.scope,)))
            await services.steering.look()
            inbox = Inbox(state.update)

            async def fetched() -> bool:
                return inbox.bundle(release.sha256).exists() and inbox.ask.exists()

            await until(fetched)
            assert inbox.bundle(release.sha256).read_bytes() == packed(machine.board)
            await services.steering.look()
            assert [each.state for each in (await services.rollouts.get(SYSTEM, rollout.id)).nodes] == [State.FETCHING]

            async def refused() -> bool:
                await asyncio.to_thread(Slots(inbox, Opt(opt)).work)
                await services.steering.look()
                return (await services.rollouts.get(SYSTEM, rollout.id)).state is RolloutState.STOPPED

            await until(refused)
            found = await services.rollouts.get(SYSTEM, rollout.id)
            assert found.reason is Stopped.FIRST_WAVE
            assert [(each.state, each.reason) for each in found.nodes] == [(State.REFUSED, "not_started")]
            shown = await services.nodes.get(SYSTEM, node.id)
            assert shown.update is not None
            assert (shown.release, shown.update.state, shown.board) == (0, "refused", machine.board)
