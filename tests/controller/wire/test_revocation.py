"""A stolen node: cut off while it is connected, let in never again, and nobody else notices."""

import asyncio
import errno
import ssl
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from sqlalchemy import select

from controller.cli import main as loa
from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.plans.models import Document
from controller.plays.schemas import PlayOut
from controller.renewals.models import NodeCertificate
from controller.renewals.void import VoidBook, Voided
from controller.wire import broker, revoker
from controller.wire.broker_config import access_rules
from controller.wire.mqtt import Connection, LinkError
from controller.wire.pki import CENTRE
from edge_agent.protocol.documents import Settings
from edge_agent.protocol.enrolment import new_claim_code
from edge_agent.protocol.states import Outcome
from edge_agent.protocol.topics import Word
from tests.controller import factories
from tests.controller.factories import SYSTEM

from .live import FakeNode, Live, event, live_centre
from .test_two_ends import say_now, until

pytestmark = pytest.mark.broker

CUT_OFF_S = 60.0
"""The promise. It takes some 3 s here, of which 2 are spent seeing that nobody takes the session back."""


async def revoke(live: Live, node: FakeNode) -> float:
    """Revoke a node; give the seconds until the wire had followed."""
    began = time.monotonic()
    await live.centre.services.revocations.revoke(live.rows.actor, node.node_id, "mất trộm")

    async def done() -> bool:
        return node.node_id in live.centre.revoker.cut

    await until(done)
    return time.monotonic() - began


async def refused(node: FakeNode) -> None:
    """See that its certificate opens no connection."""
    connection = Connection(node.node_id, node.tls(), lambda _topic, _payload, _retained: None)
    bridge = node.centre.bridge
    with pytest.raises(LinkError):
        await connection.open(bridge.host, bridge.port)


