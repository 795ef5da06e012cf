"""Makes the broadcast of an emergency that was decided, in the transaction of the decision."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.approvals.yeses import Yes
from controller.audit import service as audit
from controller.broadcasts import cancelling
from controller.broadcasts.models import Broadcast
from controller.broadcasts.room import check_room
from controller.broadcasts.saving import save
from controller.db import Transaction
from controller.errors import ForbiddenError, NotFoundError
from controller.events import Event, Topic
from controller.holds.models import Hold
from controller.holds.service import FoundHold, Holds
from controller.people.actor import Actor
from controller.plans.service import Documents
from edge_agent.protocol.topics import Word

from .drafting import draft_of
from .models import Emergency
from .rules import frozen, words_in
from .states import EmergencyState

SENT = "emergencies.send"
"""Action of the audit entry; it follows from other acts and takes no right of its own."""


class Sending:
    """What brings a decision on air."""

    def __init__(self, documents: Documents, holds: Holds, *, lead_ms: int, proven: bool = False) -> None:
        """``proven``: the signer stands apart, where yeses were given to what was proposed."""
        self.proven = proven
        self._documents, self._holds, self._lead = documents, holds, timedelta(milliseconds=lead_ms)

    async def send(
        self,
        tx: Transaction,
        actor: Actor,
        row: Emergency,
        yeses: Sequence[Yes],
        *,
        now: datetime,
        despite_holds: bool = False,
    ) -> list[str]:
        """Release what is to be released, stop what it follows, and say it.

        ``despite_holds``: nobody is there to be refused, so it is said without the releases that ``actor`` may not
        make any more; gives the holds that so still stand.

        Raises:
            InvalidError: no node is left, or a recording was withdrawn meanwhile.
            UrgentFullError: too much is being said at once in a place.
            ForbiddenError: who decides may not release those holds, unless ``despite_holds``.
        """
        draft = await draft_of(tx.session, row, now + self._lead, as_proposed=self.proven)
        await check_room(tx.session, draft, covers=timedelta.max, now=now)
        # Documents before audit, as everywhere, so that no two wait crosswise.
        released, kept = await self._release(tx, actor, row, despite=despite_holds)
        stopped = await self._stop_followed(tx, actor, row, now)
        for scope in sorted(draft.targets.scopes):
            await self._documents.touch(tx, scope, Word.URGENT)
        await self._holds.note_released(tx, actor, released)
        for broadcast, still_open in stopped:
            await cancelling.note(tx, actor, broadcast, still_open, now=now)
        row.broadcast_id = await save(tx, actor, draft, yeses=yeses, now=now)
        row.slots = frozen(draft.slots, words_in(row.slots))
        row.sent_at, row.state = now, EmergencyState.SENT
        await tx.session.flush()
        detail = {"title": row.title, "kind": row.kind, "drill": row.drill, "broadcast_id": row.broadcast_id}
        await audit.write(tx, actor, SENT, f"emergencies/{row.id}", detail, at=now, area_id=row.area_id)
        tx.tell(Event(Topic.BROADCAST, row.broadcast_id))
        tx.tell(Event(Topic.EMERGENCY, row.id))
        return kept

    async def _release(
        self, tx: Transaction, actor: Actor, row: Emergency, *, despite: bool
    ) -> tuple[list[FoundHold], list[str]]:
        """Release the holds that were named and still stand; gives them, and those that may not be released."""
        found, kept = list[FoundHold](), list[str]()
        for hold_id in row.release_holds:
            hold = await tx.session.get(Hold, hold_id)
            if hold is None or hold.released_at is not None:
                continue
            try:
                found.append(await self._holds.find(tx, actor, hold_id))
            except (ForbiddenError, NotFoundError):
                if not despite:
                    raise
                kept.append(hold_id)
        await self._holds.let_go(tx, found, by=actor.person_id)
        return found, kept

    async def _stop_followed(
        self, tx: Transaction, actor: Actor, row: Emergency, now: datetime
    ) -> list[tuple[Broadcast, int]]:
        """Silence the emergency that this one ends; nothing when it is over already."""
        followed = await tx.session.get(Emergency, row.follows_id) if row.follows_id else None
        if followed is None or followed.broadcast_id is None:
            return []
        if followed.state == EmergencyState.SENT:
            followed.state, followed.ended_at, followed.ended_by = EmergencyState.ENDED, now, actor.person_id
            tx.tell(Event(Topic.EMERGENCY, followed.id))
        broadcast = await tx.session.get_one(Broadcast, followed.broadcast_id, with_for_update=True)
        still_open = await cancelling.stop(tx, self._documents, broadcast, by=actor.person_id, now=now)
        return [(broadcast, still_open)] if still_open else []
