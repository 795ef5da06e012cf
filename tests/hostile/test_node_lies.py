"""What a node says that is not so, or far too often: cases 78 to 80. It is signed by its own key, and still a claim."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from controller.plays.models import Play
from controller.receipts.models import Receipt
from controller.wire.ingest import MAX_WAITING, MESSAGES_AT_ONCE
from edge_agent.protocol.documents import Hold, ReceiptsAck
from edge_agent.protocol.reports import PlayEvent, Receipts
from edge_agent.protocol.signing import SigningKey
from edge_agent.protocol.states import Grade, Outcome, PlayState
from tests.controller.wire.live import WITHIN_S, FakeNode, Live, encode, event, live_centre
from tests.controller.wire.test_two_ends import say_now

pytestmark = pytest.mark.broker

FAR = datetime(2099, 1, 1, tzinfo=UTC)


def heard(seq: int, broadcast_id: str, at: datetime) -> PlayEvent:
    """The best that can be claimed."""
    return PlayEvent(
        seq=seq,
        at=at,
        broadcast_id=broadcast_id,
        outcome=Outcome.PLAYED,
        requested_ms=2_000,
        played_ms=2_000,
        underruns=0,
        grade=Grade.E3,
    )


async def test_78_what_a_node_says_of_anothers_play_moves_nothing(tmp_path: Path) -> None:
    """Of a broadcast that never was, and of one that was for its neighbour alone."""
    async with live_centre(tmp_path) as live:
        area = await live.area()
        liar, honest = await live.node(area), await live.node(area, "Cụm 2")
        sent = await say_now(live, honest.scope)
        async with liar.connected():
            now = datetime.now(UTC)
            await liar.report(heard(1, "b-never", now), heard(2, sent.id, now))
            await liar.document(ReceiptsAck, liar.scope, lambda said: said.stored_through_seq == 2)
        plays = await live.centre.services.broadcasts.plays(live.rows.actor, sent.id)
        assert [(play.node_id, play.state, play.outcome) for play in plays] == [
            (honest.node_id, PlayState.PLANNED, None)
        ]
        async with live.centre.services.database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(Play)) == 1
            # What it said stays on record under its own name.
            assert list(await session.scalars(select(Receipt.node_id))) == [liar.node_id] * 2


async def test_79_a_time_of_2099_is_a_claim_and_no_more(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node = await live.node(area)
        sent = await say_now(live, f"areas/{area.id}")
        async with node.connected():
            await node.hello()
            await node.report(PlayEvent(seq=1, at=FAR, broadcast_id=sent.id, state=PlayState.RECEIVED))
            await node.document(ReceiptsAck, node.scope, lambda said: said.stored_through_seq == 1)
        [play] = await live.centre.services.broadcasts.plays(live.rows.actor, sent.id)
        assert play.state is PlayState.RECEIVED
        assert play.updated_at < FAR
        async with live.centre.services.database.reading() as session:
            [stored_at] = await session.scalars(select(Receipt.stored_at))
            assert stored_at < FAR, "how long it is kept goes by the centre's time"
        found = await live.centre.services.nodes.get(live.rows.actor, node.node_id)
        assert found.last_heard_at is not None
        assert found.last_heard_at < FAR


def full_messages(node: FakeNode, count: int) -> list[bytes]:
    """Receipts as large as they may be, genuine but for what they say."""
    key, now = SigningKey(node.key), datetime.now(UTC)
    found = []
    for number in range(count):
        events = tuple(
            PlayEvent(seq=number * 200 + at + 1, at=now, broadcast_id="b-never", state=PlayState.RECEIVED)
            for at in range(200)
        )
        found.append(key.sign(Receipts(iss=node.node_id, iat=1, store_id=node.store_id, events=events)))
    return found


async def flood(live: Live, node: FakeNode, messages: int) -> None:
    """Say everything that a node may say as fast as the broker takes it."""
    genuine = full_messages(node, 20)
    ask = b'{"nonce":"0123456789abcdef0123456789abcdef"}'
    topic = f"loa/v1/{node.scope}"
    for number in range(messages):
        payload = genuine[number] if number < len(genuine) else b"x" * 20_000
        await node.client.publish(f"{topic}/receipts", payload, 0)
        await node.client.publish(f"{topic}/health", encode(node.health()), 0)
        await node.client.publish(f"{topic}/time/ask", ask, 0)


async def test_80_a_node_that_floods_silences_nobody_else(tmp_path: Path) -> None:
    """3,000 messages as fast as they go: a neighbour's receipts are rows and a STOP arrives; memory has its bounds."""
    process = psutil.Process(os.getpid())
    async with live_centre(tmp_path) as live:
        area = await live.area()
        loud, quiet = await live.node(area), await live.node(area, "Cụm 2")
        ingest = live.centre.ingest
        async with loud.connected(), quiet.connected(f"loa/v1/areas/{area.id}/#"):
            before = process.memory_info().rss
            shouting = asyncio.create_task(flood(live, loud, 1_000))
            for seq in range(1, 11):
                await quiet.report(event(seq))
                await quiet.document(ReceiptsAck, quiet.scope, lambda said, seq=seq: said.stored_through_seq == seq)  # type: ignore[misc]  # bound now
                assert ingest._queue.qsize() <= MAX_WAITING
            [hold] = await live.centre.services.holds.order(live.rows.actor, [f"areas/{area.id}"])
            await quiet.document(
                Hold, f"areas/{area.id}", lambda said: [each.hold_id for each in said.active] == [hold.id]
            )
            await shouting
            await quiet.report(event(11))
            await quiet.document(ReceiptsAck, quiet.scope, lambda said: said.stored_through_seq == 11)
            assert process.memory_info().rss - before < 128 << 20
        assert ingest.dropped["too_many"] > 0
        looked_at = ingest.dropped["malformed"] + 20
        assert looked_at <= MESSAGES_AT_ONCE + WITHIN_S * 12, "then one a second, for as long as this takes"
        async with live.centre.services.database.reading() as session:
            kept = select(func.count()).select_from(Receipt).where(Receipt.node_id == quiet.node_id)
            assert await session.scalar(kept) == 11
