"""The centre and a node, end to end over a real broker: what is said arrives, and nothing else may be said."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey
from paho.mqtt.client import Client
from sqlalchemy import func, select

from controller.broadcasts.schemas import BroadcastIn, BroadcastOut
from controller.clock import system_clock
from controller.nodes.rules import NodeStatus
from controller.plans.models import PlanBody
from controller.receipts.models import Receipt
from controller.wire import broker as broker_module
from controller.wire import mqtt
from controller.wire.keys import load_keys, private_pem
from controller.wire.mqtt import Connection, LinkError, RefusedError
from controller.wire.pki import CENTRE, Authority
from edge_agent.protocol import content
from edge_agent.protocol.documents import Command, CommandAction, Hold, Plan, ReceiptsAck, Settings, TimeAnswer, Urgent
from edge_agent.protocol.reports import Leaving, TimeAsk
from edge_agent.protocol.signing import ALGORITHM, SigningKey
from edge_agent.protocol.states import Outcome, PlayState, Reason
from tests.controller.factories import SYSTEM

from .live import WITHIN_S, FakeNode, Live, encode, event, live_centre

pytestmark = pytest.mark.broker


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that nobody tells of."""
    async with asyncio.timeout(WITHIN_S):
        while not await true():  # noqa: ASYNC110  rows have no events
            await asyncio.sleep(0.02)


async def status(node: FakeNode) -> NodeStatus:
    return (await node.centre.services.nodes.get(SYSTEM, node.node_id)).status


async def say_now(live: Live, *targets: str, audio: bytes = b"Ogg") -> BroadcastOut:
    """A broadcast now, of a recording whose file lies there."""
    recording = await live.rows.recording(length_ms=2_000, bytes=len(audio))
    row = await live.centre.services.recordings.get(SYSTEM, recording)
    (live.centre.config.media / f"{row.sha256}.opus").write_bytes(audio)
    wanted = BroadcastIn(title="Thông báo", recordings=(recording,), targets=targets, confirm_unusual=True)  # by night
    return await live.centre.services.broadcasts.create(live.rows.actor, wanted)


