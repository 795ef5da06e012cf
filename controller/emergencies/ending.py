"""The end of an emergency, an all-clear or a false alarm: whether it may be said, and who has to say it elsewhere."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from controller.alarms.service import Alarms
from controller.broadcasts.models import Broadcast
from controller.db import Transaction
from controller.errors import ConflictError
from controller.nodes.models import Node

from .errors import not_open
from .models import Emergency
from .rules import FOLLOWS_WITHIN
from .states import EmergencyState, MessageKind

NOT_FOLLOWED = "emergencies.not_followed"
"""Alarm: nodes that heard an emergency stand where whoever ended it may not speak; they did not hear its end."""


async def check_followable(session: AsyncSession, row: Emergency, kind: MessageKind, now: datetime) -> None:
    """Refuse the end of what is not to be ended.

    Raises:
        NotOpenError: it was not sent, it is an end itself, or it was long ago.
        ConflictError: that was said already.
    """
    if not is_followable(row, now):
        raise not_open(row.state)
    said = select(Emergency.id).where(is_end_of(row), Emergency.kind == kind)
    if await session.scalar(said.limit(1)) is not None:
        raise ConflictError("that was said already", problem="said")


def is_end_of(row: Emergency) -> ColumnElement[bool]:
    """Give the condition under which another one ends it: said, or about to be; not what was taken back or given up.

    Nor what somebody cancelled on the page of its broadcast, as where a STOP kept it silent.
    """
    ends = (Emergency.follows_id == row.id) & (Emergency.state != EmergencyState.CANCELLED)
    taken_back = select(Broadcast.id).where(Broadcast.id == Emergency.broadcast_id, Broadcast.cancelled_at.is_not(None))
    return ends & ~taken_back.correlate(Emergency).exists()


def is_followable(row: Emergency, now: datetime) -> bool:
    """Say whether it was sent, not long ago, and is no end itself."""
    sent = row.sent_at is not None and now - row.sent_at <= FOLLOWS_WITHIN
    return sent and row.kind == MessageKind.ALERT


async def tell_beyond(
    tx: Transaction, alarms: Alarms, followed: Emergency, kind: MessageKind, nodes: Sequence[Node]
) -> None:
    """Have those who look after nodes that heard it, and do not hear its end from here, say it there."""
    for area_id in sorted({node.area_id for node in nodes}):
        names = ", ".join(node.name for node in nodes if node.area_id == area_id)
        detail = {"title": followed.title, "kind": kind, "nodes": names, "drill": followed.drill}
        await alarms.raise_(tx, NOT_FOLLOWED, area_id, f"emergencies/{followed.id}", detail)
