"""Cuts off nodes that were revoked: the broker is told whom to let in no more, and their sessions are taken away.

The rows say who: what was missed while nobody ran is read at the start, before the broker lets anybody in. What they
say is written down beside the authority's key too, and stays said when older rows are put back.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import select

from controller.clock import Clock
from controller.db import Database
from controller.errors import BusyError, LoaError
from controller.events import Event, EventBus, Topic
from controller.renewals.models import NodeCertificate
from controller.renewals.void import Voided
from edge_agent.protocol import topics
from edge_agent.protocol.topics import Topic as WireTopic
from edge_agent.protocol.topics import Word

from .bridge import Bridge
from .broker import Broker
from .mqtt import Connection, LinkError
from .pki import LIST_RENEWED_AFTER, Authority, Revoked

LOOK_S = 15.0
"""Rows are read this often though nobody said so: a command beside the centre writes them too."""
KEPT_S = 2.0
"""A session that was taken away and stays so for so long: whoever had it was not let in again."""
AGAIN_S = 0.5
CUT_WITHIN_S = 45.0
"""Of the 60 s of the promise; what is left is for noticing."""
RETAINED = (Word.PRESENCE, Word.HOLD, Word.URGENT, Word.PLAN, Word.SETTINGS)

_log = logging.getLogger(__name__)


class Revoker:
    """Keeps the broker's lists as the rows are. Runs until cancelled."""

    name = "revoker"

    def __init__(
        self,
        database: Database,
        bus: EventBus,
        clock: Clock,
        *,
        broker: Broker,
        bridge: Bridge,
        authority: Authority,
        kept_s: float = KEPT_S,
    ) -> None:
        self._database, self._bus, self._clock = database, bus, clock
        self._broker, self._bridge, self._authority, self._kept_s = broker, bridge, authority, kept_s
        self._known: frozenset[str] = frozenset()
        """Serial numbers on the list."""
        self._listed_at: datetime | None = None
        self.cut: set[str] = set()
        """Nodes without a session since they were revoked, as far as this process saw to it."""
        self._told = asyncio.Event()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """List what is revoked, and cut off who is new on the list."""
        with self._bus.listen() as events:
            await self._list()
            self.ready.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(events), name="revoker-ear")
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_S):
                            await self._told.wait()
                    self._told.clear()
                    try:
                        new = await self._list()
                    except (BusyError, OSError) as error:  # a disk that is full or gone for a while
                        _log.warning("%s; revoked nodes are looked for again", error)
                        continue
                    for node_id in sorted(new):
                        group.create_task(self._cut_off(node_id), name=f"cut-off-{node_id}")

    async def _listen(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.topic in {Topic.REVOCATION, Topic.MISSED}:
                self._told.set()

    async def _list(self) -> set[str]:
        """Give the broker the list of this moment, if it is another or old; give the nodes that are new on it.

        Raises:
            BusyError: the rows do not answer.
            OSError: the list could not be written for the broker, which does not know it.
        """
        now = self._clock()
        query = select(NodeCertificate).where(NodeCertificate.revoked_at.is_not(None), NodeCertificate.expires_at > now)
        async with self._database.reading() as session:
            rows = await session.scalars(query)
            voided = [Voided(row.node_id, row.serial, row.revoked_at or now, row.expires_at) for row in rows]
        try:
            self._authority.voided.add(voided, now)
        except OSError as error:  # a full disk: nobody who was cut off is let in for it, and it is tried again
            _log.error("revocations could not be written beside the keys (%s); the rows have them", error)
        every = {each.serial: each for each in (*self._authority.voided.at(now), *voided)}
        revoked = [Revoked(each.node_id, each.serial, each.at) for _, each in sorted(every.items())]
        serials = frozenset(each.serial for each in revoked)
        fresh = self._listed_at is not None and abs(now - self._listed_at) < LIST_RENEWED_AFTER
        if fresh and serials == self._known:
            return set()
        new = {each.node_id for each in revoked if each.serial not in self._known}
        self._bridge.do_not_hear(frozenset(each.node_id for each in revoked))
        self._broker.revoke(revoked)
        self._known, self._listed_at = serials, now  # now that the broker knows
        return new

    async def _cut_off(self, node_id: str) -> None:
        """End a session that stands, and have the broker forget what it kept of the node."""
        try:
            async with asyncio.timeout(CUT_WITHIN_S):
                for act in (self._has_taken, self._forgotten):
                    while not await act(node_id):  # noqa: ASYNC110  a broker that restarts tells nobody
                        await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            _log.error("node %s is revoked, but its session could not be taken in %.0f s", node_id, CUT_WITHIN_S)
            return
        self.cut.add(node_id)
        _log.warning("node %s is cut off", node_id)

    async def _has_taken(self, node_id: str) -> bool:
        """Connect in the node's name, which ends its session; say whether nobody took it back."""
        try:
            tls = self._authority.context_in_the_name_of(node_id)
        except OSError as error:  # it goes through a file, and the disk is full
            _log.error("node %s: %s; its session is taken as soon as there is room", node_id, error)
            return False
        connection = Connection(node_id, tls, _ignore)
        try:
            await connection.open(self._bridge.host, self._bridge.port)
            done, _ = await asyncio.wait([connection.lost], timeout=self._kept_s)
        except LinkError as error:
            _log.info("node %s: %s", node_id, error.message)
            return False
        finally:
            await connection.close()
        return not done

    async def _forgotten(self, node_id: str) -> bool:
        try:
            for word in RETAINED:
                await self._bridge.publish(str(WireTopic(topics.node(node_id), word)), b"", retain=True)
        except LoaError as error:
            _log.info("what the broker keeps of node %s: %s", node_id, error.message)
            return False
        return True


def _ignore(_topic: str, _payload: bytes, _retained: bool) -> None:  # noqa: FBT001  the shape of OnMessage
    """Take no message: the session is held, not used."""
