"""What nodes say of themselves: hello, goodbye, lost, health. Kept in memory at once, in rows in batches.

Claims of a node, not facts: its times are not used, and what does not fit the wire is counted and forgotten.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import Table, bindparam, select, update

from controller.clock import Clock, Steady, steady_clock
from controller.db import Database
from controller.errors import BusyError
from controller.events import Event, EventBus, Topic
from controller.nodes.live import Heard, LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import NodeStatus, status_of
from edge_agent.protocol.fields import UNREADABLE
from edge_agent.protocol.reports import Health, Leaving, Online, Presence

MAX_REPORT_BYTES = 64 * 1024
"""A health report with every list full is below 40 KiB."""
WRITE_EVERY_S = 3.0
STEP = timedelta(seconds=1)
"""What a clock is off by more than this since the last look, it was set by."""
WATCH_EVERY_S = 1.0
"""Adds at most this to the 43 s after which a silent node is offline (promise P6)."""

_log = logging.getLogger(__name__)
_presence: msgspec.json.Decoder[Presence] = msgspec.json.Decoder(Presence)
_health = msgspec.json.Decoder(Health)
_table = cast("Table", Node.__table__)
_SaidT = TypeVar("_SaidT")


class PresenceWatch:
    """Notes what nodes say, and tells when one falls silent. Runs until cancelled."""

    name = "presence"

    def __init__(
        self,
        database: Database,
        bus: EventBus,
        clock: Clock,
        live: LiveNodes,
        *,
        on_health: Callable[[str, Health], None] = lambda _node_id, _health: None,
        on_hello: Callable[[str, Online], None] = lambda _node_id, _hello: None,
        on_status: Callable[[str, NodeStatus], None] = lambda _node_id, _status: None,
        steady: Steady = steady_clock,
    ) -> None:
        self._database, self._bus, self._clock, self._live = database, bus, clock, live
        self._on_health, self._on_hello, self._steady = on_health, on_hello, steady
        self._on_status = on_status
        self._looked = clock(), steady()
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, Heard] = {}
        self._status: dict[str, NodeStatus] = {}
        self._urgent = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Reports without effect, by reason."""
        self.ready = asyncio.Event()

    def note_presence(self, node_id: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001  a bridge's Handler
        """Take in a hello, a goodbye or the broker's "lost"."""
        said = self._read(_presence, payload)
        if said is None:
            return
        now = self._now()
        match said:
            case Online():
                fields: dict[str, Any] = {"presence": "online", "presence_reason": None}
                fields["abilities"] = msgspec.to_builtins(said.abilities)
            case Leaving():
                fields = {"presence": "leaving", "presence_reason": said.reason}
            case _:
                fields = {"presence": "lost", "presence_reason": None}
        # What the broker kept tells how it stands, not since when, and is no sign of life.
        known = self._rows.get(node_id)
        if not (retained and known is not None and known.presence == fields["presence"]):
            fields["presence_at"] = now
        if not retained and isinstance(said, Online | Leaving):
            fields["last_heard_at"] = now
        self._note(node_id, fields, tell=True)
        self._urgent.set()
        if isinstance(said, Online) and not retained:
            self._on_hello(node_id, said)

    def note_health(self, node_id: str, payload: bytes, retained: bool) -> None:  # noqa: ARG002, FBT001  a Handler
        """Take in a health report."""
        said = self._read(_health, payload)
        if said is None:
            return
        now = self._now()
        health = msgspec.to_builtins(said)
        known = self._rows.get(node_id, Heard())
        fields: dict[str, Any] = {"health": health, "last_heard_at": now}
        if known.presence != "online":
            # Whoever speaks is there, whatever the broker said before.
            fields |= {"presence": "online", "presence_at": now, "presence_reason": None}
        self._note(node_id, fields, tell=_differs(health, known.health))
        self._on_health(node_id, said)

    async def run(self) -> None:
        """Write rows and watch for silence."""
        await self._load()
        self.sweep()
        self.ready.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write_for_ever(), name="presence-rows")
            while True:
                await asyncio.sleep(WATCH_EVERY_S)
                self.sweep()

    def sweep(self) -> list[str]:
        """Tell of every node whose status is another than a moment ago; give their ids."""
        now = self._now()
        changed = []
        for node_id, heard in self._rows.items():
            status = status_of(heard.presence, heard.presence_at, heard.last_heard_at, now).status
            before = self._status.get(node_id)
            if before is status:
                continue
            self._status[node_id] = status
            self._on_status(node_id, status)
            if before is not None:
                changed.append(node_id)
                self._bus.publish(Event(Topic.NODE, node_id))
        return changed

    async def write(self) -> None:
        """Write what is not yet in rows, in one transaction; on trouble it stays for the next time."""
        batch, self._unwritten = self._unwritten, {}
        by_fields: dict[frozenset[str], list[dict[str, Any]]] = {}
        for node_id, fields in batch.items():
            by_fields.setdefault(frozenset(fields), []).append({"of_node": node_id, **fields})
        try:
            async with self._database.transaction() as tx:
                connection = await tx.session.connection()
                for names, rows in by_fields.items():
                    changes = {name: bindparam(name, type_=_table.c[name].type) for name in names}
                    of_node = _table.c.id == bindparam("of_node")
                    await connection.execute(update(_table).where(of_node).values(changes), rows)
        except BusyError as error:
            _log.warning("%s; what nodes said is written later", error.message)
            self._unwritten = {**batch, **{key: {**batch.get(key, {}), **new} for key, new in self._unwritten.items()}}

    def _now(self) -> datetime:
        """Read the clock; one that was set since the last look takes what was heard with it (promise P6)."""
        then, steady_then = self._looked
        now, steady = self._looked = self._clock(), self._steady()
        by = now - then - timedelta(seconds=steady - steady_then)
        if abs(by) > STEP:
            _log.warning("the centre's clock was set by %+.1f s", by.total_seconds())
            self._live.shift(by)
            self._rows = {node_id: self._live.heard(node_id) for node_id in self._rows}
        return now

    def _read(self, decoder: msgspec.json.Decoder[_SaidT], payload: bytes) -> _SaidT | None:
        """Read a report; what does not fit the wire is counted."""
        if len(payload) > MAX_REPORT_BYTES:
            self.dropped["too_large"] += 1
            return None
        try:
            return decoder.decode(payload)
        except UNREADABLE:
            self.dropped["malformed"] += 1
            return None

    def _note(self, node_id: str, fields: dict[str, Any], *, tell: bool) -> None:
        self._rows[node_id] = self._live.note(node_id, **fields)
        self._unwritten.setdefault(node_id, {}).update(fields)
        if tell:
            self._bus.publish(Event(Topic.NODE, node_id))

    async def _load(self) -> None:
        query = select(
            Node.id,
            Node.presence,
            Node.presence_at,
            Node.presence_reason,
            Node.last_heard_at,
        ).where(Node.removed_at.is_(None))
        async with self._database.reading() as session:
            found = (await session.execute(query)).all()
        for row in found:
            if row.id not in self._rows:  # the node may have spoken meanwhile
                said = row._asdict()
                self._rows[row.id] = self._live.note(said.pop("id"), **said)

    async def _write_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(WRITE_EVERY_S):
                    await self._urgent.wait()
            except TimeoutError:
                pass
            self._urgent.clear()
            if self._unwritten:
                await self.write()


def _differs(new: dict[str, Any], old: Any) -> bool:
    """Tell whether a health report says something that a person would see."""
    return old is None or any(
        new.get(name) != old.get(name) for name in ("held", "holds", "now_playing", "faults", "clock")
    )
