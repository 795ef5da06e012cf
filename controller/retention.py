"""What is forgotten once a day, and why the other tables may stay.

| table | how long |
|---|---|
| sessions | until they end |
| enrolments | until their code is worth nothing; adopted ones stay, one a node, because a node may ask again |
| receipts | ``evidence_days``; the plays keep what they came to |
| receipt_stores | for good: what was acknowledged must not count anew. One a life of a node's store |
| faults | ``evidence_days`` after they ended |
| sent_forms | a day: then no page waits for the answer any more |
| node_logs | 30 days, the last five of a node |
| node_health_days | 30 days |
| plan_versions, plan_bodies | see ``plans.pruning`` |
| documents | the current one of each topic: as many as there are places and nodes |
| broadcasts with items, targets, approvals, plays; recordings; holds | for good: the record of what was aired, grows \
only by what people do |
| unaired_dates | until they are mended, moved or ended before their time; then for good: the same record. One a date \
that was not made |
| approval_requests, listenings | for good: who was asked what, and had heard it |
| audit | for good: a chain from which nothing can be taken |

Of files: originals go once they are processed, what was half written goes at the next start. Processed recordings stay,
withdrawn ones too (served to nobody): the plays name them by hash, and they show what was aired. 10 minutes are 2.4 MB.
Scans of signed papers stay: requests name them by hash.
"""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from .clock import Clock
from .db import Database
from .enrolments.models import Enrolment
from .faults import service as faults
from .nodes import history, logs
from .nodes.live import LiveNodes
from .people.models import Session
from .plans.pruning import prune
from .receipts.models import Receipt, ReceiptStore
from .sent_forms import service as sent_forms

STEP = 5000
"""Receipts deleted in one transaction: some 50 ms."""

_log = logging.getLogger(__name__)


class _Oldest(NamedTuple):
    seq: int
    stored_at: datetime


class Forgetting:
    """The daily sweep."""

    def __init__(self, database: Database, clock: Clock, live: LiveNodes, evidence_days: int) -> None:
        self._database, self._clock, self._live = database, clock, live
        self._evidence = timedelta(days=evidence_days)

    async def forget(self) -> None:
        """Delete what nobody needs any more, in transactions so short that nobody notices."""
        now = self._clock()
        async with self._database.transaction() as tx:
            await faults.forget(tx.session, now, self._evidence)
            await logs.forget(tx.session, now)
            await history.forget(tx.session, now)
            await sent_forms.forget(tx.session, now)
            await tx.session.execute(delete(Session).where(Session.expires_at <= now))
            await tx.session.execute(
                delete(Enrolment).where(Enrolment.expires_at <= now, Enrolment.adopted_at.is_(None))
            )
        versions = await prune(self._database, self._live, now)
        receipts = await self._forget_receipts(now - self._evidence)
        _log.info("forgot %d versions of documents and %d receipts", versions, receipts)

    async def _forget_receipts(self, before: datetime) -> int:
        async with self._database.reading() as session:
            stores = (await session.execute(select(ReceiptStore.node_id, ReceiptStore.store_id))).all()
        return sum([await self._forget_of_store(node_id, store_id, before) for node_id, store_id in stores])

    async def _forget_of_store(self, node_id: str, store_id: str, before: datetime) -> int:
        """Delete from the lowest number on: there is no other order in which they could be found quickly."""
        gone = 0
        while True:
            async with self._database.reading() as session:
                oldest = await _oldest(session, node_id, store_id)
            if oldest is None or oldest.stored_at >= before:
                return gone
            old = delete(Receipt).where(
                Receipt.node_id == node_id,
                Receipt.store_id == store_id,
                Receipt.seq < oldest.seq + STEP,
                Receipt.stored_at < before,
            )
            async with self._database.transaction() as tx:
                connection = await tx.session.connection()
                gone += (await connection.execute(old)).rowcount


async def _oldest(session: AsyncSession, node_id: str, store_id: str) -> _Oldest | None:
    query = (
        select(Receipt.seq, Receipt.stored_at)
        .where(Receipt.node_id == node_id, Receipt.store_id == store_id)
        .order_by(Receipt.seq)
        .limit(1)
    )
    row = (await session.execute(query)).first()
    return None if row is None else _Oldest(row.seq, row.stored_at)
