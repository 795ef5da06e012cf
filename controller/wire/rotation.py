"""Replaces signing keys without a gap: waits for nodes, has documents signed anew, tells people of those who lag.

What a key may do next is ``signing.ring``'s to say; this looks at the rows and goes on.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from controller.alarms.models import Alarm
from controller.alarms.service import Alarms
from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.nodes.live import LiveNodes
from controller.nodes.models import Node
from controller.nodes.rules import NodeKind
from controller.people.actor import Actor
from controller.plans.models import Document
from controller.plans.service import mark
from controller.signing.holder import KeyHolder
from controller.signing.ring import RingKey, Step, ends, may_turn, warning
from edge_agent.protocol.states import KeyUse
from edge_agent.protocol.topics import Word

LOOK_S = 60
ENDS, LAGGARDS, BEHIND = "keys.ends", "keys.laggards", "keys.epoch_behind"
"""Kinds of alarms."""
TURNED = "keys.turned"
"""In the audit: a rotation went on."""
SYSTEM = Actor(None, "keys")
AT_ONCE = 500
"""Documents marked in one transaction."""


class Rotation:
    """Looks after the ring. Its regular work is ``look``."""

    def __init__(self, database: Database, clock: Clock, keys: KeyHolder, live: LiveNodes, alarms: Alarms) -> None:
        self._database, self._clock, self._keys = database, clock, keys
        self._live, self._alarms = live, alarms
        self._marked_for: datetime | None = None
        """Which change of the ring the documents were marked for."""
        self._turned: set[tuple[str, str]] = set()
        """Nodes, each with the policy key that it said it holds: their settings were marked for that."""

    async def look(self) -> None:
        """Go on with what is under way, and tell of keys that end."""
        await asyncio.to_thread(self._keys.refresh)  # they may be apart
        held = await self._held()
        for use in (KeyUse.DISPATCH, KeyUse.POLICY):
            await self._go_on(use, held)
        await self._count_sleepers(held)
        if self._keys.ring.changed_at != self._marked_for:
            await self._mark_stale()
        await self._turn_settings(held)
        await self._tell_behind()
        await self._tell_ends()

    def lagging(self, key: RingKey, held: Mapping[str, Collection[str]]) -> list[str]:
        """Give the nodes that do not say that they hold a key."""
        return sorted(node_id for node_id, keys in held.items() if key.kid not in keys)

    async def _held(self) -> dict[str, Collection[str]]:
        """Give the keys that each node says it holds."""
        return {node_id: said.get("keys", ()) for node_id, said in (await self._said()).items()}

    async def _said(self) -> dict[str, Mapping[str, Any]]:
        """Give what each node last said of its health; empty where it never did."""
        query = select(Node).where(Node.kind == NodeKind.AGENT, Node.removed_at.is_(None))
        async with self._database.reading() as session:
            rows = (await session.scalars(query)).all()
        return {row.id: self._live.over(row).health or {} for row in rows}

    async def _go_on(self, use: KeyUse, held: Mapping[str, Collection[str]]) -> None:
        ring, now = self._keys.ring, self._clock()
        coming, leaving = ring.of(use, Step.COMING), ring.of(use, Step.LEAVING)
        awaited = coming or (ring.signing(use) if leaving is not None and use is KeyUse.POLICY else None)
        lagging = self.lagging(awaited, held) if awaited is not None else []
        if awaited is not None and not may_turn(awaited.since_at, lagging, now):
            return
        if coming is not None:
            await asyncio.to_thread(self._keys.turn, use, now)
            await self._note(coming, lagging)
        elif leaving is not None and (use is KeyUse.POLICY or await self._all_signed_since(leaving.since_at)):
            await asyncio.to_thread(self._keys.turn, use, now, lagging)
            await self._note(leaving, lagging)

    async def _count_sleepers(self, held: Mapping[str, Collection[str]]) -> None:
        """Forget those of the sleepers that came back, or are gone."""
        ring = self._keys.ring
        now_lagging = set(self.lagging(ring.signing(KeyUse.POLICY), held))
        if any(node_id not in now_lagging for node_id in ring.asleep):
            still = [node_id for node_id in ring.asleep if node_id in now_lagging]
            await asyncio.to_thread(self._keys.awake, still)

    async def _all_signed_since(self, since_at: datetime) -> bool:
        """Say whether no document is left that was signed before; one that cannot be built is not waited for."""
        old = Document.signed_at < since_at
        waits = old & (Document.word != Word.SETTINGS) & (Document.dirty_since <= self._clock())
        if self._marked_for != self._keys.ring.changed_at:
            return False
        async with self._database.reading() as session:
            return await session.scalar(select(Document.scope).where(waits).limit(1)) is None

    async def _mark_stale(self) -> None:
        """Have everything signed anew that says, or bears, an older ring."""
        ring = self._keys.ring
        if ring.changed_at is not None:
            await self._mark((Document.word == Word.SETTINGS) & (Document.signed_at <= ring.changed_at))
            since_at = ring.signing(KeyUse.DISPATCH).since_at
            await self._mark((Document.word != Word.SETTINGS) & (Document.signed_at <= since_at))
        self._marked_for = ring.changed_at

    async def _turn_settings(self, held: Mapping[str, Collection[str]]) -> None:
        """Have settings signed by the new policy key for those who say now that they hold it, however late."""
        new = self._keys.policy.kid
        ready = {(node_id, new) for node_id, keys in held.items() if new in keys} - self._turned
        if self._keys.ring.changed_at is None or not ready:
            return
        async with self._database.transaction() as tx:
            await mark(tx, [(f"nodes/{node_id}", Word.SETTINGS) for node_id, _ in sorted(ready)], self._clock)
        self._turned |= ready

    async def _mark(self, which: ColumnElement[bool]) -> None:
        async with self._database.reading() as session:
            query = select(Document.scope, Document.word).where(which, Document.dirty_since.is_(None))
            found = [(row.scope, row.word) for row in await session.execute(query)]
        for at in range(0, len(found), AT_ONCE):
            async with self._database.transaction() as tx:
                await mark(tx, found[at : at + AT_ONCE], self._clock)

    async def _note(self, key: RingKey, lagging: list[str]) -> None:
        detail = {"key": key.kid, "use": key.use, "step": key.step, "lagging": lagging[:100], "count": len(lagging)}
        async with self._database.transaction() as tx:
            await audit.write(tx, SYSTEM, TURNED, f"keys/{key.kid}", detail, at=self._clock())
            if lagging:
                said = detail | {"name": key.use, "days": len(lagging)}
                await self._alarms.raise_(tx, LAGGARDS, None, f"keys/{key.kid}", said, unless_open=True)

    async def _tell_behind(self) -> None:
        """Tell people that nodes obey a later life of the centre than this: they drop all that is said here."""
        highest = max((epoch for node in (await self._said()).values() for epoch in _epochs(node)), default=0)
        if highest > self._keys.epoch:
            detail = {"count": highest, "epoch": self._keys.epoch}
            async with self._database.transaction() as tx:
                await self._alarms.raise_(tx, BEHIND, None, f"keys/epoch/{highest}", detail, unless_open=True)

    async def _tell_ends(self) -> None:
        now = self._clock()
        near = {name: (at, days) for name, at in ends(self._keys.ring.keys).items() if (days := warning(at, now))}
        if not near:
            return
        async with self._database.transaction() as tx:
            for name, (at, days) in near.items():
                await self._tell_end(tx, name, at, days)

    async def _tell_end(self, tx: Transaction, name: str, at: datetime, days: int) -> None:
        """Raise the alarm once for each of the days before the end."""
        key = next(each for each in self._keys.ring.keys if each.ends_at == at and f"{each.use}_key" == name)
        subject, detail = f"keys/{key.kid}/{days}", {"name": name, "days": days, "ends_at": at.isoformat()}
        told = select(Alarm.id).where(Alarm.kind == ENDS, Alarm.subject == subject)
        if await tx.session.scalar(told.limit(1)) is None:
            await self._alarms.raise_(tx, ENDS, None, subject, detail)


def _epochs(health: Mapping[str, Any]) -> Iterator[int]:
    """Give the epochs of the documents that a node obeys."""
    for words in health.get("held", {}).values():
        yield from (held["epoch"] for held in words.values())
