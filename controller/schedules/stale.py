"""Tells that the rules of a place have changed: dates that are heard there are worked out anew."""

from sqlalchemy import update

from controller.areas.rules import Tree
from controller.db import Transaction, in_pieces
from controller.events import Event, Topic

from .models import Schedule


async def rules_changed(tx: Transaction, tree: Tree, area_id: str) -> None:
    """Have the schedules rolled anew that may be heard in an area or below it."""
    around = {place.id for place in tree.chain(area_id)} | tree.below(area_id)
    for some in in_pieces(sorted(around)):
        stale = update(Schedule).where(Schedule.area_id.in_(some), Schedule.ended_at.is_(None))
        await tx.session.execute(stale.values(rolled_until=None))
    tx.tell(Event(Topic.SCHEDULE, area_id))
