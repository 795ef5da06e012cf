"""Emergencies in SQL: which of them are in sight."""

from sqlalchemy import ColumnElement, or_, select, true

from controller.broadcasts import repository as broadcasts
from controller.broadcasts.models import Broadcast
from controller.people.rights import Sight

from .models import Emergency


def in_sight(seen: Sight) -> ColumnElement[bool]:
    """Give the condition under which an emergency is in sight: of an area in sight, or sent to a node there."""
    if seen.areas is None:
        return true()
    sent = select(Broadcast.id).where(broadcasts.in_sight(seen))
    return or_(seen.where(Emergency.area_id), Emergency.broadcast_id.in_(sent))
