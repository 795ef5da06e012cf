"""What earlier rolls of a schedule made of its dates, and which of these are settled: not to be planned (again)."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts.models import Broadcast
from controller.db import in_pieces
from controller.plays.models import Play
from edge_agent.protocol.states import Outcome, PlayState

from .expand import Occurrence
from .models import ScheduleException
from .over import BEHIND, taken_over

HEARD = frozenset({Outcome.PLAYED, Outcome.INTERRUPTED})


class Known(NamedTuple):
    """A broadcast that an earlier roll made."""

    row: Broadcast
    begun: bool
    """Somewhere, or its start has passed."""


async def known_of(session: AsyncSession, schedule_id: str, now: datetime) -> dict[str, Known]:
    """Give the newest broadcasts by date: those that could still matter."""
    query = (
        select(Broadcast)
        .where(Broadcast.schedule_id == schedule_id, Broadcast.superseded_at.is_(None))
        .where(Broadcast.latest_end_at > now - BEHIND)
        .order_by(Broadcast.created_at)
    )
    rows = (await session.scalars(query)).all()
    begun = await _begun(session, [row.id for row in rows])
    return {
        row.recurrence_local: Known(row, row.id in begun or row.start_at <= now)
        for row in rows
        if row.recurrence_local is not None
    }


async def _begun(session: AsyncSession, ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in in_pieces(ids):
        sounded = or_(Play.started_at.is_not(None), Play.state == PlayState.PLAYING, Play.outcome.in_(HEARD))
        found |= set(await session.scalars(select(Play.broadcast_id).where(Play.broadcast_id.in_(some), sounded)))
    return found


def settled_of(
    known: Mapping[str, Known],
    names: AbstractSet[str],
    dates: Iterable[Occurrence],
    changes: Iterable[ScheduleException],
) -> frozenset[str]:
    """Name the dates that are not to be planned (again).

    One that began is over for this schedule; so is, on the same day, one that an edit put in its place: nobody wants
    the morning's programme twice because its hour was changed while it played. What a person cancelled stays
    cancelled until they say something else of that date.
    """
    said_at = {each.recurrence_local: each.made_at for each in changes}
    settled = {
        key
        for key, each in known.items()
        if (each.row.cancelled_at is None and each.begun)
        or (each.row.cancelled_at is not None and said_at.get(key, each.row.cancelled_at) <= each.row.cancelled_at)
    }
    orphans = [datetime.fromisoformat(key) for key in settled - names if known[key].begun]
    return frozenset(settled | {each.isoformat() for each in taken_over(orphans, dates, known)})
