"""Receipts from nodes: checked, stored in batches, acknowledged after the commit.

A node sends again until it has its acknowledgement, so whatever is dropped here comes back.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import select, update

from controller import failpoints
from controller.clock import Clock, steady_clock
from controller.db import Database, Transaction
from controller.errors import BusyError, LoaError, TooManyAttemptsError
from controller.failures import Failures
from controller.nodes.models import Node
from controller.ratelimit import RateLimit
from controller.receipts import service as receipts
from controller.receipts.service import Stored
from edge_agent.protocol import topics
from edge_agent.protocol.documents import ReceiptsAck
from edge_agent.protocol.errors import ProtocolError
from edge_agent.protocol.reports import Receipts
from edge_agent.protocol.signing import TrustStore, key_id_of, open_receipts, signer_of

from .bridge import Bridge
from .signer import Signer

BATCH_BYTES = 160 * 1024
"""About 1,000 events: some 60 ms in which nobody else can write to SQLite."""
BATCH_S = 0.05
"""A batch is closed by whichever comes first."""
MAX_WAITING = 2_000
"""Messages; at 200 events each, a province's evening."""
MAX_MESSAGE_BYTES = 256 * 1024
"""200 events with every field are below 100 KiB."""
MESSAGES_AT_ONCE = 300
"""Of one node: more than 30 days of receipts, sent again in full, are."""
MESSAGE_EVERY = timedelta(seconds=1)
"""Afterwards. A node that says more, whatever has got into it, waits for itself and not the others for it."""
ACK_READABLE = timedelta(hours=1)
ASK_AGAIN_AFTER = timedelta(seconds=30)
"""A store that has a gap is asked for it this often at most: what it was asked for is on its way."""
JOB = "receipts"
"""Under this name they fail."""

_log = logging.getLogger(__name__)


def _unset() -> datetime:
    """Give an instant that goes on whatever the machine's clock is set to."""
    return datetime.fromtimestamp(steady_clock(), UTC)


@lru_cache(maxsize=4096)
def _trust_in(*public_keys: str) -> TrustStore:
    return TrustStore.of_node(*public_keys)


class _Came(NamedTuple):
    node_id: str
    payload: bytes


