"""One identity in two places: what says a node's name in turn from two machines, or out of two stores.

A boot has a new name each time, and so has a store that was lost: neither comes back to a former one. Where one does,
two take one session from each other. A copy that says nothing of itself looks like a bad link.
"""

import asyncio
import logging
from collections import deque

from controller.alarms.service import Alarms
from controller.db import Database
from controller.errors import BusyError
from controller.nodes.models import Node
from controller.nodes.rules import CLONED
from edge_agent.protocol.reports import Health, Online

KEPT = 4
"""Names of each node that are remembered: the two of a pair, and some boots between."""
KIND = CLONED

_log = logging.getLogger(__name__)


class Sightings:
    """The last names of boots, or of stores, by node. In memory: after a restart a pair shows itself again."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[str]] = {}

    def alternates(self, node_id: str, name: str) -> bool:
        """Note a name; say whether the node has had it before, and another since."""
        seen = self._seen.setdefault(node_id, deque(maxlen=KEPT))
        if seen and seen[-1] == name:
            return False
        before = name in seen
        if before:
            seen.remove(name)
        seen.append(name)
        return before


class Clones:
    """Raises an alarm for each node that is seen in two places. Runs until cancelled."""

    name = "clones"

    def __init__(self, database: Database, alarms: Alarms) -> None:
        self._database, self._alarms = database, alarms
        self._boots, self._stores = Sightings(), Sightings()
        self._found: asyncio.Queue[str] = asyncio.Queue()
        self.ready = asyncio.Event()

    def note_hello(self, node_id: str, said: Online) -> None:
        """Take in from which boot of a machine a node speaks."""
        if self._boots.alternates(node_id, said.boot_id):
            self._found.put_nowait(node_id)

    def note_health(self, node_id: str, said: Health) -> None:
        """Take in which store a node writes to."""
        if self._stores.alternates(node_id, said.store_id):
            self._found.put_nowait(node_id)

    async def run(self) -> None:
        """Tell people."""
        self.ready.set()
        while True:
            node_id = await self._found.get()
            try:
                await self._tell(node_id)
            except BusyError as error:
                _log.warning("%s; that node %s is in two places shows itself again", error.message, node_id)

    async def _tell(self, node_id: str) -> None:
        async with self._database.transaction() as tx:
            node = await tx.session.get(Node, node_id)
            if node is not None and node.removed_at is None:
                _log.warning("node %s is seen from two places", node_id)
                subject, detail = f"nodes/{node_id}", {"name": node.name}
                await self._alarms.raise_(tx, KIND, node.area_id, subject, detail, unless_open=True)