async def test_a_node_that_connects_finds_everything_that_holds_for_it(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        commune = await live.area("Xã Hòa Bình")
        hamlet = await live.area("Thôn Đông", commune)
        node = await live.node(hamlet)
        areas = [f"areas/{hamlet.id}", f"areas/{commune.id}"]
        async with node.connected():
            await node.document(Settings, node.scope)  # the last one to be signed
        node.inbox.clear()
        async with node.connected(*(f"loa/v1/{scope}/#" for scope in areas)):
            settings = await node.document(Settings, node.scope)
            assert [area.area_id for area in settings.areas] == [hamlet.id, commune.id]
            for scope in (node.scope, *areas):
                assert (await node.document(Hold, scope)).active == ()
                assert (await node.document(Urgent, scope)).broadcasts == ()
                plan = await node.document(Plan, scope)
                async with live.centre.services.database.reading() as session:
                    body = await session.get(PlanBody, plan.body_sha256)
                assert body is not None
                assert content.unpack_body(body.packed, sha256=plan.body_sha256, scope=scope).broadcasts == ()
            assert all(came.retained for came in node.inbox)


async def test_stop_and_its_release_reach_a_connected_node(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node = await live.node(area)
        scope = f"areas/{area.id}"
        async with node.connected(f"loa/v1/{scope}/#"):
            [hold] = await live.centre.services.holds.order(live.rows.actor, [scope])
            await node.document(Hold, scope, lambda said: [each.hold_id for each in said.active] == [hold.id])
            await live.centre.services.holds.release(live.rows.actor, hold.id)
            last = await node.document(Hold, scope, lambda said: hold.id in said.released)
            assert last.active == ()


async def test_what_is_said_now_comes_with_its_audio_inside(tmp_path: Path) -> None:
    audio = b"OggS" * 2_000
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node = await live.node(area)
        async with node.connected(f"loa/v1/areas/{area.id}/#"):
            sent = await say_now(live, f"areas/{area.id}", audio=audio)
            urgent = await node.document(Urgent, f"areas/{area.id}", lambda said: said.broadcasts != ())
    assert [each.broadcast_id for each in urgent.broadcasts] == [sent.id]
    assert urgent.broadcasts[0].approved_for(frozenset({f"areas/{area.id}"}))
    assert urgent.inline == {urgent.broadcasts[0].items[0].voices[0].sha256: audio}


async def test_a_scheduled_broadcast_stands_in_the_plan_and_leaves_it_when_cancelled(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node = await live.node(area)
        services, scope = live.centre.services, f"areas/{area.id}"
        async with node.connected(f"loa/v1/{scope}/#"):
            before = await node.document(Plan, scope)
            sent = await services.broadcasts.create(
                live.rows.actor,
                BroadcastIn(
                    title="Bản tin",
                    recordings=(await live.rows.recording(),),
                    targets=(scope,),
                    start_at=datetime.now(UTC) + timedelta(hours=1),
                    confirm_unusual=True,  # tests run at night too
                ),
            )
            plan = await node.document(Plan, scope, lambda said: said.body_sha256 != before.body_sha256)
            packed = await services.media.plan_body(plan.body_sha256)
            body = content.unpack_body(packed, sha256=plan.body_sha256, scope=scope)
            assert [each.broadcast_id for each in body.broadcasts] == [sent.id]
            await services.broadcasts.cancel(live.rows.actor, sent.id)
            await node.document(Plan, scope, lambda said: said.body_sha256 == before.body_sha256 and said.version > 1)
            urgent = await node.document(Urgent, scope, lambda said: said.stops != ())
            assert [stop.broadcast_id for stop in urgent.stops] == [sent.id]


async def test_a_node_hears_its_areas_and_itself_and_nobody_else(tmp_path: Path) -> None:
    """Counted are deliveries: the broker grants the subscription and delivers nothing of it."""
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node, other = await live.node(area), await live.node(area, "Cụm 2")
        async with other.connected("loa/v1/#", "#"):
            await live.centre.services.holds.order(live.rows.actor, [node.scope])
            await live.centre.services.holds.order(live.rows.actor, [f"areas/{area.id}"])
            await other.document(Hold, f"areas/{area.id}", lambda said: said.active != ())
            assert {came.topic.split("/")[3] for came in other.inbox} == {area.id, other.node_id}


async def test_a_node_may_write_its_own_reports_and_nothing_else(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node, other = await live.node(area), await live.node(area, "Cụm 2")
        connection = Connection("whatever", other.tls(), lambda *_came: None)
        await connection.open("127.0.0.1", live.centre.config.broker_port)
        try:
            for topic in (
                *(f"nodes/{node.node_id}/{word}" for word in ("presence", "health", "receipts", "time/ask")),
                *(f"{other.scope}/{word}" for word in ("hold", "urgent", "plan", "settings", "command")),
                *(f"areas/{area.id}/{word}" for word in ("hold", "urgent", "plan")),
            ):
                with pytest.raises(RefusedError):
                    await connection.publish(f"loa/v1/{topic}", b"{}", qos=1, retain=True)
            await connection.publish(
                f"loa/v1/{other.scope}/presence", encode(Leaving(reason="test")), qos=1, retain=True
            )
        finally:
            await connection.close()
        assert await status(node) is NodeStatus.NEVER_SEEN


async def test_nobody_can_take_the_centres_place(tmp_path: Path) -> None:
    """Who connects with another's client id gets its own: the certificate's name."""
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected(identifier="centre"):
            await node.hello()
            await until(lambda: _is(node, NodeStatus.ONLINE))
            assert live.centre.bridge.connected


async def _is(node: FakeNode, wanted: NodeStatus) -> bool:
    return await status(node) is wanted


async def test_the_broker_talks_to_nobody_without_a_node_certificate_of_ours(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        authority, port = live.centre.authority, live.centre.config.broker_port
        foreign_folder = tmp_path / "foreign"
        foreign_folder.mkdir()
        Authority(foreign_folder, load_keys(foreign_folder), system_clock, names=("localhost",))
        shown = {
            "nothing": None,
            "the server's own": (authority.server_chain, authority.server_key),
            "another authority's": (foreign_folder / "centre.crt", foreign_folder / "centre.key"),
        }
        for name, pair in shown.items():
            context = ssl.create_default_context(cafile=authority.ca_file)
            if pair is not None:
                context.load_cert_chain(*pair)
            assert await answer_of_broker(port, context) == b"", name
        node = await live.node(await live.area())
        assert await answer_of_broker(port, node.tls()) != b""


async def answer_of_broker(port: int, context: ssl.SSLContext) -> bytes:
    """What the broker says to an MQTT 5 CONNECT; nothing when it breaks off."""
    connect = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x14\x00\x00\x03abc"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(connect)
        async with asyncio.timeout(WITHIN_S):
            return await reader.read(4)
    except (ssl.SSLError, ConnectionError):
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            await writer.wait_closed()


async def test_a_broker_that_is_killed_comes_back_with_every_document(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node = await live.node(area)
        [hold] = await live.centre.services.holds.order(live.rows.actor, [f"areas/{area.id}"])
        async with node.connected():
            await node.document(Settings, node.scope)
            killed = live.centre.broker.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)

            async def came_back() -> bool:
                return live.centre.bridge.connected and live.centre.broker.pid not in {None, killed}

            await until(came_back)
        node.inbox.clear()
        async with node.connected(f"loa/v1/areas/{area.id}/#"):
            found = await node.document(Hold, f"areas/{area.id}")
            assert [each.hold_id for each in found.active] == [hold.id]
            for kind in (Urgent, Plan, Settings):
                await node.document(kind, node.scope)


async def test_a_broker_that_ends_while_the_disk_does_not_answer_comes_back_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it reads cannot be written, and the centre's own certificate cannot be read; the centre goes on."""
    async with live_centre(tmp_path) as live:
        authority, failed = live.centre.authority, Counter[str]()
        write, context = broker_module._write, authority.centre_context

        def gone(what: str) -> None:
            if failed[what] < 2:
                failed[what] += 1
                raise OSError(errno.EIO, "Input/output error")

        def no_writing(path: Path, *given: Any) -> None:
            gone("writing")
            write(path, *given)

        def no_reading() -> ssl.SSLContext:
            gone("reading")
            return context()

        killed = live.centre.broker.pid
        assert killed is not None
        monkeypatch.setattr(broker_module, "_write", no_writing)
        monkeypatch.setattr(authority, "centre_context", no_reading)
        os.kill(killed, signal.SIGKILL)

        async def came_back() -> bool:
            return live.centre.bridge.connected and live.centre.broker.pid not in {None, killed}

        await until(came_back)
        assert failed == {"writing": 2, "reading": 2}


async def test_a_connection_that_was_given_up_takes_no_session_when_it_opens_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live_centre(tmp_path) as live:
        bridge, loop = live.centre.bridge, asyncio.get_running_loop()
        late, opened, connect = threading.Event(), asyncio.Event(), Client.connect

        def connect_late(*given: Any, **named: Any) -> Any:
            late.wait(WITHIN_S)
            try:
                return connect(*given, **named)
            finally:
                loop.call_soon_threadsafe(opened.set)

        monkeypatch.setattr(Client, "connect", connect_late)
        monkeypatch.setattr(mqtt, "CONNECT_S", 0.05)
        connection = Connection(CENTRE, live.centre.authority.centre_context(), lambda *_came: None)
        with pytest.raises(LinkError):
            await connection.open(bridge.host, bridge.port)
        late.set()
        await asyncio.wait_for(opened.wait(), WITHIN_S)
        held = connection._client.socket()
        assert held is not None
        assert held.fileno() < 0, "it is open, and in the centre's name"
        assert bridge.connected


async def test_the_broker_takes_a_new_certificate_and_no_session_ends(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node, broker = await live.node(area), live.centre.broker
        pid, before = broker.pid, await asyncio.to_thread(shown_by_the_broker, live)
        async with node.connected(f"loa/v1/areas/{area.id}/#"):
            live.centre.authority.server_chain.unlink()
            assert live.centre.authority.renew()
            broker.renew_certificate()

            async def is_new() -> bool:
                return await asyncio.to_thread(shown_by_the_broker, live) != before

            await until(is_new)
            [hold] = await live.rows.services.holds.order(live.rows.actor, [f"areas/{area.id}"])
            await node.document(
                Hold, f"areas/{area.id}", lambda said: hold.id in {each.hold_id for each in said.active}
            )
        assert broker.pid == pid
        assert live.centre.bridge.connected
        async with node.connected():
            await node.document(Settings, node.scope)


def shown_by_the_broker(live: Live) -> bytes:
    """The certificate that whoever connects now is shown."""
    context = ssl.create_default_context(cafile=live.centre.authority.ca_file)
    address = ("127.0.0.1", live.centre.config.broker_port)
    with (
        socket.create_connection(address, timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


async def test_receipts_are_acknowledged_once_they_are_rows(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node = await live.node(area)
        sent = await say_now(live, f"areas/{area.id}")
        async with node.connected():
            await node.report(event(1, sent.id), event(2, sent.id, PlayState.CACHED))
            ack = await node.document(ReceiptsAck, node.scope)
            assert (ack.store_id, ack.stored_through_seq, ack.send_from_seq) == (node.store_id, 2, None)
            async with live.centre.services.database.reading() as session:
                assert await session.scalar(select(func.count()).select_from(Receipt)) == 2
            [play] = await live.centre.services.broadcasts.plays(SYSTEM, sent.id)
            assert play.state is PlayState.CACHED
            end = event(3, sent.id)
            over = type(end)(seq=3, at=end.at, broadcast_id=sent.id, outcome=Outcome.MISSED, reason=Reason.NO_FILE)
            await node.report(over)
            await node.document(ReceiptsAck, node.scope, lambda said: said.stored_through_seq == 3)
            [play] = await live.centre.services.broadcasts.plays(SYSTEM, sent.id)
            assert (play.outcome, play.reason) == (Outcome.MISSED, Reason.NO_FILE)


async def test_receipts_with_a_gap_are_asked_for_again(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected():
            await node.report(event(1), event(4))
            ack = await node.document(ReceiptsAck, node.scope)
            assert (ack.stored_through_seq, ack.send_from_seq) == (1, 2)
            await node.report(event(2), event(3))
            ack = await node.document(ReceiptsAck, node.scope, lambda said: said.stored_through_seq == 4)
            assert ack.send_from_seq is None


async def test_forged_receipts_are_counted_and_change_nothing(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected():
            await node.report(event(1), key=Ed25519PrivateKey.generate())
            await node.client.publish(f"loa/v1/{node.scope}/receipts", b"\xff" * 100, 1)
            await node.report(event(7))
            ack = await node.document(ReceiptsAck, node.scope)
            assert (ack.stored_through_seq, ack.send_from_seq) == (0, 1)
            assert live.centre.ingest.dropped == {"unknown_key": 1, "malformed": 1}
            async with live.centre.services.database.reading() as session:
                assert list(await session.scalars(select(Receipt.seq))) == [7]


async def test_a_broken_link_makes_a_node_offline_without_waiting(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        with pytest.raises(aiomqtt.MqttError):
            await lose_link(node)
        assert (await live.centre.services.nodes.get(SYSTEM, node.node_id)).leaving_reason is None


async def lose_link(node: FakeNode) -> None:
    async with node.connected():
        await node.hello()
        await until(lambda: _is(node, NodeStatus.ONLINE))
        held = node.client._client.socket()
        assert isinstance(held, socket.socket)
        held.shutdown(socket.SHUT_RDWR)
        await until(lambda: _is(node, NodeStatus.OFFLINE))
        await node.client.publish("loa/v1/never", b"")


async def test_a_goodbye_tells_its_reason(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected():
            await node.hello()
            await node.say(node.health())
            await node.say(Leaving(reason="update"))
            await until(lambda: _is(node, NodeStatus.OFFLINE))
        assert (await live.centre.services.nodes.get(SYSTEM, node.node_id)).leaving_reason == "update"


async def test_who_asks_for_the_time_gets_it_for_this_question(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected():
            asked_at = datetime.now(UTC)
            await node.say(TimeAsk(nonce="0123456789abcdef" * 2))
            answer = await node.document(TimeAnswer, node.scope)
            assert answer.nonce == "0123456789abcdef" * 2
            assert asked_at <= answer.time_at <= datetime.now(UTC)


async def test_a_command_reaches_a_node_that_is_there_and_is_not_kept(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected():
            await node.hello()
            await until(lambda: _is(node, NodeStatus.ONLINE))
            live.centre.services.live.note(node.node_id, abilities={"commands": ["self_test"]})
            asked = await live.centre.services.node_acts.self_test(live.rows.actor, node.node_id)
            command = await node.document(Command, node.scope)
            assert (command.command_id, command.action) == (asked.command_id, CommandAction.SELF_TEST)
        node.inbox.clear()
        async with node.connected():
            await node.document(Settings, node.scope)
            assert not any(came.retained and came.topic.endswith("/command") for came in node.inbox)


async def test_nonsense_from_a_node_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    deep = b'{"state":"online","x":' + b"[" * 50_000
    nonsense = (b"", b"\x00", b"[]", b'{"state":"online"}', b"9" * 100_000, deep, b'{"state":"\xff"}')
    async with live_centre(tmp_path) as live:
        node = await live.node(await live.area())
        async with node.connected():
            for word in ("presence", "health", "receipts", "time/ask"):
                for payload in nonsense:
                    await node.client.publish(f"loa/v1/{node.scope}/{word}", payload, 1)
            for payload in (deep, b'{"iss":"\xed\xa0\x80"}'):
                await node.client.publish(f"loa/v1/{node.scope}/receipts", signed(node, payload), 1)
            await node.report(event(1))
            await node.document(ReceiptsAck, node.scope)
        centre = live.centre
        counted = (centre.presence.dropped, centre.ingest.dropped, centre.timekeeper.dropped)
        assert [sum(counts.values()) for counts in counted] == [12, 8, 6]  # an empty payload clears what is kept


def signed(node: FakeNode, payload: bytes) -> bytes:
    """Sign anything with the node's own key: it was adopted, but nobody says that it is honest."""
    kid = SigningKey(node.key).kid
    head = {"alg": ALGORITHM, "typ": "loa-receipts", "kid": kid}
    jwk = OKPKey.import_key(private_pem(node.key))
    return jws.serialize_compact(head, payload, jwk, algorithms=[ALGORITHM]).encode()
