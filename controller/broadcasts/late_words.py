"""Takes a node out of a replay that has not begun there when its word came after all: it did hear the broadcast."""

from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from controller.audit import service as audit
from controller.clock import Clock
from controller.db import Database, Transaction
from controller.events import Event, Topic
from controller.people.actor import Actor
from controller.plans.service import Documents
from controller.plays.models import Play
from edge_agent.protocol.states import Outcome, PlayState
from edge_agent.protocol.topics import Word

from . import cancelling
from .models import Broadcast, BroadcastTarget
from .replays import was_missed
from .schemas import as_on_the_wire

LATE_WORDS: Final = "late-words"
LATE_WORDS_S = 30
LEFT_OUT = "broadcasts.leave_out"
"""Action of the audit entry; it follows from receipts and takes no right."""


class LateWords:
    """Keeps replays from nodes that need none."""

    def __init__(self, database: Database, clock: Clock, documents: Documents) -> None:
        self._database, self._clock, self._documents = database, clock, documents

    async def take_out(self) -> None:
        """Take out every node that has heard by now what is to be said there once more.

        A replay that awaits a yes is looked at after it: what was asked for stays as it is shown to who decides.
        """
        async with self._database.reading() as session:
            replays = sorted({play.broadcast_id for play in await self._heard(session)})
        for broadcast_id in replays:
            async with self._database.transaction() as tx:
                row = await tx.session.get_one(Broadcast, broadcast_id, with_for_update=True)
                if heard := [play for play in await self._heard(tx.session) if play.broadcast_id == row.id]:
                    await self._leave_out(tx, row, heard)

    async def _heard(self, session: AsyncSession) -> list[Play]:
        """Give the plays of replays to come at nodes that, by their own word, heard enough the first time."""
        first = aliased(Play)
        query = (
            select(Play, first)
            .join(Broadcast, Broadcast.id == Play.broadcast_id)
            .join(first, (first.broadcast_id == Broadcast.replays_id) & (first.node_id == Play.node_id))
            .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None))
            .where(Broadcast.awaits_approval.is_(False), Broadcast.latest_start_at > self._clock())
            .where(Play.outcome.is_(None), Play.state != PlayState.PLAYING)
            .where(first.outcome.in_([Outcome.PLAYED, Outcome.INTERRUPTED]))
        )
        return [play for play, before in await session.execute(query) if not was_missed(before)]

    async def _leave_out(self, tx: Transaction, row: Broadcast, heard: list[Play]) -> None:
        """As with what is cancelled, nobody knows that it is not said there before the node says so."""
        now, actor = as_on_the_wire(self._clock()), Actor(None, LATE_WORDS)
        left = {f"nodes/{play.node_id}" for play in heard}
        targets = select(BroadcastTarget.scope).where(BroadcastTarget.broadcast_id == row.id)
        if left >= set(await tx.session.scalars(targets)):
            still_open = await cancelling.stop(tx, self._documents, row, by=None, now=now)
            await cancelling.note(tx, actor, row, still_open, now=now)
            return
        which = (BroadcastTarget.broadcast_id == row.id) & BroadcastTarget.scope.in_(left)
        await tx.session.execute(delete(BroadcastTarget).where(which))
        for play in heard:
            play.outcome, play.updated_at = Outcome.CANCEL_UNCONFIRMED, now
        await tx.session.flush()
        for scope in sorted(left):
            await self._documents.touch(tx, scope, Word.URGENT if row.urgent else Word.PLAN)
        detail = {"title": row.title, "scopes": sorted(left)}
        await audit.write(tx, actor, LEFT_OUT, f"broadcasts/{row.id}", detail, at=now, area_id=row.area_id)
        tx.tell(Event(Topic.BROADCAST, row.id))
