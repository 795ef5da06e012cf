"""Receipts over a real broker: whose key counts, and when."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update

from controller.db import Transaction
from controller.nodes.models import Node
from controller.receipts import service as receipts
from controller.receipts.models import Receipt
from controller.receipts.service import Stored
from edge_agent.protocol.documents import ReceiptsAck
from edge_agent.protocol.reports import Receipts
from edge_agent.protocol.signing import public_x
from tests.controller.wire.live import FakeNode, Live, event, live_centre


async def test_the_key_of_a_node_counts_as_its_row_says_now(tmp_path: Path) -> None:
    async with live_centre(tmp_path) as live:
        area = await live.area()
        node, other = await live.node(area), await live.node(area, "Cụm 2")
        async with node.connected(), other.connected():
            await node.report(event(1))
            await acknowledged(node, 1)

            new = Ed25519PrivateKey.generate()
            await change(live, node, public_key=public_x(new.public_key()))
            await node.report(event(2))
            await node.report(event(3), key=new)
            await acknowledged(node, 1)
            assert live.centre.ingest.dropped == {"unknown_key": 1}

            await change(live, node, removed_at=live.centre.services.clock())
            await node.report(event(2), key=new)
            await other.report(event(1))
            await acknowledged(other, 1)
            assert live.centre.ingest.dropped == {"unknown_key": 1, "unknown_node": 1}
            assert await stored(live, node) == [1, 3]


async def test_receipts_at_which_the_centre_fails_keep_no_other_node_from_being_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = receipts.store

    async def fail_at_one(tx: Transaction, batch: Sequence[Receipts], now: datetime) -> list[Stored]:
        if any(said.iss == poison.node_id for said in batch):
            raise ZeroDivisionError
        return await store(tx, batch, now)

    async with live_centre(tmp_path) as live:
        area = await live.area()
        poison, other = await live.node(area), await live.node(area, "Cụm 2")
        monkeypatch.setattr(receipts, "store", fail_at_one)
        async with poison.connected(), other.connected():
            await poison.report(event(1))
            await other.report(event(1))
            await acknowledged(other, 1)
            assert await stored(live, poison) == []
            monkeypatch.undo()
            await poison.report(event(1))
            await acknowledged(poison, 1)


async def acknowledged(node: FakeNode, through: int) -> None:
    """Wait for the next acknowledgement: it comes after everything that was said before."""
    await node.document(ReceiptsAck, node.scope, lambda said: said.stored_through_seq == through)
    node.inbox.clear()


async def change(live: Live, node: FakeNode, **fields: object) -> None:
    async with live.centre.services.database.transaction() as tx:
        await tx.session.execute(update(Node).where(Node.id == node.node_id).values(fields))


async def stored(live: Live, node: FakeNode) -> list[int]:
    query = select(Receipt.seq).where(Receipt.node_id == node.node_id).order_by(Receipt.seq)
    async with live.centre.services.database.reading() as session:
        return list(await session.scalars(query))
