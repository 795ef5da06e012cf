"""Whose things are after a move: what belongs to the lowest area above all its targets goes with those.

Otherwise a schedule for two hamlets that went elsewhere would be told there for ever, and nobody there could end it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from controller.approvals.models import ApprovalRequest
from controller.approvals.states import RequestState
from controller.broadcasts.models import Broadcast, BroadcastTarget
from controller.db import Transaction, in_pieces
from controller.emergencies.models import Emergency
from controller.emergencies.states import UNDER_WAY
from controller.events import Event, Topic
from controller.schedules.models import Schedule
from controller.schedules.stale import roll_anew

from .moving import Move, Owned

_Row = Schedule | ApprovalRequest | Broadcast | Emergency

_TABLES: Mapping[str, tuple[type[_Row], Topic]] = {
    "schedule": (Schedule, Topic.SCHEDULE),
    "approval": (ApprovalRequest, Topic.APPROVAL),
    "broadcast": (Broadcast, Topic.BROADCAST),
    "emergency": (Emergency, Topic.EMERGENCY),
}


async def owned(session: AsyncSession, now: datetime) -> list[Owned]:
    """Read all that is still to be heard or decided, with whose it is and where it is aimed."""
    coming = (
        select(Broadcast, BroadcastTarget.scope)
        .join(BroadcastTarget, BroadcastTarget.broadcast_id == Broadcast.id)
        .where(Broadcast.cancelled_at.is_(None), Broadcast.superseded_at.is_(None), Broadcast.latest_end_at > now)
        .order_by(Broadcast.start_at, Broadcast.id)
    )
    broadcasts: dict[str, Owned] = {}
    for row, scope in await session.execute(coming):
        known = broadcasts.get(row.id) or _owned("broadcast", row, ())
        broadcasts[row.id] = known._replace(scopes=known.scopes | {scope})
    schedules = select(Schedule).where(Schedule.ended_at.is_(None)).order_by(Schedule.id)
    urgent = select(Emergency).where(Emergency.state.in_(UNDER_WAY)).order_by(Emergency.id)
    asked = select(ApprovalRequest).where(ApprovalRequest.state == RequestState.OPEN).order_by(ApprovalRequest.id)
    return [
        *(_owned("schedule", row, row.scopes) for row in await session.scalars(schedules)),
        *(_owned("approval", row, row.scopes) for row in await session.scalars(asked)),
        *broadcasts.values(),
        *(_owned("emergency", row, row.scopes) for row in await session.scalars(urgent)),
    ]


async def hand_over(tx: Transaction, move: Move, now: datetime) -> None:
    """Give what is aimed at what moved to the area that is above all its targets now, and have dates worked out anew.

    Calendars, rules and languages come from elsewhere for all schedules of what moved, whoever they belong to.
    """
    things = await owned(tx.session, now)
    for each, area_id in move.handed_over(things):
        table, topic = _TABLES[each.kind]
        await tx.session.execute(update(table).where(table.id == each.id).values(area_id=area_id))
        tx.tell(Event(topic, each.id))
    touched = [each.id for each in things if each.kind == "schedule" and move.concerns(each)]
    for some in in_pieces(touched):
        await tx.session.execute(roll_anew([Schedule.id.in_(some)], now))
    for schedule_id in touched:
        tx.tell(Event(Topic.SCHEDULE, schedule_id))
    await tx.session.flush()


def _owned(kind: str, row: _Row, scopes: Iterable[str]) -> Owned:
    follows = isinstance(row, Broadcast) and row.schedule_id is not None
    return Owned(kind, row.id, row.title, row.area_id, frozenset(scopes), follows)
