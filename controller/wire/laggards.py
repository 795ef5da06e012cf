"""Watches the versions that nodes say they hold; who lags behind is told again, less and less often."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import select

from controller.areas.repository import read_tree
from controller.areas.rules import Tree
from controller.db import Database
from controller.errors import BusyError
from controller.events import Event, EventBus, Topic
from controller.nodes.models import Node
from edge_agent.protocol.reports import Health
from edge_agent.protocol.versions import Version

from .dispatcher import Dispatcher

PATIENCE_S = 10.0
"""A node that says so long after a document was published that it holds an older one has missed it."""
BACKOFF_MAX_S = 300.0
LOOK_EVERY_S = 1.0

Key = tuple[str, str]
"""``scope, word`` of a document."""

_log = logging.getLogger(__name__)


@dataclass
class _Behind:
    version: Version
    since: float
    next_at: float
    wait_s: float = PATIENCE_S


@dataclass(frozen=True)
class _Places:
    """Of one moment."""

    tree: Tree
    areas: dict[str, str]
    """Area of each node that is not removed."""

    def scopes(self, node_id: str) -> tuple[str, ...]:
        """Give what the node listens to; none: it is unknown."""
        return self.tree.scopes(node_id, self.areas[node_id]) if node_id in self.areas else ()


class Laggards:
    """Tells again. Runs until cancelled."""

    name = "laggards"

    def __init__(
        self,
        database: Database,
        bus: EventBus,
        dispatcher: Dispatcher,
        *,
        on_refused: Callable[[str, int], None] = lambda _node_id, _count: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._bus, self._dispatcher, self._now = database, bus, dispatcher, now
        self._on_refused = on_refused
        """Told, of each node that spoke, how many holds it claims for which there is no room."""
        self._said: dict[str, Health] = {}
        self._behind: dict[Key, _Behind] = {}
        self._places = _Places(Tree([]), {})
        self._moves, self._moves_read = 1, 0
        """Which change of places was heard last, and up to which the places were read."""
        self.ready = asyncio.Event()

    def note_health(self, node_id: str, health: Health) -> None:
        """Look at this node's versions soon."""
        self._said[node_id] = health

    async def run(self) -> None:
        """Look every second at those who spoke."""
        with self._bus.listen() as events:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._note_moves(events), name="laggards-ear")
                self.ready.set()
                while True:
                    await asyncio.sleep(LOOK_EVERY_S)
                    try:
                        await self.look()
                    except BusyError as error:
                        _log.warning("%s; who lags is told again later", error.message)

    async def look(self) -> list[Key]:
        """Compare, and publish again what is overdue; give what was published.

        Raises:
            BusyError: not all of it; the next look goes on with what was said.
        """
        said, self._said = self._said, {}
        try:
            return await self._look_at(said) if said else []
        except BusyError:
            self._said = said | self._said
            raise

    async def _look_at(self, said: dict[str, Health]) -> list[Key]:
        silenced = {node_id: health.holds for node_id, health in said.items() if health.holds}
        if silenced:
            await self._release_strays(silenced)
        for node_id in said:
            self._on_refused(node_id, self._dispatcher.refused.get(node_id, 0) if node_id in silenced else 0)
        places, now = await self._read_places(), self._now()
        missing = {
            key
            for node_id, health in said.items()
            for key in behind(health, places.scopes(node_id), self._dispatcher.versions)
        }
        due = [key for key in sorted(missing) if self._is_due(key, now)]
        for key in due:
            _log.info("%s of %s is told again: a node holds an older version", key[1], key[0])
            await self._dispatcher.tell_again(*key)
            self._note_told(key, now)
        return due

    async def _release_strays(self, silenced: dict[str, tuple[str, ...]]) -> None:
        try:
            for node_id in await self._dispatcher.release_strays(silenced):
                _log.info("node %s obeys a hold that is released; its own document tells it", node_id)
        except BusyError as error:
            _log.warning("%s; looked at again with the next health report", error.message)

    def _is_due(self, key: Key, now: float) -> bool:
        version = self._dispatcher.versions[key]
        found = self._behind.get(key)
        if found is None or found.version != version or now - found.since > BACKOFF_MAX_S * 2:
            self._behind[key] = _Behind(version, now, now + PATIENCE_S)
            return False
        return now >= found.next_at

    def _note_told(self, key: Key, now: float) -> None:
        found = self._behind[key]
        found.wait_s = min(found.wait_s * 2, BACKOFF_MAX_S)
        found.since, found.next_at = now, now + found.wait_s

    async def _read_places(self) -> "_Places":
        if self._moves_read != self._moves:
            moves = self._moves  # what moves while this is read is read the next time
            async with self._database.reading() as session:
                tree = await read_tree(session)
                rows = await session.execute(select(Node.id, Node.area_id).where(Node.removed_at.is_(None)))
                self._places = _Places(tree, {row.id: row.area_id for row in rows})
            self._moves_read = moves
        return self._places

    async def _note_moves(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.topic in {Topic.AREA, Topic.DOCUMENTS, Topic.MISSED}:
                self._moves += 1


def behind(health: Health, scopes: Iterable[str], newest: dict[Key, Version]) -> list[Key]:
    """Name the documents of which a node holds none or an older version."""
    found = []
    for scope in scopes:
        held = health.held.get(scope, {})
        for word in ("hold", "urgent", "plan", "settings"):
            wanted = newest.get((scope, word))
            has = held.get(word)
            if wanted is not None and (has is None or Version(has.epoch, has.version) < wanted):
                found.append((scope, word))
    return found