class Ingest:
    """Stores receipts. Runs until cancelled."""

    name = "ingest"

    def __init__(
        self, database: Database, clock: Clock, signer: Signer, bridge: Bridge, failures: Failures | None = None
    ) -> None:
        self._database, self._clock, self._signer, self._bridge = database, clock, signer, bridge
        self._failures = failures or Failures()
        self._queue: asyncio.Queue[_Came] = asyncio.Queue(MAX_WAITING)
        self._turns = RateLimit(burst=MESSAGES_AT_ONCE, every=MESSAGE_EVERY, clock=_unset)
        self._renewed: set[str] = set()
        """Nodes of this batch that use their new key: the one before is trusted no more."""
        self._asked_at: dict[tuple[str, str], datetime] = {}
        self.dropped: Counter[str] = Counter()
        """Messages without effect, by reason."""
        self.ready = asyncio.Event()

    def note_receipts(self, node_id: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001  a bridge's Handler
        """Queue a message."""
        if retained or len(payload) > MAX_MESSAGE_BYTES:
            self.dropped["malformed"] += 1
            return
        try:
            self._turns.take(node_id)
            self._queue.put_nowait(_Came(node_id, payload))
        except TooManyAttemptsError:
            self.dropped["too_many"] += 1
        except asyncio.QueueFull:
            self.dropped["busy"] += 1

    async def run(self) -> None:
        """Take batch after batch."""
        self.ready.set()
        while True:
            await self._take_all(await self._collect())

    async def _take_all(self, came: list[_Came]) -> None:
        """Take what came at once; if that fails, node by node, so that one keeps no other from being heard."""
        whole = await self._failures.attempt(JOB, self._take(came))
        nodes = [] if whole else sorted({each.node_id for each in came})
        await self._failures.each(JOB, nodes, lambda key: self._take([each for each in came if each.node_id == key]))

    async def _take(self, came: list[_Came]) -> None:
        try:
            batch = await self._open(came)
        except BusyError as error:
            _log.warning("%s; nodes send their receipts again", error.message)
            self.dropped["busy"] += len(came)
            return
        if batch:
            await self._store(batch)

    async def _collect(self) -> list[_Came]:
        """Wait for a message, then gather what comes within a moment."""
        came = [await self._queue.get()]
        size = len(came[0].payload)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BATCH_S):
                while size < BATCH_BYTES:
                    came.append(await self._queue.get())
                    size += len(came[-1].payload)
        return came

    async def _open(self, came: list[_Came]) -> list[Receipts]:
        """Give what is genuine."""
        self._renewed.clear()
        trusted, newest = await self._trusted({each.node_id for each in came})
        found = []
        for node_id, payload in came:
            await asyncio.sleep(0)  # one signature between two looks at what is urgent
            if node_id not in trusted:
                self.dropped["unknown_node"] += 1
                continue
            try:
                found.append(open_receipts(payload, node_id=node_id, trust=trusted[node_id]))
            except ProtocolError as error:
                self.dropped[error.code] += 1
                _log.warning("receipts of node %s: %s", node_id, error)
                continue
            if signer_of(payload) == newest.get(node_id):
                self._renewed.add(node_id)
        return found

    async def _trusted(self, node_ids: set[str]) -> tuple[dict[str, TrustStore], dict[str, str]]:
        """Read the keys of nodes that are there; asked anew each time, for a node may go or get another key.

        Gives besides, of nodes that are about to change theirs, the name of the new one.
        """
        columns = Node.id, Node.public_key, Node.previous_public_key
        query = select(*columns).where(Node.id.in_(node_ids), Node.removed_at.is_(None))
        async with self._database.reading() as session:
            rows = (await session.execute(query)).all()
        trusted = {node_id: _trust_in(*dict.fromkeys(key for key in keys if key)) for node_id, *keys in rows}
        return trusted, {row.id: key_id_of(row.public_key) for row in rows if row.previous_public_key}

    async def _store(self, batch: list[Receipts]) -> None:
        try:
            async with self._database.transaction() as tx:
                stored = await receipts.store(tx, batch, self._clock())
                await self._let_go(tx)
                failpoints.reach("ingest.before_commit")
            failpoints.reach("ingest.after_commit")
        except BusyError as error:
            _log.warning("%s; nodes send their receipts again", error.message)
            self.dropped["busy"] += len(batch)
            return
        async with asyncio.TaskGroup() as group:
            for each in stored:
                group.create_task(self._acknowledge(each))
                await asyncio.sleep(0)

    async def _let_go(self, tx: Transaction) -> None:
        """Trust the former keys of nodes no more that use their new ones."""
        for node_id in self._renewed:
            await tx.session.execute(update(Node).where(Node.id == node_id).values(previous_public_key=None))

    async def _acknowledge(self, stored: Stored) -> None:
        scope = topics.node(stored.node_id)
        try:
            token = await self._signer.answer(
                ReceiptsAck,
                scope,
                ACK_READABLE,
                store_id=stored.store_id,
                stored_through_seq=stored.through_seq,
                send_from_seq=stored.through_seq + 1 if self._asks(stored) else None,
            )
            await self._bridge.publish_document(
                scope, ReceiptsAck.word, token, expiry_s=int(ACK_READABLE.total_seconds())
            )
        except (LoaError, ValueError) as error:  # a signer apart may sign nothing of a while ago
            _log.debug("acknowledgement for %s: %s", stored.node_id, error)

    def _asks(self, stored: Stored) -> bool:
        """Tell whether to ask a store for what is missing."""
        key, now = (stored.node_id, stored.store_id), self._clock()
        if not stored.gap:
            self._asked_at.pop(key, None)
            return False
        if key in self._asked_at and now - self._asked_at[key] < ASK_AGAIN_AFTER:
            return False
        self._asked_at = {store: at for store, at in self._asked_at.items() if now - at < ASK_AGAIN_AFTER}
        self._asked_at[key] = now
        return True
