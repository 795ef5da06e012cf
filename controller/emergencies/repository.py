"""Emergencies in SQL: which of them are in sight, and with them what they say."""

from sqlalchemy import ColumnElement, String, cast, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from controller.broadcasts import repository as broadcasts
from controller.broadcasts.models import Broadcast
from controller.people.rights import Sight

from .models import Emergency
from .states import UNDECIDED


async def says(session: AsyncSession, seen: Sight, sha256: str) -> bool:
    """Say whether an emergency in sight that is not decided yet holds a file: who decides about it hears it first.

    It may be an own recording of somebody who works farther above. What was sent is public; what was cancelled is
    again as little known here as before it was proposed.
    """
    held = cast(Emergency.slots, String).contains(sha256, autoescape=True)
    query = select(Emergency.id).where(Emergency.state.in_(UNDECIDED), held, in_sight(seen))
    return await session.scalar(query.limit(1)) is not None


def in_sight(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which an emergency is in sight: of an area in sight, or sent to a node there."""
    if seen.areas is None:
        return true()
    # Of its own broadcast alone: the whole of what was ever aired is not gone through for it.
    sent = select(Broadcast.id).where(Broadcast.id == Emergency.broadcast_id, broadcasts.in_sight(seen))
    return or_(seen.where(Emergency.area_id), sent.correlate(Emergency).exists())
