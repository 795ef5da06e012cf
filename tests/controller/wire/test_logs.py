"""A node's log over the whole way: asked for by a signed command, brought by the agent's code, read at the centre."""

import logging
from pathlib import Path

import pytest

from controller.nodes.rules import NodeStatus
from edge_agent.config import StateDir
from edge_agent.protocol.logs import log_path, pack_log
from tests.controller.factories import SYSTEM
from tests.controller.updates.test_wire import https

from .live import live_centre
from .test_renewed import agent_of
from .test_two_ends import until

pytestmark = pytest.mark.broker
CLAIM = "ABCD-2345"


async def test_an_agent_sends_its_log_when_it_is_asked_and_no_secret_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with live_centre(tmp_path) as live:
        hamlet, state = await live.area(), StateDir(tmp_path / "node")
        logs, services = live.centre.services.node_logs, live.centre.services
        async with agent_of(live, state, hamlet.id):
            [node] = await services.nodes.all(SYSTEM)

            async def online() -> bool:
                return (await services.nodes.get(SYSTEM, node.id)).status is NodeStatus.ONLINE

            await until(online)
            key = state.key.read_text()
            logging.getLogger("edge_agent.test").warning("code %s, key %s", CLAIM, key)
            asked = await logs.ask(live.rows.actor, node.id)

            async def came() -> bool:
                return [each.state for each in await logs.list(SYSTEM, node.id)] == ["here"]

            await until(came)
            text = await logs.text(live.rows.actor, node.id, asked.command_id)
        assert f"node {node.id} is ready" in text
        assert "edge_agent.test: code [left out], key [left out]" in text
        assert not [line for line in key.splitlines() if line in text]
        stranger = await live.node(hamlet, "Cụm 2")
        again = await live.centre.services.node_logs.list(SYSTEM, node.id)
        assert [each.id for each in again] == [asked.command_id]
        for who in (None, stranger):  # nobody else brings anything in its name, nor to its place
            async with https(live, who) as client:
                for place in (log_path(node.id, asked.command_id), log_path(stranger.node_id, asked.command_id)):
                    assert (await client.post(place, content=pack_log(("x",)))).status_code == 404
        assert state.log.read_text().splitlines()[0] in text