async def test_a_stolen_node_loses_its_session_and_its_neighbour_notices_nothing(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        hamlet = await live.area()
        stolen, neighbour = await live.node(hamlet, "Cụm 1"), await live.node(hamlet, "Cụm 2")
        async with neighbour.connected():
            stood = neighbour.client._disconnected
            async with stolen.connected():
                await stolen.hello()
                await stolen.document(Settings, stolen.scope)
                broadcast = await say_now(live, f"areas/{hamlet.id}")
                assert await revoke(live, stolen) < CUT_OFF_S
                assert stolen.client._disconnected.done()
                with pytest.raises(aiomqtt.MqttError):
                    await stolen.say(stolen.health())
            await refused(stolen)
            bridge = live.centre.bridge
            bridge.dropped.clear()
            bridge._take(f"loa/v1/{stolen.scope}/{Word.HEALTH}", b"{}", retained=False)
            assert bridge.dropped == {"revoked": 1}, "whatever the broker would still hand on in its name"
            await neighbour.report(event(1, broadcast.id))
            await until(lambda: _is(live, broadcast.id, neighbour, lambda play: play.state == "received"))
            assert not stood.done()
            assert await _is(live, broadcast.id, stolen, lambda play: play.outcome == Outcome.CANCEL_UNCONFIRMED)


async def test_a_stolen_node_loses_its_session_also_when_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the broker's lists nor what takes its session could be written at first."""
    monkeypatch.setattr(revoker, "LOOK_S", 0.1)
    async with live_centre(tmp_path) as live:
        stolen = await live.node(await live.area())
        authority, failed = live.centre.authority, Counter[str]()
        write, context = broker._replace, authority.context_in_the_name_of

        def full(what: str) -> None:
            if failed[what] < 2:
                failed[what] += 1
                raise OSError(errno.ENOSPC, "No space left on device")

        def no_lists(path: Path, *given: Any) -> None:
            full("lists")
            write(path, *given)

        def no_context(node_id: str) -> ssl.SSLContext:
            full("context")
            return context(node_id)

        monkeypatch.setattr(broker, "_replace", no_lists)
        monkeypatch.setattr(authority, "context_in_the_name_of", no_context)
        async with stolen.connected():
            await stolen.hello()
            await revoke(live, stolen)
            assert stolen.client._disconnected.done()
        await refused(stolen)
        assert failed == {"lists": 2, "context": 2}


async def test_the_broker_forgets_what_it_kept_of_a_stolen_node(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected():
            await node.hello()
            await node.document(Settings, node.scope)
            await revoke(live, node)
        mine = live.centre.authority.context_in_the_name_of(CENTRE)
        kept: list[str] = []
        reader = Connection(CENTRE, mine, lambda topic, _payload, _retained: kept.append(topic))
        await reader.open(live.centre.bridge.host, live.centre.bridge.port)
        try:
            await reader.subscribe([f"loa/v1/{node.scope}/#"])
            await reader.publish("loa/v1/nodes/somebody/hold", b"last", qos=1, retain=False)
        finally:
            await reader.close()
        assert kept == []
        async with live.centre.services.database.reading() as session:
            rows = await session.scalars(select(Document).where(Document.scope == node.scope))
            assert rows.all() == []


async def test_what_was_revoked_while_nobody_ran_is_not_let_in_afterwards(tmp_path: Path) -> None:
    """By the command beside a centre that is down; or by a row that a copy of before has put back as it was then.

    Rows are put back from copies; what stands beside the authority's key is not.
    """
    keys = tmp_path / "centre" / "keys"
    async with live_centre(tmp_path) as live:
        hamlet = await live.area()
        node, before, other = [await live.node(hamlet, f"Cụm {number}") for number in range(3)]
        async with live.rows.database.reading() as session:
            row = (await session.scalars(select(NodeCertificate).filter_by(node_id=before.node_id))).one()
    VoidBook(keys).add([Voided(before.node_id, row.serial, row.issued_at, row.expires_at)], datetime.now(UTC))
    command = ["nodes", "revoke", node.node_id, "--reason", "mất trộm", "--state", str(tmp_path / "centre")]
    assert await asyncio.to_thread(loa, command) == 0
    async with live_centre(tmp_path) as live:
        for each in (node, before, other):
            each.centre = live.centre
        await refused(node)
        await refused(before)
        async with other.connected():
            await other.document(Settings, other.scope)
    assert {each.node_id for each in VoidBook(keys).at(datetime.now(UTC))} == {node.node_id, before.node_id}


async def test_a_node_in_strange_hands_is_not_heard(tmp_path: Path) -> None:
    """Whatever the broker still hands on."""
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        bridge = live.centre.bridge
        bridge.do_not_hear({node.node_id})
        async with node.connected():
            await node.hello()
            await node.report(event(1))

            async def dropped() -> bool:
                return bridge.dropped["revoked"] >= 2

            await until(dropped)
        assert (await live.centre.services.nodes.get(SYSTEM, node.node_id)).last_heard_at is None


async def test_a_revoked_node_is_gone_told_and_comes_back_only_as_another(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        hamlet = await live.area()
        node = await live.node(hamlet)
        services = live.centre.services
        await services.revocations.revoke(live.rows.actor, node.node_id, "mất trộm")
        with pytest.raises(NotFoundError):
            await services.nodes.get(live.rows.actor, node.node_id)
        with pytest.raises(ConflictError, match="was revoked already"):
            await services.revocations.revoke(live.rows.actor, node.node_id, "mất trộm")
        [alarm] = await services.alarms.list(live.rows.actor, waiting=True)
        assert (alarm.kind, alarm.subject, alarm.detail["reason"]) == ("nodes.revoked", node.scope, "mất trộm")
        with pytest.raises(InvalidError, match="revoked"):
            await services.enrolments.ask(factories.enrolment_request(new_claim_code(), node.key), factories.ADDRESS)
        again = await live.node(hamlet)
        assert again.node_id != node.node_id


def test_a_denial_stands_before_what_everybody_may() -> None:
    lines = access_rules({"n-2", "n-1"}).splitlines()
    assert (
        lines.index("user n-1")
        < lines.index("user n-2")
        < lines.index(next(line for line in lines if line.startswith("pattern")))
    )
    assert lines.count("topic deny #") == 2


async def _is(live: Live, broadcast_id: str, node: FakeNode, fits: Callable[[PlayOut], bool]) -> bool:
    plays = await live.centre.services.broadcasts.plays(live.rows.actor, broadcast_id)
    return any(play.node_id == node.node_id and fits(play) for play in plays)
