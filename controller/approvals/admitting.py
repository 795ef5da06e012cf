"""Lets what was approved into the documents of nodes, in the transaction of the yes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, select

from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.broadcasts.repository import as_sent
from controller.broadcasts.sending import at_once
from controller.db import Transaction
from controller.errors import ConflictError
from controller.events import Event, Topic
from controller.people.proof import Runs
from controller.plans.service import Documents
from edge_agent.protocol import content
from edge_agent.protocol.content import content_hash
from edge_agent.protocol.states import Level
from edge_agent.protocol.topics import Word

from . import yeses
from .cover import covers
from .models import ApprovalRequest
from .shown import Shown
from .yeses import Bound, Yes


class Admission:
    """Admits what one yes covers."""

    def __init__(self, tx: Transaction, documents: Documents, *, lead: timedelta, now: datetime) -> None:
        self._tx, self._documents, self._lead, self._now = tx, documents, lead, now

    async def admit(self, request: ApprovalRequest, yes: Yes) -> int:
        """Write the yes, and let in what it covers; gives how many broadcasts that is.

        Raises:
            ConflictError: its time is over, or it is not what it was when it was asked for.
        """
        asked = Bound(request.content_sha256, tuple(request.scopes), request.not_before_at, request.not_after_at)
        kind, _, key = request.subject.partition("/")
        first_at = request.first_start_at if kind == "schedules" else None
        runs = msgspec.convert(request.runs, Runs) if request.runs is not None else None
        yeses.prove(self._tx, yes, request.subject, asked, Level(request.level), runs=runs, first_at=first_at)
        yes = yes._replace(proof=None)
        if kind == "schedules":
            await yeses.write(self._tx, request.subject, asked, [yes], now=self._now, shown=request.shown)
            return await self._let_in(await self._waiting(Broadcast.schedule_id == key), asked, yes)
        waiting = await self._waiting(Broadcast.id == key)
        if not waiting:
            raise ConflictError("its time is over, or it was changed", problem="over")
        return await self._let_in(waiting, asked, yes, shown=request.shown)

    async def _waiting(self, which: ColumnElement[bool]) -> Sequence[Broadcast]:
        query = (
            select(Broadcast)
            .where(Broadcast.awaits_approval.is_(True), Broadcast.latest_start_at > self._now)
            .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
            .order_by(Broadcast.id)
        )
        return (await self._tx.session.scalars(query.where(which))).all()

    async def _let_in(self, waiting: Sequence[Broadcast], asked: Bound, yes: Yes, *, shown: Shown | None = None) -> int:
        wires = await as_sent(self._tx.session, [row.id for row in waiting])
        touched: set[tuple[str, Word]] = set()
        admitted = 0
        for row in waiting:
            scopes = await self._scopes(row)
            bound = bound_of(wires[row.id], scopes)
            if covers(asked, bound):
                await yeses.write(self._tx, f"broadcasts/{row.id}", bound, [yes], now=self._now, shown=shown)
                row.awaits_approval = False
                at_once(row, self._lead, now=self._now)
                touched |= {(scope, Word.URGENT if row.urgent else Word.PLAN) for scope in scopes}
                self._tx.tell(Event(Topic.BROADCAST, row.id))
                admitted += 1
        await self._tx.session.flush()
        for scope, word in sorted(touched):
            await self._documents.touch(self._tx, scope, word)
        return admitted

    async def _scopes(self, row: Broadcast) -> tuple[str, ...]:
        query = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id)
        return tuple(sorted(await self._tx.session.scalars(query)))


def bound_of(wire: content.Broadcast, scopes: tuple[str, ...]) -> Bound:
    """Say what a yes to a broadcast must cover."""
    return Bound(content_hash(wire.items, wire.drill), scopes, wire.start_at, wire.latest_end_at)
