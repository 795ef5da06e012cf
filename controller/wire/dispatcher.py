"""From dirty rows to published documents: built, signed and committed together, then published.

A crash between commit and publish loses nothing: what is signed stands in its row and is published after the next
connect. Versions are made in the database, so that one is never used twice.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, case, func, select

from controller import failpoints
from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.errors import BusyError
from controller.events import Event, EventBus, Topic
from controller.holds.found import take_up
from controller.holds.models import Hold as HoldRow
from controller.holds.reach import believed
from controller.plans.models import Document
from controller.plans.service import WORDS, mark
from controller.plans.strays import strays
from edge_agent.protocol.documents import Hold
from edge_agent.protocol.versions import Version

from .bridge import Bridge
from .keys import KeyFileError
from .mqtt import LinkError, RefusedError
from .signer import PLAN_RENEWED_AFTER, Signer, own_document

BATCH = 100
"""Documents signed in one transaction: about 30 ms of work between two looks at what is urgent."""
AGAIN_BATCH = 200
SWEEP_S = 30.0
"""Dirty rows are looked for this often even if nobody said so."""
AGAIN_S = 1.0
"""After the rows, or a signer that stands apart, did not answer; twice as long each time, up to ``SWEEP_S``."""
TRY_AGAIN_AFTER = timedelta(minutes=5)
"""For a document that could not be built; a change to what it tells brings it sooner."""

_log = logging.getLogger(__name__)


class Told(NamedTuple):
    """A document as it is published."""

    scope: str
    word: str
    token: bytes
    version: Version


class Dispatcher:
    """Signs what is dirty and publishes it. Runs until cancelled."""

    name = "dispatcher"

    def __init__(self, database: Database, bus: EventBus, clock: Clock, signer: Signer, bridge: Bridge) -> None:
        self._database, self._bus, self._clock = database, bus, clock
        self._signer, self._bridge = signer, bridge
        # Held from reading tokens to handing them to the connection, so that an older one never follows a newer.
        self._order = asyncio.Lock()
        self._marked = asyncio.Event()
        self.versions: dict[tuple[str, str], Version] = {}
        """Newest version by scope and word."""
        self.refused: dict[str, int] = {}
        """Of the holds that a node said last it obeys, those that got no row for want of room."""
        self.unbuilt: dict[tuple[str, str], datetime] = {}
        """Documents that could not be built, and when that was tried last."""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Dispatch whenever something is dirty.

        Raises:
            KeyFileError: the epoch file is behind the rows.
        """
        await self._begin()
        with self._bus.listen() as events:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(events), name="dispatcher-ear")
                again_s = AGAIN_S
                while True:
                    self._marked.clear()
                    all_done = await self._dispatch_all()
                    self.ready.set()
                    await _wait(self._marked, SWEEP_S if all_done else again_s)
                    again_s = AGAIN_S if all_done else min(again_s * 2, SWEEP_S)

    async def renew(self) -> None:
        """Mark plans whose lease is to be renewed. The other documents are readable for years (``FOREVER``)."""
        old = Document.signed_at <= self._clock() - PLAN_RENEWED_AFTER
        await self._mark((Document.word == "plan") & old)
        async with self._database.reading() as session:
            await self._signer.find_let_go(session)

    async def publish_again(self) -> None:
        """Publish every current document: the broker may have forgotten them. Holds first."""
        for word in WORDS:
            after = ""
            while True:
                async with self._order:
                    told = await self._read_page(word, after)
                    acknowledged = [asyncio.ensure_future(self._publish(each)) for each in told]
                    await asyncio.sleep(0)  # all are handed over before the next reading
                await asyncio.gather(*acknowledged)
                if len(told) < AGAIN_BATCH:
                    break
                after = told[-1].scope

    async def tell_again(self, scope: str, word: str) -> None:
        """Publish one document again, for a node that lags."""
        async with self._order:
            async with self._database.reading() as session:
                row = await session.get(Document, (scope, word))
            if row is None or row.token is None:
                return
            told = asyncio.ensure_future(self._publish(_told(row)))
            await asyncio.sleep(0)
        await told

    async def release_strays(self, obeyed: Mapping[str, Collection[str]]) -> list[str]:
        """Have nodes told, each by its own document, of releases and found holds that nothing else names to them.

        Gives their ids. ``obeyed`` names, by node, the holds that silence it. Those without a row get one that a person
        can release.
        """
        claims = await take_up(self._database, obeyed, self._clock())
        for node_id in obeyed:
            self.refused[node_id] = claims.refused[node_id]
        said = {node_id: believed(holds) for node_id, holds in obeyed.items()}
        async with self._database.reading() as session:
            found = await strays(session, said, self._signer.let_go)
            untold = []
            for node_id, holds in found.items():
                row = await session.get(Document, (f"nodes/{node_id}", "hold"))
                if row is None or row.token is None or not _says(own_document(row.token, Hold), holds):
                    untold.append(node_id)
        for some in (untold[at : at + BATCH] for at in range(0, len(untold), BATCH)):
            async with self._database.transaction() as tx:
                await mark(tx, [(f"nodes/{node_id}", "hold") for node_id in some], self._clock)
        return untold

    async def _begin(self) -> None:
        async with self._database.reading() as session:
            highest = await session.scalar(select(func.max(Document.epoch)))
            rows = await session.execute(
                select(Document.scope, Document.word, Document.epoch, Document.version).where(
                    Document.version.is_not(None)
                )
            )
            self.versions = {(row.scope, row.word): Version(row.epoch or 1, row.version or 1) for row in rows}
        if highest is not None and highest > self._signer.epoch:
            raise KeyFileError(
                f"the epoch file says {self._signer.epoch}, but documents of epoch {highest} were signed;"
                " nodes would drop everything. Put the right file back"
            )
        await self._mark(Document.epoch < self._signer.epoch)

    async def _listen(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.topic in {Topic.DOCUMENTS, Topic.MISSED}:
                self._marked.set()

    async def _mark(self, which: ColumnElement[bool]) -> None:
        query = select(Document.scope, Document.word).where(which, Document.dirty_since.is_(None)).limit(BATCH)
        while True:
            async with self._database.transaction() as tx:
                found = [(row.scope, row.word) for row in await tx.session.execute(query)]
                await mark(tx, found, self._clock)
            if not found:
                return

    async def _dispatch_all(self) -> bool:
        """Sign and publish until nothing is dirty. False: some of it still is."""
        try:
            while True:
                async with self._order:
                    async with self._database.transaction() as tx:
                        found, told = await self._sign_some(tx)
                        _reach("dispatch.before_commit", told)
                    _reach("dispatch.after_commit", told)
                    self.versions.update({(each.scope, each.word): each.version for each in told})
                    publishing = [asyncio.ensure_future(self._publish(each)) for each in told]
                    await asyncio.sleep(0)
                    _reach("dispatch.half_published", told)
                await asyncio.gather(*publishing)
                _reach("dispatch.after_publish", told)
                if not found:
                    return True
        except BusyError as error:
            _log.warning("%s; the documents stay marked", error.message)
            return False

    async def _sign_some(self, tx: Transaction) -> tuple[int, list[Told]]:
        now = self._clock()
        rows = list(await tx.session.scalars(_dirty(now)))
        if rows and rows[0].word in {"hold", "urgent"}:
            rows = [row for row in rows if row.word in {"hold", "urgent"}]  # not behind the signing of the rest
        tree = await read_tree(tx.session) if any(row.word in {"plan", "settings"} for row in rows) else Tree([])
        told: list[Told] = []
        for row in rows:
            try:
                new = await self._signer.sign(tx, row, tree)
            except (LookupError, TypeError, ValueError):
                _log.exception("%s of %s cannot be built; nodes keep the version before", row.word, row.scope)
                row.dirty_since, new = now + TRY_AGAIN_AFTER, False
                self.unbuilt[row.scope, row.word] = now
            else:
                self.unbuilt.pop((row.scope, row.word), None)
            if new:
                told.append(_told(row))
        return len(rows), told

    async def _read_page(self, word: str, after: str) -> Sequence[Told]:
        query = (
            select(Document)
            .where(Document.word == word, Document.scope > after, Document.token.is_not(None))
            .order_by(Document.scope)
            .limit(AGAIN_BATCH)
        )
        async with self._database.reading() as session:
            return [_told(row) for row in await session.scalars(query)]

    async def _publish(self, told: Told) -> None:
        try:
            await self._bridge.publish_document(told.scope, told.word, told.token)
        except LinkError:
            # All documents are published after the next connect.
            _log.debug("%s of %s waits for the broker", told.word, told.scope)
        except RefusedError as error:
            _log.error("%s of %s: %s", told.word, told.scope, error.message)


def _says(told: Hold, holds: Iterable[HoldRow]) -> bool:
    """Say whether a document names holds as they stand now; the release of a name ends it, whatever else stands."""
    released, active = set(told.released), {order.hold_id for order in told.active}
    return all(hold.wire_id in released or (hold.released_at is None and hold.wire_id in active) for hold in holds)


def _reach(name: str, told: Sequence[Told]) -> None:
    """Come to a failpoint, when there is anything to say to somebody."""
    if told:
        failpoints.reach(name)


def _told(row: Document) -> Told:
    return Told(row.scope, row.word, row.token or b"", Version(row.epoch or 1, row.version or 1))


def _dirty(now: datetime) -> Select[Document]:
    urgency = case({word: place for place, word in enumerate(WORDS)}, value=Document.word)
    return (
        select(Document)
        .where(Document.dirty_since <= now)
        .order_by(urgency, Document.dirty_since, Document.scope)
        .limit(BATCH)
        .with_for_update()
    )


async def _wait(marked: asyncio.Event, seconds: float) -> None:
    """Wait until somebody marked a document, or it is time to look anyway."""
    try:
        async with asyncio.timeout(seconds):
            await marked.wait()
    except TimeoutError:
        return
